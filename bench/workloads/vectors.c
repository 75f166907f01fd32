// SPDX-License-Identifier: MIT
// vectors.c — arrays that grow while others grow beside them, by realloc.
//
//   double   eight arrays, each grown from 16 bytes to 8 MiB by doubling
//   steps    four arrays, each grown from 4 KiB to 3 MiB by 4 KiB at a time
//
// What is added is written, as a program that appends does, and read once before the array is dropped.
#include "workload.h"

enum { MOST = 8, DOUBLE_ROUNDS = 14, STEP_ROUNDS = 14 };

typedef struct vector_s {
    unsigned char *bytes;
    size_t size;
} vector_t;

static void
grow(vector_t *v, size_t size, unsigned char mark)
{
    v->bytes = (unsigned char *)realloc(v->bytes, size);
    memset(v->bytes + v->size, mark, size - v->size);
    v->size = size;
}

static uint64_t
drop(vector_t *v)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < v->size; i += 64) {
        sum += v->bytes[i];
    }
    free(v->bytes);
    v->bytes = NULL;
    v->size = 0;
    return sum;
}

uint64_t
workload(workload_t *w)
{
    vector_t vectors[MOST] = {{NULL, 0}};
    uint64_t sum = 0;
    bool doubling = !is_variant(w, "steps");
    size_t count = doubling ? MOST : MOST / 2;
    size_t first = doubling ? 16 : 4096, last = doubling ? (size_t)8 << 20 : (size_t)3 << 20;
    long rounds = scaled(w, doubling ? DOUBLE_ROUNDS : STEP_ROUNDS);
    for (long round = 0; round < rounds; round++) {
        for (size_t size = first; size <= last; size = doubling ? 2 * size : size + 4096) {
            for (size_t i = 0; i < count; i++) {
                grow(&vectors[i], size, (unsigned char)((size >> 4) + i));
            }
        }
        for (size_t i = 0; i < count; i++) {
            sum += drop(&vectors[i]);
        }
    }
    return sum;
}
