// SPDX-License-Identifier: MIT
// tally.c — the census since the last reset, as mi_stats_t.
//
// Owns:        see tally.h
// Threads:     see tally.h
// Invariants:  T1 a figure is never negative: what was counted less is 0
// Not here:    see tally.h
#include "front/tally.h"

#include <string.h>

#include "base/atomic.h"
#include "os/os.h"

enum {
    // The largest classes share bins in pairs, so that all of them have one.
    PAIRED_BINS = CLASS_COUNT - MI_BIN_HUGE,
    PAIRED_FIRST = MI_BIN_HUGE - PAIRED_BINS,
    STATS_WORDS = sizeof(mi_stats_t) / sizeof(int64_t),
};

_Static_assert(PAIRED_BINS >= 0 && PAIRED_FIRST >= 0, "two classes a bin are enough");
_Static_assert(sizeof(void *) != 8 || sizeof(mi_stats_t) == 4368, "the layout is that of mimalloc 3.4");

// Figures that only grow: what they were at the last reset.
typedef struct marks_t {
    _Atomic(uint64_t) allocated[CLASS_COUNT + 1];
    _Atomic(uint64_t) pages_made[CLASS_COUNT + 1];
    _Atomic(uint64_t) singleton_bytes;
    _Atomic(uint64_t) threads_bound;
    _Atomic(uint64_t) purged_bytes;
    _Atomic(uint64_t) reserved_bytes;
    _Atomic(uint64_t) committed_bytes;
    _Atomic(uint64_t) regions;
    _Atomic(uint64_t) heaps_made;
    _Atomic(uint64_t) reserve_calls;
    _Atomic(uint64_t) commit_calls;
    _Atomic(uint64_t) purge_calls;
} marks_t;

static marks_t marks;
static _Atomic(bool) was_reset;
// The highest values seen since the last reset, by their places in mi_stats_t.
static _Atomic(int64_t) peaks[STATS_WORDS];

static uint64_t
since(uint64_t value, _Atomic(uint64_t) *mark)
{
    uint64_t at = atomic_get_relaxed(mark);
    return value > at ? value - at : 0;
}

// ---- the census

void
mi__tally_census(census_t *census)
{
    mi__census_take(census);
    census->total.allocated = 0;
    census->total.pages_made = 0;
    for (unsigned i = 0; i <= CLASS_COUNT; i++) {
        census_class_t *row = &census->classes[i];
        row->allocated = since(row->allocated, &marks.allocated[i]);
        row->pages_made = since(row->pages_made, &marks.pages_made[i]);
        census->total.allocated += row->allocated;
        census->total.pages_made += row->pages_made;
    }
    census->singleton_bytes = since(census->singleton_bytes, &marks.singleton_bytes);
    census->threads_bound = since(census->threads_bound, &marks.threads_bound);
    census->purged_bytes = since(census->purged_bytes, &marks.purged_bytes);
}

// ---- bins

static unsigned
bin_of(unsigned class)
{
    if (class == CLASS_COUNT) {
        return MI_BIN_HUGE;
    }
    return class < PAIRED_FIRST ? class : PAIRED_FIRST + (class - PAIRED_FIRST) / 2;
}

static unsigned
largest_class_of(size_t bin)
{
    return (unsigned)(bin < PAIRED_FIRST ? bin : PAIRED_FIRST + (bin - PAIRED_FIRST) * 2 + 1);
}

size_t
mi__tally_bin_size(size_t bin)
{
    return bin < MI_BIN_HUGE ? sizeclass_block_size(largest_class_of(bin)) : 0;
}

size_t
mi__tally_bin_page_size(size_t bin)
{
    return bin < MI_BIN_HUGE ? sizeclass_page_slices(largest_class_of(bin)) << SLICE_SHIFT : 0;
}

// ---- mi_stats_t

static void
add(mi_stat_count_t *count, uint64_t total, uint64_t current)
{
    count->total += (int64_t)total;
    count->current += (int64_t)current;
}

static void
put_class(mi_stats_t *stats, const census_class_t *row, unsigned class)
{
    unsigned bin = bin_of(class);
    add(&stats->malloc_bins[bin], row->allocated, row->live);
    add(&stats->page_bins[bin], row->pages_made, row->pages);
    if (class < CLASS_COUNT) {
        uint64_t page_bytes = sizeclass_page_slices(class) << SLICE_SHIFT;
        add(&stats->malloc_normal, row->allocated * row->block_size, row->live_bytes);
        add(&stats->page_committed, row->pages_made * page_bytes, row->page_bytes);
        stats->malloc_normal_count.total += (int64_t)row->allocated;
    } else {
        stats->malloc_huge.current = (int64_t)row->live_bytes;
        add(&stats->page_committed, 0, row->page_bytes);
        stats->malloc_huge_count.total = (int64_t)row->allocated;
    }
}

static void
put_memory(mi_stats_t *stats, const census_t *census)
{
    add(&stats->reserved, since(census->reserved_bytes, &marks.reserved_bytes), census->reserved_bytes);
    add(&stats->committed, since(census->committed_bytes, &marks.committed_bytes), census->committed_bytes);
    stats->purged.total = (int64_t)census->purged_bytes;
    stats->arena_count.total = (int64_t)since(mi__region_count(), &marks.regions);
    os_calls_t calls;
    mi__os_calls(&calls);
    stats->mmap_calls.total = (int64_t)since(calls.reserve, &marks.reserve_calls);
    stats->commit_calls.total = (int64_t)since(calls.commit, &marks.commit_calls);
    stats->purge_calls.total = (int64_t)since(calls.purge, &marks.purge_calls);
}

