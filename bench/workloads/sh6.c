// SPDX-License-Identifier: MIT
// sh6.c — batches of blocks, freed in bulk: in order, in reverse, and some only batches later.
//
// After the description of MicroQuill's sh6bench: a stress of many small sizes, the smaller the more
// often, where some blocks are freed first in first out, others last in first out, and some are kept for
// a while. The threads do not share anything.
#include "workload.h"

enum { BATCH = 12000, LARGEST = 1000, KEPT = 8, BATCHES = 150 };

typedef struct batch_s {
    unsigned char *blocks[BATCH];
} batch_t;

static batch_t batches[MAX_THREADS];
static batch_t kept[MAX_THREADS];

// 1 to LARGEST, where 8 bytes are about a thousand times as frequent as LARGEST.
static inline size_t
pick_size(uint64_t *random)
{
    size_t limit = random_between(random, 1, 32);
    return random_between(random, 1, limit * limit * LARGEST / 1024 + 1);
}

static void
stress(thread_t *self)
{
    unsigned char **blocks = batches[self->index].blocks, **old = kept[self->index].blocks;
    uint64_t random = random_seed(self->index), sum = 0;
    long count = scaled((const workload_t *)self->context, BATCHES);
    size_t held = 0;
    for (long round = 0; round <= count; round++) {
        for (size_t i = 0; i < BATCH; i++) {
            blocks[i] = block_new(pick_size(&random), random);
        }
        // Every eighth block stays; what stayed the last time goes, oldest first.
        for (size_t i = 0; i < held; i++) {
            sum += block_free(old[i]);
        }
        held = 0;
        for (size_t i = 0; i < BATCH; i += KEPT) {
            old[held++] = blocks[i];
            blocks[i] = NULL;
        }
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
    }
    for (size_t i = 0; i < held; i++) {
        sum += block_free(old[i]);
    }
    self->sum = sum;
}

uint64_t
workload(workload_t *w)
{
    return run_threads(w->threads, stress, w);
}
