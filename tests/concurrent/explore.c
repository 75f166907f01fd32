// SPDX-License-Identifier: MIT
// explore.c — coroutines, the choice of who runs, and the search through all choices.
//
// Depth-first search: an execution goes on with first choices to its end, then the search goes back
// to the last choice that has another side, restores the state there and takes it. Sleep sets leave
// out executions that differ only in the order of steps that have nothing to do with each other;
// states that come up again are not explored again.
//
// Owns:        the stack of choices, the memory that explore_alloc gives
// Threads:     one
// Not here:    coroutines → fiber.c, what a load may return → memory.c
#include "explore.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "fiber.h"
#include "memory.h"
#include "states.h"
#include "trace.h"
#include "undo.h"

enum {
    NODES = 1000, // an execution with more choices is taken for one that never ends
    POOL_BYTES = 32 << 20,
    SNAPSHOT_BYTES = 64 << 20,
};

_Noreturn static void
give_up(const char *what)
{
    fprintf(stderr, "explore: too many %s\n", what);
    exit(2);
}

#define NO_SNAPSHOT SIZE_MAX

// ---- the search -------------------------------------------------------------------------------------------

// What need not be explored of the next step of a thread that waits at a point.
typedef enum sleep_t {
    AWAKE,
    PARTLY, // a load: the messages older than `least`
    ASLEEP, // all of it
} sleep_t;

typedef struct sleeper_t {
    sleep_t sleep;
    unsigned least;
    footprint_t footprint; // of its next step, as far as explored
} sleeper_t;

typedef struct node_t {
    bool is_value;
    unsigned chosen;  // thread, or number of the value
    unsigned options; // values
    unsigned ready;   // threads that may be chosen, a bit each
    sleeper_t sleepers[FIBERS];
    footprint_t footprint; // of the chosen step, with every value so far
    bool loads;            // the chosen step is a load and nothing else
    const void *pc;        // of the chosen step
    size_t snapshot;       // offset in `snapshots`
} node_t;

static node_t nodes[NODES];
static unsigned node_count;
static unsigned stepping; // the node of the step that runs
static unsigned last;     // the thread of that step
static unsigned asked;    // the thread wants one of so many values
static sleeper_t sleepers[FIBERS];
static footprint_t footprint; // of the step that runs
static bool every;            // explore every order, also those that make no difference
static unsigned bound;        // on surprises; 0: none
static unsigned surprises;    // so far: a thread that could go on stood back, or a load returned an old value

typedef enum outcome_t {
    RUN_GOES_ON,
    RUN_ENDED,
    RUN_CUT,   // what is left has been explored already
    RUN_AGAIN, // a word turned out to be shared that was not taken for shared: the search starts again
    RUN_FAILED,
} outcome_t;
static outcome_t outcome;
static char failure[256];
static bool ended_anew; // the execution is unlike any before

static char *pool;
static size_t pool_used;

static void
leave_execution(outcome_t how)
{
    outcome = how;
    fiber_leave();
    abort();
}

void
run_fail(const char *text)
{
    snprintf(failure, sizeof failure, "%s", text);
    outcome = RUN_FAILED;
    if (fiber_is_running()) {
        leave_execution(RUN_FAILED);
    }
}

void
run_again(void)
{
    leave_execution(RUN_AGAIN);
}

static uint8_t
least_of(const sleeper_t *sleeper)
{
    return sleeper->sleep == AWAKE ? 0 : sleeper->sleep == PARTLY ? (uint8_t)sleeper->least : 255;
}

// The threads, of those that are ready, whose next step has not been explored in this state.
static unsigned
unexplored(unsigned ready)
{
    uint64_t signature = memory_signature();
    if (bound != 0) {
        signature ^= (last << 8 | surprises) * UINT64_C(0x9E3779B97F4A7C15);
    }
    state_t *state = states_find(signature);
    unsigned left = 0;
    for (unsigned i = 1; i < FIBERS; i++) {
        uint8_t least = least_of(&sleepers[i]);
        if ((ready >> i & 1) != 0 && (least < state->least[i] || every)) {
            left |= 1U << i;
            state->least[i] = least;
        }
    }
    return left;
}

unsigned
run_choose(unsigned options)
{
    if (options > 1 && (bound == 0 || surprises < bound)) {
        asked = options;
        fiber_leave();
        return nodes[node_count - 1].chosen;
    }
    return 0;
}

