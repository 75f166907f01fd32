// SPDX-License-Identifier: MIT
// heap.h — first-class heaps, and the subprocesses that they are part of.
//
// A heap is what its blocks belong to: those up to BLOCK_MAX lie in pages of the heap's thread
// heaps, one for each thread that has used it; singletons are listed with the heap itself. Each
// subprocess has a main heap, whose thread heaps are the threads' main ones. Singletons of the
// process's own main heap, which is never destroyed, are not listed.
//
// States of a heap:
//   | #  | state | thread heaps and singletons               | leaves by                       |
//   | F1 | FREE  | none; waits in the list of free ones      | → F2 new                        |
//   | F2 | LIVE  | any thread adds                           | → F1 delete, destroy            |
// Who deletes or destroys a heap sees to it that nobody allocates from it meanwhile. Blocks may be
// freed, by any thread, while their heap is deleted; not while it is destroyed.
//
// Owns:        heap_t, subproc_t, page_t.holder, thread_heap_t.heap, .next_of_heap
// Threads:     any
// Invariants:  V1 a thread heap is in the list of the heap that it belongs to, the main heaps' apart
//              V2 a heap's address stays a heap, and a subprocess's a subprocess, for the life of
//                 the process
// Not here:    a thread's own heaps → heap/siblings.h, walking → heap/walk.h
#ifndef MI_HEAP_HEAP_H
#define MI_HEAP_HEAP_H

#include "heap/spin.h"
#include "heap/thread_heap.h"

enum { HEAPS_MAX = 1 << 16 }; // first-class heaps at one time

struct subproc_t;

typedef struct heap_t {
    // [constant while the heap lives]
    struct subproc_t *subproc;
    region_t *only; // its pages lie there; or NULL: anywhere
    // [constant after init]
    uint32_t slot;            // < HEAPS_MAX; 0 for main heaps
    struct heap_t *next_made; // all heaps ever made by mi__heap_new
    // [atomic: any thread]
    _Atomic(bool) live;
    _Atomic(int) node; // 1 + the NUMA node that its memory is to be near, or 0: the thread's own
    _Atomic(thread_heap_t *) thread_heaps;
    // [lock: lock]
    spin_t lock;
    page_t *singletons;
    // [lock: of the list of free heaps]
    struct heap_t *next_free;
} heap_t;

typedef struct subproc_t {
    // [atomic: any thread] the stack of orphaned main thread heaps, heap/registry.c
    _Atomic(uint64_t) orphans;
    heap_t main;
    // [lock: of the list of free heaps]
    struct subproc_t *next_free;
    _Atomic(bool) live;          // [atomic: any thread]
    struct subproc_t *next_made; // [constant after init]
} subproc_t;

extern MI_HIDDEN subproc_t mi__subproc_main;

// ---- Heaps

// A heap of `subproc` whose pages lie in the region `only`, or, when that is NULL, anywhere. NULL
// when there is no memory, or when there are HEAPS_MAX.
MI_NODISCARD heap_t *mi__heap_new(subproc_t *subproc, region_t *only);

// Ends a heap that is no main one: its blocks belong to the main heap from now on, or are freed.
void mi__heap_delete(heap_t *heap);
void mi__heap_destroy(heap_t *heap);

// Takes in what other threads freed to the calling thread's part of the heap, and releases its
// empty pages.
void mi__heap_collect(heap_t *heap);

// The heap of the live block in which `p` lies; NULL when there is none. Any pointer will do.
heap_t *mi__heap_of(const void *p);

// The heap to which the page belongs; NULL when it is being given up.
heap_t *mi__heap_of_page(page_t *page);

// Puts a thread heap that belongs to no heap into `heap`.
void mi__heap_join(heap_t *heap, thread_heap_t *thread_heap);

// Lists a singleton with the heap it was allocated from, and takes one that has been retired off
// its list.
void mi__heap_list_singleton(heap_t *heap, page_t *page);
void mi__heap_unlist_singleton(page_t *page);

// True for a heap that has been made and not ended. Any heap ever made will do.
bool mi__heap_is_live(heap_t *heap);

// The first heap and the first subprocess ever made, main ones apart: for mi__heap_first_made, and for tools
// (front/descriptor.c).
extern MI_HIDDEN _Atomic(heap_t *) mi__heap_all;
extern MI_HIDDEN _Atomic(subproc_t *) mi__heap_subprocs;

// All heaps ever made by mi__heap_new, live ones and others: the first, and the one after `heap`;
// NULL at the end.
heap_t *mi__heap_first_made(void);

// Main heaps don't end by themselves.
static inline bool
heap_is_main(const heap_t *heap)
{
    return heap == &heap->subproc->main;
}

// All but malloc's own, which never ends, list their singletons.
static inline bool
heap_is_listing(const heap_t *heap)
{
    return heap != &mi__subproc_main.main;
}

// Where a thread heap's pages are to lie.
static inline region_t *
mi__heap_region(const thread_heap_t *thread_heap)
{
    const heap_t *heap = atomic_get_relaxed(&thread_heap->heap);
    return heap == NULL ? NULL : heap->only;
}

// The NUMA node near which a thread heap's pages are to lie; −1: the thread's own.
static inline int
mi__heap_node(const thread_heap_t *thread_heap)
{
    const heap_t *heap = atomic_get_relaxed(&thread_heap->heap);
    return heap == NULL ? -1 : atomic_get_relaxed(&heap->node) - 1;
}

// ---- Subprocesses

// NULL when there is no memory.
MI_NODISCARD subproc_t *mi__subproc_new(void);

// Ends a subprocess that is not the main one and has no thread: all its heaps, with their blocks;
// or, by mi__subproc_delete, everything becomes a part of the main one. False when threads are in
// it.
MI_NODISCARD bool mi__subproc_destroy(subproc_t *subproc);
MI_NODISCARD bool mi__subproc_delete(subproc_t *subproc);

// The subprocess of the calling thread.
subproc_t *mi__subproc_current(void);

// In the child of a fork.
void mi__heap_after_fork(void);

#endif
