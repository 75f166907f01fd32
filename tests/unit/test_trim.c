// SPDX-License-Identifier: MIT
// test_trim.c — page/trim.c: which OS pages go back, and that every block comes into use again, once.
#include "fresh.h"

#include "arena/purge.h"
#include "os/os.h"
#include "page/remote.h"
#include "page/trim.h"

static MI_ALIGNED(64) owner_t owner;
static void *blocks[8192];
static bool is_out[8192];

static void
start(void)
{
    mi__os_init();
    mi__conf.purge_delay_ms = -1;
    mi__conf.region_bytes_log2 = 28;
    check(mi__region_init());
}

static size_t
index_of(const page_t *page, const void *p)
{
    size_t offset = (size_t)((const char *)p - page->start);
    check_equal(offset % page->block_size, 0);
    return offset / page->block_size;
}

// Takes every block that the page has to give; those that are out already must not come again.
static uint32_t
take_all(page_t *page)
{
    uint32_t count = 0;
    page_pin(page);
    for (;;) {
        while (page->free != NULL) {
            block_t *block = page_pop(page, page->free);
            size_t i = index_of(page, block);
            check(!is_out[i]);
            is_out[i] = true;
            blocks[i] = block;
            memset(block, 0x5a, page->block_size);
            count++;
        }
        if (page->local_free != NULL) {
            (void)page_swap(page);
        } else if (mi__page_extend(page) == 0) {
            page_unpin(page);
            check(mi__page_verify(page));
            return count;
        }
    }
}

static page_t *
full_page(unsigned class)
{
    memset(is_out, 0, sizeof is_out);
    page_t *page = mi__page_new(class, (uintptr_t)&owner, NULL);
    check(page != NULL);
    check_equal(take_all(page), page->reserved);
    return page;
}

static void
give(page_t *page, size_t i)
{
    check(is_out[i]);
    is_out[i] = false;
    (void)page_push_local(page, blocks[i]);
}

// Bytes of the OS pages that no block that is out reaches into.
static size_t
bytes_without_blocks(const page_t *page)
{
    size_t os_page = mi__os_page_size();
    size_t bytes = 0;
    for (size_t at = 0; at < page->slices << SLICE_SHIFT; at += os_page) {
        bool in_use = false;
        for (size_t i = at / page->block_size; i * page->block_size < at + os_page && i < page->reserved;
             i++) {
            in_use = in_use || is_out[i];
        }
        bytes += in_use ? 0 : os_page;
    }
    return bytes;
}

static size_t
resident(const page_t *page)
{
    return mi__os_resident(page->start, page->slices << SLICE_SHIFT);
}

// The blocks that are out keep their content.
static void
check_out(const page_t *page)
{
    for (size_t i = 0; i < page->reserved; i++) {
        for (size_t j = 0; is_out[i] && j < page->block_size; j++) {
            check_equal(((unsigned char *)blocks[i])[j], 0x5a);
        }
    }
}

static void
release(page_t *page)
{
    for (size_t i = 0; i < page->reserved; i++) {
        if (is_out[i]) {
            give(page, i);
        }
    }
    check_equal(page->used, 0);
    check(mi__page_verify(page));
    mi__page_release(page);
}

// ---- every class, at random ------------------------------------------------------------------

static void
trim_class(unsigned class, unsigned keep_one_in, uint64_t *random)
{
    page_t *page = full_page(class);
    for (int round = 0; round < 4; round++) {
        for (size_t i = 0; i < page->reserved; i++) {
            if (is_out[i] && random_next(random) % keep_one_in != 0) {
                give(page, i);
            }
        }
        size_t before = resident(page);
        size_t empty = bytes_without_blocks(page);
        size_t bytes = mi__trim_page(page);
        check(mi__page_verify(page));
        check(round == 2 || empty == 0 || bytes > 0);
        check_at_most(bytes, empty);
        check_at_most(before - resident(page), empty);
        check(SANITIZED || resident(page) <= (page->slices << SLICE_SHIFT) - empty);
        check_out(page);
        // Nothing more is to be had the second time.
        check_equal(mi__trim_page(page), 0);
        for (size_t i = 0; i < page->reserved; i++) {
            check(!mi__trim_in_hole(page, i) || !is_out[i]);
        }
        if (round == 1) {
            continue; // holes beside holes
        }
        uint32_t out = 0;
        for (size_t i = 0; i < page->reserved; i++) {
            out += is_out[i];
        }
        check_equal(take_all(page), page->reserved - out);
        check_equal(page->holed, 0);
        check_out(page);
    }
    release(page);
}

