// SPDX-License-Identifier: MIT
// secure.h — allocation and free in secure mode (MIMALLOC_SECURE, docs/secure.md).
//
// Pages that are made while the level is above 0 have a map of their blocks instead of lists
// (page/blockmap.h). malloc and free thus leave the straight path by themselves and come here; the default
// mode pays nothing.
//
// Owns:        nothing
// Threads:     any
// Not here:    the maps → page/blockmap.h, what shows an overflow → page/seal.h
#ifndef MI_ALLOC_SECURE_H
#define MI_ALLOC_SECURE_H

#include "heap/thread_heap.h"

static inline bool
secure_on(void)
{
    return mi__conf.secure > 0;
}

// malloc(size) from `heap`, one of the thread's own, whose `page` for that size has nothing in its lists: the
// straight path where it has a map.
MI_NODISCARD void *mi__secure_malloc(size_t size, thread_heap_t *heap, page_t *page);

// The same for calloc, of any size.
MI_NODISCARD void *mi__secure_calloc(size_t size, thread_heap_t *heap);

// A block from `heap`, one of the thread's own, with `size` bytes `lead` bytes into it; the block begins at
// a multiple of `align`. Zeroed when asked. NULL with errno = ENOMEM when there is no memory.
MI_NODISCARD void *mi__secure_alloc(thread_heap_t *heap, size_t size, size_t align, size_t lead, bool zeroed);

// Frees the block at `p`, in a page with a map, whose owner word is `word`.
void mi__secure_free(void *p, page_t *page, uintptr_t word);

// True when a live block begins at `p`, in a page with a map; else that is reported under the name `call`.
bool mi__secure_check(page_t *page, const void *p, const char *call);

// True when nothing was written behind the bytes of the block `index`, 0 for a singleton with a guard; else
// that is reported.
bool mi__secure_is_whole(const page_t *page, size_t index, const void *p, const char *call);

#endif
