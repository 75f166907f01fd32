// SPDX-License-Identifier: MIT
//! An allocator over the declarations, the names that wrappers use, and an option.
use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_void;

use libmimalloc_sys as ffi;

struct Counted;

unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ffi::mi_malloc_aligned(layout.size(), layout.align()) as *mut u8
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ffi::mi_zalloc_aligned(layout.size(), layout.align()) as *mut u8
    }
    unsafe fn dealloc(&self, p: *mut u8, _: Layout) {
        ffi::mi_free(p as *mut c_void)
    }
    unsafe fn realloc(&self, p: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ffi::mi_realloc_aligned(p as *mut c_void, size, layout.align()) as *mut u8
    }
}

#[global_allocator]
static GLOBAL: Counted = Counted;

unsafe extern "C" fn print(text: *const std::os::raw::c_char, _: *mut c_void) {
    print!("{}", std::ffi::CStr::from_ptr(text).to_string_lossy());
}

fn main() {
    unsafe {
        ffi::mi_option_set(ffi::mi_option_purge_delay, 10);
        assert_eq!(ffi::mi_option_get(ffi::mi_option_purge_delay), 10);
        let squares: Vec<u64> = (0..100_000).map(|n| n * n).collect();
        assert!(ffi::mi_usable_size(squares.as_ptr() as *const c_void) >= 800_000);
        let mut resident = 0;
        let no = std::ptr::null_mut();
        ffi::mi_process_info(no, no, no, &mut resident, no, no, no, no);
        assert!(resident > 800_000);
        ffi::mi_stats_print_out(Some(print), std::ptr::null_mut());
        ffi::mi_collect(true);
        println!("sum {}, version {}", squares.iter().sum::<u64>(), ffi::mi_version());
    }
}
