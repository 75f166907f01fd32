// SPDX-License-Identifier: MIT
// blockmap.h — pages whose free blocks carry no links: bitmaps apart from user memory say which blocks are in
// use, so that every double free is seen and there is nothing to overwrite.
//
// Such a page has OWNER_SECURE and empty lists: malloc and free leave the straight path for their own
// (alloc/secure.c). malloc takes the lowest free bit of a word, of a block that is warm; which block has
// which bit is by chance, within groups. Blocks above `capacity` wait for mi__blockmap_open.
//
// States of a block's two bits; what else happens to them is a misuse, and reported:
//   | #  | free | remote | leaves by                                                | order               |
//   | B1 | 1    | 0      | → B2 take (owner)                                        | the owner's alone   |
//   | B2 | 0    | 0      | → B1 give (owner); → B3 announce (any other thread)      | acq_rel, with fetch |
//   | B3 | 0    | 1      | → B1 fetch (owner); never handed out or no block: open   | acq_rel             |
//   | B4 | 1    | 1      | announce met give: two frees at once; fetch reports it   |                     |
// After announce the block is counted in thread_free (page/remote.c). From B2 the owner may also hold a
// block, which makes it as little live as give does, and let it go later (heap/quarantine.h).
//
// Owns:        page_t.map and what it points to; [constant once made] it stays with the descriptor
// Threads:     the page's owner, unless a function says otherwise
// Invariants:  S1 capacity = used − pinned + free bits
//              S2 bits of what is at and above capacity: B3; S3 capacity is reserved, or ends a batch
// Not here:    what is done to the bytes of blocks → alloc/secure.h, the settings → base/config.h
#ifndef MI_PAGE_BLOCKMAP_H
#define MI_PAGE_BLOCKMAP_H

#include "page/page.h"

enum {
    BLOCKMAP_WORDS_MAX = SMALL_PAGE_SLICES * SLICE_SIZE / GRANULE / 64,
    BLOCKMAP_BEAT = 64, // blocks taken on the straight path between two that take the long one
};

typedef struct blockmap_word_t {
    uint64_t free;            // [owner only]
    _Atomic(uint64_t) remote; // [atomic: any thread]
} blockmap_word_t;

// The order of the bits of a word.
typedef struct blockmap_order_t {
    uint8_t block[64]; // by bit
    uint8_t bit[64];   // by block
} blockmap_order_t;

typedef struct blockmap_t {
    // One more than there are blocks for: a free behind the last block looks there.
    blockmap_word_t word[BLOCKMAP_WORDS_MAX + 1];
    // [owner only]
    MI_ALIGNED(64)
    blockmap_word_t *open; // malloc takes from here: word `at`; in pages with seals one
                           // without blocks
    char *base;            // the first block of the word `at`
    uint32_t at;
    uint32_t turned; // what the order of its blocks is turned by
    int32_t left;    // of BLOCKMAP_BEAT
    // [constant while the page lives]
    const blockmap_order_t *order;
    uint32_t turn;  // what the order of the page's first blocks is turned by; later words turn it further,
    uint32_t mask;  // by these bits of their number: within groups
    uint64_t magic; // 2^64 / block size, rounded up
    uint64_t exact; // the same where free's straight path may be taken, else 0
    uint64_t key;   // of the page's seals
    // [owner only]
    uint64_t early; // blocks fetched ahead of their count in thread_free
    // [constant while the page lives]
    uint64_t tail; // bits of the last word that are of no block
    uint32_t words;
    uint32_t batch; // blocks that are handed out for the first time together: some groups
    bool sealed;    // blocks have a seal (page/seal.h), and free ones that are not stale are zero
    bool checked;   // and are checked to be when they are handed out
    // [owner only] bits of blocks that wait (heap/quarantine.h): neither live nor free
    uint64_t held[BLOCKMAP_WORDS_MAX + 1];
    // [owner only] of pages with seals: blocks never handed out that may not be zero, by index
    uint64_t stale[BLOCKMAP_WORDS_MAX];
} blockmap_t;

// Gives a new page its bitmaps, for the level of hardening that is set. False when there is no memory.
MI_NODISCARD bool mi__blockmap_make(page_t *page);

