// SPDX-License-Identifier: MIT
// secure.c — what secure mode does where the default mode has its straight paths.
//
// Owns:        nothing
// Threads:     any
// Not here:    see secure.h
#include "alloc/secure.h"

#include <string.h>

#include "alloc/alloc.h"
#include "alloc/free.h"
#include "alloc/large.h"
#include "base/bits.h"
#include "base/hooks.h"
#include "heap/quarantine.h"
#include "heap/registry.h"
#include "os/os.h"
#include "page/blockmap.h"
#include "page/seal.h"

// True where `page` has a block in the word that is open, or in another.
static bool
has_more(page_t *page)
{
    blockmap_t *map = page->map;
    return blockmap_word(map)->free != 0 || mi__blockmap_open(page, false);
}

// A block with room for `room` bytes, at most BLOCK_MAX; *page is its page.
static char *
block_for(thread_heap_t *heap, size_t room, page_t **page)
{
    *page = thread_heap_page(heap, room);
    blockmap_t *map = (*page)->map;
    if (likely(map != NULL && --map->left >= 0 && has_more(*page))) {
        thread_heap_grant_one(heap, (*page)->class);
        return blockmap_take(*page, blockmap_word(map));
    }
    bool zero;
    char *block = (char *)mi__alloc_block(heap, room, &zero);
    *page = block == NULL ? NULL : mi__page_of(block);
    return block;
}

// The straight path: a block of `page` where its map has one at hand, else NULL.
static inline void *
take(thread_heap_t *heap, page_t *page)
{
    blockmap_t *map = page->map;
    if (likely(map != NULL)) {
        blockmap_word_t *word = map->open;
        if (likely(word->free != 0 && --map->left >= 0)) {
            thread_heap_grant_one(heap, page->class);
            return blockmap_take(page, word);
        }
    }
    return NULL;
}

void *
mi__secure_malloc(size_t size, thread_heap_t *heap, page_t *page)
{
    void *block = take(heap, page);
    return likely(block != NULL) ? block : mi__alloc_rarely(size, heap);
}

void *
mi__secure_calloc(size_t size, thread_heap_t *heap)
{
    if (likely(size <= BLOCK_MAX)) {
        page_t *page = thread_heap_page(heap, size);
        void *block = take(heap, page);
        if (likely(block != NULL)) {
            return memset(block, 0, page->block_size);
        }
    }
    return mi__secure_alloc(heap, size, GRANULE, 0, true);
}

// A singleton for `size` bytes; with a guard behind it where the level asks for it and the memory is ours.
static char *
large_for(thread_heap_t *heap, size_t size, size_t align, bool zeroed)
{
    size_t unit = mi__os_page_size();
    bool guarded = size == 0 || (mi__conf.secure >= SECURE_LARGE && size <= PTRDIFF_MAX / 2);
    char *block = (char *)mi__alloc_large(heap, guarded ? align_up(size, unit) + unit : size, align,
                                          zeroed && size > 0);
    if (block != NULL && guarded && !mi__region_of(block)->given) {
        (void)!mi__seal_single(mi__page_of(block), size); // which has the slices for it
    }
    return block;
}

// Makes a fresh block ready, whose first `size` bytes are to be the program's.
static void
prepare(page_t *page, char *block, size_t size, bool zeroed)
{
    if (!seal_is_on(page)) {
        if (zeroed) {
            memset(block, 0, page->block_size);
        }
        return;
    }
    size_t index = blockmap_index(page, (size_t)(block - page->start));
    mi__blockmap_freshen(page, index);
    if (unlikely(page->map->checked && !mi__seal_is_clear(page, index))) {
        mi__hooks.misuse(MISUSE_LATE_WRITE, "malloc", block);
        memset(block, 0, page->block_size);
    }
    if (zeroed && !page->map->checked) {
        memset(block, 0, size);
    }
    mi__seal_set(page, index, size);
}

void *
mi__secure_alloc(thread_heap_t *heap, size_t size, size_t align, size_t lead, bool zeroed)
{
    size_t room = size_max(lead + size + (mi__conf.secure >= SECURE_BYTES ? SEAL_BYTES_MIN : 0), 1);
    if (align > GRANULE) {
        room = align_up(room, align);
    }
    page_t *page;
    char *block;
    bool is_empty = lead + size == 0 && mi__seal_takes_empty();
    if (unlikely(is_empty || size > BLOCK_MAX || align > SLICE_SIZE || room > BLOCK_MAX)) {
        size_t bytes = size > PTRDIFF_MAX ? size : lead + size_max(size, !is_empty);
        block = large_for(heap, bytes, size_max(align, SLICE_SIZE), zeroed);
        page = block == NULL ? NULL : mi__page_of(block);
    } else {
        block = block_for(heap, room, &page);
        if (likely(block != NULL)) {
            prepare(page, block, lead + size, zeroed);
        }
    }
    if (unlikely(block == NULL)) {
        return NULL;
    }
    if (unlikely(lead != 0)) {
        page_set_owner_flag(page, OWNER_INTERIOR);
    }
    return block + lead;
}

