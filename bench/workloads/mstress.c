// SPDX-License-Identifier: MIT
// mstress.c — threads with unequal loads that come and go, swap blocks with each other and leave some behind.
//
// After the published description of mimalloc's stress test: a server-like pattern where sizes are powers
// of two and a bit, blocks wander from thread to thread, some live long, and after each phase all threads
// end and new ones start while part of the blocks survives.
#include "workload.h"

enum { PHASES = 9, SHARED = 1000, ROUNDS = 60, LOCAL = 2500 };

static unsigned char *shared[SHARED];
static pthread_mutex_t shared_locks[16];
static long rounds_at_least;

// Mostly one to eight words, one in a hundred up to 4 KiB, one in ten thousand up to 512 KiB.
static size_t
pick_size(uint64_t *random)
{
    size_t chance = random_below(random, 10000);
    size_t words = (size_t)1 << random_below(random, 4);
    if (chance == 0) {
        words <<= 13;
    } else if (chance < 100) {
        words <<= 6;
    }
    return (words + random_below(random, words)) * sizeof(void *);
}

// Puts p (or nothing) into a shared slot and takes what was there.
static unsigned char *
swap_shared(size_t slot, unsigned char *p)
{
    pthread_mutex_t *lock = &shared_locks[slot % 16];
    pthread_mutex_lock(lock);
    unsigned char *old = shared[slot];
    shared[slot] = p;
    pthread_mutex_unlock(lock);
    return old;
}

static inline uint64_t
block_drop(unsigned char *p)
{
    return p == NULL ? 0 : block_free(p);
}

static void
stress(thread_t *self)
{
    unsigned phase = *(unsigned *)self->context;
    uint64_t random = random_seed(phase * MAX_THREADS + self->index), sum = 0;
    // The first thread does the most.
    long rounds = rounds_at_least + rounds_at_least / (long)(self->index + 1);
    unsigned char **local = (unsigned char **)calloc(LOCAL, sizeof *local);
    unsigned char **old = (unsigned char **)calloc(LOCAL, sizeof *old);
    for (long round = 0; round < rounds; round++) {
        for (size_t i = 0; i < LOCAL; i++) {
            sum += block_drop(local[i]);
            local[i] = block_new(pick_size(&random), random);
            if (random_below(&random, 8) == 0) {
                size_t slot = random_below(&random, LOCAL);
                sum += block_drop(old[slot]);
                old[slot] = local[i];
                local[i] = NULL;
            } else if (random_below(&random, 10) == 0) {
                local[i] = swap_shared(random_below(&random, SHARED), local[i]);
            }
        }
        for (size_t i = 0; i < LOCAL; i++) {
            sum += block_drop(local[i]);
            local[i] = NULL;
        }
    }
    for (size_t i = 0; i < LOCAL; i++) {
        sum += block_drop(old[i]);
    }
    free(local);
    free(old);
    self->sum = sum;
}

uint64_t
workload(workload_t *w)
{
    uint64_t sum = 0;
    rounds_at_least = scaled(w, ROUNDS);
    for (size_t i = 0; i < 16; i++) {
        pthread_mutex_init(&shared_locks[i], NULL);
    }
    for (unsigned phase = 0; phase < PHASES; phase++) {
        sum += run_threads(w->threads, stress, &phase);
        // Half of what lies in the shared slots survives into the next phase.
        for (size_t i = phase % 2; i < SHARED; i += 2) {
            sum += block_drop(shared[i]);
            shared[i] = NULL;
        }
    }
    for (size_t i = 0; i < SHARED; i++) {
        sum += block_drop(shared[i]);
        shared[i] = NULL;
    }
    return sum;
}
