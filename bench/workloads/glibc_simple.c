// SPDX-License-Identifier: MIT
// glibc_simple.c — runs of equal blocks, allocated and freed again.
//
// After the description of the malloc-simple test among glibc's benchmarks: for a range of sizes, a small
// or large number of blocks is allocated, then freed in the same order, and again.
#include "workload.h"

enum { LOWEST = 16, HIGHEST = 1024, MOST = 1600, PAIRS = 5200000 };

uint64_t
workload(workload_t *w)
{
    static const int counts[] = {25, 100, 400, MOST};
    static unsigned char *blocks[MOST];
    uint64_t sum = 0;
    for (size_t size = LOWEST; size <= HIGHEST; size *= 2) {
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
            int count = counts[c];
            long rounds = scaled(w, PAIRS / (7 * 4)) / count + 1;
            for (long round = 0; round < rounds; round++) {
                for (int i = 0; i < count; i++) {
                    blocks[i] = block_new(size, (uint64_t)i);
                }
                for (int i = 0; i < count; i++) {
                    sum += block_free(blocks[i]);
                }
            }
        }
    }
    return sum;
}
