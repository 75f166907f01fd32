// SPDX-License-Identifier: MIT
// test_samples.c — heap/samples.c, alloc/sampled.c, front/sample.c: sampled blocks are blocks like any
// others to the program, on every thread and on all ways by which memory comes and goes; statistics and
// walks do not notice; and those who sample see each of them once.
#include "fresh.h"

#include <sys/time.h>

#include "alloc/alloc.h"
#include "arena/meta.h"
#include "front/sample.h"
#include "heap/census.h"
#include "heap/registry.h"
#include "heap/siblings.h"
#include "heap/walk.h"

enum { LIVE_MAX = 4000 };

// ---- a profile that counts

static _Atomic(size_t) made;
static _Atomic(size_t) ended;
static _Atomic(size_t) live_weight_kib;
static _Atomic(bool) allocates;
static _Thread_local void *last; // of this thread
static _Thread_local size_t made_here;

static void
on_alloc(sample_t *sample, size_t requested, double weight)
{
    check(requested <= sample->block_size && weight >= 1);
    check(sample->of_sampler[SAMPLER_PROFILE] == NULL);
    sample->of_sampler[SAMPLER_PROFILE] = &made;
    atomic_fetch_add(&made, 1);
    atomic_fetch_add(&live_weight_kib, (size_t)(weight * (double)sample->block_size / 1024));
    last = atomic_load(&sample->block);
    made_here++;
    if (atomic_load(&allocates)) {
        // What a sampler allocates is not sampled, or this would have no end.
        size_t before = made_here;
        for (int i = 0; i < 100; i++) {
            mi__free(mi__alloc(30000));
        }
        check_equal(made_here, before);
        errno = EINVAL;
    }
}

static void
on_free(sample_t *sample)
{
    check(sample->of_sampler[SAMPLER_PROFILE] == &made);
    atomic_fetch_add(&ended, 1);
    atomic_fetch_sub(&live_weight_kib, (size_t)(sample->weight * (double)sample->block_size / 1024));
    if (atomic_load(&allocates)) {
        mi__free(mi__alloc(30000));
    }
}

static const sample_profile_t profile = {on_alloc, on_free};

static void
start(uint64_t mean_bytes)
{
    mi__conf.purge_delay_ms = -1;
    mi__conf.region_bytes_log2 = 34;
    mi__conf.guarded_sample_seed = 5;
    mi__sample_start();
    mi__sampling_set_rate(SAMPLER_GUARD, 0);
    mi__sample_set_profile(&profile, mean_bytes);
    mi__free(mi__alloc(50000));
    atomic_store(&made, 0);
    atomic_store(&ended, 0);
    atomic_store(&live_weight_kib, 0);
}

static bool
is_sampled(const void *p)
{
    page_t *page = mi__page_of(p);
    return (page_owner(page) & OWNER_SAMPLED) != 0;
}

// A block of `size` bytes that is a sample, by `allocate`.
static void *
sampled_by(void *(*allocate)(size_t size), size_t size)
{
    for (int i = 0; i < 1000000; i++) {
        void *p = allocate(size);
        check(p != NULL);
        if (is_sampled(p)) {
            check(last == mi__page_block_of(mi__page_of(p), p));
            return p;
        }
        mi__free(p);
    }
    check_failed(__FILE__, __LINE__, "no sample");
    return NULL;
}

static void *
aligned_4096(size_t size)
{
    return mi__alloc_aligned(size, 4096, 0, false);
}

static void *
aligned_offset(size_t size)
{
    return mi__alloc_aligned(size, 256, 24, false);
}

// ---- one block

