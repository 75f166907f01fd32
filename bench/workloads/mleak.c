// SPDX-License-Identifier: MIT
// mleak.c — very many threads that live shortly: what they leave behind must be found again.
//
// After the published description of mimalloc's test for leaks by ending threads: wave after wave of
// threads start, allocate, free most of it and end. A few blocks of each thread outlive it and are freed
// by the main thread a few waves later. Memory that is lost with a thread shows as a peak that grows with
// the number of waves.
#include "workload.h"

enum { WAVES = 1400, BLOCKS = 900, LEFT = 60, KEPT_WAVES = 4 };

typedef struct leavings_s {
    unsigned char *blocks[LEFT];
} leavings_t;

static leavings_t leavings[KEPT_WAVES][MAX_THREADS];

static void
live_shortly(thread_t *self)
{
    unsigned char *blocks[BLOCKS];
    long wave = *(long *)self->context;
    leavings_t *left = &leavings[wave % KEPT_WAVES][self->index];
    uint64_t random = random_seed((uint64_t)wave * MAX_THREADS + self->index), sum = 0;
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t high = random_below(&random, 40) == 0 ? 20000 : 600;
        blocks[i] = block_new(random_between(&random, 8, high), random);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        if (i % (BLOCKS / LEFT) == 0) {
            left->blocks[i / (BLOCKS / LEFT)] = blocks[i];
        } else {
            sum += block_free(blocks[i]);
        }
    }
    self->sum = sum;
}

static uint64_t
free_leavings(leavings_t *wave, unsigned threads)
{
    uint64_t sum = 0;
    for (unsigned t = 0; t < threads; t++) {
        for (size_t i = 0; i < LEFT; i++) {
            if (wave[t].blocks[i] != NULL) {
                sum += block_free(wave[t].blocks[i]);
                wave[t].blocks[i] = NULL;
            }
        }
    }
    return sum;
}

uint64_t
workload(workload_t *w)
{
    uint64_t sum = 0;
    long waves = scaled(w, WAVES);
    for (long wave = 0; wave < waves; wave++) {
        sum += free_leavings(leavings[wave % KEPT_WAVES], w->threads);
        sum += run_threads(w->threads, live_shortly, &wave);
    }
    for (size_t i = 0; i < KEPT_WAVES; i++) {
        sum += free_leavings(leavings[i], w->threads);
    }
    return sum;
}
