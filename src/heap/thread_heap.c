// SPDX-License-Identifier: MIT
// thread_heap.c — the slow path of malloc: finding a page that has a block.
//
// Owns:        see thread_heap.h
// Threads:     see thread_heap.h
// Invariants:  see thread_heap.h
// Not here:    see thread_heap.h
#include "heap/thread_heap.h"

#include "arena/limit.h"
#include "arena/purge.h"
#include "arena/watch.h"
#include "base/check.h"
#include "base/hooks.h"
#include "heap/heap.h"
#include "heap/held.h"
#include "heap/quarantine.h"
#include "heap/registry.h"
#include "heap/samples.h"
#include "heap/siblings.h"
#include "page/away.h"
#include "page/blockmap.h"
#include "page/trim.h"

enum {
    SINGLETON_BEATS = 16, // a singleton that was not kept weighs as much as this many refills
};

const page_t mi__page_none = {0};

// Written to by nobody: every page in it is mi__page_none, which has no block to give.
#define NONE ((page_t *)(uintptr_t)&mi__page_none)
#define NONE_HEAP ((thread_heap_t *)(uintptr_t)&mi__thread_heap_none)
// One by one: C++, as which the single file may be compiled, knows no ranges here.
#define NONE_14 NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE
#define NONE_56 NONE_14, NONE_14, NONE_14, NONE_14
_Static_assert(SERVING_COUNT == 2 * 56 + 1, "every entry is initialized");
const thread_heap_t mi__thread_heap_none = {.main = NONE_HEAP, .serving = {NONE_56, NONE_56, NONE}};

_Atomic(uint32_t) mi__thread_heap_wishes;

MI_THREAD_LOCAL thread_heap_t *mi__thread_heap_mine = NONE_HEAP;

static bool
is_none(const page_t *page)
{
    return page == &mi__page_none;
}

void
mi__thread_heap_init(thread_heap_t *heap, thread_heap_t *main)
{
    OWNER_SET(heap->main, main == NULL ? heap : main);
    for (size_t i = 0; i < SERVING_COUNT; i++) {
        heap->serving[i] = NONE;
    }
    heap->beats_left = HEAP_RARE_BEAT;
    mi__sampling_renew(heap);
}

page_t *
mi__thread_heap_serving(const thread_heap_t *heap, unsigned class)
{
    size_t block_size = sizeclass_block_size(class);
    size_t index = block_size <= SMALL_MAX ? serving_index_small(block_size) : (size_t)SERVING_LARGE + class;
    return heap->serving[index];
}

void
mi__thread_heap_serve(thread_heap_t *heap, unsigned class, page_t *page)
{
    size_t block_size = sizeclass_block_size(class);
    if (block_size > SMALL_MAX) {
        heap->serving[(size_t)SERVING_LARGE + class] = page;
        return;
    }
    size_t smaller = class == 0 ? 0 : sizeclass_block_size(class - 1);
    // What serves blocks of no bytes has no map: they have a way of their own in secure mode.
    size_t first = class == 0 ? page->map != NULL : serving_index_small(smaller + 1);
    for (size_t i = first; i <= serving_index_small(block_size); i++) {
        heap->serving[i] = page;
    }
}

static void
link_last(page_queue_t *queue, page_t *page)
{
    page->next = NULL;
    page->prev = queue->last;
    if (queue->last != NULL) {
        queue->last->next = page;
    } else {
        OWNER_SET(queue->first, page);
    }
    queue->last = page;
}

static void
unlink_from(page_queue_t *queue, page_t *page)
{
    if (page->prev != NULL) {
        page->prev->next = page->next;
    } else {
        OWNER_SET(queue->first, page->next);
    }
    if (page->next != NULL) {
        page->next->prev = page->prev;
    } else {
        queue->last = page->prev;
    }
}

static void
enqueue(thread_heap_t *heap, page_t *page)
{
    OWNER_SET(page->looked, 0);
    link_last(&heap->queues[page->class], page);
    page_set_flag(page, PAGE_QUEUED);
}

static void
dequeue(thread_heap_t *heap, page_t *page)
{
    unlink_from(&heap->queues[page->class], page);
    page_clear_flag(page, PAGE_QUEUED);
}

// A full page has got blocks back.
static void
leave_full(thread_heap_t *heap, page_t *page)
{
    page_clear_owner_flag(page, OWNER_FULL);
    unlink_from(&heap->full, page);
}

// Of a page that is not pinned.
static bool
has_room(const page_t *page)
{
    return page->used < page->reserved;
}

