// SPDX-License-Identifier: MIT
// os_windows_threads.c — the part of the port to Windows that is about threads.
//
// The system tells each module of a thread's begin and end by the callbacks that the module's TLS directory
// lists, in the order of their sections' names. Ours is the last of its module, so that the destructors of
// the program's thread-local variables may still allocate and free. What the thread allocates later than
// that, in the callbacks of other modules, goes to a heap that nobody is told of when it ends.
//
// Owns:        what runs at a thread's end, whether there was another thread
// Threads:     the function is written at start-up only; `exit_arg` is per thread
// Invariants:  as in os_windows.c
// Not here:    everything else → os_windows.c, what a thread's end means → heap/registry.c
#include "os/os.h"

#include <windows.h>

#include "base/atomic.h"
#include "base/check.h"

enum { HELPER_STACK_BYTES = 64 * 1024, WAIT_MS_MAX = 1 << 30 };

static MI_THREAD_LOCAL void *exit_arg; // NULL: nothing to do
#define exit_arg OF_THREAD(exit_arg)
static void (*exit_function)(void *arg);
static _Atomic(bool) another; // a thread has begun since we are here

static void NTAPI
on_thread(void *module, DWORD reason, void *reserved)
{
    (void)module;
    (void)reserved;
    if (reason == DLL_THREAD_ATTACH) {
        atomic_set_relaxed(&another, true);
    }
    void *arg = reason == DLL_THREAD_DETACH ? exit_arg : NULL;
    if (arg != NULL) {
        exit_arg = NULL;
        exit_function(arg);
    }
}

// The C runtime's own have names from .CRT$XLA to .CRT$XLZ.
static const PIMAGE_TLS_CALLBACK callback __attribute__((section(".CRT$XLY"), used)) = on_thread;

bool
mi__os_thread_exit_init(void (*at_exit)(void *arg))
{
    exit_function = at_exit;
    return true;
}

void
mi__os_thread_on_exit(void *arg)
{
    ASSERT(arg != NULL);
    exit_arg = arg;
}

uintptr_t
mi__os_thread_self(void)
{
    return GetCurrentThreadId();
}

// There is no fork.
void
mi__os_after_fork(void (*fun)(void))
{
    (void)fun;
}

void
mi__os_yield(void)
{
    SwitchToThread();
}

static DWORD
wait_time(int64_t ms)
{
    return ms < 0 ? 0 : ms > WAIT_MS_MAX ? WAIT_MS_MAX : (DWORD)ms;
}

void
mi__os_sleep_ms(int64_t ms)
{
    Sleep(wait_time(ms));
}

void
mi__os_wait(_Atomic(uint32_t) *word, uint32_t value, int64_t ms)
{
    WaitOnAddress((volatile void *)(uintptr_t)word, &value, sizeof value, wait_time(ms));
}

void
mi__os_wake(_Atomic(uint32_t) *word)
{
    WakeByAddressSingle((void *)(uintptr_t)word);
}

bool
mi__os_is_single_threaded(void)
{
    return !atomic_get_relaxed(&another);
}

static DWORD WINAPI
run_helper(void *body)
{
    void (*run)(void);
    __builtin_memcpy(&run, &body, sizeof run);
    run();
    return 0;
}

bool
mi__os_start_helper(void (*body)(void))
{
    void *arg;
    __builtin_memcpy(&arg, &body, sizeof arg);
    HANDLE thread =
        CreateThread(NULL, HELPER_STACK_BYTES, run_helper, arg, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (thread == NULL) {
        return false;
    }
    CloseHandle(thread);
    return true;
}
