// SPDX-License-Identifier: MIT
// walk.c — visits the pages and live blocks of a heap.
//
// Pages are found by their descriptors, so that all kinds are seen alike. What threads hold back is
// gathered into a set first, since only the threads know of it.
//
// Owns:        nothing
// Threads:     see walk.h
// Invariants:  see walk.h
// Not here:    see walk.h
#include "heap/walk.h"

#include <string.h>

#include "base/bits.h"
#include "heap/held.h"
#include "heap/registry.h"
#include "heap/samples.h"
#include "page/blockmap.h"
#include "page/seal.h"
#include "page/trim.h"

enum {
    BLOCKS_MAX = SMALL_PAGE_SLICES * SLICE_SIZE / GRANULE, // in one page
    BITS_WORDS = BLOCKS_MAX / 64,
};

_Static_assert(MEDIUM_PAGE_SLICES *SLICE_SIZE / SMALL_PAGE_BLOCK_MAX <= BLOCKS_MAX,
               "no page has more blocks than small ones");

// ---- What threads hold back

// A set of addresses: open addressing, 0 is free, at most half full.
typedef struct address_set_t {
    uintptr_t *slots;
    size_t mask;
    size_t bytes;
    size_t left; // insertions that still fit
} address_set_t;

static uintptr_t *
slot_of(const address_set_t *set, uintptr_t address)
{
    size_t i = (size_t)((address >> GRANULE_SHIFT) * UINT64_C(0x9e3779b97f4a7c15) >> 20) & set->mask;
    while (set->slots[i] != 0 && set->slots[i] != address) {
        i = (i + 1) & set->mask;
    }
    return &set->slots[i];
}

static void
insert(block_t *block, void *arg)
{
    address_set_t *set = (address_set_t *)arg;
    if (set->left > 0) {
        set->left--;
        *slot_of(set, (uintptr_t)block) = (uintptr_t)block;
    }
}

static bool
contains(const address_set_t *set, const void *block)
{
    return set->slots != NULL && *slot_of(set, (uintptr_t)block) != 0;
}

// A sampled block lies elsewhere than its page, which keeps another for it.
static void
insert_kept(address_set_t *set)
{
    for (sample_t *at = mi__samples_first(); at != NULL; at = at->next_made) {
        block_t *block = (block_t *)atomic_get_relaxed(&at->stands_for);
        if (block != NULL) {
            insert(block, set);
        }
    }
}

static size_t
count_held(void)
{
    size_t count = 0;
    for (sample_t *at = mi__samples_first(); at != NULL; at = at->next_made) {
        count += atomic_get_relaxed(&at->stands_for) != NULL;
    }
    for (thread_heap_t *at = mi__registry_first(); at != NULL; at = at->next_made) {
        for (unsigned i = 0; i < CLASS_COUNT; i++) {
            size_t held;
            size_t lent;
            mi__held_count(at, i, &held, &lent);
            count += held + lent;
        }
    }
    return count;
}

// Room to spare, for threads that hold back more meanwhile; false when there is no memory.
static bool
gather_held(address_set_t *set)
{
    size_t count = count_held();
    *set = (address_set_t){0};
    if (count == 0) {
        return true;
    }
    set->bytes = SLICE_SIZE;
    while (set->bytes / sizeof(uintptr_t) < 4 * count) {
        set->bytes *= 2;
    }
    set->slots = (uintptr_t *)mi__os_reserve(set->bytes, SLICE_SIZE);
    if (set->slots == NULL || !mi__os_commit(set->slots, set->bytes)) {
        return false;
    }
    set->mask = set->bytes / sizeof(uintptr_t) - 1;
    set->left = (set->mask + 1) / 2;
    for (thread_heap_t *at = mi__registry_first(); at != NULL; at = at->next_made) {
        mi__held_visit(at, insert, set);
    }
    insert_kept(set);
    return true;
}

static void
drop_set(const address_set_t *set)
{
    if (set->slots != NULL) {
        mi__os_unreserve(set->slots, set->bytes);
    }
}

// ---- One page