unsigned
run_least(void)
{
    return sleepers[fiber_running()].sleep == PARTLY ? sleepers[fiber_running()].least : 0;
}

void
run_touch(footprint_t touched)
{
    footprint.reads |= touched.reads;
    footprint.writes |= touched.writes;
}

static unsigned
ready_threads(void)
{
    unsigned ready = 0;
    for (unsigned i = 1; i < FIBERS; i++) {
        if (!fiber_has_ended(i) && memory_is_ready(i)) {
            ready |= 1U << i;
        }
    }
    return ready;
}

// A thread to run among those that are ready and not asleep, preferably `first`; 0 when there is
// none.
static unsigned
first_awake(unsigned ready, const sleeper_t *asleep, unsigned first)
{
    if (first != 0 && (ready >> first & 1) != 0 && asleep[first].sleep != ASLEEP) {
        return first;
    }
    for (unsigned i = 1; i < FIBERS; i++) {
        if ((ready >> i & 1) != 0 && asleep[i].sleep != ASLEEP) {
            return i;
        }
    }
    return 0;
}

// After a step: who slept stays asleep unless the step has to do with its own.
static void
wake(unsigned stepped)
{
    sleepers[stepped] = (sleeper_t){.sleep = AWAKE};
    for (unsigned i = 1; i < FIBERS; i++) {
        sleeper_t *sleeper = &sleepers[i];
        // With a bound, an order may be left out and another one that comes to the same may not.
        if (every || bound != 0) {
            sleeper->sleep = AWAKE;
            continue;
        }
        if (fiber_has_ended(i) || i == stepped) {
            continue;
        }
        uint64_t load = memory_pending_load(i);
        if (load == 0) {
            uint64_t hit = footprint.writes & (sleeper->footprint.reads | sleeper->footprint.writes);
            hit |= footprint.reads & sleeper->footprint.writes;
            sleeper->sleep = hit != 0 ? AWAKE : sleeper->sleep;
        } else if ((footprint.writes & load) != 0) {
            // To read an older message commutes with the write of this one: that is explored where
            // the load comes first.
            sleeper->least = memory_fresh_message(i);
            sleeper->sleep = sleeper->least == 0 ? AWAKE : PARTLY;
        }
    }
}

// ---- snapshots --------------------------------------------------------------------------------------------

// Nodes with more than one choice have a snapshot, in the order of the nodes.
static char *snapshots;
static size_t snapshots_used;

// What changes in the course of an execution besides memory and fibers.
typedef struct progress_t {
    sleeper_t sleepers[FIBERS];
    footprint_t footprint;
    unsigned last;
    unsigned stepping;
    unsigned surprises;
    size_t pool_used;
    size_t fibers_size;
} progress_t;

static size_t
rounded(size_t size)
{
    return (size + 15) & ~(size_t)15;
}

static void
save(node_t *node)
{
    progress_t progress = {
        .footprint = footprint, .last = last, .stepping = stepping, .surprises = surprises};
    memcpy(progress.sleepers, sleepers, sizeof sleepers);
    progress.pool_used = pool_used;
    progress.fibers_size = rounded(fiber_save_size());
    size_t size = rounded(sizeof progress) + progress.fibers_size + rounded(memory_save_size());
    if (snapshots_used + size > SNAPSHOT_BYTES) {
        give_up("snapshots");
    }
    char *to = snapshots + snapshots_used;
    memcpy(to, &progress, sizeof progress);
    fiber_save(to + rounded(sizeof progress));
    memory_save(to + rounded(sizeof progress) + progress.fibers_size);
    node->snapshot = snapshots_used;
    snapshots_used += size;
}

static void
restore(const node_t *node)
{
    const char *from = snapshots + node->snapshot;
    progress_t progress;
    memcpy(&progress, from, sizeof progress);
    memcpy(sleepers, progress.sleepers, sizeof sleepers);
    footprint = progress.footprint;
    last = progress.last;
    stepping = progress.stepping;
    surprises = progress.surprises;
    pool_used = progress.pool_used;
    fiber_restore(from + rounded(sizeof progress));
    memory_restore(from + rounded(sizeof progress) + progress.fibers_size);
}

// ---- steps ------------------------------------------------------------------------------------------------

