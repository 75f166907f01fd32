// SPDX-License-Identifier: MIT
// census.c — walks all descriptors and adds up.
//
// Owns:        nothing
// Threads:     any
// Invariants:  see census.h
// Not here:    see census.h
#include "heap/census.h"

#include <string.h>

#include "arena/meta.h"
#include "arena/purge.h"
#include "heap/held.h"
#include "heap/registry.h"
#include "heap/samples.h"

static bool
is_in(const census_scope_t *scope, const thread_heap_t *owner, const heap_t *heap)
{
    return (scope->thread_heap == NULL || scope->thread_heap == owner) &&
           (scope->thread == NULL || (owner != NULL && scope->thread == HINT_GET(owner->main))) &&
           (scope->heap == NULL || scope->heap == heap) &&
           (scope->subproc == NULL || (heap != NULL && scope->subproc == heap->subproc));
}

static const thread_heap_t *
owner_of(uintptr_t word)
{
    return (word & OWNER_SINGLETON) != 0 ? NULL : page_thread_heap(word);
}

static bool
has_page(const census_scope_t *scope, page_t *page)
{
    return scope == NULL || is_in(scope, owner_of(page_owner(page)), mi__heap_of_page(page));
}

static bool
has_thread_heap(const census_scope_t *scope, const thread_heap_t *heap)
{
    return scope == NULL || is_in(scope, heap, atomic_get_relaxed(&heap->heap));
}

// Counts one page, if it is in the scope (NULL: all are), and returns how many slices to go on.
static size_t
count_page(census_t *census, page_t *page, const census_scope_t *scope)
{
    uintptr_t word = page_owner(page);
    size_t slices = HINT_GET(page->slices);
    if (word == 0 || (word & OWNER_REDIRECT) != 0 || slices == 0) {
        return 1;
    }
    unsigned class = (word & OWNER_SINGLETON) != 0 ? CLASS_COUNT : HINT_GET(page->class);
    if (class > CLASS_COUNT) {
        return 1;
    }
    if (samples_are_in(page, word) || !has_page(scope, page)) {
        return slices;
    }
    const thread_heap_t *owner = owner_of(word);
    census->pages_orphaned += owner != NULL && mi__registry_is_orphan(owner);
    census_class_t *row = &census->classes[class];
    row->pages++;
    row->page_bytes += slices << SLICE_SHIFT;
    if (class == CLASS_COUNT) {
        row->live++;
        row->live_bytes += slices << SLICE_SHIFT;
        return slices;
    }
    size_t granted = mi__page_blocks_granted(page);
    size_t waiting = size_min(mi__page_blocks_free(page), granted);
    size_t live = granted - waiting;
    live -= size_min(mi__remote_count(page), live);
    row->live += live;
    row->live_bytes += live * row->block_size;
    row->allocated -= size_min(waiting, row->allocated);
    return slices;
}

static void
count_region(census_t *census, region_t *region, const census_scope_t *scope)
{
    // acquire: pairs with the release in raise_frontier (region.c): descriptors below the frontier
    // are mapped.
    size_t committed = atomic_get_acquire(&region->committed);
    for (size_t slice = 0; slice < committed;) {
        slice += count_page(census, region_descriptor_at(region, slice), scope);
    }
}

static void
count_granted(census_t *census, const thread_heap_t *heap)
{
    for (unsigned i = 0; i < CLASS_COUNT; i++) {
        census->classes[i].allocated += HINT_GET(heap->granted[i]);
        census->classes[i].pages_made += HINT_GET(heap->pages_made[i]);
    }
    census->classes[CLASS_COUNT].allocated += HINT_GET(heap->singletons);
    census->classes[CLASS_COUNT].pages_made += HINT_GET(heap->singletons);
    census->singleton_bytes += HINT_GET(heap->singleton_bytes);
}

