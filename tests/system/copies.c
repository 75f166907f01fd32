// SPDX-License-Identifier: MIT
// copies.c — used by copies.sh: a plugin that has the whole library in it; and with HOST a program that
// has it, too, loads two of the plugins and uses all three from threads that come and go, the main one first.
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mimalloc.h"

void *get(size_t size);
void give(void *p);
int holds(const void *p);

#ifndef HOST
void *
get(size_t size)
{
    return mi_malloc(size);
}

void
give(void *p)
{
    mi_free(p);
}

int
holds(const void *p)
{
    return mi_is_in_heap_region(p);
}
#else
enum { COPIES = 3, ROUNDS = 40, THREADS = 4, BLOCKS = 200 };

typedef struct copy_t {
    void *(*get)(size_t size);
    void (*give)(void *p);
    int (*holds)(const void *p);
} copy_t;

static copy_t copies[COPIES];

static int
own_holds(const void *p)
{
    return mi_is_in_heap_region(p);
}

#define EXPECT(cond)                                                                                         \
    do {                                                                                                     \
        if (!(cond)) {                                                                                       \
            fprintf(stderr, "copies.c:%d: expected %s\n", __LINE__, #cond);                                  \
            _Exit(1);                                                                                        \
        }                                                                                                    \
    } while (0)

static void *
use(void *arg)
{
    char *blocks[COPIES][BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        for (size_t c = 0; c < COPIES; c++) {
            size_t size = 1 + i * i % 5000 + (i == 7 ? 100000 : 0);
            blocks[c][i] = copies[c].get(size);
            EXPECT(blocks[c][i] != NULL);
            memset(blocks[c][i], (int)c, size);
            for (size_t other = 0; other < COPIES; other++) {
                EXPECT(copies[other].holds(blocks[c][i]) == (other == c));
            }
        }
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        for (size_t c = 0; c < COPIES; c++) {
            EXPECT(blocks[c][i][0] == (char)c);
            copies[c].give(blocks[c][i]);
        }
    }
    return arg;
}

static void *
outlive_main(void *arg)
{
    pthread_t main_thread = *(pthread_t *)arg;
    EXPECT(pthread_join(main_thread, NULL) == 0);
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++) {
            EXPECT(pthread_create(&threads[i], NULL, use, NULL) == 0);
        }
        for (int i = 0; i < THREADS; i++) {
            EXPECT(pthread_join(threads[i], NULL) == 0);
        }
    }
    puts("copies: fine");
    exit(0);
}

int
main(int argc, char **argv)
{
    copies[0] = (copy_t){mi_malloc, mi_free, own_holds};
    for (int i = 1; i < COPIES && i < argc; i++) {
        void *plugin = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
        EXPECT(plugin != NULL);
        copies[i].get = (void *(*)(size_t))(uintptr_t)dlsym(plugin, "get");
        copies[i].give = (void (*)(void *))(uintptr_t)dlsym(plugin, "give");
        copies[i].holds = (int (*)(const void *))(uintptr_t)dlsym(plugin, "holds");
        EXPECT(copies[i].get != NULL && copies[i].give != NULL && copies[i].holds != NULL);
    }
    EXPECT(argc == COPIES);
    (void)use(NULL);
    static pthread_t self;
    self = pthread_self();
    pthread_t next;
    EXPECT(pthread_create(&next, NULL, outlive_main, &self) == 0);
    // The numbers of threads that have ended are used again: also the main one's.
    pthread_exit(NULL);
}
#endif
