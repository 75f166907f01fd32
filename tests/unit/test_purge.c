// SPDX-License-Identifier: MIT
// test_purge.c — arena/purge.c: at once, after a delay, or never; and what is used again meanwhile
// stays.
#include "fresh.h"

#include "arena/purge.h"
#include "arena/slices.h"
#include "os/os.h"

#include <sys/stat.h>

static void
start(long delay_ms)
{
    mi__os_init();
    mi__conf.purge_delay_ms = delay_ms;
    mi__conf.region_bytes_log2 = 28;
    check(mi__region_init());
}

static slice_run_t
claim(size_t count)
{
    slice_run_t run;
    check(mi__slices_claim(count, SLICE_SIZE, NULL, &run));
    check(!run.zero || is_zero(run.start, count << SLICE_SHIFT));
    memset(run.start, 1, count << SLICE_SHIFT);
    return run;
}

// Polls until `bytes` have been purged in all; false when that takes absurdly long.
static bool
poll_until(uint64_t bytes)
{
    int64_t give_up = mi__os_clock_ms() + 60 * 1000;
    while (mi__purge_total() < bytes) {
        (void)mi__purge_poll(false);
        if (mi__os_clock_ms() > give_up) {
            return false;
        }
        usleep(1000);
    }
    return true;
}

// ---- at once --------------------------------------------------------------------------------

static void
delay_zero_purges_as_it_releases(void)
{
    start(0);
    check(mi__purge_at_once());
    slice_run_t run = claim(160);
    size_t resident = resident_bytes();
    mi__slices_release(run.start, 160);
    check_equal(mi__purge_total(), 160 * SLICE_SIZE);
    check_resident_at_most(resident - 9 * MIB);
    check_equal(dirty_bytes(), 0);
    check_equal(mi__purge_poll(true), 0);
    slice_run_t again;
    check(mi__slices_claim(160, SLICE_SIZE, NULL, &again));
    check(again.zero && again.start == run.start && is_zero(run.start, 160 * SLICE_SIZE));
}

static void
delay_zero_purges_parts_and_long_runs(void)
{
    start(0);
    slice_run_t run = claim(300);
    mi__slices_release(run.start + 290 * SLICE_SIZE, 10);
    check_equal(mi__purge_total(), 10 * SLICE_SIZE);
    check_equal(run.start[290 * SLICE_SIZE - 1], 1);
    mi__slices_release(run.start, 290);
    check_equal(mi__purge_total(), 300 * SLICE_SIZE);
    check_equal(dirty_bytes(), 0);
}

// ---- never ----------------------------------------------------------------------------------

static void
delay_minus_one_waits_for_force(void)
{
    start(-1);
    check(!mi__purge_at_once());
    slice_run_t run = claim(5);
    mi__slices_release(run.start, 5);
    for (int i = 0; i < 100; i++) {
        mi__purge_schedule();
        check_equal(mi__purge_poll(false), 0);
        usleep(1000);
    }
    check_equal(dirty_bytes(), 5 * SLICE_SIZE);
    check_equal(mi__purge_poll(true), 5 * SLICE_SIZE);
    check_equal(mi__purge_total(), 5 * SLICE_SIZE);
    check_equal(mi__purge_poll(true), 0);
}

// ---- after a delay --------------------------------------------------------------------------

static void
nothing_happens_without_a_release(void)
{
    start(1);
    (void)claim(5);
    for (int i = 0; i < 50; i++) {
        check_equal(mi__purge_poll(false), 0);
        usleep(1000);
    }
    check_equal(mi__purge_poll(true), 0);
    check_equal(mi__purge_total(), 0);
}

static void
free_slices_go_after_a_delay(void)
{
    start(50);
    slice_run_t run = claim(10);
    int64_t released_ms = mi__os_clock_ms();
    mi__slices_release(run.start, 10);
    check(poll_until(10 * SLICE_SIZE));
    check(mi__os_clock_ms() - released_ms >= 50);
    check_equal(mi__purge_total(), 10 * SLICE_SIZE);
    check_equal(dirty_bytes(), 0);
    check(is_zero(run.start, 10 * SLICE_SIZE));
}

