// SPDX-License-Identifier: MIT
// workload.h — what the benchmark programs share: arguments, random numbers, threads, the report.
//
//   PROGRAM [THREADS [SCALE [VARIANT]]]
//
// A program defines workload(): a fixed amount of work, and a checksum of what it computed that is the
// same under every allocator and every interleaving of its threads. main() measures the work, then looks
// at the resident memory once all is freed, and again after BENCH_IDLE_MS (environment, default 100) of
// idle time. The report is one line of name=value. Nothing here allocates.
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { MAX_THREADS = 256 };

typedef struct workload_s {
    unsigned threads;
    double scale; // 1: a third of a second to a second
    const char *variant;
    uint64_t operations; // set by programs that do one thing many times: time per operation is printed
    long thread_bytes;   // set by the one that finds out what a thread keeps
} workload_t;

// Defined by the program. All memory is freed and all threads are joined on return.
uint64_t workload(workload_t *w);

// How often to do what is done `count` times at scale 1: at least once.
static inline long
scaled(const workload_t *w, long count)
{
    long n = (long)((double)count * w->scale);
    return n < 1 ? 1 : n;
}

static inline bool
is_variant(const workload_t *w, const char *name)
{
    return strcmp(w->variant, name) == 0;
}

// ---- random numbers ----

// A different stream for each index; never 0, which xorshift would stay at.
static inline uint64_t
random_seed(uint64_t index)
{
    uint64_t x = (index + 1) * 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    return x | 1;
}

// Marsaglia's xorshift64.
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

// 0 to below - 1.
static inline size_t
random_below(uint64_t *state, size_t below)
{
    return (size_t)((random_next(state) >> 16) % below);
}

static inline size_t
random_between(uint64_t *state, size_t low, size_t high)
{
    return low + random_below(state, high - low + 1);
}

// ---- blocks ----

// A block whose first and last bytes carry a mark, as a program would fill it.
static inline unsigned char *
block_new(size_t size, uint64_t mark)
{
    unsigned char *p = (unsigned char *)malloc(size);
    p[size - 1] = (unsigned char)mark;
    p[0] = (unsigned char)mark;
    return p;
}

// Gives the mark back.
static inline uint64_t
block_free(unsigned char *p)
{
    uint64_t mark = p[0];
    free(p);
    return mark;
}

static inline void
touch_pages(unsigned char *p, size_t size, uint64_t mark)
{
    for (size_t i = 0; i < size; i += 4096) {
        p[i] = (unsigned char)mark;
    }
}

// ---- threads ----

typedef struct thread_s {
    pthread_t handle;
    unsigned index;
    unsigned count; // of threads that run beside each other
    void *context;
    uint64_t sum;
    void (*body)(struct thread_s *self);
} thread_t;

static inline void *
thread_main(void *argument)
{
    thread_t *self = (thread_t *)argument;
    self->body(self);
    return NULL;
}

static inline void
thread_start(thread_t *t)
{
    if (pthread_create(&t->handle, NULL, thread_main, t) != 0) {
        abort();
    }
}

// Runs body in `count` fresh threads; the sum of what each left in self->sum.
static inline uint64_t
run_threads(unsigned count, void (*body)(thread_t *self), void *context)
{
    static thread_t threads[MAX_THREADS];
    uint64_t sum = 0;
    for (unsigned i = 0; i < count; i++) {
        threads[i].index = i;
        threads[i].count = count;
        threads[i].context = context;
        threads[i].sum = 0;
        threads[i].body = body;
        thread_start(&threads[i]);
    }
    for (unsigned i = 0; i < count; i++) {
        pthread_join(threads[i].handle, NULL);
        sum += threads[i].sum;
    }
    return sum;
}

// ---- the report ----

static inline long
micros(struct timeval t)
{
    return (long)t.tv_sec * 1000000 + (long)t.tv_usec;
}

static inline long
now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long)t.tv_sec * 1000000 + (long)t.tv_nsec / 1000;
}

// The kernel counts resident pages in batches for each CPU; this file walks the page tables and is exact.
static inline long
resident_kib(void)
{
    char text[1024];
    int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    text[length < 0 ? 0 : length] = '\0';
    const char *line = strstr(text, "\nRss:");
    return line == NULL ? -1 : atol(line + 5);
}

int
main(int argc, char **argv)
{
    workload_t w = {1, 1, "", 0, 0};
    if (argc > 1) {
        w.threads = (unsigned)atoi(argv[1]);
    }
    if (argc > 2) {
        w.scale = atof(argv[2]);
    }
    if (argc > 3) {
        w.variant = argv[3];
    }
    if (w.threads < 1 || w.threads > MAX_THREADS || w.scale <= 0) {
        fprintf(stderr, "usage: %s [THREADS [SCALE [VARIANT]]]\n", argv[0]);
        return 2;
    }
    long start = now_us();
    uint64_t checksum = workload(&w);
    long wall = now_us() - start;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    long after = resident_kib(), idle = after;
    const char *pause = getenv("BENCH_IDLE_MS");
    long pause_ms = pause == NULL ? 100 : atol(pause);
    if (pause_ms > 0) {
        usleep((useconds_t)pause_ms * 1000);
        idle = resident_kib();
    }
    char line[512];
    int length =
        snprintf(line, sizeof line,
                 "checksum=%016llx operations=%llu wall_us=%ld user_us=%ld system_us=%ld "
                 "faults=%ld after_kib=%ld idle_kib=%ld thread_bytes=%ld\n",
                 (unsigned long long)checksum, (unsigned long long)w.operations, wall, micros(usage.ru_utime),
                 micros(usage.ru_stime), usage.ru_minflt + usage.ru_majflt, after, idle, w.thread_bytes);
    return write(STDOUT_FILENO, line, (size_t)length) == length ? 0 : 1;
}

#endif
