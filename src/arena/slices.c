// SPDX-License-Identifier: MIT
// slices.c — bitmaps of slices: one 64-bit word for each chunk of 4 MiB.
//
// The lowest place that fits is taken, so that a heap that shrinks empties its high end, and a 2
// MiB range in use fills up before a fresh one is opened. But who had a place before may come back
// to it while it holds memory.
//
// State of one slice (bits used, dirty):
//   | # | used | dirty | meaning             | leaves by                                     |
//   | S1 | 0   | 0     | free, reads as zero | → S3 claim                                    |
//   | S2 | 0   | 1     | free, holds memory  | → S3 claim, → S4 purge claims it              |
//   | S3 | 1   | 1     | in use              | → S2 release                                  |
//   | S4 | 1   | 1     | being purged        | → S1 purge done (dirty cleared, then used)    |
// Where a function commits the memory (region_t.commit), S1 is not committed, and the claimer has it
// committed before the slice becomes dirty: on the way from S1 to S3 a slice is used and clean.
//
// A slice that is free when the purger comes by is marked as aged; a claim takes the mark away, so that
// memory which goes in and out of use is not given back and faulted in again.
//
// A slice marked as moved (mi__slices_move) is a mapping of its own until a purge renews it.
//
// Owns:        region_t.used, .dirty, .aged, .moved, .first_room
// Threads:     any
// Invariants:  see slices.h
// Not here:    when to purge → arena/purge.c, purging → arena/sweep.c
#include "arena/slices.h"

#include "arena/given.h"
#include "arena/limit.h"
#include "arena/purge.h"
#include "arena/slice_bits.h"
#include "base/bits.h"
#include "base/check.h"
#include "os/os.h"

enum { ROOM_ONE, ROOM_MEDIUM };
enum {
    ALIGN_GAP_CHUNKS = 256, // an alignment may commit so many chunks (1 GiB) beyond the frontier
    MOVES_MAX = 4096,       // mappings apart at a time: one in sixteen of what a process may have by default
};

// Instead of a slice's index: the region has no such run, or it has one that the system refuses to
// commit.
#define NO_ROOM SIZE_MAX
#define REFUSED (SIZE_MAX - 1)

// Slices in use; slices that hold memory, in use or not; and clean ones claimed since the start.
static size_t used_slices;
static size_t backed_slices;
static size_t refilled_slices;

// Moves that no purge has renewed yet: two mappings each at most. About right is enough.
static _Atomic(size_t) moves;

// The hint below which no run of `count` slices is free.
static _Atomic(size_t) *
room_hint(region_t *region, size_t count)
{
    return &region->first_room[count < MEDIUM_PAGE_SLICES ? ROOM_ONE : ROOM_MEDIUM];
}

// Bits at which a run of `count` set bits of `bits` starts; `count` is 1 to 64.
static uint64_t
run_starts(uint64_t bits, unsigned count)
{
    // Doubling: after each step a set bit stands for a run of `have` bits.
    unsigned have = 1;
    while (have < count) {
        unsigned step = count - have < have ? count - have : have;
        bits &= bits >> step;
        have += step;
    }
    return bits;
}

// Bits of the chunk at `start` whose slices lie at multiples of `align` bytes.
static uint64_t
aligned_bits(const char *start, size_t align)
{
    uint64_t bits = 0;
    size_t step = align >> SLICE_SHIFT;
    size_t first = (align_up((uintptr_t)start, align) - (uintptr_t)start) >> SLICE_SHIFT;
    for (size_t i = first; i < CHUNK_SLICES; i += step) {
        bits |= UINT64_C(1) << i;
    }
    return bits;
}

// Relaxed, and no part of any protocol: tests/concurrent does not look at it.
__attribute__((no_sanitize("thread"))) static void
tally(size_t *counter, size_t more) // NOLINT(readability-non-const-parameter): it is written
{
    (void)__atomic_fetch_add(counter, more, __ATOMIC_RELAXED);
}

void
mi__slices_count_clean(uint64_t bits)
{
    tally(&backed_slices, -bit_count(bits));
}