static void
a_sample_is_a_block(void)
{
    static const size_t sizes[] = {1, 16, 100, 1000, 1024, 5000, 40000, 65536, 65537, 1000000};
    start(16 * KIB);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *p = sampled_by(mi__alloc, sizes[i]);
        check((uintptr_t)p % 16 == 0);
        check_equal(mi__usable_size(p, "test"), mi__good_size(sizes[i]));
        memset(p, 0xa5, mi__usable_size(p, "test"));
        check(mi__is_block(p) && mi__is_block(p + sizes[i] - 1));
        check(mi__heap_of(p) == &mi__subproc_main.main);
        check(mi__heap_of(p + sizes[i] / 2) == &mi__subproc_main.main);
        size_t before = atomic_load(&ended);
        mi__free(p);
        check_equal(atomic_load(&ended), before + 1);
    }
    check_equal(atomic_load(&made), atomic_load(&ended));
    check_equal(atomic_load(&live_weight_kib), 0);
}

static void
zeroed_ones_are_zero(void)
{
    start(16 * KIB);
    for (int i = 0; i < 300; i++) {
        size_t size = (size_t)1 << (i % 18);
        char *p = sampled_by(mi__alloc_zeroed, size);
        check(is_zero(p, mi__usable_size(p, "test")));
        memset(p, 0xff, mi__usable_size(p, "test"));
        mi__free(p);
    }
}

static void
aligned_ones_are_aligned(void)
{
    start(16 * KIB);
    for (int i = 0; i < 50; i++) {
        char *p = sampled_by(aligned_4096, 1 + (size_t)i * 700);
        check((uintptr_t)p % 4096 == 0);
        memset(p, 1, 1 + (size_t)i * 700);
        char *q = sampled_by(aligned_offset, 1 + (size_t)i * 100);
        check(((uintptr_t)q + 24) % 256 == 0);
        check(mi__usable_size(q, "test") >= 1 + (size_t)i * 100);
        memset(q, 2, mi__usable_size(q, "test"));
        mi__free(p);
        mi__free(q);
    }
    check_equal(atomic_load(&made), atomic_load(&ended));
}

static void
check_filled(const unsigned char *p, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        check(p[i] == (unsigned char)(i * 7 + 1));
    }
}

static void
pattern(unsigned char *p, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        p[i] = (unsigned char)(i * 7 + 1);
    }
}

static void
they_can_be_resized(void)
{
    static const size_t steps[] = {10, 12, 300, 5000, 70000, 200000, 3000000, 150000, 60000, 40, 1};
    start(16 * KIB);
    for (int round = 0; round < 20; round++) {
        unsigned char *p = sampled_by(mi__alloc, steps[0]);
        pattern(p, steps[0]);
        for (size_t i = 1; i < sizeof steps / sizeof steps[0]; i++) {
            p = mi__realloc(p, steps[i], (round & 1) != 0);
            check(p != NULL);
            check_filled(p, size_min(steps[i - 1], steps[i]));
            for (size_t k = steps[i - 1] + 64; (round & 1) != 0 && k < steps[i]; k++) {
                check(p[k] == 0);
            }
            memset(p, 0, mi__usable_size(p, "test"));
            pattern(p, steps[i]);
        }
        mi__free(p);
    }
    check_equal(atomic_load(&made), atomic_load(&ended));
    check_equal(atomic_load(&live_weight_kib), 0);
}

// A singleton that grows where it is counts anew.
static void
growing_in_place_is_an_allocation(void)
{
    start(16 * KIB);
    void *p = mi__alloc(MIB);
    size_t so_far = atomic_load(&made);
    check(mi__realloc_in_place(p, 40 * MIB) == p);
    check_equal(atomic_load(&made), so_far + 1);
    check_equal(atomic_load(&live_weight_kib), 40 * 1024);
    mi__free(p);
    check_equal(atomic_load(&live_weight_kib), 0);
}

// ---- misuse

static _Atomic(int) seen[MISUSE_COUNT];

static void
note_misuse(misuse_t kind, const char *call, const void *p)
{
    (void)call;
    (void)p;
    atomic_fetch_add(&seen[kind], 1);
}

