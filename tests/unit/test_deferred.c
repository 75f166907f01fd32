// SPDX-License-Identifier: MIT
// test_deferred.c — front/deferred.c: who is called, with what, and never from within itself.
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "front/deferred.h"
#include "unit.h"

static unsigned calls;
static bool last_force;
static unsigned long long last_beat;
static void *last_arg;

static void
record(bool force, unsigned long long heartbeat, void *arg)
{
    calls++;
    last_force = force;
    last_beat = heartbeat;
    last_arg = arg;
    // What it causes does not call it again.
    mi__deferred_call(true);
}

static int
nothing_set(void **state)
{
    (void)state;
    mi__deferred_set(NULL, NULL);
    calls = 0;
    return 0;
}

static void
without_a_function_nothing_happens(void **state)
{
    (void)state;
    mi__deferred_call(false);
    mi__deferred_call(true);
    assert_int_equal(calls, 0);
}

static void
the_function_gets_its_argument_and_a_beat_that_grows(void **state)
{
    (void)state;
    mi__deferred_set(record, &calls);
    mi__deferred_call(false);
    assert_int_equal(calls, 1);
    assert_false(last_force);
    assert_ptr_equal(last_arg, &calls);
    unsigned long long beat = last_beat;
    for (unsigned i = 1; i <= 100; i++) {
        mi__deferred_call(i % 2 == 0);
        assert_int_equal(calls, 1 + i);
        assert_int_equal(last_force, i % 2 == 0);
        assert_int_equal(last_beat, beat + i);
    }
}

static void
the_last_one_that_was_set_is_called(void **state)
{
    (void)state;
    mi__deferred_set(record, &calls);
    mi__deferred_set(record, &last_beat);
    mi__deferred_call(false);
    assert_ptr_equal(last_arg, &last_beat);
    mi__deferred_set(NULL, NULL);
    mi__deferred_call(false);
    assert_int_equal(calls, 1);
}

// ---- threads

static _Atomic(bool) stop;
static _Atomic(unsigned long) mixed_up;
static _Atomic(unsigned long) called;
static char arguments[2];

static void
expect_first(bool force, unsigned long long heartbeat, void *arg)
{
    (void)force;
    (void)heartbeat;
    atomic_fetch_add(&called, 1);
    atomic_fetch_add(&mixed_up, arg != &arguments[0]);
}

static void
expect_second(bool force, unsigned long long heartbeat, void *arg)
{
    (void)force;
    (void)heartbeat;
    atomic_fetch_add(&called, 1);
    atomic_fetch_add(&mixed_up, arg != &arguments[1]);
}

static void *
call_all_the_time(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        mi__deferred_call(false);
    }
    return NULL;
}

// E1: a function never gets the argument of another.
static void
functions_and_arguments_stay_together(void **state)
{
    (void)state;
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, call_all_the_time, NULL), 0);
    }
    for (int i = 0; i < 200000 || atomic_load(&called) < 1000; i++) {
        mi__deferred_set(i % 2 == 0 ? expect_first : expect_second, &arguments[i % 2]);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&mixed_up), 0);
    assert_true(atomic_load(&called) >= 1000);
}

// One thread inside of the function does not keep others from it.
static void
enter(bool force, unsigned long long heartbeat, void *arg)
{
    (void)force;
    (void)heartbeat;
    pthread_barrier_wait(arg);
}

static void *
call_once(void *arg)
{
    (void)arg;
    mi__deferred_call(false);
    return NULL;
}

static void
two_threads_may_be_in_it_at_once(void **state)
{
    (void)state;
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, 2);
    mi__deferred_set(enter, &barrier);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, call_once, NULL), 0);
    mi__deferred_call(false);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_a_function_nothing_happens, nothing_set),
        cmocka_unit_test_setup(the_function_gets_its_argument_and_a_beat_that_grows, nothing_set),
        cmocka_unit_test_setup(the_last_one_that_was_set_is_called, nothing_set),
        cmocka_unit_test_setup(functions_and_arguments_stay_together, nothing_set),
        cmocka_unit_test_setup(two_threads_may_be_in_it_at_once, nothing_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
