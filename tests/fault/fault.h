// SPDX-License-Identifier: MIT
// fault.h — runs a scenario over and over, and each time another call of the port fails.
//
// The programs here are linked so that the library's calls of the port arrive in this file first
// (ld --wrap). A scenario runs in a process of its own for every n: the n-th call fails, once or from
// there on. It uses the public interface through the functions below, which hold what any caller may
// expect: a call gives memory that is whole, or NULL with ENOMEM. When it is over the faults end, all
// blocks are freed, and the same calls must succeed, with nothing lost on the way.
#ifndef TESTS_FAULT_FAULT_H
#define TESTS_FAULT_FAULT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <errno.h>
#include <mimalloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heap/census.h"
#include "os/os.h"

typedef struct scenario_t {
    const char *name;
    void (*set_up)(void); // options; no call fails yet, and the library has not started
    void (*body)(void);   // run by each thread
    unsigned threads;
} scenario_t;

// ---- faults ---------------------------------------------------------------------------------

enum { ONCE, FROM_THERE_ON, MODES };

static struct {
    atomic_long calls;  // that could fail, so far
    atomic_long failed; // and that did
    long n;             // the call that fails; 0: none
    int mode;
    atomic_bool over;
    atomic_llong reserved; // bytes of address space that the library holds
} faults;

// Whether this call fails.
static bool
fault_due(void)
{
    if (atomic_load(&faults.over)) {
        return false;
    }
    long call = atomic_fetch_add(&faults.calls, 1) + 1;
    bool due = faults.n > 0 && (faults.mode == ONCE ? call == faults.n : call >= faults.n);
    atomic_fetch_add(&faults.failed, due);
    return due;
}

static void
fault_broken(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: %s (errno %d; call %ld of %ld fails, %s)\n", file, line, what, errno, faults.n,
            atomic_load(&faults.calls), faults.mode == ONCE ? "once" : "and all after it");
    abort();
}

#define MUST(cond) ((cond) ? (void)0 : fault_broken(#cond, __FILE__, __LINE__))

// The port, as the library sees it. Errno is what a call would leave behind that is not careful: the
// library must set its own.
#define WRAP(result, name, parameters, arguments, refusal)                                                   \
    result __real_mi__os_##name parameters;                                                                  \
    result __wrap_mi__os_##name parameters;                                                                  \
    result __wrap_mi__os_##name parameters                                                                   \
    {                                                                                                        \
        return fault_due() ? refusal : __real_mi__os_##name arguments;                                       \
    }

WRAP(bool, commit, (void *start, size_t size), (start, size), false)
WRAP(bool, purge, (void *start, size_t size), (start, size), false)
WRAP(bool, move, (void *from, void *to, size_t size), (from, to, size), false)
WRAP(bool, renew, (void *start, size_t size), (start, size), false)
WRAP(bool, start_helper, (void (*body)(void)), (body), false)
WRAP(bool, protect, (void *start, size_t size), (start, size), false)
WRAP(bool, unprotect, (void *start, size_t size), (start, size), false)
WRAP(bool, is_private, (const void *start, size_t size), (start, size), false)
WRAP(bool, thread_exit_init, (void (*at_exit)(void *arg)), (at_exit), false)

void *__real_mi__os_reserve(size_t size, size_t align);
void *__wrap_mi__os_reserve(size_t size, size_t align);
void *
__wrap_mi__os_reserve(size_t size, size_t align)
{
    void *start = fault_due() ? NULL : __real_mi__os_reserve(size, align);
    atomic_fetch_add(&faults.reserved, start == NULL ? 0 : (long long)size);
    return start;
}

void *__real_mi__os_map_huge(size_t size, unsigned page_log2, int node);
void *__wrap_mi__os_map_huge(size_t size, unsigned page_log2, int node);
void *
__wrap_mi__os_map_huge(size_t size, unsigned page_log2, int node)
{
    void *start = fault_due() ? NULL : __real_mi__os_map_huge(size, page_log2, node);
    atomic_fetch_add(&faults.reserved, start == NULL ? 0 : (long long)size);
    return start;
}

