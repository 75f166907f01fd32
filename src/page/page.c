// SPDX-License-Identifier: MIT
// page.c — making pages, threading their blocks, letting them go.
//
// Owns:        see page.h
// Threads:     see page.h
// Invariants:  see page.h
// Not here:    see page.h
#include "page/page.h"

#include <string.h>

#include "base/check.h"
#include "base/track.h"
#include "os/os.h"
#include "page/blockmap.h"
#include "page/cell.h"
#include "page/seal.h"
#include "page/trim.h"

enum {
    // Bytes. Above it a block is zeroed by a purge whatever it held: clearing takes longer.
    ZERO_BY_PURGE_MIN = 4 * 1024 * 1024,
    // Below it, where its last holder touched at most this share of it.
    SPARSE_SHARE = 8,
    // Smaller blocks are copied when they move: a system call costs more.
    MOVE_MIN = 1024 * 1024,
    // Copied too where more than this share of the new place is resident.
    MOVE_SHARE = 2,
};

static void
set_owner(page_t *page, uintptr_t word)
{
    atomic_set_relaxed(&page->owner, word);
}

static page_t *
descriptor_behind(page_t *head, size_t slices)
{
    return (page_t *)(void *)((char *)head + (slices << DESCRIPTOR_SHIFT));
}

static void
mark_inner_slices(page_t *page, uintptr_t word)
{
    for (size_t i = 1; i < page->slices; i++) {
        set_owner(descriptor_behind(page, i), word);
    }
}

// Word by word, for others may be looking at it (walks, statistics); but for the map, which stays for
// the next page that needs one.
static void
clear(page_t *page)
{
    uintptr_t *words = (uintptr_t *)(void *)page;
    for (size_t i = 0; i < offsetof(page_t, map) / sizeof *words; i++) {
        OWNER_SET(words[i], 0);
    }
}

static page_t *
page_from_run(const slice_run_t *run, size_t slices)
{
    page_t *page = run->descriptor;
    clear(page);
    OWNER_SET(page->start, run->start);
    OWNER_SET(page->slices, slices);
    return page;
}

static page_t *
page_in_run(const slice_run_t *run, unsigned class, uintptr_t owner)
{
    ASSERT((owner & OWNER_FLAGS) == 0);
    size_t slices = sizeclass_page_slices(class);
    page_t *page = page_from_run(run, slices);
    uint32_t block_size = (uint32_t)sizeclass_block_size(class);
    OWNER_SET(page->class, (uint16_t) class);
    OWNER_SET(page->block_size, block_size);
    OWNER_SET(page->reserved, (uint32_t)((slices << SLICE_SHIFT) / block_size));
    OWNER_SET(page->flags, run->zero ? PAGE_FRESH_ZERO : 0);
    // Pages without an owner hold samples.
    if (mi__conf.secure <= 0 || owner == 0) {
        OWNER_SET(page->map, NULL);
    } else if (mi__blockmap_make(page)) {
        owner |= OWNER_SECURE;
    } else {
        mi__slices_release(page->start, slices);
        return NULL;
    }
    set_owner(page, owner);
    mark_inner_slices(page, (uintptr_t)page | OWNER_REDIRECT);
    if (TRACKING) {
        mi__cell_page_made(page);
    }
    return page;
}

page_t *
mi__page_new(unsigned class, uintptr_t owner, region_t *only)
{
    slice_run_t run;
    bool claimed = mi__slices_claim(sizeclass_page_slices(class), SLICE_SIZE, only, &run);
    return claimed ? page_in_run(&run, class, owner) : NULL;
}

page_t *
mi__page_new_again(unsigned class, uintptr_t owner, uint32_t place)
{
    slice_run_t run;
    bool claimed = mi__slices_claim_again(place, sizeclass_page_slices(class), &run);
    return claimed ? page_in_run(&run, class, owner) : NULL;
}

page_t *
mi__page_new_singleton(size_t size, size_t align, region_t *only, bool *zero)
{
    slice_run_t run;
    size_t slices = divide_up(size, SLICE_SIZE);
    if (!mi__slices_claim(slices, size_max(align, SLICE_SIZE), only, &run)) {
        return NULL;
    }
    page_t *page = page_from_run(&run, slices);
    OWNER_SET(page->class, CLASS_COUNT);
    OWNER_SET(page->capacity, 1);
    OWNER_SET(page->reserved, 1);
    OWNER_SET(page->used, 1);
    OWNER_SET(page->flags, run.zero ? PAGE_FRESH_ZERO : 0);
    set_owner(page, OWNER_SINGLETON);
    *zero = run.zero;
    return page;
}

