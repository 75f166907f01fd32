// SPDX-License-Identifier: MIT
// siblings.c — the thread heaps that a thread has beside its main one, for first-class heaps.
//
// A sibling follows the states of heap/registry.c, and one more, VACANT: its heap was destroyed, or
// deleted and its pages merged into the main one; the thread takes it up for another heap.
//
// Owns:        see siblings.h
// Threads:     see siblings.h
// Invariants:  see siblings.h
// Not here:    see siblings.h
#include "heap/siblings.h"

#include "arena/meta.h"
#include "base/check.h"
#include "heap/registry.h"

enum {
    CHUNK_SHIFT = 8,
    CHUNK_ENTRIES = 1 << CHUNK_SHIFT,
    CHUNKS = HEAPS_MAX >> CHUNK_SHIFT,
    DRAIN_LOOKS = 8, // siblings looked at in one round of rare work
};

// [owner only] By slot of the heap: an entry may also be of an earlier heap with that slot.
typedef struct siblings_t {
    thread_heap_t *first;
    thread_heap_t *cursor; // where the next round of rare work begins; NULL: at the first
    thread_heap_t **chunks[CHUNKS];
} siblings_t;

#define NONE_HEAP ((thread_heap_t *)(uintptr_t)&mi__thread_heap_none)
MI_THREAD_LOCAL thread_heap_t *mi__siblings_last_mine = NONE_HEAP;

static siblings_t *
siblings_of(thread_heap_t *main)
{
    if (main->siblings == NULL) {
        main->siblings = (struct siblings_t *)mi__meta_alloc(sizeof *main->siblings);
    }
    return main->siblings;
}

static thread_heap_t **
entry_of(thread_heap_t *main, uint32_t slot)
{
    siblings_t *siblings = siblings_of(main);
    if (siblings == NULL) {
        return NULL;
    }
    thread_heap_t ***chunk = &siblings->chunks[slot >> CHUNK_SHIFT];
    if (*chunk == NULL) {
        *chunk = (thread_heap_t **)mi__meta_alloc(CHUNK_ENTRIES * sizeof(void *));
    }
    return *chunk == NULL ? NULL : &(*chunk)[slot & (CHUNK_ENTRIES - 1)];
}

static bool
is_absorbed(const thread_heap_t *sibling, const thread_heap_t *main)
{
    return atomic_get_relaxed(&sibling->heap) == atomic_get_relaxed(&main->heap);
}

// Moves the pages of a sibling whose heap was deleted into the main one; true when it is vacant now.
// The caller holds both.
static bool
absorb(thread_heap_t *sibling, thread_heap_t *main)
{
    if (mi__thread_heap == sibling) {
        mi__thread_heap = main;
    }
    if (!mi__thread_heap_merge(sibling, main)) {
        return false;
    }
    atomic_set_relaxed(&sibling->heap, NULL);
    return true;
}

// Takes up what the table has for a heap; false when it is of no use for it.
static bool
take_up(thread_heap_t *sibling, thread_heap_t *main, heap_t *heap)
{
    for (;;) {
        // acquire: what whoever made it vacant did; pairs with the release in mi__registry_unclaim.
        uint32_t state = atomic_get_acquire(&sibling->state);
        if (state == HEAP_LIVE && atomic_get_relaxed(&sibling->heap) == heap) {
            return true;
        }
        if (state == HEAP_VACANT) {
            mi__heap_join(heap, sibling);
            atomic_set_relaxed(&sibling->state, HEAP_LIVE);
            return true;
        }
        if (state == HEAP_LIVE && is_absorbed(sibling, main) && absorb(sibling, main)) {
            atomic_set_relaxed(&sibling->state, HEAP_VACANT);
        } else if (state == HEAP_ORPHAN) {
            (void)!mi__registry_claim(sibling, HEAP_ORPHAN, HEAP_LIVE);
        } else if (state == HEAP_CLAIMED) {
            mi__os_yield();
        } else {
            return false;
        }
    }
}

static thread_heap_t *
add_sibling(thread_heap_t *main, heap_t *heap)
{
    thread_heap_t *sibling = mi__registry_make(main);
    if (sibling != NULL) {
        sibling->next_sibling = main->siblings->first;
        main->siblings->first = sibling;
        mi__heap_join(heap, sibling);
    }
    return sibling;
}

static thread_heap_t *
find_sibling(thread_heap_t *main, heap_t *heap)
{
    thread_heap_t **entry = entry_of(main, heap->slot);
    if (entry == NULL) {
        return NULL;
    }
    if (*entry == NULL || !take_up(*entry, main, heap)) {
        thread_heap_t *sibling = add_sibling(main, heap);
        if (sibling == NULL) {
            return NULL;
        }
        *entry = sibling;
    }
    return *entry;
}

