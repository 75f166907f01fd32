// SPDX-License-Identifier: MIT
// region.c — reserving address space and committing it along a frontier.
//
// Owns:        the table of regions, the copy of the first one for the fast path
// Threads:     any; see region.h
// Invariants:  see region.h
// Not here:    claiming slices → arena/slices.c
#include "arena/region.h"

#include "arena/lookup.h"
#include "arena/meta.h"
#include "base/bits.h"
#include "base/check.h"
#include "base/track.h"
#include "os/os.h"

enum {
    GUARD_BYTES = 64 * 1024, // between the parts of a region; a multiple of every OS page size
    STEP_CHUNKS_MAX = 16,    // the frontier moves by at most this many chunks (64 MiB) beyond what is asked
    EAGER_FROM_BYTES = 16 << 20, // huge pages are asked for beyond: small processes do without
    SCARCE_BYTES = 32 << 20,     // where not even so much can be reserved in advance, …
    LITTLE_BYTES = 1 << 20,      // … regions are that small, and have no room to spare
    ADD_CHEAP_TIMES = 16,        // a region that is needed may be this much larger than one in advance
    STEP_SHARE = 8,              // and by this share of what is committed
};

// No block is larger, and no alignment: more than any machine has, less than would use up the
// address space.
#define ADD_BYTES_MAX ((size_t)1 << (sizeof(size_t) == 8 ? 45 : 31))

// Until there is a region, no address may seem to be in it: not even NULL, to a thread that sees
// the frontier before the base.
MI_ALIGNED(64) region_first_t mi__region_first = {.base = (uintptr_t)1 << (8 * sizeof(uintptr_t) - 1)};

_Atomic(size_t) mi__region_given_shared;

_Atomic(region_t *) mi__region_table[REGION_MAX];
_Atomic(size_t) mi__region_taken;
static region_t first_region;

static size_t
bitmaps_bytes(size_t slices)
{
    return align_up(slices / CHUNK_SLICES * sizeof(chunk_bits_t), GUARD_BYTES);
}

static size_t
descriptors_bytes(size_t slices)
{
    return align_up(slices << DESCRIPTOR_SHIFT, GUARD_BYTES);
}

size_t
mi__region_header_bytes(size_t slices)
{
    return bitmaps_bytes(slices) + GUARD_BYTES + descriptors_bytes(slices) + GUARD_BYTES;
}

void
mi__region_set_header(region_t *region, char *start)
{
    region->chunks = (chunk_bits_t *)(void *)start;
    region->descriptors = start + bitmaps_bytes(region->slices) + GUARD_BYTES;
}

// Lays a region with `slices` slices into fresh address space; slices start at a multiple of
// `align`.
static bool
reserve_region(region_t *region, size_t slices, size_t align)
{
    size_t header = align_up(mi__region_header_bytes(slices), align);
    size_t total = header + (slices << SLICE_SHIFT);
    char *start = (char *)mi__os_reserve(total, align);
    if (start == NULL) {
        return false;
    }
    if (conf_get(allow_thp) == THP_NEVER) {
        mi__os_advise_huge(start, total, false);
    }
    *region = (region_t){
        .base = start + header,
        .slices = slices,
        .start = start + header,
        .end = start + total,
        .reserved_bytes = total,
        .numa_node = -1,
    };
    mi__region_set_header(region, region->base - mi__region_header_bytes(slices));
    return true;
}

// One that starts anywhere and ends amid a chunk, where address space is as scarce as that.
static bool
reserve_little(region_t *region, size_t bytes)
{
    size_t header = mi__region_header_bytes(CHUNK_SLICES);
    char *start = (char *)mi__os_reserve(header + bytes, SLICE_SIZE);
    if (start == NULL) {
        return false;
    }
    *region = (region_t){
        .base = start + header,
        .slices = CHUNK_SLICES,
        .start = start + header,
        .end = start + header + bytes,
        .reserved_bytes = header + bytes,
        .numa_node = -1,
    };
    mi__region_set_header(region, start);
    return true;
}