void
mi__page_set_alone(page_t *page, unsigned class, char *start, size_t size, uintptr_t word)
{
    set_owner(page, 0);
    clear(page);
    OWNER_SET(page->start, start);
    OWNER_SET(page->slices, 1);
    OWNER_SET(page->class, (uint16_t) class);
    OWNER_SET(page->block_size, (uint32_t)size);
    OWNER_SET(page->map, NULL);
    OWNER_SET(page->capacity, 1);
    OWNER_SET(page->reserved, 1);
    OWNER_SET(page->used, 1);
    set_owner(page, word);
}

void
mi__page_release(page_t *page)
{
    ASSERT(page->used == 0);
    if (TRACKING) {
        mi__cell_page_gone(page);
    }
    if (page->block_size != 0) {
        mark_inner_slices(page, 0);
        set_owner(page, 0);
    } else if ((page->flags & PAGE_GUARDED) != 0 && !mi__seal_open_single(page)) {
        return;
    } else if ((page->flags & PAGE_EMPTIED) != 0) {
        mi__slices_release_zero(page->start, page->slices);
        return;
    }
    mi__slices_release(page->start, page->slices);
}

void
mi__page_discard(page_t *page)
{
    OWNER_SET(page->used, 0);
    mi__page_release(page);
}

bool
mi__page_retire_singleton(page_t *page)
{
    uintptr_t word = page_owner(page);
    // The word decides between two frees of the same block. acquire: pairs with the release of the
    // slices' bits in whatever thread resized the block before it was handed to us.
    if ((word & (OWNER_SINGLETON | OWNER_SAMPLED)) != OWNER_SINGLETON ||
        !atomic_cas_strong_acquire(&page->owner, &word, 0)) {
        return false;
    }
    OWNER_SET(page->used, 0);
    return true;
}

// A page fault for every OS page that is touched costs ten times what clearing it does. But who
// touches little of a block will do so again, and clearing would make all of it resident.
static bool
zero_by_purge(char *start, size_t bytes)
{
    return bytes >= ZERO_BY_PURGE_MIN || mi__os_resident(start, bytes) <= bytes / SPARSE_SHARE;
}

void
mi__page_zero_singleton(page_t *page, size_t from)
{
    size_t whole = size_min(align_up(from, mi__os_page_size()), page->slices << SLICE_SHIFT);
    size_t bytes = (page->slices << SLICE_SHIFT) - whole;
    if (TRACKING) {
        track_open(page->start + from, bytes + whole - from);
    }
    memset(page->start + from, 0, whole - from);
    if (bytes > 0 &&
        (!zero_by_purge(page->start + whole, bytes) || !mi__region_discard(page->start + whole, bytes))) {
        memset(page->start + whole, 0, bytes);
    }
}

void
mi__page_cut_singleton(page_t *page, size_t slices)
{
    ASSERT(slices > 0 && slices <= page->slices);
    char *end = page->start + (slices << SLICE_SHIFT);
    size_t cut = page->slices - slices;
    OWNER_SET(page->slices, slices);
    if (cut > 0 && (page->flags & PAGE_FRESH_ZERO) != 0) {
        mi__slices_release_zero(end, cut);
    } else if (cut > 0) {
        mi__slices_release(end, cut);
    }
}

// Memory that is resident in the new place would have to be faulted in by whoever comes next: then the
// bytes are copied there.
static bool
place_is_empty(page_t *page, size_t bytes)
{
    return (page->flags & PAGE_FRESH_ZERO) != 0 || mi__os_resident(page->start, bytes) <= bytes / MOVE_SHARE;
}

bool
mi__page_move_singleton(page_t *from, page_t *to)
{
    size_t bytes = from->slices << SLICE_SHIFT;
    if (((from->flags | to->flags) & PAGE_GUARDED) != 0 || bytes < MOVE_MIN || from->slices > to->slices ||
        !place_is_empty(to, bytes) || !mi__slices_move(from->start, to->start, from->slices)) {
        return false;
    }
    page_set_flag(from, PAGE_EMPTIED);
    return true;
}

uint32_t
mi__page_extend(page_t *page)
{
    ASSERT(page->free == NULL);
    if (unlikely((page->flags & PAGE_HOLES) != 0) && mi__trim_has_holes(page)) {
        return mi__trim_refill(page);
    }
    uint32_t left = page->reserved - page->capacity;
    if (left == 0) {
        return 0;
    }
    uint32_t count = (uint32_t)(mi__os_page_size() / page->block_size);
    count = count < 1 ? 1 : count;
    count = count > left ? left : count;
    char *first = page->start + (size_t)page->capacity * page->block_size;
    char *last = first + (size_t)(count - 1) * page->block_size;
    for (char *p = first; p < last; p += page->block_size) {
        ((block_t *)(void *)p)->next = (block_t *)(void *)(p + page->block_size);
    }
    ((block_t *)(void *)last)->next = NULL;
    OWNER_SET(page->free, (block_t *)(void *)first);
    OWNER_SET(page->capacity, page->capacity + count);
    OWNER_SET(page->used, page->used + count);
    page_set_flag(page, (page->flags & PAGE_FRESH_ZERO) != 0 ? PAGE_FREE_ZERO : 0);
    VERIFY(mi__page_verify(page));
    return count;
}

