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
    WORDS_MAX = SMALL_PAGE_SLICES * SLICE_SIZE / GRANULE / 64,
    OPEN_MIN = 16, // a word with so many free blocks goes on serving: what was just used is at hand
};

_Static_assert(MEDIUM_PAGE_SLICES *SLICE_SIZE / SMALL_PAGE_BLOCK_MAX / 64 <= WORDS_MAX, "room for any page");

bool
mi__blockmap_make(page_t *page)
{
    blockmap_t *map = page->map;
    if (map == NULL) {
        map = (blockmap_t *)mi__meta_alloc(sizeof *map + WORDS_MAX * sizeof map->word[0]);
        if (map == NULL) {
            return false;
        }
        map->random = mi__os_random();
        OWNER_SET(page->map, map);
    }
    OWNER_SET(map->magic, ((UINT64_C(1) << BLOCKMAP_SHIFT) + page->block_size - 1) / page->block_size);
    map->key = mi__os_random();
    map->random ^= map->key;
    OWNER_SET(map->sealed, mi__conf.secure >= SECURE_BYTES);
    map->checked = mi__conf.secure >= SECURE_REUSE;
    bool is_stale = map->sealed && (page->flags & PAGE_FRESH_ZERO) == 0;
    map->open = 0;
    map->at = 0;
    map->early = 0;
    map->words = (page->reserved + 63) / 64;
    for (uint32_t i = 0; i < map->words; i++) {
        OWNER_SET(map->word[i].live, 0);
        atomic_set_relaxed(&map->word[i].remote, 0);
        map->word[i].stale = is_stale ? low_mask((unsigned)size_min(page->reserved - (size_t)i * 64, 64)) : 0;
    }
    OWNER_SET(page->capacity, page->reserved);
    return true;
}

static uint64_t
free_in(const page_t *page, uint32_t at)
{
    const blockmap_word_t *word = &page->map->word[at];
    unsigned blocks = (unsigned)size_min(page->reserved - (size_t)at * 64, 64);
    return ~(word->live | atomic_get_relaxed(&word->remote)) & low_mask(blocks);
}

bool
mi__blockmap_open(page_t *page)
{
    blockmap_t *map = page->map;
    bool any = page->used - page_is_pinned(page) < page->reserved;
    uint32_t at = map->at;
    uint64_t open = free_in(page, at);
    bool stays = !map->checked && __builtin_popcountll(open) >= OPEN_MIN;
    for (uint32_t i = 0; any && !stays && i < map->words; i++) {
        at = at + 1 < map->words ? at + 1 : 0;
        open = free_in(page, at);
        stays = open != 0;
    }
    map->at = at;
    map->open = open;
    return open != 0;
}

size_t
mi__blockmap_fetch(page_t *page, size_t counted)
{
    blockmap_t *map = page->map;
    size_t count = 0;
    for (uint32_t i = 0; i < map->words; i++) {
        blockmap_word_t *word = &map->word[i];
        if (atomic_get_relaxed(&word->remote) == 0) {
            continue;
        }
        // acquire: what the freeing threads did to the blocks; pairs with the acq_rel in
        // mi__blockmap_announce.
        uint64_t came = atomic_exchange_acquire(&word->remote, 0);
        uint64_t twice = came & ~word->live;
        if (twice != 0) {
            size_t index = (size_t)i * 64 + lowest_bit(twice);
            mi__hooks.misuse(MISUSE_DOUBLE_FREE, "free", page->start + index * page->block_size);
        }
        OWNER_SET(word->live, word->live & ~came);
        count += (size_t)__builtin_popcountll(came & ~twice);
        map->early += (size_t)__builtin_popcountll(came);
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
    if (!blockmap_is_live(page, index)) {
        return false;
    }
    // Of two threads one finds the bit set. acq_rel: pairs with the acquire in mi__blockmap_fetch.
    return (atomic_or_acq_rel(&word->remote, blockmap_bit(index)) & blockmap_bit(index)) == 0;
}

void
mi__blockmap_mark_free(const page_t *page, uint64_t *is_free)
{
    for (uint32_t i = 0; i < page->map->words; i++) {
        is_free[i] = free_in(page, i);
    }
}

void
mi__blockmap_freshen(const page_t *page, size_t index)
{
    blockmap_word_t *word = &page->map->word[index / 64];
    if ((word->stale & blockmap_bit(index)) != 0) {
        word->stale &= ~blockmap_bit(index);
        memset(page->start + index * page->block_size, 0, page->block_size);
    }
}

bool
mi__blockmap_verify(const page_t *page)
{
    size_t live = 0;
    for (uint32_t i = 0; i < page->map->words; i++) {
        live += (size_t)__builtin_popcountll(page->map->word[i].live);
    }
    return page->free == NULL && page->local_free == NULL && live == page->used - page_is_pinned(page);
}
