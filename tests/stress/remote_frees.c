// SPDX-License-Identifier: MIT
// remote_frees.c — blocks freed by another thread than the one that allocated them.
//
//   remote_frees [messages]
//
// Four patterns: two threads that send blocks to each other; several that only allocate and several
// that only free; one that frees while the owner of the blocks is ending; a ring of threads that
// pass blocks on. Each checks what is in the blocks, and that memory stays bounded by what is in
// flight, not by what has passed.
#include "harness.h"

#include <sched.h>
#include <stdatomic.h>

enum {
    QUEUE_SIZE = 1024,
    PAIRS = 3,
    RING = 4,
    ENDING_BLOCKS = 400,
    MAX_GROWTH_KIB = 32 * 1024,
    MESSAGE_BYTES = 60000,
    MESSAGE_WORDS = 2 + MESSAGE_BYTES / sizeof(size_t),
};

// One writer, one reader.
typedef struct queue_s {
    _Alignas(128) atomic_size_t written;
    _Alignas(128) atomic_size_t read;
    void *items[QUEUE_SIZE];
} queue_t;

static queue_t queues[PAIRS * 2];
static long messages;

static void
queue_put(queue_t *queue, void *item)
{
    size_t at = atomic_load_explicit(&queue->written, memory_order_relaxed);
    while (at - atomic_load_explicit(&queue->read, memory_order_acquire) == QUEUE_SIZE) {
        sched_yield();
    }
    queue->items[at % QUEUE_SIZE] = item;
    atomic_store_explicit(&queue->written, at + 1, memory_order_release);
}

static void *
queue_get(queue_t *queue)
{
    size_t at = atomic_load_explicit(&queue->read, memory_order_relaxed);
    while (atomic_load_explicit(&queue->written, memory_order_acquire) == at) {
        sched_yield();
    }
    void *item = queue->items[at % QUEUE_SIZE];
    atomic_store_explicit(&queue->read, at + 1, memory_order_release);
    return item;
}

// The first word of a block is its size, and so is the last one.
static void *
new_message(uint64_t *random)
{
    size_t limit = random_below(random, 200) == 0 ? MESSAGE_BYTES : 500;
    size_t words = 2 + random_below(random, limit) / sizeof(size_t);
    size_t *block = t_malloc(words * sizeof *block);
    EXPECT(block != NULL, "%zu words", words);
    block[0] = words;
    block[words - 1] = words;
    return block;
}

static void
free_message(void *message)
{
    size_t *block = message;
    EXPECT(block[0] >= 2 && block[0] <= MESSAGE_WORDS && block[block[0] - 1] == block[0],
           "block %p was overwritten", message);
    t_free(block);
}

static void *
run_sender(void *arg)
{
    queue_t *queue = arg;
    uint64_t random = random_seed((uint64_t)(queue - queues));
    for (long i = 0; i < messages; i++) {
        queue_put(queue, new_message(&random));
    }
    return NULL;
}

static void *
run_receiver(void *arg)
{
    for (long i = 0; i < messages; i++) {
        free_message(queue_get(arg));
    }
    return NULL;
}

// Sends on the first queue, receives on the second; its partner does the opposite.
static void *
run_both_ways(void *arg)
{
    queue_t *out = arg, *in = &queues[(out - queues) ^ 1];
    uint64_t random = random_seed((uint64_t)(out - queues) + 100);
    // Never more in flight than the queue holds, or both would wait for each other.
    for (long i = 0; i < messages; i++) {
        queue_put(out, new_message(&random));
        if (i % QUEUE_SIZE == QUEUE_SIZE - 1) {
            for (long j = 0; j < QUEUE_SIZE; j++) {
                free_message(queue_get(in));
            }
        }
    }
    for (long j = 0; j < messages % QUEUE_SIZE; j++) {
        free_message(queue_get(in));
    }
    return NULL;
}

// Passes every block on, and replaces one in eight.
static void *
run_ring(void *arg)
{
    queue_t *out = arg, *in = &queues[((size_t)(out - queues) + RING - 1) % RING];
    uint64_t random = random_seed((uint64_t)(out - queues) + 200);
    for (size_t i = 0; i < QUEUE_SIZE / 2; i++) {
        queue_put(out, new_message(&random));
    }
    for (long i = 0; i < messages; i++) {
        void *message = queue_get(in);
        if (i % 8 == 0) {
            free_message(message);
            message = new_message(&random);
        }
        queue_put(out, message);
    }
    for (size_t i = 0; i < QUEUE_SIZE / 2; i++) {
        free_message(queue_get(in));
    }
    return NULL;
}

static _Atomic(void *) handed[ENDING_BLOCKS];

// Hands its blocks over one by one and ends right after the last one.
static void *
run_ending(void *arg)
{
    uint64_t random = random_seed((uint64_t)(uintptr_t)arg + 300);
    for (size_t i = 0; i < ENDING_BLOCKS; i++) {
        atomic_store_explicit(&handed[i], new_message(&random), memory_order_release);
    }
    return NULL;
}

static void
free_while_owner_ends(size_t number)
{
    // In turn: keep up with the owner, or come late and free the blocks around its end.
    size_t from = number % 2 == 0 ? 0 : ENDING_BLOCKS - 1 - number % 64;
    pthread_t owner = thread_start(run_ending, (void *)(uintptr_t)number);
    for (size_t n = 0; n < ENDING_BLOCKS; n++) {
        size_t i = (from + n) % ENDING_BLOCKS;
        void *message;
        while ((message = atomic_exchange_explicit(&handed[i], NULL, memory_order_acquire)) == NULL) {
            sched_yield();
        }
        free_message(message);
    }
    thread_join(owner);
}

static void
report(const char *what, long before, double start)
{
    long growth = resident_kib() - before;
    printf("remote_frees: %-24s %6.2f s, %ld KiB more\n", what, clock_seconds() - start, growth);
    fflush(stdout);
#ifndef STRESS_MI
    EXPECT(growth <= MAX_GROWTH_KIB, "%ld KiB more", growth);
#endif
}

static void
run_pairs(const char *what, void *(*even)(void *), void *(*odd)(void *), size_t queue_of_odd)
{
    pthread_t threads[PAIRS * 2];
    long before = resident_kib();
    double start = clock_seconds();
    for (size_t i = 0; i < PAIRS; i++) {
        threads[2 * i] = thread_start(even, &queues[2 * i]);
        threads[2 * i + 1] = thread_start(odd, &queues[2 * i + queue_of_odd]);
    }
    for (size_t i = 0; i < PAIRS * 2; i++) {
        thread_join(threads[i]);
    }
    report(what, before, start);
}

int
main(int argc, char **argv)
{
    messages = argument(argc, argv, 1, 1500000);
    EXPECT(messages >= 1, "remote_frees [messages]");

    run_pairs("both ways", run_both_ways, run_both_ways, 1);
    run_pairs("one sends, one frees", run_sender, run_receiver, 0);

    long before = resident_kib();
    double start = clock_seconds();
    pthread_t ring[RING];
    for (size_t i = 0; i < RING; i++) {
        ring[i] = thread_start(run_ring, &queues[i]);
    }
    for (size_t i = 0; i < RING; i++) {
        thread_join(ring[i]);
    }
    report("ring", before, start);

    before = resident_kib();
    start = clock_seconds();
    size_t ends = (size_t)messages / 600;
    for (size_t i = 0; i < ends; i++) {
        free_while_owner_ends(i);
    }
    report("owner ends", before, start);
    return 0;
}
