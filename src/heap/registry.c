// SPDX-License-Identifier: MIT
// registry.c — all thread heaps, and who holds them.
//
// States of a heap:
//   | #  | state   | owner-only fields belong to | leaves by                                         | order   | pairs with |
//   | G1 | LIVE    | its thread                  | → G2 leave (its thread), B1                       | seq_cst | B2, B3, B4 |
//   |    |         |                             | → G3 claim (siblings: its thread, a destroyer), B6| acquire | B1, B5, B7 |
//   | G2 | ORPHAN  | nobody                      | → G1 bind (a thread that popped it), B2           | acquire | B1, B5     |
//   |    |         |                             | → G3 claim (any), B3                              | acquire | B1, B5     |
//   | G3 | CLAIMED | the claimer                 | → G2 let go (the claimer), B5                     | seq_cst | B2, B3, B4 |
//   |    |         |                             | → G1, G5 unclaim (siblings: the claimer), B7      | release | B6, B8     |
//   | G4 | DEAD    | nobody, for good            | never; reached from G1 and G3 in a forked child   |         |            |
//   | G5 | VACANT  | its thread                  | → G1 take up (siblings: its thread), B8           | acquire | B7         |
// A main heap that is an orphan is on the stack of orphans from `leave` to `bind`, also while it is
// claimed. Siblings go through the same states, but are on no stack: they go with their main heap,
// and are claimed one by one as its next thread uses them. A sibling that is LIVE is claimed by its
// own thread for rare work, since another thread may destroy its heap, which claims it as well.
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
#include "heap/siblings.h"
#include "os/os.h"

enum { START_NOT, START_RUNNING, START_DONE };
enum {
    TAG_BITS = 22,
    HEAP_ALIGN_SHIFT = 6,
    ADOPT_LOOKS = 16,  // orphans looked at when a page is wanted
    ADOPT_PASSES = 16, // orphans passed over when a heap is wanted
};

static _Atomic(uint32_t) start_state;
_Atomic(thread_heap_t *) mi__registry_all;
static _Atomic(size_t) heaps_made;
static _Atomic(size_t) heaps_live;
static _Atomic(uint64_t) binds;
static _Atomic(thread_heap_t *) adopt_cursor; // [hint: may be stale]

// The top of a stack of orphans is (address / 64) << TAG_BITS | tag. The tag grows with every pop
// and push, so that a heap that was popped and pushed meanwhile is not taken for untouched.

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
push_orphan(subproc_t *subproc, thread_heap_t *heap)
{
    uint64_t top = atomic_get_relaxed(&subproc->orphans);
    do {
        atomic_set_relaxed(&heap->next_orphan, heap_of_top(top));
        // release: next_orphan; pairs with the acquire in pop_orphan.
    } while (!atomic_cas_weak_release(&subproc->orphans, &top, top_of_heap(heap, top)));
}

static thread_heap_t *
pop_orphan(subproc_t *subproc)
{
    // acquire: next_orphan of the top; pairs with the release in push_orphan.
    uint64_t top = atomic_get_acquire(&subproc->orphans);
    for (;;) {
        thread_heap_t *heap = heap_of_top(top);
        if (heap == NULL) {
            return NULL;
        }
        thread_heap_t *next = atomic_get_relaxed(&heap->next_orphan);
        // acq_rel: pairs with the release in push_orphan, and passes it on to who pops the next
        // one.
        if (atomic_cas_weak_acq_rel(&subproc->orphans, &top, top_of_heap(next, top))) {
            return heap;
        }
    }
}

bool
mi__registry_claim(thread_heap_t *heap, uint32_t from, uint32_t to)
{
    // B2, B3, B6, acquire: what the last holder did to the heap; pairs with B1, B5 and B7.
    return atomic_cas_strong_acquire(&heap->state, &from, to);
}

void
mi__registry_unclaim(thread_heap_t *heap, uint32_t to)
{
    // B7, release: what the claimer did; pairs with B6 and B8.
    atomic_set_release(&heap->state, to);
}

static bool
claim_orphan(thread_heap_t *heap)
{
    return mi__registry_claim(heap, HEAP_ORPHAN, HEAP_CLAIMED);
}

