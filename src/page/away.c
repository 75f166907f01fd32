// SPDX-License-Identifier: MIT
// away.c — a ring of the large blocks that were freed last.
//
// Owns:        see away.h
// Threads:     see away.h
// Not here:    see away.h
#include "page/away.h"

enum {
    AWAY_MAX = 8,
    AWAY_SLICES_MAX = 8, // larger ones stay resident for too much
};

static _Atomic(page_t *) ring[AWAY_MAX]; // [atomic: any thread]
static _Atomic(uint32_t) count;          // [atomic: any thread] put so far

static void
exchange(uint32_t slot, page_t *page)
{
    // acq_rel: the page's fields; pairs with itself in the thread that takes the page out.
    page_t *back = atomic_exchange_acq_rel(&ring[slot], page);
    if (back != NULL) {
        mi__page_release(back);
    }
}

void
mi__away_put(page_t *page)
{
    // Memory that the program handed over it may want back.
    if (page->slices > AWAY_SLICES_MAX || mi__region_of(page->start)->given) {
        mi__page_release(page);
        return;
    }
    exchange(atomic_add_relaxed(&count, 1) % AWAY_MAX, page);
}

void
mi__away_flush(void)
{
    for (uint32_t i = 0; i < AWAY_MAX; i++) {
        exchange(i, NULL);
    }
}
