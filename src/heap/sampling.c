// SPDX-License-Identifier: MIT
// sampling.c — draws, rates, and the cut.
//
// Owns:        see sampling.h
// Threads:     see sampling.h
// Invariants:  see sampling.h
// Not here:    see sampling.h
#include "heap/sampling.h"

#include <string.h>

#include "base/check.h"
#include "base/track.h"
#include "heap/held.h"
#include "heap/series.h"
#include "os/os.h"

// The furthest that a draw reaches.
#define BLOCKS_MAX (SAMPLING_HIT - 2)

_Atomic(uint64_t) mi__sampling_rates[SAMPLER_COUNT];

// ---- Draws

// Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014), the mix "SplitMix64".
static uint64_t
random_bits(sampling_t *sampling)
{
    uint64_t z = sampling->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t
mi__sampling_random(thread_heap_t *heap)
{
    return random_bits(&heap->sampling);
}

// −ln u for u in (0, 1]. With u = m · 2^e and m near 1, ln m = 2 artanh((m − 1) / (m + 1)), whose series is
// s + s³/3 + s⁵/5 + … (Abramowitz and Stegun 4.1.27); |s| < 0.172 leaves an error below 3e-8.
double
mi__sampling_exponential(uint64_t bits)
{
    double u = (double)((bits >> 11) + 1) * 0x1p-53;
    uint64_t word;
    memcpy(&word, &u, sizeof word);
    int exponent = (int)(word >> 52) - 1023;
    word = (word & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1023) << 52;
    double m;
    memcpy(&m, &word, sizeof m);
    if (m > 1.4142135623730951) {
        m /= 2;
        exponent++;
    }
    double s = (m - 1) / (m + 1);
    double square = s * s;
    double ln = 2 * s * (1 + square * (1.0 / 3 + square * (1.0 / 5 + square / 7)));
    return -(ln + exponent * 0.6931471805599453);
}

// The series for a small x, doubled back up: 1 − e^−2y = c (2 − c) where c = 1 − e^−y.
double
mi__sampling_chance(double x)
{
    if (x > 64) {
        return 1;
    }
    unsigned doublings = 0;
    while (x > 1.0 / 64) {
        x /= 2;
        doublings++;
    }
    double chance = x * (1 - x / 2 * (1 - x / 3 * (1 - x / 4)));
    while (doublings-- > 0) {
        chance *= 2 - chance;
    }
    return chance;
}

// 1 / −ln(1 − 1/n), by the series of ln(1 − x).
double
mi__sampling_geometric_mean(uint64_t n)
{
    if (n <= 1) {
        return 0;
    }
    double sum = 0;
    double power = 1;
    for (int k = 1; k <= 64; k++) {
        power /= (double)n;
        sum += power / k;
    }
    return 1 / sum;
}

// What goes before the next sample. One that is too far is left to another draw: the distribution has no
// memory.
static uint32_t
draw(sampling_t *sampling, unsigned sampler, unsigned class)
{
    uint64_t rate = sampling->rates[sampler];
    if (rate == 0) {
        return BLOCKS_MAX;
    }
    double mean =
        sampler == SAMPLER_GUARD ? sampling->guard_mean : (double)rate / (double)sizeclass_block_size(class);
    double blocks = mi__sampling_exponential(random_bits(sampling)) * mean;
    return blocks < BLOCKS_MAX ? (uint32_t)blocks | SAMPLING_HIT : BLOCKS_MAX;
}

bool
mi__sampling_takes_large(thread_heap_t *heap, size_t bytes)
{
    sampling_t *sampling = &heap->sampling;
    uint64_t rate = sampling->rates[SAMPLER_PROFILE];
    return rate != 0 && mi__sampling_exponential(random_bits(sampling)) * (double)rate <= (double)bytes;
}

double
mi__sampling_weight(const thread_heap_t *heap, size_t bytes)
{
    return 1 / mi__sampling_chance((double)bytes / (double)heap->sampling.rates[SAMPLER_PROFILE]);
}

// ---- Rates

static void
seed(sampling_t *sampling)
{
    static _Atomic(uint64_t) seeded;
    if (sampling->random == 0) {
        uint64_t given = (uint64_t)conf_get(guarded_sample_seed);
        sampling->random = given == 0 ? mi__os_random() | 1 : (given + atomic_add_relaxed(&seeded, 1)) << 32;
    }
}

void
mi__sampling_renew(thread_heap_t *heap)
{
    sampling_t *sampling = &heap->sampling;
    for (unsigned i = 0; i < SAMPLER_COUNT; i++) {
        if (i != SAMPLER_GUARD || !sampling->own_guard_rate) {
            sampling->rates[i] = atomic_get_relaxed(&mi__sampling_rates[i]);
        }
    }
    if (sampling->rates[SAMPLER_PROFILE] + sampling->rates[SAMPLER_GUARD] != 0) {
        seed(sampling);
    }
    sampling->guard_mean = mi__sampling_geometric_mean(sampling->rates[SAMPLER_GUARD]);
    memset(sampling->next, 0, sizeof sampling->next);
    memset(heap->sample_in, 0, sizeof heap->sample_in);
    mi__series_renew(heap);
}

void
mi__sampling_look(thread_heap_t *heap)
{
    for (unsigned i = 0; i < SAMPLER_COUNT; i++) {
        bool own = i == SAMPLER_GUARD && heap->sampling.own_guard_rate;
        if (!own && heap->sampling.rates[i] != atomic_get_relaxed(&mi__sampling_rates[i])) {
            mi__sampling_renew(heap);
            return;
        }
    }
}

void
mi__sampling_set_rate(unsigned sampler, uint64_t rate)
{
    // Tools that track every block see all that samples would show, and want the usual places.
    atomic_set_relaxed(&mi__sampling_rates[sampler], TRACKING ? 0 : rate);
    if (!thread_heap_is_none(mi__thread_heap)) {
        mi__sampling_renew(mi__thread_heap);
    }
}

void
mi__sampling_set_guard(thread_heap_t *heap, uint64_t rate, uint64_t seed)
{
    sampling_t *sampling = &heap->sampling;
    sampling->own_guard_rate = true;
    sampling->rates[SAMPLER_GUARD] = TRACKING ? 0 : rate;
    sampling->random = seed == 0 ? sampling->random : seed << 32;
    mi__sampling_renew(heap);
}

void
mi__sampling_bound_guard(thread_heap_t *heap, size_t least, size_t most)
{
    heap->sampling.own_guard_bounds = true;
    heap->sampling.guard_min = least;
    heap->sampling.guard_max = most;
}

bool
mi__sampling_may_guard(const thread_heap_t *heap, size_t size)
{
    const sampling_t *own = &heap->sampling;
    size_t least = own->own_guard_bounds ? own->guard_min : (size_t)conf_get(guarded_min);
    size_t most = own->own_guard_bounds ? own->guard_max : (size_t)conf_get(guarded_max);
    return size >= least && size <= most;
}

// ---- The cut

// Takes all but the first `keep` of so many blocks off `free`, in one piece: only those are looked at that
// will be handed out next.
static void
take_back(thread_heap_t *heap, page_t *page, uint32_t keep, uint32_t granted)
{
    block_t *last = page->free;
    uint32_t steps = keep - 1;
    for (; steps >= 4; steps -= 4) {
        last = last->next->next->next->next;
    }
    for (; steps > 0; steps--) {
        last = last->next;
    }
    block_t *rest = last->next;
    last->next = NULL;
    thread_heap_ungrant(heap, page->class, granted - keep);
    if ((page->flags & PAGE_STAND_IN) == 0) {
        ASSERT(page->local_free == NULL);
        page_put_back(page, rest, granted - keep);
        return;
    }
    for (block_t *next; rest != NULL; rest = next) {
        next = rest->next;
        mi__held_keep(heap, page->class, rest);
    }
}

// Blocks from the last cut to the next.
static uint32_t
first_of(const sampling_t *sampling, unsigned class)
{
    uint32_t first = SAMPLING_HIT;
    for (unsigned i = 0; i < SAMPLER_COUNT; i++) {
        uint32_t blocks = sampling->next[i][class] & ~SAMPLING_HIT;
        first = blocks < first ? blocks : first;
    }
    return first;
}

unsigned
mi__sampling_cut(thread_heap_t *heap, page_t *page, uint32_t granted)
{
    sampling_t *sampling = &heap->sampling;
    unsigned class = page->class;
    uint32_t passed = first_of(sampling, class) - (uint32_t)(heap->sample_in[class] + granted);
    unsigned samplers = 0;
    for (unsigned i = 0; i < SAMPLER_COUNT; i++) {
        uint32_t next = sampling->next[i][class] - passed;
        next = next == 0 ? draw(sampling, i, class) : next;
        if (next == SAMPLING_HIT) {
            samplers |= 1U << i;
            next = draw(sampling, i, class) + 1;
        }
        sampling->next[i][class] = next;
    }
    uint32_t first = first_of(sampling, class);
    ASSERT(first > 0);
    heap->sample_in[class] = (int64_t)first - granted;
    if (granted > first) {
        take_back(heap, page, first, granted);
    }
    return samplers;
}
