// SPDX-License-Identifier: MIT
// arena_api.c — arenas: memory that the program hands over, or has reserved.
//
// An arena's id is the address of its region.
//
// Owns:        nothing
// Threads:     any
// Not here:    see arena_api.h
#include "front/arena_api.h"

#include <errno.h>
#include <limits.h>

#include "mimalloc.h"

#include "arena/given.h"
#include "arena/purge.h"
#include "arena/slices.h"
#include "base/bits.h"
#include "base/format.h"
#include "front/report.h"
#include "heap/registry.h"
#include "os/os.h"

enum {
    LINE_CHARS = 200,      // a line of the tables at most
    MORE_PER_NODE_MS = 50, // so that a short time is not cut to nothing by many nodes
    MS_PER_SECOND = 1000,
    START_MS_PER_GIB = 500, // at start-up, a program waits no longer for its huge pages
};

// False when the library can't be started.
static bool
is_started(void)
{
    return !thread_heap_is_none(mi__thread_heap) || mi__registry_bind() != NULL;
}

static region_t *
region_of_id(mi_arena_id_t id)
{
    for (size_t i = 0, n = mi__region_count(); i < n; i++) {
        region_t *region = mi__region_at(i);
        if (region == id && region->slices > 0) {
            return region;
        }
    }
    return NULL;
}

// Hands the region's id out; the answer is whether there is one.
static bool
put_id(const region_t *region, mi_arena_id_t *arena_id)
{
    if (arena_id != NULL) {
        *arena_id = (mi_arena_id_t)(uintptr_t)region;
    }
    return region != NULL;
}

// ---- memory that is handed over

size_t
mi_arena_min_alignment(void)
{
    return SLICE_SIZE;
}

size_t
mi_arena_min_size(void)
{
    return SLICE_SIZE;
}

size_t
mi_arena_max_object_size(void)
{
    return align_down(PTRDIFF_MAX, SLICE_SIZE);
}

// The parameters are the interface's.
bool // NOLINTNEXTLINE(readability-function-size)
mi_manage_memory(void *start, size_t size, bool is_committed, bool is_pinned, bool is_zero, int numa_node,
                 bool exclusive, mi_commit_fun_t *commit_fun, void *commit_fun_arg, mi_arena_id_t *arena_id)
{
    region_t *region = NULL;
    if (is_started()) {
        given_t memory = {
            .start = start,
            .size = size,
            .committed = is_committed,
            .pinned = is_pinned,
            .zero = is_zero,
            .exclusive = exclusive,
            .numa_node = numa_node,
            .commit = commit_fun,
            .commit_arg = commit_fun_arg,
        };
        region = mi__given_add(&memory);
    }
    if (region == NULL) {
        mi__warning("%zu bytes at %p can't be an arena: they hold no whole 64 KiB, a part of them is in an "
                    "arena already, or there is no memory\n",
                    size, start);
    }
    return put_id(region, arena_id);
}

bool
mi_manage_os_memory_ex(void *start, size_t size, bool is_committed, bool is_pinned, bool is_zero,
                       int numa_node, bool exclusive, mi_arena_id_t *arena_id)
{
    return mi_manage_memory(start, size, is_committed, is_pinned, is_zero, numa_node, exclusive, NULL, NULL,
                            arena_id);
}

bool
mi_manage_os_memory(void *start, size_t size, bool is_committed, bool is_pinned, bool is_zero, int numa_node)
{
    return mi_manage_os_memory_ex(start, size, is_committed, is_pinned, is_zero, numa_node, false, NULL);
}

// ---- memory that is reserved

int
mi_reserve_os_memory_ex(size_t size, bool commit, bool allow_large, bool exclusive, mi_arena_id_t *arena_id)
{
    region_t *region = is_started() ? mi__given_reserve(size, commit, allow_large, exclusive) : NULL;
    if (region == NULL) {
        mi__warning("%zu bytes can't be reserved\n", size);
    }
    return put_id(region, arena_id) ? 0 : ENOMEM;
}

int
mi_reserve_os_memory(size_t size, bool commit, bool allow_large)
{
    return mi_reserve_os_memory_ex(size, commit, allow_large, false, NULL);
}

int
mi_reserve_huge_os_pages_at_ex(size_t pages, int numa_node, size_t timeout_msecs, bool exclusive,
                               mi_arena_id_t *arena_id)
{
    size_t got = 0;
    region_t *region =
        is_started() ? mi__given_reserve_huge(pages, numa_node, timeout_msecs, exclusive, &got) : NULL;
    if (region == NULL && pages > 0) {
        mi__warning("the system has no huge pages free (see /proc/sys/vm/nr_hugepages): none of %zu GiB are "
                    "reserved\n",
                    pages);
    } else if (got < pages) {
        mi__warning("the system has huge pages or time for %zu GiB only: %zu GiB were asked for\n", got,
                    pages);
    }
    return put_id(region, arena_id) ? 0 : ENOMEM;
}

int
mi_reserve_huge_os_pages_at(size_t pages, int numa_node, size_t timeout_msecs)
{
    return mi_reserve_huge_os_pages_at_ex(pages, numa_node, timeout_msecs, false, NULL);
}

