// SPDX-License-Identifier: MIT
// test_samples.c — samples that begin and end on several threads, heaps that end with samples in them, and a
// profile that is switched on and off meanwhile.
// sources: base/config.c base/hooks.c page/page.c page/remote.c heap/thread_heap.c heap/registry.c
// sources: heap/held.c heap/heap.c heap/siblings.c heap/samples.c heap/series.c alloc/alloc.c alloc/free.c
// sources: alloc/sampled.c front/sample.c front/profile.c
//
// Which allocations are samples is said here, not drawn. What a profile does with one (stacks, sites,
// files) is not run: it is counted instead. The arena is the one of fake_arena.h.
#include "fake_arena.h"

#include "alloc/large.h"
#include "front/estimate.h"
#include "front/guard.h"
#include "front/profile.h"
#include "front/sample.h"
#include "front/sites.h"
#include "front/stack.h"
#include "heap/samples.h"

enum { BLOCKS = 4, RATE = 1000 };

static uintptr_t *blocks[BLOCKS];
static heap_t *shared;
static page_t *large_page;
static uintptr_t large_mark;           // its owner word
static sample_profile_t profile;       // written by who switches it on
static _Atomic(unsigned) made[BLOCKS]; // as the profile is told
static _Atomic(unsigned) gone[BLOCKS]; // the same

// ---- what a profile leans on ------------------------------------------------------------------------------

void
mi__guard_place(sample_t *sample)
{
    (void)sample;
}

void
mi__guard_gone(sample_t *sample)
{
    (void)sample;
}

void
mi__estimate_start(uint64_t rate)
{
    (void)rate;
}

void
mi__estimate_stop(void)
{
}

void
mi__stack_start(void)
{
}

size_t
mi__stack_capture(uintptr_t *frames, size_t max)
{
    (void)frames;
    (void)max;
    return 0;
}

site_t *
mi__sites_find(const uintptr_t *frames, size_t depth, size_t block_size)
{
    (void)frames;
    (void)depth;
    (void)block_size;
    return NULL;
}

int64_t
mi__os_clock_ms(void)
{
    return 1;
}

void
mi__sampling_set_rate(unsigned sampler, uint64_t rate)
{
    atomic_set_relaxed(&mi__sampling_rates[sampler], rate);
}

// ---- what the threads do ----------------------------------------------------------------------------------

static void
on_alloc(sample_t *sample, size_t requested, double weight)
{
    (void)weight;
    explore_expect(requested < BLOCKS, "a sample is told as it was asked for");
    atomic_add_relaxed(&made[sample->requested], 1);
}

static void
on_free(sample_t *sample)
{
    atomic_add_relaxed(&gone[sample->requested], 1);
}

// The number of the block stands for its size.
static void
make_in(thread_heap_t *heap, unsigned i)
{
    bool zero = false;
    block_t *block = fast_alloc_in(heap, BLOCK_SIZE);
    block_t *sampled = mi__samples_make(heap, block, i, 1U << SAMPLER_PROFILE, &zero);
    explore_expect(sampled != block, "a sample has a place of its own");
    explore_expect(mi__samples_stands_for(sampled) == block, "R1: it is in the table");
    blocks[i] = (uintptr_t *)sampled;
    *blocks[i] = i;
}

static void
release(unsigned i)
{
    uintptr_t *block = blocks[i];
    explore_expect(*block == i, "a block keeps its content");
    blocks[i] = NULL;
    *block = 99;
    fast_free(block);
}

static void
make_0(void)
{
    make_in(mi__thread_heap, 0);
}

static void
make_1(void)
{
    make_in(mi__thread_heap, 1);
}

static void
make_in_shared_2(void)
{
    make_in(mi__siblings_of(shared), 2);
}

static void
free_0(void)
{
    release(0);
}

static void
free_1(void)
{
    release(1);
}

static void
free_1_make_3(void)
{
    release(1);
    make_in(mi__thread_heap, 3);
}

static void
bind(void)
{
    explore_expect(mi__registry_bind() != NULL, "there is a heap");
}

static void
destroy(void)
{
    mi__heap_destroy(shared);
    blocks[2] = NULL;
}

// A singleton that thread 0 had kept is in use again.
static void
make_large_0(void)
{
    blocks[0] = (uintptr_t *)mi__alloc_large(mi__thread_heap, SLICE_SIZE, SLICE_SIZE, false);
    *blocks[0] = 0;
    large_page = mi__page_of(blocks[0]);
    page_reuse_singleton(large_page, (uintptr_t)mi__thread_heap);
    large_mark = page_owner(large_page);
}

// What it frees it keeps: nothing is released here.
static void
keep_large(void)
{
    mi__thread_heap->kept_sizes = 1U << 1;
}

static void
mark_0_late(void)
{
    sample_t *sample = mi__samples_new(1U << SAMPLER_PROFILE, 0);
    mi__samples_mark_late(sample, large_page, large_mark);
}

// What a walk and tools from outside do.
static void
walk(void)
{
    for (sample_t *sample = mi__samples_first(); sample != NULL; sample = sample->next_made) {
        (void)atomic_get_relaxed(&sample->block);
    }
}

