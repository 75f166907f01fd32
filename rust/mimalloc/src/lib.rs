// SPDX-License-Identifier: MIT
//! mimalloc as the global allocator of a Rust program:
//!
//! ```
//! use mimalloc::MiMalloc;
//!
//! #[global_allocator]
//! static GLOBAL: MiMalloc = MiMalloc;
//!
//! fn main() {
//!     assert_eq!(vec![1; 1000].iter().sum::<i32>(), 1000);
//! }
//! ```
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `extended` | [heap]s, [options], process figures, statistics, collecting |
//! | `nightly_allocator_api` | std's trait `Allocator`, with a nightly compiler, in place of the one here |
//! | `override` | C code of the program uses the library, too |
//! | `secure`, `debug`, `debug_in_debug` | a hardened build; one that checks itself |
//! | `local_dynamic_tls` | for a dynamic library that is opened while the program runs |
//!
//! `arena`, `no_thp`, `v2`, `v3` and `win_direct_tls` are accepted, since dependents of the
//! well-known crate of this name ask for them, and change nothing.
#![cfg_attr(feature = "nightly_allocator_api", feature(allocator_api))]
#![no_std]
#![warn(missing_docs)]

#[cfg(feature = "nightly_allocator_api")]
extern crate alloc;
#[cfg(feature = "extended")]
extern crate std;

use core::alloc::{GlobalAlloc, Layout};
use core::ffi::c_void;

use libmimalloc_sys as sys;

mod allocator;
#[cfg(feature = "extended")]
pub mod heap;
#[cfg(feature = "extended")]
pub mod options;
#[cfg(feature = "extended")]
pub mod process;

pub use allocator::{AllocError, Allocator};

/// All blocks of the library are aligned to at least this.
const ALIGNMENT: usize = 16;

/// The library as an allocator. It has no state: all values of it are the same allocator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MiMalloc;

// The library honours sizes and alignments, gives zeroed blocks, never unwinds, and returns null
// when there is no memory.
unsafe impl GlobalAlloc for MiMalloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= ALIGNMENT {
            sys::mi_malloc(layout.size()) as *mut u8
        } else {
            sys::mi_malloc_aligned(layout.size(), layout.align()) as *mut u8
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= ALIGNMENT {
            sys::mi_zalloc(layout.size()) as *mut u8
        } else {
            sys::mi_zalloc_aligned(layout.size(), layout.align()) as *mut u8
        }
    }

    #[inline]
    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        sys::mi_free_size_aligned(p as *mut c_void, layout.size(), layout.align());
    }

    #[inline]
    unsafe fn realloc(&self, p: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.align() <= ALIGNMENT {
            sys::mi_realloc(p as *mut c_void, size) as *mut u8
        } else {
            sys::mi_realloc_aligned(p as *mut c_void, size, layout.align()) as *mut u8
        }
    }
}

#[cfg(feature = "extended")]
impl MiMalloc {
    /// The version of the library, as in 30403 for 3.4.3.
    pub fn version(&self) -> u32 {
        unsafe { sys::mi_version() as u32 }
    }

    /// Bytes that may be used at block `p`: at least the size that was asked for.
    ///
    /// # Safety
    /// `p` is a live block of this allocator.
    #[inline]
    pub unsafe fn usable_size(&self, p: *const u8) -> usize {
        sys::mi_usable_size(p as *const c_void)
    }
}