// Puts a page that serves no more where it belongs: full, queued, or back to the arena.
static void
settle(thread_heap_t *heap, page_t *page)
{
    if (page->used == 0 && mi__remote_is_quiet(page)) {
        heap->places[page->class] = mi__slices_place(page->start);
        mi__page_release(page);
        (void)mi__purge_poll(false);
    } else if (has_room(page)) {
        enqueue(heap, page);
    } else {
        page_set_owner_flag(page, OWNER_FULL);
        link_last(&heap->full, page);
    }
}

static void
stop_serving(thread_heap_t *heap, unsigned class, page_t *page)
{
    mi__thread_heap_serve(heap, class, NONE);
    if (page->free != NULL) {
        thread_heap_ungrant(heap, class, mi__page_ungrant(page));
    }
    page_unpin(page);
    settle(heap, page);
}

void
mi__thread_heap_page_empty(thread_heap_t *heap, page_t *page)
{
    ASSERT(page->used == 0 && !page_is_pinned(page) && (page->flags & PAGE_QUEUED) != 0);
    // A page that is listed right now is released when it is drained.
    if (mi__remote_is_quiet(page)) {
        dequeue(heap, page);
        settle(heap, page);
    }
}

void
mi__thread_heap_came_home(thread_heap_t *heap, page_t *page)
{
    if ((page_owner(page) & OWNER_FULL) != 0) {
        leave_full(heap, page);
        settle(heap, page);
    } else if (page->used == 0) {
        mi__thread_heap_page_empty(heap, page);
    }
}

void
mi__thread_heap_free_full(thread_heap_t *heap, page_t *page, void *block)
{
    (void)page_push_local(page, block);
    leave_full(heap, page);
    settle(heap, page);
}

// A drained page has got blocks back.
static void
settle_drained(thread_heap_t *heap, page_t *page)
{
    if (page_is_pinned(page)) {
        return;
    }
    if ((page->flags & PAGE_QUEUED) != 0) {
        if (page->used == 0) {
            mi__thread_heap_page_empty(heap, page);
        }
    } else if (has_room(page)) {
        leave_full(heap, page);
        settle(heap, page);
    }
}

void
mi__thread_heap_drain(thread_heap_t *heap)
{
    page_t *page = mi__remote_drain(&heap->owner);
    while (page != NULL) {
        page_t *drained = page;
        page = mi__remote_unlist(drained);
        settle_drained(heap, drained);
    }
}

static page_t *
behind_stand_in(thread_heap_t *heap, unsigned class, page_t *serving)
{
    return unlikely((serving->flags & PAGE_STAND_IN) != 0) ? mi__held_step_aside(heap, class, serving)
                                                           : serving;
}

// Lets go of what is kept and was not used since the last time; `all`: of the rest as well.
static void
release_kept(thread_heap_t *heap, bool all)
{
    uint32_t slices = 0;
    uint32_t sizes = 0;
    for (uint32_t i = 1; i <= KEPT_MAX; i++) {
        page_t **at = &heap->kept[i];
        for (page_t *page = *at; page != NULL; page = *at) {
            if (all || (page->flags & PAGE_IDLE) != 0) {
                *at = page->next;
                mi__page_release(page);
            } else {
                page_set_flag(page, PAGE_IDLE);
                slices += i;
                sizes |= UINT32_C(1) << i;
                at = &page->next;
            }
        }
    }
    heap->kept_slices = slices;
    heap->kept_sizes = sizes;
}

void
mi__thread_heap_collect(thread_heap_t *heap)
{
    release_kept(heap, true);
    mi__held_flush(heap);
    mi__quarantine_flush(heap);
    mi__thread_heap_drain(heap);
    for (unsigned i = 0; i < CLASS_COUNT; i++) {
        page_t *page = behind_stand_in(heap, i, mi__thread_heap_serving(heap, i));
        if (!is_none(page)) {
            stop_serving(heap, i, page);
        }
    }
    mi__held_flush(heap);
}

void
mi__thread_heap_trim(thread_heap_t *heap)
{
    for (unsigned i = 0; i < CLASS_COUNT; i++) {
        for (page_t *page = heap->queues[i].first; page != NULL; page = page->next) {
            mi__purge_count(mi__trim_page(page));
        }
    }
}

