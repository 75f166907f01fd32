// SPDX-License-Identifier: MIT
// heap.c — first-class heaps: made, ended, and which singletons are theirs.
//
// Owns:        see heap.h
// Threads:     see heap.h
// Invariants:  see heap.h
// Not here:    see heap.h
#include "heap/heap.h"

#include "arena/meta.h"
#include "base/check.h"
#include "heap/registry.h"
#include "heap/samples.h"
#include "heap/siblings.h"

subproc_t mi__subproc_main = {.main = {.subproc = &mi__subproc_main, .live = true}, .live = true};

static spin_t free_lock;
static heap_t *free_heaps;              // [lock: free_lock]
static subproc_t *free_subprocs;        // [lock: free_lock]
_Atomic(heap_t *) mi__heap_all;         // [atomic: any thread] but for main ones
_Atomic(subproc_t *) mi__heap_subprocs; // [atomic: any thread] but for the main one
static _Atomic(uint32_t) slots_taken;

// ---- Singletons

static void
link_first(heap_t *heap, page_t *page)
{
    page->prev = NULL;
    page->next = heap->singletons;
    if (heap->singletons != NULL) {
        heap->singletons->prev = page;
    }
    heap->singletons = page;
}

void
mi__heap_list_singleton(heap_t *heap, page_t *page)
{
    if (likely(!heap_is_listing(heap))) {
        return;
    }
    spin_lock(&heap->lock);
    link_first(heap, page);
    atomic_set_relaxed(&page->holder, heap);
    spin_unlock(&heap->lock);
}

static void
take_off(heap_t *heap, page_t *page)
{
    if (page->prev != NULL) {
        page->prev->next = page->next;
    } else {
        heap->singletons = page->next;
    }
    if (page->next != NULL) {
        page->next->prev = page->prev;
    }
}

static void
unlink_singleton(heap_t *heap, page_t *page)
{
    take_off(heap, page);
    // release: we are done with the page; pairs with the acquire in mi__heap_unlist_singleton, after
    // which it is released.
    atomic_set_release(&page->holder, NULL);
}

void
mi__heap_unlist_singleton(page_t *page)
{
    // The holder changes when its heap is deleted, under its lock. acquire: pairs with the release in
    // unlink_singleton.
    for (heap_t *heap; (heap = (heap_t *)atomic_get_acquire(&page->holder)) != NULL;) {
        spin_lock(&heap->lock);
        if (atomic_get_relaxed(&page->holder) == heap) {
            unlink_singleton(heap, page);
        }
        spin_unlock(&heap->lock);
    }
}

static void
hand_over_singletons(heap_t *heap, heap_t *to)
{
    spin_lock(&heap->lock);
    while (heap->singletons != NULL) {
        page_t *page = heap->singletons;
        // Never without a holder before it is listed again: who frees the block would release the page.
        if (heap_is_listing(to)) {
            take_off(heap, page);
            mi__heap_list_singleton(to, page);
        } else {
            unlink_singleton(heap, page);
        }
    }
    spin_unlock(&heap->lock);
}

static void
release_singletons(heap_t *heap)
{
    spin_lock(&heap->lock);
    while (heap->singletons != NULL) {
        page_t *page = heap->singletons;
        unlink_singleton(heap, page);
        if (mi__page_retire_singleton(page)) {
            mi__page_release(page);
        }
    }
    spin_unlock(&heap->lock);
}

// ---- Heaps

static heap_t *
make_heap(void)
{
    // Slot 0 is the main heaps'.
    uint32_t slot = atomic_add_relaxed(&slots_taken, 1) + 1;
    heap_t *heap = slot < HEAPS_MAX ? (heap_t *)mi__meta_alloc(sizeof *heap) : NULL;
    if (heap == NULL) {
        atomic_sub_relaxed(&slots_taken, 1);
        return NULL;
    }
    heap->slot = slot;
    heap_t *first = atomic_get_relaxed(&mi__heap_all);
    do {
        heap->next_made = first;
        // release: the heap's fields; pairs with the acquire in mi__heap_first_made.
    } while (!atomic_cas_weak_release(&mi__heap_all, &first, heap));
    return heap;
}

heap_t *
mi__heap_new(subproc_t *subproc, region_t *only)
{
    spin_lock(&free_lock);
    heap_t *heap = free_heaps;
    if (heap != NULL) {
        free_heaps = heap->next_free;
    }
    spin_unlock(&free_lock);
    if (heap == NULL && (heap = make_heap()) == NULL) {
        return NULL;
    }
    heap->subproc = subproc;
    heap->only = only;
    atomic_set_relaxed(&heap->node, 0);
    // release: the fields above; pairs with the acquire in heap_is_live.
    atomic_set_release(&heap->live, true);
    return heap;
}

