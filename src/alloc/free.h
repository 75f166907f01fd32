// SPDX-License-Identifier: MIT
// free.h — the ways of a free that leave the straight path.
//
// Owns:        nothing
// Threads:     any
// Not here:    the straight path → alloc/fast.h
#ifndef MI_ALLOC_FREE_H
#define MI_ALLOC_FREE_H

#include "page/page.h"

// `p` is not in the first region: NULL, in another region, or not ours.
void mi__free_outside(void *p);

// `p` is in a committed slice whose owner word `word` is not the calling thread's heap.
void mi__free_other(page_t *page, void *p, uintptr_t word);

// The free that just happened brought the last block of a page of the calling thread home.
void mi__free_emptied(page_t *page);

#endif
