// SPDX-License-Identifier: MIT
// explore.c — coroutines, the choice of who runs, and the search through all choices.
//
// Stateless depth-first search: an execution runs from the start, repeats the choices that the
// search has fixed, and goes on with first choices; what it wrote is then undone. Sleep sets leave
// out executions that differ only in the order of steps that have nothing to do with each other.
//
// Owns:        the coroutines, the stack of choices
// Threads:     one
// Not here:    what a load may return, races → memory.c
#include "explore.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "memory.h"

enum {
    STACK_BYTES = 64 * 1024,
    NODES = 1000, // an execution with more choices is taken for one that never ends
    POOL_BYTES = 32 << 20,
    SNAPSHOT_BYTES = 64 << 20,
    VISITS_LOG2 = 12,
    STATES_MAX = 40000000,
};

_Noreturn static void
give_up(const char *what)
{
    fprintf(stderr, "explore: too many %s\n", what);
    exit(2);
}

// ---- coroutines -------------------------------------------------------------------------------------------

void explore_switch(void **save, void *load) __attribute__((visibility("hidden")));

#if defined(__x86_64__)
enum { SAVED_WORDS = 8, ENTRY_WORD = 6 };
__asm__(".text\n.globl explore_switch\n.hidden explore_switch\n.type explore_switch,@function\n"
        "explore_switch:\n"
        "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
        "  movq %rsp, (%rdi)\n  movq %rsi, %rsp\n"
        "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n  ret\n"
        ".size explore_switch, . - explore_switch\n");
#elif defined(__aarch64__)
enum { SAVED_WORDS = 20, ENTRY_WORD = 11 };
__asm__(".text\n.globl explore_switch\n.hidden explore_switch\n.type explore_switch,@function\n"
        "explore_switch:\n"
        "  sub sp, sp, #160\n"
        "  stp x19, x20, [sp]\n  stp x21, x22, [sp, #16]\n  stp x23, x24, [sp, #32]\n"
        "  stp x25, x26, [sp, #48]\n  stp x27, x28, [sp, #64]\n  stp x29, x30, [sp, #80]\n"
        "  stp d8, d9, [sp, #96]\n  stp d10, d11, [sp, #112]\n  stp d12, d13, [sp, #128]\n"
        "  stp d14, d15, [sp, #144]\n"
        "  mov x9, sp\n  str x9, [x0]\n  mov sp, x1\n"
        "  ldp x19, x20, [sp]\n  ldp x21, x22, [sp, #16]\n  ldp x23, x24, [sp, #32]\n"
        "  ldp x25, x26, [sp, #48]\n  ldp x27, x28, [sp, #64]\n  ldp x29, x30, [sp, #80]\n"
        "  ldp d8, d9, [sp, #96]\n  ldp d10, d11, [sp, #112]\n  ldp d12, d13, [sp, #128]\n"
        "  ldp d14, d15, [sp, #144]\n"
        "  add sp, sp, #160\n  ret\n"
        ".size explore_switch, . - explore_switch\n");
#else
#error "the coroutines need a few lines of assembly for this processor"
#endif

typedef struct fiber_t {
    void *sp;
    void (*function)(void);
    bool ended;
    uint64_t own; // its copy of the private variable
} fiber_t;

// Fiber 0 runs setup and finish, the others the threads of the scenario.
static fiber_t fibers[EXPLORE_THREADS + 1];
static char *stacks;
static void *scheduler_sp;
static unsigned running;
static bool alone; // fiber 0 runs
static char nothing;
static void *private_at = &nothing;
static size_t private_size;
static char *pool;
static size_t pool_used;

static void
fiber_main(void)
{
    fibers[running].function();
    fibers[running].ended = true;
    explore_switch(&fibers[running].sp, scheduler_sp);
    abort();
}

static void
fiber_start(unsigned index, void (*function)(void))
{
    void **top = (void **)(void *)(stacks + (size_t)(index + 1) * STACK_BYTES);
    void **sp = top - SAVED_WORDS;
    memset(sp, 0, SAVED_WORDS * sizeof *sp);
    sp[ENTRY_WORD] = (void *)(uintptr_t)fiber_main;
    fibers[index].sp = sp;
    fibers[index].function = function;
    fibers[index].ended = function == NULL;
}

static void
swap_private(unsigned from, unsigned to)
{
    if (from != to) {
        memcpy(&fibers[from].own, private_at, private_size);
        memcpy(private_at, &fibers[to].own, private_size);
    }
}

// Runs a fiber until it comes to its next point, or its end.
static void
fiber_run(unsigned index)
{
    swap_private(0, index);
    running = index;
    explore_switch(&scheduler_sp, fibers[index].sp);
    running = 0;
    swap_private(index, 0);
}

unsigned
run_current(void)
{
    return running;
}

