// SPDX-License-Identifier: MIT
// profile.c — the profile goes on and off and is written while threads allocate, load and unload libraries,
// throw and catch, fork, also from signal handlers that interrupt them, and run off their stacks.
//
// args: 8 10
// long: 8 600
// timeout: 900
//   profile [threads [seconds]]
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <dlfcn.h>
#include <errno.h>
#include <mimalloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#ifdef STRESS_MI
#include <mimalloc-override.h>
// Sanitizers do not survive forks and stacks of the program's own.
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

enum { THREADS_MAX = 64, SLOTS = 400, COROUTINE_STACK = 64 * 1024, RATE = 2048 };

static atomic_bool ending;
static atomic_ulong sampled;
static atomic_ulong gone;
static atomic_ulong thrown;
static atomic_ulong handled;
static _Atomic(pthread_t) victim;
static atomic_bool lost_children;

static void
fail(const char *what)
{
    fprintf(stderr, "profile: %s (errno %d)\n", what, errno);
    abort();
}

static unsigned
next_random(unsigned *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static void
on_sample(bool freed, void *p, size_t size, size_t weight_bytes, void *arg)
{
    if (p == NULL || weight_bytes < size || arg != &sampled) {
        fail("a sample that is none");
    }
    atomic_fetch_add(freed ? &gone : &sampled, 1);
    free(malloc(size % 3000)); // allowed, and not sampled
}

// Amid malloc or free, which it may not call: it would take the block that is being taken, or wait for a
// lock that the interrupted call holds. But it may fork.
static void
on_signal(int signal)
{
    static atomic_uint signals;
    (void)signal;
    if (SANITIZED || atomic_fetch_add(&signals, 1) % 8 != 0) {
        return;
    }
    int saved = errno;
    atomic_fetch_add(&handled, 1);
    pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    int status = 1;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0) {
        atomic_store(&lost_children, true);
    }
    errno = saved;
}

// profile_throw.cc; not there where there is no C++.
__attribute__((weak)) extern bool throw_and_catch(int depth, void (*work)(void *), void *arg);

__attribute__((noinline)) static void
churn(void **slots, unsigned *random, int depth)
{
    if (depth > 0) {
        churn(slots, random, depth - 1);
        __asm__ volatile("");
        return;
    }
    for (int i = 0; i < 300; i++) {
        void **slot = &slots[next_random(random) % SLOTS];
        size_t size = next_random(random) % (i % 50 == 0 ? 200000 : 2000);
        if (i % 7 == 0) {
            *slot = realloc(*slot, size + 1);
        } else {
            free(*slot);
            *slot = malloc(size);
        }
    }
}

static ucontext_t home_of[THREADS_MAX];
static void **slots_of[THREADS_MAX];

static void
in_coroutine(int thread)
{
    unsigned random = (unsigned)thread;
    churn(slots_of[thread], &random, 3);
}

static void
churn_below(void *thread)
{
    in_coroutine(*(const int *)thread);
}

static void
run_coroutine(int thread)
{
    void *stack = malloc(COROUTINE_STACK);
    ucontext_t there;
    getcontext(&there);
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = COROUTINE_STACK;
    there.uc_link = &home_of[thread];
    makecontext(&there, (void (*)(void))in_coroutine, 1, thread);
    swapcontext(&home_of[thread], &there);
    free(stack);
}

static void
run_child(unsigned *random, void **slots)
{
    // A fork within a fork may wait for libc's own lock for ever.
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, NULL);
    pid_t child = fork();
    pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
    if (child < 0) {
        fail("fork");
    }
    if (child == 0) {
        alarm(60);
        churn(slots, random, 2);
        mi_profile_mark();
        _exit(0);
    }
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail("a child has died");
    }
}

static void *
work(void *arg)
{
    int thread = (int)(size_t)arg;
    static void *slots[THREADS_MAX][SLOTS];
    slots_of[thread] = slots[thread];
    unsigned random = (unsigned)thread * 77 + 1;
    for (unsigned turn = 0; !atomic_load(&ending); turn++) {
        churn(slots[thread], &random, (int)(turn % 70));
        switch ((turn + (unsigned)thread) % 16) {
        case 0: {
            if (SANITIZED) {
                break; // ThreadSanitizer does not see the locks of dlopen
            }
            void *library = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
            void *other = dlopen("libresolv.so.2", RTLD_NOW | RTLD_LOCAL);
            if (library == NULL) {
                fail("dlopen");
            }
            dlclose(library);
            if (other != NULL) {
                dlclose(other);
            }
            break;
        }
        case 5:
            if (!SANITIZED) {
                run_coroutine(thread);
            }
            break;
        case 9:
            if (!SANITIZED && turn % 64 < 16) {
                run_child(&random, slots[thread]);
            }
            break;
        case 3:
        case 11:
            if (!SANITIZED && throw_and_catch != NULL &&
                !throw_and_catch((int)(turn % 40), churn_below, &thread)) {
                fail("an exception is lost");
            }
            atomic_fetch_add(&thrown, 1);
            break;
        case 12:
            atomic_store(&victim, pthread_self());
            break;
        default:
            break;
        }
    }
    atomic_store(&victim, 0);
    for (int i = 0; i < SLOTS; i++) {
        free(slots[thread][i]);
    }
    return NULL;
}

static bool
swallow(const void *bytes, size_t size, void *arg)
{
    *(size_t *)arg += size;
    free(malloc(size / 2 + ((const unsigned char *)bytes)[0]));
    return true;
}

// On, off, another rate, all forms, reset and mark, over and over.
static void *
control(void *arg)
{
    size_t written = 0;
    for (unsigned turn = 0; !atomic_load(&ending); turn++) {
        if (!mi_profile_start(RATE << turn % 8)) {
            fail("the profile does not start");
        }
        usleep(3000);
        pthread_t thread = atomic_exchange(&victim, 0);
        if (thread != 0) {
            pthread_kill(thread, SIGUSR1);
        }
        if (!mi_profile_write((mi_profile_form_t)(turn % 4), swallow, &written)) {
            fail("the profile is not written");
        }
        if (turn % 5 == 0) {
            mi_profile_mark();
        } else if (turn % 7 == 0) {
            mi_profile_reset();
        }
        if (turn % 3 == 0) {
            mi_profile_stop();
            usleep(1000);
        }
    }
    *(size_t *)arg = written;
    return NULL;
}

int
main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : 8;
    unsigned seconds = argc > 2 ? (unsigned)atoi(argv[2]) : 10;
    pthread_t workers[THREADS_MAX];
    pthread_t controller;
    size_t written = 0;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    mi_register_sample(on_sample, &sampled);
    alarm(seconds + 120); // a deadlock ends by this
    pthread_create(&controller, NULL, control, &written);
    for (int i = 0; i < threads; i++) {
        pthread_create(&workers[i], NULL, work, (void *)(size_t)i);
    }
    sleep(seconds);
    atomic_store(&ending, true);
    // The victim may have ended: no more signals from here on.
    pthread_join(controller, NULL);
    for (int i = 0; i < threads; i++) {
        pthread_join(workers[i], NULL);
    }
    mi_profile_stop();
    mi_register_sample(NULL, NULL);
    printf(
        "profile: %lu samples, %lu of them freed, %zu bytes written, %lu exceptions, %lu forks by signals\n",
        atomic_load(&sampled), atomic_load(&gone), written, atomic_load(&thrown), atomic_load(&handled));
    if (atomic_load(&lost_children)) {
        fail("a child of a signal handler has died");
    }
    return atomic_load(&sampled) > 1000 && atomic_load(&gone) > 500 && written > 10000 ? 0 : 1;
}