static void
misuse_is_noticed(void)
{
    start(16 * KIB);
    mi__hooks.misuse = note_misuse;
    char *p = sampled_by(mi__alloc, 200);
    mi__free(p + 16);
    check_equal(atomic_load(&seen[MISUSE_FREE_INTERIOR]), 1);
    mi__free(p);
    mi__free(p);
    check_equal(atomic_load(&seen[MISUSE_DOUBLE_FREE]), 1);
    char *large = sampled_by(mi__alloc, 200000);
    mi__free(large);
    mi__free(large);
    check_equal(atomic_load(&seen[MISUSE_FREE_NO_BLOCK]) + atomic_load(&seen[MISUSE_DOUBLE_FREE]), 2);
    check_equal(atomic_load(&made), atomic_load(&ended));
}

// ---- rates on all threads

static size_t rate_size;
static size_t rate_count;

// Realised within 10%: a thousand samples are expected, whose deviation is 3%.
static void *
measure(void *arg)
{
    (void)arg;
    static _Thread_local void *live[LIVE_MAX];
    size_t before = atomic_load(&made);
    uint64_t bits = 9;
    for (size_t i = 0; i < rate_count; i++) {
        bits = bits * UINT64_C(6364136223846793005) + 1442695040888963407;
        size_t at = bits >> 40 & 63;
        mi__free(live[at]);
        switch (bits >> 50 & 3) {
        case 0:
            live[at] = mi__alloc(rate_size);
            break;
        case 1:
            live[at] = mi__alloc_zeroed(rate_size);
            break;
        case 2:
            live[at] = mi__alloc_aligned(rate_size, 16, 0, false);
            break;
        default:
            live[at] = mi__realloc(NULL, rate_size, false);
        }
    }
    for (size_t i = 0; i < 64; i++) {
        mi__free(live[i]);
        live[i] = NULL;
    }
    size_t block_size = mi__good_size(rate_size);
    double expected = (double)rate_count * mi__sampling_chance((double)block_size / (256 * 1024));
    double got = (double)(atomic_load(&made) - before);
    check(got > expected * 0.9 && got < expected * 1.1);
    return NULL;
}

static void
rates_hold_on_every_thread(void)
{
    static const size_t sizes[] = {48, 3000, 40000, 150000};
    start(256 * KIB);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        rate_size = sizes[i];
        rate_count = (size_t)(2000 / mi__sampling_chance((double)mi__good_size(sizes[i]) / (256 * 1024)));
        (void)measure(NULL);
        // One after the other: the second takes over the first one's heap.
        for (int k = 0; k < 2; k++) {
            pthread_t thread;
            check(pthread_create(&thread, NULL, measure, NULL) == 0);
            check(pthread_join(thread, NULL) == 0);
        }
    }
    check_equal(atomic_load(&made), atomic_load(&ended));
}

static void
rates_hold_in_a_child(void)
{
    start(256 * KIB);
    rate_size = 500;
    rate_count = 1000000;
    void *p = sampled_by(mi__alloc, 1000);
    pid_t child = fork();
    check(child >= 0);
    if (child == 0) {
        mi__registry_after_fork();
        (void)measure(NULL);
        mi__free(p);
        check_equal(atomic_load(&made), atomic_load(&ended));
        _exit(0);
    }
    int status;
    check(waitpid(child, &status, 0) == child && status == 0);
}

// ---- other threads

static void *
free_it(void *p)
{
    mi__free(p);
    return NULL;
}

static void *
make_it(void *arg)
{
    (void)arg;
    return sampled_by(mi__alloc, 100);
}

static void
others_may_free_them(void)
{
    start(16 * KIB);
    pthread_t thread;
    void *p = sampled_by(mi__alloc, 100);
    size_t before = atomic_load(&ended);
    check(pthread_create(&thread, NULL, free_it, p) == 0 && pthread_join(thread, NULL) == 0);
    check_equal(atomic_load(&ended), before + 1);
    // One that outlives its thread.
    void *orphan;
    check(pthread_create(&thread, NULL, make_it, NULL) == 0 && pthread_join(thread, &orphan) == 0);
    check(is_sampled(orphan));
    mi__free(orphan);
    check_equal(atomic_load(&made), atomic_load(&ended));
}

