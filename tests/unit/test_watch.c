// SPDX-License-Identifier: MIT
// test_watch.c — arena/watch.c with a system of the test's own making that is short of memory when it is
// told to: who hears of it, what follows, and when cold pages are looked at.
#include "fresh.h"

#include "arena/purge.h"
#include "arena/watch.h"
#include "os/os.h"

#include <stdatomic.h>

// ---- the system -----------------------------------------------------------------------------

enum { FAKE_FD = 4321 };

static atomic_bool has_triggers = true;
static atomic_bool gone;
static atomic_bool pressed;
static atomic_int opens;
static atomic_int closes;
static atomic_int waits;

int
mi__os_pressure_open(void)
{
    atomic_fetch_add(&opens, 1);
    return atomic_load(&has_triggers) ? FAKE_FD : -1;
}

bool
mi__os_pressure_wait(int *fd, int64_t ms)
{
    check_equal(*fd, FAKE_FD);
    atomic_fetch_add(&waits, 1);
    for (int64_t waited = 0; waited < ms; waited++) {
        if (atomic_exchange(&pressed, false)) {
            return true;
        }
        usleep(1000);
    }
    *fd = atomic_load(&gone) ? -1 : *fd;
    return false;
}

void
mi__os_pressure_close(int fd)
{
    check_equal(fd, FAKE_FD);
    atomic_fetch_add(&closes, 1);
}

// ---- what is done ---------------------------------------------------------------------------

static atomic_int trims_all;
static atomic_int trims_cold;

static void
count_trim(bool all)
{
    atomic_fetch_add(all ? &trims_all : &trims_cold, 1);
}

static void
start(void)
{
    mi__os_init();
    mi__conf.region_bytes_log2 = 28;
    mi__conf.purge_delay_ms = 40;
    mi__hooks.trim_pages = count_trim;
    check(mi__region_init());
}

static slice_run_t
claim(size_t count)
{
    slice_run_t run;
    check(mi__slices_claim(count, SLICE_SIZE, NULL, &run));
    memset(run.start, 1, count << SLICE_SHIFT);
    return run;
}

static bool
comes_true(atomic_int *what, int at_least)
{
    for (int i = 0; i < 20000 && atomic_load(what) < at_least; i++) {
        usleep(1000);
    }
    return atomic_load(what) >= at_least;
}

// ---- tests ----------------------------------------------------------------------------------

static void
nothing_is_watched_unless_asked_for(void)
{
    start();
    check(!mi__watch_is_on());
    for (int i = 0; i < 50; i++) {
        mi__watch_poll();
        mi__watch_wait(1);
    }
    check_equal(opens + waits + trims_all + trims_cold, 0);
    check(!atomic_get_relaxed(&mi__purge_wanted));
}

static void
pressure_gives_everything_back(void)
{
    start();
    mi__conf.memory_pressure = true;
    mi__conf.purge_delay_ms = -1; // nothing goes back without pressure
    mi__conf.purge_thread = PURGE_THREAD_ALWAYS;
    slice_run_t run = claim(30);
    mi__slices_release(run.start, 30);
    mi__watch_poll();
    check(mi__purge_tend());
    check(comes_true(&waits, 2));
    check_equal(mi__purge_total() + trims_all, 0);
    pressed = true;
    check(comes_true(&trims_all, 1));
    for (int i = 0; i < 20000 && mi__purge_total() == 0; i++) {
        usleep(1000);
    }
    check_equal(mi__purge_total(), 30 * SLICE_SIZE);
    pressed = true;
    check(comes_true(&trims_all, 2));
    check_equal(opens, 1);
    check_equal(trims_cold, 0);
}

static void
a_listener_still_purges_in_time(void)
{
    start();
    mi__conf.memory_pressure = true;
    mi__conf.purge_thread = PURGE_THREAD_ALWAYS;
    mi__watch_poll();
    check(mi__purge_tend());
    check(comes_true(&waits, 2));
    // The helper is amid a wait when the deadline is set.
    slice_run_t run = claim(30);
    mi__slices_release(run.start, 30);
    for (int i = 0; i < 20000 && mi__purge_total() < 30 * SLICE_SIZE; i++) {
        usleep(1000);
    }
    check_equal(mi__purge_total(), 30 * SLICE_SIZE);
    check_equal(trims_all, 0);
}

static void
it_ends_when_the_option_is_off_again(void)
{
    start();
    mi__conf.memory_pressure = true;
    mi__conf.purge_thread = PURGE_THREAD_ALWAYS;
    mi__watch_poll();
    check(mi__purge_tend());
    check(comes_true(&waits, 1));
    __atomic_store_n(&mi__conf.memory_pressure, false, __ATOMIC_RELAXED);
    check(comes_true(&closes, 1));
    check_equal(closes, 1);
}

static void
without_triggers_it_only_sleeps(void)
{
    start();
    mi__conf.memory_pressure = true;
    has_triggers = false;
    for (int i = 0; i < 20; i++) {
        mi__watch_wait(1);
    }
    check_equal(opens, 1);
    check_equal(waits, 0);
    mi__watch_end();
    check_equal(closes, 0);
}

static void
a_descriptor_that_is_gone_is_not_used(void)
{
    start();
    mi__conf.memory_pressure = true;
    gone = true;
    for (int i = 0; i < 20; i++) {
        mi__watch_wait(1);
    }
    check_equal(waits, 1);
    mi__watch_end();
    check_equal(closes, 0);
}

static void
a_child_listens_for_itself(void)
{
    start();
    mi__conf.memory_pressure = true;
    mi__watch_wait(1);
    check_equal(opens, 1);
    mi__purge_after_fork();
    check_equal(closes, 1);
    check(atomic_get_relaxed(&mi__purge_wanted));
    mi__watch_wait(1);
    check_equal(opens, 1); // not again at once
}

static void
cold_pages_are_looked_at_in_time(void)
{
    start();
    mi__conf.trim_delay_ms = 50;
    int64_t begin_ms = mi__os_clock_ms();
    while (trims_cold < 5) {
        mi__watch_poll();
        usleep(500);
    }
    // The first at once, each other one delay later.
    int64_t took_ms = mi__os_clock_ms() - begin_ms;
    check(took_ms >= 4 * 50 - 20);
    check_equal(trims_all, 0);
    check(atomic_get_relaxed(&mi__purge_wanted));
}

static void
the_helper_looks_too(void)
{
    start();
    mi__conf.trim_delay_ms = 20;
    mi__conf.purge_thread = PURGE_THREAD_ALWAYS;
    mi__purge_want_helper();
    check(mi__purge_tend());
    check(comes_true(&trims_cold, 3));
    check_equal(opens, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(nothing_is_watched_unless_asked_for),
        fresh_test(pressure_gives_everything_back),
        fresh_test(a_listener_still_purges_in_time),
        fresh_test(it_ends_when_the_option_is_off_again),
        fresh_test(without_triggers_it_only_sleeps),
        fresh_test(a_descriptor_that_is_gone_is_not_used),
        fresh_test(a_child_listens_for_itself),
        fresh_test(cold_pages_are_looked_at_in_time),
        fresh_test(the_helper_looks_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
