// SPDX-License-Identifier: MIT
// test_blockmap.c — page/blockmap.c and alloc/secure.c: blocks by bits, given out by chance, each free exact.
#include "fresh.h"

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "alloc/secure.h"
#include "arena/meta.h"
#include "heap/census.h"
#include "heap/registry.h"
#include "heap/walk.h"
#include "page/blockmap.h"
#include "page/trim.h"

static void
start(void)
{
    mi__conf.secure = 1;
    mi__conf.purge_delay_ms = -1;
    mi__conf.region_bytes_log2 = 32;
    mi__hooks.misuse = record_misuse;
}

enum { BLOCKS_MAX = 20000 };
static char *blocks[BLOCKS_MAX];

static void
take_many(size_t size, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        blocks[i] = mi__alloc(size);
        check(blocks[i] != NULL);
        fill(blocks[i], size, (unsigned)i);
    }
}

static const size_t sizes[] = {1,    16,   40,   100,  128,   144,   1000, 1024,
                               3000, 4096, 4097, 5000, 20000, 40000, 65536};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

// ---- the map

static void
indexes_are_exact(void)
{
    start();
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        page_t *page = mi__page_of(mi__alloc(sizeclass_block_size(class)));
        size_t bytes = page->slices << SLICE_SHIFT;
        for (size_t offset = 0; offset < bytes; offset++) {
            if (blockmap_index(page, offset) != offset / page->block_size) {
                check_equal(blockmap_index(page, offset), offset / page->block_size);
            }
        }
    }
}

static void
every_block_once(void)
{
    start();
    for (size_t k = 0; k < SIZES; k++) {
        size_t count = size_min(8 * MIB / sizes[k], BLOCKS_MAX);
        take_many(sizes[k], count);
        for (size_t i = 0; i < count; i++) {
            check(is_filled(blocks[i], sizes[k], (unsigned)i));
            page_t *page = mi__page_of(blocks[i]);
            check(page->map != NULL && page->free == NULL && page->local_free == NULL);
            if (i % 16 == 0) {
                check(mi__page_verify(page));
            }
        }
        for (size_t i = 0; i < count; i++) {
            mi__free(blocks[i]);
        }
        (void)mi__collect(true);
        check_equal(slices_in_use(), 0);
    }
    check_equal(misuses.count, 0);
}

// Of consecutive blocks no distance is common.
static void
distances_vary(void)
{
    start();
    take_many(32, 2000);
    static unsigned seen[2 * SLICE_SIZE / 32];
    unsigned most = 0;
    for (size_t i = 1; i < 2000; i++) {
        ptrdiff_t distance = blocks[i] - blocks[i - 1];
        if (distance > -SLICE_SIZE && distance < SLICE_SIZE) {
            unsigned count = ++seen[(distance + SLICE_SIZE) / 32];
            most = count > most ? count : most;
        }
    }
    check(most < 2000 / 20);
}

// What came home is handed out before what lies further on, and fresh blocks by the OS page.
static void
warm_blocks_come_back(void)
{
    start();
    for (size_t k = 0; k < SIZES; k++) {
        take_many(sizes[k], 100);
        for (size_t i = 0; i < 100; i++) {
            page_t *page = mi__page_of(blocks[i]);
            size_t index = blockmap_index(page, (size_t)(blocks[i] - page->start));
            if (page_is_pinned(page) && index / 64 == page->map->at) {
                mi__free(blocks[i]);
                check(mi__alloc(sizes[k]) == blocks[i]);
            }
        }
    }
    size_t before = status_bytes("RssAnon");
    for (size_t i = 0; i < 30; i++) {
        take_many(144 + 16 * i, 1);
    }
    check(status_bytes("RssAnon") < before + 60 * mi__os_page_size());
}

static unsigned beats;

static void
count_beat(bool force)
{
    (void)force;
    beats++;
}

// Also where a single block comes and goes.
static void
rare_work_is_done(void)
{
    start();
    mi__hooks.deferred_free = count_beat;
    for (size_t i = 0; i < 10 * (size_t)HEAP_RARE_BEAT * BLOCKMAP_BEAT; i++) {
        mi__free(mi__alloc(64));
    }
    check(beats >= 9 && beats <= 11);
}

