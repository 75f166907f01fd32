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
#include "arena/purge.h"
#include "base/check.h"
#include "base/hooks.h"
#include "heap/heap.h"
#include "heap/held.h"

enum { GOING_DOWN = 32 }; // pages emptied by a thread without a slow-path malloc between

static void
free_singleton(page_t *page, void *p, uintptr_t word)
{
    if (unlikely(p != page->start && (word & OWNER_INTERIOR) == 0)) {
        mi__hooks.misuse(MISUSE_FREE_INTERIOR, "free", p);
    } else if (unlikely(!mi__page_retire_singleton(page))) {
        mi__hooks.misuse(MISUSE_DOUBLE_FREE, "free", p);
    } else {
        mi__heap_unlist_singleton(page);
        mi__thread_heap_return_singleton(mi__thread_heap->main, page);
        (void)mi__purge_tend();
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
        mi__held_free(mi__thread_heap->main, page, block);
    } else if (page_push_local(page, block)) {
        mi__thread_heap_page_empty(owner, page);
    }
    (void)mi__purge_tend();
}

static void
free_block(page_t *page, void *p, uintptr_t word)
{
    thread_heap_t *owner = page_thread_heap(word);
    void *block = (word & OWNER_INTERIOR) != 0 ? mi__page_block_of(page, p) : p;
    if ((word & OWNER_FULL) != 0 && thread_heap_is_mine(owner)) {
        mi__thread_heap_free_full(owner, page, block);
    } else {
        free_plain(owner, page, block);
    }
}

MI_NOINLINE static void
free_flagged(page_t *page, void *p, uintptr_t word)
{
    if (unlikely(word == 0)) {
        mi__hooks.misuse(MISUSE_FREE_NO_BLOCK, "free", p);
    } else if ((word & OWNER_SINGLETON) != 0) {
        free_singleton(page, p, word);
    } else {
        free_block(page, p, word);
    }
}

void
mi__free_other(void *p, page_t *page, uintptr_t word)
{
    if ((word & OWNER_FLAGS) == 0 && word != 0) {
        free_plain(page_thread_heap(word), page, p);
    } else if (!free_kept(page, p, word)) {
        free_flagged(page, p, word);
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
    heap->emptied = heap->emptied_beat == heap->beat ? heap->emptied + 1 : 1;
    heap->emptied_beat = heap->beat;
    if (heap->emptied == GOING_DOWN && heap == heap->main) {
        mi__thread_heap_collect(heap);
    }
    (void)mi__purge_tend();
}

void
mi__free(void *p)
{
    fast_free(p);
}

void
mi__free_sized(void *p, size_t size, size_t align)
{
    (void)size;
    (void)align;
    fast_free(p);
}
