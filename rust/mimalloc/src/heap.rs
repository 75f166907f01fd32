// SPDX-License-Identifier: MIT
//! First-class heaps: memory of its own for a part of a program, which can end as a whole.
use core::alloc::Layout;
use core::ffi::c_void;
use core::mem::{self, ManuallyDrop};
use core::ptr::{self, NonNull};
use std::alloc::handle_alloc_error;

use libmimalloc_sys as sys;

use crate::allocator::{block, no_block};
use crate::{AllocError, Allocator};

/// A heap beside the one of the program, as an [`Allocator`]. Any thread may allocate from it, and any
/// may free its blocks.
///
/// When it is dropped its blocks live on, as blocks of the program's heap.
#[derive(Debug)]
pub struct Heap {
    raw: NonNull<sys::mi_heap_t>,
}

// The library lets any thread use a heap, several at a time. Its end, which must be alone, takes it by
// value.
unsafe impl Send for Heap {}
unsafe impl Sync for Heap {}

/// What is live in a heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// How many blocks.
    pub blocks: usize,
    /// Their usable sizes, added up.
    pub bytes: usize,
}

impl Heap {
    /// A new heap; None when there is no memory, or when there are 65,535 of them.
    pub fn new() -> Option<Heap> {
        NonNull::new(unsafe { sys::mi_heap_new() }).map(|raw| Heap { raw })
    }

    /// Whether `p` points into memory of the heap. Any pointer will do.
    pub fn contains<T: ?Sized>(&self, p: *const T) -> bool {
        unsafe { sys::mi_heap_contains(self.raw.as_ptr(), p as *const c_void) }
    }

    /// Tidies up this thread's part of the heap; with `force` free memory goes back at once.
    pub fn collect(&self, force: bool) {
        unsafe { sys::mi_heap_collect(self.raw.as_ptr(), force) }
    }

    /// Counts what is live, by going over all of it. What other threads allocate or free meanwhile may
    /// be counted or not.
    pub fn live(&self) -> Live {
        unsafe extern "C" fn add(
            _: *const sys::mi_heap_t,
            _: *const sys::mi_heap_area_t,
            block: *mut c_void,
            size: usize,
            live: *mut c_void,
        ) -> bool {
            if !block.is_null() {
                let live = &mut *(live as *mut Live);
                live.blocks += 1;
                live.bytes += size;
            }
            true
        }
        let mut live = Live::default();
        let arg = &mut live as *mut Live as *mut c_void;
        unsafe { sys::mi_heap_visit_blocks(self.raw.as_ptr(), true, Some(add), arg) };
        live
    }

    /// The library's own name for it, valid as long as the heap.
    pub fn as_raw(&self) -> *mut sys::mi_heap_t {
        self.raw.as_ptr()
    }

    /// Ends the heap and frees all of its blocks.
    ///
    /// # Safety
    /// None of its blocks is used or freed from here on.
    pub unsafe fn destroy(self) {
        let heap = ManuallyDrop::new(self);
        sys::mi_heap_destroy(heap.raw.as_ptr());
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        unsafe { sys::mi_heap_delete(self.raw.as_ptr()) }
    }
}

/// From `old` to `new`, in place where that can be. What moves stays in the heap.
unsafe fn resize(
    heap: &Heap,
    p: NonNull<u8>,
    old: Layout,
    new: Layout,
    zeroed: bool,
) -> Result<NonNull<[u8]>, AllocError> {
    if old.size() == 0 || new.size() == 0 {
        let fresh = if zeroed { heap.allocate_zeroed(new) } else { heap.allocate(new) }?;
        heap.deallocate(p, old);
        return Ok(fresh);
    }
    let raw = heap.raw.as_ptr();
    let moved =
        sys::mi_heap_realloc_aligned(raw, p.as_ptr() as *mut c_void, new.size(), new.align()) as *mut u8;
    let made = block(moved, new)?;
    if zeroed {
        ptr::write_bytes(moved.add(old.size()), 0, new.size() - old.size());
    }
    Ok(made)
}

unsafe impl Allocator for Heap {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if layout.size() == 0 {
            return no_block(layout);
        }
        let p = unsafe { sys::mi_heap_malloc_aligned(self.raw.as_ptr(), layout.size(), layout.align()) };
        block(p as *mut u8, layout)
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if layout.size() == 0 {
            return no_block(layout);
        }
        let p = unsafe { sys::mi_heap_zalloc_aligned(self.raw.as_ptr(), layout.size(), layout.align()) };
        block(p as *mut u8, layout)
    }

    #[inline]
    unsafe fn deallocate(&self, p: NonNull<u8>, layout: Layout) {
        if layout.size() != 0 {
            sys::mi_free_size_aligned(p.as_ptr() as *mut c_void, layout.size(), layout.align());
        }
    }

    #[inline]
    unsafe fn grow(&self, p: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
        resize(self, p, old, new, false)
    }

    #[inline]
    unsafe fn grow_zeroed(
        &self,
        p: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        resize(self, p, old, new, true)
    }

    #[inline]
    unsafe fn shrink(&self, p: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
        resize(self, p, old, new, false)
    }
}

/// A heap for values that all end with it, as those of one request. They are not dropped: their memory
/// goes at once, and with it what they hold there; what they hold elsewhere leaks.
///
/// ```
/// let arena = mimalloc::heap::Arena::new().unwrap();
/// let numbers = arena.slice(&[1, 2, 3]);
/// let name = arena.text("a name");
/// numbers[0] = name.len();
/// assert_eq!(numbers, [6, 2, 3]);
/// ```
#[derive(Debug)]
pub struct Arena {
    heap: ManuallyDrop<Heap>,
}

impl Arena {
    /// A new arena; None when there is no memory.
    pub fn new() -> Option<Arena> {
        Heap::new().map(|heap| Arena { heap: ManuallyDrop::new(heap) })
    }

    /// Its heap.
    pub fn heap(&self) -> &Heap {
        &self.heap
    }

    fn place(&self, layout: Layout) -> NonNull<u8> {
        self.heap.allocate(layout).unwrap_or_else(|_| handle_alloc_error(layout)).cast()
    }

    /// Keeps a value until the arena ends.
    #[allow(clippy::mut_from_ref)] // each call gives another one
    pub fn value<T>(&self, value: T) -> &mut T {
        let p = self.place(Layout::new::<T>()).cast::<T>().as_ptr();
        unsafe {
            p.write(value);
            &mut *p
        }
    }

    /// Keeps a copy of a slice.
    #[allow(clippy::mut_from_ref)]
    pub fn slice<T: Copy>(&self, values: &[T]) -> &mut [T] {
        let p = self.place(Layout::for_value(values)).cast::<T>().as_ptr();
        unsafe {
            ptr::copy_nonoverlapping(values.as_ptr(), p, values.len());
            core::slice::from_raw_parts_mut(p, values.len())
        }
    }

    /// Keeps a copy of a text.
    pub fn text(&self, text: &str) -> &str {
        unsafe { core::str::from_utf8_unchecked(self.slice(text.as_bytes())) }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // Whoever has something of it has borrowed it, so nobody has.
        let heap = unsafe { ManuallyDrop::take(&mut self.heap) };
        unsafe { heap.destroy() }
    }
}

const _: () = assert!(mem::size_of::<Heap>() == mem::size_of::<usize>());
