// SPDX-License-Identifier: MIT
// tracked.h — allocation that tells Valgrind or AddressSanitizer about every block.
//
// The functions of alloc.h turn to these first where track_on() says so (base/track.h). A block then
// is exactly as large as was asked for, lies between two strips that nobody may touch, and moves
// whenever it is resized, so that the tool sees every use of an old address. No other build has this
// file.
//
// Owns:        nothing
// Threads:     any
// Not here:    where sizes are kept → page/cell.h
#ifndef MI_ALLOC_TRACKED_H
#define MI_ALLOC_TRACKED_H

#include "heap/thread_heap.h"

// As the functions with `_in` of alloc.h.
MI_NODISCARD void *mi__tracked_alloc(thread_heap_t *heap, size_t size);
MI_NODISCARD void *mi__tracked_alloc_zeroed(thread_heap_t *heap, size_t size);
MI_NODISCARD void *mi__tracked_aligned(thread_heap_t *heap, size_t size, size_t align, size_t offset,
                                       bool zeroed);
MI_NODISCARD void *mi__tracked_realloc(thread_heap_t *heap, void *p, size_t size, size_t align, size_t offset,
                                       bool zeroed);
void mi__tracked_free(void *p);

// What was asked for at `p`, a live block; else reports a misuse under the name `call`, and 0.
size_t mi__tracked_size(const void *p, const char *call);

#endif
