// SPDX-License-Identifier: MIT
//! GlobalAlloc for every kind of layout: alignment, contents, zeros, growing and shrinking. The
//! library is also this test's own allocator.
use std::alloc::{GlobalAlloc, Layout};
use std::collections::{HashSet, VecDeque};

use mimalloc::MiMalloc;

#[global_allocator]
static GLOBAL: MiMalloc = MiMalloc;

const LARGEST_ALIGNMENT: usize = 2 << 20;

/// Sizes around every power of two and its quarters, up to 8 MiB, and all small ones.
fn sizes() -> Vec<usize> {
    let mut all: Vec<usize> = (1..=1100).collect();
    let mut size = 1024;
    while size <= 8 << 20 {
        for quarter in 0..4 {
            let middle = size + size / 4 * quarter;
            all.extend([middle - 1, middle, middle + 1]);
        }
        size *= 2;
    }
    all
}

fn alignments() -> impl Iterator<Item = usize> {
    (0..).map(|shift| 1 << shift).take_while(|a| *a <= LARGEST_ALIGNMENT)
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

/// Writes a pattern to the ends of a block, and to all of a small one.
unsafe fn fill(p: *mut u8, size: usize, seed: usize) {
    for i in ends(size) {
        *p.add(i) = pattern(i, seed);
    }
}

unsafe fn check(p: *const u8, size: usize, seed: usize) {
    for i in ends(size) {
        assert_eq!(*p.add(i), pattern(i, seed), "byte {} of {}", i, size);
    }
}

fn pattern(i: usize, seed: usize) -> u8 {
    (i.wrapping_mul(31) ^ seed.wrapping_mul(17) ^ (i >> 8)) as u8
}

fn ends(size: usize) -> impl Iterator<Item = usize> {
    let edge = size.min(600);
    (0..edge).chain((size - edge).max(edge)..size)
}

#[test]
fn blocks_are_aligned_and_apart() {
    // Of each alignment about forty blocks live at a time: one that lay in another would have
    // changed it.
    for align in alignments() {
        let mut live = VecDeque::new();
        let few = align > 4096;
        for (seed, size) in sizes().into_iter().enumerate().filter(|(i, _)| !few || i % 7 == 0) {
            let layout = layout(size, align);
            let p = unsafe { MiMalloc.alloc(layout) };
            assert!(!p.is_null(), "{:?}", layout);
            assert_eq!(p as usize % align, 0, "{:?}", layout);
            unsafe { fill(p, size, seed) };
            live.push_back((p, layout, seed));
            if live.len() > 40 {
                release(live.pop_front().unwrap());
            }
        }
        live.into_iter().for_each(release);
    }
}

fn release((p, layout, seed): (*mut u8, Layout, usize)) {
    unsafe {
        check(p, layout.size(), seed);
        MiMalloc.dealloc(p, layout);
    }
}

#[test]
fn zeroed_blocks_are_zero_after_use() {
    for align in alignments() {
        for size in [1, 8, 15, 16, 100, 1000, 1024, 5000, 65536, 65537, 300_000, 3 << 20] {
            let layout = layout(size, align);
            // What is freed dirty comes back first.
            let dirty: Vec<*mut u8> = (0..4)
                .map(|_| unsafe {
                    let p = MiMalloc.alloc(layout);
                    p.write_bytes(0xA5, size);
                    p
                })
                .collect();
            for p in dirty {
                unsafe { MiMalloc.dealloc(p, layout) };
            }
            for _ in 0..5 {
                unsafe {
                    let p = MiMalloc.alloc_zeroed(layout);
                    assert_eq!(p as usize % align, 0);
                    let all = std::slice::from_raw_parts(p, size);
                    assert!(all.iter().all(|b| *b == 0), "{:?}", layout);
                    p.write_bytes(0x5A, size);
                    MiMalloc.dealloc(p, layout);
                }
            }
        }
    }
}

#[test]
fn resizing_keeps_contents_and_alignment() {
    let steps = [
        1,
        7,
        8,
        9,
        16,
        17,
        100,
        90,
        1000,
        3000,
        1025,
        70_000,
        65_536,
        300_000,
        200_001,
        2 << 20,
        5 << 20,
        4096,
        33,
        1,
    ];
    for align in alignments() {
        unsafe {
            let mut now = layout(steps[0], align);
            let mut p = MiMalloc.alloc(now);
            fill(p, now.size(), align);
            for size in steps {
                p = MiMalloc.realloc(p, now, size);
                assert!(!p.is_null());
                assert_eq!(p as usize % align, 0, "{:?} to {}", now, size);
                for i in 0..now.size().min(size).min(600) {
                    assert_eq!(*p.add(i), pattern(i, align), "{:?} to {}: byte {}", now, size, i);
                }
                now = layout(size, align);
                fill(p, size, align);
            }
            MiMalloc.dealloc(p, now);
        }
    }
}

#[test]
fn a_large_block_grows_where_it_is() {
    // Each test has a thread of its own: others may take what lies behind the block, but rarely
    // every time.
    let mut in_place = 0;
    for _ in 0..20 {
        unsafe {
            let mut now = layout(4 << 20, 8);
            let mut p = MiMalloc.alloc(now);
            fill(p, 1000, 1);
            for mib in [5, 6, 8, 12] {
                let grown = MiMalloc.realloc(p, now, mib << 20);
                assert!(!grown.is_null());
                check(grown, 1000, 1);
                in_place += usize::from(grown == p);
                p = grown;
                now = layout(mib << 20, 8);
                *p.add(now.size() - 1) = 1;
            }
            MiMalloc.dealloc(p, now);
        }
    }
    assert!(in_place >= 20, "{} of 80 in place", in_place);
}

#[test]
fn no_memory_is_null_and_never_a_panic() {
    let huge = layout(isize::MAX as usize - 4096, 1);
    let aligned = layout(isize::MAX as usize - (4 << 20), LARGEST_ALIGNMENT);
    unsafe {
        assert!(MiMalloc.alloc(huge).is_null());
        assert!(MiMalloc.alloc_zeroed(huge).is_null());
        assert!(MiMalloc.alloc(aligned).is_null());
        let small = layout(100, 8);
        let p = MiMalloc.alloc(small);
        fill(p, 100, 3);
        assert!(MiMalloc.realloc(p, small, huge.size()).is_null());
        check(p, 100, 3); // it is still there
        MiMalloc.dealloc(p, small);
    }
    assert!(Vec::<u8>::new().try_reserve(isize::MAX as usize).is_err());
}

#[test]
fn collections_use_the_library() {
    let text: String = (0..5000).map(|i| char::from(b'a' + (i % 26) as u8)).collect();
    let set: HashSet<String> = (0..2000).map(|i| format!("{}{}", i, &text[i..i + i % 50])).collect();
    assert_eq!(set.len(), 2000);
    let boxed: Box<[u64]> = (0..10_000).collect();
    assert_eq!(boxed[9_999], 9_999);
    #[repr(align(4096))]
    struct Page([u8; 4096]);
    let pages: Vec<Page> = (0..20).map(|i| Page([i; 4096])).collect();
    assert!(pages
        .iter()
        .enumerate()
        .all(|(i, page)| &page.0 as *const _ as usize % 4096 == 0 && page.0[4095] == i as u8));
    // A block of another malloc has no size here.
    #[cfg(feature = "extended")]
    unsafe {
        assert!(MiMalloc.usable_size(text.as_ptr()) >= 5000);
        assert!(MiMalloc.usable_size(boxed.as_ptr() as *const u8) >= 80_000);
        assert!(MiMalloc.usable_size(pages.as_ptr() as *const u8) >= 81_920);
    }
}