// What a heap holds back of other heaps' pages, which count it as live.
static void
discount_held(census_t *census, const thread_heap_t *heap)
{
    for (unsigned i = 0; i < CLASS_COUNT; i++) {
        census_class_t *row = &census->classes[i];
        size_t held;
        size_t lent;
        mi__held_count(heap, i, &held, &lent);
        size_t not_live = size_min(held + lent, row->live);
        row->live -= not_live;
        row->live_bytes -= not_live * row->block_size;
        row->allocated -= size_min(lent, row->allocated);
    }
}

// The same for a part: each block by its page.
typedef struct discount_t {
    census_t *census;
    const census_scope_t *scope;
} discount_t;

static void
discount_block(block_t *block, void *arg)
{
    const discount_t *to = (const discount_t *)arg;
    page_t *page = mi__page_of(block);
    unsigned class = page == NULL ? CLASS_COUNT : HINT_GET(page->class);
    if (class < CLASS_COUNT && has_page(to->scope, page) && to->census->classes[class].live > 0) {
        to->census->classes[class].live--;
        to->census->classes[class].live_bytes -= to->census->classes[class].block_size;
    }
}

static void
discount_lent(census_t *census, const thread_heap_t *heap)
{
    for (unsigned i = 0; i < CLASS_COUNT; i++) {
        size_t held;
        size_t lent;
        mi__held_count(heap, i, &held, &lent);
        census->classes[i].allocated -= size_min(lent, census->classes[i].allocated);
    }
}

static void
add_up(census_t *census)
{
    for (unsigned i = 0; i <= CLASS_COUNT; i++) {
        const census_class_t *row = &census->classes[i];
        census->total.allocated += row->allocated;
        census->total.live += row->live;
        census->total.live_bytes += row->live_bytes;
        census->total.pages_made += row->pages_made;
        census->total.pages += row->pages;
        census->total.page_bytes += row->page_bytes;
    }
}

static void
start(census_t *census)
{
    memset(census, 0, sizeof *census);
    for (unsigned i = 0; i < CLASS_COUNT; i++) {
        census->classes[i].block_size = sizeclass_block_size(i);
    }
}

static void
count_pages(census_t *census, const census_scope_t *scope)
{
    for (size_t i = 0, n = mi__region_count(); i < n; i++) {
        count_region(census, mi__region_at(i), scope);
    }
}

static void
count_thread_heap(census_t *census, const thread_heap_t *heap)
{
    count_granted(census, heap);
    census->thread_heaps += atomic_get_relaxed(&heap->heap) != NULL;
    census->thread_heaps_made++;
    census->threads += heap->main == heap && atomic_get_relaxed(&heap->state) == HEAP_LIVE;
}

void
mi__census_take_part(census_t *census, const census_scope_t *scope)
{
    start(census);
    for (thread_heap_t *heap = mi__registry_first(); heap != NULL; heap = heap->next_made) {
        if (has_thread_heap(scope, heap)) {
            count_thread_heap(census, heap);
        }
    }
    count_pages(census, scope);
    discount_t discount = {.census = census, .scope = scope};
    for (thread_heap_t *heap = mi__registry_first(); heap != NULL; heap = heap->next_made) {
        mi__held_visit(heap, discount_block, &discount);
        if (has_thread_heap(scope, heap)) {
            discount_lent(census, heap);
        }
    }
    add_up(census);
}

size_t
mi__census_metadata_bytes(void)
{
    return mi__region_metadata_bytes() + mi__meta_bytes();
}

void
mi__census_take(census_t *census)
{
    start(census);
    for (thread_heap_t *heap = mi__registry_first(); heap != NULL; heap = heap->next_made) {
        count_thread_heap(census, heap);
    }
    count_pages(census, NULL);
    for (thread_heap_t *heap = mi__registry_first(); heap != NULL; heap = heap->next_made) {
        discount_held(census, heap);
    }
    add_up(census);
    mi__registry_count(&census->threads_peak, &census->threads);
    census->threads_bound = mi__registry_bound();
    mi__slices_count(&census->free_bytes, &census->purgeable_bytes);
    census->reserved_bytes = mi__region_reserved_bytes();
    census->committed_bytes = mi__region_committed_bytes();
    census->purged_bytes = mi__purge_total();
    census->metadata_bytes = mi__census_metadata_bytes();
}
