// SPDX-License-Identifier: MIT
// test_hook.c — front/hook.c: what was set last is what one gets, and always both parts of it.
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "front/hook.h"
#include "unit.h"

static hook_t hook;
static char arguments[4];

static void
first(void)
{
}

static void
second(void)
{
}

static int
cleared(void **state)
{
    (void)state;
    hook = (hook_t){0};
    return 0;
}

static void
there_is_none_at_first(void **state)
{
    (void)state;
    void *arg;
    assert_null(mi__hook_get(&hook, &arg));
}

static void
the_last_one_counts(void **state)
{
    (void)state;
    void *arg;
    mi__hook_set(&hook, first, &arguments[0]);
    assert_ptr_equal(mi__hook_get(&hook, &arg), first);
    assert_ptr_equal(arg, &arguments[0]);
    mi__hook_set(&hook, first, &arguments[1]);
    assert_ptr_equal(mi__hook_get(&hook, &arg), first);
    assert_ptr_equal(arg, &arguments[1]);
    mi__hook_set(&hook, second, NULL);
    assert_ptr_equal(mi__hook_get(&hook, &arg), second);
    assert_null(arg);
    mi__hook_set(&hook, NULL, &arguments[2]);
    assert_null(mi__hook_get(&hook, &arg));
}

// ---- threads

static _Atomic(bool) stop;
static _Atomic(unsigned long) mixed_up;
static _Atomic(unsigned long) got;

static void *
read_all_the_time(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        void *argument;
        hook_fun_t *function = mi__hook_get(&hook, &argument);
        bool is_first = argument == &arguments[0] || argument == &arguments[2];
        atomic_fetch_add(&mixed_up, function != NULL && function != (is_first ? first : second));
        atomic_fetch_add(&got, function != NULL);
    }
    return NULL;
}

static void *
set_all_the_time(void *arg)
{
    for (unsigned i = 0; !atomic_load(&stop); i++) {
        unsigned which = (i + (unsigned)(uintptr_t)arg) % 4;
        mi__hook_set(&hook, which % 2 == 0 ? first : second, &arguments[which]);
    }
    return NULL;
}

static void
functions_and_arguments_stay_together(void **state)
{
    (void)state;
    pthread_t threads[4];
    mi__hook_set(&hook, first, &arguments[0]);
    for (uintptr_t i = 0; i < 4; i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, i < 2 ? read_all_the_time : set_all_the_time, (void *)i), 0);
    }
    while (atomic_load(&got) < 100000) {
        usleep(1000);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&mixed_up), 0);
}

// ---- fork

// Who was changing it is not there in the child: neither reading nor setting waits for ever.
static void
a_change_that_nobody_ends_is_got_over(void **state)
{
    (void)state;
    mi__hook_set(&hook, first, &arguments[0]);
    atomic_fetch_add(&hook.version, 1);
    pid_t child = fork();
    if (child == 0) {
        void *arg;
        bool none = mi__hook_get(&hook, &arg) == NULL;
        mi__hook_set(&hook, second, &arguments[1]);
        _exit(none && mi__hook_get(&hook, &arg) == second && arg == &arguments[1] ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(there_is_none_at_first, cleared),
        cmocka_unit_test_setup(the_last_one_counts, cleared),
        cmocka_unit_test_setup(functions_and_arguments_stay_together, cleared),
        cmocka_unit_test_setup(a_change_that_nobody_ends_is_got_over, cleared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
