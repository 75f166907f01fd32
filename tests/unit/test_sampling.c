// SPDX-License-Identifier: MIT
// test_sampling.c — heap/sampling.c: the draws have the distribution that they should have, and the cut
// of a free list leaves every block where it belongs (S1, and P1 of page.h).
#include "fresh.h"

#include "alloc/alloc.h"
#include "heap/held.h"
#include "heap/registry.h"
#include "heap/samples.h"

enum { BLOCKS_MAX = 30000, BINS = 20 };
static void *blocks[BLOCKS_MAX];
static uint64_t state = 12345;

static uint64_t
next_bits(void)
{
    state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = state;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static bool
is_near(double a, double b, double tolerance)
{
    double difference = a < b ? b - a : a - b;
    return difference <= tolerance * (b < 0 ? -b : b);
}

// e^−x by the series of e^(x/1024), which needs no library.
static double
exp_minus(double x)
{
    double y = x / 1024;
    double e = 1 - y * (1 - y / 2 * (1 - y / 3 * (1 - y / 4 * (1 - y / 5))));
    for (int i = 0; i < 10; i++) {
        e *= e;
    }
    return e;
}

// ---- the functions

static void
the_logarithm_is_exact_enough(void)
{
    // Undone by the exponential function: u = e^(ln u), at all magnitudes and between powers of two.
    for (int shift = 0; shift < 50; shift++) {
        for (int i = 0; i < 200; i++) {
            uint64_t bits = next_bits() >> shift;
            double u = (double)((bits >> 11) + 1) * 0x1p-53;
            check(is_near(exp_minus(mi__sampling_exponential(bits)), u, 1e-6));
        }
    }
    check(mi__sampling_exponential(UINT64_MAX) == 0);
    check(is_near(mi__sampling_exponential(0), 53 * 0.6931471805599453, 1e-9));
    check(is_near(mi__sampling_exponential(UINT64_MAX >> 1), 0.6931471805599453, 1e-9));
}

static void
chances_are_exact_enough(void)
{
    check(mi__sampling_chance(0) == 0);
    check(mi__sampling_chance(1e6) == 1);
    for (double x = 1e-7; x < 60; x *= 1.37) {
        double chance = mi__sampling_chance(x);
        double expected = x < 1e-4 ? x - x * x / 2 : 1 - exp_minus(x);
        check(is_near(chance, expected, 1e-7));
    }
}

// Chi-square over bins of equal chance; 43.8 is exceeded once in a thousand times with 19 degrees.
static void
draws_are_exponential(void)
{
    enum { DRAWS = 400000 };
    size_t counts[BINS] = {0};
    double sum = 0;
    for (int i = 0; i < DRAWS; i++) {
        double x = mi__sampling_exponential(next_bits());
        sum += x;
        size_t bin = (size_t)(exp_minus(x) * BINS);
        counts[bin < BINS ? bin : BINS - 1]++;
    }
    double square = 0;
    for (int i = 0; i < BINS; i++) {
        double off = (double)counts[i] - (double)DRAWS / BINS;
        square += off * off / ((double)DRAWS / BINS);
    }
    check(square < 43.8);
    check(is_near(sum / DRAWS, 1, 0.01));
}

// ---- samples, seen from the hooks

static size_t made;
static size_t ended;
static size_t alike; // samples with both samplers

static void
count_made(sample_t *sample)
{
    made++;
    alike += sample->samplers == 3;
    check(mi__page_of(sample->block) != NULL && sample->stands_for != sample->block);
}

static void
count_ended(sample_t *sample)
{
    ended++;
    check(sample->samplers != 0);
}

// Guarded blocks lie where others do here.
static void
leave(sample_t *sample)
{
    (void)sample;
}

static thread_heap_t *
start(uint64_t bytes, uint64_t every)
{
    mi__conf.purge_delay_ms = -1;
    mi__conf.region_bytes_log2 = 32;
    mi__conf.guarded_sample_seed = 7;
    mi__hooks.sample_place = leave;
    mi__hooks.sample_made = count_made;
    mi__hooks.sample_gone = count_ended;
    mi__sampling_set_rate(SAMPLER_PROFILE, bytes);
    mi__sampling_set_rate(SAMPLER_GUARD, every);
    mi__free(mi__alloc(50000));
    made = 0;
    ended = 0;
    return mi__thread_heap;
}

static void
check_serving(thread_heap_t *heap, size_t size)
{
    page_t *page = thread_heap_page(heap, size);
    check(heap->sample_in[sizeclass_of(size)] >= 0); // S1
    check((page->flags & PAGE_STAND_IN) != 0 || mi__page_verify(page));
}

// Allocates and frees so that all kinds of refills happen: fresh blocks, swaps, whole pages, collects.
static void
churn(thread_heap_t *heap, size_t size, size_t count)
{
    uint64_t before = state;
    size_t held = 0;
    for (size_t i = 0; i < count; i++) {
        blocks[held++] = mi__alloc(size);
        check_serving(heap, size);
        for (uint64_t bits = next_bits(); held > 0 && (held == BLOCKS_MAX || (bits & 3) != 0); bits >>= 2) {
            size_t at = (size_t)(next_bits() % held);
            mi__free(blocks[at]);
            blocks[at] = blocks[--held];
        }
        if (i % 5000 == 4999) {
            mi__thread_heap_collect(heap);
        }
    }
    while (held > 0) {
        mi__free(blocks[--held]);
    }
    check_serving(heap, size);
    state = before + count;
}

static void
check_count(size_t count, double expected)
{
    // Five standard deviations.
    double off = (double)count - expected;
    check(off * off <= 25 * expected);
}

static void
samples_come_at_their_rate(void)
{
    static const size_t sizes[] = {16, 100, 1000, 4096, 20000, 65536};
    thread_heap_t *heap = start(64 * KIB, 0);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t count = sizes[i] < 100 ? 600000 : 60000;
        made = 0;
        churn(heap, sizes[i], count);
        size_t block_size = sizeclass_block_size(sizeclass_of(sizes[i]));
        check_count(made, (double)count * (1 - exp_minus((double)block_size / (64 * 1024))));
    }
    check(ended > 0 && alike == 0);
    check(mi__samples_first() != NULL);
    for (sample_t *at = mi__samples_first(); at != NULL; at = at->next_made) {
        check(at->block == NULL && at->stands_for == NULL);
    }
}

