// SPDX-License-Identifier: MIT
// test_away.c — page/away.c, and what threads keep in secure mode: the place of a large block that was freed
// stays empty for a while.
#include "fresh.h"

#include "alloc/alloc.h"
#include "heap/thread_heap.h"
#include "page/away.h"

enum { KEPT = 8, LARGEST = 8, BY_THREAD = 2 };

static void
start(void)
{
    mi__conf.secure = 1;
    mi__conf.purge_delay_ms = -1;
    mi__conf.region_bytes_log2 = 32;
    mi__hooks.misuse = record_misuse;
}

static void *
free_it(void *p)
{
    mi__free(p);
    return NULL;
}

// A second free, by whatever thread and whatever was allocated meanwhile, finds no block.
static void
the_place_stays_empty(void)
{
    start();
    for (unsigned i = 1; i <= 20; i++) {
        char *p = mi__alloc(300000);
        mi__free(p);
        char *q = mi__alloc(300000);
        check(q != p && mi__page_of(p) == NULL);
        run_thread(free_it, p);
        check(misused(i, MISUSE_FREE_NO_BLOCK, "free", p));
        mi__free(q);
    }
}

static void
the_oldest_goes_first(void)
{
    start();
    char *blocks[2 * KEPT];
    size_t before = slices_in_use();
    for (size_t i = 0; i < 2 * KEPT; i++) {
        blocks[i] = mi__alloc(LARGEST * SLICE_SIZE);
    }
    for (size_t i = 0; i < 2 * KEPT; i++) {
        mi__free(blocks[i]);
        size_t kept = size_min(i + 1, KEPT) + (i == 2 * KEPT - 1); // the newest by the thread
        check_equal(slices_in_use() - before, LARGEST * (2 * KEPT - (i + 1) + kept));
    }
    (void)mi__collect(false);
    check_equal(slices_in_use() - before, LARGEST * KEPT);
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
}

// What is large, or may be wanted back, goes at once.
static void
the_rest_is_not_kept(void)
{
    start();
    char *small = mi__alloc(100);
    size_t before = slices_in_use();
    mi__free(mi__alloc((KEPT_MAX + 1) * SLICE_SIZE));
    check_equal(slices_in_use(), before);
    char *blocks[2 * BY_THREAD];
    for (size_t i = 0; i < 2 * BY_THREAD; i++) {
        blocks[i] = mi__alloc((LARGEST + 1) * SLICE_SIZE);
    }
    for (size_t i = 0; i < 2 * BY_THREAD; i++) {
        mi__free(blocks[i]);
    }
    check_equal(slices_in_use(), before + LARGEST + 1);
    (void)mi__collect(false);
    check_equal(slices_in_use(), before);
    mi__free(small);
}

// Two blocks take turns, so that the one freed last always rests; nothing else is taken.
static void
pairs_take_turns(void)
{
    for (size_t slices = 2; slices <= KEPT_MAX; slices++) {
        start();
        char *places[BY_THREAD] = {NULL, NULL};
        size_t before = 0;
        for (size_t i = 0; i < 1000; i++) {
            char *p = mi__alloc(slices * SLICE_SIZE - 1);
            check(i < BY_THREAD || p == places[i % BY_THREAD]);
            check(i < BY_THREAD || slices_in_use() == before);
            places[i % BY_THREAD] = p;
            mi__free(p);
            before = slices_in_use();
            check(mi__page_of(p) == NULL);
        }
        check(places[0] != places[1]);
        check_equal(before, BY_THREAD * slices);
        (void)mi__collect(false);
        check_equal(slices_in_use(), 0);
    }
}

// What is out when rare work comes by, and what is not used between two times.
static void
what_rests_goes_in_time(void)
{
    start();
    char *p[BY_THREAD];
    for (int i = 0; i < BY_THREAD; i++) {
        p[i] = mi__alloc(200000);
    }
    for (int i = 0; i < BY_THREAD; i++) {
        mi__free(p[i]);
    }
    size_t before = slices_in_use();
    char *small[100];
    for (int round = 0; round < 40; round++) { // beats enough for rare work, twice
        for (int i = 0; i < 100; i++) {
            small[i] = mi__alloc(60000);
        }
        for (int i = 0; i < 100; i++) {
            mi__free(small[i]);
        }
    }
    check(before >= BY_THREAD * 4);
    check(mi__thread_heap->kept[4] == NULL);
    check_equal(mi__thread_heap->kept_slices, 0);
}

// One that grows again and again starts where it has room, and never moves on the way.
static void
what_grows_starts_in_the_same_place(void)
{
    for (long level = 0; level <= 1; level++) {
        start();
        mi__conf.secure = level;
        char *place = NULL;
        for (int i = 0; i < 200; i++) {
            char *p = mi__alloc(16);
            for (size_t size = 32; size <= (size_t)1 << 20; size *= 2) {
                char *grown = mi__realloc(p, size, false);
                check(grown != NULL && (size <= 8192 || grown == p));
                p = grown;
            }
            check(i < 2 || p == place);
            place = p;
            mi__free(p);
        }
    }
}

enum { THREADS = 4, TIMES = 5000 };

static void *
make_and_free(void *arg)
{
    for (int i = 0; i < TIMES; i++) {
        char *p = mi__alloc(100000 + (size_t)(i % 5) * SLICE_SIZE);
        p[0] = 1;
        mi__free(p);
        if (i % 100 == 0) {
            mi__away_flush();
        }
    }
    return arg;
}

static void
nothing_is_lost_between_threads(void)
{
    start();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        check_equal(pthread_create(&threads[i], NULL, make_and_free, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        check_equal(pthread_join(threads[i], NULL), 0);
    }
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
    check_equal(misuses.count, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(the_place_stays_empty),
        fresh_test(the_oldest_goes_first),
        fresh_test(the_rest_is_not_kept),
        fresh_test(pairs_take_turns),
        fresh_test(what_rests_goes_in_time),
        fresh_test(what_grows_starts_in_the_same_place),
        fresh_test(nothing_is_lost_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