// Marks claimed slices dirty and young; true when all of them read as zero.
static bool
soil_bits(region_t *region, size_t chunk, uint64_t mask)
{
    uint64_t dirty = atomic_get_relaxed(&region->chunks[chunk].dirty);
    if ((dirty & mask) != mask) {
        size_t clean = bit_count(mask & ~dirty);
        atomic_or_relaxed(&region->chunks[chunk].dirty, mask);
        tally(&backed_slices, clean);
        tally(&refilled_slices, clean);
    }
    if ((atomic_get_relaxed(&region->chunks[chunk].aged) & mask) != 0) {
        atomic_and_relaxed(&region->chunks[chunk].aged, ~mask);
    }
    return (dirty & mask) == 0;
}

// Finds and claims a run within one chunk; the slice's index in the region, or NO_ROOM.
static size_t
claim_in_chunk(region_t *region, size_t chunk, unsigned count, size_t align)
{
    _Atomic(uint64_t) *word = &region->chunks[chunk].used;
    uint64_t seen = atomic_get_relaxed(word);
    for (;;) {
        uint64_t starts = run_starts(~seen, count);
        if (align > SLICE_SIZE) {
            starts &= aligned_bits(region_slice_at(region, chunk * CHUNK_SLICES), align);
        }
        if (starts == 0) {
            return NO_ROOM;
        }
        unsigned bit = lowest_bit(starts);
        // acquire: pairs with the release in release_bits.
        if (atomic_cas_weak_acquire(word, &seen, seen | (low_mask(count) << bit))) {
            return chunk * CHUNK_SLICES + bit;
        }
    }
}

static size_t
claim_short(region_t *region, size_t from_chunk, size_t to_chunk, unsigned count, size_t align)
{
    for (size_t chunk = from_chunk; chunk < to_chunk; chunk++) {
        size_t slice = claim_in_chunk(region, chunk, count, align);
        if (slice != NO_ROOM) {
            return slice;
        }
    }
    return NO_ROOM;
}

// Claims the bits [slice, slice + count) word by word, or none of them.
static bool
claim_range(region_t *region, size_t slice, size_t count)
{
    size_t first = slice / CHUNK_SLICES;
    size_t last = (slice + count - 1) / CHUNK_SLICES;
    for (size_t chunk = first; chunk <= last; chunk++) {
        if (!claim_bits(&region->chunks[chunk].used, chunk_mask(slice, count, chunk))) {
            while (chunk-- > first) {
                release_bits(&region->chunks[chunk].used, chunk_mask(slice, count, chunk));
            }
            return false;
        }
    }
    return true;
}

// A run of more than one chunk, or aligned to more: starts at a chunk boundary, needs whole free
// chunks and the low part of the last.
static size_t
claim_long(region_t *region, size_t count, size_t align)
{
    size_t chunks = divide_up(count, CHUNK_SLICES);
    size_t all_chunks = region->slices / CHUNK_SLICES;
    size_t mapped = committed_chunks(region);
    size_t start = 0;
    while (start + chunks <= all_chunks) {
        uintptr_t at = (uintptr_t)region_slice_at(region, start * CHUNK_SLICES);
        if ((at & (align - 1)) != 0) {
            start += (align_up(at, align) - at) / CHUNK_BYTES;
            continue;
        }
        size_t chunk = start;
        while (chunk < start + chunks && chunk < mapped &&
               (atomic_get_relaxed(&region->chunks[chunk].used) &
                chunk_mask(start * CHUNK_SLICES, count, chunk)) == 0) {
            chunk++;
        }
        if (chunk < start + chunks && chunk < mapped) {
            start = chunk + 1;
            continue;
        }
        if (align > CHUNK_BYTES && start > mapped + ALIGN_GAP_CHUNKS) {
            return NO_ROOM;
        }
        if (!mi__region_commit(region, start * CHUNK_SLICES + count)) {
            return REFUSED;
        }
        mapped = committed_chunks(region);
        if (claim_range(region, start * CHUNK_SLICES, count)) {
            return start * CHUNK_SLICES;
        }
        start++;
    }
    return NO_ROOM;
}

