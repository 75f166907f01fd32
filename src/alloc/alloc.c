// SPDX-License-Identifier: MIT
// alloc.c — allocation off the straight path: refills, singletons, and failure.
//
// Owns:        nothing
// Threads:     any
// Invariants:  NULL is returned with errno = ENOMEM and a call of the alloc_failed hook, never
//              otherwise
// Not here:    the straight path → alloc/fast.h, alignment → alloc/aligned.c, realloc →
//              alloc/realloc.c
#include "alloc/alloc.h"

#include <errno.h>
#include <string.h>

#include "alloc/fast.h"
#include "alloc/large.h"
#include "alloc/sampled.h"
#include "alloc/secure.h"
#include "arena/limit.h"
#include "arena/purge.h"
#include "base/bits.h"
#include "base/check.h"
#include "base/hooks.h"
#include "base/track.h"
#include "heap/registry.h"
#include "heap/series.h"
#include "heap/siblings.h"
#include "page/away.h"
#include "page/blockmap.h"

enum {
    ROOM_MIN = 1024 * 1024,      // smaller blocks get no room to grow unless they grow again and again,
    ROOM_SMALL = 256 * 1024,     // and then this;
    ROOM_SHARE = 2,              // others so much of their own size,
    ROOM_MAX = 64 * 1024 * 1024, // and at most this
};

MI_COLD void *
mi__alloc_fail(size_t size)
{
    mi__hooks.alloc_failed(size, ENOMEM);
    errno = ENOMEM;
    return NULL;
}

// An allocation has failed. True when the limit on memory was why, and another try may have better luck:
// after the program had its say, and what the thread keeps for later is free.
MI_COLD static bool
make_room(size_t size)
{
    if (!mi__limit_failed(size)) {
        return false;
    }
    thread_heap_t *main = mi__thread_heap->main;
    if (!thread_heap_is_none(main)) {
        mi__thread_heap_collect(main);
        mi__siblings_collect(main, false);
    }
    mi__registry_collect(NULL);
    mi__away_flush();
    return true;
}

static page_t *
new_singleton(thread_heap_t *heap, size_t size, size_t align, uintptr_t place, bool *zero)
{
    page_t *page = NULL;
    if (likely(size <= PTRDIFF_MAX && align <= PTRDIFF_MAX / 2)) {
        page = mi__thread_heap_singleton(heap, size, align, zero);
        if (unlikely(page == NULL) && make_room(size)) {
            page = mi__thread_heap_singleton(heap, size, align, zero);
        }
    }
    if (unlikely(page == NULL)) {
        return (page_t *)mi__alloc_fail(size);
    }
    mi__sampled_large(heap, page, size, place);
    return page;
}

void *
mi__alloc_large(thread_heap_t *heap, size_t size, size_t align, bool zeroed)
{
    bool zero;
    page_t *page = new_singleton(heap, size, align, 0, &zero);
    if (unlikely(page == NULL)) {
        return NULL;
    }
    if (zeroed && !zero) {
        mi__page_zero_singleton(page, 0);
    }
    return page->start;
}

MI_NOINLINE void *
mi__alloc_block(thread_heap_t *heap, size_t size, bool *zero)
{
    block_t *block = mi__thread_heap_alloc(heap, size, zero);
    if (unlikely(block == NULL) && make_room(size)) {
        block = mi__thread_heap_alloc(heap, size, zero);
    }
    return unlikely(block == NULL) ? mi__alloc_fail(size) : block;
}

MI_NOINLINE static void *
alloc_large_at(size_t size, thread_heap_t *heap, uintptr_t place)
{
    if (unlikely(secure_on())) {
        return mi__secure_alloc(heap, size, GRANULE, 0, false);
    }
    bool zero;
    page_t *page = new_singleton(heap, size, SLICE_SIZE, place, &zero);
    return unlikely(page == NULL) ? NULL : page->start;
}

