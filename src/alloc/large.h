// SPDX-License-Identifier: MIT
// large.h — singletons: blocks that have a page of their own.
//
// Owns:        nothing
// Threads:     any
// Not here:    blocks up to BLOCK_MAX → alloc/fast.h
#ifndef MI_ALLOC_LARGE_H
#define MI_ALLOC_LARGE_H

#include "heap/thread_heap.h"

// A block of the thread's `heap` of at least `size` bytes at a multiple of `align` (a power of two),
// all usable bytes zero when asked. NULL with errno = ENOMEM when there is no memory.
MI_NODISCARD void *mi__alloc_large(thread_heap_t *heap, size_t size, size_t align, bool zeroed);

#endif
