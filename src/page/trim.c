// SPDX-License-Identifier: MIT
// trim.c — giving back the OS pages of a partly used page that hold nothing but free blocks.
//
// Owns:        see trim.h
// Threads:     see trim.h
// Invariants:  see trim.h
// Not here:    see trim.h
#include "page/trim.h"

#include <string.h>

#include "base/bits.h"
#include "base/check.h"
#include "base/track.h"
#include "os/os.h"
#include "page/blockmap.h"

enum {
    SMALL_BLOCKS = SMALL_PAGE_SLICES * SLICE_SIZE / GRANULE,
    MEDIUM_BLOCKS = MEDIUM_PAGE_SLICES * SLICE_SIZE / SMALL_PAGE_BLOCK_MAX,
    BLOCKS_MAX = SMALL_BLOCKS > MEDIUM_BLOCKS ? SMALL_BLOCKS : MEDIUM_BLOCKS,
    WORD_BITS = 64,
};
_Static_assert(BLOCKS_MAX % WORD_BITS == 0, "whole words for the blocks of a page");

// Bytes under one bit of `holes`: an OS page, or more where a page has too many of them.
static size_t
unit_bytes(const page_t *page)
{
    return size_max(mi__os_page_size(), (HINT_GET(page->slices) << SLICE_SHIFT) / HOLES_MAX);
}

static bool
bit_is_set(const uint64_t *words, size_t index)
{
    return (words[index / WORD_BITS] >> index % WORD_BITS & 1) != 0;
}

static void
set_bit(uint64_t *words, size_t index)
{
    words[index / WORD_BITS] |= UINT64_C(1) << index % WORD_BITS;
}

// The blocks that were threaded, in holes or not.
static size_t
threaded(const page_t *page)
{
    return page->capacity + page->holed;
}

static size_t
first_block_in(const page_t *page, size_t unit)
{
    return size_min(divide_up(unit * unit_bytes(page), page->block_size), threaded(page));
}

// Marks the threaded blocks that are free: those on `local_free`, and those in holes.
static void
mark_free(const page_t *page, uint64_t *is_free)
{
    for (const block_t *block = page->local_free; block != NULL; block = block->next) {
        set_bit(is_free, (size_t)((const char *)block - page->start) / page->block_size);
    }
    for (size_t unit = 0; unit < HOLES_MAX; unit++) {
        if (bit_is_set(page->holes, unit)) {
            for (size_t i = first_block_in(page, unit); i < first_block_in(page, unit + 1); i++) {
                set_bit(is_free, i);
            }
        }
    }
}

// True when no block that is out reaches into the unit.
static bool
unit_is_free(const page_t *page, const uint64_t *is_free, size_t unit)
{
    size_t from = unit * unit_bytes(page) / page->block_size;
    size_t to = size_min(divide_up((unit + 1) * unit_bytes(page), page->block_size), threaded(page));
    for (size_t i = from; i < to; i++) {
        if (!bit_is_set(is_free, i)) {
            return false;
        }
    }
    return true;
}

// Lists what is free and in no hole, in the order of addresses; counts the others.
static void
relink(page_t *page, const uint64_t *is_free)
{
    block_t *list = NULL;
    uint32_t holed = 0;
    for (size_t i = threaded(page); i-- > 0;) {
        if (!bit_is_set(is_free, i)) {
            continue;
        }
        if (mi__trim_in_hole(page, i)) {
            holed++;
            continue;
        }
        block_t *block = (block_t *)(void *)(page->start + i * page->block_size);
        block->next = list;
        list = block;
    }
    OWNER_SET(page->capacity, page->capacity + page->holed - holed);
    OWNER_SET(page->holed, holed);
    OWNER_SET(page->local_free, list);
}

// Gives the units of `wanted` back, a run of them in one call.
static size_t
discard(const page_t *page, const uint64_t *wanted)
{
    size_t unit = unit_bytes(page);
    size_t bytes = 0;
    for (size_t from = 0; from < HOLES_MAX; from++) {
        size_t to = from;
        while (to < HOLES_MAX && bit_is_set(wanted, to)) {
            to++;
        }
        if (to > from && mi__region_discard(page->start + from * unit, (to - from) * unit)) {
            bytes += (to - from) * unit;
        }
        from = to;
    }
    return bytes;
}

