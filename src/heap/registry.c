// SPDX-License-Identifier: MIT
// registry.c — all thread heaps, and who holds them.
//
// States of a heap:
//   | #  | state   | owner-only fields belong to | leaves by                                         | order   | pairs with |
//   | G1 | LIVE    | its thread                  | → G2 leave (its thread), B1                       | seq_cst | B2, B3, B4 |
//   | G2 | ORPHAN  | nobody                      | → G1 bind (a thread that popped it), B2           | acquire | B1, B5     |
//   |    |         |                             | → G3 claim (any), B3                              | acquire | B1, B5     |
//   | G3 | CLAIMED | the claimer                 | → G2 unclaim (the claimer), B5                    | seq_cst | B2, B3, B4 |
//   | G4 | DEAD    | nobody, for good            | never; reached from G1 and G3 in a forked child   |         |            |
// An orphan is on the stack of orphans from `leave` to `bind`, also while it is claimed.
// Telling (B4) and leaving race: the one lists a page and then reads the state, the other sets the
// state and then reads the list. Both use sequential consistency between the two steps, so that one
// of them sees the other.
//
// Owns:        see registry.h
// Threads:     see registry.h
// Invariants:  see registry.h
// Not here:    see registry.h
#include "heap/registry.h"

#include "arena/meta.h"
#include "arena/purge.h"
#include "base/check.h"
#include "base/hooks.h"
#include "heap/held.h"
#include "os/os.h"

enum { LIVE = 0, ORPHAN, CLAIMED, DEAD };
enum { START_NOT, START_RUNNING, START_DONE };
enum {
    TAG_BITS = 22,
    HEAP_ALIGN_SHIFT = 6,
    ADOPT_LOOKS = 16,  // orphans looked at when a page is wanted
    ADOPT_PASSES = 16, // orphans passed over when a heap is wanted
};

static _Atomic(uint32_t) start_state;
static _Atomic(thread_heap_t *) all_heaps;
static _Atomic(size_t) heaps_made;
static _Atomic(size_t) heaps_live;
static _Atomic(uint64_t) binds;
// The top of the stack of orphans: (address / 64) << TAG_BITS | tag. The tag grows with every pop
// and push, so that a heap that was popped and pushed meanwhile is not taken for untouched.
static _Atomic(uint64_t) orphans;
static _Atomic(thread_heap_t *) adopt_cursor; // [hint: may be stale]

static thread_heap_t *
heap_of_top(uint64_t top)
{
    return (thread_heap_t *)(uintptr_t)(top >> TAG_BITS
                                                   << HEAP_ALIGN_SHIFT); // NOLINT(performance-no-int-to-ptr)
}

static uint64_t
top_of_heap(const thread_heap_t *heap, uint64_t old_top)
{
    uint64_t tag = (old_top + 1) & ((UINT64_C(1) << TAG_BITS) - 1);
    return (uint64_t)((uintptr_t)heap >> HEAP_ALIGN_SHIFT) << TAG_BITS | tag;
}

static void
push_orphan(thread_heap_t *heap)
{
    uint64_t top = atomic_get_relaxed(&orphans);
    do {
        atomic_set_relaxed(&heap->next_orphan, heap_of_top(top));
        // release: next_orphan; pairs with the acquire in pop_orphan.
    } while (!atomic_cas_weak_release(&orphans, &top, top_of_heap(heap, top)));
}

static thread_heap_t *
pop_orphan(void)
{
    // acquire: next_orphan of the top; pairs with the release in push_orphan.
    uint64_t top = atomic_get_acquire(&orphans);
    for (;;) {
        thread_heap_t *heap = heap_of_top(top);
        if (heap == NULL) {
            return NULL;
        }
        thread_heap_t *next = atomic_get_relaxed(&heap->next_orphan);
        // acq_rel: pairs with the release in push_orphan, and passes it on to who pops the next
        // one.
        if (atomic_cas_weak_acq_rel(&orphans, &top, top_of_heap(next, top))) {
            return heap;
        }
    }
}

static bool
claim(thread_heap_t *heap, uint32_t to)
{
    uint32_t state = ORPHAN;
    // B2, B3, acquire: what the last holder did to the heap; pairs with B1 and B5.
    return atomic_cas_strong_acquire(&heap->state, &state, to);
}

// Lets a heap go that the caller holds, and takes in what came home too late for its last drain.
static void
let_go(thread_heap_t *heap)
{
    for (;;) {
        // B1, B5, seq_cst: the heap's fields; pairs with B2 and B3. And with B4: of two that list
        // and let go, one sees the other.
        atomic_store_explicit(&heap->state, ORPHAN, memory_order_seq_cst);
        atomic_thread_fence(memory_order_seq_cst); // pairs with the fence in mi__registry_tell
        if (atomic_get_relaxed(&heap->owner.pending) == NULL || !claim(heap, CLAIMED)) {
            return;
        }
        mi__thread_heap_drain(heap);
    }
}

void
mi__registry_tell(owner_t *owner)
{
    thread_heap_t *heap = (thread_heap_t *)(void *)owner;
    atomic_thread_fence(memory_order_seq_cst); // B4: pairs with the fence in let_go
    if (atomic_get_relaxed(&heap->state) == ORPHAN && claim(heap, CLAIMED)) {
        mi__thread_heap_drain(heap);
        let_go(heap);
    }
}

static void
leave_at_thread_exit(void *heap)
{
    if (mi__thread_heap == heap) {
        mi__registry_leave();
    }
}

static bool
start(void)
{
    mi__os_init();
    mi__front_first_use();
    return mi__region_init() && mi__os_thread_exit_init(leave_at_thread_exit);
}

