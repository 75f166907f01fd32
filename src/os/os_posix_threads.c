// SPDX-License-Identifier: MIT
// os_posix_threads.c — the part of the ports to Linux and macOS that is the same about threads.
//
// Owns:        nothing
// Threads:     any
// Invariants:  L1 no function changes errno
//              L2 no function allocates, save pthread_create
// Not here:    the end of a thread, waiting → os_linux_threads.c, os_macos_threads.c
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "os/os.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "os/raw_calls.h"

enum { HELPER_STACK_BYTES = 64 * 1024 };

void
mi__os_after_fork(void (*fun)(void))
{
    (void)pthread_atfork(NULL, NULL, fun);
}

void
mi__os_yield(void)
{
    int saved = errno;
    sched_yield();
    errno = saved;
}

static void *
run_helper(void *body)
{
    mi__os_raw_name_thread("mimalloc-purge");
    void (*run)(void);
    __builtin_memcpy(&run, &body, sizeof run);
    run();
    return NULL;
}

static bool
start_thread(void (*body)(void), size_t stack_bytes)
{
    pthread_attr_t attributes;
    pthread_t thread;
    void *arg;
    __builtin_memcpy(&arg, &body, sizeof arg);
    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    bool started = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0 &&
                   (stack_bytes == 0 || pthread_attr_setstacksize(&attributes, stack_bytes) == 0) &&
                   pthread_create(&thread, &attributes, run_helper, arg) == 0;
    pthread_attr_destroy(&attributes);
    return started;
}

bool
mi__os_start_helper(void (*body)(void))
{
    int saved = errno;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    // The new thread inherits what is blocked.
    pthread_sigmask(SIG_SETMASK, &all, &before);
    // A stack holds all thread-local data of the program, too: where that is much, the usual size.
    bool started = start_thread(body, MI_TSAN ? 0 : HELPER_STACK_BYTES) || start_thread(body, 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return started;
}
