// SPDX-License-Identifier: MIT
// glibc_thread.c — each thread replaces random blocks of a small working set.
//
// After the description of the malloc-thread test among glibc's benchmarks: a thousand slots, sizes of 4
// bytes to 32 KiB whose chance falls as they grow, a block freed and another allocated at each step.
#include "workload.h"

enum { SLOTS = 1024, LOW = 4, STEPS = 9000000 };

// Each doubling of the size is half as likely as the one before, up to 32 KiB.
static inline size_t
pick_size(uint64_t *random)
{
    uint64_t x = random_next(random) >> 8;
    unsigned doublings = (unsigned)__builtin_ctzll(x | 1u << 12);
    size_t size = (size_t)LOW << doublings;
    return size + (size_t)(x >> 20) % size;
}

static void
replace(thread_t *self)
{
    unsigned char *blocks[SLOTS];
    uint64_t random = random_seed(self->index), sum = 0;
    long steps = scaled((const workload_t *)self->context, STEPS);
    for (size_t i = 0; i < SLOTS; i++) {
        blocks[i] = block_new(pick_size(&random), random);
    }
    for (long step = 0; step < steps; step++) {
        size_t i = random_below(&random, SLOTS);
        sum += block_free(blocks[i]);
        blocks[i] = block_new(pick_size(&random), random);
    }
    for (size_t i = 0; i < SLOTS; i++) {
        sum += block_free(blocks[i]);
    }
    self->sum = sum;
}

uint64_t
workload(workload_t *w)
{
    return run_threads(w->threads, replace, w);
}