void __real_mi__os_unreserve(void *start, size_t size);
void __wrap_mi__os_unreserve(void *start, size_t size);
void
__wrap_mi__os_unreserve(void *start, size_t size)
{
    atomic_fetch_sub(&faults.reserved, (long long)size);
    __real_mi__os_unreserve(start, size);
}

// ---- what callers may expect ----------------------------------------------------------------

// A block with its pattern; freed and checked by `drop`.
typedef struct held_t {
    unsigned char *p;
    size_t size;
    unsigned seed;
} held_t;

static unsigned char
pattern_at(size_t i, unsigned seed)
{
    return (unsigned char)(seed + i * 31 + (i >> 12));
}

// The ends, and one byte of each slice between them: enough to see memory that is not there, or that is
// another block's.
static size_t
next_place(size_t i, size_t size)
{
    size_t slice = (i | 65535) + 1;
    return i < 16 || i + 16 >= size ? i + 1 : slice < size - 16 ? slice : size - 16;
}

static void
fill(const held_t *held)
{
    for (size_t i = 0; i < held->size; i = next_place(i, held->size)) {
        held->p[i] = pattern_at(i, held->seed);
    }
}

static void
check(const held_t *held, size_t size)
{
    for (size_t i = 0; i < size; i = next_place(i, held->size)) {
        MUST(held->p[i] == pattern_at(i, held->seed));
    }
}

// Takes the result of a call over: NULL with ENOMEM, or memory that is aligned and, if it says so, zero.
static held_t
hold(void *p, size_t size, size_t align, bool zero)
{
    if (p == NULL) {
        MUST(errno == ENOMEM);
        return (held_t){NULL, 0, 0};
    }
    MUST(((uintptr_t)p & (align - 1)) == 0);
    MUST(mi_usable_size(p) >= size);
    held_t held = {p, size, (unsigned)(uintptr_t)p >> 4};
    for (size_t i = 0; zero && i < size; i = next_place(i, size)) {
        MUST(held.p[i] == 0);
    }
    fill(&held);
    return held;
}

static void
drop(held_t *held)
{
    if (held->p != NULL) {
        check(held, held->size);
        errno = 0;
        mi_free(held->p);
        MUST(errno == 0);
        held->p = NULL;
    }
}

// Grows or shrinks; a refusal leaves the block as it is.
__attribute__((unused)) static void
resize(held_t *held, size_t size)
{
    errno = 0;
    unsigned char *p = mi_realloc(held->p, size);
    if (p == NULL) {
        MUST(errno == ENOMEM);
        if (held->p != NULL) {
            check(held, held->size);
        }
        return;
    }
    size_t kept = held->size < size ? held->size : size;
    held_t moved = {p, held->size, held->seed};
    if (held->p != NULL) {
        check(&moved, kept);
    }
    *held = (held_t){p, size, (unsigned)(uintptr_t)p >> 4};
    fill(held);
}

// ---- running --------------------------------------------------------------------------------

enum { SECONDS = 60, THREADS_MAX = 8, REPEATS = 12, FEWER = 3, SLACK_BYTES = 256 << 20 };

static void
quiet(const char *msg, void *arg)
{
    (void)msg;
    (void)arg;
}

static void *
run_body(void *arg)
{
    ((const scenario_t *)arg)->body();
    return NULL;
}

static void
run_threads(const scenario_t *scenario)
{
    pthread_t threads[THREADS_MAX];
    if (scenario->threads == 1) {
        scenario->body();
        return;
    }
    for (unsigned i = 0; i < scenario->threads; i++) {
        MUST(pthread_create(&threads[i], NULL, run_body, (void *)(uintptr_t)scenario) == 0);
    }
    for (unsigned i = 0; i < scenario->threads; i++) {
        MUST(pthread_join(threads[i], NULL) == 0);
    }
}

