// SPDX-License-Identifier: MIT
//! An allocator as a value: std's trait with a nightly compiler, else one of the same form here.
//!
//! Both have the same methods, so that code which calls them on [`MiMalloc`] compiles with either.
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};

use crate::MiMalloc;

#[cfg(feature = "nightly_allocator_api")]
pub use alloc::alloc::{AllocError, Allocator};

#[cfg(not(feature = "nightly_allocator_api"))]
pub use stable::{AllocError, Allocator};

#[cfg(not(feature = "nightly_allocator_api"))]
mod stable {
    use core::alloc::Layout;
    use core::fmt;
    use core::ptr::{self, NonNull};

    /// There is no memory, or the layout is impossible.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct AllocError;

    impl fmt::Display for AllocError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("memory allocation failed")
        }
    }

    /// std's trait of this name, which only nightly compilers have, in its stable part.
    ///
    /// # Safety
    /// Blocks stay valid until they are freed, also when the allocator is moved; all clones of an
    /// allocator free each other's blocks.
    pub unsafe trait Allocator {
        /// A block for `layout`, at least as large. A size of 0 takes no memory.
        fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError>;

        /// Frees a block.
        ///
        /// # Safety
        /// `p` is a live block of this allocator, and `layout` fits it.
        unsafe fn deallocate(&self, p: NonNull<u8>, layout: Layout);

        /// A block of zeros.
        fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
            let block = self.allocate(layout)?;
            unsafe { ptr::write_bytes(block.as_ptr() as *mut u8, 0, layout.size()) };
            Ok(block)
        }

        /// Makes a block larger. On failure it stays as it is.
        ///
        /// # Safety
        /// As for `deallocate`, and `new` is not smaller than `old`.
        unsafe fn grow(&self, p: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
            let block = self.allocate(new)?;
            ptr::copy_nonoverlapping(p.as_ptr(), block.as_ptr() as *mut u8, old.size());
            self.deallocate(p, old);
            Ok(block)
        }

        /// The same, and the bytes that the block gains are zero.
        ///
        /// # Safety
        /// As for `grow`.
        unsafe fn grow_zeroed(
            &self,
            p: NonNull<u8>,
            old: Layout,
            new: Layout,
        ) -> Result<NonNull<[u8]>, AllocError> {
            let block = self.grow(p, old, new)?;
            ptr::write_bytes((block.as_ptr() as *mut u8).add(old.size()), 0, new.size() - old.size());
            Ok(block)
        }

        /// Makes a block smaller. On failure it stays as it is.
        ///
        /// # Safety
        /// As for `deallocate`, and `new` is not larger than `old`.
        unsafe fn shrink(
            &self,
            p: NonNull<u8>,
            old: Layout,
            new: Layout,
        ) -> Result<NonNull<[u8]>, AllocError> {
            let block = self.allocate(new)?;
            ptr::copy_nonoverlapping(p.as_ptr(), block.as_ptr() as *mut u8, new.size());
            self.deallocate(p, old);
            Ok(block)
        }

        /// The allocator by reference, which is one, too.
        fn by_ref(&self) -> &Self
        where
            Self: Sized,
        {
            self
        }
    }

    unsafe impl<A: Allocator + ?Sized> Allocator for &A {
        #[inline]
        fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
            (**self).allocate(layout)
        }
        #[inline]
        unsafe fn deallocate(&self, p: NonNull<u8>, layout: Layout) {
            (**self).deallocate(p, layout)
        }
        #[inline]
        fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
            (**self).allocate_zeroed(layout)
        }
        #[inline]
        unsafe fn grow(&self, p: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
            (**self).grow(p, old, new)
        }
        #[inline]
        unsafe fn grow_zeroed(
            &self,
            p: NonNull<u8>,
            old: Layout,
            new: Layout,
        ) -> Result<NonNull<[u8]>, AllocError> {
            (**self).grow_zeroed(p, old, new)
        }
        #[inline]
        unsafe fn shrink(
            &self,
            p: NonNull<u8>,
            old: Layout,
            new: Layout,
        ) -> Result<NonNull<[u8]>, AllocError> {
            (**self).shrink(p, old, new)
        }
    }
}

/// `p` with the size of its layout; for a size of 0 an address that is aligned, and no block.
pub(crate) fn block(p: *mut u8, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
    NonNull::new(ptr::slice_from_raw_parts_mut(p, layout.size())).ok_or(AllocError)
}

pub(crate) fn no_block(layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
    block(layout.align() as *mut u8, layout)
}

/// From `old` to `new`: in place where that can be, by the library; by copying where the alignment
/// grows.
unsafe fn resize(p: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
    let fits = p.as_ptr() as usize & (new.align() - 1) == 0;
    if old.size() != 0 && new.size() != 0 && (new.align() <= old.align() || fits) {
        let kept = Layout::from_size_align_unchecked(old.size(), new.align());
        return block(MiMalloc.realloc(p.as_ptr(), kept, new.size()), new);
    }
    let moved = MiMalloc.allocate(new)?;
    ptr::copy_nonoverlapping(p.as_ptr(), moved.as_ptr() as *mut u8, old.size().min(new.size()));
    MiMalloc.deallocate(p, old);
    Ok(moved)
}

unsafe impl Allocator for MiMalloc {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if layout.size() == 0 {
            return no_block(layout);
        }
        block(unsafe { self.alloc(layout) }, layout)
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if layout.size() == 0 {
            return no_block(layout);
        }
        block(unsafe { self.alloc_zeroed(layout) }, layout)
    }

    #[inline]
    unsafe fn deallocate(&self, p: NonNull<u8>, layout: Layout) {
        if layout.size() != 0 {
            self.dealloc(p.as_ptr(), layout);
        }
    }

    #[inline]
    unsafe fn grow(&self, p: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
        resize(p, old, new)
    }

    #[inline]
    unsafe fn grow_zeroed(
        &self,
        p: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        let block = resize(p, old, new)?;
        ptr::write_bytes((block.as_ptr() as *mut u8).add(old.size()), 0, new.size() - old.size());
        Ok(block)
    }

    #[inline]
    unsafe fn shrink(&self, p: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
        resize(p, old, new)
    }
}
