// SPDX-License-Identifier: MIT
// cell.c — finding, setting and clearing what stands in front of a block.
//
// Owns:        see cell.h
// Threads:     see cell.h
// Invariants:  see cell.h
// Not here:    see cell.h
#include "page/cell.h"

#include "base/track.h"

// An address with these bits changed is the address of nothing, so the search for leaks passes it by.
#define CHECK_BITS ((uintptr_t)UINT64_C(0xa5c3000000000005))

typedef struct cell_t {
    uintptr_t check; // what was handed out, with CHECK_BITS changed; or a link
    size_t size;
} cell_t;

_Static_assert(sizeof(cell_t) == CELL_BYTES, "a cell keeps the block behind it aligned");
_Static_assert(sizeof(block_t) == sizeof(uintptr_t), "a link covers the check and nothing else");

static size_t
room_of(const page_t *page)
{
    return page->block_size != 0 ? page->block_size : page->slices << SLICE_SHIFT;
}

// NULL for an address behind the last block that fits.
static cell_t *
cell_of(const page_t *page, const void *p)
{
    char *block = (char *)mi__page_block_of(page, p);
    char *end = page->start + (page->slices << SLICE_SHIFT);
    return (size_t)(end - block) < room_of(page) ? NULL : (cell_t *)(void *)block;
}

static size_t
size_of(cell_t *cell)
{
    track_show(&cell->size, sizeof cell->size);
    size_t size = cell->size;
    track_close(&cell->size, sizeof cell->size);
    return size;
}

// What was handed out of the block; an address outside of it when nothing was.
static char *
handed_out(const cell_t *cell)
{
    return (char *)(cell->check ^ CHECK_BITS); // NOLINT(performance-no-int-to-ptr)
}

void
mi__cell_set(page_t *page, const void *p, size_t size)
{
    cell_t *cell = cell_of(page, p);
    track_show(cell, sizeof *cell);
    cell->check = (uintptr_t)p ^ CHECK_BITS;
    cell->size = size;
    track_close(&cell->size, sizeof cell->size);
}

bool
mi__cell_find(page_t *page, const void *p, void **block, size_t *size)
{
    cell_t *cell = cell_of(page, p);
    if (cell == NULL || handed_out(cell) != p) {
        return false;
    }
    *block = cell;
    *size = size_of(cell);
    return true;
}

bool
mi__cell_around(page_t *page, const void *p)
{
    const cell_t *cell = cell_of(page, p);
    return cell != NULL && (uintptr_t)handed_out(cell) - (uintptr_t)cell < room_of(page);
}

void
mi__cell_clear(void *block)
{
    ((cell_t *)block)->check = 0;
}

void
mi__cell_page_made(page_t *page)
{
    track_close(page->start, page->slices << SLICE_SHIFT);
    for (uint32_t i = 0; i < page->reserved; i++) {
        track_show(page->start + (size_t)i * page->block_size, sizeof(block_t));
    }
}

void
mi__cell_page_gone(page_t *page)
{
    for (uint32_t i = 0; i < page->capacity; i++) {
        cell_t *cell = (cell_t *)(void *)(page->start + (size_t)i * page->block_size);
        if (mi__cell_around(page, cell)) {
            track_take(handed_out(cell), size_of(cell));
            mi__cell_clear(cell);
        }
    }
}
