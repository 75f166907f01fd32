// SPDX-License-Identifier: MIT
// meta.h — memory for the library's own structures, apart from user memory.
//
// Structures are never given back: whoever allocates them here recycles them by kind, so that an
// old pointer to one still points to one of that kind.
//
// Owns:        the blocks of metadata
// Threads:     any; lock-free
// Invariants:  M1 what is handed out is zero, aligned to a cache line, and handed out once
// Not here:    descriptors and bitmaps, which are part of a region → arena/region.c
#ifndef MI_ARENA_META_H
#define MI_ARENA_META_H

#include "base/platform.h"

// `size` bytes, zeroed, aligned to 64; at most 64 KiB. NULL when there is no memory.
MI_NODISCARD void *mi__meta_alloc(size_t size);

// Bytes handed out so far.
size_t mi__meta_bytes(void);

#endif