static void
one_in_so_many_is_exact_too(void)
{
    thread_heap_t *heap = start(0, 2);
    churn(heap, 48, 40000);
    check_count(made, 20000);
    (void)start(0, 1);
    churn(heap, 48, 10000);
    check_equal(made, 10000);
    (void)start(0, 37);
    churn(heap, 4000, 100000);
    check_count(made, 100000.0 / 37);
}

// Both at once: each has its own rate, and they meet as often as chance has it.
static void
samplers_are_independent(void)
{
    thread_heap_t *heap = start(16 * KIB, 10);
    churn(heap, 1024, 200000);
    double profile = 1 - exp_minus(1.0 / 16);
    check_count(alike, 200000 * profile / 10);
    check_count(made, 200000 * (profile + 0.1 - profile / 10));
}

static void
weights_are_unbiased(void)
{
    thread_heap_t *heap = start(64 * KIB, 0);
    check(is_near(mi__sampling_weight(heap, 16), 65536.0 / 16, 0.001));
    check(is_near(mi__sampling_weight(heap, 65536), 1 / (1 - exp_minus(1)), 1e-6));
    check(is_near(mi__sampling_weight(heap, 100 * MIB), 1, 1e-9));
}

static void
rates_may_change_and_end(void)
{
    thread_heap_t *heap = start(0, 0);
    churn(heap, 64, 20000);
    check_equal(made, 0);
    mi__sampling_set_rate(SAMPLER_GUARD, 100);
    churn(heap, 64, 50000);
    check_count(made, 500);
    size_t so_far = made;
    mi__sampling_set_rate(SAMPLER_GUARD, 0);
    churn(heap, 64, 50000);
    check_equal(made, so_far);
    check_equal(ended, so_far);
    mi__sampling_set_guard(heap, 50, 3);
    churn(heap, 64, 50000);
    check_count(made - so_far, 1000);
}

static void *
its_random(void *random)
{
    mi__free(mi__alloc(100));
    *(uint64_t *)random = mi__thread_heap->sampling.random;
    return NULL;
}