// What is known of a page's blocks.
typedef struct view_t {
    char *start;
    size_t block_size;
    size_t capacity;   // blocks threaded, those in holes included
    size_t unlive;     // bits set
    const char *fault; // NULL, or what is wrong with the lists
    uint64_t not_live[BITS_WORDS];
} view_t;

static bool
is_set(const view_t *view, size_t index)
{
    return (view->not_live[index / 64] >> (index % 64) & 1) != 0;
}

static void
set_not_live(view_t *view, size_t index)
{
    view->not_live[index / 64] |= UINT64_C(1) << (index % 64);
    view->unlive++;
}

// Marks the blocks of a list; stops at the first that can't be one. The memory belongs to the
// program where the list is not whole, and to its owner where that is at work.
__attribute__((no_sanitize("thread"))) static size_t
mark_list(view_t *view, const block_t *block)
{
    size_t count = 0;
    for (; block != NULL; block = *(const block_t *const volatile *)&block->next) {
        size_t offset = (size_t)((const char *)block - view->start);
        if (offset % view->block_size != 0 || offset / view->block_size >= view->capacity) {
            view->fault = "a free list leads out of the page, or into a block";
            return count;
        }
        size_t index = offset / view->block_size;
        if (is_set(view, index)) {
            view->fault = "a block is free twice";
            return count;
        }
        set_not_live(view, index);
        count++;
    }
    return count;
}

// Marks the blocks in OS pages that were given back.
static void
mark_holed(view_t *view, const page_t *page, size_t holed)
{
    for (size_t i = 0; holed > 0 && i < view->capacity; i++) {
        if (mi__trim_in_hole(page, i)) {
            set_not_live(view, i);
        }
    }
}

// The same of a page whose blocks are in a map.
static bool
view_map(view_t *view, const page_t *page, const blockmap_t *map, bool check)
{
    size_t live = 0;
    for (size_t i = 0; i < view->capacity; i++) {
        size_t size;
        live += (HINT_GET(map->word[i / 64].free) & blockmap_bit(map, i)) == 0;
        if (!blockmap_is_live(page, i)) {
            set_not_live(view, i);
        } else if (check && map->sealed && !mi__seal_read(page, i, &size)) {
            view->fault = "bytes behind a block's own were written to";
        }
    }
    if (live != mi__page_blocks_granted(page)) {
        view->fault = "its counts do not agree with its map";
    }
    return true;
}

// False when the page is not one that has blocks any more.
static bool
view_page(view_t *view, page_t *page, bool check)
{
    memset(view, 0, sizeof *view);
    view->start = HINT_GET(page->start);
    view->block_size = HINT_GET(page->block_size);
    size_t holed = HINT_GET(page->holed);
    view->capacity = HINT_GET(page->capacity) + holed;
    if (view->block_size == 0 || view->capacity > BLOCKS_MAX) {
        return false;
    }
    const blockmap_t *map = HINT_GET(page->map);
    if (map != NULL) {
        return view_map(view, page, map, check);
    }
    mark_holed(view, page, holed);
    (void)mark_list(view, HINT_GET(page->free));
    size_t in_local = mark_list(view, HINT_GET(page->local_free));
    (void)mark_list(view, mi__remote_first(page));
    size_t used = mi__page_blocks_granted(page);
    if (view->fault == NULL && view->capacity != used + in_local + holed) {
        view->fault = "its counts do not agree with its lists";
    }
    return true;
}

static void
discount_held(view_t *view, const address_set_t *held)
{
    for (size_t i = 0; held->slots != NULL && i < view->capacity; i++) {
        if (!is_set(view, i) && contains(held, view->start + i * view->block_size)) {
            set_not_live(view, i);
        }
    }
}

// ---- All pages

typedef struct walker_t {
    const heap_t *heap;
    walk_which_t which;
    bool blocks;
    walk_fun_t *each;
    void *arg;
    walk_fault_t *fault; // where the walk is a check, else NULL
    address_set_t held;
} walker_t;

static bool
is_wanted(const walker_t *walker, page_t *page, uintptr_t word)
{
    if (samples_are_in(page, word) || mi__heap_of_page(page) != walker->heap) {
        return false;
    }
    return walker->which == WALK_ALL || ((word & OWNER_SINGLETON) == 0 &&
                                         atomic_get_relaxed(&page_thread_heap(word)->state) == HEAP_ORPHAN);
}

