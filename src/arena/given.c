// SPDX-License-Identifier: MIT
// given.c — regions over memory that was handed over or reserved for a purpose.
//
// Owns:        see given.h
// Threads:     see given.h
// Invariants:  see given.h
// Not here:    see given.h
#include "arena/given.h"

#include "base/bits.h"
#include "base/check.h"
#include "os/os.h"

enum {
    LARGE_PAGE_LOG2 = 21,  // 2 MiB
    LARGE_STEP = 32 << 20, // taken from the pool at a time, where that has so much
    LARGE_RETRY_MS = 1000, // after the pool was empty
    HUGE_PAGE_LOG2 = 30,   // 1 GiB
    GIB_LOG2 = 30,
    GIB_MAX_LOG2 = 14, // at one time: 16 TiB
};

// A clean slice reads as zero; where a function commits, it is one that is not committed.
static void
mark_dirty(region_t *region)
{
    for (size_t chunk = 0; chunk < region->slices / CHUNK_SLICES; chunk++) {
        atomic_set_relaxed(&region->chunks[chunk].dirty, UINT64_MAX);
    }
}

region_t *
mi__given_add(const given_t *memory)
{
    uintptr_t from = (uintptr_t)memory->start;
    uintptr_t to = from + memory->size;
    if (from == 0 || to < from || from > UINTPTR_MAX - CHUNK_BYTES || to > UINTPTR_MAX - CHUNK_BYTES) {
        return NULL;
    }
    char *start = (char *)memory->start + (align_up(from, SLICE_SIZE) - from);
    char *end = (char *)memory->start + memory->size - (to - align_down(to, SLICE_SIZE));
    if (start >= end || mi__region_reserves(start) || mi__region_reserves(end - 1)) {
        return NULL;
    }
    char *base = start - ((uintptr_t)start & (CHUNK_BYTES - 1));
    region_t fresh = {
        .base = base,
        .slices = align_up((size_t)(end - base), CHUNK_BYTES) >> SLICE_SHIFT,
        .start = start,
        .end = end,
        .given = true,
        .exclusive = memory->exclusive,
        // V1: what is no private memory of the system's keeps its contents, or takes on others.
        .pinned = memory->pinned || (memory->commit == NULL && !memory->ours &&
                                     !mi__os_is_private(start, (size_t)(end - start))),
        .numa_node = memory->numa_node,
        .commit = memory->commit,
        .commit_arg = memory->commit_arg,
    };
    size_t header = mi__region_header_bytes(fresh.slices);
    char *header_at = (char *)mi__os_reserve(header, SLICE_SIZE);
    if (header_at == NULL) {
        return NULL;
    }
    fresh.reserved_bytes = header + (size_t)(end - start);
    mi__region_set_header(&fresh, header_at);
    region_t *region = NULL;
    if (mi__region_commit_header(&fresh)) {
        mi__region_mark_outside(&fresh);
        if (memory->commit != NULL ? memory->committed : !memory->zero) {
            mark_dirty(&fresh);
        }
        atomic_set_relaxed(&fresh.committed, memory->committed || memory->commit != NULL ? fresh.slices : 0);
        region = mi__region_publish(&fresh);
    }
    if (region == NULL) {
        mi__os_unreserve(header_at, header);
    }
    return region;
}

// Of 2 MiB pages; NULL where the system has not as many.
static region_t *
add_large(size_t size, bool exclusive)
{
    given_t memory = {.ours = true,
                      .committed = true,
                      .pinned = true,
                      .zero = true,
                      .exclusive = exclusive,
                      .numa_node = -1};
    memory.size = align_up(size, (size_t)1 << LARGE_PAGE_LOG2);
    memory.start = mi__os_map_huge(memory.size, LARGE_PAGE_LOG2, -1);
    region_t *region = memory.start == NULL ? NULL : mi__given_add(&memory);
    if (memory.start != NULL && region == NULL) {
        mi__os_unreserve(memory.start, memory.size);
    }
    return region;
}

