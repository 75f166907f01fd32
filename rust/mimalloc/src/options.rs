// SPDX-License-Identifier: MIT
//! The library's options, which the environment sets as well (`MIMALLOC_PURGE_DELAY=100`).
#![allow(clippy::useless_conversion)] // C's long has 32 bits elsewhere

use libmimalloc_sys as sys;

/// One option. Sizes are in KiB; switches are 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting(sys::mi_option_t);

impl Setting {
    /// Print warnings and failed allocations, too.
    pub const SHOW_ERRORS: Setting = Setting(sys::mi_option_show_errors);
    /// Print statistics when the process ends.
    pub const SHOW_STATS: Setting = Setting(sys::mi_option_show_stats);
    /// Say at the start that the allocator is active, and what it does.
    pub const VERBOSE: Setting = Setting(sys::mi_option_verbose);
    /// Lines about errors that are printed at most.
    pub const MAX_ERRORS: Setting = Setting(sys::mi_option_max_errors);
    /// Lines about warnings that are printed at most.
    pub const MAX_WARNINGS: Setting = Setting(sys::mi_option_max_warnings);
    /// Milliseconds after which free memory goes back to the system; 0: at once, -1: never.
    pub const PURGE_DELAY: Setting = Setting(sys::mi_option_purge_delay);
    /// What a thread may hold back, per size class, of other threads' freed blocks.
    pub const HELD_SIZE: Setting = Setting(sys::mi_option_held_size);

    /// Any other option, by its number in `mimalloc.h`. One that is unknown has the value 0 and
    /// can't be set.
    pub const fn from_raw(number: sys::mi_option_t) -> Setting {
        Setting(number)
    }

    /// The value: from the program, else from the environment, else the default.
    pub fn get(self) -> i64 {
        i64::from(unsafe { sys::mi_option_get(self.0) })
    }

    /// Sets it from now on, whatever the environment says. What is out of range becomes the nearest
    /// value in it.
    pub fn set(self, value: i64) {
        unsafe { sys::mi_option_set(self.0, clamped(value)) }
    }

    /// Sets it unless the environment or the program has done so.
    pub fn set_default(self, value: i64) {
        unsafe { sys::mi_option_set_default(self.0, clamped(value)) }
    }
}

fn clamped(value: i64) -> sys::c_long {
    value.clamp(i64::from(sys::c_long::MIN), i64::from(sys::c_long::MAX)) as sys::c_long
}