static bool
visit_singleton(const walker_t *walker, page_t *page, size_t slices)
{
    char *start = HINT_GET(page->start);
    bool guarded = (HINT_GET(page->flags) & PAGE_GUARDED) != 0;
    size_t size = guarded ? (size_t)HINT_GET(page->holes[0]) : slices << SLICE_SHIFT;
    walk_page_t told = {start, slices << SLICE_SHIFT, size, 1};
    return walker->each(&told, NULL, walker->arg) &&
           (!walker->blocks || walker->each(&told, start, walker->arg));
}

static bool
visit_blocks(const walker_t *walker, page_t *page, size_t slices)
{
    view_t view;
    if (!view_page(&view, page, walker->fault != NULL)) {
        return true;
    }
    walk_page_t told = {view.start, slices << SLICE_SHIFT, view.block_size, 0};
    if (walker->fault != NULL) {
        *walker->fault = (walk_fault_t){told, view.fault};
        return view.fault == NULL;
    }
    discount_held(&view, &walker->held);
    told.live = view.capacity - view.unlive;
    if (!walker->each(&told, NULL, walker->arg)) {
        return false;
    }
    for (size_t i = 0; walker->blocks && i < view.capacity; i++) {
        if (!is_set(&view, i) && !walker->each(&told, view.start + i * view.block_size, walker->arg)) {
            return false;
        }
    }
    return true;
}

// Visits the page that begins at a descriptor, if any, and tells how many slices to go on.
static bool
visit_page(const walker_t *walker, page_t *page, size_t *step)
{
    uintptr_t word = page_owner(page);
    size_t slices = HINT_GET(page->slices);
    *step = 1;
    if (word == 0 || (word & OWNER_REDIRECT) != 0 || slices == 0) {
        return true;
    }
    *step = slices;
    if (!is_wanted(walker, page, word)) {
        return true;
    }
    return (word & OWNER_SINGLETON) != 0 ? visit_singleton(walker, page, slices)
                                         : visit_blocks(walker, page, slices);
}

// Each sampled block is an area of its own, like a singleton.
static bool
visit_samples(const walker_t *walker)
{
    for (sample_t *at = mi__samples_first(); at != NULL; at = at->next_made) {
        const void *stands_for = atomic_get_relaxed(&at->stands_for);
        void *block = atomic_get_relaxed(&at->block);
        page_t *page = stands_for == NULL || block == NULL ? NULL : mi__page_of(stands_for);
        if (page == NULL || !is_wanted(walker, page, page_owner(page))) {
            continue;
        }
        size_t size = HINT_GET(at->usable);
        walk_page_t told = {(char *)block, size, size, 1};
        if (!walker->each(&told, NULL, walker->arg) ||
            (walker->blocks && !walker->each(&told, block, walker->arg))) {
            return false;
        }
    }
    return true;
}

static bool
visit_all(const walker_t *walker)
{
    for (size_t i = 0, n = mi__region_count(); i < n; i++) {
        region_t *region = mi__region_at(i);
        // acquire: pairs with the release in raise_frontier (region.c): descriptors below it are
        // mapped.
        size_t end = atomic_get_acquire(&region->committed);
        size_t step;
        for (size_t slice = 0; slice < end; slice += step) {
            if (!visit_page(walker, region_descriptor_at(region, slice), &step)) {
                return false;
            }
        }
    }
    return true;
}

bool
mi__walk(const heap_t *heap, walk_which_t which, bool blocks, walk_fun_t *each, void *arg)
{
    walker_t walker = {.heap = heap, .which = which, .blocks = blocks, .each = each, .arg = arg};
    bool whole = gather_held(&walker.held) && visit_all(&walker) && visit_samples(&walker);
    drop_set(&walker.held);
    return whole;
}

static bool
pass_by(const walk_page_t *page, void *block, void *arg)
{
    (void)page;
    (void)block;
    (void)arg;
    return true;
}

bool
mi__walk_check(const heap_t *heap, walk_fault_t *fault)
{
    walker_t walker = {.heap = heap, .which = WALK_ALL, .each = pass_by, .fault = fault};
    return visit_all(&walker);
}