// A run of more than one chunk that may start in the middle of one: for regions that cannot grow, and
// have no whole chunks to spare.
static size_t
claim_loose(region_t *region, size_t count, size_t align)
{
    size_t start = 0;
    for (size_t chunk = 0; chunk < region->slices / CHUNK_SLICES; chunk++) {
        uint64_t used = atomic_get_relaxed(&region->chunks[chunk].used);
        size_t free_to = chunk * CHUNK_SLICES + (used == 0 ? CHUNK_SLICES : lowest_bit(used));
        uintptr_t at = align_up((uintptr_t)region_slice_at(region, start), align);
        start = (at - (uintptr_t)region->base) >> SLICE_SHIFT;
        if (free_to >= start + count) {
            if (!mi__region_commit(region, start + count)) {
                return REFUSED;
            }
            if (claim_range(region, start, count)) {
                return start;
            }
            used = UINT64_MAX;
        }
        if (used != 0) {
            start = (chunk + 1) * CHUNK_SLICES - (size_t)__builtin_clzll(used); // behind the last in use
        }
    }
    return NO_ROOM;
}

static size_t
claim_in_region(region_t *region, size_t count, size_t align)
{
    if (count > CHUNK_SLICES || align > CHUNK_BYTES) {
        size_t slice = claim_long(region, count, align);
        return slice == NO_ROOM && region->given ? claim_loose(region, count, align) : slice;
    }
    _Atomic(size_t) *hint = room_hint(region, count);
    size_t chunks = committed_chunks(region);
    size_t from = atomic_get_relaxed(hint);
    size_t slice = claim_short(region, from, chunks, (unsigned)count, align);
    if (slice == NO_ROOM && from > 0) {
        slice = claim_short(region, 0, size_min(from, chunks), (unsigned)count, align);
    }
    while (slice == NO_ROOM && chunks < region->slices / CHUNK_SLICES) {
        if (!mi__region_commit(region, (chunks + 1) * CHUNK_SLICES)) {
            return REFUSED;
        }
        size_t grown = committed_chunks(region);
        slice = claim_short(region, chunks, grown, (unsigned)count, align);
        chunks = grown;
    }
    // What a longer run, or an aligned one, has passed over may have room for a shorter one.
    if (slice != NO_ROOM && align == SLICE_SIZE && (count == 1 || count == MEDIUM_PAGE_SLICES)) {
        atomic_set_relaxed(hint, slice / CHUNK_SLICES);
    }
    return slice;
}

static bool
soil_range(region_t *region, size_t slice, size_t count)
{
    size_t bit = slice % CHUNK_SLICES;
    if (likely(bit + count <= CHUNK_SLICES)) {
        return soil_bits(region, slice / CHUNK_SLICES, low_mask((unsigned)count) << bit);
    }
    bool zero = true;
    for (size_t chunk = slice / CHUNK_SLICES; chunk * CHUNK_SLICES < slice + count; chunk++) {
        zero = soil_bits(region, chunk, chunk_mask(slice, count, chunk)) && zero;
    }
    return zero;
}

static void
release_range(region_t *region, size_t slice, size_t count)
{
    for (size_t chunk = slice / CHUNK_SLICES; chunk * CHUNK_SLICES < slice + count; chunk++) {
        release_bits(&region->chunks[chunk].used, chunk_mask(slice, count, chunk));
    }
}

static bool
is_dirty(region_t *region, size_t slice)
{
    return (atomic_get_relaxed(&region->chunks[slice / CHUNK_SLICES].dirty) >> (slice % CHUNK_SLICES) & 1) !=
           0;
}

// Where a function commits, clean slices are not committed: has it commit those of a claimed run. What
// it has committed is dirty from then on, also when it fails later. `*zero` as in slice_run_t.
static MI_COLD bool
commit_clean(region_t *region, size_t slice, size_t count, bool *zero)
{
    *zero = true;
    for (size_t at = slice, next = slice; at < slice + count; at = next) {
        bool dirty = is_dirty(region, at);
        while (next < slice + count && is_dirty(region, next) == dirty) {
            next++;
        }
        bool is_zero = false;
        size_t bytes = (next - at) << SLICE_SHIFT;
        if (!dirty &&
            !region->commit(true, region_slice_at(region, at), bytes, &is_zero, region->commit_arg)) {
            return false;
        }
        *zero = *zero && is_zero;
        (void)soil_range(region, at, next - at);
    }
    return true;
}

