// SPDX-License-Identifier: MIT
//! Heaps as allocators, from several threads, ended in both ways; arenas.
#![cfg(feature = "extended")]
#![cfg_attr(feature = "nightly_allocator_api", feature(allocator_api))]
use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::Arc;
use std::thread;

use mimalloc::heap::{Arena, Heap, Live};
use mimalloc::{process, Allocator, MiMalloc};

#[global_allocator]
static GLOBAL: MiMalloc = MiMalloc;

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

#[test]
fn blocks_are_the_heaps_own() {
    let (one, other) = (Heap::new().unwrap(), Heap::new().unwrap());
    for (size, align) in
        [(1, 1), (100, 8), (3000, 64), (70_000, 4096), (5 << 20, 1 << 16), (1 << 20, 2 << 20)]
    {
        let layout = layout(size, align);
        let p = one.allocate_zeroed(layout).unwrap().cast::<u8>();
        assert_eq!(p.as_ptr() as usize % align, 0);
        assert!(one.contains(p.as_ptr()) && !other.contains(p.as_ptr()), "{:?}", layout);
        assert!(unsafe { std::slice::from_raw_parts(p.as_ptr(), size) }.iter().all(|b| *b == 0));
        let live = one.live();
        assert!(live.blocks == 1 && live.bytes >= size, "{:?}", live);
        unsafe { one.deallocate(p, layout) };
        assert_eq!(one.live(), Live::default());
    }
    let on_stack = 5;
    assert!(!one.contains(&on_stack));
    assert!(!one.contains(Box::new(5).as_ref()));
}

#[test]
fn what_grows_stays_in_the_heap() {
    let heap = Heap::new().unwrap();
    unsafe {
        let mut now = layout(10, 1);
        let mut p: NonNull<u8> = heap.allocate(now).unwrap().cast();
        p.as_ptr().write_bytes(5, 10);
        for (size, align) in [(100, 64), (5000, 64), (100_000, 4096), (3 << 20, 8)] {
            let new = layout(size, align);
            p = heap.grow_zeroed(p, now, new).unwrap().cast();
            assert!(heap.contains(p.as_ptr()) && p.as_ptr() as usize % align == 0);
            let all = std::slice::from_raw_parts(p.as_ptr(), size);
            assert!(all[..10].iter().all(|b| *b == 5) && all[10..].iter().all(|b| *b == 0), "{:?}", new);
            now = new;
        }
        let small = layout(20, 8);
        p = heap.shrink(p, now, small).unwrap().cast();
        assert_eq!(std::slice::from_raw_parts(p.as_ptr(), 12), [5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 0, 0]);
        assert_eq!(heap.live().blocks, 1);
        let none = heap.shrink(p, small, layout(0, 8)).unwrap().cast();
        assert_eq!(heap.live().blocks, 0);
        p = heap.grow(none, layout(0, 8), small).unwrap().cast();
        heap.deallocate(p, small);
        assert!(heap.allocate(layout(isize::MAX as usize - 4096, 1)).is_err());
    }
}

#[test]
fn threads_share_a_heap() {
    let heap = Arc::new(Heap::new().unwrap());
    let threads: Vec<_> = (0..4u8)
        .map(|t| {
            let heap = heap.clone();
            thread::spawn(move || {
                (1..500)
                    .map(|i| {
                        let p: NonNull<u8> = heap.allocate(layout(i * 3, 8)).unwrap().cast();
                        unsafe { p.as_ptr().write_bytes(t, i * 3) };
                        p.as_ptr() as usize
                    })
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    for (t, thread) in threads.into_iter().enumerate() {
        for (i, p) in (1..500).zip(thread.join().unwrap()) {
            let p = p as *mut u8;
            unsafe {
                assert!(heap.contains(p) && *p == t as u8 && *p.add(i * 3 - 1) == t as u8);
                heap.deallocate(NonNull::new_unchecked(p), layout(i * 3, 8));
            }
        }
    }
}

#[test]
fn blocks_outlive_a_heap_that_is_dropped() {
    let heap = Heap::new().unwrap();
    let small = layout(100, 8);
    let large = layout(300_000, 8);
    let (p, q): (NonNull<u8>, NonNull<u8>) =
        (heap.allocate(small).unwrap().cast(), heap.allocate(large).unwrap().cast());
    unsafe {
        p.as_ptr().write_bytes(1, 100);
        q.as_ptr().write_bytes(2, 300_000);
        drop(heap);
        assert!((0..100).all(|i| *p.as_ptr().add(i) == 1) && *q.as_ptr().add(299_999) == 2);
        MiMalloc.deallocate(p, small);
        MiMalloc.deallocate(q, large);
    }
}

#[test]
fn a_heap_ends_with_all_its_blocks() {
    process::collect(true);
    let before = process::info().resident;
    for _ in 0..10 {
        let heap = Heap::new().unwrap();
        for i in 0..2000 {
            let size = if i % 100 == 0 { 200_000 } else { 2000 };
            let p: NonNull<u8> = heap.allocate(layout(size, 8)).unwrap().cast();
            unsafe { p.as_ptr().write_bytes(7, size) };
        }
        assert_eq!(heap.live().blocks, 2000);
        unsafe { heap.destroy() };
    }
    process::collect(true);
    let after = process::info().resident;
    assert!(after < before + (20 << 20), "{} {}", before, after); // 80 MB went through
}

#[test]
fn an_arena_keeps_values_to_its_end() {
    struct Node<'a> {
        name: &'a str,
        next: Option<&'a Node<'a>>,
    }
    for _ in 0..50 {
        let arena = Arena::new().unwrap();
        let mut first: Option<&Node> = None;
        for i in 0..200 {
            first = Some(arena.value(Node { name: arena.text(&format!("node {}", i)), next: first }));
        }
        let mut count = 0;
        let mut at = first;
        while let Some(node) = at {
            count += 1;
            assert_eq!(node.name, format!("node {}", 200 - count));
            at = node.next;
        }
        assert_eq!(count, 200);
        assert_eq!(arena.heap().live().blocks, 400);
        assert_eq!(arena.slice::<u64>(&[]).len(), 0);
        let none: &mut () = arena.value(());
        *none = ();
        assert_eq!(arena.slice(&[1.5, 2.5]).iter().sum::<f64>(), 4.0);
    }
}

#[cfg(feature = "nightly_allocator_api")]
#[test]
fn collections_of_std_take_it() {
    let heap = Heap::new().unwrap();
    let mut numbers = Vec::new_in(&heap);
    numbers.extend(0..10_000);
    assert!(heap.contains(numbers.as_ptr()));
    assert_eq!(heap.live().blocks, 1);
    drop(numbers);
    assert_eq!(heap.live().blocks, 0);
}