// Without one of the program's each thread has a seed of its own, from when there is something to draw.
static void
seeds_differ(void)
{
    uint64_t random[2];
    mi__conf.purge_delay_ms = -1;
    mi__free(mi__alloc(100));
    mi__sampling_set_rate(SAMPLER_PROFILE, 100000);
    mi__sampling_renew(mi__thread_heap);
    random[0] = mi__thread_heap->sampling.random;
    run_thread(its_random, &random[1]);
    check(random[0] != 0 && random[1] != 0 && random[0] != random[1]);
}

// The same seed gives the same samples.
static void
seeds_repeat(void)
{
    enum { GAPS = 100 };
    size_t gaps[2][GAPS];
    thread_heap_t *heap = start(0, 0);
    for (int i = 0; i < 2; i++) {
        mi__sampling_set_guard(heap, 20, 99);
        // The first comes after what was on the free list already.
        for (size_t before = made; made == before;) {
            mi__free(mi__alloc(80));
        }
        for (int k = 0; k < GAPS; k++) {
            gaps[i][k] = 0;
            for (size_t before = made; made == before; gaps[i][k]++) {
                mi__free(mi__alloc(80));
            }
        }
    }
    check(memcmp(gaps[0], gaps[1], sizeof gaps[0]) == 0);
}

// A stand-in's list is cut as well: what is taken back is held again.
static void *
give_back_all(void *arg)
{
    size_t count = *(const size_t *)arg;
    mi__sampling_set_rate(SAMPLER_GUARD, 50);
    mi__free(mi__alloc(40000));
    thread_heap_t *heap = mi__thread_heap;
    for (size_t i = 0; i < count; i++) {
        mi__free(blocks[i]);
    }
    made = 0;
    static void *again[BLOCKS_MAX];
    for (size_t i = 0; i < count; i++) {
        again[i] = mi__alloc(64);
        check_serving(heap, 64);
        size_t held;
        size_t lent;
        mi__held_count(heap, sizeclass_of(64), &held, &lent);
        check(held + lent <= count);
    }
    check_count(made, (double)count / 50);
    for (size_t i = 0; i < count; i++) {
        mi__free(again[i]);
    }
    return NULL;
}

static void
what_is_lent_is_cut(void)
{
    (void)start(0, 0);
    mi__conf.held_bytes = 1024 * 1024;
    size_t count = 10000;
    for (size_t i = 0; i < count; i++) {
        blocks[i] = mi__alloc(64);
    }
    pthread_t thread;
    check(pthread_create(&thread, NULL, give_back_all, &count) == 0);
    check(pthread_join(thread, NULL) == 0);
    check(made > 0);
}

// What a draw can't reach is left to the next one, which is as good: 100 blocks pass, then samples come at
// their rate.
static void
rests_end_in_another_draw(void)
{
    enum { ROUNDS = 200, EACH = 1000, REST = 100, RATE = 37 };
    thread_heap_t *heap = start(0, RATE);
    unsigned class = sizeclass_of(64);
    for (int i = 0; i < ROUNDS; i++) {
        mi__thread_heap_collect(heap);
        heap->sampling.next[SAMPLER_PROFILE][class] = heap->sampling.next[SAMPLER_GUARD][class] = REST;
        heap->sample_in[class] = REST;
        size_t before = made;
        for (size_t k = 0; k < EACH; k++) {
            blocks[k] = mi__alloc(64);
            check(k >= REST || made == before);
        }
        for (size_t k = 0; k < EACH; k++) {
            mi__free(blocks[k]);
        }
    }
    check_count(made, (double)ROUNDS * (EACH - REST) / RATE);
    mi__sampling_set_rate(SAMPLER_GUARD, UINT64_C(1) << 62);
    churn(heap, 64, 10000);
    check((heap->sampling.next[SAMPLER_GUARD][class] & SAMPLING_HIT) == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(the_logarithm_is_exact_enough),
        fresh_test(chances_are_exact_enough),
        fresh_test(draws_are_exponential),
        fresh_test(samples_come_at_their_rate),
        fresh_test(one_in_so_many_is_exact_too),
        fresh_test(samplers_are_independent),
        fresh_test(weights_are_unbiased),
        fresh_test(rates_may_change_and_end),
        fresh_test(seeds_differ),
        fresh_test(seeds_repeat),
        fresh_test(what_is_lent_is_cut),
        fresh_test(rests_end_in_another_draw),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