bool
run_is_stack(const void *p)
{
    return (const char *)p >= stacks && (const char *)p < stacks + (EXPLORE_THREADS + 1) * STACK_BYTES;
}

bool
run_is_private(const void *p)
{
    return p == private_at;
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
    sleeper_t sleepers[EXPLORE_THREADS + 1];
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
static sleeper_t sleepers[EXPLORE_THREADS + 1];
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

static void
leave_execution(outcome_t how)
{
    outcome = how;
    void *dropped;
    explore_switch(&dropped, scheduler_sp);
    abort();
}

void
run_fail(const char *text)
{
    snprintf(failure, sizeof failure, "%s", text);
    outcome = RUN_FAILED;
    if (running != 0 || alone) {
        leave_execution(RUN_FAILED);
    }
}

void
run_again(void)
{
    leave_execution(RUN_AGAIN);
}

// The states in which somebody was chosen: what the threads have read decides all that follows, so
// that a state that was seen before need not be explored again, but for what slept then and does
// not sleep now.
typedef struct visit_t {
    uint64_t signature;                 // 0: unused
    uint8_t least[EXPLORE_THREADS + 1]; // the oldest message that was explored; 255: none
} visit_t;

static visit_t *visits; // a hash table that grows
static unsigned visits_log2;
static unsigned long visits_used;
static bool ended_anew;

static visit_t *
find_visit(uint64_t signature)
{
    size_t slot = (size_t)(signature >> (64 - visits_log2));
    while (visits[slot].signature != 0 && visits[slot].signature != signature) {
        slot = (slot + 1) & (((size_t)1 << visits_log2) - 1);
    }
    return &visits[slot];
}

static void
clear_visits(unsigned log2)
{
    visits_log2 = log2;
    visits_used = 0;
    visits = calloc((size_t)1 << log2, sizeof *visits);
    if (visits == NULL) {
        give_up("memory for states");
    }
}

static void
grow_visits(void)
{
    visit_t *old = visits;
    size_t count = (size_t)1 << visits_log2;
    clear_visits(visits_log2 + 2);
    for (size_t i = 0; i < count; i++) {
        if (old[i].signature != 0) {
            *find_visit(old[i].signature) = old[i];
            visits_used++;
        }
    }
    free(old);
}

static visit_t *
visit_of(uint64_t signature)
{
    signature += signature == 0;
    if (visits_used > ((unsigned long)1 << visits_log2) / 4 * 3) {
        grow_visits();
    }
    visit_t *visit = find_visit(signature);
    if (visit->signature == 0) {
        if (++visits_used > STATES_MAX) {
            give_up("states");
        }
        visit->signature = signature;
        memset(visit->least, 255, sizeof visit->least);
    }
    return visit;
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
    visit_t *visit = visit_of(signature);
    unsigned left = 0;
    for (unsigned i = 1; i <= EXPLORE_THREADS; i++) {
        uint8_t least = least_of(&sleepers[i]);
        if ((ready >> i & 1) != 0 && (least < visit->least[i] || every)) {
            left |= 1U << i;
            visit->least[i] = least;
        }
    }
    return left;
}

unsigned
run_choose(unsigned options)
{
    if (options > 1 && (bound == 0 || surprises < bound)) {
        asked = options;
        explore_switch(&fibers[running].sp, scheduler_sp);
        return nodes[node_count - 1].chosen;
    }
    return 0;
}

unsigned
run_least(void)
{
    return sleepers[running].sleep == PARTLY ? sleepers[running].least : 0;
}

void
run_touch(footprint_t touched)
{
    footprint.reads |= touched.reads;
    footprint.writes |= touched.writes;
}

void
run_point(void)
{
    explore_switch(&fibers[running].sp, scheduler_sp);
}

static unsigned
ready_threads(void)
{
    unsigned ready = 0;
    for (unsigned i = 1; i <= EXPLORE_THREADS; i++) {
        if (!fibers[i].ended && memory_is_ready(i)) {
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
    for (unsigned i = 1; i <= EXPLORE_THREADS; i++) {
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
    for (unsigned i = 1; i <= EXPLORE_THREADS; i++) {
        sleeper_t *sleeper = &sleepers[i];
        // With a bound, an order may be left out and another one that comes to the same may not.
        if (every || bound != 0) {
            sleeper->sleep = AWAKE;
            continue;
        }
        if (fibers[i].ended || i == stepped) {
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

static void
put(const void *p, size_t size)
{
    if (snapshots_used + size > SNAPSHOT_BYTES) {
        give_up("snapshots");
    }
    memcpy(snapshots + snapshots_used, p, size);
    snapshots_used += size;
}

static const char *
get(void *p, const char *from, size_t size)
{
    memcpy(p, from, size);
    return from + size;
}

static char *
stack_end(unsigned fiber)
{
    return stacks + (size_t)(fiber + 1) * STACK_BYTES;
}

static void
save(node_t *node)
{
    node->snapshot = snapshots_used;
    put(fibers, sizeof fibers);
    put(sleepers, sizeof sleepers);
    put(&footprint, sizeof footprint);
    put(&last, sizeof last);
    put(&stepping, sizeof stepping);
    put(&surprises, sizeof surprises);
    put(&pool_used, sizeof pool_used);
    put(private_at, private_size);
    for (unsigned i = 1; i <= EXPLORE_THREADS; i++) {
        if (!fibers[i].ended) {
            put(fibers[i].sp, (size_t)(stack_end(i) - (char *)fibers[i].sp));
        }
    }
    snapshots_used = (snapshots_used + 15) & ~(size_t)15;
    size_t size = memory_save_size();
    if (snapshots_used + size > SNAPSHOT_BYTES) {
        give_up("snapshots");
    }
    memory_save(snapshots + snapshots_used);
    snapshots_used = (snapshots_used + size + 15) & ~(size_t)15;
}

static void
restore(const node_t *node)
{
    const char *from = snapshots + node->snapshot;
    from = get(fibers, from, sizeof fibers);
    from = get(sleepers, from, sizeof sleepers);
    from = get(&footprint, from, sizeof footprint);
    from = get(&last, from, sizeof last);
    from = get(&stepping, from, sizeof stepping);
    from = get(&surprises, from, sizeof surprises);
    from = get(&pool_used, from, sizeof pool_used);
    from = get(private_at, from, private_size);
    for (unsigned i = 1; i <= EXPLORE_THREADS; i++) {
        if (!fibers[i].ended) {
            from = get(fibers[i].sp, from, (size_t)(stack_end(i) - (char *)fibers[i].sp));
        }
    }
    memory_restore(snapshots + (((size_t)(from - snapshots) + 15) & ~(size_t)15));
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
        surprises += last != 0 && node->chosen != last && !fibers[last].ended && memory_is_ready(last);
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
    visit_t *visit = visit_of(memory_signature());
    ended_anew = visit->least[0] != 0;
    visit->least[0] = 0;
    outcome = RUN_ENDED;
    for (unsigned i = 1; i <= EXPLORE_THREADS; i++) {
        if (!fibers[i].ended) {
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
    for (unsigned i = 1; i <= EXPLORE_THREADS; i++) {
        fiber_start(i, scenario->threads[i - 1]);
    }
    for (unsigned i = 1; i <= EXPLORE_THREADS && outcome == RUN_GOES_ON; i++) {
        if (!fibers[i].ended) {
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

void
explore_private(void *p, size_t size)
{
    private_at = p;
    private_size = size;
    for (unsigned i = 0; i <= EXPLORE_THREADS; i++) {
        memcpy(&fibers[i].own, p, size);
    }
}

void
explore_as(unsigned thread, void (*function)(void))
{
    swap_private(0, thread + 1);
    function();
    swap_private(thread + 1, 0);
}

static void
run_alone(void (*function)(void))
{
    if (function != NULL) {
        fiber_start(0, function);
        running = 0;
        alone = true;
        explore_switch(&scheduler_sp, fibers[0].sp);
        alone = false;
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
    fiber_t before[EXPLORE_THREADS + 1];
    memcpy(before, fibers, sizeof fibers);
    size_t mark = memory_mark();
    size_t pool_mark = pool_used;
    uint64_t own;
    memcpy(&own, private_at, private_size);
    *totals = (totals_t){0};
    free(visits);
    clear_visits(VISITS_LOG2);
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
            memory_undo(mark);
            pool_used = pool_mark;
            memcpy(fibers, before, sizeof fibers);
            memcpy(private_at, &own, private_size);
            return outcome == RUN_AGAIN ? RUN_AGAIN : RUN_ENDED;
        }
    }
}

static bool
explore(const scenario_t *scenario)
{
    double start = seconds_now();
    pool_used = 0;
    private_at = &nothing;
    private_size = 0;
    memory_reset();
    outcome = RUN_GOES_ON;
    run_alone(scenario->setup);
    totals_t totals = {0};
    outcome_t how = outcome == RUN_FAILED ? RUN_FAILED : RUN_AGAIN;
    while (how == RUN_AGAIN) {
        how = search(scenario, &totals);
    }
    bool passed = how != RUN_FAILED;
    if (bound != 0) {
        printf("[at most %u surprises] ", bound);
    }
    printf("%-44s %9lu executions, %9lu cut short, %9lu distinct, %9lu states, %6.1f s  %s\n", scenario->name,
           totals.ended, totals.cut, totals.distinct, visits_used, seconds_now() - start,
           passed ? "ok" : "FAILED");
    if (!passed) {
        printf("  broken: %s\n", failure);
        memory_print_trace();
    }
    fflush(stdout);
    memory_undo(0);
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
    stacks = map((EXPLORE_THREADS + 1) * STACK_BYTES);
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
