// SPDX-License-Identifier: MIT
// signals.c — a storm of signals whose handler allocates and frees samples, amid a thread that does nothing
// else: whatever lock that holds, the handler must not wait for it.
//
// args: 4
// timeout: 120
//   signals [seconds]
//
// Functions of malloc are not made for handlers; this one keeps to sizes that the thread never asks for, and
// to few blocks, so that both meet in nothing but the samples.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <mimalloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

enum {
    PROFILE_RATE = 1024,
    GUARD_RATE = 1000,
    SLOTS = 64,
    OF_HANDLER = 3000,
    LARGE = 3000000,
    INTERVAL_US = 50
};

static atomic_ulong handled;
static atomic_ulong sampled;
static atomic_ulong gone;
static unsigned char *kept; // by the handler, from one signal to the next

static void
fail(const char *what)
{
    fprintf(stderr, "signals: %s\n", what);
    abort();
}

static void
on_sample(bool freed, void *p, size_t size, size_t weight_bytes, void *arg)
{
    (void)p;
    (void)size;
    (void)weight_bytes;
    (void)arg;
    atomic_fetch_add(freed ? &gone : &sampled, 1);
}

static void
on_signal(int signal)
{
    (void)signal;
    unsigned char *block = malloc(OF_HANDLER);
    if (block == NULL || (kept != NULL && *kept != 0xab)) {
        fail("a block of the handler");
    }
    *block = 0xab;
    if (mi_usable_size(block) < OF_HANDLER) {
        fail("the size of a block of the handler");
    }
    free(kept);
    kept = block;
    unsigned char *large = realloc(malloc(LARGE), LARGE + LARGE / 2);
    if (large == NULL) {
        fail("a large block of the handler");
    }
    free(large);
    atomic_fetch_add(&handled, 1);
}

static void
churn(void)
{
    static unsigned char *slots[SLOTS];
    static unsigned turn;
    for (int i = 0; i < 1000; i++, turn++) {
        unsigned char **slot = &slots[turn * 7 % SLOTS];
        if (*slot != NULL && **slot != (unsigned char)(slot - slots)) {
            fail("a block of the thread");
        }
        free(*slot);
        *slot = malloc(500 + turn % 1000);
        **slot = (unsigned char)(slot - slots);
    }
}

int
main(int argc, char **argv)
{
    int seconds = argc > 1 ? atoi(argv[1]) : 4;
    mi_option_set(mi_option_guarded_sample_rate, GUARD_RATE);
    mi_register_sample(on_sample, NULL);
    if (!mi_profile_start(PROFILE_RATE)) {
        fail("no profile");
    }
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct itimerval storm = {{0, INTERVAL_US}, {0, INTERVAL_US}};
    sigaction(SIGALRM, &action, NULL);
    churn();
    setitimer(ITIMER_REAL, &storm, NULL);
    for (time_t end = time(NULL) + seconds; time(NULL) < end;) {
        churn();
    }
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    mi_profile_stop();
    printf("%lu signals, %lu samples, %lu of them freed\n", atomic_load(&handled), atomic_load(&sampled),
           atomic_load(&gone));
    return atomic_load(&handled) > 100 && atomic_load(&sampled) > 1000 ? 0 : 1;
}