// The system's mark for huge pages lies on mappings: the whole of a region has one, or all but its
// beginning, so that no mappings come into being where slices come and go.
void
mi__region_advise_huge(const region_t *region, size_t from, size_t to)
{
    setting_t thp = conf_get(allow_thp);
    size_t low = thp == THP_EAGER && region == &first_region ? EAGER_FROM_BYTES >> SLICE_SHIFT : 0;
    from = size_max(from, low);
    if (thp != THP_AS_SYSTEM && !region->given && from < to) {
        mi__os_advise_huge(region_slice_at(region, from), (to - from) << SLICE_SHIFT, thp == THP_EAGER);
    }
}

void
mi__region_mark_outside(region_t *region)
{
    size_t first = region_slice_of(region, region->start);
    size_t end = region_slice_of(region, region->end);
    ASSERT(first < CHUNK_SLICES && region->slices - end < CHUNK_SLICES);
    atomic_or_relaxed(&region->chunks[0].used, low_mask((unsigned)first));
    if (end < region->slices) {
        uint64_t inside = low_mask((unsigned)(end % CHUNK_SLICES));
        atomic_or_relaxed(&region->chunks[region->slices / CHUNK_SLICES - 1].used, ~inside);
    }
}

static void
unreserve_region(const region_t *region)
{
    mi__os_unreserve(region->end - region->reserved_bytes, region->reserved_bytes);
}

static bool
commit_part(void *start, size_t from_bytes, size_t to_bytes)
{
    size_t os_page = mi__os_page_size();
    size_t from = align_down(from_bytes, os_page);
    size_t to = align_up(to_bytes, os_page);
    return mi__os_commit((char *)start + from, to - from);
}

// Commits the descriptors and bitmaps of [from, to) slices.
static bool
commit_header(region_t *region, size_t from, size_t to)
{
    return commit_part(region->chunks, from / CHUNK_SLICES * sizeof(chunk_bits_t),
                       to / CHUNK_SLICES * sizeof(chunk_bits_t)) &&
           commit_part(region->descriptors, from << DESCRIPTOR_SHIFT, to << DESCRIPTOR_SHIFT);
}

bool
mi__region_commit_header(region_t *region)
{
    return commit_header(region, 0, region->slices);
}

// Commits [from, to) slices with what belongs to them. Repeating it, or doing it from two threads at
// once, is harmless, which is why the frontier needs no lock.
static bool
commit_slices(region_t *region, size_t from, size_t to)
{
    if (!region->given && !commit_header(region, from, to)) {
        return false;
    }
    from = size_max(from, region_slice_of(region, region->start));
    to = size_min(to, region_slice_of(region, region->end));
    return commit_part(region->base, from << SLICE_SHIFT, to << SLICE_SHIFT);
}

static void
raise_frontier(_Atomic(size_t) *frontier, size_t to)
{
    size_t seen = atomic_get_relaxed(frontier);
    // release: the mprotect calls before it; pairs with the acquire in mi__region_commit and in
    // committed_chunks (slices.c).
    while (seen < to && !atomic_cas_weak_release(frontier, &seen, to)) {
    }
}

