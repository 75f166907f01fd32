// SPDX-License-Identifier: MIT
// heap_types.h — from the public handles of heaps to what they stand for, and back.
//
// Owns:        nothing
// Threads:     pure functions
// Not here:    what a heap is → heap/heap.h
#ifndef MI_FRONT_HEAP_TYPES_H
#define MI_FRONT_HEAP_TYPES_H

#include "mimalloc.h"

#include "heap/heap.h"

static inline heap_t *
heap_of_public(const mi_heap_t *heap)
{
    return (heap_t *)(uintptr_t)heap; // NOLINT(performance-no-int-to-ptr): drops const
}

static inline mi_heap_t *
public_heap(heap_t *heap)
{
    return (mi_heap_t *)(void *)heap;
}

static inline thread_heap_t *
part_of_public(mi_theap_t *theap)
{
    return (thread_heap_t *)(void *)theap;
}

static inline mi_theap_t *
public_part(thread_heap_t *part)
{
    return (mi_theap_t *)(void *)part;
}

static inline subproc_t *
subproc_of_public(mi_subproc_id_t id)
{
    return id._mi_subproc_id == NULL ? &mi__subproc_main : (subproc_t *)id._mi_subproc_id;
}

#endif
