// SPDX-License-Identifier: MIT
// test_given_commit.c — arena/given.c and slices.c: memory that a function of the program commits and
// decommits: it is asked exactly for what is needed, and its refusals do no harm.
#include "fresh.h"

#include <sys/mman.h>

#include "arena/given.h"
#include "arena/purge.h"
#include "os/os.h"

enum { SLICES = 160 };

// What the function knows of the memory: a state for each slice.
static struct {
    char *start;
    bool committed[SLICES];
    bool zero;      // what it says of memory that it commits
    size_t commits; // calls
    size_t decommits;
    size_t refuse_from; // refuses commits from the n-th on; 0: never
    bool refuse_decommit;
} memory;

static char arg_mark;

// Each call is for whole slices inside of the memory, all of them in the other state.
static bool
commit_or_not(bool commit, void *start, size_t size, bool *is_zero, void *arg)
{
    check(arg == &arg_mark);
    check((char *)start >= memory.start && size > 0);
    size_t first = (size_t)((char *)start - memory.start) / SLICE_SIZE;
    size_t count = size / SLICE_SIZE;
    check(is_aligned(start, SLICE_SIZE) && size % SLICE_SIZE == 0 && first + count <= SLICES);
    for (size_t i = first; i < first + count; i++) {
        check(memory.committed[i] != commit);
    }
    memory.commits += commit;
    memory.decommits += !commit;
    if (commit ? memory.refuse_from > 0 && memory.commits >= memory.refuse_from : memory.refuse_decommit) {
        return false;
    }
    check(mprotect(start, size, commit ? PROT_READ | PROT_WRITE : PROT_NONE) == 0);
    if (commit) {
        // What it is not said to be.
        memset(start, memory.zero ? 0 : 0xee, size);
        *is_zero = memory.zero;
    }
    for (size_t i = first; i < first + count; i++) {
        memory.committed[i] = commit;
    }
    return true;
}