bool
mi__heap_is_live(heap_t *heap)
{
    // acquire: the heap's fields; pairs with the release in mi__heap_new.
    return atomic_get_acquire(&heap->live);
}

static void
give_back(heap_t *heap)
{
    spin_lock(&free_lock);
    heap->next_free = free_heaps;
    free_heaps = heap;
    spin_unlock(&free_lock);
}

heap_t *
mi__heap_first_made(void)
{
    // acquire: the heaps' fields; pairs with the release in make_heap.
    return atomic_get_acquire(&mi__heap_all);
}

void
mi__heap_join(heap_t *heap, thread_heap_t *thread_heap)
{
    atomic_set_relaxed(&thread_heap->heap, heap);
    thread_heap_t *first = atomic_get_relaxed(&heap->thread_heaps);
    do {
        thread_heap->next_of_heap = first;
        // release: next_of_heap and the thread heap's fields; pairs with the acquire in take_list.
    } while (!atomic_cas_weak_release(&heap->thread_heaps, &first, thread_heap));
}

static thread_heap_t *
take_list(heap_t *heap)
{
    // acquire: pairs with the release in mi__heap_join.
    return atomic_exchange_acquire(&heap->thread_heaps, NULL);
}

void
mi__heap_delete(heap_t *heap)
{
    ASSERT(!heap_is_main(heap));
    heap_t *main = &heap->subproc->main;
    atomic_set_relaxed(&heap->live, false);
    hand_over_singletons(heap, main);
    thread_heap_t *next;
    for (thread_heap_t *at = take_list(heap); at != NULL; at = next) {
        next = at->next_of_heap;
        // Its pages stay its own until its thread comes by and merges them (heap/siblings.c): they
        // are that thread's to touch.
        atomic_set_relaxed(&at->heap, main);
    }
    mi__siblings_absorb(heap->slot);
    give_back(heap);
}

// Waits for a thread heap that its thread tidies up, or that a stranger takes blocks in for. False
// when it is held for good.
static bool
claim_to_wipe(thread_heap_t *at)
{
    for (;;) {
        uint32_t state = atomic_get_relaxed(&at->state);
        if (state == HEAP_DEAD) {
            return false;
        }
        if (state == HEAP_CLAIMED) {
            mi__os_yield();
        } else if (mi__registry_claim(at, state, HEAP_CLAIMED)) {
            return true;
        }
    }
}

void
mi__heap_destroy(heap_t *heap)
{
    ASSERT(!heap_is_main(heap));
    atomic_set_relaxed(&heap->live, false);
    mi__samples_end_heap(heap);
    release_singletons(heap);
    thread_heap_t *next;
    for (thread_heap_t *at = take_list(heap); at != NULL; at = next) {
        next = at->next_of_heap;
        if (claim_to_wipe(at)) {
            mi__thread_heap_wipe(at, mi__thread_heap->main);
            atomic_set_relaxed(&at->heap, NULL);
            mi__registry_unclaim(at, HEAP_VACANT);
        }
    }
    give_back(heap);
}

void
mi__heap_collect(heap_t *heap)
{
    thread_heap_t *mine = mi__siblings_find(heap);
    if (mine != NULL) {
        mi__thread_heap_collect(mine);
    }
}

heap_t *
mi__heap_of_page(page_t *page)
{
    uintptr_t word = page_owner(page);
    if ((word & OWNER_SINGLETON) != 0) {
        heap_t *heap = (heap_t *)atomic_get_relaxed(&page->holder);
        return heap == NULL ? &mi__subproc_main.main : heap;
    }
    const thread_heap_t *owner = page_thread_heap(word);
    return owner == NULL ? NULL : atomic_get_relaxed(&owner->heap);
}

heap_t *
mi__heap_of(const void *p)
{
    page_t *page = mi__page_around(p);
    return page == NULL ? NULL : mi__samples_heap_of(page, p);
}

// ---- Subprocesses

subproc_t *
mi__subproc_new(void)
{
    spin_lock(&free_lock);
    subproc_t *subproc = free_subprocs;
    if (subproc != NULL) {
        free_subprocs = subproc->next_free;
    }
    spin_unlock(&free_lock);
    if (subproc == NULL) {
        subproc = (subproc_t *)mi__meta_alloc(sizeof *subproc);
        if (subproc == NULL) {
            return NULL;
        }
        subproc->main.subproc = subproc;
        subproc_t *first = atomic_get_relaxed(&mi__heap_subprocs);
        do {
            subproc->next_made = first;
            // release: the fields; pairs with the acquire in mi__heap_after_fork.
        } while (!atomic_cas_weak_release(&mi__heap_subprocs, &first, subproc));
    }
    atomic_set_relaxed(&subproc->live, true);
    atomic_set_relaxed(&subproc->main.live, true);
    return subproc;
}

