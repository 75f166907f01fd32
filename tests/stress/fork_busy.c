// SPDX-License-Identifier: MIT
// fork_busy.c — fork from a process whose other threads are inside the allocator all the time.
// timeout: 600
// long: 5000
//
//   fork_busy [forks]
//
// The main thread and a second one fork in turn. Every child uses blocks that its parent allocated,
// allocates and frees several sizes, starts a thread that does so too, and sometimes forks itself.
// A child that has not ended after a minute is killed by its own alarm, which the parent reports
// with the step at which it hung.
#include "harness.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { BUSY = 6, PATIENCE_SECONDS = 60, KEPT = 64, NESTED_EVERY = 16 };

static atomic_bool stop;
static _Atomic(void *) traded[256];
static void *kept[KEPT]; // allocated before the forks; every child frees them
static atomic_int *step; // shared with the children

static void
use_sizes(uint64_t seed, size_t count)
{
    static const size_t limits[] = {64, 1000, 20000, 100000, 3000000};
    uint64_t random = random_seed(seed);
    void *blocks[16] = {NULL};
    for (size_t i = 0; i < count; i++) {
        size_t j = random_below(&random, 16);
        size_t limit = limits[random_below(&random, 100) < 90 ? i % 3 : i % 5];
        t_free(blocks[j]);
        blocks[j] = t_malloc(1 + random_below(&random, limit));
        EXPECT(blocks[j] != NULL, "at most %zu bytes", limit);
        *(char *)blocks[j] = 1;
    }
    for (size_t j = 0; j < 16; j++) {
        t_free(blocks[j]);
    }
}

static void *
run_short(void *arg)
{
    use_sizes((uint64_t)(uintptr_t)arg, 100);
    return NULL;
}

// All sizes, short threads, trades between threads, returning memory.
static void *
run_busy(void *arg)
{
    size_t kind = (size_t)(uintptr_t)arg;
    uint64_t random = random_seed(kind);
    for (size_t round = 0; !atomic_load_explicit(&stop, memory_order_relaxed); round++) {
        if (kind == 1) {
            thread_join(thread_start(run_short, (void *)(uintptr_t)round));
        } else if (kind == 3 && round % 64 == 0) {
            malloc_trim(0);
        } else if (kind >= 2) {
            void *block = t_malloc(1 + random_below(&random, 3000));
            t_free(atomic_exchange(&traded[random_below(&random, 256)], block));
        } else {
            use_sizes(round, 100);
        }
    }
    return NULL;
}

// Everything a child does with memory before it thinks of forking itself.
static void
work_as_child(long number)
{
    alarm(PATIENCE_SECONDS);
    atomic_store(step, 1);
    for (size_t i = 0; i < KEPT; i++) {
        t_free(kept[i]);
        kept[i] = NULL;
    }
    atomic_store(step, 2);
    use_sizes((uint64_t)number, 100);
    atomic_store(step, 3);
    pthread_t thread = thread_start(run_short, (void *)(uintptr_t)number);
    use_sizes((uint64_t)number + 1, 100);
    thread_join(thread);
    atomic_store(step, 4);
    malloc_trim(0);
    atomic_store(step, 5);
}

// Both ways out: with the exit handlers of the library, and without.
static _Noreturn void
leave(long number)
{
    if (number % 2 == 0) {
        exit(0);
    }
    _exit(0);
}

static void
wait_for(pid_t pid, long number)
{
    int status;
    while (waitpid(pid, &status, 0) != pid) {
        EXPECT(errno == EINTR, "waitpid");
    }
    EXPECT(!WIFSIGNALED(status) || WTERMSIG(status) != SIGALRM, "child %ld hung at step %d", number,
           atomic_load(step));
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child %ld: status %x at step %d", number,
           (unsigned)status, atomic_load(step));
}

static _Noreturn void
run_child(long number)
{
    work_as_child(number);
    if (number % NESTED_EVERY == 0) {
        pid_t pid = fork();
        EXPECT(pid >= 0, "fork in a child");
        if (pid == 0) {
            work_as_child(number + 1);
            leave(number + 1);
        }
        wait_for(pid, number + 1);
    }
    leave(number);
}

static void *
fork_some(void *arg)
{
    long forks = (long)(intptr_t)arg;
    for (long i = 1; i <= forks; i++) {
        atomic_store(step, 0);
        pid_t pid = fork();
        EXPECT(pid >= 0, "fork");
        if (pid == 0) {
            run_child(i);
        }
        wait_for(pid, i);
        // What the parent does after a fork matters as much.
        use_sizes((uint64_t)i, 20);
    }
    return NULL;
}

int
main(int argc, char **argv)
{
    long forks = argument(argc, argv, 1, 2000);
    step = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT(step != MAP_FAILED, "mmap");
    for (size_t i = 0; i < KEPT; i++) {
        kept[i] = t_malloc(16 << (i % 16));
    }
    pthread_t busy[BUSY];
    for (size_t i = 0; i < BUSY; i++) {
        busy[i] = thread_start(run_busy, (void *)(uintptr_t)i);
    }
    double start = clock_seconds();
    const long turns = 10;
    for (long turn = 0; turn < turns; turn++) {
        void *count = (void *)(intptr_t)((forks + turns - 1) / turns);
        if (turn % 2 == 0) {
            fork_some(count);
        } else {
            thread_join(thread_start(fork_some, count));
        }
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < BUSY; i++) {
        thread_join(busy[i]);
    }
    printf("fork_busy: %ld forks, %.1f s\n", forks, clock_seconds() - start);
    return 0;
}