static node_t *
add_node(void)
{
    if (node_count == NODES) {
        run_fail("the execution does not end");
        return NULL;
    }
    node_t *node = &nodes[node_count++];
    *node = (node_t){.snapshot = NO_SNAPSHOT};
    return node;
}

// Makes the choice of the newest node, and runs up to the next.
static void
follow(node_t *node)
{
    if (!node->is_value) {
        surprises += last != 0 && node->chosen != last && !fiber_has_ended(last) && memory_is_ready(last);
        last = node->chosen;
        stepping = (unsigned)(node - nodes);
        memcpy(sleepers, node->sleepers, sizeof sleepers);
        node->loads = memory_pending_load(last) != 0;
        node->pc = memory_pending_pc(last);
        footprint = (footprint_t){0};
    } else if (node->chosen != 0) {
        surprises++;
    }
    asked = 0;
    outcome = RUN_GOES_ON;
    fiber_run(last);
    if (asked != 0 || outcome != RUN_GOES_ON) {
        return;
    }
    node_t *step = &nodes[stepping];
    if (step->loads && footprint.writes != 0) {
        memory_note_busy(step->pc);
        outcome = RUN_AGAIN;
        return;
    }
    step->footprint.reads |= footprint.reads;
    step->footprint.writes |= footprint.writes;
    wake(last);
}

static void
end_execution(void)
{
    state_t *state = states_find(memory_signature());
    ended_anew = state->least[0] != 0;
    state->least[0] = 0;
    outcome = RUN_ENDED;
    for (unsigned i = 1; i < FIBERS; i++) {
        if (!fiber_has_ended(i)) {
            run_fail("all threads wait");
        }
    }
}

static void
choose_value(void)
{
    node_t *node = add_node();
    if (node != NULL) {
        node->is_value = true;
        node->options = asked;
        save(node);
        follow(node);
    }
}

static void
choose_thread(void)
{
    unsigned ready = ready_threads();
    if (ready == 0) {
        end_execution();
        return;
    }
    if (bound != 0 && surprises == bound && (ready >> last & 1) != 0) {
        ready = 1U << last;
    }
    ready = unexplored(ready);
    unsigned chosen = first_awake(ready, sleepers, last);
    if (chosen == 0) {
        outcome = RUN_CUT;
        return;
    }
    node_t *node = add_node();
    if (node == NULL) {
        return;
    }
    memcpy(node->sleepers, sleepers, sizeof sleepers);
    node->ready = ready;
    node->chosen = chosen;
    if (first_awake(ready & ~(1U << chosen), sleepers, 0) != 0) {
        save(node);
    }
    follow(node);
}

// Up to the first point of each thread.
static void
start_threads(const scenario_t *scenario)
{
    outcome = RUN_GOES_ON;
    asked = last = node_count = surprises = 0;
    snapshots_used = 0;
    memset(sleepers, 0, sizeof sleepers);
    memory_start();
    for (unsigned i = 1; i < FIBERS; i++) {
        fiber_start(i, scenario->threads[i - 1]);
    }
    for (unsigned i = 1; i < FIBERS && outcome == RUN_GOES_ON; i++) {
        if (!fiber_has_ended(i)) {
            fiber_run(i);
        }
    }
}

// Goes back to the last node with a choice left, and makes it; false when all have been made.
static bool
backtrack(void)
{
    while (node_count > 0) {
        node_t *node = &nodes[node_count - 1];
        bool more = false;
        if (node->is_value) {
            more = ++node->chosen < node->options;
        } else if (node->snapshot != NO_SNAPSHOT) {
            sleeper_t *sleeper = &node->sleepers[node->chosen];
            sleeper->footprint.reads |= node->footprint.reads;
            sleeper->footprint.writes |= node->footprint.writes;
            sleeper->sleep = ASLEEP;
            node->footprint = (footprint_t){0};
            node->chosen = first_awake(node->ready, node->sleepers, 0);
            more = node->chosen != 0;
        }
        if (more) {
            restore(node);
            follow(node);
            return true;
        }
        if (node->snapshot != NO_SNAPSHOT) {
            snapshots_used = node->snapshot;
        }
        node_count--;
    }
    return false;
}

// ---- scenarios --------------------------------------------------------------------------------------------

void *
explore_alloc(size_t size)
{
    // Who allocates first gets the lower address: the order matters.
    run_touch((footprint_t){.writes = FOOTPRINT_POOL});
    memory_note_alloc();
    size_t start = (pool_used + 127) & ~(size_t)127;
    if (start + size > POOL_BYTES) {
        give_up("allocations");
    }
    pool_used = start + size;
    return pool + start;
}

