// SPDX-License-Identifier: MIT
// sampled.c — between malloc and the table of samples.
//
// Owns:        nothing
// Threads:     any
// Not here:    see sampled.h
#include "alloc/sampled.h"

#include "alloc/alloc.h"
#include "base/hooks.h"
#include "heap/samples.h"

// What the slow path has allocated from, where `heap` is none.
static thread_heap_t *
live_heap(thread_heap_t *heap)
{
    return atomic_get_relaxed(&heap->heap) == NULL ? mi__thread_heap : heap;
}

void
mi__sampled_large(thread_heap_t *heap, page_t *page, size_t size)
{
    heap = live_heap(heap);
    size_t bytes = page->slices << SLICE_SHIFT;
    if (likely(heap->sampling.rates[SAMPLER_PROFILE] == 0) || !mi__sampling_takes_large(heap, bytes)) {
        return;
    }
    sample_t *sample = mi__samples_new(1U << SAMPLER_PROFILE, size);
    if (sample != NULL) {
        sample->weight = mi__sampling_weight(heap, bytes);
        mi__samples_mark(sample, page);
    }
}

void
mi__sampled_resized(page_t *page, size_t size)
{
    void *stands_for;
    if ((page_owner(page) & OWNER_SAMPLED) != 0) {
        (void)!mi__samples_end(page->start, &stands_for);
    }
    if (!thread_heap_is_none(mi__thread_heap)) {
        mi__sampled_large(mi__thread_heap, page, size);
    }
}

void
mi__sampled_free(page_t *page, void *p, uintptr_t word)
{
    void *block = mi__page_block_of(page, p);
    void *stands_for;
    if (unlikely(p != block && (word & OWNER_INTERIOR) == 0)) {
        mi__hooks.misuse(MISUSE_FREE_INTERIOR, "free", p);
    } else if (unlikely(!mi__samples_end(block, &stands_for))) {
        mi__hooks.misuse(MISUSE_DOUBLE_FREE, "free", p);
    } else {
        // A singleton is an ordinary one now.
        mi__free(stands_for == NULL ? p : stands_for);
    }
}