static bool
has_threads(const subproc_t *subproc)
{
    for (thread_heap_t *at = mi__registry_first(); at != NULL; at = at->next_made) {
        if (at->main == at && atomic_get_relaxed(&at->heap) == &subproc->main &&
            atomic_get_relaxed(&at->state) == HEAP_LIVE) {
            return true;
        }
    }
    return false;
}

// Ends all heaps of the subprocess that are not main ones. False when threads are in it.
static bool
end_heaps(subproc_t *subproc, void (*end)(heap_t *))
{
    if (subproc == &mi__subproc_main || has_threads(subproc)) {
        return false;
    }
    for (heap_t *heap = mi__heap_first_made(); heap != NULL; heap = heap->next_made) {
        if (mi__heap_is_live(heap) && heap->subproc == subproc) {
            end(heap);
        }
    }
    return true;
}

static void
end_subproc(subproc_t *subproc)
{
    atomic_set_relaxed(&subproc->live, false);
    atomic_set_relaxed(&subproc->main.live, false);
    spin_lock(&free_lock);
    subproc->next_free = free_subprocs;
    free_subprocs = subproc;
    spin_unlock(&free_lock);
}

bool
mi__subproc_destroy(subproc_t *subproc)
{
    if (!end_heaps(subproc, mi__heap_destroy)) {
        return false;
    }
    mi__samples_end_heap(&subproc->main);
    release_singletons(&subproc->main);
    for (thread_heap_t *at = mi__registry_first(); at != NULL; at = at->next_made) {
        if (atomic_get_relaxed(&at->heap) != &subproc->main || !claim_to_wipe(at)) {
            continue;
        }
        mi__thread_heap_wipe(at, mi__thread_heap->main);
        // Main ones wait on the stack of orphans for the next threads of a subprocess.
        if (at->main == at) {
            mi__registry_let_go(at);
        } else {
            atomic_set_relaxed(&at->heap, NULL);
            mi__registry_unclaim(at, HEAP_VACANT);
        }
    }
    end_subproc(subproc);
    return true;
}

bool
mi__subproc_delete(subproc_t *subproc)
{
    if (!end_heaps(subproc, mi__heap_delete)) {
        return false;
    }
    hand_over_singletons(&subproc->main, &mi__subproc_main.main);
    for (thread_heap_t *at = mi__registry_first(); at != NULL; at = at->next_made) {
        if (atomic_get_relaxed(&at->heap) == &subproc->main) {
            atomic_set_relaxed(&at->heap, &mi__subproc_main.main);
        }
    }
    mi__registry_move_orphans(subproc, &mi__subproc_main);
    end_subproc(subproc);
    return true;
}

subproc_t *
mi__subproc_current(void)
{
    const heap_t *heap = atomic_get_relaxed(&mi__thread_heap->main->heap);
    return heap == NULL ? &mi__subproc_main : heap->subproc;
}

// ---- Fork

// The thread that was changing the list is gone: lists the heap's singletons anew.
static void
list_anew(heap_t *heap)
{
    heap->singletons = NULL;
    for (size_t i = 0, n = mi__region_count(); i < n; i++) {
        region_t *region = mi__region_at(i);
        for (size_t slice = 0, end = atomic_get_relaxed(&region->committed); slice < end; slice++) {
            page_t *page = region_descriptor_at(region, slice);
            if ((page_owner(page) & OWNER_SINGLETON) != 0 && atomic_get_relaxed(&page->holder) == heap) {
                link_first(heap, page);
            }
        }
    }
}

static void
renew(heap_t *heap)
{
    if (spin_renew(&heap->lock)) {
        list_anew(heap);
    }
}

void
mi__heap_after_fork(void)
{
    mi__samples_after_fork();
    // At worst a free heap or subprocess is forgotten: their lists are whole at every step.
    (void)spin_renew(&free_lock);
    for (heap_t *heap = mi__heap_first_made(); heap != NULL; heap = heap->next_made) {
        renew(heap);
    }
    // acquire: pairs with the release in mi__subproc_new.
    for (subproc_t *at = atomic_get_acquire(&mi__heap_subprocs); at != NULL; at = at->next_made) {
        renew(&at->main);
    }
}
