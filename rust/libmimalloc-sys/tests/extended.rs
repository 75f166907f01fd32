// SPDX-License-Identifier: MIT
//! The declarations of all of the headers: each kind of type that occurs in them, called.
#![cfg(feature = "extended")]
use std::ffi::{CStr, CString};
use std::ptr;

use libmimalloc_sys::*;

#[test]
fn sizes_go_out_by_pointer() {
    unsafe {
        let (mut size, mut before, mut after) = (0, 0, 0);
        let mut p = mi_umalloc(100, &mut size);
        assert!(size >= 100 && size == mi_usable_size(p));
        p = mi_urealloc(p, 5000, &mut before, &mut after);
        assert!(before == size && after >= 5000);
        mi_ufree(p, &mut size);
        assert_eq!(size, after);
        assert!(mi_good_size(5000) >= 5000);
        assert_eq!(MI_SMALL_SIZE_MAX, 128 * std::mem::size_of::<usize>());
        mi_free_small(mi_zalloc_small(MI_SMALL_SIZE_MAX));
    }
}

#[test]
fn strings_and_pointers_to_pointers() {
    unsafe {
        let text = CString::new("some text").unwrap();
        let copy = mi_strdup(text.as_ptr());
        assert_eq!(CStr::from_ptr(copy), text.as_c_str());
        let part = mi_strndup(text.as_ptr(), 4);
        assert_eq!(CStr::from_ptr(part).to_bytes(), b"some");
        let mut p = ptr::null_mut();
        assert_eq!(mi_posix_memalign(&mut p, 256, 1000), 0);
        assert_eq!(p as usize % 256, 0);
        let wide: [c_ushort; 3] = [65, 66, 0];
        let w = mi_wcsdup(wide.as_ptr());
        assert_eq!(std::slice::from_raw_parts(w, 3), &wide);
        for block in [copy as *mut c_void, part as *mut c_void, p, w as *mut c_void] {
            mi_free(block);
        }
    }
}

unsafe extern "C" fn collect_text(piece: *const c_char, arg: *mut c_void) {
    (*(arg as *mut Vec<u8>)).extend(CStr::from_ptr(piece).to_bytes());
}

unsafe extern "C" fn count_errors(err: c_int, arg: *mut c_void) {
    (*(arg as *mut Vec<c_int>)).push(err);
}

#[test]
fn functions_are_called_back() {
    unsafe {
        let mut text: Vec<u8> = Vec::new();
        mi_stats_print_out(Some(collect_text), &mut text as *mut Vec<u8> as *mut c_void);
        assert!(text.len() > 100);
        let mut errors: Vec<c_int> = Vec::new();
        mi_register_error(Some(count_errors), &mut errors as *mut Vec<c_int> as *mut c_void);
        assert!(mi_malloc(usize::MAX / 2 + 1).is_null());
        mi_register_error(None, ptr::null_mut());
        assert_eq!(errors.len(), 1, "{:?}", errors);
    }
}

#[test]
fn numbers_and_truths() {
    unsafe {
        assert_eq!(mi_version() / 10_000, 3);
        mi_collect(true);
        let p = mi_calloc_aligned_at(10, 100, 64, 8) as usize;
        assert_eq!((p + 8) % 64, 0);
        mi_free(p as *mut c_void);
        assert!(mi_expand(ptr::null_mut(), 5).is_null());
    }
}
