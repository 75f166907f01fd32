// SPDX-License-Identifier: MIT
// blockmap.c — the bitmaps of pages whose free blocks carry no links.
//
// Owns:        see blockmap.h
// Threads:     see blockmap.h
// Invariants:  see blockmap.h
// Not here:    see blockmap.h
#include "page/blockmap.h"

#include <string.h>

#include "arena/meta.h"
#include "base/check.h"
#include "base/hooks.h"
#include "os/os.h"

enum {
    GROUP_BYTES = 512,  // blocks in so many bytes come in an order of chance: what a program makes
                        // together stays together, in cache lines that are fetched together
    GROUP_MIN_LOG2 = 2, // and so many at least;
    GROUP_MAX_LOG2 = 5, // at most this many,
    SMALLEST_MAX = 32,  // and always of blocks up to this size
    BATCH_BYTES = 4096, // blocks in so many bytes are handed out for the first time together
    COMMON_MAX = 22,    // of blocks that follow each other at most one in so many lies at the same distance
    TRIES = 50,         // to find such an order
};

_Static_assert(MEDIUM_PAGE_SLICES *SLICE_SIZE / SMALL_PAGE_BLOCK_MAX / 64 <= BLOCKMAP_WORDS_MAX,
               "room for any page");
_Static_assert(GROUP_BYTES <= BATCH_BYTES && GROUP_MAX_LOG2 <= 6,
               "a batch is made of groups, a word of batches");

// Of pages that are to leave the straight path.
static blockmap_word_t none;

// By the size of groups; NULL: not made yet.
static _Atomic(blockmap_order_t *) orders; // [atomic: any thread]

// The next number of a sequence; its top bits are chance.
static unsigned
draw(uint64_t *random, unsigned below)
{
    *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)((*random >> 32) * below >> 32);
}

static void
shuffle(blockmap_order_t *order, unsigned group, uint64_t *random)
{
    for (unsigned i = 0; i < 64; i++) {
        order->block[i] = (uint8_t)i;
    }
    for (unsigned i = 0; i < 64; i++) {
        unsigned with = i + draw(random, group - i % group);
        uint8_t block = order->block[i];
        order->block[i] = order->block[with];
        order->block[with] = block;
    }
    for (unsigned i = 0; i < 64; i++) {
        order->bit[order->block[i]] = (uint8_t)i;
    }
}

// True when no distance is common among blocks that follow each other, in words with every turn.
static bool
varies(const blockmap_order_t *order, unsigned group)
{
    unsigned seen[128] = {0};
    for (unsigned turn = 0; turn < group; turn++) {
        for (unsigned i = 1; i < 64; i++) {
            unsigned distance = (order->block[i] ^ turn) - (order->block[i - 1] ^ turn);
            if (++seen[distance % 128] > 63 * group / COMMON_MAX) {
                return false;
            }
        }
    }
    return true;
}

// In small groups no order varies so much.
static void
make_order(blockmap_order_t *order, unsigned group)
{
    uint64_t random = mi__os_random();
    unsigned tries = group < 1 << GROUP_MAX_LOG2 ? 1 : TRIES;
    do {
        shuffle(order, group, &random);
    } while (--tries > 0 && !varies(order, group));
}

// NULL when there is no memory. Of two threads that make them at the same time one does so in vain.
static const blockmap_order_t *
order_for(unsigned log2)
{
    // acquire: what they hold; pairs with the acq_rel below.
    blockmap_order_t *made = atomic_get_acquire(&orders);
    if (made == NULL) {
        blockmap_order_t *mine =
            (blockmap_order_t *)mi__meta_alloc((GROUP_MAX_LOG2 + 1) * sizeof(blockmap_order_t));
        if (mine == NULL) {
            return NULL;
        }
        for (unsigned i = GROUP_MIN_LOG2; i <= GROUP_MAX_LOG2; i++) {
            make_order(&mine[i], 1U << i);
        }
        // acq_rel: publishes the orders, or sees another's; pairs with the acquire above and with itself.
        made = atomic_cas_strong_acq_rel(&orders, &made, mine) ? mine : made;
    }
    return &made[log2];
}

