// SPDX-License-Identifier: MIT
// seal.c — writing and checking seals.
//
// Owns:        see seal.h
// Threads:     see seal.h
// Invariants:  see seal.h
// Not here:    see seal.h
#include "page/seal.h"

#include <string.h>

#include "os/os.h"

enum {
    LONG_MIN_LEFT = 8, // so many bytes left over, and more, are told by four bytes of their own
    LONG_BYTES = 5,    // the end of such a seal
    FILL_MAX = 64,     // bytes behind what was asked for that are looked at; those further out are not
    EMPTY_MAX = 1000,  // each has a slice of address space, and may be a mapping
    TOP = 0x80,
};

static _Atomic(size_t) empty_count; // [atomic: any thread] singletons of no bytes

static uint64_t
mix(uint64_t key, size_t index)
{
    uint64_t mixed = (key ^ index) * UINT64_C(0x9e3779b97f4a7c15);
    return mixed ^ mixed >> 32;
}

// Four bits, but not 15: with TOP and the bits above they make no 0xff.
static uint8_t
check_of(uint64_t mixed)
{
    uint8_t bits = mixed & 15;
    return bits == 15 ? 7 : bits;
}

static uint8_t
fill_of(uint64_t mixed)
{
    return (uint8_t)(TOP | (mixed >> 8 & 0x7e));
}