static void
every_class_gives_back_what_is_empty(void)
{
    start();
    uint64_t random = 99;
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        trim_class(class, 2, &random);
        trim_class(class, 64, &random);
    }
}

// ---- edges ----------------------------------------------------------------------------------

static void
a_full_page_has_nothing(void)
{
    start();
    page_t *page = full_page(3);
    check_equal(mi__trim_page(page), 0);
    give(page, 5);
    check_equal(mi__trim_page(page), 0);
    check(page->local_free == blocks[5]);
    release(page);
}

// What was never threaded in this page may hold what the page before left there.
static void
what_another_page_left_goes_too(void)
{
    start();
    page_t *page = full_page(0);
    release(page);
    memset(is_out, 0, sizeof is_out);
    page = mi__page_new(0, (uintptr_t)&owner, NULL);
    check(page != NULL);
    page_pin(page);
    check(mi__page_extend(page) > 0);
    check(SANITIZED || resident(page) == SLICE_SIZE);
    block_t *block = page_pop(page, page->free);
    is_out[0] = true;
    blocks[0] = block;
    memset(block, 0x5a, page->block_size);
    (void)mi__page_ungrant(page);
    page_unpin(page);
    check_equal(mi__trim_page(page), SLICE_SIZE - mi__os_page_size());
    check(SANITIZED || resident(page) == mi__os_page_size());
    check_equal(mi__trim_page(page), 0);
    check_equal(take_all(page), page->reserved - 1);
    release(page);
}

// An empty page keeps its holes, and is released as any other.
static void
a_page_with_holes_is_released(void)
{
    start();
    page_t *page = full_page(7);
    for (size_t i = 1; i < page->reserved; i++) {
        give(page, i);
    }
    check(mi__trim_page(page) > 0 && page->holed > 0);
    release(page);
    page = full_page(7);
    check_equal(page->holed, 0);
    release(page);
    check_equal(slices_in_use(), 0);
}

static void
fresh_memory_is_not_asked_for(void)
{
    start();
    page_t *page = mi__page_new(0, (uintptr_t)&owner, NULL);
    check(page != NULL);
    page_pin(page);
    check(mi__page_extend(page) > 0);
    (void)mi__page_ungrant(page);
    page_unpin(page);
    uint64_t purges = mi__purge_total();
    check_equal(mi__trim_page(page), mi__os_page_size());
    check_equal(mi__trim_page(page), 0);
    check_equal(mi__purge_total(), purges);
    mi__page_release(page);
}

static void
what_nobody_freed_to_turns_cold_once(void)
{
    start();
    page_t *page = full_page(20);
    for (size_t i = 0; i + 1 < page->reserved; i += 2) {
        give(page, i);
    }
    check(!mi__trim_is_cold(page)); // looked at for the first time
    give(page, 1);
    check(!mi__trim_is_cold(page));
    check(mi__trim_is_cold(page));
    for (int i = 0; i < 3; i++) {
        check(!mi__trim_is_cold(page)); // it has been told
    }
    give(page, 3);
    check(!mi__trim_is_cold(page));
    check(mi__trim_is_cold(page));
    release(page);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(what_nobody_freed_to_turns_cold_once),
        fresh_test(every_class_gives_back_what_is_empty),
        fresh_test(a_full_page_has_nothing),
        fresh_test(what_another_page_left_goes_too),
        fresh_test(a_page_with_holes_is_released),
        fresh_test(fresh_memory_is_not_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
