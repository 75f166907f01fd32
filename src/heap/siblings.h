// SPDX-License-Identifier: MIT
// siblings.h — the thread heaps that a thread has beside its main one, for first-class heaps.
//
// They stay with the main heap, also when that is handed over to another thread. The thread finds
// the one for a heap by the heap's slot number; the one that it used last is at hand at once.
//
// Owns:        thread_heap_t.siblings, .next_sibling; which heap a thread used last
// Threads:     the thread of the main heap, unless a function says otherwise
// Invariants:  N1 a sibling's `main` never changes
// Not here:    heaps → heap/heap.h, who holds a thread heap → heap/registry.h
#ifndef MI_HEAP_SIBLINGS_H
#define MI_HEAP_SIBLINGS_H

#include "heap/heap.h"

// The thread heap that the calling thread used last for a first-class heap; never NULL.
extern MI_HIDDEN MI_THREAD_LOCAL thread_heap_t *mi__siblings_last_mine;
#define mi__siblings_last OF_THREAD(mi__siblings_last_mine)

// The calling thread's heap for `heap`, made when there is none. NULL when there is no memory.
MI_NODISCARD thread_heap_t *mi__siblings_find(heap_t *heap);

// True when `part` belongs to `heap`. A plain read, for the straight path: a thread that may use the
// heap has seen what made the part its own, and other values are as good as any.
static inline bool
siblings_is_of(const thread_heap_t *part, const heap_t *heap)
{
    const void *field = (const char *)part + offsetof(thread_heap_t, heap);
    return HOT_GET(*(heap_t *const *)field) == heap;
}

// The same, at hand when it was the last one asked for.
MI_NODISCARD static inline thread_heap_t *
mi__siblings_of(heap_t *heap)
{
    thread_heap_t *last = mi__siblings_last;
    return likely(siblings_is_of(last, heap)) ? last : mi__siblings_find(heap);
}

// `heap`, which malloc used in this thread, belongs to none any more: malloc uses the main one
// again. Returns that.
thread_heap_t *mi__siblings_forget(thread_heap_t *heap);

// The heap with this slot was deleted: merges the calling thread's pages of it.
void mi__siblings_absorb(uint32_t slot);

// Takes in what came home to a few of the siblings, and merges those whose heap was deleted.
void mi__siblings_drain(thread_heap_t *main);

// Drains all of them and stops their service, for mi_collect; with `trim` also gives back what is free in
// their pages.
void mi__siblings_collect(thread_heap_t *main, bool trim);
void mi__siblings_trim_cold(thread_heap_t *main);

// The thread uses `sibling`, one of its own, no more: it is an orphan until a thread whose main heap
// it belongs to asks for its heap again.
void mi__siblings_let_go(thread_heap_t *sibling);

// The thread ends: the same for all of them.
void mi__siblings_leave(thread_heap_t *main);

#endif