enum { CROWD = 4, ROUNDS = SANITIZED ? 40000 : 150000, SLOTS = 256 };
static _Atomic(void *) slots[SLOTS];

static void *
trade(void *arg)
{
    uint64_t bits = (uintptr_t)arg;
    for (int i = 0; i < ROUNDS; i++) {
        bits = bits * UINT64_C(6364136223846793005) + 1442695040888963407;
        size_t size = (size_t)1 << (bits >> 40 & 15);
        unsigned char *p = (bits >> 62) == 0 ? mi__alloc_zeroed(size) : mi__alloc(size);
        check(p != NULL && ((bits >> 62) != 0 || is_zero(p, size)));
        memset(p, (int)(bits >> 33), size);
        mi__free(atomic_exchange(&slots[bits >> 50 & (SLOTS - 1)], p));
    }
    return NULL;
}

static void
threads_trade_them(void)
{
    start(8 * KIB);
    atomic_store(&allocates, true);
    pthread_t threads[CROWD];
    for (uintptr_t i = 0; i < CROWD; i++) {
        check(pthread_create(&threads[i], NULL, trade, (void *)(i + 1)) == 0);
    }
    for (int i = 0; i < CROWD; i++) {
        check(pthread_join(threads[i], NULL) == 0);
    }
    for (int i = 0; i < SLOTS; i++) {
        mi__free(atomic_exchange(&slots[i], NULL));
    }
    check(atomic_load(&made) > 1000);
    check_equal(atomic_load(&made), atomic_load(&ended));
}

// ---- re-entry

static void
samplers_may_allocate(void)
{
    start(16 * KIB);
    atomic_store(&allocates, true);
    for (int i = 0; i < 2000; i++) {
        errno = ERRNO_MARK;
        mi__free(mi__alloc(2000));
        check_equal(errno, ERRNO_MARK);
    }
    check(atomic_load(&made) > 100);
    check_equal(atomic_load(&made), atomic_load(&ended));
}

// ---- statistics and walks

static uint64_t
live_of(size_t size)
{
    census_t census;
    mi__census_take(&census);
    return census.classes[sizeclass_of(size)].live;
}

static uint64_t
allocated_of(size_t size)
{
    census_t census;
    mi__census_take(&census);
    return census.classes[sizeclass_of(size)].allocated;
}

typedef struct found_t {
    void *const *blocks;
    bool seen[LIVE_MAX];
    size_t count;
    size_t strangers;
} found_t;

static bool
find(const walk_page_t *page, void *block, void *arg)
{
    found_t *found = arg;
    if (block == NULL || page->block_size != 224) {
        return true;
    }
    check((char *)block >= page->start && (char *)block < page->start + page->bytes);
    size_t i = 0;
    while (i < found->count && (found->blocks[i] != block || found->seen[i])) {
        i++;
    }
    if (i < found->count) {
        found->seen[i] = true;
    } else {
        found->strangers++;
    }
    return true;
}

static void
check_walk(const heap_t *heap, void *const *blocks, size_t count)
{
    static found_t found;
    found = (found_t){.blocks = blocks, .count = count};
    check(mi__walk(heap, WALK_ALL, true, find, &found));
    check_equal(found.strangers, 0);
    for (size_t i = 0; i < count; i++) {
        check(found.seen[i]);
    }
    walk_fault_t fault;
    check(mi__walk_check(heap, &fault));
}

static void
counts_and_walks_stay_exact(void)
{
    enum { COUNT = 2000 };
    static void *blocks[COUNT];
    start(2 * KIB);
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = mi__alloc(220);
    }
    check(atomic_load(&made) > 100);
    check_equal(live_of(220), COUNT);
    check_equal(allocated_of(220), COUNT);
    check_walk(&mi__subproc_main.main, blocks, COUNT);
    for (size_t i = COUNT / 2; i < COUNT; i++) {
        mi__free(blocks[i]);
    }
    check_equal(live_of(220), COUNT / 2);
    check_walk(&mi__subproc_main.main, blocks, COUNT / 2);
    for (size_t i = 0; i < COUNT / 2; i++) {
        mi__free(blocks[i]);
    }
    check_equal(live_of(220), 0);
    check_equal(atomic_load(&made), atomic_load(&ended));
}

