// SPDX-License-Identifier: MIT
// test_spin.c — heap/spin.h: one holder at a time, and what becomes of a lock in the child of a fork.
#include "fresh.h"

#include "heap/spin.h"

enum { THREADS = 4, ROUNDS = 20000 };

static spin_t lock;
static size_t counted; // [lock]

static void *
count(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        spin_lock(&lock);
        counted++;
        spin_unlock(&lock);
    }
    return NULL;
}

static void
one_holder_at_a_time(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        check(pthread_create(&threads[i], NULL, count, NULL) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        check(pthread_join(threads[i], NULL) == 0);
    }
    check_equal(counted, THREADS * ROUNDS);
    check(!spin_renew(&lock));
}

static void *
hold(void *go_on)
{
    spin_lock(&lock);
    atomic_store((atomic_bool *)go_on, true);
    for (;;) {
        pause();
    }
    return NULL;
}

static void
of_a_thread_that_is_gone_it_is_free(void)
{
    atomic_bool held = false;
    pthread_t thread;
    check(pthread_create(&thread, NULL, hold, &held) == 0);
    while (!atomic_load(&held)) {
        usleep(100);
    }
    pid_t child = fork();
    check(child >= 0);
    if (child == 0) {
        check(spin_renew(&lock));
        check(!spin_renew(&lock));
        spin_lock(&lock);
        _exit(0);
    }
    int status;
    check(waitpid(child, &status, 0) == child && status == 0);
}

// A signal handler forks; what it has interrupted goes on with what the lock guards, there and here.
static pid_t forked;

static void
fork_and_renew(int signal)
{
    (void)signal;
    forked = fork();
    if (forked == 0) {
        check(!spin_renew(&lock));
    }
}

static void
of_the_thread_that_forks_it_stays_taken(void)
{
    check(signal(SIGUSR1, fork_and_renew) != SIG_ERR);
    spin_lock(&lock);
    check(raise(SIGUSR1) == 0);
    check(forked >= 0 && atomic_get_relaxed(&lock.holder) == mi__os_thread_self());
    spin_unlock(&lock);
    check(!spin_renew(&lock));
    if (forked == 0) {
        _exit(0);
    }
    int status;
    check(waitpid(forked, &status, 0) == forked && status == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(one_holder_at_a_time),
        fresh_test(of_a_thread_that_is_gone_it_is_free),
        fresh_test(of_the_thread_that_forks_it_stays_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
