// SPDX-License-Identifier: MIT
// realloc.c — changing the size of a block: in place where it fits or the slices behind are free,
// else by moving it.
//
// Owns:        nothing
// Threads:     any
// Not here:    exported names → front/api.c, front/posix.c
#include <errno.h>
#include <string.h>

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "alloc/large.h"
#include "alloc/sampled.h"
#include "alloc/secure.h"
#include "base/bits.h"
#include "base/hooks.h"
#include "heap/samples.h"
#include "page/seal.h"

static page_t *
page_or_report(const void *p, const char *call)
{
    page_t *page = mi__free_page_of(p, call);
    if (unlikely(page == NULL)) {
        errno = EINVAL;
    }
    return page;
}

// What shrinks by more than a quarter moves: programs that trim what they keep, as Redis does with its
// values, held a fifth more memory where half was let pass.
static bool
is_worth_its_block(size_t size, size_t usable)
{
    return size >= usable - usable / 4 || usable <= 2 * (size_t)GRANULE;
}

// Grows or shrinks a singleton in place, unless it shrinks so far that a class suits it better. `*zero` tells
// whether what was added is all zero.
static bool
resize_large(page_t *page, void *p, size_t size, size_t usable, bool *zero)
{
    bool suits_class = size < usable && size <= BLOCK_MAX && !is_worth_its_block(size, SLICE_SIZE);
    if (page->block_size != 0 || size > PTRDIFF_MAX || suits_class) {
        return false;
    }
    size_t lead = (size_t)((char *)p - page->start);
    size_t before = page->slices;
    if (!mi__page_resize_singleton(page, divide_up(lead + size, SLICE_SIZE), zero)) {
        return false;
    }
    if (page->slices != before) {
        mi__sampled_resized(page, lead + size);
    }
    return true;
}

// Only a singleton's flags say that it grows, and nobody else changes those while it is in use.
static bool
fits_well(const page_t *page, size_t size, size_t usable)
{
    return size <= usable &&
           (is_worth_its_block(size, usable) ||
            ((HINT_GET(page->flags) & PAGE_GROWING) != 0 && page->slices == 1 && size >= GROWING_MIN));
}

// The block stays where it is; true when it now serves `size`.
static bool
stays(page_t *page, void *p, size_t size, size_t usable, bool zeroed)
{
    bool zero = true;
    if (unlikely(size == 0 && secure_on())) {
        return false; // for a place that can't be touched
    }
    if (unlikely(seal_is_on(page))) {
        // One of no bytes becomes a block like others.
        return usable > 0 && is_worth_its_block(size, usable) && mi__seal_resize(page, p, size);
    }
    if (unlikely(!fits_well(page, size, usable)) && !resize_large(page, p, size, usable, &zero)) {
        return false;
    }
    if (zeroed && size > usable && !zero) {
        mi__page_zero_singleton(page, (size_t)((char *)p - page->start) + usable);
    } else if (zeroed && size < usable) {
        // What the block loses it may gain again, and then it has to be zero.
        memset((char *)p + size, 0, mi__page_usable(page, p) - size);
    }
    return true;
}

// A new block; `*zero` tells whether all of it but the first word is zero. Not zeroed here: most of it
// is about to be written.
static void *
new_block(thread_heap_t *heap, const void *p, size_t size, size_t align, size_t offset, bool *zero)
{
    *zero = false;
    if (align > GRANULE || (offset & (align - 1)) != 0) {
        return mi__alloc_aligned_in(heap, size, align, offset, false);
    }
    return mi__alloc_growing(heap, p, size, zero);
}

// Brings the first `size` bytes of the block `p` over.
static void
bring_over(void *fresh, const page_t *from, void *p, size_t size)
{
    page_t *to = from->block_size == 0 && size > BLOCK_MAX ? mi__page_of(fresh) : NULL;
    if (to == NULL || to->block_size != 0 || to->start != fresh || from->start != p ||
        !mi__page_move_singleton(mi__page_of(p), to)) {
        memcpy(fresh, p, size);
    }
}

static void *
move(thread_heap_t *heap, page_t *page, void *p, size_t size, size_t align, size_t offset, bool zeroed)
{
    bool zero;
    size_t kept = size_min(size, mi__page_usable(page, p));
    char *fresh = (char *)new_block(heap, p, size, align, offset, &zero);
    if (fresh == NULL) {
        return NULL;
    }
    page_t *to = zeroed ? mi__page_of(fresh) : NULL;
    if (zeroed && zero) {
        memset(fresh, 0, sizeof(block_t));
    }
    bring_over(fresh, page, p, kept);
    if (zeroed && !zero) {
        if (to->block_size == 0 && (to->flags & PAGE_GUARDED) == 0) {
            mi__page_zero_singleton(to, (size_t)(fresh - to->start) + kept);
        } else {
            memset(fresh + kept, 0, mi__page_usable(to, fresh) - kept);
        }
    }
    mi__free(p);
    return fresh;
}

