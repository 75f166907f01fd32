// SPDX-License-Identifier: MIT
// calloc_sparse.c — zeroed tables of which little is ever used.
//
// Hash tables, bitmaps and page tables are allocated zeroed and large, and then touched here and there.
// An allocator that knows which memory is zero already has nothing to do, and keeps nothing resident.
#include "workload.h"

enum { SLOTS = 24, STEPS = 3000, TOUCHED = 6 };

uint64_t
workload(workload_t *w)
{
    static uint64_t *tables[SLOTS];
    uint64_t random = random_seed(0), sum = 0;
    long steps = scaled(w, STEPS);
    for (long step = 0; step < steps; step++) {
        size_t slot = random_below(&random, SLOTS);
        free(tables[slot]);
        // 64 KiB to 4 MiB
        size_t size = (size_t)65536 << random_below(&random, 7);
        size_t count = size / sizeof(uint64_t);
        tables[slot] = (uint64_t *)calloc(count, sizeof(uint64_t));
        for (int i = 0; i < TOUCHED; i++) {
            uint64_t *word = &tables[slot][random_below(&random, count)];
            sum += *word;
            *word += (uint64_t)step;
        }
    }
    for (size_t slot = 0; slot < SLOTS; slot++) {
        free(tables[slot]);
    }
    return sum;
}