region_t *
mi__given_large(size_t slices, size_t align)
{
    static _Atomic(int64_t) retry_ms;
    size_t bytes = (slices << SLICE_SHIFT) + (align > SLICE_SIZE ? align : 0);
    int64_t now_ms = mi__os_clock_ms();
    if (bytes > SIZE_MAX / 4 || bytes < slices || mi__region_count() > REGION_MAX / 2 ||
        now_ms < atomic_get_relaxed(&retry_ms)) {
        return NULL;
    }
    region_t *region = bytes < LARGE_STEP ? add_large(LARGE_STEP, false) : NULL;
    region = region == NULL ? add_large(bytes, false) : region;
    if (region == NULL) {
        atomic_set_relaxed(&retry_ms, now_ms + LARGE_RETRY_MS);
    }
    return region;
}

region_t *
mi__given_reserve(size_t size, bool commit, bool large, bool exclusive)
{
    if (size == 0 || size > SIZE_MAX / 2) {
        return NULL;
    }
    given_t memory = {
        .ours = true, .committed = commit, .zero = true, .exclusive = exclusive, .numa_node = -1};
    region_t *region = large && commit ? add_large(size, exclusive) : NULL;
    if (region != NULL) {
        return region;
    }
    memory.size = align_up(size, SLICE_SIZE);
    memory.start = mi__os_reserve(memory.size, CHUNK_BYTES);
    if (memory.start == NULL) {
        return NULL;
    }
    bool usable = !commit || mi__os_commit(memory.start, memory.size);
    region = usable ? mi__given_add(&memory) : NULL;
    if (region == NULL) {
        mi__os_unreserve(memory.start, memory.size);
    }
    return region;
}

// Maps as many GiB as there are pages for, at most `gib`; `*got` is their number.
static char *
map_most(size_t gib, unsigned page_log2, int node, size_t *got)
{
    char *start = NULL;
    for (*got = gib; *got > 0; (*got)--) {
        start = (char *)mi__os_map_huge(*got << GIB_LOG2, page_log2, node);
        if (start != NULL) {
            break;
        }
    }
    return start;
}

// Has the system give the pages now, since that takes most of the time. Returns the number of GiB
// that are there; the first in any case.
static size_t
fault_in(char *start, size_t gib, unsigned page_log2, size_t timeout_ms)
{
    int64_t begin_ms = mi__os_clock_ms();
    size_t done = 0;
    while (done < gib) {
        char *from = start + (done << GIB_LOG2);
        mi__os_populate(from, (size_t)1 << GIB_LOG2);
        // Where the system has no call for that.
        for (size_t offset = 0; offset >> GIB_LOG2 == 0; offset += (size_t)1 << page_log2) {
            *(volatile char *)(from + offset) = 0;
        }
        done++;
        if (timeout_ms > 0 && (uint64_t)(mi__os_clock_ms() - begin_ms) >= timeout_ms) {
            break;
        }
    }
    return done;
}

region_t *
mi__given_reserve_huge(size_t gib, int node, size_t timeout_ms, bool exclusive, size_t *got)
{
    const size_t most = (size_t)1 << (sizeof(size_t) == 8 ? GIB_MAX_LOG2 : 0);
    unsigned page_log2 = HUGE_PAGE_LOG2;
    gib = size_min(gib, most);
    char *start = map_most(gib, page_log2, node, got);
    if (start == NULL) {
        page_log2 = LARGE_PAGE_LOG2;
        start = map_most(gib, page_log2, node, got);
        if (start == NULL) {
            return NULL;
        }
    }
    size_t mapped = *got;
    *got = fault_in(start, mapped, page_log2, timeout_ms);
    if (*got < mapped) {
        mi__os_unreserve(start + (*got << GIB_LOG2), (mapped - *got) << GIB_LOG2);
    }
    given_t memory = {
        .start = start,
        .size = *got << GIB_LOG2,
        .committed = true,
        .pinned = true,
        .zero = true,
        .exclusive = exclusive,
        .numa_node = node,
    };
    region_t *region = mi__given_add(&memory);
    if (region == NULL) {
        mi__os_unreserve(start, *got << GIB_LOG2);
        *got = 0;
    }
    return region;
}
