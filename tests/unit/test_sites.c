// SPDX-License-Identifier: MIT
// test_sites.c — front/sites.c: one site for a stack and a class, sums, ages, reset and mark, the bound.
#include <pthread.h>
#include <string.h>

#include "front/sites.h"
#include "os/os.h"
#include "unit.h"

enum { THREADS = 4, ROUNDS = 20000, KINDS = 50 };

static site_t *
site_at(uintptr_t frame, size_t block_size)
{
    const uintptr_t frames[3] = {frame, 0x2000, 0x3000};
    return mi__sites_find(frames, 3, block_size);
}

static void
test_a_site_is_a_stack_and_a_class(void **state)
{
    (void)state;
    site_t *site = site_at(0x1000, 64);
    assert_non_null(site);
    assert_ptr_equal(site_at(0x1000, 64), site);
    assert_ptr_equal(site_at(0x1000, 60), site); // the class of 64
    assert_ptr_not_equal(site_at(0x1000, 80), site);
    assert_ptr_not_equal(site_at(0x1001, 64), site);
    const uintptr_t shorter[2] = {0x1000, 0x2000};
    assert_ptr_not_equal(mi__sites_find(shorter, 2, 64), site);
    assert_int_equal(site->depth, 3);
    assert_int_equal(site->frames[2], 0x3000);
    // Singletons have classes, too, in eight steps to a doubling.
    assert_ptr_equal(site_at(0x1000, 20 << 20), site_at(0x1000, (20 << 20) - 1));
    assert_ptr_not_equal(site_at(0x1000, 20 << 20), site_at(0x1000, 23 << 20));
    size_t found = 0;
    size_t count = 0;
    for (site_t *at = mi__sites_first(); at != NULL; at = mi__sites_next(at), count++) {
        found += at == site;
    }
    assert_int_equal(found, 1);
    assert_int_equal(count, mi__sites_count());
    assert_int_equal(mi__sites_frames(), 3 * (count - 1) + 2);
}

static void
test_sums(void **state)
{
    (void)state;
    site_t *site = site_at(0x5000, 96);
    const site_sample_t sample = {.block_size = 96, .requested = 90, .weight = 1.25, .times = 1};
    for (int i = 0; i < 8; i++) {
        mi__sites_alloc(site, &sample);
    }
    // Allocated three times in turn and in use once; and one of those freed is back.
    const site_sample_t third = {.block_size = 80, .requested = 80, .weight = 2, .times = 3};
    const site_sample_t back = {.block_size = 80, .requested = 80, .weight = 2, .times = 0};
    site_t *other = site_at(0x5001, 80);
    mi__sites_alloc(other, &third);
    assert_int_equal(mi__sites_allocated(other).space, 3 * 160);
    assert_int_equal(mi__sites_use(other).samples, 1);
    mi__sites_free(other, &third, 1);
    assert_int_equal(mi__sites_use(other).space, 0);
    assert_int_equal(other->ages[1], 3);
    assert_int_equal(other->lifetime_ms, 3);
    mi__sites_alloc(other, &back);
    assert_int_equal(mi__sites_use(other).sample_bytes, 80);
    assert_int_equal(mi__sites_allocated(other).samples, 3);
    mi__sites_free(other, &back, 1);
    assert_int_equal(mi__sites_use(other).weight, 0);
    assert_int_equal(other->ages[1], 3);
    mi__sites_reset();
    mi__sites_alloc(other, &back);
    assert_int_equal(mi__sites_use(other).space, 160);
    mi__sites_free(other, &back, 1);
    const int64_t ages[] = {-5, 0, 1, 2, 1000, INT64_C(1) << 40};
    for (size_t i = 0; i < sizeof ages / sizeof ages[0]; i++) {
        mi__sites_free(site, &sample, ages[i]);
    }
    site_use_t all = mi__sites_allocated(site);
    site_use_t use = mi__sites_use(site);
    assert_int_equal(all.samples, 8);
    assert_int_equal(all.sample_bytes, 8 * 96);
    assert_int_equal(all.weight, 10 << SITE_WEIGHT_SHIFT);
    assert_int_equal(all.space, 8 * 113); // 112.5, rounded
    assert_int_equal(use.samples, 2);
    assert_int_equal(use.sample_bytes, 2 * 96);
    assert_int_equal(use.space, 2 * 113);
    assert_int_equal(site->peak_space, 8 * 113);
    assert_int_equal(site->ages[0], 2);
    assert_int_equal(site->ages[1], 1);
    assert_int_equal(site->ages[2], 1);
    assert_int_equal(site->ages[10], 1); // before 1024 ms
    assert_int_equal(site->ages[SITE_AGES - 1], 1);

    mi__sites_mark();
    assert_int_equal(site->marked_space, 2 * 113);
    mi__sites_reset();
    all = mi__sites_allocated(site);
    assert_int_equal(all.samples, 2);
    assert_int_equal(mi__sites_use(site).samples, 2);
    assert_int_equal(mi__sites_use(site).space, 2 * 113);
    assert_int_equal(site->peak_space, 2 * 113);
    assert_int_equal(site->marked_space, 0);
    assert_int_equal(site->ages[0] + site->ages[SITE_AGES - 1], 0);
    mi__sites_free(site, &sample, 0);
    mi__sites_free(site, &sample, 0);
    assert_int_equal(mi__sites_use(site).samples, 0);
    assert_int_equal(mi__sites_allocated(site).samples, 2);
    // A free that is seen before its allocation is no huge number.
    mi__sites_free(site, &sample, 0);
    assert_int_equal(mi__sites_use(site).space, 0);
}

static void *
work(void *arg)
{
    const site_sample_t sample = {.block_size = 32, .requested = 32, .weight = 1, .times = 1};
    for (int i = 0; i < ROUNDS; i++) {
        site_t *site = site_at(0x9000 + (uintptr_t)(i % KINDS) * 16, 32);
        mi__sites_alloc(site, &sample);
        if (i % 2 != 0) {
            mi__sites_free(site, &sample, 1);
        }
    }
    return arg;
}

static void
test_threads(void **state)
{
    (void)state;
    size_t before = mi__sites_count();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, work, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(mi__sites_count(), before + KINDS);
    uint64_t allocated = 0;
    uint64_t freed = 0;
    for (int i = 0; i < KINDS; i++) {
        site_t *site = site_at(0x9000 + (uintptr_t)i * 16, 32);
        allocated += site->allocated.samples;
        freed += site->freed.samples;
    }
    assert_int_equal(allocated, THREADS * ROUNDS);
    assert_int_equal(freed, THREADS * ROUNDS / 2);
}

static void
test_the_bound(void **state)
{
    (void)state;
    assert_int_equal(mi__sites_dropped(), 0);
    uintptr_t frame = 0x100000;
    while (mi__sites_count() < SITES_MAX) {
        assert_int_equal(site_at(frame += 16, 48)->depth, 3);
    }
    site_t *rest = site_at(frame + 16, 48);
    assert_int_equal(rest->depth, 0);
    assert_ptr_equal(site_at(frame + 32, 48), rest);
    assert_int_equal(mi__sites_dropped(), 2);
    // What is there stays found.
    assert_int_equal(site_at(frame, 48)->depth, 3);
    assert_int_equal(mi__sites_dropped(), 2);
    mi__sites_reset();
    assert_int_equal(mi__sites_dropped(), 0);
}

int
main(void)
{
    mi__os_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_site_is_a_stack_and_a_class),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_the_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
