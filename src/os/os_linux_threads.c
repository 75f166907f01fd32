// SPDX-License-Identifier: MIT
// os_linux_threads.c — the part of the port to Linux that is about threads.
//
// Owns:        the thread-exit key
// Threads:     the key is written at start-up only; `exit_state` is per thread
// Invariants:  L1 no function changes errno
//              L2 no function allocates, save pthread_setspecific, since glibc takes the memory for keys
//                 past 31 from calloc, so mi__os_thread_on_exit may be entered again by itself
// Not here:    helper threads, fork → os/os_posix_threads.c, what a thread's end means → heap/registry.c
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "os/os.h"

#include <errno.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "os/raw_calls.h"

enum {
    // Both libcs run four rounds of key destructors; we work in the third, so that one is left for
    // what comes late. ThreadSanitizer takes the last one for itself.
    EXIT_ROUND = MI_TSAN ? 2 : 3,
    // The kernel's FUTEX_WAIT and FUTEX_WAKE, among the threads of one process: musl comes without
    // <linux/futex.h>.
    WAIT_PRIVATE = 128,
    WAKE_PRIVATE = 129,
};

typedef struct exit_state_t {
    void *arg;      // what at_exit gets; NULL: nothing to do
    unsigned calls; // of the destructor
    bool arming;    // inside pthread_setspecific, which may allocate (L2)
} exit_state_t;

static MI_THREAD_LOCAL exit_state_t exit_state;
#define exit_state OF_THREAD(exit_state)
static pthread_key_t exit_key;
static bool exit_key_made;
static void (*exit_function)(void *arg);

// The key's value only says that the destructor is to run; `exit_state` holds the facts, so that a
// nested call leaves nothing for the outer one to repeat.
static void
arm(exit_state_t *state)
{
    if (state->arming || !exit_key_made) {
        return;
    }
    int saved = errno;
    state->arming = true;
    // Failure means that there is no memory; the end of this thread then goes unnoticed.
    pthread_setspecific(exit_key, state);
    state->arming = false;
    errno = saved;
}

// Key destructors of the program may still allocate and free. So the rounds before EXIT_ROUND pass,
// the work is done in that one, and what is armed after it is done in the next. A thread that
// allocates for the first time in its own third round of destructors is not seen.
static void
on_thread_end(void *value)
{
    exit_state_t *state = (exit_state_t *)value;
    state->calls++;
    if (state->calls < EXIT_ROUND) {
        arm(state);
        return;
    }
    void *arg = state->arg;
    state->arg = NULL;
    if (arg != NULL) {
        exit_function(arg);
    }
}

bool
mi__os_thread_exit_init(void (*at_exit)(void *arg))
{
    exit_function = at_exit;
    if (!exit_key_made) {
        exit_key_made = pthread_key_create(&exit_key, on_thread_end) == 0;
    }
    return exit_key_made;
}

void
mi__os_thread_on_exit(void *arg)
{
    ASSERT(arg != NULL);
    bool armed = exit_state.arg != NULL;
    exit_state.arg = arg;
    if (!armed) {
        arm(&exit_state);
    }
}

uintptr_t
mi__os_thread_self(void)
{
    return (uintptr_t)pthread_self();
}

void
mi__os_sleep_ms(int64_t ms)
{
    int saved = errno;
    struct timespec time = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
    errno = saved;
}

void
mi__os_wait(_Atomic(uint32_t) *word, uint32_t value, int64_t ms)
{
    int saved = errno;
    struct timespec time = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    syscall(SYS_futex, word, WAIT_PRIVATE, value, &time, NULL, 0);
    errno = saved;
}

void
mi__os_wake(_Atomic(uint32_t) *word)
{
    int saved = errno;
    syscall(SYS_futex, word, WAKE_PRIVATE, 1, NULL, NULL, 0);
    errno = saved;
}

// Of glibc from 2.32 on: false from the first thread on, and for good.
extern char __libc_single_threaded MI_WEAK;

bool
mi__os_is_single_threaded(void)
{
    if (&__libc_single_threaded != NULL && __libc_single_threaded) {
        return true;
    }
    int saved = errno;
    struct stat tasks;
    // A folder with one folder for each thread.
    bool single = stat("/proc/self/task", &tasks) != 0 || tasks.st_nlink <= 2 + 1;
    errno = saved;
    return single;
}

void
mi__os_raw_name_thread(const char *name)
{
    prctl(PR_SET_NAME, name, 0, 0, 0);
}
