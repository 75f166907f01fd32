// SPDX-License-Identifier: MIT
// sweep.c — giving the memory of free slices back; the table of a slice's states is in slices.c.
//
// Owns:        nothing; takes steps S2 → S4 → S1
// Threads:     any
// Invariants:  see slices.h
// Not here:    when to purge → arena/purge.c
#include "arena/slices.h"

#include "arena/purge.h"
#include "arena/slice_bits.h"
#include "base/bits.h"

// S2 → S4 → S1 for one run of free slices of a chunk.
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
    uint64_t dirty = 0;
    if (purged) {
        dirty = atomic_get_relaxed(&region->chunks[chunk].dirty) & mask;
        atomic_and_relaxed(&region->chunks[chunk].dirty, ~mask);
        mi__slices_count_clean(dirty);
    }
    release_bits(&region->chunks[chunk].used, mask);
    return bit_count(dirty) << SLICE_SHIFT;
}

// Purges the slices `bits` of a chunk, which are whole units, from the highest down, as long as `most`
// bytes are not exceeded.
static size_t
purge_bits(region_t *region, size_t chunk, uint64_t bits, size_t most, unsigned unit)
{
    size_t bytes = 0;
    while (bits != 0 && bytes < most) {
        unsigned end = highest_bit(bits) + 1;
        uint64_t below = ~(bits << (64 - end));
        unsigned run = below == 0 ? 64 : 63 - highest_bit(below);
        run = (unsigned)size_min(run, align_up(divide_up(most - bytes, SLICE_SIZE), unit));
        bytes += purge_run(region, chunk, end - run, run);
        bits &= ~(low_mask(run) << (end - run));
    }
    return bytes;
}

// All bits of the units, of so many slices each, in which a bit is set.
static uint64_t
whole_units(uint64_t bits, unsigned unit)
{
    for (unsigned step = 1; step < unit; step *= 2) {
        bits |= bits >> step;
    }
    return (bits & (UINT64_MAX / low_mask(unit))) * low_mask(unit);
}

// The units of a chunk that are free and hold memory; with `aged`, only where all of that was marked.
static uint64_t
free_and_dirty(region_t *region, size_t chunk, unsigned unit, bool aged)
{
    uint64_t dirty = atomic_get_relaxed(&region->chunks[chunk].dirty);
    uint64_t used = atomic_get_relaxed(&region->chunks[chunk].used);
    uint64_t bits = whole_units(dirty, unit) & ~whole_units(used, unit);
    if (bits != 0 && aged) {
        bits &= ~whole_units(dirty & ~atomic_get_relaxed(&region->chunks[chunk].aged), unit);
    }
    return bits;
}

static size_t
purge_chunk(region_t *region, size_t chunk, bool all, bool *left)
{
    unsigned unit = all ? 1 : mi__purge_unit();
    uint64_t bits = free_and_dirty(region, chunk, unit, !all);
    uint64_t young = all ? 0 : free_and_dirty(region, chunk, unit, false) & ~bits;
    if (young != 0) {
        *left = true;
        atomic_or_relaxed(&region->chunks[chunk].aged, young);
    }
    if (bits == 0) {
        return 0;
    }
    size_t bytes = purge_bits(region, chunk, bits, SIZE_MAX, unit);
    // The system refused: another call may have more luck.
    *left = *left || (free_and_dirty(region, chunk, unit, false) & bits) != 0;
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
purge_from_above(size_t most, bool only_aged, unsigned unit)
{
    size_t bytes = 0;
    for (size_t i = mi__region_count(); i-- > 0 && bytes < most;) {
        region_t *region = mi__region_at(i);
        for (size_t chunk = committed_chunks(region); chunk-- > 0 && bytes < most;) {
            uint64_t bits = free_and_dirty(region, chunk, unit, only_aged);
            bytes += purge_bits(region, chunk, bits, most - bytes, unit);
        }
    }
    return bytes;
}

size_t
mi__slices_purge_part(unsigned parts)
{
    unsigned unit = mi__purge_unit();
    size_t marked = 0;
    for (size_t i = 0, n = mi__region_count(); i < n; i++) {
        region_t *region = mi__region_at(i);
        for (size_t chunk = 0, chunks = committed_chunks(region); chunk < chunks; chunk++) {
            marked += bit_count(free_and_dirty(region, chunk, unit, true));
        }
    }
    return purge_from_above(divide_up(marked, parts) << SLICE_SHIFT, true, unit);
}

size_t
mi__slices_purge_bytes(size_t bytes, bool all)
{
    return purge_from_above(bytes, false, all ? 1 : mi__purge_unit());
}

size_t
mi__slices_purge_around(region_t *region, size_t slice, size_t count)
{
    unsigned unit = mi__purge_unit();
    size_t bytes = 0;
    for (size_t chunk = slice / CHUNK_SLICES; !region->pinned && chunk * CHUNK_SLICES < slice + count;
         chunk++) {
        bytes += purge_bits(region, chunk, free_and_dirty(region, chunk, unit, false), SIZE_MAX, unit);
    }
    return bytes;
}
