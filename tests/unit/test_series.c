// SPDX-License-Identifier: MIT
// test_series.c — heap/series.c, alloc/alloc.c: large blocks that are made and dropped in turn are counted
// without bias though few of them are drawn, and what is in use is what it would be.
#include "fresh.h"

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "front/sample.h"
#include "heap/registry.h"
#include "heap/series.h"

enum { RATE = 512 * 1024 };

static size_t made;
static size_t drawn; // less those that are back in use
static size_t ended;
static double allocated; // what the samples stand for
static char sites[2];    // of the profile here
static char *site = &sites[0];
static size_t in_use[2];

static void
on_alloc(sample_t *sample, size_t requested, double weight)
{
    check(requested == sample->requested);
    bool is_back = sample->times == 0;
    check(is_back == (sample->of_sampler[SAMPLER_PROFILE] != NULL));
    if (!is_back) {
        sample->of_sampler[SAMPLER_PROFILE] = site;
    }
    made++;
    drawn += !is_back;
    allocated += weight * sample->times;
}

static void
on_free(sample_t *sample)
{
    check(sample->of_sampler[SAMPLER_PROFILE] != NULL);
    ended++;
}

static const sample_profile_t profile = {on_alloc, on_free};

static void
start(uint64_t rate)
{
    mi__conf.purge_delay_ms = -1;
    mi__conf.region_bytes_log2 = 34;
    mi__conf.guarded_sample_seed = 5;
    mi__sample_start();
    mi__sampling_set_rate(SAMPLER_GUARD, 0);
    mi__sample_set_profile(&profile, rate);
}

static void
count_one(void *of)
{
    in_use[(char *)of - sites]++;
}

// Blocks in use that are samples without having been drawn.
static size_t
look(void)
{
    in_use[0] = in_use[1] = 0;
    mi__series_each_in_use(count_one);
    return in_use[0] + in_use[1];
}

MI_NOINLINE static void *
here(size_t size)
{
    void *p = mi__alloc_slow_large(size, mi__thread_heap);
    __asm__ volatile("" ::: "memory");
    return p;
}

MI_NOINLINE static void *
there(size_t size)
{
    void *p = mi__alloc_slow_large(size, mi__thread_heap);
    __asm__ volatile("" : : : "memory");
    return p;
}

static bool
is_sampled(const void *p)
{
    return (page_owner(mi__page_of(p)) & OWNER_SAMPLED) != 0;
}

static void
make_and_drop(void *(*make)(size_t), size_t size, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        mi__free(make(size));
    }
}

// A block that is a sample and was not drawn.
static void *
inherits(void *(*make)(size_t), size_t size)
{
    for (size_t i = 0; i < 1000000; i++) {
        size_t before = made;
        void *p = make(size);
        if (made == before && !is_sampled(p) && look() > 0) {
            return p;
        }
        mi__free(p);
    }
    check_failed(__FILE__, __LINE__, "no block inherits");
}

// ---- what was allocated

static void
few_are_drawn_and_all_are_counted(void)
{
    static const size_t sizes[] = {100000, 300000, 1 << 20};
    enum { COUNT = 300000 };
    start(RATE);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        made = 0;
        allocated = 0;
        make_and_drop(here, sizes[i], COUNT);
        check(made > 64 && made < 64 * 20);
        // 64 draws at each stretch, those at the longest are half of all: within four deviations.
        check(allocated > COUNT * 0.8 && allocated < COUNT * 1.2);
        check_equal(made, ended);
        ended = 0;
        check_equal(look(), 0);
    }
}

// The mean over many short series: a bias of a hundredth would show.
static void
the_mean_is_right(void)
{
    enum { SERIES = 1000, LENGTH = 3000 };
    start(RATE);
    for (int i = 0; i < SERIES; i++) {
        make_and_drop(here, 200000, LENGTH);
        mi__sampling_renew(mi__thread_heap);
    }
    double share = allocated / ((double)SERIES * LENGTH);
    check(share > 0.99 && share < 1.01);
    check(drawn < SERIES * LENGTH / 4);
}

