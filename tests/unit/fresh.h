// SPDX-License-Identifier: MIT
// fresh.h — tests that each run in a process of their own, where nothing has used the library yet,
// and checks that work in a child and in threads, where cmocka's do not.
//
// Include it before any other header: it asks for the GNU names of libc.
#ifndef MI_TESTS_FRESH_H
#define MI_TESTS_FRESH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arena/slices.h"
#include "base/bits.h"
#include "base/config.h"
#include "base/hooks.h"
#include "unit.h"

#if MI_TSAN || defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

enum { ERRNO_MARK = 77, FRESH_SECONDS = 250, THREADS_MAX = 64 };
static const size_t KIB = 1024;
static const size_t MIB = 1024 * 1024;
static const size_t GIB = 1024 * 1024 * 1024;

// ---- checks ---------------------------------------------------------------------------------

#define check(cond) ((cond) ? (void)0 : check_failed(__FILE__, __LINE__, #cond))
#define check_equal(a, b) check_equal_at(__FILE__, __LINE__, #a " == " #b, (uintmax_t)(a), (uintmax_t)(b))
#define check_at_most(a, b) check_at_most_at(__FILE__, __LINE__, #a " <= " #b, (uintmax_t)(a), (uintmax_t)(b))

__attribute__((noreturn, unused)) static void
check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: %s does not hold\n", file, line, what);
    abort();
}

__attribute__((unused)) static void
check_equal_at(const char *file, int line, const char *what, uintmax_t a, uintmax_t b)
{
    if (a != b) {
        fprintf(stderr, "%ju and %ju: ", a, b);
        check_failed(file, line, what);
    }
}

__attribute__((unused)) static void
check_at_most_at(const char *file, int line, const char *what, uintmax_t a, uintmax_t b)
{
    if (a > b) {
        fprintf(stderr, "%ju and %ju: ", a, b);
        check_failed(file, line, what);
    }
}

// ---- processes ------------------------------------------------------------------------------

// Runs `body` in a child and waits for it; its status as waitpid gives it.
__attribute__((unused)) static int
status_of_child(void (*body)(void))
{
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        check_failed(__FILE__, __LINE__, "fork");
    }
    if (child == 0) {
        // cmocka's handlers would jump back into the parent's list of tests.
        for (int i = 1; i < 32; i++) {
            signal(i, SIG_DFL);
        }
        alarm(FRESH_SECONDS);
        // Slices that are being purged look used: what counts them asks for a helper itself.
        mi__conf.purge_thread = PURGE_THREAD_NEVER;
        body();
        fflush(NULL);
        _exit(0);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child) {
        check_failed(__FILE__, __LINE__, "waitpid");
    }
    return status;
}