int
mi_reserve_huge_os_pages_interleave(size_t pages, size_t numa_nodes, size_t timeout_msecs)
{
    size_t nodes = numa_nodes > 0 ? size_min(numa_nodes, INT_MAX) : mi__slices_nodes();
    size_t timeout = timeout_msecs > 0 ? timeout_msecs / nodes + MORE_PER_NODE_MS : 0;
    for (size_t node = 0; node < nodes; node++) {
        size_t part = pages / nodes + (node < pages % nodes);
        int error = part > 0 ? mi_reserve_huge_os_pages_at(part, (int)node, timeout) : 0;
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

int
mi_reserve_huge_os_pages(size_t pages, double max_secs, size_t *pages_reserved)
{
    bool bounded = max_secs > 0 && max_secs < (double)(INT_MAX / MS_PER_SECOND);
    size_t timeout = bounded ? (size_t)(max_secs * MS_PER_SECOND) + 1 : 0;
    int error = mi_reserve_huge_os_pages_interleave(pages, 0, timeout);
    if (pages_reserved != NULL) {
        *pages_reserved = error == 0 ? pages : 0;
    }
    return error;
}

MI_START void
mi__arena_api_start(void)
{
    size_t pages = (size_t)mi__conf.reserve_huge_pages;
    size_t bytes = (size_t)mi__conf.reserve_os_bytes;
    int node = (int)mi__conf.reserve_huge_pages_at;
    if (pages > 0) {
        int error = node >= 0 ? mi_reserve_huge_os_pages_at(pages, node, pages * START_MS_PER_GIB)
                              : mi_reserve_huge_os_pages_interleave(pages, 0, pages * START_MS_PER_GIB);
        if (error != 0 && !conf_get(show_errors) && !conf_get(verbose)) {
            mi__message(
                "warning: MIMALLOC_RESERVE_HUGE_OS_PAGES=%zu: the system has not as many huge pages free "
                "(see /proc/sys/vm/nr_hugepages)\n",
                pages);
        }
    }
    if (bytes > 0 && mi_reserve_os_memory(bytes, true, true) != 0) {
        mi__message("warning: MIMALLOC_RESERVE_OS_MEMORY: %zu bytes can't be reserved\n", bytes);
    }
}

// ---- questions

void *
mi_arena_area(mi_arena_id_t arena_id, size_t *size)
{
    const region_t *region = region_of_id(arena_id);
    if (size != NULL) {
        *size = region == NULL ? 0 : (size_t)(region->end - region->start);
    }
    return region == NULL ? NULL : region->start;
}

bool
mi_arena_contains(mi_arena_id_t arena_id, const void *p)
{
    const region_t *region = region_of_id(arena_id);
    return region != NULL && (uintptr_t)p - (uintptr_t)region->start < (size_t)(region->end - region->start);
}

void
mi_arenas_purge(void)
{
    (void)mi__purge_poll(true);
}

// ---- tables

// Sends what is there when another line might not fit.
static void
end_line(text_t *text, size_t room)
{
    mi__format(text, "\n");
    if (text->length + room > sizeof text->chars) {
        mi__report_write(text->chars, text->length);
        text_init(text);
    }
}

static void
put_bytes(text_t *text, size_t bytes)
{
    text_t number;
    text_init(&number);
    mi__format_bytes(&number, bytes);
    mi__format(text, "%12s", number.chars);
}

static void
put_region(text_t *text, size_t index, region_t *region)
{
    mi__format(text, "%4zu  %-18p", index, (void *)region->start);
    put_bytes(text, (size_t)(region->end - region->start));
    put_bytes(text, region_committed_bytes(region));
    put_bytes(text, mi__slices_in_use(region) << SLICE_SHIFT);
    if (region->numa_node < 0) {
        mi__format(text, "%6s", "any");
    } else {
        mi__format(text, "%6d", region->numa_node);
    }
    mi__format(text, "  %s%s%s%s", region->given ? "" : "own ", region->exclusive ? "exclusive " : "",
               region->pinned ? "pinned " : "", region->commit != NULL ? "commit function" : "");
    end_line(text, LINE_CHARS);
}

static void
put_chunk(text_t *text, region_t *region, size_t chunk)
{
    uint64_t used = atomic_get_relaxed(&region->chunks[chunk].used);
    uint64_t dirty = atomic_get_relaxed(&region->chunks[chunk].dirty);
    if ((used | dirty) == 0) {
        return;
    }
    mi__format(text, "      %-18p  ", (void *)region_slice_at(region, chunk * CHUNK_SLICES));
    for (unsigned i = 0; i < CHUNK_SLICES; i++) {
        const char *slice = region_slice_at(region, chunk * CHUNK_SLICES + i);
        bool outside = slice < region->start || slice >= region->end;
        mi__format(text, "%c", outside ? ' ' : used >> i & 1 ? '#' : dirty >> i & 1 ? '.' : '_');
    }
    end_line(text, LINE_CHARS);
}

static void
print(bool chunks)
{
    text_t text;
    text_init(&text);
    mi__format(&text, "%4s  %-18s%12s%12s%12s%6s", "", "arena", "size", "committed", "in use", "node");
    end_line(&text, LINE_CHARS);
    for (size_t i = 0, n = mi__region_count(); i < n; i++) {
        region_t *region = mi__region_at(i);
        if (region->slices == 0) {
            continue;
        }
        put_region(&text, i, region);
        // acquire: pairs with the release in raise_frontier (arena/region.c): bitmap words below it are
        // mapped.
        size_t committed = atomic_get_acquire(&region->committed) / CHUNK_SLICES;
        for (size_t chunk = 0; chunks && chunk < committed; chunk++) {
            put_chunk(&text, region, chunk);
        }
    }
    mi__report_write(text.chars, text.length);
}

void
mi_arenas_print(void)
{
    print(false);
}

void
mi_debug_show_arenas(void)
{
    print(true);
}
