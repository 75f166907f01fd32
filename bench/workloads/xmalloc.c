// SPDX-License-Identifier: MIT
// xmalloc.c — some threads only allocate, others only free.
//
// After Lever and Boreham, "malloc() performance in a multithreaded Linux environment" (2000): producers
// fill batches with blocks of random size and queue them, consumers take the batches off the queue and
// free what is in them, batch included.
#include "workload.h"

enum { PER_BATCH = 120, QUEUE_MOST = 60, BATCHES = 26000 };

typedef struct batch_s {
    struct batch_s *next;
    unsigned char *blocks[PER_BATCH];
} batch_t;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t filled, emptied;
    batch_t *first;
    int length;
    long left; // batches that are still to be taken
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER,
           .filled = PTHREAD_COND_INITIALIZER,
           .emptied = PTHREAD_COND_INITIALIZER};

static void
put(batch_t *b)
{
    pthread_mutex_lock(&queue.lock);
    while (queue.length >= QUEUE_MOST) {
        pthread_cond_wait(&queue.emptied, &queue.lock);
    }
    b->next = queue.first;
    queue.first = b;
    if (queue.length++ == 0) {
        pthread_cond_broadcast(&queue.filled);
    }
    pthread_mutex_unlock(&queue.lock);
}

// NULL: there will be no more.
static batch_t *
take(void)
{
    pthread_mutex_lock(&queue.lock);
    while (queue.length == 0 && queue.left > 0) {
        pthread_cond_wait(&queue.filled, &queue.lock);
    }
    batch_t *b = queue.left > 0 ? queue.first : NULL;
    if (b != NULL) {
        queue.first = b->next;
        queue.left--;
        // Producers go on when half the queue is empty, not one batch at a time.
        if (--queue.length == QUEUE_MOST / 2) {
            pthread_cond_broadcast(&queue.emptied);
        }
        if (queue.left == 0) {
            pthread_cond_broadcast(&queue.filled);
        }
    }
    pthread_mutex_unlock(&queue.lock);
    return b;
}

// Powers of two and what lies between, 8 to about 700 bytes.
static inline size_t
pick_size(uint64_t *random)
{
    size_t power = (size_t)8 << random_below(random, 6);
    return power + random_below(random, power) * 11 / 8;
}

static void
produce(thread_t *self)
{
    uint64_t random = random_seed(self->index);
    long count = scaled((const workload_t *)self->context, BATCHES);
    for (long i = 0; i < count; i++) {
        batch_t *b = (batch_t *)malloc(sizeof *b);
        for (int j = 0; j < PER_BATCH; j++) {
            b->blocks[j] = block_new(pick_size(&random), random);
        }
        put(b);
    }
}

static void
consume(thread_t *self)
{
    for (batch_t *b = take(); b != NULL; b = take()) {
        for (int j = 0; j < PER_BATCH; j++) {
            self->sum += block_free(b->blocks[j]);
        }
        free(b);
    }
}

static void
produce_or_consume(thread_t *self)
{
    if (self->index % 2 == 0) {
        produce(self);
    } else {
        consume(self);
    }
}

uint64_t
workload(workload_t *w)
{
    unsigned pairs = (w->threads + 1) / 2;
    queue.left = scaled(w, BATCHES) * (long)pairs;
    return run_threads(2 * pairs, produce_or_consume, w);
}
