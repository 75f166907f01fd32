// SPDX-License-Identifier: MIT
// seal.h — the bytes between what was asked for and the end of a block, which nobody may write to.
//
//   ┌ as many bytes as were asked for ┬ fill … ┬ (4 bytes: how many are left over) ┬ 1 byte ┐
//
// The last byte holds a check and, below 8, how many bytes are left over; else those before it do. Check and
// fill come from a key of the page. Neither is 0, an ASCII character, or 0xff. A singleton has fill up to
// the end of its last OS page, and a guard that nobody may touch behind that.
//
// Owns:        the rest of blocks of pages whose map says `sealed`, and of singletons with PAGE_GUARDED
// Threads:     whoever holds the block
// Invariants:  L1 a block that is in use has one byte to spare at least
// Not here:    which blocks are in use → page/blockmap.h
#ifndef MI_PAGE_SEAL_H
#define MI_PAGE_SEAL_H

#include "page/blockmap.h"

enum { SEAL_BYTES_MIN = 1 };

// Seals the block `index`, whose first `size` bytes are the program's.
void mi__seal_set(const page_t *page, size_t index, size_t size);

// False when the seal of the block was written to; else *size is what mi__seal_set was told.
MI_NODISCARD bool mi__seal_read(const page_t *page, size_t index, size_t *size);

// The same for a singleton. Its slices become just enough for the bytes and a guard; what it gains is zero.
// False when the slices behind it are taken: then it is as it was.
MI_NODISCARD bool mi__seal_single(page_t *page, size_t size);
MI_NODISCARD bool mi__seal_read_single(const page_t *page, size_t *size);

// True while there are few singletons of no bytes.
bool mi__seal_takes_empty(void);

// Makes all of a singleton with a guard accessible, before its slices are released. False when nobody can use
// them any more.
MI_NODISCARD bool mi__seal_open_single(page_t *page);

// Changes the size of the block at `p` in place; what it loses and gains is zero. False when it does not fit.
MI_NODISCARD bool mi__seal_resize(page_t *page, void *p, size_t size);

// Bytes from the one at `offset` in a page with seals to the end of what was asked for; 0 where the seal is
// broken.
size_t mi__seal_usable(const page_t *page, size_t offset);

// True when all bytes of the block `index` are zero.
MI_NODISCARD bool mi__seal_is_clear(const page_t *page, size_t index);

// True for pages whose blocks have seals. Any thread.
static inline bool
seal_is_on(const page_t *page)
{
    const blockmap_t *map = HINT_GET(page->map);
    return page->block_size == 0 ? (HINT_GET(page->flags) & PAGE_GUARDED) != 0
                                 : map != NULL && HINT_GET(map->sealed);
}

#endif
