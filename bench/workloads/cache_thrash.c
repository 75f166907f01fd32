// SPDX-License-Identifier: MIT
// cache_thrash.c — active false sharing: threads that allocate at the same time must not get one cache line.
//
// After the description of Berger's cache-thrash: each thread allocates a small block, writes to it many
// times and frees it, over and over.
#include "workload.h"

enum { SIZE = 8, ROUNDS = 30000, WRITES = 10000 };

static void
thrash(thread_t *self)
{
    long rounds = scaled((const workload_t *)self->context, ROUNDS);
    for (long round = 0; round < rounds; round++) {
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
    return run_threads(w->threads, thrash, w);
}
