// SPDX-License-Identifier: MIT
// malloc_large.c — buffers of 1 to 12 MiB, replaced at random, written from end to end.
//
// After the published description of mimalloc's test of large blocks: a few dozen of them are live, and
// each step frees one and allocates another of another size. One byte of every 4 KiB is written.
#include "workload.h"

enum { SLOTS = 20, STEPS = 320 };

static const size_t MIB = (size_t)1 << 20;

uint64_t
workload(workload_t *w)
{
    static unsigned char *buffers[SLOTS];
    uint64_t random = random_seed(0), sum = 0;
    long steps = scaled(w, STEPS);
    for (long step = 0; step < steps; step++) {
        size_t slot = random_below(&random, SLOTS);
        if (buffers[slot] != NULL) {
            sum += block_free(buffers[slot]);
        }
        size_t size = random_between(&random, MIB, 12 * MIB);
        buffers[slot] = (unsigned char *)malloc(size);
        touch_pages(buffers[slot], size, random);
    }
    for (size_t slot = 0; slot < SLOTS; slot++) {
        if (buffers[slot] != NULL) {
            sum += block_free(buffers[slot]);
        }
    }
    return sum;
}
