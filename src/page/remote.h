// SPDX-License-Identifier: MIT
// remote.h — frees that arrive from other threads.
//
// A page's `thread_free` collects blocks; the push that finds the page unlisted also lists the page
// with its owner, on the owner's `pending` list, and from then on the LISTED bit says so. Whoever
// holds LISTED alone decides whether the page may change hands: a listed page is neither released
// nor moved.
//
// Owns:        page_t.thread_free, page_t.pending_next, owner_t.pending
// Threads:     push – any; take, drain, quiet, move – the owner only
// Invariants:  T1 a block is on at most one list
//              T2 thread_free ≠ 0 ⇔ LISTED set ⇔ the page is, or is about to be, on exactly one
//                 pending list
// Not here:    holding foreign blocks back → heap/held.c, who owns what → heap/registry.c
#ifndef MI_PAGE_REMOTE_H
#define MI_PAGE_REMOTE_H

#include "page/page.h"

// Where in page_t.thread_free the first block and the number of blocks stand, for tools that read them from
// outside (front/descriptor.c).
enum { REMOTE_FIRST_SHIFT = 16, REMOTE_COUNT_SHIFT = 48 };

// What layer `heap` embeds, at the address that the owner word of pages names.
typedef struct owner_t {
    _Atomic(page_t *) pending; // [atomic: any thread] pages with blocks on thread_free
} owner_t;

// Pushes the chain `first` … `last` of `count` blocks (linked; last's link is overwritten) onto the page's
// thread_free. Returns the owner when the page was listed by this push: it may want to be told.
// Else NULL.
owner_t *mi__remote_push(page_t *page, block_t *first, block_t *last, uint32_t count);

// Where the page has a map: counts one more block in whose bit was set before. Returns what
// mi__remote_push does.
owner_t *mi__remote_count_in(page_t *page);

// Takes the blocks on thread_free into local_free; the page stays listed. Returns their number.
size_t mi__remote_take(page_t *page);

// Detaches all pages that are pending with the owner; walk them with mi__remote_unlist.
page_t *mi__remote_drain(owner_t *owner);

// Unlists a page from mi__remote_drain, takes its blocks into local_free, and returns the next page
// of the drained list.
page_t *mi__remote_unlist(page_t *page);

// The first of the blocks on thread_free. Any thread; a guess, whose links may be followed with care.
const block_t *mi__remote_first(page_t *page);

// True when nothing is on its way: a page without blocks out may be released.
bool mi__remote_is_quiet(page_t *page);

// How many blocks are on thread_free. Any thread.
size_t mi__remote_count(const page_t *page);

// Moves a quiet or unlisted page to another owner (its flags stay). False when the page is listed
// just now.
MI_NODISCARD bool mi__remote_move(page_t *page, owner_t *to);

#endif
