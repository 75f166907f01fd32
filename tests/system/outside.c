// SPDX-License-Identifier: MIT
// outside.c — allocates, frees, and tells which blocks it has, for outside.py to find from outside.
//
// Prints "ADDRESS USABLE" for each live block, then "end", and waits for a line; with the argument "abort" it
// aborts then, so that it leaves a core. Standard output and input are not buffered: they would allocate.
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCKS = 6000, THREADS = 3 };

static void *kept[THREADS + 1][BLOCKS];
static pthread_barrier_t barrier;

static size_t
size_of(uint64_t *random)
{
    *random = *random * UINT64_C(6364136223846793005) + 1442695040888963407;
    unsigned value = (unsigned)(*random >> 40);
    return value % 97 == 0 ? 70000 + value % 200000 : value % 11 == 0 ? value % 20000 : value % 300;
}

static void
fill(unsigned index)
{
    uint64_t random = index + 1;
    for (unsigned i = 0; i < BLOCKS; i++) {
        kept[index][i] = malloc(size_of(&random));
    }
}

static void
drop(void **block)
{
    free(*block);
    *block = NULL;
}

// Frees some of its own, and some of its neighbour's, which it then holds back.
static void *
work(void *arg)
{
    unsigned index = (unsigned)(uintptr_t)arg;
    fill(index);
    pthread_barrier_wait(&barrier);
    for (unsigned i = index % 2; i < BLOCKS; i += 3) {
        drop(&kept[index][i]);
    }
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < BLOCKS / 4; i++) {
        drop(&kept[index % THREADS + 1][i]);
    }
    pthread_barrier_wait(&barrier); // the last one ends here, the others stay
    if (index != THREADS) {
        pause();
    }
    return NULL;
}

int
main(int argc, char **argv)
{
    static char line[64];
    static pthread_t threads[THREADS + 1];
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    fill(0);
    for (unsigned i = 0; i < BLOCKS; i += 2) {
        drop(&kept[0][i]);
    }
    malloc_trim(0); // gives OS pages inside of pages back
    for (uintptr_t i = 1; i <= THREADS; i++) {
        pthread_create(&threads[i], NULL, work, (void *)i);
    }
    for (unsigned i = 0; i < 3; i++) {
        pthread_barrier_wait(&barrier);
    }
    pthread_join(threads[THREADS], NULL);
    for (unsigned index = 0; index <= THREADS; index++) {
        for (unsigned i = 0; i < BLOCKS; i++) {
            void *block = kept[index][i];
            if (block != NULL) {
                int length = snprintf(line, sizeof line, "%#lx %zu\n", (unsigned long)(uintptr_t)block,
                                      malloc_usable_size(block));
                if (write(1, line, (size_t)length) != length) {
                    return 1;
                }
            }
        }
    }
    ssize_t done = write(1, "end\n", 4);
    done += read(0, line, 1);
    if (argc > 1 && strcmp(argv[1], "abort") == 0) {
        abort();
    }
    return done < 0;
}
