// SPDX-License-Identifier: MIT
// remote.c — frees that arrive from other threads. The only file that touches thread_free and
// pending.
//
// States of a page's thread_free word; b is a list of blocks, L the LISTED bit. Of the list the word has the
// first block, the last and the number, so that the owner takes it in without a walk over blocks that other
// processors wrote to. Blocks are named by their distance from the page's start.
//   | #  | word  | leaves by                                                       | order   | pairs with |
//   | T1 | 0     | → T2 push (any): then the pusher puts the page on pending       | acq_rel | A1, A2, A3 |
//   | T2 | b + L | → T2 push (any)                                                 | acq_rel | A1, A2     |
//   |    |       | → T3 take (owner), A1                                           | acquire | push       |
//   |    |       | → T1 unlist (owner, after it drained the page from pending), A2 | acq_rel | push       |
//   | T3 | L     | → T2 push (any); → T1 unlist (owner), A2                        | acq_rel | push       |
//   | T4 | L     | set by move (owner) on T1; → T1 or T2+pending when moved, A3    | acq_rel | push       |
// Where the page has a map (page/blockmap.h), b is not a list but the number of blocks whose bits were set
// before: the steps are the same.
// In T2 to T4 nobody but the thread that made the step from T1 puts the page on a pending list.
//
// Owns:        see remote.h
// Threads:     see remote.h
// Invariants:  see remote.h
// Not here:    see remote.h
#include "page/remote.h"

#include "base/check.h"
#include "page/blockmap.h"

enum {
    LISTED = 1,
    // Where the fields of the word start, 16 bits each: blocks in units of GRANULE, and their number.
    AT_FIRST = REMOTE_FIRST_SHIFT,
    AT_LAST = 32,
    AT_COUNT = REMOTE_COUNT_SHIFT,
    FIELD_MAX = 0xFFFF,
};

_Static_assert(MEDIUM_PAGE_SLICES *(SLICE_SIZE >> GRANULE_SHIFT) <= FIELD_MAX, "a place in a page fits");

static uint32_t
count_of(uint64_t word)
{
    return (uint32_t)(word >> AT_COUNT);
}

static block_t *
block_at(const page_t *page, uint64_t word, unsigned field)
{
    return (block_t *)(void *)(HINT_GET(page->start) +
                               ((size_t)(word >> field & FIELD_MAX) << GRANULE_SHIFT));
}

static uint64_t
place_of(const page_t *page, const block_t *block, unsigned field)
{
    return (uint64_t)(((const char *)block - page->start) >> GRANULE_SHIFT) << field;
}

static block_t *
first_of(const page_t *page, uint64_t word)
{
    return count_of(word) == 0 ? NULL : block_at(page, word, AT_FIRST);
}

static owner_t *
owner_of(page_t *page)
{
    return (owner_t *)(page_owner(page) & ~(uintptr_t)OWNER_FLAGS); // NOLINT(performance-no-int-to-ptr)
}

static owner_t *
list_with_owner(page_t *page)
{
    // The page is listed: its owner can't change under us.
    owner_t *owner = owner_of(page);
    page_t *head = atomic_get_relaxed(&owner->pending);
    do {
        atomic_set_relaxed(&page->pending_next, head);
        // release: pending_next; pairs with the acquire in mi__remote_drain.
    } while (!atomic_cas_weak_release(&owner->pending, &head, page));
    return owner;
}

owner_t *
mi__remote_push(page_t *page, block_t *first, block_t *last, uint32_t count)
{
    uint64_t word = atomic_get_relaxed(&page->thread_free);
    uint64_t front = place_of(page, first, AT_FIRST) | LISTED;
    uint64_t pushed;
    do {
        block_t *next = first_of(page, word);
        last->next = next;
        uint64_t back = next == NULL ? place_of(page, last, AT_LAST) : word & (uint64_t)FIELD_MAX << AT_LAST;
        pushed = front | back | (uint64_t)(count_of(word) + count) << AT_COUNT;
        // acq_rel: publishes the blocks' contents and links, pairs with A1 and A2; sees the owner
        // word of whoever unlisted or moved the page, pairs with A2 and A3.
    } while (!atomic_cas_weak_acq_rel(&page->thread_free, &word, pushed));
    return (word & LISTED) != 0 ? NULL : list_with_owner(page);
}