// What is wrong with `p`, as an address of a block in use.
MI_COLD static bool
refuse(const page_t *page, const void *p, const char *call, size_t index, bool starts)
{
    misuse_t kind = !starts                   ? MISUSE_FREE_INTERIOR
                    : index >= page->reserved ? MISUSE_FREE_NO_BLOCK
                                              : MISUSE_DOUBLE_FREE;
    mi__hooks.misuse(kind, call, p);
    return false;
}

// The index of the live block that `p` stands for; false, and that is reported, when there is none.
static inline bool
find(page_t *page, const void *p, uintptr_t word, const char *call, size_t *index)
{
    uint64_t rest;
    *index = blockmap_divide(page->map, (size_t)((const char *)p - page->start), &rest);
    bool starts = rest < page->map->magic || (word & OWNER_INTERIOR) != 0;
    if (likely(starts && blockmap_is_live(page, *index))) {
        return true;
    }
    return refuse(page, p, call, *index, starts);
}

bool
mi__secure_is_whole(const page_t *page, size_t index, const void *p, const char *call)
{
    size_t size;
    if (likely(page->block_size == 0 ? mi__seal_read_single(page, &size)
                                     : mi__seal_read(page, index, &size))) {
        return true;
    }
    mi__hooks.misuse(MISUSE_OVERFLOW, call, p);
    return false;
}

bool
mi__secure_check(page_t *page, const void *p, const char *call)
{
    size_t index;
    return find(page, p, page_owner(page), call, &index) &&
           (!page->map->sealed || mi__secure_is_whole(page, index, p, call));
}

MI_NOINLINE static void
free_remote(page_t *page, const void *p, size_t index)
{
    if (unlikely(!mi__blockmap_announce(page, index))) {
        mi__hooks.misuse(MISUSE_DOUBLE_FREE, "free", p);
        return;
    }
    owner_t *listed = mi__remote_count_in(page);
    if (listed != NULL) {
        mi__registry_tell(listed);
    }
}

// Leaves nothing of what the block held. Where it waits, and much does, its memory goes back.
static void
clear(const page_t *page, char *block, bool drops)
{
    char *from = block;
    char *to = block + page->block_size;
    if (drops) {
        size_t unit = mi__os_page_size();
        char *first = block + (-(uintptr_t)block & (unit - 1));
        size_t bytes = (size_t)(to - first) & ~(unit - 1);
        if (mi__region_discard(first, bytes)) {
            memset(first + bytes, 0, (size_t)(to - first) - bytes);
            to = first;
        }
    }
    memset(from, 0, (size_t)(to - from));
}

MI_NOINLINE static void
free_slow(void *p, page_t *page)
{
    uintptr_t word = page_owner(page);
    size_t index;
    if (unlikely(!find(page, p, word, "free", &index))) {
        return;
    }
    thread_heap_t *owner = page_thread_heap(word);
    bool mine = owner == mi__thread_heap || thread_heap_is_mine(owner);
    bool waits = mine && page->map->checked;
    if (page->map->sealed) {
        if (unlikely(!mi__secure_is_whole(page, index, p, "free"))) {
            return;
        }
        bool drops = waits && mi__quarantine_drops(owner, page->block_size);
        clear(page, page->start + index * page->block_size, drops);
    }
    if (unlikely(!mine)) {
        free_remote(page, p, index);
    } else if (waits) {
        mi__quarantine_put(owner, page, index);
    } else {
        (void)blockmap_give(page, index);
        if (page->used == 0 && owner == mi__thread_heap) {
            mi__free_emptied(page);
        } else {
            mi__thread_heap_came_home(owner, page);
        }
    }
}

// First the straight path: a block of a page of the thread's own that is neither full nor sealed.
void
mi__secure_free(void *p, page_t *page, uintptr_t word)
{
    if (likely(word == ((uintptr_t)mi__thread_heap | OWNER_SECURE))) {
        uint64_t rest;
        size_t index = blockmap_divide(page->map, (size_t)((char *)p - page->start), &rest);
        if (likely(rest < page->map->exact && blockmap_give(page, index))) {
            if (unlikely(page->used == 0)) {
                mi__free_emptied(page);
            }
            return;
        }
    }
    free_slow(p, page);
}