// U1: the release set a deadline and no other call is needed, also for what the first purge only
// marked.
static void
a_deadline_stands_while_something_is_left(void)
{
    start(5);
    for (int round = 1; round <= 5; round++) {
        slice_run_t run = claim(3);
        mi__slices_release(run.start, 3);
        check(poll_until((uint64_t)round * 3 * SLICE_SIZE));
        check_equal(dirty_bytes(), 0);
    }
}

static void
later_releases_are_purged_too(void)
{
    start(10);
    slice_run_t first = claim(3);
    slice_run_t second = claim(4);
    mi__slices_release(first.start, 3);
    usleep(15 * 1000);
    (void)mi__purge_poll(false);
    mi__slices_release(second.start, 4);
    check(poll_until(7 * SLICE_SIZE));
    check_equal(dirty_bytes(), 0);
}

// Each poll may find the deadline passed, but the slice was in use since the poll before.
static void
what_goes_in_and_out_of_use_stays(void)
{
    start(2);
    for (int i = 0; i < 100; i++) {
        slice_run_t run = claim(3);
        mi__slices_release(run.start, 3);
        usleep(1000);
        check_equal(mi__purge_poll(false), 0);
    }
    check_equal(mi__purge_total(), 0);
    check(poll_until(3 * SLICE_SIZE));
}

// A quarter at each tick, from above.
static void
memory_decays(void)
{
    start(80);
    slice_run_t run = claim(160);
    mi__slices_release(run.start, 160);
    uint64_t before = 0;
    for (unsigned part = 1; part <= 4; part++) {
        check(poll_until(before + 1));
        check_equal(mi__purge_total() - before, 40 * SLICE_SIZE);
        before = mi__purge_total();
        check(is_zero(run.start + (160 - 40 * part) * SLICE_SIZE, SLICE_SIZE));
        check(part == 4 || run.start[(160 - 40 * part) * SLICE_SIZE - 1] == 1);
    }
    check_equal(dirty_bytes(), 0);
}

// ---- by size --------------------------------------------------------------------------------

static void
what_is_too_much_goes_at_once(void)
{
    start(1000 * 1000);
    slice_run_t run = claim(2000);
    size_t resident = resident_bytes();
    for (size_t i = 0; i < 2000; i++) {
        mi__slices_release(run.start + i * SLICE_SIZE, 1);
        size_t used = (1999 - i) * SLICE_SIZE;
        check_at_most(dirty_bytes(), 32 * MIB + used / 4);
    }
    check_resident_at_most(resident - 85 * MIB);
    check(mi__purge_total() >= 85 * MIB);
    check_equal(mi__slices_held().used_bytes, 0);
    check_equal(mi__slices_held().free_bytes, dirty_bytes());
}

// Without a helper, too: what goes by size and is needed again at once stays, up to what is in use.
static void
what_is_needed_again_stays_beside_what_is_in_use(void)
{
    start(1000 * 1000);
    enum { KEPT = 64 * 16, WAVE = 96 * 16 }; // slices
    slice_run_t kept = claim(KEPT);
    uint64_t before;
    int waves = 0;
    do {
        slice_run_t wave = claim(WAVE);
        before = mi__purge_total();
        mi__slices_release(wave.start, WAVE);
        check(waves > 0 || mi__purge_total() - before >= 48 * MIB);
    } while (mi__purge_total() != before && ++waves < 100);
    check(waves > 0 && waves < 100);
    check_equal(mi__slices_held().free_bytes, WAVE * SLICE_SIZE);
    mi__slices_release(kept.start, KEPT);
    check(mi__slices_held().free_bytes <= 32 * MIB);
}

static void
never_means_never(void)
{
    start(-1);
    slice_run_t run = claim(1000);
    mi__slices_release(run.start, 1000);
    check_equal(mi__purge_total(), 0);
    check_equal(mi__slices_held().free_bytes, 1000 * SLICE_SIZE);
    check_equal(mi__slices_held().refilled_bytes, 1000 * SLICE_SIZE);
}

// ---- the helper thread ----------------------------------------------------------------------

static size_t
threads_now(void)
{
    struct stat tasks;
    check(stat("/proc/self/task", &tasks) == 0);
    return tasks.st_nlink - 2;
}

static bool
wait_for_threads(size_t count)
{
    for (int i = 0; i < 20000 && threads_now() != count; i++) {
        usleep(1000);
    }
    return threads_now() == count;
}