void
mi__thread_heap_trim_cold(thread_heap_t *heap)
{
    for (unsigned i = 0; i < CLASS_COUNT; i++) {
        for (page_t *page = heap->queues[i].first; page != NULL; page = page->next) {
            mi__purge_count(mi__trim_is_cold(page) ? mi__trim_page(page) : 0);
        }
    }
}

page_t *
mi__thread_heap_give_page(thread_heap_t *heap, unsigned class, thread_heap_t *to)
{
    mi__thread_heap_drain(heap);
    page_t *page = heap->queues[class].first;
    if (page == NULL || !mi__remote_move(page, &to->owner)) {
        return NULL;
    }
    dequeue(heap, page);
    return page;
}

static void
add_counts(thread_heap_t *heap, thread_heap_t *to)
{
    for (unsigned i = 0; i < CLASS_COUNT; i++) {
        OWNER_SET(to->granted[i], to->granted[i] + heap->granted[i]);
        OWNER_SET(to->pages_made[i], to->pages_made[i] + heap->pages_made[i]);
        OWNER_SET(heap->granted[i], 0);
        OWNER_SET(heap->pages_made[i], 0);
    }
    OWNER_SET(to->singletons, to->singletons + heap->singletons);
    OWNER_SET(to->singleton_bytes, to->singleton_bytes + heap->singleton_bytes);
    OWNER_SET(heap->singletons, 0);
    OWNER_SET(heap->singleton_bytes, 0);
}

// Moves the pages of one queue; those that are listed stay.
static void
move_queue(page_queue_t *queue, page_queue_t *to_queue, thread_heap_t *to)
{
    page_t *next;
    for (page_t *page = queue->first; page != NULL; page = next) {
        next = page->next;
        if (mi__remote_move(page, &to->owner)) {
            unlink_from(queue, page);
            link_last(to_queue, page);
        }
    }
}

bool
mi__thread_heap_merge(thread_heap_t *heap, thread_heap_t *to)
{
    mi__thread_heap_collect(heap);
    bool empty = true;
    for (unsigned i = 0; i < CLASS_COUNT; i++) {
        move_queue(&heap->queues[i], &to->queues[i], to);
        empty = empty && heap->queues[i].first == NULL;
    }
    move_queue(&heap->full, &to->full, to);
    add_counts(heap, to);
    return empty && heap->full.first == NULL;
}

static void
wipe_queue(page_queue_t *queue)
{
    while (queue->first != NULL) {
        page_t *page = queue->first;
        unlink_from(queue, page);
        mi__page_discard(page);
    }
}

void
mi__thread_heap_wipe(thread_heap_t *heap, thread_heap_t *to)
{
    ASSERT(heap->held == NULL && heap->kept_slices == 0);
    // What came home, or waits, lies in pages that go as well.
    mi__quarantine_forget(heap);
    (void)mi__remote_drain(&heap->owner);
    for (unsigned i = 0; i < CLASS_COUNT; i++) {
        page_t *page = mi__thread_heap_serving(heap, i);
        if (!is_none(page)) {
            thread_heap_ungrant(heap, i, mi__page_ungrant(page));
            mi__thread_heap_serve(heap, i, NONE);
            mi__page_discard(page);
        }
        wipe_queue(&heap->queues[i]);
    }
    wipe_queue(&heap->full);
    if (!thread_heap_is_none(to)) {
        add_counts(heap, to);
    }
}

// Fills the empty `free` list of a page that is pinned: from what its owner freed, else from fresh
// blocks.
static bool
refill_local(thread_heap_t *heap, page_t *page)
{
    if (page->local_free == NULL) {
        return false;
    }
    (void)thread_heap_grant(heap, page->class, page_swap(page));
    return true;
}

static inline bool
refill_fresh(thread_heap_t *heap, page_t *page)
{
    if (unlikely(page->map != NULL)) {
        return mi__blockmap_open(page, true); // granted when they are taken
    }
    uint32_t granted = mi__page_extend(page);
    if (granted == 0) {
        return false;
    }
    (void)thread_heap_grant(heap, page->class, granted);
    return true;
}

static page_t *
serve_first(thread_heap_t *heap, page_t *page)
{
    page_pin(page);
    mi__thread_heap_serve(heap, page->class, page);
    return refill_local(heap, page) || refill_fresh(heap, page) ? page : NULL;
}

// A class comes back to where it was: what its last page touched is what it will need. Elsewhere it
// would touch other parts of its slices, until all of what was ever used is resident.
static page_t *
new_page(thread_heap_t *heap, unsigned class)
{
    region_t *region = mi__heap_region(heap);
    mi__slices_prefer_node(mi__heap_node(heap));
    uint32_t place = region == NULL ? heap->places[class] : 0;
    page_t *page = place == 0 ? NULL : mi__page_new_again(class, (uintptr_t)heap, place);
    return page != NULL ? page : mi__page_new(class, (uintptr_t)heap, region);
}

