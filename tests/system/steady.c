// SPDX-License-Identifier: MIT
// steady.c — used by steady.sh: a load that stays the same makes no system call. Two threads allocate and
// free blocks of many sizes and hand some to each other; once they are warm, every call of the system is
// trapped and counted.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 2, SLOTS = 20000, TRADED = 500, WARM_MS = 3000, STEADY_MS = 3000, CALLS = 1024 };

static _Atomic(void *) traded[TRADED];
static atomic_long counts[CALLS];
static atomic_long operations;
static _Thread_local uint64_t random_state;

static void
count_call(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    atomic_fetch_add(&counts[(unsigned)info->si_syscall % CALLS], 1);
}

static bool
trap_calls(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static uint64_t
next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static int64_t
now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now); // no call of the system: from the vDSO
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Each slot has its size; those that are traded have one.
static size_t
size_of(size_t slot)
{
    return slot % 10 == 0 ? 100 : slot < 40 ? slot * 5000 : slot < 2000 ? slot * 4 : slot % 500;
}

// The same blocks all the time, freed and allocated again in random order.
static void
load(void **slots, int64_t until_ms)
{
    while (now_ms() < until_ms) {
        for (int i = 0; i < 2000; i++) {
            uint64_t random = next_random();
            size_t slot = random % SLOTS;
            free(slots[slot]);
            slots[slot] = malloc(size_of(slot));
            if (slot % 10 == 0) {
                slots[slot] = atomic_exchange(&traded[(random >> 40) % TRADED], slots[slot]);
            }
        }
        atomic_fetch_add(&operations, 4000);
    }
}

static void *
work(void *arg)
{
    static void *slots[THREADS][SLOTS];
    size_t index = (size_t)(uintptr_t)arg;
    random_state = 88172645463325252u + index;
    load(slots[index], now_ms() + WARM_MS);
    atomic_store(&operations, 0);
    // The filter is this thread's; it stays until the process ends.
    if (!trap_calls()) {
        _exit(77);
    }
    load(slots[index], now_ms() + STEADY_MS);
    for (;;) {
        atomic_fetch_add(&counts[CALLS - 1], index == 0 && atomic_load(&counts[CALLS - 1]) == 0);
    }
}

int
main(void)
{
    struct sigaction action = {.sa_sigaction = count_call, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &action, NULL);
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, work, (void *)i) != 0) {
            return 1;
        }
    }
    while (atomic_load(&counts[CALLS - 1]) == 0) {
        usleep(10000);
    }
    long sum = 0;
    for (int i = 0; i < CALLS - 1; i++) {
        long count = atomic_load(&counts[i]);
        sum += count;
        if (count > 0) {
            printf("system call %d: %ld times\n", i, count);
        }
    }
    printf("%ld system calls in %ld operations\n", sum, atomic_load(&operations));
    fflush(stdout);
    _exit(sum == 0 ? 0 : 1);
}
