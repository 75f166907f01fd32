// SPDX-License-Identifier: MIT
// threads_churn.c — many short threads, one after the other: memory stays flat.
// serial: yes
// timeout: 600
//
//   threads_churn [threads]
//
// Each thread allocates a little, frees most of it and leaves one block, which a later thread
// frees: every heap that a thread leaves behind has a live block in it for a while. Resident memory
// must not grow between the first tenth and the end. At both places what is free is collected, and the
// lowest of many samples counts: the figure is what threads leave behind, not what is on its way back.
#include "harness.h"

#include <limits.h>
#include <stdatomic.h>

enum { AT_ONCE = 8, LEFT_SLOTS = 64, BLOCKS = 24, MAX_GROWTH_KIB = 1024 };

static _Atomic(unsigned char *) left[LEFT_SLOTS];

static void *
run_short(void *arg)
{
    uint64_t random = random_seed((uint64_t)(uintptr_t)arg);
    unsigned char *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t size = 8 + random_below(&random, i == 0 ? 20000 : 500);
        blocks[i] = t_malloc(size);
        EXPECT(blocks[i] != NULL, "%zu bytes", size);
        memset(blocks[i], (int)i, 8);
    }
    for (size_t i = 1; i < BLOCKS; i++) {
        EXPECT(blocks[i][0] == i && blocks[i][7] == i, "block %p was overwritten", (void *)blocks[i]);
        t_free(blocks[i]);
    }
    unsigned char *old =
        atomic_exchange_explicit(&left[random_below(&random, LEFT_SLOTS)], blocks[0], memory_order_acq_rel);
    EXPECT(old == NULL || (old[0] == 0 && old[7] == 0), "block %p was overwritten", (void *)old);
    t_free(old);
    return NULL;
}

int
main(int argc, char **argv)
{
    long threads = argument(argc, argv, 1, 200000);
    EXPECT(threads >= 1000, "threads_churn [threads]");
    long warm = threads / 10;
    pthread_t running[AT_ONCE];
    // Samples are taken during the last threads of the first tenth, and of all.
    long span = threads / 50, before = LONG_MAX, after = LONG_MAX;
    double start = clock_seconds();
    for (long i = 0; i < threads + AT_ONCE; i++) {
        if (i >= AT_ONCE) {
            thread_join(running[i % AT_ONCE]);
        }
        if (i < threads) {
            running[i % AT_ONCE] = thread_start(run_short, (void *)(uintptr_t)i);
        }
        if (i % 16 == 0 && (i < warm ? i >= warm - span : i >= threads - span)) {
            long *lowest = i < warm ? &before : &after;
            collect_all();
            long sample = resident_kib();
            *lowest = sample < *lowest ? sample : *lowest;
        }
    }
    for (size_t i = 0; i < LEFT_SLOTS; i++) {
        t_free(atomic_load_explicit(&left[i], memory_order_acquire));
    }
    printf("threads_churn: %ld KiB after %ld threads, %ld KiB after %ld, %.1f s\n", before, warm, after,
           threads, clock_seconds() - start);
    fflush(stdout);
    EXPECT(after - before <= MAX_GROWTH_KIB, "%ld KiB more", after - before);
    return 0;
}