thread_heap_t *
mi__siblings_find(heap_t *heap)
{
    thread_heap_t *main = mi__thread_heap->main;
    if (unlikely(thread_heap_is_none(main)) && (main = mi__registry_bind()) == NULL) {
        return NULL;
    }
    thread_heap_t *found = atomic_get_relaxed(&main->heap) == heap ? main : find_sibling(main, heap);
    if (found != NULL) {
        mi__siblings_last = found;
    }
    return found;
}

thread_heap_t *
mi__siblings_forget(thread_heap_t *heap)
{
    mi__thread_heap = heap->main;
    return heap->main;
}

// True when there is something to do for a sibling that is not to be collected in any case.
static bool
is_untidy(thread_heap_t *sibling, const thread_heap_t *main)
{
    return atomic_get_relaxed(&sibling->owner.pending) != NULL || is_absorbed(sibling, main);
}

// Claims a sibling of the calling thread while it drains or collects it, for another thread may
// destroy its heap. False when that is so just now.
static bool
tidy(thread_heap_t *sibling, thread_heap_t *main, void (*work)(thread_heap_t *))
{
    bool absorbed = is_absorbed(sibling, main);
    if (!mi__registry_claim(sibling, HEAP_LIVE, HEAP_CLAIMED) &&
        !(absorbed && mi__registry_claim(sibling, HEAP_ORPHAN, HEAP_CLAIMED))) {
        return false;
    }
    if (absorbed) {
        mi__registry_unclaim(sibling, absorb(sibling, main) ? HEAP_VACANT : HEAP_LIVE);
    } else {
        work(sibling);
        mi__registry_unclaim(sibling, HEAP_LIVE);
    }
    return true;
}

void
mi__siblings_absorb(uint32_t slot)
{
    thread_heap_t *main = mi__thread_heap->main;
    if (main->siblings == NULL || main->siblings->chunks[slot >> CHUNK_SHIFT] == NULL) {
        return;
    }
    thread_heap_t *sibling = *entry_of(main, slot);
    if (sibling != NULL && is_absorbed(sibling, main)) {
        (void)tidy(sibling, main, mi__thread_heap_drain);
    }
}

void
mi__siblings_drain(thread_heap_t *main)
{
    siblings_t *siblings = main->siblings;
    thread_heap_t *at = siblings->cursor == NULL ? siblings->first : siblings->cursor;
    for (unsigned looks = 0; looks < DRAIN_LOOKS && at != NULL; looks++) {
        if (is_untidy(at, main)) {
            (void)tidy(at, main, mi__thread_heap_drain);
        }
        at = at->next_sibling;
    }
    siblings->cursor = at;
}

void
mi__siblings_collect(thread_heap_t *main, bool trim)
{
    thread_heap_t *at = main->siblings == NULL ? NULL : main->siblings->first;
    for (; at != NULL; at = at->next_sibling) {
        (void)tidy(at, main, mi__thread_heap_collect);
        if (trim) {
            (void)tidy(at, main, mi__thread_heap_trim);
        }
    }
}

void
mi__siblings_trim_cold(thread_heap_t *main)
{
    thread_heap_t *at = main->siblings == NULL ? NULL : main->siblings->first;
    for (; at != NULL; at = at->next_sibling) {
        (void)tidy(at, main, mi__thread_heap_trim_cold);
    }
}

// Makes an orphan of a sibling, unless it is one, or vacant.
static void
let_go(thread_heap_t *sibling, thread_heap_t *main)
{
    uint32_t state;
    while ((state = atomic_get_relaxed(&sibling->state)) == HEAP_CLAIMED || state == HEAP_LIVE) {
        // It may be vacant afterwards, or somebody destroys its heap just now.
        if (state == HEAP_CLAIMED) {
            mi__os_yield();
        } else if (tidy(sibling, main, mi__thread_heap_collect) &&
                   mi__registry_claim(sibling, HEAP_LIVE, HEAP_CLAIMED)) {
            mi__registry_let_go(sibling);
        }
    }
}

void
mi__siblings_let_go(thread_heap_t *sibling)
{
    thread_heap_t *main = sibling->main;
    if (mi__thread_heap == sibling) {
        mi__thread_heap = main;
    }
    if (mi__siblings_last == sibling) {
        mi__siblings_last = NONE_HEAP;
    }
    let_go(sibling, main);
}

void
mi__siblings_leave(thread_heap_t *main)
{
    thread_heap_t *at = main->siblings == NULL ? NULL : main->siblings->first;
    for (; at != NULL; at = at->next_sibling) {
        let_go(at, main);
    }
    mi__siblings_last = NONE_HEAP;
}