// While singletons may be samples. Nothing that leads here leaves a frame behind: the caller, and where its
// frame ends, are the program's or operator new's.
MI_NOINLINE static void *
alloc_large_sampling(size_t size, thread_heap_t *heap)
{
    uintptr_t place = (uintptr_t)__builtin_return_address(0) * sizeof(void *) + stack_place();
    size_t slices = (size + SLICE_SIZE - 1) >> SLICE_SHIFT;
    bool plain = heap->beats_left > 0 && slices <= KEPT_MAX && heap->kept[slices] != NULL;
    if (likely(plain && series_goes_on(heap, slices, place))) {
        heap->beats_left--;
        return thread_heap_take_kept(heap, size)->start;
    }
    return alloc_large_at(size, heap, place);
}

// The shortest way to a singleton: one that was kept. Not when it is time for rare work.
void *
mi__alloc_slow_large(size_t size, thread_heap_t *heap)
{
    if (unlikely(heap->sampling.rates[SAMPLER_PROFILE] != 0)) {
        return alloc_large_sampling(size, heap);
    }
    page_t *page = likely(heap->beats_left > 0) ? thread_heap_take_kept(heap, size) : NULL;
    if (unlikely(page == NULL)) {
        return alloc_large_at(size, heap, 0);
    }
    heap->beats_left--;
    return page->start;
}

// A function of its own, and here, where frame pointers are kept: mi__alloc_slow has no frame.
MI_COLD static void *
alloc_sampled(thread_heap_t *heap, page_t *page, size_t size, size_t granted)
{
    bool zero;
    return mi__thread_heap_alloc_sampled(heap, page, size, granted, &zero);
}

void *
mi__alloc_rarely(size_t size, thread_heap_t *heap)
{
    bool zero;
    return unlikely(secure_on()) ? mi__secure_alloc(heap, size, GRANULE, 0, false)
                                 : mi__alloc_block(heap, size, &zero);
}

void *
mi__alloc_slow(size_t size, thread_heap_t *heap, page_t *page)
{
    block_t *block = page->local_free;
    size_t granted;
    if (unlikely(!thread_heap_swap(heap, page, &granted))) {
        return mi__alloc_rarely(size, heap);
    }
    if (unlikely(thread_heap_grant(heap, page->class, granted))) {
        return alloc_sampled(heap, page, size, granted);
    }
    return page_pop(page, block);
}

void *
mi__alloc_zeroed_slow(size_t size, thread_heap_t *heap)
{
    if (unlikely(secure_on())) {
        return mi__secure_calloc(size, heap);
    }
    if (size > BLOCK_MAX) {
        return mi__alloc_large(heap, size, SLICE_SIZE, true);
    }
    bool zero;
    block_t *block = (block_t *)mi__alloc_block(heap, size, &zero);
    if (block != NULL) {
        memset(block, 0, zero ? sizeof *block : sizeclass_block_size(sizeclass_of(size)));
    }
    return block;
}

void *
mi__alloc_known(thread_heap_t *heap, size_t size, bool *zero)
{
    if (unlikely(secure_on())) {
        *zero = false;
        return mi__secure_alloc(heap, size, GRANULE, 0, false);
    }
    if (size > BLOCK_MAX) {
        page_t *page = new_singleton(heap, size, SLICE_SIZE, 0, zero);
        return unlikely(page == NULL) ? NULL : page->start;
    }
    page_t *page = thread_heap_page(heap, size);
    block_t *block = page->free;
    if (unlikely(block == NULL)) {
        return mi__alloc_block(heap, size, zero);
    }
    *zero = (page->flags & PAGE_FREE_ZERO) != 0;
    return page_pop(page, block);
}

static page_t *
roomy_singleton(thread_heap_t *heap, size_t size, size_t roomy, bool *zero)
{
    page_t *page = mi__thread_heap_singleton(heap, roomy, SLICE_SIZE, zero);
    if (page != NULL) {
        mi__page_cut_singleton(page, divide_up(size, SLICE_SIZE));
        mi__sampled_large(heap, page, size, 0);
    }
    return page;
}

