// SPDX-License-Identifier: MIT
// series.h — large blocks that a thread makes and drops at one place of the program, one after the other,
// while they may be samples.
//
// Such a block comes from what the thread has kept, in a few dozen instructions; a draw with a stack for
// each takes hundreds. So once a series is long only one block in `stretch` is drawn, by chance, and stands
// for as many: what was allocated is counted without bias. The blocks between are what the last one drawn
// was, a sample or none, for as long as they are in use; only who looks at the profile counts them.
//
// Owns:        series_t
// Threads:     the thread of the heap; others read hints
// Not here:    which are samples → heap/sampling.h, what is kept → heap/thread_heap.h
#ifndef MI_HEAP_SERIES_H
#define MI_HEAP_SERIES_H

#include "heap/samples.h"

// Of the singletons of one size that a thread heap keeps. Each that is not taken in the short way is drawn,
// and begins or goes on with the series of its size.
typedef struct series_t {
    // [owner only]
    uintptr_t place;  // of the program, where all were allocated; 0: no series
    int32_t left;     // blocks until the next draw
    uint32_t stretch; // blocks for which a draw stands
    uint32_t draws;   // since `stretch` grew
    double mean;      // of `left`
    page_t *page;     // that was drawn last
    void *site;       // of_sampler of the profile; NULL: the blocks are no samples
    size_t requested; // of the block that was drawn last
    uintptr_t unused;
} series_t;

_Static_assert(sizeof(series_t) == 64 || sizeof(void *) != 8, "found by a shift");

// True when the next block of so many slices that `heap` has kept is not drawn; it is counted.
static inline bool
series_goes_on(thread_heap_t *heap, size_t slices, uintptr_t place)
{
    series_t *series = &heap->series[slices];
    return series->place == place && --series->left >= 0;
}

// The singleton `page` of `heap` was made at `place` (0: unknown): the number of blocks for which it stands
// once it is drawn. 0: it is not. `*series` is what it is of, or NULL.
MI_NODISCARD uint32_t mi__series_draw(thread_heap_t *heap, page_t *page, uintptr_t place, series_t **series);

// What was drawn for `page`: NULL when it is no sample.
void mi__series_set(thread_heap_t *heap, series_t *series, page_t *page, const sample_t *sample);

// Calls `each` with the site of each block in use that is a sample without having been drawn. Any thread; a
// guess while others work.
void mi__series_each_in_use(void (*each)(void *site));

// The heap's rates have changed: all series begin anew.
void mi__series_renew(thread_heap_t *heap);

#endif