// The fast path's copy, which may lag behind, but never runs ahead.
static void
raise_first(size_t bytes)
{
    size_t seen = HINT_GET(mi__region_first.committed);
    while (seen < bytes && !__atomic_compare_exchange_n(&mi__region_first.committed, &seen, bytes, true,
                                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
}

bool
mi__region_commit(region_t *region, size_t slices)
{
    ASSERT(slices <= region->slices);
    // acquire: pairs with the release in raise_frontier.
    size_t from = atomic_get_acquire(&region->committed);
    if (slices <= from) {
        return true;
    }
    if (conf_get(disallow_os_alloc) && !region->given) {
        return false;
    }
    size_t step = size_min(from / STEP_SHARE, (size_t)STEP_CHUNKS_MAX * CHUNK_SLICES);
    size_t exact = align_up(slices, CHUNK_SLICES);
    size_t to = size_min(align_up(from + step, CHUNK_SLICES), region->slices);
    to = size_max(to, exact);
    if (!commit_slices(region, from, to)) {
        to = exact;
        if (!commit_slices(region, from, to)) {
            return false;
        }
    }
    if (conf_get(allow_thp) == THP_EAGER) {
        mi__region_advise_huge(region, from, to);
    }
    raise_frontier(&region->committed, to);
    if (region == &first_region) {
        raise_first(to << SLICE_SHIFT);
    }
    return true;
}

bool
mi__region_init(void)
{
    const size_t least = CHUNK_SLICES;
    // A start of the library that failed behind this point is tried again.
    if (atomic_get_relaxed(&first_region.committed) > 0) {
        return true;
    }
    size_t slices = ((size_t)1 << (mi__conf.region_bytes_log2 - SLICE_SHIFT));
    region_t *region = &first_region;
    size_t enough = size_max(least, size_min(slices, SCARCE_BYTES >> SLICE_SHIFT));
    while (slices >= enough && !reserve_region(region, slices, CHUNK_BYTES)) {
        slices /= 2;
    }
    if (slices < enough && !reserve_little(region, LITTLE_BYTES)) {
        return false;
    }
    if (!commit_slices(region, 0, least)) {
        unreserve_region(region);
        return false;
    }
    mi__region_mark_outside(region);
    raise_frontier(&region->committed, least);
    OWNER_SET(mi__region_first.base, (uintptr_t)region->base);
    OWNER_SET(mi__region_first.descriptors, (uintptr_t)region->descriptors);
    raise_first(region_committed_bytes(region));
    track_root(region->start, (size_t)(region->end - region->start));
    atomic_set_relaxed(&mi__region_taken, 1);
    // release: the region's fields; pairs with the acquire in mi__region_at.
    atomic_set_release(&mi__region_table[0], region);
    return true;
}

region_t *
mi__region_publish(const region_t *fresh)
{
    // Memory for the copy is never given back: not taken when it is clear that it would not be used.
    if (atomic_get_relaxed(&mi__region_taken) >= REGION_MAX || mi__lookup_any(fresh->start, fresh->end)) {
        return NULL;
    }
    region_t *region = (region_t *)mi__meta_alloc(sizeof *region);
    if (region == NULL) {
        return NULL;
    }
    *region = *fresh;
    size_t slot = atomic_add_relaxed(&mi__region_taken, 1);
    if (slot >= REGION_MAX) {
        atomic_sub_relaxed(&mi__region_taken, 1);
        return NULL;
    }
    // Searched before it is claimed from: whoever gets a block of it can free it. A slot whose region
    // does not come about stays empty.
    if (!mi__lookup_add(region, slot)) {
        return NULL;
    }
    track_root(region->base, region->slices << SLICE_SHIFT);
    // release: the region's fields; pairs with the acquire in mi__region_at.
    atomic_set_release(&mi__region_table[slot], region);
    if (region->given && !region->exclusive) {
        atomic_add_relaxed(&mi__region_given_shared, 1);
    }
    return region;
}

bool
mi__region_is_scarce(void)
{
    return first_region.slices > 0 && first_region.end - first_region.start < (ptrdiff_t)CHUNK_BYTES;
}

static bool
add_little(size_t bytes)
{
    region_t fresh;
    if (!reserve_little(&fresh, size_max(bytes, LITTLE_BYTES))) {
        return false;
    }
    if (commit_slices(&fresh, 0, fresh.slices)) {
        mi__region_mark_outside(&fresh);
        atomic_set_relaxed(&fresh.committed, fresh.slices);
        if (mi__region_publish(&fresh) != NULL) {
            return true;
        }
    }
    unreserve_region(&fresh);
    return false;
}

bool
mi__region_add(size_t slices, size_t align)
{
    size_t least = align_up(slices, CHUNK_SLICES);
    size_t bytes = size_max(least << SLICE_SHIFT, align > CHUNK_BYTES ? 2 * align : 0);
    if (conf_get(disallow_os_alloc) || bytes > ADD_BYTES_MAX ||
        bytes / ADD_CHEAP_TIMES > mi__os_cheap_reserve()) {
        return false;
    }
    if (mi__region_is_scarce() && least == CHUNK_SLICES && align == SLICE_SIZE) {
        return add_little(slices << SLICE_SHIFT);
    }
    // One for a huge alignment is made to measure: its slices start where the block is to be.
    size_t want = align > CHUNK_BYTES ? least : size_max(least, first_region.slices);
    region_t fresh;
    while (!reserve_region(&fresh, want, size_max(align, CHUNK_BYTES))) {
        if (want == least) {
            return false;
        }
        want = size_max(align_up(want / 2, CHUNK_SLICES), least);
    }
    if (!mi__region_commit(&fresh, CHUNK_SLICES)) {
        // The region stays, empty; a later commit may succeed.
    }
    if (mi__region_publish(&fresh) == NULL) {
        unreserve_region(&fresh);
        return false;
    }
    return true;
}

size_t
mi__region_count(void)
{
    return size_min(atomic_get_relaxed(&mi__region_taken), REGION_MAX);
}

region_t *
mi__region_at(size_t index)
{
    // A slot that is taken but not ready yet is shown as an empty region.
    static region_t none;
    // acquire: the region's fields; pairs with the release in mi__region_init and
    // mi__region_publish.
    region_t *region = atomic_get_acquire(&mi__region_table[index]);
    return likely(region != NULL) ? region : &none;
}

region_t *
mi__region_of(const void *p)
{
    // acquire: pairs with the release in raise_frontier.
    size_t committed = atomic_get_acquire(&first_region.committed);
    if (likely(((uintptr_t)p - (uintptr_t)first_region.base) >> SLICE_SHIFT < committed &&
               (uintptr_t)p < (uintptr_t)first_region.end)) {
        return &first_region;
    }
    region_t *region = mi__lookup_find(p);
    // acquire: pairs with the release in raise_frontier.
    return region != NULL && region_slice_of(region, p) < atomic_get_acquire(&region->committed) ? region
                                                                                                 : NULL;
}

page_t *
mi__region_descriptor(const void *p)
{
    region_t *region = mi__region_of(p);
    return region == NULL ? NULL : region_descriptor_at(region, region_slice_of(region, p));
}

bool
mi__region_reserves(const void *p)
{
    const region_t *first = mi__region_at(0);
    return (uintptr_t)p - (uintptr_t)first->start < (uintptr_t)first->end - (uintptr_t)first->start ||
           mi__lookup_find(p) != NULL;
}

bool
mi__region_give_back(const region_t *region, char *start, size_t bytes)
{
    if (unlikely(region->commit != NULL)) {
        bool is_zero = false;
        return !region->pinned && region->commit(false, start, bytes, &is_zero, region->commit_arg);
    }
    return !region->pinned && mi__os_purge(start, bytes);
}

bool
mi__region_discard(void *start, size_t bytes)
{
    const region_t *region = mi__region_of(start);
    return !region->pinned && region->commit == NULL && mi__os_purge(start, bytes);
}

size_t
mi__region_reserved_bytes(void)
{
    size_t bytes = 0;
    for (size_t i = 0, n = mi__region_count(); i < n; i++) {
        bytes += mi__region_at(i)->reserved_bytes;
    }
    return bytes;
}

size_t
mi__region_committed_bytes(void)
{
    size_t bytes = 0;
    for (size_t i = 0, n = mi__region_count(); i < n; i++) {
        bytes += region_committed_bytes(mi__region_at(i));
    }
    return bytes;
}

size_t
mi__region_metadata_bytes(void)
{
    size_t slices = 0;
    for (size_t i = 0, n = mi__region_count(); i < n; i++) {
        const region_t *region = mi__region_at(i);
        slices += region->given ? region->slices : atomic_get_relaxed(&region->committed);
    }
    return (slices << DESCRIPTOR_SHIFT) + slices / CHUNK_SLICES * sizeof(chunk_bits_t);
}
