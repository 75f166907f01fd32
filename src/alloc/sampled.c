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
#include "heap/series.h"

// Samples that a signal handler has freed while its thread was at work on their table.
static _Atomic(block_t *) put_off;

static void
put_off_free(void *p)
{
    block_t *block = (block_t *)p;
    block->next = atomic_get_relaxed(&put_off);
    // release: the link; pairs with the acquire in end_put_off.
    while (!atomic_cas_weak_release(&put_off, &block->next, block)) {
    }
}

// False when there is no such sample.
static bool
end_sample(const page_t *page, void *p)
{
    void *stands_for;
    if (unlikely(!mi__samples_end(mi__page_block_of(page, p), &stands_for))) {
        return false;
    }
    // A singleton is an ordinary one now.
    mi__free(stands_for == NULL ? p : stands_for);
    return true;
}

// Only those of one class: a thread and its handler that share none stay out of each other's pages.
static void
end_put_off(unsigned class)
{
    // acquire: the links; pairs with the release in put_off_free.
    block_t *block = atomic_exchange_acquire(&put_off, NULL);
    for (block_t *next; block != NULL; block = next) {
        next = block->next;
        const page_t *page = mi__page_of(block);
        if (page->class != class) {
            put_off_free(block);
        } else if (!end_sample(page, block)) {
            mi__hooks.misuse(MISUSE_DOUBLE_FREE, "free", block);
        }
    }
}

// What the slow path has allocated from, where `heap` is none.
static thread_heap_t *
live_heap(thread_heap_t *heap)
{
    return atomic_get_relaxed(&heap->heap) == NULL ? mi__thread_heap : heap;
}

void
mi__sampled_large(thread_heap_t *heap, page_t *page, size_t size, uintptr_t place)
{
    heap = live_heap(heap);
    size_t bytes = page->slices << SLICE_SHIFT;
    if (likely(heap->sampling.rates[SAMPLER_PROFILE] == 0)) {
        return;
    }
    series_t *series;
    uint32_t times = mi__series_draw(heap, page, place, &series);
    if (times == 0) {
        return;
    }
    bool takes = mi__sampling_takes_large(heap, bytes);
    sample_t *sample = takes ? mi__samples_new(1U << SAMPLER_PROFILE, size) : NULL;
    if (sample != NULL) {
        sample->weight = mi__sampling_weight(heap, bytes);
        sample->times = times;
        mi__samples_mark(sample, page);
    }
    if (series != NULL) {
        mi__series_set(heap, series, page, sample);
    }
}

void
mi__sampled_resized(page_t *page, size_t size)
{
    void *stands_for;
    if ((page_owner(page) & OWNER_SAMPLED) != 0 && !mi__samples_are_locked()) {
        (void)!mi__samples_end(page->start, &stands_for);
    }
    if (!thread_heap_is_none(mi__thread_heap)) {
        mi__sampled_large(mi__thread_heap, page, size, 0);
    }
}

void
mi__sampled_free(page_t *page, void *p, uintptr_t word)
{
    unsigned class = page->class;
    if (unlikely(p != mi__page_block_of(page, p) && (word & OWNER_INTERIOR) == 0)) {
        mi__hooks.misuse(MISUSE_FREE_INTERIOR, "free", p);
    } else if (unlikely(mi__samples_are_locked())) {
        put_off_free(p);
    } else if (unlikely(!end_sample(page, p))) {
        mi__hooks.misuse(MISUSE_DOUBLE_FREE, "free", p);
    } else if (unlikely(atomic_get_relaxed(&put_off) != NULL)) {
        end_put_off(class);
    }
}
