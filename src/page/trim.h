// SPDX-License-Identifier: MIT
// trim.h — giving back the OS pages of a partly used page that hold nothing but free blocks.
//
// Their blocks are taken off the free list, whose links lay in them, and counted as holed: like blocks
// that were never threaded, they are threaded again by mi__page_extend when the page has no others. Which
// OS pages are holes stands in the descriptor; the straight paths know nothing of it.
//
// Owns:        page_t.holes, .holed
// Threads:     the page's owner, while the page does not serve
// Invariants:  V1 blocks that start in a hole are on no list, and nobody has them
//              V2 holed = threaded blocks that start in holes; blocks at and above capacity + holed were
//                 never threaded
// Not here:    whole pages and slices → arena/slices.h
#ifndef MI_PAGE_TRIM_H
#define MI_PAGE_TRIM_H

#include "page/page.h"

// Gives back what it can of `page`, which does not serve; returns the bytes.
size_t mi__trim_page(page_t *page);

// True when nobody freed a block of `page`, which does not serve, since the last call, for the first time
// that this is so.
bool mi__trim_is_cold(page_t *page);

// True when a page with PAGE_HOLES has blocks in holes. Else there are none any more, and the next blocks
// are fresh ones.
bool mi__trim_has_holes(page_t *page);

// Threads the blocks of the lowest hole onto `free`, which is empty, and grants them; the page has
// holes. Returns how many.
uint32_t mi__trim_refill(page_t *page);

// True when the block with this index starts in a hole: it is free, though on no list. Any thread, as
// a guess.
bool mi__trim_in_hole(const page_t *page, size_t index);

#endif