static uint64_t
word_at(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

// By words, of which the last may overlap the one before.
static bool
is_filled(const uint8_t *at, size_t count, uint8_t with)
{
    uint64_t all = with * UINT64_C(0x0101010101010101);
    uint64_t wrong = 0;
    if (count >= sizeof all) {
        for (size_t i = 0; i < count - sizeof all; i += sizeof all) {
            wrong |= word_at(at + i) ^ all;
        }
        return (wrong | (word_at(at + count - sizeof all) ^ all)) == 0;
    }
    for (size_t i = 0; i < count; i++) {
        wrong |= at[i] ^ (uint64_t)with;
    }
    return wrong == 0;
}

static uint8_t *
block_at(const page_t *page, size_t index)
{
    return (uint8_t *)page->start + index * page->block_size;
}

void
mi__seal_set(const page_t *page, size_t index, size_t size)
{
    uint64_t mixed = mix(page->map->key, index);
    uint8_t *block = block_at(page, index);
    uint8_t *end = block + page->block_size;
    uint32_t left = (uint32_t)(page->block_size - size);
    uint8_t shown = left < LONG_MIN_LEFT ? (uint8_t)left : 0;
    size_t tail = 1;
    end[-1] = (uint8_t)(TOP | shown << 4 | check_of(mixed));
    if (shown == 0) {
        uint32_t masked = left ^ (uint32_t)(mixed >> 16);
        memcpy(end - LONG_BYTES, &masked, sizeof masked);
        tail = LONG_BYTES;
    }
    memset(block + size, fill_of(mixed), size_min(left - tail, FILL_MAX));
}

bool
mi__seal_read(const page_t *page, size_t index, size_t *size)
{
    uint64_t mixed = mix(page->map->key, index);
    const uint8_t *block = block_at(page, index);
    const uint8_t *end = block + page->block_size;
    uint32_t left = end[-1] >> 4 & 7;
    size_t tail = 1;
    if (end[-1] != (TOP | left << 4 | check_of(mixed))) {
        return false;
    }
    if (left == 0) {
        memcpy(&left, end - LONG_BYTES, sizeof left);
        left ^= (uint32_t)(mixed >> 16);
        tail = LONG_BYTES;
        if (left < LONG_MIN_LEFT || left > page->block_size) {
            return false;
        }
    }
    *size = page->block_size - left;
    return is_filled(block + *size, size_min(left - tail, FILL_MAX), fill_of(mixed));
}

// The bytes of a singleton's last OS page behind what was asked for, as far as they are filled.
static size_t
rest_of(size_t size)
{
    return size_min(align_up(size, mi__os_page_size()) - size, FILL_MAX);
}

static uint8_t
fill_of_single(const page_t *page)
{
    return fill_of(mix((uintptr_t)page, 0));
}

// From the end of the OS page in which the block ends.
static void
put_guard(const page_t *page, size_t size)
{
    size_t end = align_up(size, mi__os_page_size());
    (void)mi__os_protect(page->start + end, (page->slices << SLICE_SHIFT) - end);
}

// A singleton is about to have `size` bytes.
static void
count_empty(const page_t *page, size_t size)
{
    bool was = (page->flags & PAGE_GUARDED) != 0 && page->holes[0] == 0;
    if (was && size != 0) {
        atomic_sub_relaxed(&empty_count, 1);
    } else if (!was && size == 0) {
        atomic_add_relaxed(&empty_count, 1);
    }
}

bool
mi__seal_single(page_t *page, size_t size)
{
    size_t unit = mi__os_page_size();
    size_t end = align_up(size, unit);
    size_t slices = divide_up(end + unit, SLICE_SIZE);
    bool fresh = (page->flags & PAGE_GUARDED) == 0;
    size_t before = fresh ? size : (size_t)page->holes[0];
    bool zero;
    if (!fresh && !mi__os_unprotect(page->start, page->slices << SLICE_SHIFT)) {
        return false;
    }
    if (slices != page->slices && !mi__page_resize_singleton(page, slices, &zero)) {
        if (!fresh) {
            put_guard(page, before);
        }
        return false;
    }
    size_t from = size_min(size, before);
    memset(page->start + from, 0, end - from);
    count_empty(page, size);
    page_set_flag(page, PAGE_GUARDED);
    OWNER_SET(page->holes[0], size);
    memset(page->start + size, fill_of_single(page), rest_of(size));
    put_guard(page, size);
    return true;
}

bool
mi__seal_takes_empty(void)
{
    return atomic_get_relaxed(&empty_count) < EMPTY_MAX;
}

bool
mi__seal_open_single(page_t *page)
{
    if (page->holes[0] == 0) {
        atomic_sub_relaxed(&empty_count, 1);
    }
    return mi__os_unprotect(page->start, page->slices << SLICE_SHIFT);
}

bool
mi__seal_read_single(const page_t *page, size_t *size)
{
    *size = (size_t)HINT_GET(page->holes[0]);
    return is_filled((const uint8_t *)page->start + *size, rest_of(*size), fill_of_single(page));
}

bool
mi__seal_resize(page_t *page, void *p, size_t size)
{
    size_t offset = (size_t)((char *)p - page->start);
    size_t index = page->block_size == 0 ? 0 : blockmap_index(page, offset);
    size_t lead = offset - index * page->block_size;
    size_t before = lead + mi__seal_usable(page, offset);
    // From an address inside of a block it grows to a place with the alignment of others.
    if (size > PTRDIFF_MAX / 2 || (lead != 0 && lead + size > before)) {
        return false;
    }
    if (page->block_size == 0) {
        return mi__seal_single(page, lead + size);
    }
    if (lead + size > page->block_size - SEAL_BYTES_MIN) {
        return false;
    }
    size_t from = size_min(before, lead + size);
    memset(page->start + index * page->block_size + from, 0, page->block_size - from);
    mi__seal_set(page, index, lead + size);
    return true;
}

size_t
mi__seal_usable(const page_t *page, size_t offset)
{
    size_t size = 0;
    size_t index = page->block_size == 0 ? 0 : blockmap_index(page, offset);
    bool whole =
        page->block_size == 0 ? mi__seal_read_single(page, &size) : mi__seal_read(page, index, &size);
    size_t end = index * page->block_size + size;
    return whole && end > offset ? end - offset : 0;
}

bool
mi__seal_is_clear(const page_t *page, size_t index)
{
    const uint64_t *words = (const uint64_t *)(const void *)block_at(page, index);
    uint64_t any = 0;
    for (size_t i = 0; i < page->block_size / sizeof *words; i += 2) {
        any |= words[i] | words[i + 1];
    }
    return any == 0;
}
