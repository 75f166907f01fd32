// SPDX-License-Identifier: MIT
// threads_idle.c — very many threads at once, of which each has allocated once and then waits.
//
// A server with a thread for each connection: what the allocator keeps for a thread counts ten thousand
// times. Two rounds of the same threads, without an allocation in the thread and with one, are compared
// while all of them wait; what a thread takes otherwise, its stack above all, is in both.
#include "workload.h"

enum { THREADS = 10000, STACK_BYTES = 64 << 10, BLOCK = 100 };

static pthread_barrier_t all_wait, all_go;

static void *
allocate_and_wait(void *argument)
{
    unsigned char *p = *(bool *)argument ? block_new(BLOCK, 1) : NULL;
    pthread_barrier_wait(&all_wait);
    pthread_barrier_wait(&all_go);
    return (void *)(p == NULL ? (uintptr_t)0 : (uintptr_t)block_free(p));
}

// Resident memory while all threads wait; adds up what the threads return.
static long
resident_with(pthread_t *threads, unsigned count, bool allocate, uint64_t *sum)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    for (unsigned i = 0; i < count; i++) {
        if (pthread_create(&threads[i], &attributes, allocate_and_wait, &allocate) != 0) {
            fprintf(stderr, "only %u threads can be started here\n", i);
            exit(1);
        }
    }
    pthread_barrier_wait(&all_wait);
    long resident = resident_kib();
    pthread_barrier_wait(&all_go);
    for (unsigned i = 0; i < count; i++) {
        void *got;
        pthread_join(threads[i], &got);
        *sum += (uintptr_t)got;
    }
    pthread_attr_destroy(&attributes);
    return resident;
}

uint64_t
workload(workload_t *w)
{
    static pthread_t threads[THREADS];
    uint64_t sum = 0;
    unsigned count = (unsigned)scaled(w, THREADS);
    count = count > THREADS ? THREADS : count < 100 ? 100 : count;
    pthread_barrier_init(&all_wait, NULL, count + 1);
    pthread_barrier_init(&all_go, NULL, count + 1);
    long without = resident_with(threads, count, false, &sum);
    long with = resident_with(threads, count, true, &sum);
    w->thread_bytes = (with - without) * 1024 / (long)count;
    pthread_barrier_destroy(&all_wait);
    pthread_barrier_destroy(&all_go);
    return sum;
}
