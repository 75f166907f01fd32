// SPDX-License-Identifier: MIT
// series.c — when to draw again, and which blocks are what the last one drawn was.
//
// Owns:        see series.h
// Threads:     see series.h
// Not here:    see series.h
#include "heap/series.h"

#include "arena/meta.h"
#include "heap/registry.h"

enum {
    SERIES_DRAWS =
        64, // until the next ones stand for twice as many: what was allocated is known to an eighth
    STRETCH_MAX = 1024,
};

enum { SERIES_COUNT = KEPT_MAX + 1 };

// Of heaps that have none.
static series_t none[SERIES_COUNT];

// Kept, and in use again: with the heap's mark alone. A block that was drawn and is a sample has another.
static uintptr_t
mark_of(const thread_heap_t *heap)
{
    return (uintptr_t)heap | OWNER_SINGLETON;
}

static bool
is_in_use(const thread_heap_t *heap, page_t *page, size_t slices)
{
    return page != NULL && HINT_GET(page->slices) == slices && page_owner(page) == mark_of(heap);
}

// The block that was not drawn stays in use while the series goes on with another, or ends.
static void
part_with(thread_heap_t *heap, series_t *series, size_t slices)
{
    if (series->site != NULL && is_in_use(heap, series->page, slices)) {
        sample_t *sample = mi__samples_new(1U << SAMPLER_PROFILE, series->requested);
        if (sample != NULL) {
            sample->weight = mi__sampling_weight(heap, slices << SLICE_SHIFT);
            sample->times = 0;
            OWNER_SET(sample->of_sampler[SAMPLER_PROFILE], series->site);
            mi__samples_mark_late(sample, series->page, mark_of(heap));
        }
    }
}

uint32_t
mi__series_draw(thread_heap_t *heap, page_t *page, uintptr_t place, series_t **of)
{
    size_t slices = page->slices;
    *of = NULL;
    if (slices > KEPT_MAX || heap->series == none) {
        return 1;
    }
    series_t *series = *of = &heap->series[slices];
    bool goes_on = place != 0 && series->place == place && page_owner(page) == mark_of(heap);
    if (goes_on && series->left > 0) {
        series->left--;
        return 0;
    }
    if (page != series->page) {
        part_with(heap, series, slices);
    }
    if (!goes_on) {
        series->place = place;
        series->stretch = 1;
        series->draws = 0;
        series->mean = 0;
        return 1;
    }
    uint32_t times = series->stretch;
    if (++series->draws >= SERIES_DRAWS && series->stretch < STRETCH_MAX) {
        series->draws = 0;
        series->stretch *= 2;
        series->mean = mi__sampling_geometric_mean(series->stretch);
    }
    return times;
}

void
mi__series_set(thread_heap_t *heap, series_t *series, page_t *page, const sample_t *sample)
{
    series->left = 0;
    if (series->stretch > 1) {
        series->left = (int32_t)(mi__sampling_exponential(mi__sampling_random(heap)) * series->mean);
    }
    OWNER_SET(series->site, sample == NULL ? NULL : sample->of_sampler[SAMPLER_PROFILE]);
    series->requested = sample == NULL ? 0 : sample->requested;
    OWNER_SET(series->page, page);
}

void
mi__series_each_in_use(void (*each)(void *site))
{
    for (thread_heap_t *heap = mi__registry_first(); heap != NULL; heap = heap->next_made) {
        const series_t *series = HINT_GET(heap->series);
        for (size_t i = 1; series != NULL && i < SERIES_COUNT; i++) {
            void *site = HINT_GET(series[i].site);
            page_t *page = HINT_GET(series[i].page);
            if (site != NULL && is_in_use(heap, page, i)) {
                each(site);
            }
        }
    }
}

void
mi__series_renew(thread_heap_t *heap)
{
    // In secure mode blocks that were kept take turns.
    bool samples = heap->sampling.rates[SAMPLER_PROFILE] != 0 && heap == heap->main && conf_get(secure) == 0;
    if (samples && (heap->series == NULL || heap->series == none)) {
        series_t *series = (series_t *)mi__meta_alloc(SERIES_COUNT * sizeof *series);
        OWNER_SET(heap->series, series == NULL ? none : series);
    }
    if (heap->series == NULL) {
        OWNER_SET(heap->series, none);
    }
    for (size_t i = 1; heap->series != none && i < SERIES_COUNT; i++) {
        heap->series[i].place = 0;
        OWNER_SET(heap->series[i].site, NULL);
    }
}
