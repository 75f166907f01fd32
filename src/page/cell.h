// SPDX-License-Identifier: MIT
// cell.h — the room in front of every block of a tracking build, which knows the block's size.
//
//   start of the block                what the program has
//   │                                 │
//   ┌ check ┬ size ┬ (for alignment) ─┬ as many bytes as were asked for ┬ at least CELL_BYTES ┐
//
// The program may touch nothing but its bytes. `check` is also the link while the block is free: the
// library's own lists need no permission of the tool's, for they only touch that word. No other build
// has this file.
//
// Owns:        the first CELL_BYTES of every block
// Threads:     whoever holds the block
// Invariants:  C1 `check` says which address was handed out, and nothing else looks like that
// Not here:    what the tools are told → base/track.h
#ifndef MI_PAGE_CELL_H
#define MI_PAGE_CELL_H

#include "page/page.h"

enum { CELL_BYTES = 16 };

// The block of `page` in which `p` lies now belongs to the program: `size` bytes from `p`.
void mi__cell_set(page_t *page, const void *p, size_t size);

// True when `p` was handed out; `*block` is where its block starts, and `*size` what was asked for.
MI_NODISCARD bool mi__cell_find(page_t *page, const void *p, void **block, size_t *size);

// True when the block in which `p` lies was handed out, under whatever address.
bool mi__cell_around(page_t *page, const void *p);

// The block at `block` is the library's again.
void mi__cell_clear(void *block);

// Called for new pages of blocks, and for all pages before they are released: blocks that are still
// out then were freed as a whole.
void mi__cell_page_made(page_t *page);
void mi__cell_page_gone(page_t *page);

#endif