// A page of the class that has a block, made the serving one; the one that served has none left.
static page_t *
next_page(thread_heap_t *heap, unsigned class, page_t *served)
{
    if (!is_none(served)) {
        stop_serving(heap, class, served);
    }
    page_t *page = heap->queues[class].first;
    if (page != NULL) {
        dequeue(heap, page);
        return serve_first(heap, page);
    }
    page = mi__registry_adopt_page(heap, class);
    if (page == NULL) {
        (void)mi__purge_poll(false);
        page = new_page(heap, class);
        OWNER_SET(heap->pages_made[class], heap->pages_made[class] + (page != NULL));
    }
    return page == NULL ? NULL : serve_first(heap, page);
}

static page_t *
ready_page(thread_heap_t *heap, unsigned class, page_t *serving)
{
    page_t *page = behind_stand_in(heap, class, serving);
    bool is_page = !is_none(page);
    if (page->free != NULL || (is_page && refill_local(heap, page))) {
        return page;
    }
    // What is at hand goes before what comes home: blocks that are lent need not travel.
    if (heap->held != NULL) {
        page_t *stand_in = mi__held_lend(heap, class, page);
        if (stand_in != NULL) {
            return stand_in;
        }
    }
    mi__thread_heap_drain(heap);
    if (is_page) {
        mi__remote_take(page);
        if (refill_local(heap, page)) {
            return page;
        }
    }
    return is_page && refill_fresh(heap, page) ? page : next_page(heap, class, page);
}

// Rare work of the whole thread, whichever of its heaps the beat came from.
static void
rare_work(thread_heap_t *main)
{
    release_kept(main, false);
    mi__thread_heap_drain(main);
    if (unlikely(main->siblings != NULL)) {
        mi__siblings_drain(main);
    }
    (void)mi__purge_poll(false);
    mi__watch_poll();
    mi__purge_want_helper();
    (void)mi__purge_tend();
    thread_heap_look_for_wish(main);
    mi__limit_tell();
    mi__hooks.deferred_free(false);
}

void
mi__thread_heap_grant_wish(thread_heap_t *main, uint32_t wishes)
{
    bool all = (main->wishes ^ wishes) >= WISH_ALL;
    main->wishes = wishes;
    if (all) {
        mi__thread_heap_collect(main);
        mi__thread_heap_trim(main);
        mi__siblings_collect(main, true);
    } else {
        mi__thread_heap_trim_cold(main);
        mi__siblings_trim_cold(main);
    }
}

static bool
is_of_none(thread_heap_t *heap)
{
    return atomic_get_relaxed(&heap->heap) == NULL;
}

MI_NOINLINE static thread_heap_t *
ready_heap_rarely(thread_heap_t *heap, int32_t beats)
{
    if (is_of_none(heap)) {
        heap = thread_heap_is_none(heap) ? mi__registry_bind() : mi__siblings_forget(heap);
        if (heap == NULL) {
            return NULL;
        }
    }
    heap->beats_left -= beats;
    if (heap->beats_left < 0) {
        heap->beats_left += HEAP_RARE_BEAT;
        rare_work(heap->main);
        mi__sampling_look(heap);
        // Which takes notice of heaps that were deleted.
        return is_of_none(heap) ? mi__siblings_forget(heap) : heap;
    }
    return heap;
}

// The heap to allocate from, its beats counted: a fresh one instead of that of threads without one,
// the main one instead of one whose heap is gone. NULL when there is no memory.
static inline thread_heap_t *
ready_heap(thread_heap_t *heap, int32_t beats)
{
    if (unlikely(is_of_none(heap) || heap->beats_left < beats)) {
        return ready_heap_rarely(heap, beats);
    }
    heap->beats_left -= beats;
    return heap;
}

MI_COLD block_t *
mi__thread_heap_alloc_sampled(thread_heap_t *heap, page_t *page, size_t size, size_t granted, bool *zero)
{
    unsigned samplers = mi__sampling_cut(heap, page, (uint32_t)granted);
    *zero = (page->flags & PAGE_FREE_ZERO) != 0;
    block_t *block = page_pop(page, page->free);
    return samplers == 0 ? block : mi__samples_make(heap, block, size, samplers, zero);
}

