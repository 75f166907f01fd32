// SPDX-License-Identifier: MIT
// aligned.c — blocks at multiples of a power of two.
//
// Rounded up to a multiple of the alignment, a size falls into a class whose blocks are all aligned
// (page/sizeclass.h): nothing is spared, and the block is freed like any other. Only an offset, or
// an alignment above a slice, needs more.
//
// Owns:        nothing
// Threads:     any
// Not here:    exported names → front/api.c, front/posix.c
#include <errno.h>

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "alloc/large.h"
#include "alloc/secure.h"
#include "base/bits.h"

static void *
aligned_at_start(thread_heap_t *heap, size_t size, size_t align, bool zeroed)
{
    size_t rounded = size_max(size, 1);
    if (align > SLICE_SIZE || size > BLOCK_MAX || (rounded = align_up(rounded, align)) > BLOCK_MAX) {
        return mi__alloc_large(heap, size_max(size, 1), align, zeroed);
    }
    return zeroed ? fast_alloc_zeroed_in(heap, rounded) : fast_alloc_in(heap, rounded);
}

// True when the page of `p` now knows that its blocks may be freed by addresses inside of them.
// Only its owner can tell it.
static bool
mark_interior(void *p)
{
    page_t *page = mi__page_of(p);
    uintptr_t word = page_owner(page);
    if ((word & OWNER_SINGLETON) == 0 && !thread_heap_is_mine(page_thread_heap(word))) {
        return false;
    }
    page_set_owner_flag(page, OWNER_INTERIOR);
    return true;
}

// (p + offset) is to be a multiple of `align`: p lies `lead` bytes into a block that is aligned
// itself.
static void *
aligned_inside(thread_heap_t *heap, size_t size, size_t align, size_t lead, bool zeroed)
{
    char *block = (char *)aligned_at_start(heap, size + lead, align, zeroed);
    if (block != NULL && !mark_interior(block)) {
        // A block of another thread's page that was lent to us. A singleton has no such owner.
        mi__free(block);
        block = (char *)mi__alloc_large(heap, size + lead, align, zeroed);
        if (block != NULL) {
            (void)mark_interior(block);
        }
    }
    return block == NULL ? NULL : block + lead;
}

void *
mi__alloc_aligned_in(thread_heap_t *heap, size_t size, size_t align, size_t offset, bool zeroed)
{
    if (unlikely(!is_power_of_two(align))) {
        errno = EINVAL;
        return NULL;
    }
    if (track_on()) {
        return mi__tracked_aligned(heap, size, align, offset, zeroed);
    }
    size_t lead = (align - (offset & (align - 1))) & (align - 1);
    if (unlikely(secure_on()) && (lead == 0 || (align <= SLICE_SIZE && size <= PTRDIFF_MAX))) {
        return mi__secure_alloc(heap, size, align, lead, zeroed);
    }
    if (likely(lead == 0)) {
        if (align <= GRANULE) {
            return zeroed ? fast_alloc_zeroed_in(heap, size) : fast_alloc_in(heap, size);
        }
        return aligned_at_start(heap, size, align, zeroed);
    }
    // The block's head descriptor must be the one of the address that is handed out.
    if (unlikely(align > SLICE_SIZE || size > PTRDIFF_MAX)) {
        return mi__alloc_fail(SIZE_MAX);
    }
    return aligned_inside(heap, size, align, lead, zeroed);
}

void *
mi__alloc_aligned(size_t size, size_t align, size_t offset, bool zeroed)
{
    return mi__alloc_aligned_in(mi__thread_heap, size, align, offset, zeroed);
}