// Makes claimed slices usable, and marks them so; gives the claim up where that can't be done.
static inline bool
take_range(region_t *region, size_t slice, size_t count, bool *zero)
{
    if (likely(region->commit == NULL)) {
        *zero = soil_range(region, slice, count);
    } else if (!commit_clean(region, slice, count, zero)) {
        release_range(region, slice, count);
        return false;
    }
    tally(&used_slices, count);
    return true;
}

// Claims a run in `region`; `*refused` tells that a region of our own has room, but no memory.
static bool
claim_run(region_t *region, size_t count, size_t align, slice_run_t *run, bool *refused)
{
    size_t slice = count <= region->slices ? claim_in_region(region, count, align) : NO_ROOM;
    if (unlikely(slice >= REFUSED)) {
        *refused = *refused || (slice == REFUSED && !region->given);
        return false;
    }
    run->descriptor = region_descriptor_at(region, slice);
    run->start = region_slice_at(region, slice);
    return take_range(region, slice, count, &run->zero);
}

// Where claims that name no region are served from, in this order.
typedef enum stage_t {
    NEAR, // memory that was handed over or reserved for a purpose, of this node or any
    OWN,
    FAR, // memory of the first kind, of another node
    NONE,
} stage_t;

typedef struct search_t {
    stage_t stage;
    size_t next; // index of the region to look into next
} search_t;

// [owner only] The node whose memory the thread prefers; −1: the one where it runs.
static MI_THREAD_LOCAL int preferred_node = -1;
#define preferred_node OF_THREAD(preferred_node)

void
mi__slices_prefer_node(int node)
{
    preferred_node = node;
}

unsigned
mi__slices_nodes(void)
{
    setting_t wanted = conf_get(numa_nodes);
    return wanted > 0 ? (unsigned)wanted : mi__os_numa_nodes();
}

static bool
is_near(const region_t *region)
{
    unsigned nodes = mi__slices_nodes();
    if (region->numa_node < 0 || nodes == 1) {
        return true;
    }
    unsigned node = preferred_node >= 0 ? (unsigned)preferred_node : mi__os_numa_node();
    return (unsigned)region->numa_node % nodes == node % nodes;
}

static stage_t
stage_of(const region_t *region)
{
    if (region->exclusive || region->slices == 0) {
        return NONE;
    }
    return !region->given ? OWN : is_near(region) ? NEAR : FAR;
}

// The next region to look into. NULL: there is none, nor a new one.
static MI_COLD region_t *
next_region(search_t *search, size_t count, size_t align, bool refused)
{
    const size_t most = SIZE_MAX / 8;
    for (;;) {
        size_t regions = mi__region_count();
        while (search->next < regions) {
            region_t *region = mi__region_at(search->next++);
            if (stage_of(region) == search->stage) {
                return region;
            }
        }
        if (search->stage < FAR) {
            bool large = search->stage == NEAR && conf_get(allow_large_pages);
            search->stage = (stage_t)(search->stage + 1);
            search->next = 0;
            region_t *region = large ? mi__given_large(count, align) : NULL;
            if (region != NULL) {
                return region;
            }
            continue;
        }
        // More address space does not help where the system has no memory. Where it does, others may
        // use up a new region before we come to it: there are not many.
        if (refused || count > most >> SLICE_SHIFT || align > most || !mi__region_add(count, align)) {
            return NULL;
        }
        search->stage = OWN;
        search->next = regions;
    }
}

// The region to look into first.
static inline region_t *
first_region(search_t *search, size_t count, size_t align)
{
    if (likely(atomic_get_relaxed(&mi__region_given_shared) == 0 && !conf_get(allow_large_pages))) {
        *search = (search_t){.stage = OWN, .next = 1};
        return mi__region_at(0);
    }
    *search = (search_t){.stage = NEAR};
    return next_region(search, count, align, false);
}

bool
mi__slices_claim(size_t count, size_t align, region_t *only, slice_run_t *run)
{
    ASSERT(count > 0 && align >= SLICE_SIZE && is_power_of_two(align));
    if (!mi__limit_admit(count << SLICE_SHIFT)) {
        return false;
    }
    bool refused = false;
    search_t search;
    region_t *region = likely(only == NULL) ? first_region(&search, count, align) : only;
    while (unlikely(region != NULL && !claim_run(region, count, align, run, &refused))) {
        region = only == NULL ? next_region(&search, count, align, refused) : NULL;
    }
    return region != NULL;
}

