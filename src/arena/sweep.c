// SPDX-License-Identifier: MIT
// sweep.c — giving the memory of free slices back; the table of a slice's states is in slices.c.
//
// Owns:        nothing; takes steps S2 → S4 → S1
// Threads:     any
// Invariants:  see slices.h
// Not here:    when to purge → arena/purge.c
#include "arena/slices.h"

#include "arena/slice_bits.h"
#include "base/bits.h"

// S2 → S4 → S1 for one run of free, dirty slices of a chunk.
static size_t
purge_run(region_t *region, size_t chunk, unsigned bit, unsigned slices)
{
    uint64_t mask = low_mask(slices) << bit;
    if (!claim_bits(&region->chunks[chunk].used, mask)) {
        return 0;
    }
    bool purged;
    if (!mi__slices_give_back(region, chunk * CHUNK_SLICES + bit, slices, &purged)) {
        return 0; // they stay claimed for good: nobody may touch them
    }
    if (purged) {
        uint64_t dirty = atomic_get_relaxed(&region->chunks[chunk].dirty) & mask;
        atomic_and_relaxed(&region->chunks[chunk].dirty, ~mask);
        mi__slices_count_clean(dirty);
    }
    release_bits(&region->chunks[chunk].used, mask);
    return purged ? (size_t)slices << SLICE_SHIFT : 0;
}

// Purges the slices `bits` of a chunk from the highest down, as long as `most` bytes are not exceeded.
static size_t
purge_bits(region_t *region, size_t chunk, uint64_t bits, size_t most)
{
    size_t bytes = 0;
    while (bits != 0 && bytes < most) {
        unsigned end = highest_bit(bits) + 1;
        uint64_t below = ~(bits << (64 - end));
        unsigned run = below == 0 ? 64 : 63 - highest_bit(below);
        run = (unsigned)size_min(run, divide_up(most - bytes, SLICE_SIZE));
        bytes += purge_run(region, chunk, end - run, run);
        bits &= ~(low_mask(run) << (end - run));
    }
    return bytes;
}

static uint64_t
free_and_dirty(region_t *region, size_t chunk)
{
    return atomic_get_relaxed(&region->chunks[chunk].dirty) &
           ~atomic_get_relaxed(&region->chunks[chunk].used);
}

static size_t
purge_chunk(region_t *region, size_t chunk, bool all, bool *left)
{
    uint64_t candidates = free_and_dirty(region, chunk);
    uint64_t bits = all ? candidates : candidates & atomic_get_relaxed(&region->chunks[chunk].aged);
    if ((candidates & ~bits) != 0) {
        *left = true;
        atomic_or_relaxed(&region->chunks[chunk].aged, candidates & ~bits);
    }
    if (bits == 0) {
        return 0;
    }
    size_t bytes = purge_bits(region, chunk, bits, SIZE_MAX);
    // Somebody took a slice, or the system refused: the rest is for another call.
    *left = *left || bytes < (size_t)__builtin_popcountll(bits) << SLICE_SHIFT;
    return bytes;
}

size_t
mi__slices_purge(bool all, bool *left)
{
    size_t bytes = 0;
    *left = false;
    for (size_t i = 0, n = mi__region_count(); i < n; i++) {
        region_t *region = mi__region_at(i);
        if (region->pinned) {
            continue;
        }
        for (size_t chunk = 0, chunks = committed_chunks(region); chunk < chunks; chunk++) {
            bytes += purge_chunk(region, chunk, all, left);
        }
    }
    return bytes;
}

// Purges from the highest chunk down until `most` bytes are given back.
static size_t
purge_from_above(size_t most, bool only_aged)
{
    size_t bytes = 0;
    for (size_t i = mi__region_count(); i-- > 0 && bytes < most;) {
        region_t *region = mi__region_at(i);
        for (size_t chunk = committed_chunks(region); chunk-- > 0 && bytes < most;) {
            uint64_t bits = free_and_dirty(region, chunk);
            if (bits != 0 && only_aged) {
                bits &= atomic_get_relaxed(&region->chunks[chunk].aged);
            }
            bytes += purge_bits(region, chunk, bits, most - bytes);
        }
    }
    return bytes;
}

size_t
mi__slices_purge_part(unsigned parts)
{
    size_t marked = 0;
    for (size_t i = 0, n = mi__region_count(); i < n; i++) {
        region_t *region = mi__region_at(i);
        for (size_t chunk = 0, chunks = committed_chunks(region); chunk < chunks; chunk++) {
            uint64_t bits = free_and_dirty(region, chunk);
            bits = bits == 0 ? 0 : bits & atomic_get_relaxed(&region->chunks[chunk].aged);
            marked += (size_t)__builtin_popcountll(bits);
        }
    }
    return purge_from_above(divide_up(marked, parts) << SLICE_SHIFT, true);
}

size_t
mi__slices_purge_bytes(size_t bytes)
{
    return purge_from_above(bytes, false);
}
