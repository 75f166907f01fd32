// SPDX-License-Identifier: MIT
// harness.h — what the stress programs share: failing, random numbers, clock, resident memory, threads.
//
// The programs call plain malloc and free and run with the library preloaded; they also run without
// it, so that a failure can be told from a mistake in the test. Built with STRESS_MI they call the
// mi_ functions of a library linked statically, which is how the sanitizers see them.
#ifndef STRESS_HARNESS_H
#define STRESS_HARNESS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef STRESS_MI
#include <dlfcn.h>
#else
#include <mimalloc.h>
#define t_malloc mi_malloc
#define t_calloc mi_calloc
#define t_realloc mi_realloc
#define t_free mi_free
#define t_memalign mi_posix_memalign
#define t_usable mi_usable_size
#endif
#ifndef STRESS_MI
#define t_malloc malloc
#define t_calloc calloc
#define t_realloc realloc
#define t_free free
#define t_memalign posix_memalign
#define t_usable malloc_usable_size
#endif

// Ends the process with a message when `cond` does not hold.
#define EXPECT(cond, ...)                                                                                    \
    do {                                                                                                     \
        if (!(cond)) {                                                                                       \
            fail_at(__FILE__, __LINE__, #cond);                                                              \
            fprintf(stderr, "  " __VA_ARGS__);                                                               \
            fputc('\n', stderr);                                                                             \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

static inline void
fail_at(const char *file, int line, const char *cond)
{
    fprintf(stderr, "%s:%d: expected %s (errno %d)\n", file, line, cond, errno);
}

static inline uint64_t
random_next(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    return x;
}

// A state that differs for every `seed`, never 0.
static inline uint64_t
random_seed(uint64_t seed)
{
    uint64_t x = (seed + 1) * 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    return (x ^ (x >> 27)) | 1;
}

// A number below `limit`.
static inline size_t
random_below(uint64_t *state, size_t limit)
{
    return (size_t)((random_next(state) >> 16) % limit);
}

static inline double
clock_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// Resident memory of this process in KiB, from smaps_rollup where it exists: the counter in
// /proc/self/status may be off by some pages per thread. Reads with system calls only: it must not
// allocate what it measures.
static inline long
resident_kib(void)
{
#if defined(_WIN32) && defined(STRESS_MI)
    size_t bytes = 0;
    mi_process_info(NULL, NULL, NULL, &bytes, NULL, NULL, NULL, NULL);
    return (long)(bytes / 1024);
#else
    static const char *const files[] = {"/proc/self/smaps_rollup", "/proc/self/status"};
    static const char *const keys[] = {"\nRss:", "\nVmRSS:"};
    for (int i = 0; i < 2; i++) {
        char text[4096];
        int fd = open(files[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            continue;
        }
        ssize_t length = read(fd, text, sizeof text - 1);
        close(fd);
        if (length > 0) {
            text[length] = '\0';
            const char *found = strstr(text, keys[i]);
            if (found != NULL) {
                return atol(found + strlen(keys[i]));
            }
        }
    }
    return -1;
#endif
}

static inline pthread_t
thread_start(void *(*run)(void *arg), void *arg)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, run, arg);
    EXPECT(error == 0, "pthread_create: %s", strerror(error));
    return thread;
}

static inline void *
thread_join(pthread_t thread)
{
    void *result = NULL;
    int error = pthread_join(thread, &result);
    EXPECT(error == 0, "pthread_join: %s", strerror(error));
    return result;
}

// Argument `index` as a number, or `fallback` when it is not given.
static inline long
argument(int argc, char **argv, int index, long fallback)
{
    return argc > index ? atol(argv[index]) : fallback;
}

static inline void
collect_all(void)
{
#ifdef STRESS_MI
    mi_collect(true);
#else
    void (*mi_collect)(bool force) = (void (*)(bool))(intptr_t)dlsym(RTLD_DEFAULT, "mi_collect");
    if (mi_collect != NULL) {
        mi_collect(true);
    } else {
        malloc_trim(0);
    }
#endif
}

#endif