// What fails again and again must not take more each time.
static void
repeat_what_fails(void)
{
    static const size_t sizes[] = {1, 3000, 60000, 1 << 20, 10 << 20};
    long long reserved = 0;
    for (int round = 0; round < REPEATS; round++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            errno = 0;
            held_t held = hold(mi_malloc(sizes[i]), sizes[i], 8, false);
            drop(&held);
            held = hold(mi_zalloc_aligned(sizes[i], 1 << 20), sizes[i], 1 << 20, true);
            drop(&held);
        }
        if (round == 1) {
            reserved = atomic_load(&faults.reserved);
        }
    }
    MUST(atomic_load(&faults.reserved) <= reserved);
}

static void
run_once(const scenario_t *scenario, long n, int mode)
{
    mi_register_output(quiet, NULL);
    faults.n = n;
    faults.mode = mode;
    if (scenario->set_up != NULL) {
        scenario->set_up();
    }
    run_threads(scenario);
    if (mode == FROM_THERE_ON) {
        repeat_what_fails();
    }
    atomic_store(&faults.over, true);
    // The next call works: all of the scenario, and what it left is free.
    held_t held = hold(mi_malloc(100), 100, 16, false);
    MUST(held.p != NULL);
    drop(&held);
    run_threads(scenario);
    mi_collect(true);
    census_t census;
    mi__census_take(&census);
    MUST(census.total.live == 0);
}

typedef struct outcome_t {
    long failed;        // calls
    long long reserved; // bytes, at the end
} outcome_t;

// Runs the scenario with its n-th call failing; when it breaks, this program ends.
static outcome_t
run_in_child(const scenario_t *scenario, long n, int mode)
{
    outcome_t outcome = {0, 0};
    int ends[2];
    MUST(pipe(ends) == 0);
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        alarm(SECONDS);
        run_once(scenario, n, mode);
        outcome = (outcome_t){atomic_load(&faults.failed), atomic_load(&faults.reserved)};
        _exit(write(ends[1], &outcome, sizeof outcome) == sizeof outcome ? 0 : 1);
    }
    close(ends[1]);
    int status = 0;
    MUST(waitpid(child, &status, 0) == child);
    if (status != 0) {
        fprintf(stderr, "%s: broken when call %ld fails %s: status %#x\n", scenario->name, n,
                mode == ONCE ? "once" : "and all after it", (unsigned)status);
        exit(1);
    }
    MUST(read(ends[0], &outcome, sizeof outcome) == sizeof outcome);
    close(ends[0]);
    return outcome;
}

// Both modes of one scenario.
static void
run_scenario(const scenario_t *scenario, bool every, long *points, long *failed)
{
    long long reserved = run_in_child(scenario, 0, ONCE).reserved;
    for (int mode = ONCE; mode < MODES; mode++) {
        long n = 1;
        for (;;) {
            outcome_t outcome = run_in_child(scenario, n, mode);
            if (outcome.failed == 0) {
                break;
            }
            // A refusal may lead to another region than else, but nothing large is left behind.
            if (outcome.reserved > reserved + reserved / 2 + SLACK_BYTES) {
                fprintf(stderr,
                        "%s: %lld bytes are reserved at the end instead of %lld, when call %ld fails\n",
                        scenario->name, outcome.reserved, reserved, n);
                exit(1);
            }
            *points += 1;
            *failed += outcome.failed;
            n += 1 + (every ? 0 : n / FEWER);
        }
        printf("%s, %u threads, %s: %ld calls\n", scenario->name, scenario->threads,
               mode == ONCE ? "once" : "from there on", n - 1);
        MUST(n > 1);
    }
}

// Every n of every scenario in both modes, with "--every"; else fewer of the later ones. Returns the
// program's exit status.
static int
run_all(const scenario_t *scenarios, size_t count, int argc, char **argv)
{
    bool every = argc > 1 && strcmp(argv[1], "--every") == 0;
    long points = 0;
    long failed = 0;
    for (size_t i = 0; i < count; i++) {
        run_scenario(&scenarios[i], every, &points, &failed);
    }
    printf("%ld points, %ld calls that failed: fine\n", points, failed);
    return 0;
}

#endif