static void
two_places_are_told_apart(void)
{
    start(64 * KIB);
    for (int i = 0; i < 2000; i++) {
        site = &sites[i % 2];
        size_t before = made;
        void *p = (i % 2 == 0 ? here : there)(MIB);
        check(made == before + 1 && is_sampled(p));
        check_equal(look(), 0);
        mi__free(p);
    }
    check_equal(made, ended);
}

static void
other_ways_to_allocate_draw_each_time(void)
{
    start(64 * KIB);
    make_and_drop(here, MIB, 5000);
    size_t before = made;
    for (int i = 0; i < 100; i++) {
        mi__free(mi__alloc_zeroed(MIB));
        mi__free(mi__alloc_aligned(MIB, 64, 0, false));
    }
    check_equal(made, before + 200);
    check_equal(made, ended);
}

// ---- what is in use

static void
what_was_not_drawn_is_in_use(void)
{
    start(RATE);
    for (size_t size = 100000; size <= MIB; size += 300000) {
        void *p = inherits(here, size);
        check_equal(look(), 1);
        mi__free(p);
        check_equal(look(), 0);
    }
}

// As often as if each were drawn: the chance for a sample is that of the size.
static void
its_share_is_that_of_the_draws(void)
{
    enum { ROUNDS = 200000 };
    start(RATE);
    make_and_drop(here, 200000, 20000);
    size_t sampled = 0;
    for (int i = 0; i < ROUNDS; i++) {
        void *p = here(200000);
        sampled += is_sampled(p) || look() > 0;
        mi__free(p);
    }
    double share = sampled / (ROUNDS * mi__sampling_chance(4 * 65536.0 / RATE));
    check(share > 0.85 && share < 1.15);
}

static void
what_stays_while_others_come_is_a_sample(void)
{
    start(RATE);
    for (int round = 0; round < 20; round++) {
        void *p = inherits(here, 500000);
        size_t before = drawn;
        size_t made_before = made;
        void *q = here(500000);
        check(q != p && is_sampled(p) && look() == 0);
        check_equal(made, made_before + 1 + (drawn - before));
        mi__free(p);
        mi__free(q);
        check_equal(look(), 0);
        check_equal(made, ended);
    }
}

static void *
free_it(void *p)
{
    mi__free(p);
    return NULL;
}

static void
what_others_have_freed_is_none(void)
{
    start(RATE);
    for (int round = 0; round < 20; round++) {
        void *p = inherits(here, 500000);
        pthread_t thread;
        check(pthread_create(&thread, NULL, free_it, p) == 0);
        check(pthread_join(thread, NULL) == 0);
        check_equal(look(), 0);
        mi__free(here(500000));
        check_equal(made, ended);
    }
}

static void
a_change_of_the_rate_begins_anew(void)
{
    start(RATE);
    void *p = inherits(here, 500000);
    mi__sample_set_profile(&profile, 0);
    check_equal(look(), 0);
    mi__free(p);
    size_t before = made;
    make_and_drop(here, 500000, 1000);
    check_equal(made, before);
    mi__sample_set_profile(&profile, 1);
    mi__free(here(500000));
    mi__free(here(500000));
    check_equal(made, before + 2);
}

static void
resized_in_place_it_is_another(void)
{
    start(RATE);
    void *p = inherits(here, 500000);
    check(mi__realloc_in_place(p, 2 * MIB) == p);
    check_equal(look(), 0);
    mi__free(p);
    check_equal(made, ended);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(few_are_drawn_and_all_are_counted),
        fresh_test(the_mean_is_right),
        fresh_test(two_places_are_told_apart),
        fresh_test(other_ways_to_allocate_draw_each_time),
        fresh_test(what_was_not_drawn_is_in_use),
        fresh_test(its_share_is_that_of_the_draws),
        fresh_test(what_stays_while_others_come_is_a_sample),
        fresh_test(what_others_have_freed_is_none),
        fresh_test(a_change_of_the_rate_begins_anew),
        fresh_test(resized_in_place_it_is_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
