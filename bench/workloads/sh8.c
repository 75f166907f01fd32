// SPDX-License-Identifier: MIT
// sh8.c — sh6's batches, handed on to the next thread before they are freed.
//
// After the description of MicroQuill's sh8bench: many threads and small sizes, where blocks are freed in
// order and in reverse, and some by another thread than the one that allocated them. Here a thread frees
// a quarter of its batch itself, at once, and passes the rest to its neighbour.
#include "workload.h"

enum { BATCH = 8000, ROUNDS = 220, LARGEST = 1000 };

typedef struct exchange_s {
    unsigned char *blocks[BATCH];
} exchange_t;

static exchange_t handed[2][MAX_THREADS]; // by turns: one is filled while the other is freed
static pthread_barrier_t barrier;

static inline size_t
pick_size(uint64_t *random)
{
    size_t limit = random_between(random, 1, 32);
    return random_between(random, 1, limit * limit * LARGEST / 1024 + 1);
}

static uint64_t
free_neighbours(unsigned char **blocks)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < BATCH / 2; i++) {
        if (blocks[i] != NULL) {
            sum += block_free(blocks[i]);
        }
    }
    for (size_t i = BATCH; i-- > BATCH / 2;) {
        if (blocks[i] != NULL) {
            sum += block_free(blocks[i]);
        }
    }
    return sum;
}

static void
stress(thread_t *self)
{
    uint64_t random = random_seed(self->index), sum = 0;
    long rounds = scaled((const workload_t *)self->context, ROUNDS);
    unsigned neighbour = (self->index + 1) % self->count;
    for (long round = 0; round < rounds; round++) {
        unsigned char **blocks = handed[round & 1][self->index].blocks;
        for (size_t i = 0; i < BATCH; i++) {
            blocks[i] = block_new(pick_size(&random), random);
        }
        for (size_t i = 0; i < BATCH; i += 4) {
            sum += block_free(blocks[i]);
            blocks[i] = NULL;
        }
        // One barrier is enough: nobody is two rounds ahead, so nobody fills what is still being freed.
        pthread_barrier_wait(&barrier);
        sum += free_neighbours(handed[round & 1][neighbour].blocks);
    }
    self->sum = sum;
}

uint64_t
workload(workload_t *w)
{
    pthread_barrier_init(&barrier, NULL, w->threads);
    uint64_t sum = run_threads(w->threads, stress, w);
    pthread_barrier_destroy(&barrier);
    return sum;
}