owner_t *
mi__remote_count_in(page_t *page)
{
    uint64_t word = atomic_get_relaxed(&page->thread_free);
    uint64_t counted;
    do {
        counted = (word + (UINT64_C(1) << AT_COUNT)) | LISTED;
        // acq_rel: as in mi__remote_push; the bit that was set before, pairs with A1 and A2.
    } while (!atomic_cas_weak_acq_rel(&page->thread_free, &word, counted));
    return (word & LISTED) != 0 ? NULL : list_with_owner(page);
}

// Puts a list in front of local_free.
static size_t
adopt_blocks(page_t *page, uint64_t word)
{
    uint32_t count = count_of(word);
    if (count != 0) {
        block_at(page, word, AT_LAST)->next = page->local_free;
        OWNER_SET(page->local_free, block_at(page, word, AT_FIRST));
        ASSERT(page->used >= count);
        OWNER_SET(page->used, page->used - count);
    }
    return count;
}

static size_t
adopt(page_t *page, uint64_t word)
{
    return page->map != NULL ? mi__blockmap_fetch(page, count_of(word)) : adopt_blocks(page, word);
}

size_t
mi__remote_take(page_t *page)
{
    uint64_t word = atomic_get_relaxed(&page->thread_free);
    if (count_of(word) == 0) {
        return 0;
    }
    // A1, acquire: the blocks; pairs with the acq_rel in mi__remote_push. Only we leave T2, so it
    // is still T2.
    word = atomic_exchange_acquire(&page->thread_free, LISTED);
    return adopt(page, word);
}

page_t *
mi__remote_drain(owner_t *owner)
{
    if (atomic_get_relaxed(&owner->pending) == NULL) {
        return NULL;
    }
    // acquire: the pages' pending_next; pairs with the release in list_with_owner.
    return atomic_exchange_acquire(&owner->pending, NULL);
}

page_t *
mi__remote_unlist(page_t *page)
{
    // Read before unlisting: the next push may list the page again at once.
    page_t *next = atomic_get_relaxed(&page->pending_next);
    // A2, acq_rel: the blocks, pairs with the acq_rel in mi__remote_push; and what we did to the
    // page while it was listed, for the push that lists it next.
    uint64_t word = atomic_exchange_acq_rel(&page->thread_free, 0);
    (void)adopt(page, word);
    return next;
}

const block_t *
mi__remote_first(page_t *page)
{
    return HINT_GET(page->map) != NULL ? NULL : first_of(page, atomic_get_relaxed(&page->thread_free));
}

bool
mi__remote_is_quiet(page_t *page)
{
    // acquire: pairs with the acq_rel in mi__remote_push; a pusher that we don't see can't exist,
    // since no block is out.
    return atomic_get_acquire(&page->thread_free) == 0 && (page->map == NULL || blockmap_is_settled(page));
}

size_t
mi__remote_count(const page_t *page)
{
    return count_of(atomic_get_relaxed(&page->thread_free));
}

bool
mi__remote_move(page_t *page, owner_t *to)
{
    uint64_t none = 0;
    // T1 → T4. acquire: pairs with the acq_rel in mi__remote_push.
    if (!atomic_cas_strong_acquire(&page->thread_free, &none, LISTED)) {
        return false;
    }
    uintptr_t flags = page_owner(page) & OWNER_FLAGS;
    atomic_set_relaxed(&page->owner, (uintptr_t)to | flags);
    uint64_t word = LISTED;
    // A3, T4 → T1, acq_rel: the new owner word, for the push that lists the page next; pairs with
    // mi__remote_push.
    if (!atomic_cas_strong_acq_rel(&page->thread_free, &word, 0)) {
        // Blocks came in meanwhile: T4 is T2 now, and putting the page on pending is up to us.
        (void)list_with_owner(page);
    }
    return true;
}
