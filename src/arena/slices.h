// SPDX-License-Identifier: MIT
// slices.h — handing out runs of slices, and taking them back.
//
// Owns:        the bitmaps `used`, `dirty`, `aged` and `moved` of every region
// Threads:     any; lock-free
// Invariants:  S1 a slice whose `used` bit is set belongs to exactly one claimer
//              S2 a slice with `used` and `dirty` clear reads as zero; in a region with a function that
//                 commits, it is not committed
// Not here:    address space → arena/region.c, giving memory back → arena/purge.c
#ifndef MI_ARENA_SLICES_H
#define MI_ARENA_SLICES_H

#include "arena/region.h"

typedef struct slice_run_t {
    page_t *descriptor; // of the first slice
    char *start;        // address of the first slice
    bool zero;          // all bytes are zero
} slice_run_t;

// Claims `count` slices in one run whose start is a multiple of `align` bytes (a power of two,
// SLICE_SIZE or more), in `only` or, where that is NULL, in any region that is not exclusive. The
// descriptors are as their last holder left them: `owner` 0. False when there is no memory; other
// regions neither grow nor are added for the sake of `only`.
MI_NODISCARD bool mi__slices_claim(size_t count, size_t align, region_t *only, slice_run_t *run);

// A short name for the place of slices that start at `start`, to come back to; 0 outside of the first
// region.
uint32_t mi__slices_place(const char *start);

// Claims the `count` slices at a place, which is not 0, while they still hold memory. False when one
// of them is taken, or the first was purged.
MI_NODISCARD bool mi__slices_claim_again(uint32_t place, size_t count, slice_run_t *run);

// The NUMA node whose memory the calling thread's claims are to be served from, as far as regions near
// to it were handed over; −1 (as at first): the one on which it runs.
void mi__slices_prefer_node(int node);

// NUMA nodes that are told apart: those of the machine, or as many as the options say.
unsigned mi__slices_nodes(void);

// Takes `count` slices from `start` back; they are purged later. The caller has cleared the
// descriptors' owner words.
void mi__slices_release(char *start, size_t count);

// Claims the `more` slices right behind a run of `count` slices at `start`; they may hold anything.
// `*zero` tells whether all of them are zero. False when they are not free.
MI_NODISCARD bool mi__slices_claim_behind(char *start, size_t count, size_t more, bool *zero);

// Moves the memory of `count` claimed slices to as many others, also claimed, whose memory is dropped.
// The first ones read as zero then. False where that cannot be done: nothing has changed.
MI_NODISCARD bool mi__slices_move(char *from, char *to, size_t count);

// Like mi__slices_release, of slices that read as zero: fresh ones that were never touched, or those
// that memory was moved away from.
void mi__slices_release_zero(char *start, size_t count);

// Gives the memory of free slices back to the system: of those that were free at the last call
// already and were not in use since, or of all of them. Returns the bytes; `*left` tells whether
// dirty slices are left for another call.
size_t mi__slices_purge(bool all, bool *left);

// Slices of one region that are in use.
size_t mi__slices_in_use(region_t *region);

// The same by portions, from the highest slices down: one in `parts` of those that are marked and were
// not in use since; or of any, `bytes` of them, with `all` those too that are not free as a whole unit
// (arena/purge.h). They return the bytes given back.
size_t mi__slices_purge_part(unsigned parts);
size_t mi__slices_purge_bytes(size_t bytes, bool all);

// How much memory slices hold, without a walk: those in use, those that are free but not given back,
// and all that were claimed clean since the start. Close to the truth while others work.
typedef struct slices_held_t {
    size_t used_bytes;
    size_t free_bytes;
    size_t refilled_bytes;
} slices_held_t;
slices_held_t mi__slices_held(void);

// Bytes of free slices below the frontiers, and of these the ones that still hold memory.
void mi__slices_count(size_t *free_bytes, size_t *dirty_bytes);

#endif
