// SPDX-License-Identifier: MIT
// larson.c — a server whose threads end and hand what they hold to their successors.
//
// After Larson and Krishnan, "Memory allocation for long-running server applications" (1998): each thread
// has an array of blocks of random size and replaces random ones; after some time it starts a successor,
// gives it the array and ends. So most blocks are freed by another thread than the one that allocated
// them. The first blocks are all made by the main thread and dealt out.
#include "workload.h"

enum { SLOTS = 5000, LOW = 8, HIGH = 1000, GENERATIONS = 12 };

typedef struct chain_s {
    unsigned char *slots[SLOTS];
    uint64_t random;
    uint64_t sum;
    long replacements; // in one generation
    thread_t generations[GENERATIONS];
} chain_t;

static chain_t chains[MAX_THREADS];

static void
serve(thread_t *self)
{
    chain_t *c = (chain_t *)self->context;
    uint64_t random = c->random, sum = c->sum;
    for (long i = 0; i < c->replacements; i++) {
        size_t slot = random_below(&random, SLOTS);
        sum += block_free(c->slots[slot]);
        c->slots[slot] = block_new(random_between(&random, LOW, HIGH), random);
    }
    c->random = random;
    c->sum = sum;
    if (self->index + 1 < GENERATIONS) {
        thread_start(&c->generations[self->index + 1]);
    }
}

uint64_t
workload(workload_t *w)
{
    uint64_t random = random_seed(0), sum = 0;
    for (size_t slot = 0; slot < SLOTS; slot++) {
        // Neighbours go to different threads.
        for (unsigned t = 0; t < w->threads; t++) {
            chains[t].slots[slot] = block_new(random_between(&random, LOW, HIGH), random);
        }
    }
    for (unsigned t = 0; t < w->threads; t++) {
        chain_t *c = &chains[t];
        c->random = random_seed(t + 1);
        c->replacements = scaled(w, 450000);
        for (unsigned g = 0; g < GENERATIONS; g++) {
            c->generations[g] = (thread_t){.index = g, .context = c, .body = serve};
        }
        thread_start(&c->generations[0]);
    }
    // A thread's handle is there once its predecessor has ended.
    for (unsigned g = 0; g < GENERATIONS; g++) {
        for (unsigned t = 0; t < w->threads; t++) {
            pthread_join(chains[t].generations[g].handle, NULL);
        }
    }
    for (unsigned t = 0; t < w->threads; t++) {
        for (size_t slot = 0; slot < SLOTS; slot++) {
            sum += block_free(chains[t].slots[slot]);
        }
        sum += chains[t].sum;
    }
    return sum;
}