static void
release_some_and_wait(void)
{
    uint64_t before = mi__purge_total();
    slice_run_t run = claim(100);
    mi__slices_release(run.start, 100);
    check(mi__purge_tend());
    check_equal(threads_now(), 2);
    // Nobody polls.
    for (int i = 0; i < 20000 && mi__purge_total() < before + 100 * SLICE_SIZE; i++) {
        usleep(1000);
    }
    check_equal(mi__purge_total(), before + 100 * SLICE_SIZE);
    check(wait_for_threads(1));
}

static void
a_helper_purges_and_goes(void)
{
    start(20);
    mi__conf.purge_thread = PURGE_THREAD_ALWAYS;
    check(!mi__purge_tend());
    release_some_and_wait();
    release_some_and_wait();
    // In a child there is none until it is needed.
    slice_run_t run = claim(100);
    mi__slices_release(run.start, 100);
    pid_t child = fork();
    if (child == 0) {
        mi__purge_after_fork();
        check_equal(threads_now(), 1);
        check(poll_until(300 * SLICE_SIZE));
        release_some_and_wait();
        _exit(0);
    }
    int status = 1;
    check(waitpid(child, &status, 0) == child);
    check_equal(status, 0);
}

// Who holds much has a helper before it is freed: it sleeps, a release wakes it, and with the last of the
// memory it goes.
static void
a_helper_rests_while_much_is_held(void)
{
    start(20);
    mi__conf.purge_thread = PURGE_THREAD_ALWAYS;
    slice_run_t few = claim(10);
    mi__purge_want_helper();
    check(!mi__purge_tend());
    slice_run_t many = claim(100);
    mi__purge_want_helper();
    check(mi__purge_tend());
    check_equal(threads_now(), 2);
    usleep(100 * 1000);
    check_equal(threads_now(), 2);
    // No call but the release.
    uint64_t before = mi__purge_total();
    mi__slices_release(few.start, 10);
    for (int i = 0; i < 20000 && mi__purge_total() < before + 10 * SLICE_SIZE; i++) {
        usleep(1000);
    }
    check_equal(mi__purge_total(), before + 10 * SLICE_SIZE);
    check_equal(threads_now(), 2);
    mi__slices_release(many.start, 100);
    check(wait_for_threads(1));
    check_equal(mi__purge_total(), before + 110 * SLICE_SIZE);
    // And it goes after a while though nothing is released.
    many = claim(100);
    mi__purge_want_helper();
    check(mi__purge_tend());
    check_equal(threads_now(), 2);
    check(wait_for_threads(1));
    mi__slices_release(many.start, 100);
}

static void
a_process_with_one_thread_gets_no_other(void)
{
    start(20);
    for (int mode = PURGE_THREAD_AUTO; mode <= PURGE_THREAD_NEVER; mode++) {
        mi__conf.purge_thread = mode;
        slice_run_t run = claim(10);
        mi__slices_release(run.start, 10);
        check(mi__purge_tend());
        check_equal(threads_now(), 1);
        check(poll_until((uint64_t)(mode + 1) * 10 * SLICE_SIZE));
    }
}

static void
force_does_not_wait(void)
{
    start(1000 * 1000);
    slice_run_t run = claim(6);
    mi__slices_release(run.start, 6);
    check_equal(mi__purge_poll(false), 0);
    check_equal(mi__purge_poll(true), 6 * SLICE_SIZE);
    check_equal(mi__purge_poll(true), 0);
}

static void
the_count_is_a_sum(void)
{
    start(-1);
    mi__purge_count(100);
    mi__purge_count((size_t)1 << 40);
    check_equal(mi__purge_total(), ((uint64_t)1 << 40) + 100);
}

static void
another_delay_counts_from_now_on(void)
{
    start(1000 * 1000);
    slice_run_t run = claim(6);
    mi__slices_release(run.start, 6);
    mi__conf.purge_delay_ms = 20;
    mi__purge_delay_changed();
    check_equal(mi__purge_poll(false), 0);
    check(poll_until(6 * SLICE_SIZE));
    // Never: what is free stays, and gets a deadline when there is a delay again.
    run = claim(6);
    mi__conf.purge_delay_ms = -1;
    mi__purge_delay_changed();
    mi__slices_release(run.start, 6);
    usleep(30 * 1000);
    check_equal(mi__purge_poll(false), 0);
    mi__conf.purge_delay_ms = 1;
    mi__purge_delay_changed();
    check(poll_until(12 * SLICE_SIZE));
    // At once.
    mi__conf.purge_delay_ms = 1000 * 1000;
    run = claim(6);
    mi__slices_release(run.start, 6);
    mi__conf.purge_delay_ms = 0;
    mi__purge_delay_changed();
    check_equal(mi__purge_total(), 18 * SLICE_SIZE);
    check_equal(dirty_bytes(), 0);
}

