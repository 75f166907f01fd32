// SPDX-License-Identifier: MIT
//! The trait for allocators as values: the same results with std's (nightly) as with the one here.
#![cfg_attr(feature = "nightly_allocator_api", feature(allocator_api))]
use std::alloc::Layout;
use std::ptr::NonNull;

use mimalloc::{Allocator, MiMalloc};

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

fn start(block: NonNull<[u8]>) -> NonNull<u8> {
    block.cast()
}

unsafe fn bytes<'a>(block: NonNull<[u8]>) -> &'a mut [u8] {
    &mut *block.as_ptr()
}

/// Any allocator, as generic code has it.
fn through_the_trait<A: Allocator>(allocator: A) {
    unsafe {
        let mut now = layout(10, 1);
        let mut block = allocator.allocate(now).unwrap();
        assert!(block.len() >= 10);
        bytes(block)[..10].copy_from_slice(b"0123456789");
        for (size, align) in [(100, 1), (100, 64), (5000, 4096), (200_000, 8), (3 << 20, 1 << 20)] {
            let new = layout(size, align);
            block = allocator.grow(start(block), now, new).unwrap();
            assert_eq!(block.as_ptr() as *mut u8 as usize % align, 0, "{:?}", new);
            assert!(block.len() >= size);
            assert_eq!(&bytes(block)[..10], b"0123456789");
            bytes(block)[size - 1] = 7;
            now = new;
        }
        for (size, align) in [(70_000, 1 << 16), (500, 1), (500, 512), (10, 1)] {
            let new = layout(size, align);
            block = allocator.shrink(start(block), now, new).unwrap();
            assert_eq!(block.as_ptr() as *mut u8 as usize % align, 0, "{:?}", new);
            assert_eq!(&bytes(block)[..10], b"0123456789");
            now = new;
        }
        allocator.deallocate(start(block), now);
    }
}

#[test]
fn as_a_value_and_by_reference() {
    through_the_trait(MiMalloc);
    through_the_trait(&MiMalloc); // a reference is one, too
    through_the_trait(MiMalloc.by_ref());
}

#[test]
fn size_zero_takes_nothing_and_grows() {
    unsafe {
        let none = layout(0, 256);
        let block = MiMalloc.allocate(none).unwrap();
        assert_eq!((block.len(), block.as_ptr() as *mut u8 as usize % 256), (0, 0));
        let grown = MiMalloc.grow(start(block), none, layout(300, 256)).unwrap();
        bytes(grown).fill(1);
        let back = MiMalloc.shrink(start(grown), layout(300, 256), none).unwrap();
        assert_eq!(back.len(), 0);
        MiMalloc.deallocate(start(back), none);
        assert_eq!(MiMalloc.allocate_zeroed(none).unwrap().len(), 0);
    }
}

#[test]
fn zeroed_and_grown_zeroed() {
    unsafe {
        for _ in 0..3 {
            let mut now = layout(100, 8);
            let mut block = MiMalloc.allocate_zeroed(now).unwrap();
            assert!(bytes(block)[..100].iter().all(|b| *b == 0));
            bytes(block)[..100].fill(9);
            for size in [101, 1000, 70_000, 1 << 20] {
                let new = layout(size, 8);
                block = MiMalloc.grow_zeroed(start(block), now, new).unwrap();
                assert!(bytes(block)[..now.size()].iter().all(|b| *b == 9));
                assert!(
                    bytes(block)[now.size()..size].iter().all(|b| *b == 0),
                    "from {} to {}",
                    now.size(),
                    size
                );
                bytes(block)[..size].fill(9);
                now = new;
            }
            MiMalloc.deallocate(start(block), now);
        }
    }
}

#[test]
fn no_memory_is_an_error() {
    let huge = layout(isize::MAX as usize - 4096, 1);
    assert!(MiMalloc.allocate(huge).is_err());
    assert!(MiMalloc.allocate_zeroed(huge).is_err());
    unsafe {
        let small = layout(50, 1);
        let block = MiMalloc.allocate(small).unwrap();
        bytes(block)[..50].fill(3);
        assert!(MiMalloc.grow(start(block), small, huge).is_err());
        assert!(bytes(block)[..50].iter().all(|b| *b == 3));
        MiMalloc.deallocate(start(block), small);
    }
}

#[cfg(feature = "nightly_allocator_api")]
#[test]
fn collections_of_std_take_it() {
    let mut numbers = Vec::with_capacity_in(3, MiMalloc);
    numbers.extend(0..10_000);
    assert_eq!(numbers.iter().sum::<i32>(), 49_995_000);
    numbers.truncate(3);
    numbers.shrink_to_fit();
    assert_eq!(*numbers, [0, 1, 2]);
    let boxed = Box::new_in([7u8; 300], MiMalloc);
    #[cfg(feature = "extended")]
    assert!(unsafe { MiMalloc.usable_size(boxed.as_ptr()) } >= 300);
    assert!(boxed.iter().all(|b| *b == 7));
}
