// SPDX-License-Identifier: MIT
// free.c — frees that are not of a block on a plain page of the calling thread.
//
// Owns:        nothing
// Threads:     any
// Invariants:  a pointer that is not ours is reported and never followed
// Not here:    the straight path → alloc/fast.h, other threads' blocks → heap/held.c
#include "alloc/free.h"

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "alloc/sampled.h"
#include "alloc/secure.h"
#include "base/bits.h"
#include "base/check.h"
#include "base/hooks.h"
#include "heap/heap.h"
#include "heap/held.h"
#include "page/seal.h"

enum { GOING_DOWN = 32 }; // pages emptied by a thread without a slow-path malloc between

// Off the straight path there is time to look: a block begins at `p`, or blocks of the page may be known by
// addresses inside of them.
static bool
may_be_block(page_t *page, const void *p, uintptr_t word, const char *call)
{
    if (likely(page_is_start(page, p) || (word & OWNER_INTERIOR) != 0)) {
        if (unlikely(page_freed_last(page, p))) {
            mi__hooks.misuse(MISUSE_DOUBLE_FREE, call, p);
            return false;
        }
        return likely((HINT_GET(page->flags) & PAGE_GUARDED) == 0) || mi__secure_is_whole(page, 0, p, call);
    }
    mi__hooks.misuse(MISUSE_FREE_INTERIOR, call, p);
    return false;
}

page_t *
mi__free_page_of(const void *p, const char *call)
{
    page_t *page = mi__page_of(p);
    if (unlikely(page == NULL)) {
        mi__free_report(p, call);
        return NULL;
    }
    uintptr_t word = page_owner(page);
    bool is_block =
        (word & OWNER_SECURE) != 0 ? mi__secure_check(page, p, call) : may_be_block(page, p, word, call);
    return is_block ? page : NULL;
}

static void
free_singleton(page_t *page, void *p, uintptr_t word)
{
    if (unlikely(!may_be_block(page, p, word, "free"))) {
        return;
    }
    if (unlikely(!mi__page_retire_singleton(page))) {
        word = page_owner(page);
        if ((word & OWNER_SAMPLED) != 0) {
            mi__sampled_free(page, p, word); // since a moment ago
        } else {
            mi__hooks.misuse(MISUSE_DOUBLE_FREE, "free", p);
        }
    } else {
        mi__heap_unlist_singleton(page);
        mi__thread_heap_return_singleton(mi__thread_heap->main, page);
    }
}

// The singletons that a thread makes and drops all the time: one that it had kept, and keeps again.
static inline bool
free_kept(page_t *page, void *p, uintptr_t word)
{
    thread_heap_t *heap = mi__thread_heap;
    return word == ((uintptr_t)heap | OWNER_SINGLETON) && p == page->start &&
           thread_heap_keep_again(heap, page);
}

// A block of a plain page: another thread's, or of a first-class heap of this one.
static void
free_plain(thread_heap_t *owner, page_t *page, void *block)
{
    if (!thread_heap_is_mine(owner)) {
        mi__held_free(mi__thread_heap->main, page, (block_t *)block);
    } else if (page_push_local(page, block)) {
        mi__thread_heap_page_empty(owner, page);
    }
}

static void
free_block(page_t *page, void *p, uintptr_t word)
{
    thread_heap_t *owner = page_thread_heap(word);
    void *block = p;
    if (unlikely((word & OWNER_INTERIOR) != 0)) {
        block = mi__page_block_of(page, p);
    } else if (unlikely(!page_is_start(page, p))) {
        mi__hooks.misuse(MISUSE_FREE_INTERIOR, "free", p);
        return;
    }
    if ((word & OWNER_FULL) != 0 && (owner == mi__thread_heap || thread_heap_is_mine(owner))) {
        mi__thread_heap_free_full(owner, page, block);
    } else {
        free_plain(owner, page, block);
    }
}

// What the straight path leaves: a block of another thread, or no block.
MI_NOINLINE static void
free_doubtful(page_t *page, void *p, uintptr_t word)
{
    if (may_be_block(page, p, word, "free")) {
        free_plain(page_thread_heap(word), page, p);
    }
}