uint32_t
mi__slices_place(const char *start)
{
    const region_t *first = mi__region_at(0);
    size_t slice = region_slice_of(first, start);
    return slice < first->slices && slice < UINT32_MAX ? (uint32_t)slice + 1 : 0;
}

bool
mi__slices_claim_again(uint32_t place, size_t count, slice_run_t *run)
{
    region_t *region = mi__region_at(0);
    size_t slice = place - 1;
    uint64_t dirty = atomic_get_relaxed(&region->chunks[slice / CHUNK_SLICES].dirty);
    if ((dirty >> slice % CHUNK_SLICES & 1) == 0 || !mi__limit_admit(count << SLICE_SHIFT) ||
        !claim_range(region, slice, count)) {
        return false;
    }
    run->descriptor = region_descriptor_at(region, slice);
    run->start = region_slice_at(region, slice);
    return take_range(region, slice, count, &run->zero);
}

bool
mi__slices_claim_behind(char *start, size_t count, size_t more, bool *zero)
{
    region_t *region = mi__region_of(start);
    size_t slice = region_slice_of(region, start) + count;
    if (more > region->slices - slice) {
        return false;
    }
    size_t mapped = committed_chunks(region);
    for (size_t chunk = slice / CHUNK_SLICES; chunk < mapped && chunk * CHUNK_SLICES < slice + more;
         chunk++) {
        if ((atomic_get_relaxed(&region->chunks[chunk].used) & chunk_mask(slice, more, chunk)) != 0) {
            return false;
        }
    }
    if (!mi__limit_admit(more << SLICE_SHIFT) || !mi__region_commit(region, slice + more) ||
        !claim_range(region, slice, more)) {
        return false;
    }
    return take_range(region, slice, more, zero);
}

bool
mi__slices_move(char *from, char *to, size_t count)
{
    // Memory that was handed over may be shared, or of files.
    if (atomic_get_relaxed(&moves) >= MOVES_MAX || mi__region_of(from)->given || mi__region_of(to)->given ||
        !mi__os_move(from, to, count << SLICE_SHIFT)) {
        return false;
    }
    atomic_add_relaxed(&moves, 1);
    region_t *region = mi__region_of(to);
    size_t slice = region_slice_of(region, to);
    for (size_t chunk = slice / CHUNK_SLICES; chunk * CHUNK_SLICES < slice + count; chunk++) {
        atomic_or_relaxed(&region->chunks[chunk].moved, chunk_mask(slice, count, chunk));
    }
    return true;
}

static bool
any_moved(region_t *region, size_t slice, size_t count)
{
    uint64_t moved = 0;
    for (size_t chunk = slice / CHUNK_SLICES; chunk * CHUNK_SLICES < slice + count; chunk++) {
        moved |= atomic_get_relaxed(&region->chunks[chunk].moved) & chunk_mask(slice, count, chunk);
    }
    return moved != 0;
}

bool
mi__slices_give_back(region_t *region, size_t slice, size_t count, bool *purged)
{
    char *start = region_slice_at(region, slice);
    if (likely(atomic_get_relaxed(&moves) == 0 || !any_moved(region, slice, count))) {
        *purged = mi__region_give_back(region, start, count << SLICE_SHIFT);
        return true;
    }
    if (!mi__os_renew(start, count << SLICE_SHIFT)) {
        return false;
    }
    mi__region_advise_huge(region, slice, slice + count);
    for (size_t chunk = slice / CHUNK_SLICES; chunk * CHUNK_SLICES < slice + count; chunk++) {
        atomic_and_relaxed(&region->chunks[chunk].moved, ~chunk_mask(slice, count, chunk));
    }
    *purged = true;
    // Counted once for what was moved at one time: with the last part of it.
    size_t before = slice > 0 ? slice - 1 : slice;
    size_t end = committed_chunks(region) * CHUNK_SLICES - 1;
    size_t behind = size_min(slice + count, end);
    size_t seen = atomic_get_relaxed(&moves);
    if (!any_moved(region, before, 1) && !any_moved(region, behind, 1)) {
        while (seen > 0 && !atomic_cas_weak_relaxed(&moves, &seen, seen - 1)) {
        }
    }
    return true;
}

