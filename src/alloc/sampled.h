// SPDX-License-Identifier: MIT
// sampled.h — allocations that are samples, and their frees.
//
// Owns:        nothing
// Threads:     any
// Not here:    which they are → heap/sampling.h, where they lie → heap/samples.h
#ifndef MI_ALLOC_SAMPLED_H
#define MI_ALLOC_SAMPLED_H

#include "heap/thread_heap.h"

// `page` is a singleton of `heap`, just made for `size` bytes at `place` of the program (0: unknown): draws
// whether it is a sample.
void mi__sampled_large(thread_heap_t *heap, page_t *page, size_t size, uintptr_t place);

// The singleton changed its size in place: what was a sample ends, and a new one may begin.
void mi__sampled_resized(page_t *page, size_t size);

// Frees `p`, an address in a page that is marked with OWNER_SAMPLED.
void mi__sampled_free(page_t *page, void *p, uintptr_t word);

#endif
