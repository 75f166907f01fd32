// SPDX-License-Identifier: MIT
// given.h — regions over memory that somebody hands over, and over memory that the library reserves
// for a purpose of its own: a fixed size, huge pages, a NUMA node.
//
// Only whole slices are used. Their descriptors and bitmaps lie apart, so that nothing of the
// library's own stands in such memory. A region stays for the life of the process.
//
// Owns:        nothing; the regions are published in arena/region.c
// Threads:     any
// Invariants:  V1 memory is given back to the system only where it reads as zero afterwards, or
//                 by the function that came with it
// Not here:    which region a claim is served from → arena/slices.c
#ifndef MI_ARENA_GIVEN_H
#define MI_ARENA_GIVEN_H

#include "arena/region.h"

typedef struct given_t {
    void *start;
    size_t size;
    bool ours;                   // reserved by the library itself: private memory
    bool committed;              // accessible as it is
    bool pinned;                 // never to be given back, moved or protected
    bool zero;                   // reads as zero, once it is committed
    bool exclusive;              // only for those who name the region
    int numa_node;               // −1: any
    region_commit_fun_t *commit; // NULL: the system does it
    void *commit_arg;
} given_t;

// Makes a region of the whole slices in the memory. NULL: there is none, a region lies there already,
// or there is no room for descriptors.
MI_NODISCARD region_t *mi__given_add(const given_t *memory);

// Reserves `size` bytes and makes a region of them; committed at once, or step by step. `large`:
// of 2 MiB pages, where it is committed and the system has enough of them.
MI_NODISCARD region_t *mi__given_reserve(size_t size, bool commit, bool large, bool exclusive);

// Adds memory from the system's pool of 2 MiB pages, for everybody, with room for at least `slices` at a
// multiple of `align`; the program has asked for that. NULL: the pool has not enough.
MI_NODISCARD region_t *mi__given_large(size_t slices, size_t align);

// Reserves `gib` GiB of huge pages near to `node` (−1: anywhere), faults them in, and makes a region
// of as much as the system has, and as is done in `timeout_ms` (0: no limit). `*got` is that, in
// GiB, the same pages of 2 MiB where there are none of 1 GiB. NULL: none.
MI_NODISCARD region_t *mi__given_reserve_huge(size_t gib, int node, size_t timeout_ms, bool exclusive,
                                              size_t *got);

#endif