MI_NOINLINE static void
free_flagged(page_t *page, void *p, uintptr_t word)
{
    if (unlikely(word == 0)) {
        mi__hooks.misuse(MISUSE_FREE_NO_BLOCK, "free", p);
    } else if (unlikely((word & OWNER_SAMPLED) != 0)) {
        mi__sampled_free(page, p, word);
    } else if ((word & OWNER_SINGLETON) != 0) {
        free_singleton(page, p, word);
    } else {
        free_block(page, p, word);
    }
}

MI_NOINLINE static void
free_without_map(void *p, page_t *page, uintptr_t word)
{
    if ((word & OWNER_FLAGS) == 0 && word != 0) {
        free_doubtful(page, p, word);
    } else if (!free_kept(page, p, word)) {
        free_flagged(page, p, word);
    }
}

void
mi__free_other(void *p, page_t *page, uintptr_t word)
{
    if (unlikely((word & OWNER_SECURE) != 0)) {
        mi__secure_free(p, page, word);
    } else {
        free_without_map(p, page, word);
    }
}

void
mi__free_report(const void *p, const char *call)
{
    mi__hooks.misuse(mi__region_reserves(p) ? MISUSE_FREE_NO_BLOCK : MISUSE_FREE_FOREIGN, call, p);
}

void
mi__free_outside(void *p)
{
    if (likely(p == NULL)) {
        return;
    }
    page_t *page = mi__region_descriptor(p);
    if (unlikely(page == NULL)) {
        mi__free_report(p, "free");
        return;
    }
    uintptr_t word = page_owner(page);
    if ((word & OWNER_REDIRECT) != 0) {
        page = page_of_redirect(word);
        word = page_owner(page);
    }
    mi__free_other(p, page, word);
}

void
mi__free_emptied(page_t *page)
{
    thread_heap_t *heap = mi__thread_heap;
    mi__thread_heap_page_empty(heap, page);
    thread_heap_look_for_wish(heap->main);
    // On the way down pages that serve must not stay behind: unpinned, they go with their last block.
    heap->emptied = heap->emptied_beat == heap->beats_left ? heap->emptied + 1 : 1;
    heap->emptied_beat = heap->beats_left;
    if (heap->emptied == GOING_DOWN && heap == heap->main) {
        mi__thread_heap_collect(heap);
    }
}

void
mi__free(void *p)
{
    fast_free(p);
}

// False when the block can't have been allocated with this size and alignment. A smaller size may have come
// with realloc or mi_expand, which leave a block where it is.
static bool
is_as_said(const void *p, size_t size, size_t align)
{
    page_t *page = mi__page_of(p);
    if (page == NULL || (page_owner(page) & OWNER_INTERIOR) != 0) {
        return true; // free says more, or the block begins elsewhere
    }
    if (((uintptr_t)p & (size_max(align, 1) - 1)) != 0) {
        return false;
    }
    bool is_single = page->block_size == 0;
    size_t bytes = is_single ? page->slices << SLICE_SHIFT : page->block_size;
    size_t least = align <= GRANULE || is_single ? size : align_up(size_max(size, 1), align);
    bool may_be_short = bytes <= (is_single ? SLICE_SIZE : 2 * (size_t)GRANULE);
    if (unlikely(seal_is_on(page))) {
        return size == SIZE_MAX || size == mi__page_usable(page, p);
    }
    return size == SIZE_MAX || (size <= bytes && (least >= bytes / 2 || may_be_short));
}

MI_NOINLINE static void
free_sized_closely(void *p, size_t size, size_t align)
{
    if (p == NULL) {
        return;
    }
    if (!track_on() && unlikely(!is_as_said(p, size, align))) {
        mi__hooks.misuse(MISUSE_SIZE_MISMATCH, "free", p);
        return;
    }
    fast_free(p);
}

// Most blocks are in a plain page of the thread's own, and of a size and an alignment that every block of the
// page has.
void
mi__free_sized(void *p, size_t size, size_t align)
{
    page_t *page;
    if (track_on() || unlikely(!region_first_find(p, &page)) ||
        unlikely(page_owner(page) != (uintptr_t)mi__thread_heap)) {
        free_sized_closely(p, size, align);
        return;
    }
    size_t bytes = page->block_size;
    bool is_plain = size - 1 < bytes && (size >= bytes / 2 || bytes <= 2 * (size_t)GRANULE) &&
                    align <= GRANULE && (uintptr_t)p % GRANULE == 0;
    if (likely(is_plain)) {
        fast_free_own(page, p);
    } else {
        free_sized_closely(p, size, align);
    }
}
