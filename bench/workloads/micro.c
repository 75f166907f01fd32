// SPDX-License-Identifier: MIT
// micro.c — one thing at a time: the time of a single malloc and free in twelve situations.
//
//   pair16          16 bytes, freed at once
//   batch64         a thousand blocks of 64 bytes, then all of them freed in the same order
//   random_small    8 to 1031 bytes, a thousand slots, random ones replaced
//   random_medium   1025 to 17408 bytes, likewise
//   pair100k        100 KB, freed at once; the first byte written
//   pair1m          1 MiB, likewise
//   fill1m          1,000,000 bytes, all of them written, freed
//   realloc_double  one block grown from 16 bytes to 1 MiB by doubling
//   realloc_steps   one block grown from 100 bytes to 200 KB by 100 bytes at a time
//   calloc          zeroed blocks of 16 to 2063 bytes, a thousand slots, random ones replaced
//   producer        100 bytes, allocated by one thread and freed by another
//   fresh_thread    20,000 blocks of 16 to 255 bytes, allocated here and freed in a fresh thread
//
// An operation is a malloc with its free, or one realloc.
#include "workload.h"

enum { SLOTS = 1000, RING = 4096, FRESH = 20000 };

static unsigned char *slots[FRESH];

// Keeps the compiler from dropping a malloc that is freed unused.
static inline unsigned char *
opaque(void *p)
{
    __asm__ volatile("" : "+r"(p) : : "memory");
    return (unsigned char *)p;
}

static uint64_t
run_pairs(long count, size_t size)
{
    uint64_t sum = 0;
    for (long i = 0; i < count; i++) {
        unsigned char *p = opaque(malloc(size));
        p[0] = (unsigned char)i;
        sum += p[0];
        free(opaque(p));
    }
    return sum;
}

static uint64_t
run_pair16(long count)
{
    return run_pairs(count, 16);
}

static uint64_t
run_pair100k(long count)
{
    return run_pairs(count, 100000);
}

static uint64_t
run_pair1m(long count)
{
    return run_pairs(count, (size_t)1 << 20);
}

static uint64_t
run_batch64(long count)
{
    uint64_t sum = 0;
    for (long i = 0; i < count; i += SLOTS) {
        for (long j = 0; j < SLOTS; j++) {
            slots[j] = block_new(64, (uint64_t)j);
        }
        for (long j = 0; j < SLOTS; j++) {
            sum += block_free(slots[j]);
        }
    }
    return sum;
}

// Sizes low to low + mask, each as likely as the others.
static inline uint64_t
run_random(long count, size_t low, size_t mask, bool zeroed)
{
    uint64_t random = random_seed(0), sum = 0;
    for (size_t j = 0; j < SLOTS; j++) {
        slots[j] = block_new(low + (random_next(&random) & mask), random);
    }
    for (long i = 0; i < count; i++) {
        uint64_t x = random_next(&random);
        size_t j = (x >> 20) % SLOTS, size = low + (x & mask);
        sum += block_free(slots[j]);
        if (zeroed) {
            slots[j] = opaque(calloc(1, size));
            sum += slots[j][size - 1];
            slots[j][0] = (unsigned char)x;
        } else {
            slots[j] = block_new(size, x);
        }
    }
    for (size_t j = 0; j < SLOTS; j++) {
        sum += block_free(slots[j]);
    }
    return sum;
}

static uint64_t
run_random_small(long count)
{
    return run_random(count, 8, 1023, false);
}

static uint64_t
run_random_medium(long count)
{
    return run_random(count, 1025, 16383, false);
}

static uint64_t
run_calloc(long count)
{
    return run_random(count, 16, 2047, true);
}

static uint64_t
run_fill1m(long count)
{
    uint64_t sum = 0;
    for (long i = 0; i < count; i++) {
        unsigned char *p = opaque(malloc(1000000));
        memset(p, (int)i, 1000000);
        sum += p[500000];
        free(opaque(p));
    }
    return sum;
}

