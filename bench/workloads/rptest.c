// SPDX-License-Identifier: MIT
// rptest.c — random sizes up to 16 KB, a part freed by other threads, threads that end and start again.
//
// After the published description of the benchmark of rpmalloc: each thread loops over a ring of blocks,
// frees some, allocates others with small sizes more likely than large ones, and now and then passes a
// list of blocks to another thread, which frees it.
#include "workload.h"

enum { RING = 3000, LOW = 16, HIGH = 16000, STEPS = 9000, FREED = 40, PASSED = 24, GENERATIONS = 4 };

typedef struct passed_s {
    struct passed_s *next;
    unsigned char *blocks[PASSED];
} passed_t;

typedef struct generation_s {
    unsigned number;
    long steps;
} generation_t;

// A mailbox for each thread: anybody pushes, the owner takes all.
static struct {
    passed_t *first; // atomic: any thread
    char padding[120];
} mailboxes[MAX_THREADS];

static void
mailbox_push(unsigned index, passed_t *list)
{
    passed_t *first = __atomic_load_n(&mailboxes[index].first, __ATOMIC_RELAXED);
    do {
        list->next = first;
    } while (!__atomic_compare_exchange_n(&mailboxes[index].first, &first, list, true, __ATOMIC_RELEASE,
                                          __ATOMIC_RELAXED));
}

static uint64_t
mailbox_empty(unsigned index)
{
    uint64_t sum = 0;
    if (__atomic_load_n(&mailboxes[index].first, __ATOMIC_RELAXED) == NULL) {
        return 0;
    }
    passed_t *list = __atomic_exchange_n(&mailboxes[index].first, NULL, __ATOMIC_ACQUIRE);
    while (list != NULL) {
        passed_t *next = list->next;
        for (int i = 0; i < PASSED; i++) {
            sum += block_free(list->blocks[i]);
        }
        free(list);
        list = next;
    }
    return sum;
}

// The chance falls with the square of the size.
static inline size_t
pick_size(uint64_t *random)
{
    uint64_t x = random_below(random, 1024), y = random_below(random, 1024), z = random_below(random, 1024);
    return LOW + (size_t)(x * y * z * (HIGH - LOW) >> 30);
}

static void
stress(thread_t *self)
{
    const generation_t *g = (const generation_t *)self->context;
    uint64_t random = random_seed(g->number * MAX_THREADS + self->index), sum = 0;
    unsigned char **ring = (unsigned char **)calloc(RING, sizeof *ring);
    size_t at = 0;
    for (long step = 0; step < g->steps; step++) {
        for (int i = 0; i < FREED; i++) {
            // No common factor with the ring: all slots are reached, and no neighbours in a row.
            at = (at + 7) % RING;
            if (ring[at] != NULL) {
                sum += block_free(ring[at]);
            }
            ring[at] = block_new(pick_size(&random), random);
        }
        if (step % 4 == 3) {
            passed_t *list = (passed_t *)malloc(sizeof *list);
            for (int i = 0; i < PASSED; i++) {
                list->blocks[i] = block_new(pick_size(&random), random);
            }
            mailbox_push((self->index + 1) % self->count, list);
        }
        sum += mailbox_empty(self->index);
    }
    for (size_t i = 0; i < RING; i++) {
        if (ring[i] != NULL) {
            sum += block_free(ring[i]);
        }
    }
    free(ring);
    self->sum = sum;
}

uint64_t
workload(workload_t *w)
{
    uint64_t sum = 0;
    for (unsigned generation = 0; generation < GENERATIONS; generation++) {
        generation_t g = {generation, scaled(w, STEPS)};
        sum += run_threads(w->threads, stress, &g);
    }
    for (unsigned t = 0; t < w->threads; t++) {
        sum += mailbox_empty(t);
    }
    return sum;
}