size_t
mi__trim_page(page_t *page)
{
    ASSERT(page->free == NULL && !page_is_pinned(page));
    const region_t *region = mi__region_of(page->start);
    size_t free_bytes = (size_t)(page->reserved - page->used) * page->block_size;
    if (TRACKING || page->reserved > BLOCKS_MAX || free_bytes < mi__os_page_size() || region->pinned ||
        region->commit != NULL) {
        return 0;
    }
    uint64_t is_free[BLOCKS_MAX / WORD_BITS] = {0};
    uint64_t wanted[HOLES_MAX / WORD_BITS] = {0};
    if (page->map != NULL) {
        mi__blockmap_mark_free(page, is_free);
    } else {
        mark_free(page, is_free);
    }
    size_t end = threaded(page) * page->block_size;
    size_t units = (page->slices << SLICE_SHIFT) / unit_bytes(page);
    for (size_t unit = 0; unit < units; unit++) {
        // Above the blocks that were threaded nothing was touched, unless another page was here before.
        bool untouched = unit * unit_bytes(page) >= end && (page->flags & PAGE_FRESH_ZERO) != 0;
        if (!bit_is_set(page->holes, unit) && !untouched && unit_is_free(page, is_free, unit)) {
            set_bit(wanted, unit);
        }
    }
    if ((wanted[0] | wanted[1]) == 0) {
        return 0;
    }
    if (page->map != NULL) {
        return discard(page, wanted);
    }
    page_set_flag(page, PAGE_HOLES);
    OWNER_SET(page->holes[0], page->holes[0] | wanted[0]);
    OWNER_SET(page->holes[1], page->holes[1] | wanted[1]);
    relink(page, is_free);
    VERIFY(mi__page_verify(page));
    return discard(page, wanted);
}

bool
mi__trim_is_cold(page_t *page)
{
    uint64_t young = 2 * (uint64_t)page->used + 2;
    uint64_t cold = young + 1;
    bool turns_cold = page->looked == young;
    if (page->looked != cold) {
        OWNER_SET(page->looked, turns_cold ? cold : young);
    }
    return turns_cold;
}

bool
mi__trim_has_holes(page_t *page)
{
    if (page->holed != 0) {
        return true;
    }
    // OS pages without the start of a threaded block: fresh blocks may come to start there.
    OWNER_SET(page->holes[0], 0);
    OWNER_SET(page->holes[1], 0);
    page_clear_flag(page, PAGE_HOLES);
    return false;
}

uint32_t
mi__trim_refill(page_t *page)
{
    ASSERT(page->free == NULL && page->holed > 0);
    size_t from;
    size_t to;
    do {
        unsigned word = page->holes[0] == 0;
        ASSERT(page->holes[word] != 0);
        unsigned bit = lowest_bit(page->holes[word]);
        OWNER_SET(page->holes[word], page->holes[word] & (page->holes[word] - 1));
        from = first_block_in(page, word * WORD_BITS + bit);
        to = first_block_in(page, word * WORD_BITS + bit + 1);
    } while (from == to);
    uint32_t count = (uint32_t)(to - from);
    block_t *list = NULL;
    for (size_t i = to; i-- > from;) {
        block_t *block = (block_t *)(void *)(page->start + i * page->block_size);
        block->next = list;
        list = block;
    }
    OWNER_SET(page->free, list);
    OWNER_SET(page->capacity, page->capacity + count);
    OWNER_SET(page->used, page->used + count);
    OWNER_SET(page->holed, page->holed - count);
    page_clear_flag(page, PAGE_FREE_ZERO);
    VERIFY(mi__page_verify(page));
    return count;
}

bool
mi__trim_in_hole(const page_t *page, size_t index)
{
    // The page may be another one by now, with fewer units.
    size_t unit = index * HINT_GET(page->block_size) / unit_bytes(page);
    return unit < HOLES_MAX && (HINT_GET(page->holes[unit / WORD_BITS]) >> unit % WORD_BITS & 1) != 0;
}
