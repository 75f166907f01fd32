// SPDX-License-Identifier: MIT
// join_frees.c — pthread_join of glibc drops the stacks of ended threads, and frees what belonged to them,
// under a lock that pthread_create takes: a free that starts a thread hangs there.
#include "harness.h"

enum { THREADS = 3000, STACK = 64 << 10, ROUNDS = 4, BLOCKS = 1 };

static pthread_barrier_t all_here;

// Leaves free memory behind, so that a helper is wanted.
static void *
run(void *arg)
{
    void *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = t_malloc(100);
        memset(blocks[i], 1, 100);
    }
    pthread_barrier_wait(&all_here);
    for (int i = 0; i < BLOCKS; i++) {
        t_free(blocks[i]);
    }
    return arg;
}

int
main(void)
{
    pthread_t threads[THREADS];
    pthread_attr_t attributes;
    EXPECT(pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, STACK) == 0,
           "attributes");
    alarm(120);
    for (int round = 0; round < ROUNDS; round++) {
        pthread_barrier_init(&all_here, NULL, THREADS);
        for (int i = 0; i < THREADS; i++) {
            EXPECT(pthread_create(&threads[i], &attributes, run, NULL) == 0, "thread %d", i);
        }
        for (int i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
        }
        pthread_barrier_destroy(&all_here);
        usleep(round % 3 * 500 * 1000);
    }
    printf("%d threads joined\n", THREADS * ROUNDS);
    return 0;
}
