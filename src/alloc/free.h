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

// `p` is in a committed slice of the page with the descriptor `page`, whose owner word is `word`:
// no page, or one that is freed to in another way than by a plain push.
void mi__free_other(void *p, page_t *page, uintptr_t word);

// The free that just happened brought the last block of a page of the calling thread home.
void mi__free_emptied(page_t *page);

// The page of the block `p`, passed to `call`; NULL, and that is reported, when `p` is in no page or not the
// address of a block.
page_t *mi__free_page_of(const void *p, const char *call);

// Reports that `p`, passed to `call`, is in no page.
void mi__free_report(const void *p, const char *call);

#endif
