// SPDX-License-Identifier: MIT
// live_million.c — a million live blocks of mixed sizes, random ones replaced.
//
// The heap of a large index or cache: far more than the processor's caches hold, so that every access of
// the allocator to what it keeps about a block may miss.
#include "workload.h"

enum { LIVE = 1000000, REPLACED = 1000000 };

// 16 to 143 bytes; one in thirty 144 to 1200.
static inline size_t
pick_size(uint64_t *random)
{
    return random_below(random, 30) == 0 ? random_between(random, 144, 1200)
                                         : random_between(random, 16, 143);
}

uint64_t
workload(workload_t *w)
{
    size_t live = (size_t)scaled(w, LIVE);
    unsigned char **blocks = (unsigned char **)malloc(live * sizeof *blocks);
    uint64_t random = random_seed(0), sum = 0;
    for (size_t i = 0; i < live; i++) {
        blocks[i] = block_new(pick_size(&random), random);
    }
    long replaced = scaled(w, REPLACED);
    for (long step = 0; step < replaced; step++) {
        size_t i = random_below(&random, live);
        sum += block_free(blocks[i]);
        blocks[i] = block_new(pick_size(&random), random);
    }
    for (size_t i = 0; i < live; i++) {
        sum += block_free(blocks[i]);
    }
    free(blocks);
    return sum;
}
