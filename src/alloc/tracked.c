// SPDX-License-Identifier: MIT
// tracked.c — the functions of alloc.h in a tracking build.
//
// Owns:        nothing
// Threads:     any
// Not here:    see tracked.h
#include "alloc/tracked.h"

#include <errno.h>
#include <string.h>

#include "alloc/fast.h"
#include "base/bits.h"
#include "base/hooks.h"
#include "base/track.h"
#include "page/cell.h"

// Bytes for a block of `size` that starts `lead` bytes into its room. A size that is impossible, and
// one that no machine has, stay what they are.
static size_t
room_for(size_t size, size_t lead)
{
    if (size > PTRDIFF_MAX || lead > PTRDIFF_MAX / 2) {
        return SIZE_MAX;
    }
    return size_min(lead + size + CELL_BYTES, PTRDIFF_MAX);
}

// Inside of begin and hand_out, track_on() says no.
static size_t
begin(size_t size)
{
    mi__track_depth++;
    return room_for(size, CELL_BYTES);
}

static void *
hand_out(void *room, size_t lead, size_t size, bool zeroed)
{
    mi__track_depth--;
    if (room == NULL) {
        return NULL;
    }
    char *p = (char *)room + lead;
    page_t *page = mi__page_of(room);
    if (page->block_size == 0) {
        track_close(page->start, page->slices << SLICE_SHIFT);
    }
    mi__cell_set(page, p, size);
    track_give(p, size, zeroed);
    return p;
}

void *
mi__tracked_alloc(thread_heap_t *heap, size_t size)
{
    size_t room = begin(size);
    return hand_out(fast_alloc_in(heap, room), CELL_BYTES, size, false);
}

static void *
clear(void *p, size_t size)
{
    return p == NULL ? NULL : memset(p, 0, size);
}

void *
mi__tracked_alloc_zeroed(thread_heap_t *heap, size_t size)
{
    size_t room = begin(size);
    // A singleton may be known to be zero, and is cleared without being touched. Of other blocks some
    // parts are closed to memset.
    if (room > BLOCK_MAX) {
        return hand_out(fast_alloc_zeroed_in(heap, room), CELL_BYTES, size, true);
    }
    return clear(hand_out(fast_alloc_in(heap, room), CELL_BYTES, size, false), size);
}

void *
mi__tracked_aligned(thread_heap_t *heap, size_t size, size_t align, size_t offset, bool zeroed)
{
    size_t lead = size_max(align, CELL_BYTES);
    mi__track_depth++;
    void *room = mi__alloc_aligned_in(heap, room_for(size, lead), align, offset, false);
    void *p = hand_out(room, lead, size, false);
    return zeroed ? clear(p, size) : p;
}

// `p` is not what it should be.
static void
report(page_t *page, const void *p, const char *call)
{
    if (page == NULL) {
        mi__free_report(p, call);
    } else {
        mi__hooks.misuse(mi__cell_around(page, p) ? MISUSE_FREE_INTERIOR : MISUSE_DOUBLE_FREE, call, p);
    }
}

void
mi__tracked_free(void *p)
{
    void *block;
    size_t size;
    page_t *page = mi__page_around(p);
    if (p == NULL) {
        return;
    }
    if (page == NULL || !mi__cell_find(page, p, &block, &size)) {
        if (!track_wrong_free(p)) {
            report(page, p, "free");
        }
        return;
    }
    track_take(p, size);
    mi__cell_clear(block);
    mi__track_depth++;
    mi__free(block);
    mi__track_depth--;
}

static bool
find(const void *p, const char *call, size_t *size)
{
    void *block;
    page_t *page = mi__page_around(p);
    if (page != NULL && mi__cell_find(page, p, &block, size)) {
        return true;
    }
    report(page, p, call);
    return false;
}

size_t
mi__tracked_size(const void *p, const char *call)
{
    size_t size;
    return find(p, call, &size) ? size : 0;
}

void *
mi__tracked_realloc(thread_heap_t *heap, void *p, size_t size, size_t align, size_t offset, bool zeroed)
{
    if (p == NULL || !is_power_of_two(align)) {
        return mi__tracked_aligned(heap, size, align, offset, zeroed);
    }
    size_t before;
    if (!find(p, "realloc", &before)) {
        errno = EINVAL;
        return NULL;
    }
    char *fresh = (char *)mi__tracked_aligned(heap, size, align, offset, false);
    if (fresh != NULL) {
        memcpy(fresh, p, size_min(size, before));
        if (zeroed && size > before) {
            memset(fresh + before, 0, size - before);
        }
        mi__tracked_free(p);
    }
    return fresh;
}