__attribute__((unused)) static void
run_fresh(void **state)
{
    void (*body)(void);
    memcpy(&body, state, sizeof body);
    int status = status_of_child(body);
    if (WIFSIGNALED(status)) {
        fail_msg("the child was ended by signal %d", WTERMSIG(status));
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

// An entry for cmocka's list: the function runs in a child.
#define fresh_test(f)                                                                                        \
    {                                                                                                        \
#f, run_fresh, NULL, NULL, (void *)(f)                                                               \
    }

// A field of /proc/self/status, which is in kilobytes there.
__attribute__((unused)) static size_t
status_bytes(const char *field)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    size_t kilobytes = 0;
    bool found = false;
    check(file != NULL);
    while (!found && fgets(line, sizeof line, file) != NULL) {
        found = strncmp(line, field, strlen(field)) == 0 &&
                sscanf(line + strlen(field), ": %zu kB", &kilobytes) == 1;
    }
    fclose(file);
    check(found);
    return kilobytes * 1024;
}

#define address_space_bytes() status_bytes("VmSize")
// Rough: the kernel counts in batches. Under a sanitizer it holds the shadow of what is touched as
// well, and tells nothing.
#define resident_bytes() status_bytes("VmRSS")
#define check_resident_at_most(bytes) check_at_most(SANITIZED ? 0 : resident_bytes(), bytes)
#define data_bytes() status_bytes("VmData")

// Sets and lifts a limit of the process. RLIMIT_DATA counts what data_bytes() says, and refuses to
// commit; RLIMIT_AS counts address_space_bytes(), and refuses to reserve. ThreadSanitizer itself needs
// memory at any moment: there the test ends here.
__attribute__((unused)) static void
limit_to(int resource, size_t bytes)
{
    struct rlimit limit;
    if (MI_TSAN) {
        _exit(0);
    }
    check(getrlimit(resource, &limit) == 0);
    limit.rlim_cur = bytes;
    check(setrlimit(resource, &limit) == 0);
}

__attribute__((unused)) static void
unlimit(int resource)
{
    struct rlimit limit;
    check(getrlimit(resource, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    check(setrlimit(resource, &limit) == 0);
}

// Asks the kernel, which answers EFAULT instead of a signal.
__attribute__((unused)) static bool
is_readable(const void *p)
{
    int ends[2];
    check(pipe(ends) == 0);
    bool readable = write(ends[1], p, 1) == 1;
    close(ends[0]);
    close(ends[1]);
    return readable;
}

// ---- figures of the arena -------------------------------------------------------------------

__attribute__((unused)) static size_t
free_bytes(void)
{
    size_t all;
    size_t dirty;
    mi__slices_count(&all, &dirty);
    check_at_most(dirty, all);
    return all;
}

__attribute__((unused)) static size_t
dirty_bytes(void)
{
    size_t all;
    size_t dirty;
    mi__slices_count(&all, &dirty);
    return dirty;
}

__attribute__((unused)) static size_t
slices_in_use(void)
{
    return (mi__region_committed_bytes() - free_bytes()) >> SLICE_SHIFT;
}

// ---- threads --------------------------------------------------------------------------------

// Runs `body(arg)` in a thread and waits for it.
__attribute__((unused)) static void
run_thread(void *(*body)(void *), void *arg)
{
    pthread_t thread;
    check(pthread_create(&thread, NULL, body, arg) == 0);
    check(pthread_join(thread, NULL) == 0);
}

// Runs `body(args + i * size)` in `count` threads at once and waits for all.
__attribute__((unused)) static void
run_threads(size_t count, void *(*body)(void *), void *args, size_t size)
{
    pthread_t threads[THREADS_MAX];
    check(count <= THREADS_MAX);
    for (size_t i = 0; i < count; i++) {
        check(pthread_create(&threads[i], NULL, body, (char *)args + i * size) == 0);
    }
    for (size_t i = 0; i < count; i++) {
        check(pthread_join(threads[i], NULL) == 0);
    }
}

// ---- hooks, patterns, random numbers --------------------------------------------------------

static struct {
    size_t count;
    misuse_t kind;
    char call[32];
    const void *p;
} misuses __attribute__((unused));

__attribute__((unused)) static void
record_misuse(misuse_t kind, const char *call, const void *p)
{
    misuses.count++;
    misuses.kind = kind;
    snprintf(misuses.call, sizeof misuses.call, "%s", call);
    misuses.p = p;
}

__attribute__((unused)) static bool
misused(size_t count, misuse_t kind, const char *call, const void *p)
{
    return misuses.count == count && misuses.kind == kind && strcmp(misuses.call, call) == 0 &&
           misuses.p == p;
}

static struct {
    size_t count;
    size_t size;
    int errnum;
} failures __attribute__((unused));

__attribute__((unused)) static void
record_failure(size_t size, int errnum)
{
    failures.count++;
    failures.size = size;
    failures.errnum = errnum;
}

__attribute__((unused)) static bool
is_zero(const void *p, size_t size)
{
    const unsigned char *at = p;
    for (size_t i = 0; i < size; i++) {
        if (at[i] != 0) {
            return false;
        }
    }
    return true;
}

// Bytes that depend on the seed and the place, so that a block that moved wrongly shows.
__attribute__((unused)) static void
fill(void *p, size_t size, unsigned seed)
{
    unsigned char *at = p;
    for (size_t i = 0; i < size; i++) {
        at[i] = (unsigned char)(seed + i * 7 + (i >> 8));
    }
}

__attribute__((unused)) static bool
is_filled(const void *p, size_t size, unsigned seed)
{
    const unsigned char *at = p;
    for (size_t i = 0; i < size; i++) {
        if (at[i] != (unsigned char)(seed + i * 7 + (i >> 8))) {
            return false;
        }
    }
    return true;
}

__attribute__((unused)) static uint64_t
random_next(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    return x * UINT64_C(0x2545f4914f6cdd1d) >> 16;
}

__attribute__((unused)) static bool
is_aligned(const void *p, size_t align)
{
    return ((uintptr_t)p & (align - 1)) == 0;
}

#endif
