// SPDX-License-Identifier: MIT
// region.h — contiguous ranges of address space that are divided into slices, and the way from an
// address to its descriptor.
//
// A region of our own is one reservation: [ bitmaps | guard | descriptors | guard | slices … ].
// Slices are 64 KiB each; slice i has the descriptor i, so that an address leads to its descriptor
// by arithmetic. Memory is committed from the low end along a frontier that only grows, descriptors
// and bitmaps with it. Memory that the program hands over is a region, too (arena/given.h):
// its descriptors and bitmaps lie apart from it.
//
// Owns:        the regions and their frontiers
// Threads:     any; everything here is lock-free
// Invariants:  R1 slices, descriptors and bitmap words below `committed` are readable and writable
//              R2 `committed` is a multiple of CHUNK_SLICES and never shrinks
//              R3 a region, once published, stays for the life of the process
//              R4 `used` is set for good for slices below `start` and from `end` on
// Not here:    which slices are in use → arena/slices.c, what a descriptor holds → page/page.h
#ifndef MI_ARENA_REGION_H
#define MI_ARENA_REGION_H

#include "base/atomic.h"
#include "base/config.h"

// The descriptor of a slice; layer `page` says what is in it. New descriptors are all zero.
typedef struct page_t page_t;

// What the fast path needs of the first region: one cache line that is written only when the
// frontier moves.
typedef struct region_first_t {
    uintptr_t base;        // [constant after init] address of slice 0
    uintptr_t descriptors; // [constant after init] address of descriptor 0
    size_t committed;      // [hint: may be stale] bytes below the frontier; 0 before start-up
} region_first_t;

// Asks who handed memory over to make a part of it usable, or says that the part is not used any
// more. `*is_zero` (commit only) tells whether the part reads as zero then. False: it can't be done.
typedef bool region_commit_fun_t(bool commit, void *start, size_t size, bool *is_zero, void *arg);

// The bitmaps of one chunk, one bit a slice. They lie side by side: what is read together is in one
// cache line, and a small heap touches one OS page of them.
typedef struct chunk_bits_t {
    // [atomic: any thread]
    MI_ALIGNED(32) _Atomic(uint64_t) used; // 1 = handed out (or being purged)
    _Atomic(uint64_t) dirty;               // 1 = may hold something else than zeros
    _Atomic(uint64_t) aged;                // 1 = was free already when the purger came by the last time
    _Atomic(uint64_t) moved;               // 1 = its memory was moved here, a mapping of its own
} chunk_bits_t;

typedef struct region_t {
    // [constant after init]
    char *base;           // address of slice 0, a multiple of CHUNK_BYTES
    char *descriptors;    // of slice 0
    size_t slices;        // a multiple of CHUNK_SLICES
    char *start;          // the region's memory; from `base`, and all of the slices, in regions of our own
    char *end;            // behind it
    chunk_bits_t *chunks; // of the slices: the bitmaps
    size_t reserved_bytes;
    bool given;                  // handed over: descriptors and bitmaps lie apart, and are all committed
    bool exclusive;              // only for those who name it
    bool pinned;                 // its memory stays: it is not purged, moved or protected
    int numa_node;               // that the memory is near to; −1: any
    region_commit_fun_t *commit; // NULL: the system commits. Else a clean slice is not committed
    void *commit_arg;
    // [atomic: any thread]
    _Atomic(size_t) committed;
    _Atomic(struct region_t *) next[LOOKUP_LEVELS]; // see arena/lookup.c
    // [hint: may be stale] no chunk below has room for a run of: one slice, a medium page
    _Atomic(size_t) first_room[2];
} region_t;

extern MI_HIDDEN region_first_t mi__region_first;

// Regions that were handed over and are for everybody.
extern MI_HIDDEN _Atomic(size_t) mi__region_given_shared;

// All regions, and how many slots are taken by them; NULL: not ready yet. For mi__region_count and
// mi__region_at, and for tools (front/descriptor.c).
extern MI_HIDDEN _Atomic(region_t *) mi__region_table[REGION_MAX];
extern MI_HIDDEN _Atomic(size_t) mi__region_taken;