// For a small block: from here on it grows in place, without a copy for each class that it passes through.
static void *
growing_singleton(thread_heap_t *heap, size_t size, bool *zero)
{
    bool plain = size <= SLICE_SIZE && heap->sampling.rates[SAMPLER_PROFILE] == 0;
    page_t *page = plain ? thread_heap_take_kept(heap, size) : NULL;
    *zero = false;
    if (page != NULL) {
        heap->kept_slices -= heap->kept_slices > 0; // it comes back by the long way, which counts it
    } else {
        page = roomy_singleton(heap, size, size + ROOM_SMALL, zero);
    }
    if (page == NULL) {
        return mi__alloc_known(heap, size, zero);
    }
    page_set_flag(page, PAGE_GROWING);
    heap->main->growing++;
    return page->start;
}

void *
mi__alloc_growing(thread_heap_t *heap, const void *grown, size_t size, bool *zero)
{
    // Blocks that grow in place would have nothing behind them that shows an overflow.
    if (unlikely(mi__conf.secure >= SECURE_BYTES)) {
        return mi__alloc_known(heap, size, zero);
    }
    if (size >= ROOM_MIN && size <= PTRDIFF_MAX / 2) {
        page_t *page = roomy_singleton(heap, size, size + size_min(size / ROOM_SHARE, ROOM_MAX), zero);
        return page != NULL ? page->start : mi__alloc_known(heap, size, zero);
    }
    thread_heap_t *main = heap->main;
    bool again =
        main->grown == grown && size >= GROWING_MIN && size < ROOM_MIN && main->growing < GROWING_MAX;
    void *p = again ? growing_singleton(heap, size, zero) : mi__alloc_known(heap, size, zero);
    if (likely(p != NULL) && !thread_heap_is_none(main)) {
        main->grown = p;
    }
    return p;
}

void *
mi__alloc(size_t size)
{
    return fast_alloc(size);
}

void *
mi__alloc_zeroed(size_t size)
{
    return fast_alloc_zeroed(size);
}

bool
mi__alloc_count(size_t count, size_t size, size_t *total)
{
    if (unlikely(__builtin_mul_overflow(count, size, total))) {
        (void)mi__alloc_fail(SIZE_MAX);
        return false;
    }
    return true;
}

size_t
mi__usable_size(const void *p, const char *call)
{
    if (p == NULL) {
        return 0;
    }
    if (track_on()) {
        return mi__tracked_size(p, call);
    }
    page_t *page = mi__free_page_of(p, call);
    return unlikely(page == NULL) ? 0 : mi__page_usable(page, p);
}

size_t
mi__good_size(size_t size)
{
    setting_t level = conf_get(secure);
    setting_t exact = size == 0 ? SECURE_FREES : size < BLOCK_MAX ? SECURE_BYTES : SECURE_LARGE;
    if (track_on() || level >= exact) {
        return size;
    }
    if (size <= BLOCK_MAX) {
        return sizeclass_block_size(sizeclass_of(size));
    }
    return size > PTRDIFF_MAX ? size : align_up(size, SLICE_SIZE);
}

bool
mi__is_block(const void *p)
{
    page_t *page = mi__page_around(p);
    if (page == NULL) {
        return false;
    }
    if (page->block_size == 0) {
        return true;
    }
    size_t index = (size_t)((const char *)p - page->start) / page->block_size;
    if ((page_owner(page) & OWNER_SECURE) != 0) {
        return index < page->reserved && blockmap_is_live(page, index);
    }
    return index < HINT_GET(page->capacity) + HINT_GET(page->holed);
}

size_t
mi__collect(bool force)
{
    mi__hooks.deferred_free(force);
    uint64_t before = mi__purge_total();
    thread_heap_t *main = mi__thread_heap->main;
    // Other threads do it for themselves, when they come by.
    uint32_t wishes = force ? atomic_add_relaxed(&mi__thread_heap_wishes, WISH_ALL) + WISH_ALL : 0;
    if (!thread_heap_is_none(main) && force) {
        mi__thread_heap_grant_wish(main, wishes);
    } else if (!thread_heap_is_none(main)) {
        mi__thread_heap_collect(main);
        mi__siblings_collect(main, false);
    }
    mi__registry_collect(force ? mi__thread_heap_trim : NULL);
    if (force) {
        mi__away_flush();
    }
    (void)mi__purge_poll(force);
    (void)mi__purge_tend();
    return (size_t)(mi__purge_total() - before);
}
