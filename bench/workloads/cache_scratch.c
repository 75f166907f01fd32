// SPDX-License-Identifier: MIT
// cache_scratch.c — passive false sharing: threads free small neighbours that one thread allocated.
//
// After the description of Berger's cache-scratch: the main thread allocates one small block for each
// thread. The threads free theirs, then allocate blocks of the same size and write to them many times. An
// allocator that hands a freed neighbour back to the thread that freed it has them write to the same
// cache line ever after.
#include "workload.h"

enum { SIZE = 8, ROUNDS = 1500, WRITES = 200000 };

typedef struct setup_s {
    long rounds;
    unsigned char *first[MAX_THREADS];
} setup_t;

static setup_t setup;

static void
scratch(thread_t *self)
{
    free(setup.first[self->index]);
    for (long round = 0; round < setup.rounds; round++) {
        volatile unsigned char *p = (volatile unsigned char *)malloc(SIZE);
        for (int i = 0; i < WRITES; i++) {
            p[i % SIZE] = (unsigned char)(p[i % SIZE] + 1);
        }
        p[0] = (unsigned char)round;
        self->sum += p[0];
        free((void *)p);
    }
}

uint64_t
workload(workload_t *w)
{
    setup.rounds = scaled(w, ROUNDS);
    for (unsigned t = 0; t < w->threads; t++) {
        setup.first[t] = block_new(SIZE, t);
    }
    return run_threads(w->threads, scratch, NULL);
}
