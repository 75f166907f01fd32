// SPDX-License-Identifier: MIT
// registry.h — all thread heaps: binding one to a thread, handing it over when the thread ends.
//
// A heap without a thread is an orphan: the next thread that needs a heap takes it over with all
// its pages, a thread that needs a page may take one out of it, and a thread whose free lists a
// page with it takes in what came home.
//
// Owns:        thread_heap_t.state, .next_orphan, .next_made; the list of all heaps; the stacks of
//              orphans, one for each subprocess
// Threads:     any; lock-free
// Invariants:  G1 a heap's owner-only fields are touched by the thread that holds it LIVE or
//                 CLAIMED, and by no other
//              G2 a heap's address stays a heap for the life of the process
// Not here:    what a heap does → heap/thread_heap.h
#ifndef MI_HEAP_REGISTRY_H
#define MI_HEAP_REGISTRY_H

#include "heap/heap.h"

// Gives the calling thread a main heap, in the main subprocess or in another, starting the library
// when this is the first. NULL when there is no memory.
MI_NODISCARD thread_heap_t *mi__registry_bind(void);
MI_NODISCARD thread_heap_t *mi__registry_bind_in(subproc_t *subproc);

// Makes a heap beside the thread's `main` one, LIVE, of no heap yet. NULL when there is no memory.
MI_NODISCARD thread_heap_t *mi__registry_make(thread_heap_t *main);

// The calling thread ends, or wants to be without a heap: its heap becomes an orphan. Does nothing
// when it has none.
void mi__registry_leave(void);

// Blocks came home to `owner`: when it is an orphan, takes them in for it.
void mi__registry_tell(owner_t *owner);

// Takes a page of `class` that has room out of an orphan and gives it to `heap`. NULL when none is
// found in a short search.
MI_NODISCARD page_t *mi__registry_adopt_page(thread_heap_t *heap, unsigned class);

// Takes in what came home to all orphans, and releases their empty pages; then does `trim`, unless that is
// NULL, with each.
void mi__registry_collect(void (*trim)(thread_heap_t *heap));

// Gives back what is free inside of pages, all or what stayed cold since the last call: those of orphans
// now, those of threads when they come by. The hook for arena/watch.c.
void mi__registry_trim(bool all);

// In the child of a fork: heaps of threads that are not there any more are left alone for good, and
// so is what they were doing.
void mi__registry_after_fork(void);

// Whether the heap has no thread just now.
bool mi__registry_is_orphan(const thread_heap_t *heap);

// Takes hold of a heap that is in state `from`, which then is `to`. False when it is in another.
MI_NODISCARD bool mi__registry_claim(thread_heap_t *heap, uint32_t from, uint32_t to);
// Ends a claim: the heap is LIVE or VACANT again, its thread's; or an orphan, when the caller let it
// go.
void mi__registry_unclaim(thread_heap_t *heap, uint32_t to);
void mi__registry_let_go(thread_heap_t *heap);

// The orphans of one subprocess become those of another.
void mi__registry_move_orphans(subproc_t *from, subproc_t *to);

// The first of all heaps ever made: for mi__registry_first, and for tools (front/descriptor.c).
extern MI_HIDDEN _Atomic(thread_heap_t *) mi__registry_all;

// All heaps ever made: the first, and the one after `heap`; NULL at the end.
thread_heap_t *mi__registry_first(void);
// Main heaps ever made, and those bound to a thread now.
void mi__registry_count(size_t *made, size_t *live);
// How often a heap was bound to a thread.
uint64_t mi__registry_bound(void);

#endif