// A thread heap is made when no other is free: there were as many threads as main ones at one
// moment.
static void
put_threads(mi_stats_t *stats, const census_t *census)
{
    add(&stats->threads, census->threads_bound, census->threads);
    add(&stats->theaps, since(census->thread_heaps_made, &marks.heaps_made), census->thread_heaps);
    if (!atomic_get_relaxed(&was_reset)) {
        stats->threads.peak = (int64_t)census->threads_peak;
        stats->theaps.peak = (int64_t)census->thread_heaps;
    }
}

// What is counted for every part of the process.
static void
put_blocks(mi_stats_t *stats, const census_t *census)
{
    for (unsigned i = 0; i <= CLASS_COUNT; i++) {
        put_class(stats, &census->classes[i], i);
    }
    stats->malloc_huge.total = (int64_t)census->singleton_bytes;
    stats->page_committed.total += (int64_t)census->singleton_bytes;
    add(&stats->malloc_requested, (uint64_t)(stats->malloc_normal.total + stats->malloc_huge.total),
        census->total.live_bytes);
    add(&stats->pages, census->total.pages_made, census->total.pages);
    stats->pages_abandoned.current = (int64_t)census->pages_orphaned;
}

// Heaps that live now: of `subproc`, or of all.
static uint64_t
count_heaps(const subproc_t *subproc)
{
    uint64_t count = 1;
    for (heap_t *heap = mi__heap_first_made(); heap != NULL; heap = heap->next_made) {
        count += mi__heap_is_live(heap) && (subproc == NULL || heap->subproc == subproc);
    }
    return count;
}

static void
raise_peak(const mi_stats_t *stats, mi_stat_count_t *count)
{
    size_t place = (size_t)(&count->peak - (const int64_t *)(const void *)stats);
    int64_t value = count->peak > count->current ? count->peak : count->current;
    int64_t peak = atomic_get_relaxed(&peaks[place]);
    while (peak < value && !atomic_cas_weak_relaxed(&peaks[place], &peak, value)) {
    }
    count->peak = peak > value ? peak : value;
}

static void
for_each_count(mi_stats_t *stats, void (*each)(const mi_stats_t *stats, mi_stat_count_t *count))
{
    mi_stat_count_t *const counts[] = {
        &stats->pages,       &stats->reserved,      &stats->committed,        &stats->page_committed,
        &stats->threads,     &stats->heaps,         &stats->theaps,           &stats->pages_abandoned,
        &stats->malloc_huge, &stats->malloc_normal, &stats->malloc_requested,
    };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        each(stats, counts[i]);
    }
    for (size_t i = 0; i < MI_BIN_COUNT; i++) {
        each(stats, &stats->malloc_bins[i]);
        each(stats, &stats->page_bins[i]);
    }
}

void
mi__tally_take(mi_stats_t *stats, census_t *census)
{
    mi__tally_census(census);
    mi_stats_init(stats);
    put_blocks(stats, census);
    put_memory(stats, census);
    put_threads(stats, census);
    uint64_t heaps = count_heaps(NULL);
    add(&stats->heaps, heaps, heaps);
    for_each_count(stats, raise_peak);
}

static void
take_current_as_peak(const mi_stats_t *stats, mi_stat_count_t *count)
{
    (void)stats;
    count->peak = count->current;
}

void
mi__tally_take_part(mi_stats_t *stats, census_t *census, const census_scope_t *scope)
{
    mi__census_take_part(census, scope);
    mi_stats_init(stats);
    put_blocks(stats, census);
    add(&stats->threads, census->threads, census->threads);
    add(&stats->theaps, census->thread_heaps, census->thread_heaps);
    if (scope->thread_heap == NULL && scope->thread == NULL) {
        uint64_t heaps = scope->heap != NULL ? 1 : count_heaps(scope->subproc);
        add(&stats->heaps, heaps, heaps);
    }
    for_each_count(stats, take_current_as_peak);
}

void
mi__tally_take_memory(mi_stats_t *stats, bool is_main)
{
    mi_stats_init(stats);
    if (is_main) {
        census_t census;
        mi__tally_census(&census);
        put_memory(stats, &census);
        for_each_count(stats, take_current_as_peak);
    }
}

void
mi__tally_reset(void)
{
    census_t census;
    mi__census_take(&census);
    os_calls_t calls;
    mi__os_calls(&calls);
    atomic_set_relaxed(&was_reset, true);
    for (unsigned i = 0; i <= CLASS_COUNT; i++) {
        atomic_set_relaxed(&marks.allocated[i], census.classes[i].allocated);
        atomic_set_relaxed(&marks.pages_made[i], census.classes[i].pages_made);
    }
    atomic_set_relaxed(&marks.singleton_bytes, census.singleton_bytes);
    atomic_set_relaxed(&marks.threads_bound, census.threads_bound);
    atomic_set_relaxed(&marks.purged_bytes, census.purged_bytes);
    atomic_set_relaxed(&marks.reserved_bytes, census.reserved_bytes);
    atomic_set_relaxed(&marks.committed_bytes, census.committed_bytes);
    atomic_set_relaxed(&marks.regions, mi__region_count());
    atomic_set_relaxed(&marks.heaps_made, census.thread_heaps_made);
    atomic_set_relaxed(&marks.reserve_calls, calls.reserve);
    atomic_set_relaxed(&marks.commit_calls, calls.commit);
    atomic_set_relaxed(&marks.purge_calls, calls.purge);
    for (size_t i = 0; i < STATS_WORDS; i++) {
        atomic_set_relaxed(&peaks[i], 0);
    }
}