// Lets a heap go that the caller holds, and takes in what came home too late for its last drain.
void
mi__registry_let_go(thread_heap_t *heap)
{
    for (;;) {
        // B1, B5, seq_cst: the heap's fields; pairs with B2 and B3. And with B4: of two that list
        // and let go, one sees the other.
        atomic_store_explicit(&heap->state, HEAP_ORPHAN, memory_order_seq_cst);
        atomic_thread_fence(memory_order_seq_cst); // pairs with the fence in mi__registry_tell
        if (atomic_get_relaxed(&heap->owner.pending) == NULL || !claim_orphan(heap)) {
            return;
        }
        mi__thread_heap_drain(heap);
    }
}

void
mi__registry_tell(owner_t *owner)
{
    thread_heap_t *heap = (thread_heap_t *)(void *)owner;
    atomic_thread_fence(memory_order_seq_cst); // B4: pairs with the fence in mi__registry_let_go
    if (atomic_get_relaxed(&heap->state) == HEAP_ORPHAN && claim_orphan(heap)) {
        mi__thread_heap_drain(heap);
        mi__registry_let_go(heap);
    }
}

static void
leave_at_thread_exit(void *heap)
{
    if (mi__thread_heap->main == heap) {
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
adopt_heap(subproc_t *subproc)
{
    thread_heap_t *passed[ADOPT_PASSES];
    unsigned passes = 0;
    thread_heap_t *heap = pop_orphan(subproc);
    while (heap != NULL && !mi__registry_claim(heap, HEAP_ORPHAN, HEAP_LIVE)) {
        if (atomic_get_relaxed(&heap->state) != HEAP_DEAD) {
            passed[passes++] = heap;
        }
        heap = passes < ADOPT_PASSES ? pop_orphan(subproc) : NULL;
    }
    while (passes > 0) {
        push_orphan(subproc, passed[--passes]);
    }
    if (heap != NULL) {
        mi__sampling_look(heap);
    }
    return heap;
}

static thread_heap_t *
make_heap(thread_heap_t *main)
{
    thread_heap_t *heap = (thread_heap_t *)mi__meta_alloc(sizeof *heap);
    if (heap == NULL) {
        return NULL;
    }
    mi__thread_heap_init(heap, main);
    thread_heap_t *first = atomic_get_relaxed(&mi__registry_all);
    do {
        heap->next_made = first;
        // release: the heap's fields; pairs with the acquire in mi__registry_first.
    } while (!atomic_cas_weak_release(&mi__registry_all, &first, heap));
    return heap;
}

thread_heap_t *
mi__registry_make(thread_heap_t *main)
{
    return make_heap(main);
}

static thread_heap_t *
make_main_heap(subproc_t *subproc)
{
    thread_heap_t *heap = make_heap(NULL);
    if (heap != NULL) {
        atomic_add_relaxed(&heaps_made, 1);
        atomic_set_relaxed(&heap->heap, &subproc->main);
    }
    return heap;
}

thread_heap_t *
mi__registry_bind_in(subproc_t *subproc)
{
    if (!ensure_started()) {
        return NULL;
    }
    thread_heap_t *heap = adopt_heap(subproc);
    if (heap == NULL) {
        heap = make_main_heap(subproc);
        if (heap == NULL) {
            return NULL;
        }
    }
    atomic_set_relaxed(&heap->thread_id, (uint32_t)mi__os_thread_id());
    atomic_add_relaxed(&heaps_live, 1);
    atomic_add_relaxed(&binds, 1);
    // Bound first: asking for the call at thread exit may itself allocate.
    mi__thread_heap = heap;
    mi__os_thread_on_exit(heap);
    mi__thread_heap_drain(heap);
    return heap;
}

thread_heap_t *
mi__registry_bind(void)
{
    return mi__registry_bind_in(&mi__subproc_main);
}

void
mi__registry_leave(void)
{
    thread_heap_t *heap = mi__thread_heap->main;
    if (thread_heap_is_none(heap)) {
        return;
    }
    subproc_t *subproc = mi__subproc_current();
    mi__siblings_leave(heap);
    mi__thread_heap_collect(heap);
    if (mi__purge_tend()) {
        mi__thread_heap_collect(heap);
    }
    mi__thread_heap = (thread_heap_t *)(uintptr_t)&mi__thread_heap_none;
    atomic_sub_relaxed(&heaps_live, 1);
    mi__registry_let_go(heap);
    push_orphan(subproc, heap);
}

void
mi__registry_move_orphans(subproc_t *from, subproc_t *to)
{
    for (thread_heap_t *heap; (heap = pop_orphan(from)) != NULL;) {
        push_orphan(to, heap);
    }
}

static bool
are_of_one(const thread_heap_t *a, const thread_heap_t *b)
{
    return atomic_get_relaxed(&a->heap) == atomic_get_relaxed(&b->heap);
}

static page_t *
take_page(thread_heap_t *orphan, thread_heap_t *heap, unsigned class)
{
    if (HINT_GET(orphan->queues[class].first) == NULL || !claim_orphan(orphan)) {
        return NULL;
    }
    // A heap that was deleted meanwhile has changed what its pages belong to.
    page_t *page = are_of_one(orphan, heap) ? mi__thread_heap_give_page(orphan, class, heap) : NULL;
    mi__registry_let_go(orphan);
    return page;
}

page_t *
mi__registry_adopt_page(thread_heap_t *heap, unsigned class)
{
    if (heap_of_top(atomic_get_relaxed(&mi__subproc_current()->orphans)) == NULL) {
        return NULL;
    }
    // acquire: the heap it points to; pairs with the release below.
    thread_heap_t *at = atomic_get_acquire(&adopt_cursor);
    page_t *page = NULL;
    for (unsigned looks = 0; looks < ADOPT_LOOKS && page == NULL; looks++) {
        at = at == NULL ? mi__registry_first() : at;
        if (atomic_get_relaxed(&at->state) == HEAP_ORPHAN && are_of_one(at, heap)) {
            page = take_page(at, heap, class);
        }
        at = at->next_made;
    }
    // release: pairs with the acquire above.
    atomic_set_release(&adopt_cursor, at);
    return page;
}

void
mi__registry_collect(void (*trim)(thread_heap_t *heap))
{
    for (thread_heap_t *heap = mi__registry_first(); heap != NULL; heap = heap->next_made) {
        if (atomic_get_relaxed(&heap->state) == HEAP_ORPHAN && claim_orphan(heap)) {
            mi__thread_heap_drain(heap);
            if (trim != NULL) {
                trim(heap);
            }
            mi__registry_let_go(heap);
        }
    }
}

void
mi__registry_trim(bool all)
{
    atomic_add_relaxed(&mi__thread_heap_wishes, all ? WISH_ALL : WISH_COLD);
    mi__registry_collect(all ? mi__thread_heap_trim : mi__thread_heap_trim_cold);
}

void
mi__registry_after_fork(void)
{
    size_t live = 0;
    for (thread_heap_t *heap = mi__registry_first(); heap != NULL; heap = heap->next_made) {
        uint32_t state = atomic_get_relaxed(&heap->state);
        bool is_mine = heap->main == mi__thread_heap->main && state == HEAP_LIVE;
        if (is_mine && heap->main == heap) {
            live++;
            atomic_set_relaxed(&heap->thread_id, (uint32_t)mi__os_thread_id());
        }
        if (!is_mine && state != HEAP_ORPHAN && state != HEAP_VACANT) {
            atomic_set_relaxed(&heap->state, HEAP_DEAD);
        }
    }
    atomic_set_relaxed(&heaps_live, live);
    if (atomic_get_relaxed(&start_state) == START_RUNNING) {
        // Who was starting the library is not there any more: start again.
        atomic_set_relaxed(&start_state, START_NOT);
    }
    mi__heap_after_fork();
    mi__purge_after_fork();
}

thread_heap_t *
mi__registry_first(void)
{
    // acquire: the heaps' fields; pairs with the release in make_heap.
    return atomic_get_acquire(&mi__registry_all);
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
    return atomic_get_relaxed(&heap->state) == HEAP_ORPHAN;
}