// Opens a word with blocks that may be handed out: the one that is where it has some, else one behind it;
// with `fresh` blocks that were never handed out where no others are left. False when there are none.
bool mi__blockmap_open(page_t *page, bool fresh);

// Takes in blocks that other threads freed and counted, `counted` of them. Returns how many came.
size_t mi__blockmap_fetch(page_t *page, size_t counted);

// Marks the block `index`, which another thread owns, as freed. False when it is free already. Any thread;
// mi__remote_count_in must follow.
MI_NODISCARD bool mi__blockmap_announce(page_t *page, size_t index);

// Sets the bits of blocks that are free, by index.
void mi__blockmap_mark_free(const page_t *page, uint64_t *is_free);

// Clears what the slices of a page with seals held before, in the block `index` about to be handed out.
void mi__blockmap_freshen(const page_t *page, size_t index);

// Checks S1; full debug builds.
bool mi__blockmap_verify(const page_t *page);

static inline uint64_t
blockmap_bit(const blockmap_t *map, size_t index)
{
    size_t place = (index ^ (index / 64 & HOT_GET(map->mask)) ^ HOT_GET(map->turn)) % 64;
    return UINT64_C(1) << HOT_GET(map->order)->bit[place];
}

// The index of the block at `offset` in the page; `*rest`, compared with `magic`, is below it where the block
// begins there.
static inline size_t
blockmap_divide(const blockmap_t *map, size_t offset, uint64_t *rest)
{
    // Exact: offset × block size < 2^48.
    __extension__ unsigned __int128 product = (unsigned __int128)offset * HOT_GET(map->magic);
    *rest = (uint64_t)product;
    return (size_t)(product >> 64);
}

static inline size_t
blockmap_index(const page_t *page, size_t offset)
{
    uint64_t rest;
    return blockmap_divide(HINT_GET(page->map), offset, &rest);
}

// True when the block is in use, and not on its way home. Any thread; a guess where it is another's.
static inline bool
blockmap_is_live(const page_t *page, size_t index)
{
    const blockmap_t *map = HINT_GET(page->map);
    const blockmap_word_t *word = &map->word[index / 64];
    uint64_t others =
        HINT_GET(word->free) | atomic_get_relaxed(&word->remote) | HINT_GET(map->held[index / 64]);
    return (others & blockmap_bit(map, index)) == 0;
}

// Keeps a live block from being handed out, and from being freed.
static inline void
blockmap_hold(page_t *page, size_t index)
{
    uint64_t *held = &page->map->held[index / 64];
    OWNER_SET(*held, *held | blockmap_bit(page->map, index));
}

// True when all that was fetched has been counted, too.
static inline bool
blockmap_is_settled(const page_t *page)
{
    return page->map->early == 0;
}

// Takes one of the blocks of `word`, the one that is open, which has some.
static inline char *
blockmap_take(page_t *page, blockmap_word_t *word)
{
    const blockmap_t *map = page->map;
    uint64_t free = word->free;
    size_t block = map->order->block[lowest_bit(free)] ^ map->turned;
    OWNER_SET(word->free, free & (free - 1));
    OWNER_SET(page->used, page->used + 1);
    return map->base + block * page->block_size;
}

static inline blockmap_word_t *
blockmap_word(blockmap_t *map)
{
    return &map->word[map->at];
}

// Gives a block back; false when it is not in use.
static inline bool
blockmap_give(page_t *page, size_t index)
{
    blockmap_word_t *word = &page->map->word[index / 64];
    uint64_t free = word->free;
    uint64_t bit = blockmap_bit(page->map, index);
    if (unlikely(((free | atomic_get_relaxed(&word->remote)) & bit) != 0)) {
        return false;
    }
    OWNER_SET(word->free, free | bit);
    OWNER_SET(page->used, page->used - 1);
    return true;
}

// Gives back a block that was held; false when another thread freed it meanwhile, and gives it back itself.
static inline bool
blockmap_let_go(page_t *page, size_t index)
{
    uint64_t *held = &page->map->held[index / 64];
    OWNER_SET(*held, *held & ~blockmap_bit(page->map, index));
    return blockmap_give(page, index);
}

#endif