// ---- first-class heaps

static void
heaps_end_with_their_samples(void)
{
    enum { COUNT = 2000 };
    static void *blocks[COUNT];
    for (int round = 0; round < 4; round++) {
        start(2 * KIB);
        heap_t *heap = mi__heap_new(&mi__subproc_main, NULL);
        thread_heap_t *mine = mi__siblings_of(heap);
        for (size_t i = 0; i < COUNT; i++) {
            blocks[i] = mi__alloc_aligned_in(mine, i % 100 == 99 ? 100000 : 220, 16, 0, false);
            check(mi__heap_of(blocks[i]) == heap);
            blocks[i] = mi__realloc_in(mine, blocks[i], 221, false);
            check(mi__heap_of(blocks[i]) == heap);
        }
        check_walk(heap, blocks, COUNT);
        size_t before = atomic_load(&ended);
        size_t so_far = atomic_load(&made);
        check(so_far > before + 100);
        if (round % 2 == 0) {
            mi__heap_destroy(heap);
            check_equal(atomic_load(&ended), so_far);
        } else {
            mi__heap_delete(heap);
            check_equal(atomic_load(&ended), before);
            for (size_t i = 0; i < COUNT; i++) {
                check(mi__heap_of(blocks[i]) == &mi__subproc_main.main);
                mi__free(blocks[i]);
            }
        }
        check_equal(atomic_load(&made), atomic_load(&ended));
        check_equal(atomic_load(&live_weight_kib), 0);
    }
}

// What a block of another heap asks of realloc: it moves home.
static void
realloc_in_brings_home(void)
{
    start(2 * KIB);
    heap_t *heap = mi__heap_new(&mi__subproc_main, NULL);
    void *p = sampled_by(mi__alloc, 220);
    p = mi__realloc_in(mi__siblings_of(heap), p, 221, false);
    check(mi__heap_of(p) == heap);
    p = mi__realloc_in(mi__thread_heap, p, 221, false);
    check(mi__heap_of(p) == &mi__subproc_main.main);
    mi__free(p);
    mi__heap_destroy(heap);
}

// ---- memory

static void
the_store_gives_back(void)
{
    enum { COUNT = 4000 };
    static void *blocks[COUNT];
    start(1);
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = mi__alloc(1000);
        check(is_sampled(blocks[i]));
    }
    for (size_t i = 0; i < COUNT; i++) {
        mi__free(blocks[i]);
    }
    (void)mi__collect(true);
    size_t used = mi__region_committed_bytes() - free_bytes();
    // A page of the store stays for each class that was sampled, two here.
    check_at_most(used, (MEDIUM_PAGE_SLICES + 1) * SLICE_SIZE);
}

// ---- amid the lock of the table

static _Atomic(bool) stop;
static void *looked_up;

static void *
look_up_all_the_time(void *arg)
{
    while (!atomic_load(&stop)) {
        for (int i = 0; i < 100; i++) {
            check(mi__samples_stands_for(looked_up) != NULL);
        }
        mi__free(mi__alloc(220));
    }
    return arg;
}

static void
sample_in_a_child(void)
{
    enum { COUNT = 300 };
    static void *blocks[COUNT];
    mi__registry_after_fork();
    check(mi__samples_stands_for(looked_up) != NULL);
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = mi__alloc(220);
        check(is_sampled(blocks[i]));
        fill(blocks[i], 220, (unsigned)i);
    }
    for (size_t i = 0; i < COUNT; i++) {
        check(is_filled(blocks[i], 220, (unsigned)i));
        mi__free(blocks[i]);
    }
}