uint32_t
mi__page_ungrant(page_t *page)
{
    uint32_t count = 0;
    while (page->free != NULL) {
        block_t *block = page_pop(page, page->free);
        block->next = page->local_free;
        OWNER_SET(page->local_free, block);
        count++;
    }
    OWNER_SET(page->used, page->used - count);
    return count;
}

bool
mi__page_resize_singleton(page_t *page, size_t slices, bool *zero)
{
    if (slices > page->slices) {
        if (!mi__slices_claim_behind(page->start, page->slices, slices - page->slices, zero)) {
            return false;
        }
    } else if (slices < page->slices) {
        mi__slices_release(page->start + (slices << SLICE_SHIFT), page->slices - slices);
    }
    OWNER_SET(page->slices, slices);
    return true;
}

void *
mi__page_block_of(const page_t *page, const void *p)
{
    if (page->block_size == 0) {
        return page->start;
    }
    size_t offset = (size_t)((const char *)p - page->start);
    return page->start + offset - offset % page->block_size;
}

size_t
mi__page_usable(const page_t *page, const void *p)
{
    size_t lead = (size_t)((const char *)p - page->start);
    if (seal_is_on(page)) {
        return mi__seal_usable(page, lead);
    }
    if (page->block_size == 0) {
        return (page->slices << SLICE_SHIFT) - lead;
    }
    // 32 bits are divided in half the time of 64.
    return page->block_size - (uint32_t)lead % page->block_size;
}

page_t *
mi__page_of(const void *p)
{
    page_t *page;
    if (unlikely(!region_first_find(p, &page)) && (page = mi__region_descriptor(p)) == NULL) {
        return NULL;
    }
    uintptr_t word = page_owner(page);
    if ((word & OWNER_REDIRECT) != 0) {
        page = page_of_redirect(word);
        word = page_owner(page);
    }
    return word == 0 ? NULL : page;
}

page_t *
mi__page_around(const void *p)
{
    page_t *page = mi__page_of(p);
    const region_t *region = page == NULL ? mi__region_of(p) : NULL;
    if (region == NULL) {
        return page;
    }
    size_t slice = region_slice_of(region, p);
    for (size_t before = slice; before-- > 0;) {
        page = region_descriptor_at(region, before);
        uintptr_t word = page_owner(page);
        if (word != 0) {
            bool around = (word & OWNER_SINGLETON) != 0 && slice - before < HINT_GET(page->slices);
            return around ? page : NULL;
        }
    }
    return NULL;
}

size_t
mi__page_blocks_granted(const page_t *page)
{
    size_t used = HINT_GET(page->used);
    return used - (used > 0 && (HINT_GET(page->flags) & PAGE_PINNED) != 0);
}

// Follows a link only while it points to a block of the page: a page that its owner is working on
// shows links that are half gone, and the memory they lie in belongs to the program by now.
__attribute__((no_sanitize("thread"))) size_t
mi__page_blocks_free(const page_t *page)
{
    const block_t *block = HINT_GET(page->free);
    size_t count = 0;
    size_t capacity = HINT_GET(page->capacity);
    if (page->block_size == 0) {
        return 0;
    }
    while (block != NULL && count < capacity) {
        size_t offset = (size_t)((const char *)block - page->start);
        if (offset >= (size_t)page->reserved * page->block_size || offset % page->block_size != 0) {
            break;
        }
        count++;
        block = *(const block_t *const volatile *)&block->next;
    }
    return count;
}

static bool
list_verify(const page_t *page, const block_t *block, size_t *count)
{
    for (; block != NULL; block = block->next) {
        size_t offset = (size_t)((const char *)block - page->start);
        if (offset % page->block_size != 0 || offset / page->block_size >= page->capacity + page->holed ||
            mi__trim_in_hole(page, offset / page->block_size) || ++*count > page->capacity) {
            return false;
        }
    }
    return true;
}

bool
mi__page_verify(const page_t *page)
{
    size_t in_free = 0;
    size_t in_local = 0;
    if (page->map != NULL) {
        return mi__blockmap_verify(page);
    }
    return page->capacity + page->holed <= page->reserved && page->used >= page_is_pinned(page) &&
           list_verify(page, page->free, &in_free) && list_verify(page, page->local_free, &in_local) &&
           (in_free == 0 || page_is_pinned(page)) && in_free <= page->used &&
           page->capacity == page->used - page_is_pinned(page) + in_local;
}
