// SPDX-License-Identifier: MIT
// away.c — a ring of the large blocks that were freed last.
//
// Owns:        see away.h
// Threads:     see away.h
// Not here:    see away.h
#include "page/away.h"

#include "os/os.h"

enum {
    AWAY_MAX = 32,
    PLAIN_MAX = 8,        // of those that stay resident,
    PLAIN_SLICES_MAX = 8, // which are not larger than this
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

// Nobody can touch it, and it takes no memory.
static void
put_out_of_reach(page_t *page)
{
    size_t bytes = page->slices << SLICE_SHIFT;
    if (mi__region_discard(page->start, bytes)) {
        page_set_flag(page, PAGE_EMPTIED);
    }
    (void)mi__os_protect(page->start, bytes);
}

void
mi__away_put(page_t *page)
{
    bool guarded = (page->flags & PAGE_GUARDED) != 0;
    // Memory that the program handed over it may want back.
    if (!guarded && (page->slices > PLAIN_SLICES_MAX || mi__region_of(page->start)->given)) {
        mi__page_release(page);
        return;
    }
    if (guarded) {
        put_out_of_reach(page);
    }
    exchange(atomic_add_relaxed(&count, 1) % (mi__conf.secure >= SECURE_LARGE ? AWAY_MAX : PLAIN_MAX), page);
}

void
mi__away_flush(void)
{
    for (uint32_t i = 0; i < AWAY_MAX; i++) {
        exchange(i, NULL);
    }
}
