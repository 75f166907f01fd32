// SPDX-License-Identifier: MIT
// big_vectors.c — vectors of about 1 MB, filled, summed and dropped, in every thread.
//
// Numerical and image code: a handful of large buffers is live at any time, and each is written from end
// to end soon after it was allocated. Returning one to the system at once costs a page fault for every 4
// KiB of the next.
#include "workload.h"

enum { LIVE = 4, WORDS = 131072, VECTORS = 3200 };

static void
fill_and_drop(thread_t *self)
{
    uint64_t *live[LIVE] = {NULL};
    uint64_t random = random_seed(self->index), sum = 0;
    long vectors = scaled((const workload_t *)self->context, VECTORS);
    for (long i = 0; i < vectors; i++) {
        uint64_t **slot = &live[i % LIVE];
        if (*slot != NULL) {
            sum += (*slot)[random_below(&random, WORDS / 2)];
            free(*slot);
        }
        size_t words = random_between(&random, WORDS / 2, WORDS);
        *slot = (uint64_t *)malloc(words * sizeof **slot);
        for (size_t j = 0; j < words; j++) {
            (*slot)[j] = (uint64_t)i + j;
        }
    }
    for (size_t i = 0; i < LIVE; i++) {
        free(live[i]);
    }
    self->sum = sum;
}

uint64_t
workload(workload_t *w)
{
    return run_threads(w->threads, fill_and_drop, w);
}