static void
lower_hint(_Atomic(size_t) *hint, size_t chunk)
{
    if (chunk < atomic_get_relaxed(hint)) {
        atomic_set_relaxed(hint, chunk);
    }
}

// S3 → S2, or S1 when the slices are known to be zero.
static void
release(region_t *region, size_t slice, size_t slices, bool zero)
{
    for (size_t chunk = slice / CHUNK_SLICES; chunk * CHUNK_SLICES < slice + slices; chunk++) {
        uint64_t mask = chunk_mask(slice, slices, chunk);
        if (zero) {
            atomic_and_relaxed(&region->chunks[chunk].dirty, ~mask);
            mi__slices_count_clean(mask);
        }
        release_bits(&region->chunks[chunk].used, mask);
    }
    tally(&used_slices, -slices);
    for (unsigned kind = ROOM_ONE; kind <= ROOM_MEDIUM; kind++) {
        lower_hint(&region->first_room[kind], slice / CHUNK_SLICES);
    }
}

void
mi__slices_release(char *start, size_t count)
{
    region_t *region = mi__region_of(start);
    size_t slice = region_slice_of(region, start);
    bool purged = false;
    bool at_once = mi__purge_at_once();
    bool in_units = mi__purge_unit() > 1;
    if (at_once && !in_units) {
        if (!mi__slices_give_back(region, slice, count, &purged)) {
            return; // lost: they stay claimed for good
        }
        mi__purge_count(purged ? count << SLICE_SHIFT : 0);
    }
    release(region, slice, count, purged);
    if (at_once && in_units) {
        mi__purge_count(mi__slices_purge_around(region, slice, count));
    } else if (!purged) {
        mi__purge_released();
    }
}

void
mi__slices_release_zero(char *start, size_t count)
{
    region_t *region = mi__region_of(start);
    size_t slice = region_slice_of(region, start);
    bool zero = true;
    // What was moved and moves on leaves mappings of its own behind; and where a function commits, what
    // reads as zero is not committed.
    if ((region->commit == NULL && !any_moved(region, slice, count)) ||
        mi__slices_give_back(region, slice, count, &zero)) {
        release(region, slice, count, zero);
    }
}

size_t
mi__slices_in_use(region_t *region)
{
    size_t free_slices = 0;
    for (size_t chunk = 0, chunks = committed_chunks(region); chunk < chunks; chunk++) {
        free_slices += bit_count(~atomic_get_relaxed(&region->chunks[chunk].used));
    }
    return (region_committed_bytes(region) >> SLICE_SHIFT) - free_slices;
}

slices_held_t
mi__slices_held(void)
{
    size_t used = HINT_GET(used_slices);
    size_t backed = HINT_GET(backed_slices);
    return (slices_held_t){
        .used_bytes = used << SLICE_SHIFT,
        // Read one after the other, while others count: never less than nothing.
        .free_bytes = backed > used ? (backed - used) << SLICE_SHIFT : 0,
        .refilled_bytes = HINT_GET(refilled_slices) << SLICE_SHIFT,
    };
}

void
mi__slices_count(size_t *free_bytes, size_t *dirty_bytes)
{
    size_t free_slices = 0;
    size_t dirty_slices = 0;
    for (size_t i = 0, n = mi__region_count(); i < n; i++) {
        region_t *region = mi__region_at(i);
        for (size_t chunk = 0, chunks = committed_chunks(region); chunk < chunks; chunk++) {
            uint64_t is_free = ~atomic_get_relaxed(&region->chunks[chunk].used);
            free_slices += bit_count(is_free);
            uint64_t dirty = region->pinned ? 0 : atomic_get_relaxed(&region->chunks[chunk].dirty);
            dirty_slices += bit_count(is_free & dirty);
        }
    }
    *free_bytes = free_slices << SLICE_SHIFT;
    *dirty_bytes = dirty_slices << SLICE_SHIFT;
}