// Starts the library once; others wait. False when the system has no address space for it: a later
// call tries again.
static bool
ensure_started(void)
{
    for (;;) {
        uint32_t state = START_NOT;
        // acquire: everything that start() set up; pairs with the release below.
        if (atomic_get_acquire(&start_state) == START_DONE) {
            return true;
        }
        // acquire: pairs with the release of a start that failed.
        if (atomic_cas_strong_acquire(&start_state, &state, START_RUNNING)) {
            bool started = start();
            // release: pairs with the acquires above.
            atomic_set_release(&start_state, started ? START_DONE : START_NOT);
            return started;
        }
        mi__os_yield();
    }
}

// Takes over an orphan. One that somebody takes in blocks for right now is passed over, and put
// back after the search.
static thread_heap_t *
adopt_heap(void)
{
    thread_heap_t *passed[ADOPT_PASSES];
    unsigned passes = 0;
    thread_heap_t *heap = pop_orphan();
    while (heap != NULL && !claim(heap, LIVE)) {
        if (atomic_get_relaxed(&heap->state) != DEAD) {
            passed[passes++] = heap;
        }
        heap = passes < ADOPT_PASSES ? pop_orphan() : NULL;
    }
    while (passes > 0) {
        push_orphan(passed[--passes]);
    }
    return heap;
}

static thread_heap_t *
make_heap(void)
{
    thread_heap_t *heap = mi__meta_alloc(sizeof *heap);
    if (heap == NULL) {
        return NULL;
    }
    mi__thread_heap_init(heap);
    atomic_add_relaxed(&heaps_made, 1);
    thread_heap_t *first = atomic_get_relaxed(&all_heaps);
    do {
        heap->next_made = first;
        // release: the heap's fields; pairs with the acquire in mi__registry_first.
    } while (!atomic_cas_weak_release(&all_heaps, &first, heap));
    return heap;
}

thread_heap_t *
mi__registry_bind(void)
{
    if (!ensure_started()) {
        return NULL;
    }
    thread_heap_t *heap = adopt_heap();
    if (heap == NULL) {
        heap = make_heap();
        if (heap == NULL) {
            return NULL;
        }
    }
    atomic_add_relaxed(&heaps_live, 1);
    atomic_add_relaxed(&binds, 1);
    // Bound first: asking for the call at thread exit may itself allocate.
    mi__thread_heap = heap;
    mi__os_thread_on_exit(heap);
    mi__thread_heap_drain(heap);
    return heap;
}

void
mi__registry_leave(void)
{
    thread_heap_t *heap = mi__thread_heap;
    if (thread_heap_is_none(heap)) {
        return;
    }
    mi__thread_heap_collect(heap);
    mi__thread_heap = (thread_heap_t *)(uintptr_t)&mi__thread_heap_none;
    atomic_sub_relaxed(&heaps_live, 1);
    let_go(heap);
    push_orphan(heap);
}

static page_t *
take_page(thread_heap_t *orphan, thread_heap_t *heap, unsigned class)
{
    if (HINT_GET(orphan->queues[class].first) == NULL || !claim(orphan, CLAIMED)) {
        return NULL;
    }
    page_t *page = mi__thread_heap_give_page(orphan, class, heap);
    let_go(orphan);
    return page;
}

page_t *
mi__registry_adopt_page(thread_heap_t *heap, unsigned class)
{
    if (heap_of_top(atomic_get_relaxed(&orphans)) == NULL) {
        return NULL;
    }
    // acquire: the heap it points to; pairs with the release below.
    thread_heap_t *at = atomic_get_acquire(&adopt_cursor);
    page_t *page = NULL;
    for (unsigned looks = 0; looks < ADOPT_LOOKS && page == NULL; looks++) {
        at = at == NULL ? mi__registry_first() : at;
        if (atomic_get_relaxed(&at->state) == ORPHAN) {
            page = take_page(at, heap, class);
        }
        at = at->next_made;
    }
    // release: pairs with the acquire above.
    atomic_set_release(&adopt_cursor, at);
    return page;
}

void
mi__registry_collect(void)
{
    for (thread_heap_t *heap = mi__registry_first(); heap != NULL; heap = heap->next_made) {
        if (atomic_get_relaxed(&heap->state) == ORPHAN && claim(heap, CLAIMED)) {
            mi__thread_heap_drain(heap);
            let_go(heap);
        }
    }
}

void
mi__registry_after_fork(void)
{
    size_t live = 0;
    for (thread_heap_t *heap = mi__registry_first(); heap != NULL; heap = heap->next_made) {
        uint32_t state = atomic_get_relaxed(&heap->state);
        if (heap == mi__thread_heap) {
            live++;
        } else if (state != ORPHAN) {
            atomic_set_relaxed(&heap->state, DEAD);
        }
    }
    atomic_set_relaxed(&heaps_live, live);
    if (atomic_get_relaxed(&start_state) == START_RUNNING) {
        // Who was starting the library is not there any more: start again.
        atomic_set_relaxed(&start_state, START_NOT);
    }
    mi__purge_after_fork();
}

thread_heap_t *
mi__registry_first(void)
{
    // acquire: the heaps' fields; pairs with the release in make_heap.
    return atomic_get_acquire(&all_heaps);
}

void
mi__registry_count(size_t *made, size_t *live)
{
    *made = atomic_get_relaxed(&heaps_made);
    *live = atomic_get_relaxed(&heaps_live);
}

uint64_t
mi__registry_bound(void)
{
    return atomic_get_relaxed(&binds);
}

bool
mi__registry_is_orphan(const thread_heap_t *heap)
{
    return atomic_get_relaxed(&heap->state) == ORPHAN;
}
