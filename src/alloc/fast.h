// SPDX-License-Identifier: MIT
// fast.h — the straight paths of malloc, calloc and free, to be inlined into every entry point.
//
// malloc: the thread's heap → the page that serves the size → the first block of its `free` list.
// free:   address → descriptor → is it mine? → onto `local_free`.
//
// Owns:        nothing
// Threads:     any
// Invariants:  A1 no atomic read-modify-write, no lock, no call on these paths
// Not here:    everything else → alloc/alloc.c, alloc/free.c
#ifndef MI_ALLOC_FAST_H
#define MI_ALLOC_FAST_H

#include <string.h>

#include "alloc/alloc.h"
#include "alloc/free.h"
#include "alloc/secure.h"
#include "alloc/tracked.h"
#include "base/track.h"
#include "heap/thread_heap.h"

// What the straight path hands on: the `page` that serves has no block at hand, but some that were freed to
// it; the size needs a singleton.
void *mi__alloc_slow(size_t size, thread_heap_t *heap, page_t *page);
void *mi__alloc_slow_large(size_t size, thread_heap_t *heap);
void *mi__alloc_zeroed_slow(size_t size, thread_heap_t *heap);

static inline void *
fast_alloc_from(thread_heap_t *heap, page_t *page, size_t size)
{
    block_t *block = page->free;
    if (likely(block != NULL)) {
        return page_pop(page, block);
    }
    return page->local_free != NULL ? mi__alloc_slow(size, heap, page) : mi__secure_malloc(size, heap, page);
}

// From `heap`, one of the calling thread's own.
static inline void *
fast_alloc_in(thread_heap_t *heap, size_t size)
{
    if (track_on()) {
        return mi__tracked_alloc(heap, size);
    }
    if (likely(size <= SMALL_MAX)) {
        return fast_alloc_from(heap, heap->serving[serving_index_small(size)], size);
    }
    if (likely(size <= BLOCK_MAX)) {
        return fast_alloc_from(heap, heap->serving[serving_index_large(size)], size);
    }
    return mi__alloc_slow_large(size, heap);
}

static inline void *
fast_alloc(size_t size)
{
    return fast_alloc_in(mi__thread_heap, size);
}

static inline void *
fast_alloc_zeroed_in(thread_heap_t *heap, size_t size)
{
    if (track_on()) {
        return mi__tracked_alloc_zeroed(heap, size);
    }
    if (unlikely(size > BLOCK_MAX)) {
        return mi__alloc_zeroed_slow(size, heap);
    }
    page_t *page = thread_heap_page(heap, size);
    block_t *block = page->free;
    if (unlikely(block == NULL)) {
        return mi__alloc_zeroed_slow(size, heap);
    }
    page_pop(page, block);
    if ((page->flags & PAGE_FREE_ZERO) != 0) {
        block->next = NULL;
    } else {
        memset(block, 0, page->block_size);
    }
    return block;
}

static inline void *
fast_alloc_zeroed(size_t size)
{
    return fast_alloc_zeroed_in(mi__thread_heap, size);
}

// The end of it, for a block of a page that is the thread's own and nothing else (its owner word says so).
static inline void
fast_free_own(page_t *page, void *p)
{
    block_t *last = page->local_free;
    if (unlikely(last == p)) {
        mi__free_outside(p); // which reports that it is free
        return;
    }
    if (unlikely(page_push_before(page, p, last))) {
        mi__free_emptied(page);
    }
}

static inline void
fast_free(void *p)
{
    if (track_on()) {
        mi__tracked_free(p);
        return;
    }
    page_t *page;
    if (unlikely(!region_first_find(p, &page))) {
        mi__free_outside(p);
        return;
    }
    uintptr_t word = page_owner(page);
    if (unlikely(word != (uintptr_t)mi__thread_heap)) {
        if ((word & OWNER_REDIRECT) != 0) {
            page = page_of_redirect(word);
            word = page_owner(page);
        }
        if (word != (uintptr_t)mi__thread_heap) {
            mi__free_other(p, page, word);
            return;
        }
    }
    fast_free_own(page, p);
}

#endif
