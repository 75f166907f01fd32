// SPDX-License-Identifier: MIT
// census.h — counts what the whole process holds, by size class, over all threads.
//
// Nothing is counted on the fast paths: the figures follow from the page descriptors and from the
// counts that the slow path keeps per thread heap. They are exact when no other thread allocates
// meanwhile, else a close snapshot.
//
// Owns:        nothing
// Threads:     any, at any time
// Not here:    texts and tables → front/stats.c
#ifndef MI_HEAP_CENSUS_H
#define MI_HEAP_CENSUS_H

#include "heap/heap.h"

typedef struct census_class_t {
    size_t block_size;   // bytes; 0 for the last entry, which counts singletons of any size
    uint64_t allocated;  // blocks handed out since the start
    uint64_t live;       // blocks that are not free now
    uint64_t live_bytes; // live × block size (singletons: their usable sizes)
    uint64_t pages_made; // pages since the start; singletons: `allocated`
    uint64_t pages;      // pages of this class now
    uint64_t page_bytes; // and their address space
} census_class_t;

typedef struct census_t {
    census_class_t classes[CLASS_COUNT + 1];
    census_class_t total;     // the sum of the above; block_size 0
    uint64_t singleton_bytes; // of singletons handed out since the start
    uint64_t pages_orphaned;  // pages of thread heaps without a thread
    uint64_t threads_bound;   // threads that were given a heap since the start
    size_t threads;           // threads that own a heap now
    size_t thread_heaps;      // that belong to a heap now …
    size_t thread_heaps_made; // … and all there are
    size_t threads_peak;      // thread heaps ever made: the peak, since they are reused
    size_t reserved_bytes;    // address space of all regions
    size_t committed_bytes;   // made accessible
    size_t free_bytes;        // committed slices that hold no page …
    size_t purgeable_bytes;   // … and of these, not yet given back to the system
    uint64_t purged_bytes;    // given back since the start
    size_t metadata_bytes;    // descriptors, bitmaps and thread heaps, committed
} census_t;

void mi__census_take(census_t *census);

// Its metadata_bytes, without a walk.
size_t mi__census_metadata_bytes(void);

// A part of the process: what all of the fields that are not NULL name.
typedef struct census_scope_t {
    const thread_heap_t *thread_heap;
    const thread_heap_t *thread; // a thread, by its main heap: all thread heaps of it
    const heap_t *heap;
    const subproc_t *subproc;
} census_scope_t;

// The same of a part: what its thread heaps have granted, and their pages. Singletons belong to a
// heap, but to no thread. `threads` are those whose main heap is in the part now; the other figures
// of the process are 0.
void mi__census_take_part(census_t *census, const census_scope_t *scope);

#endif
