// SPDX-License-Identifier: MIT
//! What is there without features: the functions of a global allocator.
use libmimalloc_sys::*;

#[test]
fn blocks_of_each_kind() {
    unsafe {
        let mut p = mi_malloc(100) as *mut u8;
        p.write_bytes(7, 100);
        p = mi_realloc(p as *mut c_void, 100_000) as *mut u8;
        assert!((0..100).all(|i| *p.add(i) == 7));
        mi_free_size(p as *mut c_void, 100_000);
        let zeros = mi_zalloc(5000) as *mut u8;
        assert!((0..5000).all(|i| *zeros.add(i) == 0));
        mi_free(zeros as *mut c_void);
        for align in [1, 64, 4096, 1 << 20] {
            let mut q = mi_malloc_aligned(300, align);
            assert_eq!(q as usize % align, 0);
            q = mi_realloc_aligned(q, 70_000, align);
            assert_eq!(q as usize % align, 0);
            mi_free_size_aligned(q, 70_000, align);
            let z = mi_zalloc_aligned(3000, align) as *mut u8;
            assert!(z as usize % align == 0 && (0..3000).all(|i| *z.add(i) == 0));
            mi_free_size_aligned(z as *mut c_void, 3000, align);
        }
        assert!(mi_malloc(usize::MAX).is_null());
        mi_free(core::ptr::null_mut());
    }
}
