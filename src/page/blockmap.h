// SPDX-License-Identifier: MIT
// blockmap.h — pages whose free blocks carry no links: bitmaps apart from user memory say which blocks are in
// use, so that every double free is seen and there is nothing to overwrite.
//
// Such a page has OWNER_SECURE in its owner word, its lists stay empty, and `capacity` is `reserved` from the
// start; every malloc and free thus leaves the straight path by itself. A block is in use when its `live`
// bit is set. A free by another thread sets its `remote` bit, then counts itself in the page's thread_free
// word (page/remote.c); the owner clears both bits when it takes in what was counted.
//
// States of a block's two bits; what else happens to them is a misuse, and reported:
//   | #  | live | remote | leaves by                                                | order               |
//   | B1 | 0    | 0      | → B2 take (owner)                                        | the owner's alone   |
//   | B2 | 1    | 0      | → B1 give (owner); → B3 announce (any other thread)      | acq_rel, with fetch |
//   | B3 | 1    | 1      | → B1 fetch (owner)                                       | acq_rel             |
//   | B4 | 0    | 1      | announce met give: two frees at once; fetch reports it   |                     |
//
// Owns:        page_t.map and what it points to; [constant once made] it stays with the descriptor
// Threads:     the page's owner, unless a function says otherwise
// Invariants:  S1 used − pinned = live bits
//              S2 `open` is a part of what is neither live nor remote in the word `at`
// Not here:    what is done to the bytes of blocks → alloc/secure.h, the settings → base/config.h
#ifndef MI_PAGE_BLOCKMAP_H
#define MI_PAGE_BLOCKMAP_H

#include "page/page.h"

typedef struct blockmap_word_t {
    uint64_t live;            // [owner only]
    _Atomic(uint64_t) remote; // [atomic: any thread]
    uint64_t stale; // [owner only] of pages with seals: blocks never handed out that may not be zero
} blockmap_word_t;

typedef struct blockmap_t {
    // [owner only]
    uint64_t open;   // blocks of the word `at` that may be handed out
    uint64_t random; // for the choice among them
    uint32_t at;
    uint32_t words;
    uint64_t early; // [owner only] blocks fetched ahead of their count in thread_free
    // [constant while the page lives]
    uint64_t magic; // 2^BLOCKMAP_SHIFT / block size, rounded up
    uint64_t key;   // of the page's seals
    bool sealed;    // blocks have a seal (page/seal.h), and free ones that are not stale are zero
    bool checked;   // and are checked to be when they are handed out
    MI_ALIGNED(64) blockmap_word_t word[];
} blockmap_t;

enum { BLOCKMAP_SHIFT = 40 }; // index = offset × magic >> BLOCKMAP_SHIFT, exact: offset × block size < 2^35

// Gives a new page its bitmaps, for the level of hardening that is set. False when there is no memory.
MI_NODISCARD bool mi__blockmap_make(page_t *page);

// Opens a word with blocks that may be handed out. False when there are none.
bool mi__blockmap_open(page_t *page);

// Takes in blocks that other threads freed and counted, `counted` of them. Returns how many came.
size_t mi__blockmap_fetch(page_t *page, size_t counted);

// Marks the block `index`, which another thread owns, as freed. False when it is free already. Any thread;
// mi__remote_count_in must follow.
MI_NODISCARD bool mi__blockmap_announce(page_t *page, size_t index);

// Sets the bits of blocks that are free, and clears those of others.
void mi__blockmap_mark_free(const page_t *page, uint64_t *is_free);

// Clears what the slices of a page with seals held before, in the block `index` about to be handed out.
void mi__blockmap_freshen(const page_t *page, size_t index);

// Checks S1; full debug builds.
bool mi__blockmap_verify(const page_t *page);

static inline uint64_t
blockmap_bit(size_t index)
{
    return UINT64_C(1) << index % 64;
}

static inline size_t
blockmap_index(const page_t *page, size_t offset)
{
    return (size_t)(offset * HINT_GET(HINT_GET(page->map)->magic) >> BLOCKMAP_SHIFT);
}

// True when the block is in use, and not on its way home. Any thread; a guess where it is another's.
static inline bool
blockmap_is_live(const page_t *page, size_t index)
{
    const blockmap_word_t *word = &HINT_GET(page->map)->word[index / 64];
    return (HINT_GET(word->live) & ~atomic_get_relaxed(&word->remote) & blockmap_bit(index)) != 0;
}

// True when all that was fetched has been counted, too.
static inline bool
blockmap_is_settled(const page_t *page)
{
    return page->map->early == 0;
}

// Takes one of the open blocks, by chance. Returns its index.
static inline size_t
blockmap_take(page_t *page)
{
    blockmap_t *map = page->map;
    map->random = map->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    unsigned turn = (unsigned)(map->random >> 58);
    uint64_t turned = map->open >> turn | map->open << (-turn & 63);
    // The next one up or down from there, so that few are next to the one before.
    bool up = (map->random >> 57 & 1) != 0;
    size_t index = ((up ? lowest_bit(turned) : highest_bit(turned)) + turn) & 63;
    blockmap_word_t *word = &map->word[map->at];
    map->open &= ~blockmap_bit(index);
    OWNER_SET(word->live, word->live | blockmap_bit(index));
    OWNER_SET(page->used, page->used + 1);
    return (size_t)map->at * 64 + index;
}

// Gives a live block back. True when no block is out any more.
static inline bool
blockmap_give(page_t *page, size_t index)
{
    blockmap_word_t *word = &page->map->word[index / 64];
    OWNER_SET(word->live, word->live & ~blockmap_bit(index));
    OWNER_SET(page->used, page->used - 1);
    return page->used == 0;
}

#endif
