// SPDX-License-Identifier: MIT
//! The process: its figures, its statistics, and tidying up.
use core::ffi::c_void;
use core::time::Duration;
use std::ffi::CStr;
use std::string::String;

use libmimalloc_sys as sys;

/// What the system and the library know of the process; 0 where the system does not tell.
#[derive(Clone, Copy, Debug, Default)]
pub struct Info {
    /// Time since the library was set up.
    pub elapsed: Duration,
    /// Processor time in user mode.
    pub user: Duration,
    /// Processor time in system mode.
    pub system: Duration,
    /// Bytes resident now.
    pub resident: usize,
    /// Bytes resident at the peak.
    pub peak_resident: usize,
    /// Bytes that the library has made accessible now.
    pub committed: usize,
    /// Bytes that the library has made accessible at the peak.
    pub peak_committed: usize,
    /// Page faults.
    pub faults: usize,
}

/// Figures of the process, now.
pub fn info() -> Info {
    let mut info = Info::default();
    let (mut elapsed, mut user, mut system) = (0, 0, 0);
    unsafe {
        sys::mi_process_info(
            &mut elapsed,
            &mut user,
            &mut system,
            &mut info.resident,
            &mut info.peak_resident,
            &mut info.committed,
            &mut info.peak_committed,
            &mut info.faults,
        );
    }
    info.elapsed = Duration::from_millis(elapsed as u64);
    info.user = Duration::from_millis(user as u64);
    info.system = Duration::from_millis(system as u64);
    info
}

/// Tidies up: blocks that other threads freed come home, and free memory whose time has come goes
/// back to the system; with `force` all of it at once.
pub fn collect(force: bool) {
    unsafe { sys::mi_collect(force) }
}

/// Statistics of the whole process as text.
pub fn statistics() -> String {
    // The library calls this a piece at a time; it must not panic into C.
    unsafe extern "C" fn add(piece: *const sys::c_char, text: *mut c_void) {
        if let Ok(piece) = CStr::from_ptr(piece.cast()).to_str() {
            (*(text as *mut String)).push_str(piece);
        }
    }
    let mut text = String::new();
    unsafe { sys::mi_stats_print_out(Some(add), &mut text as *mut String as *mut c_void) };
    text
}

/// The same as numbers; the header `mimalloc-stats.h` says what each of them is.
pub fn counts() -> sys::mi_stats_t {
    // All fields are numbers.
    let mut stats: sys::mi_stats_t = unsafe { core::mem::zeroed() };
    stats.size = core::mem::size_of::<sys::mi_stats_t>();
    stats.version = sys::MI_STAT_VERSION;
    // It fails for another version of the library only, and this is that of the header.
    unsafe { sys::mi_stats_get(&mut stats) };
    stats
}

/// The same as JSON, with figures of the process; None when there is no memory.
pub fn json() -> Option<String> {
    let text = unsafe { sys::mi_stats_get_json(0, core::ptr::null_mut()) };
    if text.is_null() {
        return None;
    }
    let copy = unsafe { CStr::from_ptr(text.cast()) }.to_string_lossy().into_owned();
    unsafe { sys::mi_free(text.cast()) };
    Some(copy)
}
