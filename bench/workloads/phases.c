// SPDX-License-Identifier: MIT
// phases.c — fragmentation over time: the sizes shift from phase to phase, and a part of each phase stays.
//
// Each phase allocates 24 MiB of blocks of its own sizes, frees nine tenths of them at random, and leaves
// the rest live until three phases later. What the peak exceeds the live bytes by is memory that no later
// size could use.
#include "workload.h"

enum { PHASES = 24, OVERLAP = 3, SIZES = 8, PHASE_BYTES = 24 << 20 };

typedef struct phase_s {
    unsigned char **blocks;
    size_t count;
} phase_t;

static const struct {
    size_t low, high;
} sizes[SIZES] = {{16, 64},  {48, 200},     {300, 900}, {1000, 5000},
                  {24, 100}, {4000, 20000}, {150, 500}, {30000, 100000}};

static void
fill(phase_t *p, size_t low, size_t high, size_t bytes, uint64_t *random)
{
    // As many as there could be, were they all small; what is not used is never touched.
    p->blocks = (unsigned char **)malloc(bytes / low * sizeof *p->blocks);
    p->count = 0;
    for (size_t used = 0; used + high <= bytes;) {
        size_t size = random_between(random, low, high);
        unsigned char *block = block_new(size, *random);
        touch_pages(block, size, *random);
        p->blocks[p->count++] = block;
        used += size;
    }
}

// Frees all but one in ten, in random order.
static uint64_t
thin(phase_t *p, uint64_t *random)
{
    uint64_t sum = 0;
    for (size_t left = p->count, keep = p->count / 10; left > keep; left--) {
        size_t i = random_below(random, left);
        sum += block_free(p->blocks[i]);
        p->blocks[i] = p->blocks[left - 1];
    }
    p->count /= 10;
    return sum;
}

static uint64_t
drop(phase_t *p)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < p->count; i++) {
        sum += block_free(p->blocks[i]);
    }
    free(p->blocks);
    *p = (phase_t){NULL, 0};
    return sum;
}

uint64_t
workload(workload_t *w)
{
    phase_t phases[OVERLAP] = {{NULL, 0}};
    uint64_t random = random_seed(0), sum = 0;
    size_t bytes = (size_t)scaled(w, PHASE_BYTES);
    bytes = bytes < 200000 ? 200000 : bytes;
    for (size_t i = 0; i < PHASES; i++) {
        phase_t *p = &phases[i % OVERLAP];
        sum += drop(p);
        fill(p, sizes[i % SIZES].low, sizes[i % SIZES].high, bytes, &random);
        sum += thin(p, &random);
    }
    for (size_t i = 0; i < OVERLAP; i++) {
        sum += drop(&phases[i]);
    }
    return sum;
}
