// SPDX-License-Identifier: MIT
// test_away.c — page/away.c: the place of a large block that was freed stays empty for a while.
#include "fresh.h"

#include "alloc/alloc.h"
#include "page/away.h"

enum { KEPT = 8, LARGEST = 8 };

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
        size_t kept = size_min(i + 1, KEPT);
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
    mi__free(mi__alloc((LARGEST + 1) * SLICE_SIZE));
    check_equal(slices_in_use(), before);
    mi__free(mi__alloc(LARGEST * SLICE_SIZE));
    check_equal(slices_in_use(), before + LARGEST);
    mi__away_flush();
    check_equal(slices_in_use(), before);
    mi__free(small);
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
        fresh_test(nothing_is_lost_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
