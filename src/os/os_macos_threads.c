// SPDX-License-Identifier: MIT
// os_macos_threads.c — the part of the port to macOS that is about threads.
//
// The system's own thread-local variables are allocated by malloc on first use, and may be gone when a
// thread's end is told. So ours are a section of the library that stands as it was linked; each thread has
// a copy of it, which its value of one key leads to, and which goes with the last round of key destructors.
//
// Owns:        the key, the copies, the calls that wait on a word
// Threads:     the key is made once; a copy is its thread's
// Invariants:  L1 no function changes errno
//              L2 no function allocates: the values of keys have room in each thread
// Not here:    helper threads, fork → os/os_posix_threads.c, what a thread's end means → heap/registry.c
#include "os/os.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "base/check.h"
#include "os/raw_calls.h"

enum {
    // Of the system's rounds of key destructors we work in the last but one: what comes late is left one.
    EXIT_ROUND = PTHREAD_DESTRUCTOR_ITERATIONS - 1,
    COPY_AT = 64,    // what a thread's copy follows
    MACH_CLOCK = 32, // OS_CLOCK_MACH_ABSOLUTE_TIME
    POLL_MS_MAX = 50,
};

typedef struct copy_t {
    void *arg;       // what at_exit gets; NULL: nothing to do
    unsigned rounds; // of the destructor
    size_t size;     // of all of it
} copy_t;

_Static_assert(sizeof(copy_t) <= COPY_AT, "the variables follow");

// Of the linker.
extern const char first_variable[] __asm("section$start$__DATA$__mi_thread");
extern const char end_of_variables[] __asm("section$end$__DATA$__mi_thread");

typedef int wait_t(void *word, uint64_t value, size_t size, uint32_t flags, uint32_t clock, uint64_t ns);
typedef int wake_t(void *word, size_t size, uint32_t flags);

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static _Atomic(bool) key_made;
static void (*exit_function)(void *arg);
static wait_t *wait_on; // [constant after init] of macOS 14.4 and later; NULL: there is none
static wake_t *wake_one;

// ---- thread-local variables ----------------------------------------------------------------

static void
end_thread(copy_t *mine)
{
    void *arg = mine->arg;
    mine->arg = NULL;
    if (arg != NULL) {
        exit_function(arg);
    }
}

// The value is put back at once: the variables are in use until the end, and there is to be another round.
static void
on_thread_end(void *value)
{
    copy_t *mine = (copy_t *)value;
    (void)pthread_setspecific(key, mine);
    mine->rounds++;
    if (mine->rounds >= EXIT_ROUND) {
        end_thread(mine);
    }
    if (mine->rounds > EXIT_ROUND) {
        (void)pthread_setspecific(key, NULL);
        munmap(mine, mine->size);
    }
}

static void
make_key(void)
{
    bool made = pthread_key_create(&key, on_thread_end) == 0;
    // release: the key; pairs with the acquire in own_copy.
    atomic_set_release(&key_made, made);
}

static copy_t *
new_copy(void)
{
    int saved = errno;
    mi__os_init(); // this may be the first call of all
    size_t used = (size_t)(end_of_variables - first_variable);
    size_t size = align_up(COPY_AT + used, mi__os_page_size());
    (void)pthread_once(&once, make_key);
    copy_t *mine = (copy_t *)mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    // Without its variables a thread can't do anything here, not even fail.
    if (mine == MAP_FAILED || !atomic_get_relaxed(&key_made)) {
        abort();
    }
    mine->size = size;
    __builtin_memcpy((char *)mine + COPY_AT, first_variable, used);
    (void)pthread_setspecific(key, mine);
    errno = saved;
    return mine;
}

static copy_t *
own_copy(void)
{
    // acquire: the key; pairs with the release in make_key.
    copy_t *mine = atomic_get_acquire(&key_made) ? (copy_t *)pthread_getspecific(key) : NULL;
    return likely(mine != NULL) ? mine : new_copy();
}

uintptr_t
mi__os_of_thread(uintptr_t original)
{
    return (uintptr_t)own_copy() + COPY_AT + (original - (uintptr_t)first_variable);
}

bool
mi__os_thread_exit_init(void (*at_exit)(void *arg))
{
    exit_function = at_exit;
    (void)pthread_once(&once, make_key);
    wait_t *found = (wait_t *)dlsym(RTLD_DEFAULT, "os_sync_wait_on_address_with_timeout");
    wake_one = (wake_t *)dlsym(RTLD_DEFAULT, "os_sync_wake_by_address_any");
    wait_on = wake_one == NULL ? NULL : found;
    return atomic_get_relaxed(&key_made);
}

void
mi__os_thread_on_exit(void *arg)
{
    ASSERT(arg != NULL);
    own_copy()->arg = arg;
}

uintptr_t
mi__os_thread_self(void)
{
    return (uintptr_t)pthread_self();
}

bool
mi__os_is_single_threaded(void)
{
    return pthread_is_threaded_np() == 0;
}

// ---- waiting -------------------------------------------------------------------------------

void
mi__os_sleep_ms(int64_t ms)
{
    int saved = errno;
    struct timespec time = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
    errno = saved;
}

// Without the system's own call a thread looks again and again, ever more slowly: a lock that others' threads
// could hold would hold for ever in the child of a fork.
void
mi__os_wait(_Atomic(uint32_t) *word, uint32_t value, int64_t ms)
{
    if (wait_on != NULL) {
        int saved = errno;
        (void)wait_on((void *)(uintptr_t)word, value, sizeof value, 0, MACH_CLOCK, (uint64_t)ms * 1000000);
        errno = saved;
        return;
    }
    int64_t end = mi__os_clock_ms() + ms;
    for (int64_t step = 1; atomic_get_relaxed(word) == value && mi__os_clock_ms() < end;) {
        mi__os_sleep_ms(step);
        step = step < POLL_MS_MAX ? step + 1 : step;
    }
}

void
mi__os_wake(_Atomic(uint32_t) *word)
{
    if (wait_on != NULL) {
        int saved = errno;
        (void)wake_one((void *)(uintptr_t)word, sizeof(uint32_t), 0);
        errno = saved;
    }
}

// ---- for os_posix_threads.c

void
mi__os_raw_name_thread(const char *name)
{
    (void)pthread_setname_np(name);
}