static size_t
length_of(const block_t *list)
{
    size_t length = 0;
    for (; list != NULL; list = list->next) {
        length++;
    }
    return length;
}

block_t *
mi__thread_heap_alloc(thread_heap_t *heap, size_t size, bool *zero)
{
    ASSERT(size <= BLOCK_MAX);
    heap = ready_heap(heap, 1);
    if (unlikely(heap == NULL)) {
        return NULL;
    }
    unsigned class = sizeclass_of(size);
    page_t *serving = thread_heap_page(heap, size);
    // Blocks that are taken back on the way are not counted: none are where `free` is empty.
    uint64_t before = serving->free == NULL ? heap->granted[class] : UINT64_MAX;
    page_t *page = ready_page(heap, class, serving);
    if (unlikely(page == NULL)) {
        return NULL;
    }
    block_t *block = page->free;
    if (unlikely(block == NULL)) { // it has a map
        *zero = false;
        thread_heap_grant_one(heap, class);
        return (block_t *)(void *)blockmap_take(page, blockmap_word(page->map));
    }
    if (unlikely(heap->sample_in[class] < 0)) {
        // The page was refilled once. To walk the list would touch all of its blocks long before their time.
        size_t granted =
            likely(before != UINT64_MAX) ? (size_t)(heap->granted[class] - before) : length_of(block);
        ASSERT(granted == length_of(block));
        return mi__thread_heap_alloc_sampled(heap, page, size, granted, zero);
    }
    *zero = (page->flags & PAGE_FREE_ZERO) != 0;
    return page_pop(page, block);
}

page_t *
mi__thread_heap_singleton(thread_heap_t *heap, size_t size, size_t align, bool *zero)
{
    heap = ready_heap(heap, SINGLETON_BEATS);
    if (unlikely(heap == NULL)) {
        return NULL;
    }
    page_t *page = align <= SLICE_SIZE ? thread_heap_take_kept(heap, size) : NULL;
    if (page != NULL) {
        *zero = false;
        return page;
    }
    mi__slices_prefer_node(mi__heap_node(heap));
    page = mi__page_new_singleton(size, align, mi__heap_region(heap), zero);
    if (page == NULL) {
        return NULL;
    }
    heap->kept_sizes |= page->slices <= KEPT_MAX ? UINT32_C(1) << page->slices : 0;
    heap->newest = page;
    mi__heap_list_singleton(atomic_get_relaxed(&heap->heap), page);
    OWNER_SET(heap->singletons, heap->singletons + 1);
    OWNER_SET(heap->singleton_bytes, heap->singleton_bytes + (page->slices << SLICE_SHIFT));
    return page;
}

// What is kept serves the thread's plain allocations.
static bool
is_in_exclusive_region(const page_t *page)
{
    page_t *descriptor;
    return unlikely(!region_first_find(page->start, &descriptor)) && mi__region_of(page->start)->exclusive;
}

// Where blocks rest only one that is dropped before the next is made: of many that are freed, none is
// handed out soon with what it held.
static bool
is_worth_keeping(const thread_heap_t *heap, const page_t *page)
{
    size_t slices = page->slices;
    size_t most = conf_get(secure) > 0 ? 2 * (size_t)KEPT_MAX : KEPT_MAX;
    bool wanted = slices <= KEPT_MAX && heap->kept_slices + slices <= most &&
                  (heap->kept_sizes >> slices & 1) != 0 &&
                  thread_heap_has_place(heap->kept[slices], slices) &&
                  (!thread_heap_rests(slices) || heap->newest == page);
    return wanted && (page->flags & PAGE_GUARDED) == 0 && !heap_is_listing(atomic_get_relaxed(&heap->heap)) &&
           !is_in_exclusive_region(page);
}

void
mi__thread_heap_return_singleton(thread_heap_t *heap, page_t *page)
{
    // Where the next one can start from that grows.
    if ((page->flags & PAGE_GROWING) != 0 && heap->growing > 0) {
        heap->growing--;
        heap->kept_sizes |= 1U << 1;
        page_clear_flag(page, PAGE_FRESH_ZERO);
        mi__page_cut_singleton(page, 1);
    }
    if (!is_worth_keeping(heap, page)) {
        (conf_get(secure) > 0 ? mi__away_put : mi__page_release)(page);
        return;
    }
    size_t slices = page->slices;
    page->next = heap->kept[slices];
    heap->kept[slices] = page;
    heap->kept_slices += (uint32_t)slices;
}