static void
open_at(page_t *page, uint32_t at)
{
    blockmap_t *map = page->map;
    map->at = at;
    map->turned = (at & map->mask) ^ map->turn;
    map->left = BLOCKMAP_BEAT;
    map->open = map->sealed ? &none : &map->word[at];
    map->base = page->start + (size_t)at * 64 * page->block_size;
}

static unsigned
log2_of(size_t blocks, unsigned most)
{
    unsigned fit = highest_bit(size_max(blocks, 1));
    return fit < GROUP_MIN_LOG2 ? GROUP_MIN_LOG2 : fit > most ? most : fit;
}

static bool
set_order(page_t *page, blockmap_t *map)
{
    unsigned log2 = page->block_size <= SMALLEST_MAX
                        ? GROUP_MAX_LOG2
                        : log2_of(GROUP_BYTES / page->block_size, GROUP_MAX_LOG2);
    map->batch = 1U << log2_of(BATCH_BYTES / page->block_size, 6);
    const blockmap_order_t *order = order_for(log2);
    if (order == NULL) {
        return false;
    }
    OWNER_SET(map->order, order);
    OWNER_SET(map->mask, (UINT32_C(1) << log2) - 1);
    OWNER_SET(map->turn, (uint32_t)(map->key >> 32) & map->mask);
    map->tail = 0;
    for (size_t i = page->reserved; i % 64 != 0 || i == page->reserved; i++) {
        map->tail |= blockmap_bit(map, i);
    }
    return true;
}

bool
mi__blockmap_make(page_t *page)
{
    blockmap_t *map = page->map;
    if (map == NULL) {
        map = (blockmap_t *)mi__meta_alloc(sizeof *map);
        if (map == NULL) {
            return false;
        }
        OWNER_SET(page->map, map);
    }
    OWNER_SET(map->magic, UINT64_MAX / page->block_size + 1);
    map->key = mi__os_random();
    OWNER_SET(map->sealed, mi__conf.secure >= SECURE_BYTES);
    map->checked = mi__conf.secure >= SECURE_REUSE;
    map->exact = map->sealed ? 0 : map->magic;
    map->early = 0;
    map->words = (page->reserved + 63) / 64;
    if (!set_order(page, map)) {
        return false;
    }
    bool is_stale = map->sealed && (page->flags & PAGE_FRESH_ZERO) == 0;
    for (uint32_t i = 0; i <= page->reserved / 64; i++) {
        OWNER_SET(map->word[i].free, 0);
        OWNER_SET(map->held[i], 0);
        atomic_set_relaxed(&map->word[i].remote, ~UINT64_C(0));
    }
    for (uint32_t i = 0; map->sealed && i < map->words; i++) {
        map->stale[i] = is_stale ? ~UINT64_C(0) : 0;
    }
    open_at(page, 0);
    return true;
}

// The bits of the word `at` that are of blocks that were never handed out, or of none.
static uint64_t
bits_above(const page_t *page, uint32_t at)
{
    size_t before = (size_t)at * 64;
    size_t end = align_up(page->capacity, page->map->batch);
    uint64_t above = end <= before ? ~UINT64_C(0) : ~low_mask((unsigned)size_min(end - before, 64));
    return above | (at == page->reserved / 64 ? page->map->tail : 0);
}

static uint64_t
free_in(const page_t *page, uint32_t at)
{
    const blockmap_word_t *word = &page->map->word[at];
    return word->free & ~atomic_get_relaxed(&word->remote);
}