static uint64_t
run_realloc_double(long count)
{
    uint64_t sum = 0;
    for (long i = 0; i < count;) {
        unsigned char *p = NULL;
        for (size_t size = 16; size <= (size_t)1 << 20; size *= 2, i++) {
            p = opaque(realloc(p, size));
            p[size - 1] = (unsigned char)i;
        }
        sum += p[((size_t)1 << 20) - 1];
        free(p);
    }
    return sum;
}

static uint64_t
run_realloc_steps(long count)
{
    uint64_t sum = 0;
    for (long i = 0; i < count;) {
        unsigned char *p = NULL;
        for (size_t size = 100; size <= 200000; size += 100, i++) {
            p = opaque(realloc(p, size));
            p[size - 1] = (unsigned char)i;
        }
        sum += p[200000 - 1];
        free(p);
    }
    return sum;
}

// A ring between two threads. The indices only grow; each has its own cache line.
static struct {
    unsigned char *blocks[RING];
    _Alignas(128) long filled;
    _Alignas(128) long emptied;
} ring;

static void
consume(thread_t *self)
{
    long count = *(const long *)self->context;
    for (long i = 0; i < count;) {
        long filled = __atomic_load_n(&ring.filled, __ATOMIC_ACQUIRE);
        if (filled == i) {
            sched_yield();
            continue;
        }
        for (; i < filled; i++) {
            self->sum += block_free(ring.blocks[i % RING]);
        }
        __atomic_store_n(&ring.emptied, i, __ATOMIC_RELEASE);
    }
}

static void
produce(thread_t *self)
{
    enum { CHUNK = 64 };
    long count = *(const long *)self->context;
    for (long i = 0; i < count;) {
        if (i - __atomic_load_n(&ring.emptied, __ATOMIC_ACQUIRE) > RING - CHUNK) {
            sched_yield();
            continue;
        }
        for (long last = i + CHUNK < count ? i + CHUNK : count; i < last; i++) {
            ring.blocks[i % RING] = block_new(100, (uint64_t)i);
        }
        __atomic_store_n(&ring.filled, i, __ATOMIC_RELEASE);
    }
}

static void
produce_or_consume(thread_t *self)
{
    if (self->index == 0) {
        produce(self);
    } else {
        consume(self);
    }
}

static uint64_t
run_producer(long count)
{
    return run_threads(2, produce_or_consume, &count);
}

static void
free_all(thread_t *self)
{
    for (size_t j = 0; j < FRESH; j++) {
        self->sum += block_free(slots[j]);
    }
}

static uint64_t
run_fresh_thread(long count)
{
    uint64_t random = random_seed(0), sum = 0;
    for (long i = 0; i < count; i += FRESH) {
        for (size_t j = 0; j < FRESH; j++) {
            slots[j] = block_new(random_between(&random, 16, 255), random);
        }
        sum += run_threads(1, free_all, NULL);
    }
    return sum;
}

uint64_t
workload(workload_t *w)
{
    static const struct {
        const char *name;
        uint64_t (*run)(long count);
        long count;
    } variants[] = {
        {"pair16", run_pair16, 50000000},
        {"batch64", run_batch64, 40000000},
        {"random_small", run_random_small, 24000000},
        {"random_medium", run_random_medium, 7000000},
        {"pair100k", run_pair100k, 4000000},
        {"pair1m", run_pair1m, 800000},
        {"fill1m", run_fill1m, 12000},
        {"realloc_double", run_realloc_double, 400000},
        {"realloc_steps", run_realloc_steps, 8000000},
        {"calloc", run_calloc, 6000000},
        {"producer", run_producer, 10000000},
        {"fresh_thread", run_fresh_thread, 6000000},
    };
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        if (is_variant(w, variants[i].name)) {
            long count = scaled(w, variants[i].count);
            w->operations = (uint64_t)count;
            return variants[i].run(count);
        }
    }
    fprintf(stderr, "micro: no variant '%s'\n", w->variant);
    exit(2);
}
