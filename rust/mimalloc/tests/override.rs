// SPDX-License-Identifier: MIT
//! With the feature `override`, what C code allocates is the library's, too.
#![cfg(all(feature = "override", feature = "extended"))]
use std::ffi::{c_void, CStr, CString};
use std::os::raw::c_char;

use mimalloc::MiMalloc;

extern "C" {
    fn malloc(size: usize) -> *mut c_void;
    fn free(p: *mut c_void);
    fn strdup(text: *const c_char) -> *mut c_char;
}

#[test]
fn blocks_of_libc_are_the_librarys() {
    let text = CString::new("a text for C").unwrap();
    unsafe {
        let p = malloc(3000);
        // libc itself allocates this one. A block of another malloc has the size 0.
        let copy = strdup(text.as_ptr());
        assert!(MiMalloc.usable_size(p as *const u8) >= 3000);
        assert!(MiMalloc.usable_size(copy as *const u8) >= 13);
        assert_eq!(CStr::from_ptr(copy), text.as_c_str());
        free(p);
        free(copy as *mut c_void);
    }
}