// True when a block may stay where it is: what asks for it allocates from any heap, or from the
// block's own.
static bool
is_at_home(page_t *page, const void *p, const heap_t *heap)
{
    return heap == NULL || mi__samples_heap_of(page, p) == heap;
}

static void *
resize(thread_heap_t *thread_heap, const heap_t *heap, void *p, size_t size, bool zeroed)
{
    if (track_on()) {
        return mi__tracked_realloc(thread_heap, p, size, 1, 0, zeroed);
    }
    if (p == NULL) {
        return zeroed ? fast_alloc_zeroed_in(thread_heap, size) : fast_alloc_in(thread_heap, size);
    }
    page_t *page = page_or_report(p, "realloc");
    if (unlikely(page == NULL)) {
        return NULL;
    }
    size_t usable = mi__page_usable(page, p);
    if (is_at_home(page, p, heap) && stays(page, p, size, usable, zeroed)) {
        return p;
    }
    return move(thread_heap, page, p, size, GRANULE, 0, zeroed);
}

static void *
resize_aligned(thread_heap_t *thread_heap, const heap_t *heap, void *p, size_t size, size_t align,
               size_t offset, bool zeroed)
{
    if (track_on()) {
        return mi__tracked_realloc(thread_heap, p, size, align, offset, zeroed);
    }
    if (p == NULL || !is_power_of_two(align)) {
        return mi__alloc_aligned_in(thread_heap, size, align, offset, zeroed);
    }
    page_t *page = page_or_report(p, "realloc");
    if (unlikely(page == NULL)) {
        return NULL;
    }
    size_t usable = mi__page_usable(page, p);
    bool aligned = (((uintptr_t)p + offset) & (align - 1)) == 0;
    if (aligned && is_at_home(page, p, heap) && stays(page, p, size, usable, zeroed)) {
        return p;
    }
    return move(thread_heap, page, p, size, align, offset, zeroed);
}

// The page of a block whose address is where it starts, and its usable size, or NULL: a short look, where
// most calls find what they need.
static inline page_t *
plain_page(void *p, size_t *usable)
{
    page_t *page;
    if (track_on() || !region_first_find(p, &page)) {
        return NULL;
    }
    uintptr_t word = page_owner(page);
    if ((word & OWNER_REDIRECT) != 0) {
        page = page_of_redirect(word);
        word = page_owner(page);
    }
    *usable = page->block_size != 0 ? page->block_size : page->slices << SLICE_SHIFT;
    // A singleton that is a sample stays where it is like any other.
    bool plain =
        word != 0 && (word & (OWNER_INTERIOR | OWNER_SECURE)) == 0 &&
        (page->block_size != 0 ? (word & OWNER_SAMPLED) == 0 : (HINT_GET(page->flags) & PAGE_GUARDED) == 0);
    return plain && page_is_start(page, p) && !page_freed_last(page, p) ? page : NULL;
}

static void *
grow_small(void *p, size_t usable, size_t size)
{
    void *fresh = fast_alloc(size);
    if (likely(fresh != NULL)) {
        memcpy(fresh, p, usable);
        mi__thread_heap->main->grown = fresh;
        fast_free(p);
    }
    return fresh;
}

void *
mi__realloc(void *p, size_t size, bool zeroed)
{
    size_t usable;
    page_t *page = zeroed ? NULL : plain_page(p, &usable);
    if (likely(page != NULL)) {
        if (likely(fits_well(page, size, usable))) {
            return p;
        }
        if (usable < size && size < GROWING_MIN) {
            return grow_small(p, usable, size);
        }
    }
    return resize(mi__thread_heap, NULL, p, size, zeroed);
}

void *
mi__realloc_aligned(void *p, size_t size, size_t align, size_t offset, bool zeroed)
{
    return resize_aligned(mi__thread_heap, NULL, p, size, align, offset, zeroed);
}

void *
mi__realloc_in(thread_heap_t *heap, void *p, size_t size, bool zeroed)
{
    return resize(heap, atomic_get_relaxed(&heap->heap), p, size, zeroed);
}

void *
mi__realloc_aligned_in(thread_heap_t *heap, void *p, size_t size, size_t align, size_t offset, bool zeroed)
{
    return resize_aligned(heap, atomic_get_relaxed(&heap->heap), p, size, align, offset, zeroed);
}

void *
mi__realloc_in_place(void *p, size_t size)
{
    if (p == NULL) {
        return NULL;
    }
    if (track_on()) {
        return mi__tracked_size(p, "expand") < size ? NULL : p;
    }
    page_t *page = page_or_report(p, "expand");
    if (page == NULL) {
        return NULL;
    }
    bool zero;
    size_t usable = mi__page_usable(page, p);
    if (unlikely(seal_is_on(page))) {
        return size <= usable || mi__seal_resize(page, p, size) ? p : NULL;
    }
    return size <= usable || resize_large(page, p, size, usable, &zero) ? p : NULL;
}
