// SPDX-License-Identifier: MIT
// large.h — singletons: blocks that have a page of their own.
//
// Owns:        nothing
// Threads:     any
// Not here:    blocks up to BLOCK_MAX → alloc/fast.h
#ifndef MI_ALLOC_LARGE_H
#define MI_ALLOC_LARGE_H

#include "heap/thread_heap.h"

// A block of any size like mi__alloc's, of the thread's `heap`. `*zero` tells whether all of it but its
// first word is zero.
MI_NODISCARD void *mi__alloc_known(thread_heap_t *heap, size_t size, bool *zero);

// The same for the block `grown` that has grown out of its place, and may go on growing: where there is
// room behind it. When it is the one that grew last, it gets slices of its own already when it is small.
MI_NODISCARD void *mi__alloc_growing(thread_heap_t *heap, const void *grown, size_t size, bool *zero);

enum {
    GROWING_MIN = 8 * 1024, // smaller blocks share a page even while they grow
    GROWING_MAX = 16,       // small blocks of a thread that have slices of their own
};

// A block for `size` bytes, at most BLOCK_MAX, of the thread's `heap` whose serving page has none at hand.
MI_NODISCARD void *mi__alloc_block(thread_heap_t *heap, size_t size, bool *zero);

// malloc(size) where a page is to be found first, or rare work is due; in either mode.
MI_NODISCARD void *mi__alloc_rarely(size_t size, thread_heap_t *heap);

// A block of the thread's `heap` of at least `size` bytes at a multiple of `align` (a power of two),
// all usable bytes zero when asked. NULL with errno = ENOMEM when there is no memory.
MI_NODISCARD void *mi__alloc_large(thread_heap_t *heap, size_t size, size_t align, bool zeroed);

#endif