static void
run_alone(void (*function)(void))
{
    if (function != NULL) {
        fiber_start(0, function);
        fiber_run(0);
    }
}

static double
seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

typedef struct totals_t {
    unsigned long ended;
    unsigned long cut;
    unsigned long distinct;
} totals_t;

// One pass over all executions.
static outcome_t
search(const scenario_t *scenario, totals_t *totals)
{
    static char before[4096];
    if (fiber_save_size() > sizeof before) {
        give_up("fibers");
    }
    fiber_save(before);
    size_t mark = undo_mark();
    size_t pool_mark = pool_used;
    *totals = (totals_t){0};
    states_clear();
    node_count = 0;
    start_threads(scenario);
    for (;;) {
        while (outcome == RUN_GOES_ON) {
            if (asked != 0) {
                choose_value();
            } else {
                choose_thread();
            }
        }
        if (outcome == RUN_ENDED) {
            totals->ended++;
            totals->distinct += ended_anew;
            run_alone(scenario->finish);
        } else if (outcome == RUN_CUT) {
            totals->cut++;
        }
        if (outcome == RUN_FAILED) {
            return outcome;
        }
        if (outcome == RUN_AGAIN || !backtrack()) {
            undo_to(mark);
            pool_used = pool_mark;
            fiber_restore(before);
            return outcome == RUN_AGAIN ? RUN_AGAIN : RUN_ENDED;
        }
    }
}

static bool
explore(const scenario_t *scenario)
{
    double start = seconds_now();
    pool_used = 0;
    fiber_reset();
    memory_reset();
    outcome = RUN_GOES_ON;
    run_alone(scenario->setup);
    totals_t totals = {0};
    outcome_t how = outcome == RUN_FAILED ? RUN_FAILED : RUN_AGAIN;
    while (how == RUN_AGAIN) {
        how = search(scenario, &totals);
    }
    bool passed = how != RUN_FAILED;
    printf("%-38s %8lu executions, %8lu cut short, %8lu distinct, %9lu states, %5.1f s", scenario->name,
           totals.ended, totals.cut, totals.distinct, states_count(), seconds_now() - start);
    printf(bound != 0 ? "  %s, at most %u surprises\n" : "  %s\n", passed ? "ok" : "FAILED", bound);
    if (!passed) {
        printf("  broken: %s\n", failure);
        trace_print();
    }
    fflush(stdout);
    undo_to(0);
    return passed;
}

void
explore_expect(bool holds, const char *text)
{
    if (!holds) {
        run_fail(text);
    }
}

static void *
map(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
    return p;
}

int
explore_main(const scenario_t *scenarios, size_t count, int argc, char **argv)
{
    bool with_long = false;
    unsigned bound_given = 0;
    const char *only = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--long") == 0) {
            with_long = true;
        } else if (strcmp(argv[i], "--sc") == 0) {
            memory_sequential();
        } else if (strncmp(argv[i], "--bound=", 8) == 0) {
            bound_given = (unsigned)atoi(argv[i] + 8);
        } else if (strcmp(argv[i], "--every") == 0) {
            every = true;
        } else if (argv[i][0] != '-') {
            only = argv[i];
        } else {
            fprintf(
                stderr,
                "usage: %s [--long] [--bound=N] [--every] [--sc] [scenario, or a part of the name of some]\n",
                argv[0]);
            return 2;
        }
    }
    fiber_init();
    pool = map(POOL_BYTES);
    snapshots = map(SNAPSHOT_BYTES);
    bool exact = false;
    for (size_t i = 0; i < count; i++) {
        exact = exact || (only != NULL && strcmp(scenarios[i].name, only) == 0);
    }
    unsigned passed = 0, failed = 0;
    for (size_t i = 0; i < count; i++) {
        const scenario_t *scenario = &scenarios[i];
        if (only == NULL ||
            (exact ? strcmp(scenario->name, only) == 0 : strstr(scenario->name, only) != NULL)) {
            bound = bound_given != 0 ? bound_given : with_long ? scenario->bound_long : scenario->bound;
            if (explore(scenario)) {
                passed++;
            } else {
                failed++;
            }
        }
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0 || passed == 0;
}
