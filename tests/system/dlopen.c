// SPDX-License-Identifier: MIT
// dlopen.c — used by dlopen.sh: opens the library, uses it, closes it, and goes on using its blocks.
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECT(cond, text)                                                                                   \
    do {                                                                                                     \
        if (!(cond)) {                                                                                       \
            fprintf(stderr, "dlopen.c:%d: expected %s: %s\n", __LINE__, #cond, text);                        \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

typedef void *malloc_t(size_t size);
typedef void free_t(void *p);

static malloc_t *mi_malloc;
static free_t *mi_free;
static pthread_barrier_t closed;

static void *
run(void *arg)
{
    char *block = mi_malloc(1000);
    memset(block, 1, 1000);
    pthread_barrier_wait(&closed);
    mi_free(arg);
    block[999] = 2;
    return block; // the thread ends after the library was closed
}

static void *
find(void *library, const char *name)
{
    void *symbol = dlsym(library, name);
    EXPECT(symbol != NULL, dlerror());
    return symbol;
}

int
main(int argc, char **argv)
{
    if (argc != 2) {
        return 2;
    }
    for (int round = 0; round < 50; round++) {
        // With RTLD_DEEPBIND a library would see its own malloc and the program another.
        void *library = dlopen(argv[1], RTLD_NOW | (round % 3 == 0 ? RTLD_GLOBAL : RTLD_LOCAL) |
                                            (round % 3 == 2 ? RTLD_DEEPBIND : 0));
        EXPECT(library != NULL, dlerror());
        mi_malloc = (malloc_t *)(intptr_t)find(library, "mi_malloc");
        mi_free = (free_t *)(intptr_t)find(library, "mi_free");
        char *text = strdup("kept");
        void *block = mi_malloc(100000);
        pthread_t thread;
        pthread_barrier_init(&closed, NULL, 2);
        EXPECT(pthread_create(&thread, NULL, run, block) == 0, "a thread");
        EXPECT(dlclose(library) == 0, dlerror());
        pthread_barrier_wait(&closed);
        void *left;
        pthread_join(thread, &left);
        EXPECT(((char *)left)[999] == 2, "a block of a thread that ended");
        mi_free(left);
        EXPECT(strcmp(text, "kept") == 0, "a block of the program");
        free(text);
    }
    puts("dlopen: fine");
    return 0;
}
