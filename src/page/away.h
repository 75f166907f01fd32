// SPDX-License-Identifier: MIT
// away.h — large blocks that were freed in secure mode: nothing else lies in their place for a while, so that
// a second free finds no block.
//
// Owns:        the pages that are away: retired singletons (mi__page_retire_singleton)
// Threads:     any
// Not here:    what becomes of large blocks in the default mode → heap/thread_heap.h
#ifndef MI_PAGE_AWAY_H
#define MI_PAGE_AWAY_H

#include "page/page.h"

// Takes a retired singleton, and releases it later; at once where keeping it would cost too much.
void mi__away_put(page_t *page);

// Releases all of them.
void mi__away_flush(void);

#endif