// ---- frees

static void
a_second_free_is_always_seen(void)
{
    start();
    unsigned expected = 0;
    for (size_t k = 0; k < SIZES; k++) {
        take_many(sizes[k], 200);
        for (size_t i = 0; i < 200; i++) {
            mi__free(blocks[i]);
            memset(blocks[i], 'x', sizes[k]);
            mi__free(blocks[i]);
            expected++;
            check_equal(misuses.count, expected);
            check(misuses.kind == MISUSE_DOUBLE_FREE || misuses.kind == MISUSE_FREE_NO_BLOCK);
            check(misuses.p == blocks[i]);
        }
    }
    take_many(40, 100);
    mi__free(blocks[0] + 8);
    check(misused(expected + 1, MISUSE_FREE_INTERIOR, "free", blocks[0] + 8));
    page_t *page = mi__page_of(blocks[0]);
    mi__free(page->start + 65535 - 65535 % 48); // in the rest behind the last block
    check_equal(misuses.count, expected + 2);
    check(page->capacity < page->reserved);
    mi__free(page->start + (size_t)(page->reserved - 1) * page->block_size); // never handed out
    check_equal(misuses.count, expected + 3);
    mi__free(blocks[0]);
    check(mi__realloc(blocks[0], 100, false) == NULL);
    check(misused(expected + 4, MISUSE_DOUBLE_FREE, "realloc", blocks[0]));
    check_equal(mi__usable_size(blocks[0], "usable_size"), 0);
    check(!mi__is_block(blocks[0]) && mi__is_block(blocks[1]));
}

static void *
free_some(void *arg)
{
    for (size_t i = *(size_t *)arg; i < 2000; i += 2) {
        mi__free(blocks[i]);
    }
    return NULL;
}

static void
frees_by_others_come_home(void)
{
    start();
    size_t odd = 1;
    for (size_t k = 0; k < SIZES; k++) {
        take_many(sizes[k], 2000);
        run_thread(free_some, &odd);
        page_t *page = mi__page_of(blocks[1]);
        check(mi__remote_count(page) > 0);
        // In flight: free to nobody yet, and not to be freed again by anyone.
        misuses.count = 0;
        mi__free(blocks[1]);
        check(misused(1, MISUSE_DOUBLE_FREE, "free", blocks[1]));
        run_thread(free_some, &odd);
        check_equal(misuses.count, 1001);
        misuses.count = 0;
        for (size_t i = 0; i < 2000; i += 2) {
            check(is_filled(blocks[i], sizes[k], (unsigned)i));
            mi__free(blocks[i]);
        }
        (void)mi__collect(true);
        check_equal(slices_in_use(), 0);
        check_equal(misuses.count, 0);
    }
}

// Fetched before it was counted: the page stays until the count has come.
static void
a_count_that_is_late_keeps_the_page(void)
{
    start();
    char *p = mi__alloc(1000);
    page_t *page = mi__page_of(p);
    check(mi__blockmap_announce(page, blockmap_index(page, (size_t)(p - page->start))));
    check_equal(mi__blockmap_fetch(page, 0), 1);
    check(!mi__remote_is_quiet(page));
    (void)mi__collect(true);
    check(slices_in_use() > 0);
    check(mi__remote_count_in(page) != NULL);
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
    check_equal(misuses.count, 0);
}

// ---- the rest of the library with them

static size_t visited;

static bool
visit(const walk_page_t *page, void *block, void *arg)
{
    (void)page;
    (void)arg;
    visited += block != NULL;
    return true;
}