// Reserves the first region, unless there is one. False when not even the smallest fits into the
// address space.
MI_NODISCARD bool mi__region_init(void);

// Adds a region with room for at least `slices` slices in one run at a multiple of `align` bytes (a
// power of two). False when the system has no room.
MI_NODISCARD bool mi__region_add(size_t slices, size_t align);

// True when there was hardly any address space to be had at the start: what is reserved is little, then.
bool mi__region_is_scarce(void);

// Number of regions, and region `index` below that number.
size_t mi__region_count(void);
region_t *mi__region_at(size_t index);

// Makes a region whose other fields are set one of those that are searched and claimed from: gives it
// its number, takes a copy of it that stays, and returns that. NULL, and nothing has changed, when
// there are REGION_MAX already, no memory, or a region in the way.
MI_NODISCARD region_t *mi__region_publish(const region_t *region);

// Sets the used bits of the slices outside of the region's memory, which lie in its first and last chunk.
void mi__region_mark_outside(region_t *region);

// Bytes that a region's bitmaps and descriptors take, with the guards between and behind them; their
// places, in so many bytes at `start`; and committing all of them.
size_t mi__region_header_bytes(size_t slices);
void mi__region_set_header(region_t *region, char *start);
MI_NODISCARD bool mi__region_commit_header(region_t *region);

// Commits at least the first `slices` slices. False when the system refuses; what was committed
// before stays.
MI_NODISCARD bool mi__region_commit(region_t *region, size_t slices);

// Tells the system whether it shall back slices by huge pages, as the options say: for mappings that do
// not know it.
void mi__region_advise_huge(const region_t *region, size_t from, size_t to);

// The region in whose committed slices `p` lies, or NULL.
region_t *mi__region_of(const void *p);

// The descriptor of the committed slice in which `p` lies, in whichever region; NULL when there is
// none.
page_t *mi__region_descriptor(const void *p);

// True when `p` lies in address space that a region has for slices, committed or not.
bool mi__region_reserves(const void *p);

// Gives the memory of claimed slices back to the system, or to the function that came with it. False
// where that can't be done: the slices may hold anything then.
bool mi__region_give_back(const region_t *region, char *start, size_t bytes);

// Drops the contents of slices that are in use: they read as zero afterwards, and their memory has
// gone back to the system. False, and nothing has changed, where that can't be done.
bool mi__region_discard(void *start, size_t bytes);

// Totals over all regions, in bytes.
size_t mi__region_reserved_bytes(void);
size_t mi__region_committed_bytes(void);
size_t mi__region_metadata_bytes(void);

static inline page_t *
region_descriptor_at(const region_t *region, size_t slice)
{
    return (page_t *)(void *)(region->descriptors + (slice << DESCRIPTOR_SHIFT));
}

static inline char *
region_slice_at(const region_t *region, size_t slice)
{
    return region->base + (slice << SLICE_SHIFT);
}

// Bytes of the region's memory below its frontier.
static inline size_t
region_committed_bytes(region_t *region)
{
    char *frontier = region_slice_at(region, atomic_get_relaxed(&region->committed));
    char *end = frontier < region->end ? frontier : region->end;
    return end > region->start ? (size_t)(end - region->start) : 0;
}

static inline size_t
region_slice_of(const region_t *region, const void *p)
{
    return (size_t)((const char *)p - region->base) >> SLICE_SHIFT;
}

// Finds the descriptor for `p` when it lies in the first region, else returns false: the fast case
// of mi__region_descriptor.
static inline bool
region_first_find(const void *p, page_t **descriptor)
{
    size_t offset = (uintptr_t)p - HOT_GET(mi__region_first.base);
    // No order needed: whoever holds a block learned of it through the synchronisation that handed
    // the block over.
    if (unlikely(offset >= HOT_GET(mi__region_first.committed))) {
        return false;
    }
    size_t at = (offset >> (SLICE_SHIFT - DESCRIPTOR_SHIFT)) & ~(size_t)(DESCRIPTOR_SIZE - 1);
    *descriptor = (page_t *)(HOT_GET(mi__region_first.descriptors) + at); // NOLINT(performance-no-int-to-ptr)
    return true;
}

#endif