static void
switch_on(void)
{
    profile = (sample_profile_t){on_alloc, on_free};
    mi__sample_set_profile(&profile, 0);
}

static void
start_profile(void)
{
    explore_expect(mi__profile_start(RATE), "a start says that it has started");
}

static void
start_other_profile(void)
{
    explore_expect(mi__profile_start(2 * RATE), "a start says that it has started");
}

// ---- before and after -------------------------------------------------------------------------------------

// Each thread has a heap; no profile was ever on.
static void
never_on(void)
{
    fake_arena_init();
    mi__conf.held_bytes = 0;
    mi__sample_start();
    explore_as(0, bind);
    explore_as(1, bind);
    explore_as(2, bind);
}

static void
set_up(void)
{
    never_on();
    switch_on();
    shared = mi__heap_new(&mi__subproc_main, NULL);
}

// A record and a page of the store wait for the next sample.
static void
with_a_record(void)
{
    set_up();
    explore_as(0, make_0);
    explore_as(0, free_0);
    atomic_set_relaxed(&made[0], 0);
    atomic_set_relaxed(&gone[0], 0);
}

static void
with_two(void)
{
    set_up();
    explore_as(0, make_0);
    explore_as(1, make_1);
}

static void
with_one_in_shared(void)
{
    set_up();
    explore_as(1, make_1);
    explore_as(0, make_in_shared_2);
}

static void
no_misuse(misuse_t kind, const char *call, const void *p)
{
    (void)kind;
    (void)call;
    (void)p;
    explore_expect(false, "a block is freed once");
}

static void
with_a_large_one(void)
{
    set_up();
    mi__hooks.misuse = no_misuse;
    explore_as(0, make_large_0);
    explore_as(1, keep_large);
}

static size_t
records_in_use(void)
{
    size_t count = 0;
    for (const sample_t *sample = mi__samples_first(); sample != NULL; sample = sample->next_made) {
        count += atomic_get_relaxed(&sample->block) != NULL;
    }
    return count;
}

// After all threads: each sample was told once at its start and once at its end, and the table has those that
// are out.
static void
check(void)
{
    size_t live = 0;
    for (unsigned i = 0; i < BLOCKS; i++) {
        unsigned starts = atomic_get_relaxed(&made[i]), ends = atomic_get_relaxed(&gone[i]);
        bool is_out = blocks[i] != NULL;
        live += is_out;
        explore_expect(starts - ends == is_out && starts <= 1, "a sample begins and ends once");
        explore_expect(!is_out || mi__samples_stands_for(blocks[i]) != NULL,
                       "R1: what is out is in the table");
    }
    explore_expect(records_in_use() == live, "and nothing else");
    for (unsigned i = 0; i < BLOCKS; i++) {
        explore_expect(blocks[i] == NULL || *blocks[i] == i, "a block keeps its content");
    }
}

// What was marked was told, and is a sample as long as it is out.
static void
check_large(void)
{
    explore_expect(atomic_get_relaxed(&made[0]) == 1 && records_in_use() == (blocks[0] != NULL),
                   "a sample begins and ends once");
    explore_expect(atomic_get_relaxed(&gone[0]) == (blocks[0] == NULL), "its end is told");
    explore_expect(page_owner(large_page) == 0 || blocks[0] != NULL, "and its page is free");
}

static void
check_profile(void)
{
    bool on = atomic_get_relaxed(&mi__sampling_rates[SAMPLER_PROFILE]) != 0;
    explore_expect(mi__profile_is_active() == on, "a profile is on when samples are taken");
}

// A sample may begin before the profile is on.
static void
check_told(void)
{
    explore_expect(atomic_get_relaxed(&made[1]) <= 1 && records_in_use() == 1, "a sample is told once");
}

static const scenario_t scenarios[] = {
    {"make; make", set_up, {make_0, make_1}, check, 3, 4},
    {"make; make, with a record", with_a_record, {make_0, make_1}, check, 3, 4},
    {"make; walk", set_up, {make_0, walk}, check, 0, 0},
    {"make; walk; walk", with_two, {free_1_make_3, walk, walk}, check, 3, 0},
    {"free; free", with_two, {free_0, free_1}, check, 0, 0},
    {"free, make; free", with_two, {free_0, free_1_make_3}, check, 4, 5},
    {"destroy; free, make", with_one_in_shared, {destroy, free_1_make_3}, check, 3, 4},
    {"destroy; free; make", with_one_in_shared, {destroy, free_1, make_0}, check, 1, 2},
    {"mark late; free", with_a_large_one, {mark_0_late, free_0}, check_large, 0, 0},
    {"a profile is set; make", never_on, {switch_on, make_1}, check_told, 0, 0},
    {"start; stop", set_up, {start_profile, mi__profile_stop}, check_profile, 0, 0},
    {"start; start; stop",
     set_up,
     {start_profile, start_other_profile, mi__profile_stop},
     check_profile,
     4,
     5},
};

int
main(int argc, char **argv)
{
    return explore_main(scenarios, sizeof scenarios / sizeof scenarios[0], argc, argv);
}