static void
forks_amid_the_lock(void)
{
    pthread_t threads[2];
    start(1);
    looked_up = sampled_by(mi__alloc, 220);
    for (int i = 0; i < 2; i++) {
        check(pthread_create(&threads[i], NULL, look_up_all_the_time, NULL) == 0);
    }
    for (int i = 0; i < 60; i++) {
        check_equal(status_of_child(sample_in_a_child), 0);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++) {
        check(pthread_join(threads[i], NULL) == 0);
    }
}

enum { LATER_MAX = 20000 };
static void *later[LATER_MAX];
static _Atomic(size_t) next_later;
static _Atomic(size_t) put_off;

static void
free_one(int number)
{
    (void)number;
    size_t i = atomic_load(&next_later);
    if (i < LATER_MAX) {
        atomic_store(&next_later, i + 1);
        atomic_fetch_add(&put_off, mi__samples_are_locked());
        mi__free(later[i]);
        check(mi__samples_stands_for(later[i]) == NULL || mi__samples_are_locked());
    }
}

// Frees by a handler that has interrupted its thread amid the lock wait for the thread's own next one.
static void
frees_amid_the_lock_are_put_off(void)
{
    start(1);
    for (size_t i = 0; i < LATER_MAX; i++) {
        later[i] = sampled_by(mi__alloc, i % 2 == 0 ? 220 : 1000);
    }
    looked_up = sampled_by(mi__alloc, 100);
    void *last_ones[] = {sampled_by(mi__alloc, 220), sampled_by(mi__alloc, 1000)};
    struct sigaction action = {.sa_handler = free_one};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {{0, 100}, {0, 100}};
    setitimer(ITIMER_REAL, &often, NULL);
    while (atomic_load(&put_off) < 20 && atomic_load(&next_later) < LATER_MAX) {
        check(mi__samples_stands_for(looked_up) != NULL);
    }
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    check(atomic_load(&put_off) > 0);
    size_t freed = atomic_load(&next_later);
    mi__free(last_ones[0]);
    mi__free(last_ones[1]);
    check_equal(atomic_load(&ended), freed + 2);
    for (size_t i = freed; i < LATER_MAX; i++) {
        mi__free(later[i]);
    }
    mi__free(looked_up);
    check_equal(atomic_load(&made), atomic_load(&ended));
}

// ---- no memory

static void
without_memory_nothing_is_sampled(void)
{
    static void *blocks[LIVE_MAX * 4];
    for (int way = 0; way < 2; way++) {
        size_t count = 0;
        start(1);
        limit_to(RLIMIT_DATA, data_bytes());
        while (way == 1 && mi__meta_alloc(64) != NULL) {
        }
        while (count < LIVE_MAX * 4 && (blocks[count] = mi__alloc(1000)) != NULL) {
            fill(blocks[count], 1000, (unsigned)count);
            count++;
        }
        check(count < LIVE_MAX * 4);
        for (size_t i = 0; i < count; i++) {
            check(is_filled(blocks[i], 1000, (unsigned)i));
            mi__free(blocks[i]);
        }
        check_equal(atomic_load(&made), atomic_load(&ended));
        unlimit(RLIMIT_DATA);
        void *p = sampled_by(mi__alloc, 1000);
        mi__free(p);
        (void)mi__collect(true);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(a_sample_is_a_block),
        fresh_test(zeroed_ones_are_zero),
        fresh_test(aligned_ones_are_aligned),
        fresh_test(they_can_be_resized),
        fresh_test(growing_in_place_is_an_allocation),
        fresh_test(misuse_is_noticed),
        fresh_test(rates_hold_on_every_thread),
        fresh_test(rates_hold_in_a_child),
        fresh_test(others_may_free_them),
        fresh_test(threads_trade_them),
        fresh_test(samplers_may_allocate),
        fresh_test(counts_and_walks_stay_exact),
        fresh_test(heaps_end_with_their_samples),
        fresh_test(realloc_in_brings_home),
        fresh_test(the_store_gives_back),
        fresh_test(forks_amid_the_lock),
        fresh_test(frees_amid_the_lock_are_put_off),
        fresh_test(without_memory_nothing_is_sampled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