// Lets the next few blocks be handed out. False when there are none.
static bool
extend(page_t *page)
{
    blockmap_t *map = page->map;
    uint32_t from = page->capacity;
    if (from == page->reserved) {
        return false;
    }
    uint32_t at = from / 64;
    uint64_t before = bits_above(page, at);
    OWNER_SET(page->capacity, (uint32_t)size_min(from + map->batch, page->reserved));
    uint64_t bits = before & ~bits_above(page, at);
    // relaxed: nobody else knows of the blocks yet.
    atomic_and_relaxed(&map->word[at].remote, ~bits);
    OWNER_SET(map->word[at].free, map->word[at].free | bits);
    open_at(page, at);
    return true;
}

bool
mi__blockmap_open(page_t *page, bool fresh)
{
    blockmap_t *map = page->map;
    bool any = page->used - page_is_pinned(page) < page->capacity;
    uint32_t at = map->at;
    bool found = any && free_in(page, at) != 0;
    for (uint32_t i = 0; any && !found && i < map->words; i++) {
        at = at + 1 < map->words ? at + 1 : 0;
        found = free_in(page, at) != 0;
    }
    if (found) {
        open_at(page, at);
    }
    return found || (fresh && extend(page));
}

size_t
mi__blockmap_fetch(page_t *page, size_t counted)
{
    blockmap_t *map = page->map;
    size_t count = 0;
    for (uint32_t i = 0; i < map->words; i++) {
        blockmap_word_t *word = &map->word[i];
        uint64_t above = bits_above(page, i);
        if (atomic_get_relaxed(&word->remote) == above) {
            continue;
        }
        // acquire: what the freeing threads did to the blocks; pairs with the acq_rel in
        // mi__blockmap_announce.
        uint64_t came = atomic_exchange_acquire(&word->remote, above) & ~above;
        uint64_t twice = came & (word->free | map->held[i]);
        if (twice != 0) {
            size_t index =
                (size_t)i * 64 + (map->order->block[lowest_bit(twice)] ^ (i & map->mask) ^ map->turn);
            mi__hooks.misuse(MISUSE_DOUBLE_FREE, "free", page->start + index * page->block_size);
        }
        OWNER_SET(word->free, word->free | (came & ~twice));
        count += bit_count(came & ~twice);
        map->early += bit_count(came);
    }
    ASSERT(page->used >= count);
    OWNER_SET(page->used, page->used - (uint32_t)count);
    map->early -= counted;
    return count;
}

bool
mi__blockmap_announce(page_t *page, size_t index)
{
    blockmap_word_t *word = &page->map->word[index / 64];
    uint64_t bit = blockmap_bit(page->map, index);
    if (!blockmap_is_live(page, index)) {
        return false;
    }
    // Of two threads one finds the bit set. acq_rel: pairs with the acquire in mi__blockmap_fetch.
    return (atomic_or_acq_rel(&word->remote, bit) & bit) == 0;
}

void
mi__blockmap_mark_free(const page_t *page, uint64_t *is_free)
{
    for (size_t i = 0; i < page->reserved; i++) {
        is_free[i / 64] |= (uint64_t)!blockmap_is_live(page, i) << i % 64;
    }
}

void
mi__blockmap_freshen(const page_t *page, size_t index)
{
    uint64_t *stale = &page->map->stale[index / 64];
    uint64_t bit = UINT64_C(1) << index % 64;
    if ((*stale & bit) != 0) {
        *stale &= ~bit;
        memset(page->start + index * page->block_size, 0, page->block_size);
    }
}

bool
mi__blockmap_verify(const page_t *page)
{
    size_t free = 0;
    for (uint32_t i = 0; i < page->map->words; i++) {
        uint64_t above = bits_above(page, i);
        const blockmap_word_t *word = &page->map->word[i];
        if ((word->free & above) != 0 || (~atomic_get_relaxed(&word->remote) & above) != 0) {
            return false;
        }
        free += bit_count(word->free);
    }
    return page->free == NULL && page->local_free == NULL && page->capacity <= page->reserved &&
           page->capacity == page->used - page_is_pinned(page) + free;
}