static void
errno_is_kept(void)
{
    start(1);
    slice_run_t run = claim(6);
    errno = ERRNO_MARK;
    mi__slices_release(run.start, 6);
    (void)mi__purge_poll(true);
    mi__conf.purge_delay_ms = 0;
    check(mi__slices_claim(6, SLICE_SIZE, NULL, &run));
    mi__slices_release(run.start, 6);
    check_equal(errno, ERRNO_MARK);
}

// ---- threads and fork -----------------------------------------------------------------------

static _Atomic(uint64_t) returned;

static void *
release_and_poll(void *arg)
{
    uint64_t random = *(uint64_t *)arg;
    for (int i = 0; i < (SANITIZED ? 500 : 5000); i++) {
        size_t count = 1 + random_next(&random) % 70;
        slice_run_t run;
        check(mi__slices_claim(count, SLICE_SIZE, NULL, &run));
        for (size_t k = 0; k < count; k++) {
            char *slice = run.start + k * SLICE_SIZE;
            check(!run.zero || *slice == 0);
            *slice = 1;
        }
        mi__slices_release(run.start, count);
        atomic_fetch_add(&returned, mi__purge_poll(i % 3 == 0));
    }
    return NULL;
}

static void
threads_poll_at_once(void)
{
    start(1);
    uint64_t seeds[] = {1, 2, 3, 4};
    run_threads(4, release_and_poll, seeds, sizeof seeds[0]);
    atomic_fetch_add(&returned, mi__purge_poll(true));
    check_equal(dirty_bytes(), 0);
    check_equal(mi__purge_total(), atomic_load(&returned));
}

static _Atomic(bool) stop;

static void *
purge_all_the_time(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        slice_run_t run;
        check(mi__slices_claim(8, SLICE_SIZE, NULL, &run));
        *run.start = 1;
        mi__slices_release(run.start, 8);
        (void)mi__purge_poll(true);
    }
    return NULL;
}

static void
purge_in_forked_child(void)
{
    mi__purge_after_fork();
    slice_run_t run;
    check(mi__slices_claim(2, SLICE_SIZE, NULL, &run));
    *run.start = 1;
    mi__slices_release(run.start, 2);
    check(mi__purge_poll(true) >= 2 * SLICE_SIZE);
}

static void
a_child_purges_though_its_parent_was_at_it(void)
{
    start(1);
    pthread_t thread;
    check(pthread_create(&thread, NULL, purge_all_the_time, NULL) == 0);
    for (int i = 0; i < 50; i++) {
        check_equal(status_of_child(purge_in_forked_child), 0);
    }
    atomic_store(&stop, true);
    check(pthread_join(thread, NULL) == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(delay_zero_purges_as_it_releases),
        fresh_test(delay_zero_purges_parts_and_long_runs),
        fresh_test(delay_minus_one_waits_for_force),
        fresh_test(nothing_happens_without_a_release),
        fresh_test(free_slices_go_after_a_delay),
        fresh_test(a_deadline_stands_while_something_is_left),
        fresh_test(later_releases_are_purged_too),
        fresh_test(what_goes_in_and_out_of_use_stays),
        fresh_test(memory_decays),
        fresh_test(what_is_too_much_goes_at_once),
        fresh_test(what_is_needed_again_stays_beside_what_is_in_use),
        fresh_test(never_means_never),
        fresh_test(a_helper_purges_and_goes),
        fresh_test(a_helper_rests_while_much_is_held),
        fresh_test(a_process_with_one_thread_gets_no_other),
        fresh_test(force_does_not_wait),
        fresh_test(the_count_is_a_sum),
        fresh_test(another_delay_counts_from_now_on),
        fresh_test(errno_is_kept),
        fresh_test(threads_poll_at_once),
        fresh_test(a_child_purges_though_its_parent_was_at_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