static void
walks_and_counts_see_live_blocks(void)
{
    start();
    size_t odd = 1;
    take_many(100, 2000);
    run_thread(free_some, &odd);
    check(mi__walk(&mi__subproc_main.main, WALK_ALL, true, visit, NULL));
    check_equal(visited, 1000);
    walk_fault_t fault;
    check(mi__walk_check(&mi__subproc_main.main, &fault));
    census_t census;
    mi__census_take(&census);
    check_equal(census.total.live, 1000);
    check_equal(census.classes[sizeclass_of(100)].allocated, 2000);
    mi__page_of(blocks[0])->used++;
    check(!mi__walk_check(&mi__subproc_main.main, &fault));
}

static void
aligned_zeroed_and_resized(void)
{
    start();
    for (size_t align = 1; align <= 4 * (size_t)SLICE_SIZE; align *= 2) {
        for (size_t k = 0; k < SIZES; k++) {
            char *p = mi__alloc_aligned(sizes[k], align, 0, true);
            check((uintptr_t)p % align == 0 && is_filled(p, 0, 0));
            for (size_t i = 0; i < sizes[k]; i++) {
                check(p[i] == 0);
            }
            fill(p, sizes[k], 3);
            p = mi__realloc(p, 2 * sizes[k], true);
            check(is_filled(p, sizes[k], 3) && p[2 * sizes[k] - 1] == 0);
            mi__free(p);
            if (align <= SLICE_SIZE) {
                p = mi__alloc_aligned(sizes[k], align, 24, false);
                check(((uintptr_t)p + 24) % align == 0);
                mi__free(p);
            }
        }
    }
    check_equal(misuses.count, 0);
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
}

static void
free_os_pages_go_back(void)
{
    start();
    take_many(1000, 20000);
    size_t before = status_bytes("RssAnon");
    for (size_t i = 0; i < 20000; i++) {
        if (mi__page_of(blocks[i])->start + 8192 <= blocks[i]) {
            mi__free(blocks[i]);
        }
    }
    (void)mi__collect(true);
    check(status_bytes("RssAnon") < before / 2);
    for (size_t i = 0; i < 20000; i++) {
        if (mi__is_block(blocks[i])) {
            check(is_filled(blocks[i], 1000, (unsigned)i));
        }
    }
}

// Neither for maps, nor for the orders that all of them share, nor for the quarantine.
static void
without_memory_for_maps(void)
{
    start();
    mi__conf.secure = SECURE_LARGE;
    mi__conf.region_bytes_log2 = 34;
    check(mi__registry_bind() != NULL);
    limit_to(RLIMIT_DATA, data_bytes());
    while (mi__meta_alloc(64) != NULL) {
    }
    for (size_t k = 0; k + 1 < SIZES; k++) { // the last is a singleton, sealed
        errno = 0;
        check(mi__alloc(sizes[k]) == NULL && errno == ENOMEM);
    }
    unlimit(RLIMIT_DATA);
    char *first = mi__alloc(100);
    void *other = mi__alloc(200);
    check(first != NULL && other != NULL);
    limit_to(RLIMIT_DATA, data_bytes());
    while (mi__meta_alloc(64) != NULL) {
    }
    mi__free(other); // nothing to keep it in: it goes home at once
    for (size_t k = 0; k < SIZES; k++) {
        void *p = mi__alloc(sizes[k]);
        mi__free(p);
    }
    mi__free(other);
    check(misused(1, MISUSE_DOUBLE_FREE, "free", other));
    mi__free(first);
    unlimit(RLIMIT_DATA);
    for (size_t k = 0; k < SIZES; k++) {
        take_many(sizes[k], 100);
        for (size_t i = 0; i < 100; i++) {
            check(is_filled(blocks[i], sizes[k], (unsigned)i));
            mi__free(blocks[i]);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(indexes_are_exact),
        fresh_test(every_block_once),
        fresh_test(distances_vary),
        fresh_test(warm_blocks_come_back),
        fresh_test(rare_work_is_done),
        fresh_test(a_second_free_is_always_seen),
        fresh_test(frees_by_others_come_home),
        fresh_test(a_count_that_is_late_keeps_the_page),
        fresh_test(walks_and_counts_see_live_blocks),
        fresh_test(aligned_zeroed_and_resized),
        fresh_test(free_os_pages_go_back),
        fresh_test(without_memory_for_maps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