static region_t *
start_with(bool committed, bool zero, bool pinned)
{
    mi__os_init();
    mi__conf.purge_delay_ms = -1;
    mi__conf.region_bytes_log2 = 26;
    check(mi__region_init());
    char *p = mmap(NULL, (SLICES + 1) * (size_t)SLICE_SIZE, committed ? PROT_READ | PROT_WRITE : PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(p != MAP_FAILED);
    memory.start = p + (-(uintptr_t)p & (SLICE_SIZE - 1));
    memory.zero = zero;
    for (size_t i = 0; i < SLICES; i++) {
        memory.committed[i] = committed;
    }
    region_t *region = mi__given_add(&(given_t){
        .start = memory.start,
        .size = SLICES * (size_t)SLICE_SIZE,
        .committed = committed,
        .zero = zero,
        .pinned = pinned,
        .exclusive = true,
        .numa_node = -1,
        .commit = commit_or_not,
        .commit_arg = &arg_mark,
    });
    check(region != NULL);
    check_equal(memory.commits + memory.decommits, 0);
    return region;
}

static region_t *
start(void)
{
    return start_with(false, true, false);
}

static slice_run_t
claim(region_t *region, size_t count)
{
    slice_run_t run;
    check(mi__slices_claim(count, SLICE_SIZE, region, &run));
    size_t first = (size_t)(run.start - memory.start) / SLICE_SIZE;
    for (size_t i = first; i < first + count; i++) {
        check(memory.committed[i]);
    }
    check(!run.zero || is_zero(run.start, count * SLICE_SIZE));
    memset(run.start, 0x5a, count * SLICE_SIZE);
    return run;
}

// ---- what it is asked for -------------------------------------------------------------------

static void
what_is_claimed_is_committed_first(void)
{
    region_t *region = start();
    slice_run_t run = claim(region, 1);
    check(run.zero && run.start == memory.start);
    check_equal(memory.commits, 1);
    run = claim(region, 8);
    check(run.zero);
    check_equal(memory.commits, 2);
    run = claim(region, 100);
    check(run.zero);
    check_equal(memory.commits, 3);
    check(mi__slices_claim_behind(run.start, 100, 4, &(bool){false}));
    check_equal(memory.commits, 4);
    memset(run.start, 1, 104 * SLICE_SIZE);
}

static void
what_was_used_stays_committed_until_it_is_purged(void)
{
    region_t *region = start();
    slice_run_t run = claim(region, 10);
    mi__slices_release(run.start, 10);
    run = claim(region, 10);
    check(!run.zero);
    check_equal(memory.commits, 1);
    mi__slices_release(run.start, 10);
    check_equal(mi__purge_poll(true), 10 * SLICE_SIZE);
    check_equal(memory.decommits, 1);
    check(!memory.committed[0] && !memory.committed[9]);
    check_equal(mi__purge_poll(true), 0);
    run = claim(region, 10);
    check(run.zero);
    check_equal(memory.commits, 2);
}

static void
only_the_rest_of_a_run_is_committed(void)
{
    region_t *region = start();
    slice_run_t run = claim(region, 20);
    mi__slices_release(run.start + 3 * SLICE_SIZE, 2);
    mi__slices_release(run.start + 10 * SLICE_SIZE, 1);
    check_equal(mi__purge_poll(true), 3 * SLICE_SIZE);
    check_equal(memory.decommits, 2);
    mi__slices_release(run.start, 3);
    mi__slices_release(run.start + 5 * SLICE_SIZE, 5);
    mi__slices_release(run.start + 11 * SLICE_SIZE, 9);
    run = claim(region, 20);
    check(run.start == memory.start && !run.zero);
    check_equal(memory.commits, 3); // all at first, then the two holes
}

static void
memory_that_is_not_zero_is_not_called_so(void)
{
    region_t *region = start_with(false, false, false);
    slice_run_t run;
    check(mi__slices_claim(3, SLICE_SIZE, region, &run));
    check(!run.zero && (unsigned char)run.start[0] == 0xee);
}

static void
committed_memory_is_not_committed_again(void)
{
    region_t *region = start_with(true, true, false);
    slice_run_t run = claim(region, 10);
    check(!run.zero);
    check_equal(memory.commits, 0);
    mi__slices_release(run.start, 10);
    // All that is free is decommitted, also what was never used.
    check_equal(mi__purge_poll(true), SLICES * (size_t)SLICE_SIZE);
    run = claim(region, 1);
    check(run.zero);
    check_equal(memory.commits, 1);
}

static void
pinned_memory_is_never_decommitted(void)
{
    region_t *region = start_with(false, true, true);
    slice_run_t run = claim(region, 10);
    check_equal(memory.commits, 1);
    mi__slices_release(run.start, 10);
    check_equal(mi__purge_poll(true), 0);
    mi__conf.purge_delay_ms = 0;
    run = claim(region, 10);
    check(!run.zero);
    mi__slices_release(run.start, 10);
    check_equal(memory.commits, 1);
    check_equal(memory.decommits, 0);
}

static void
purged_at_once_is_decommitted_at_once(void)
{
    region_t *region = start();
    mi__conf.purge_delay_ms = 0;
    for (size_t i = 1; i <= 5; i++) {
        slice_run_t run = claim(region, 70);
        check(run.zero);
        mi__slices_release(run.start, 70);
        check_equal(memory.commits, i);
        check_equal(memory.decommits, i);
    }
}

// What is in use is neither dropped nor decommitted.
static void
memory_in_use_is_not_discarded(void)
{
    region_t *region = start();
    slice_run_t run = claim(region, 10);
    check(!mi__region_discard(run.start, 10 * SLICE_SIZE));
    check(memory.committed[0] && run.start[0] == 0x5a);
    check_equal(memory.decommits, 0);
}

// ---- refusals -------------------------------------------------------------------------------

static void
a_refused_commit_is_a_failed_claim(void)
{
    region_t *region = start();
    slice_run_t run = claim(region, 5);
    memory.refuse_from = memory.commits + 1;
    slice_run_t none;
    check(!mi__slices_claim(1, SLICE_SIZE, region, &none));
    check(!mi__slices_claim(8, SLICE_SIZE, region, &none));
    check(!mi__slices_claim(100, SLICE_SIZE, region, &none));
    check(!mi__slices_claim_behind(run.start, 5, 3, &(bool){false}));
    check_equal(mi__slices_in_use(region), 5);
    // What is committed serves on.
    mi__slices_release(run.start + SLICE_SIZE, 2);
    run = claim(region, 2);
    check(run.start == memory.start + SLICE_SIZE);
    memory.refuse_from = 0;
    run = claim(region, SLICES - 5);
    check(run.zero);
    check(!mi__slices_claim(1, SLICE_SIZE, region, &none));
}

// The first hole of a run is committed, the second is not: what is committed is known to be.
static void
a_commit_refused_halfway_is_remembered(void)
{
    region_t *region = start();
    slice_run_t run = claim(region, 20);
    mi__slices_release(run.start + 3 * SLICE_SIZE, 2);
    mi__slices_release(run.start + 10 * SLICE_SIZE, 1);
    check_equal(mi__purge_poll(true), 3 * SLICE_SIZE);
    mi__slices_release(run.start, 3);
    mi__slices_release(run.start + 5 * SLICE_SIZE, 5);
    mi__slices_release(run.start + 11 * SLICE_SIZE, 9);
    memory.refuse_from = memory.commits + 2;
    slice_run_t none;
    check(!mi__slices_claim(SLICES, SLICE_SIZE, region, &none));
    check_equal(mi__slices_in_use(region), 0);
    check(memory.committed[3] && memory.committed[4] && !memory.committed[10]);
    memory.refuse_from = 0;
    size_t before = memory.commits;
    run = claim(region, 20);
    check_equal(memory.commits, before + 1);
    check(!run.zero);
}

static void
a_refused_decommit_leaves_it_committed(void)
{
    region_t *region = start();
    slice_run_t run = claim(region, 10);
    mi__slices_release(run.start, 10);
    memory.refuse_decommit = true;
    check_equal(mi__purge_poll(true), 0);
    check_equal(memory.decommits, 1);
    run = claim(region, 10);
    check(!run.zero && memory.committed[0]);
    check_equal(memory.commits, 1);
    mi__conf.purge_delay_ms = 0;
    mi__slices_release(run.start, 10);
    run = claim(region, 10);
    check_equal(memory.commits, 1);
    memory.refuse_decommit = false;
    mi__slices_release(run.start, 10);
    check(!memory.committed[0]);
}

// Claims that name no region go on to our own when the function refuses.
static void
others_are_served_elsewhere(void)
{
    (void)start();
    char *p = memory.start;
    memory.refuse_from = 1;
    // The same function, for everybody.
    char *more = mmap(NULL, 4 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memory.start = more + (-(uintptr_t)more & (SLICE_SIZE - 1));
    region_t *region = mi__given_add(&(given_t){.start = memory.start,
                                                .size = 3 * MIB,
                                                .numa_node = -1,
                                                .commit = commit_or_not,
                                                .commit_arg = &arg_mark});
    check(region != NULL && p != memory.start);
    slice_run_t run;
    check(mi__slices_claim(4, SLICE_SIZE, NULL, &run));
    check(mi__region_of(run.start) == mi__region_at(0));
    // More than is left there: a new region, since it is not the system that refuses.
    check(mi__slices_claim(mi__region_at(0)->slices, SLICE_SIZE, NULL, &run));
    check(!mi__region_of(run.start)->given);
    check_equal(mi__slices_in_use(region), 0);
}

// ---- threads --------------------------------------------------------------------------------

static region_t *shared_region;
static _Atomic(size_t) bytes_committed;

static bool
count_bytes(bool commit, void *start, size_t size, bool *is_zero, void *arg)
{
    (void)arg;
    if (commit) {
        atomic_add_relaxed(&bytes_committed, size);
        *is_zero = false;
        return mprotect(start, size, PROT_READ | PROT_WRITE) == 0;
    }
    atomic_sub_relaxed(&bytes_committed, size);
    return mprotect(start, size, PROT_NONE) == 0;
}

static void *
claim_and_release(void *arg)
{
    uint64_t random = *(const size_t *)arg;
    for (int i = 0; i < 3000; i++) {
        slice_run_t run;
        size_t count = 1 + random_next(&random) % 12;
        if (mi__slices_claim(count, SLICE_SIZE, shared_region, &run)) {
            for (size_t k = 0; k < count; k++) {
                run.start[k * SLICE_SIZE] = (char)i; // a fault, when it is not committed
            }
            mi__slices_release(run.start, count);
        }
        if (i % 16 == 0) {
            (void)mi__purge_poll(true);
        }
    }
    return NULL;
}

static void
threads_find_memory_committed(void)
{
    (void)start();
    char *p = mmap(NULL, 9 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    shared_region = mi__given_add(
        &(given_t){.start = p, .size = 9 * MIB, .exclusive = true, .numa_node = -1, .commit = count_bytes});
    check(shared_region != NULL);
    size_t seeds[4] = {1, 2, 3, 4};
    run_threads(4, claim_and_release, seeds, sizeof seeds[0]);
    check_equal(mi__slices_in_use(shared_region), 0);
    (void)mi__purge_poll(true);
    check_equal(atomic_get_relaxed(&bytes_committed), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(what_is_claimed_is_committed_first),
        fresh_test(what_was_used_stays_committed_until_it_is_purged),
        fresh_test(only_the_rest_of_a_run_is_committed),
        fresh_test(memory_that_is_not_zero_is_not_called_so),
        fresh_test(committed_memory_is_not_committed_again),
        fresh_test(pinned_memory_is_never_decommitted),
        fresh_test(purged_at_once_is_decommitted_at_once),
        fresh_test(memory_in_use_is_not_discarded),
        fresh_test(a_refused_commit_is_a_failed_claim),
        fresh_test(a_commit_refused_halfway_is_remembered),
        fresh_test(a_refused_decommit_leaves_it_committed),
        fresh_test(others_are_served_elsewhere),
        fresh_test(threads_find_memory_committed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
