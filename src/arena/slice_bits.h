// SPDX-License-Identifier: MIT
// slice_bits.h — steps on the words of a chunk, for slices.c and sweep.c.
//
// Owns:        nothing
// Threads:     any
// Not here:    what they mean → arena/slices.c
#ifndef MI_ARENA_SLICE_BITS_H
#define MI_ARENA_SLICE_BITS_H

#include "arena/region.h"
#include "base/bits.h"

static inline size_t
committed_chunks(region_t *region)
{
    // acquire: pairs with the release in raise_frontier (region.c): bitmap words below it are
    // mapped.
    return atomic_get_acquire(&region->committed) / CHUNK_SLICES;
}

// S1, S2 → S3 for the bits `mask` of one word; false when one of them is taken.
static inline bool
claim_bits(_Atomic(uint64_t) *word, uint64_t mask)
{
    uint64_t seen = atomic_get_relaxed(word);
    do {
        if ((seen & mask) != 0) {
            return false;
        }
        // acquire: pairs with the release in release_bits: what the last holder did is over.
    } while (!atomic_cas_weak_acquire(word, &seen, seen | mask));
    return true;
}

static inline void
release_bits(_Atomic(uint64_t) *word, uint64_t mask)
{
    // release: the last use of the slices; pairs with the acquire in claim_bits.
    atomic_and_release(word, ~mask);
}

static inline uint64_t
chunk_mask(size_t slice, size_t count, size_t chunk)
{
    size_t low = chunk * CHUNK_SLICES;
    size_t from = size_max(slice, low) - low;
    size_t to = size_min(slice + count, low + CHUNK_SLICES) - low;
    return low_mask((unsigned)(to - from)) << from;
}

// Gives the memory of claimed slices back; `*purged` tells whether they read as zero now. False when
// they are lost: nobody may touch them.
MI_NODISCARD bool mi__slices_give_back(region_t *region, size_t slice, size_t count, bool *purged);

// Purges what is free and dirty in the units (arena/purge.h) of the slices; returns the bytes.
size_t mi__slices_purge_around(region_t *region, size_t slice, size_t count);

// Counts slices that were dirty and are clean now.
void mi__slices_count_clean(uint64_t bits);

#endif
