// SPDX-License-Identifier: MIT
// small.c — a little of everything, the same output everywhere; used by valgrind.sh and qemu.sh.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t sum;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *left[4];

static size_t
work(size_t seed)
{
    unsigned char *blocks[64] = {NULL};
    size_t sizes[64] = {0}, total = 0, x = seed;
    for (int i = 0; i < 3000; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        size_t j = (x >> 40) % 64, size = 1 + (x >> 33) % (i % 100 == 0 ? 300000 : 2000);
        if (sizes[j] > 0) {
            total += blocks[j][0] + blocks[j][sizes[j] - 1];
        }
        if (i % 3 == 0) {
            blocks[j] = realloc(blocks[j], size);
        } else {
            free(blocks[j]);
            blocks[j] = i % 3 == 1 ? malloc(size) : calloc(1, size);
        }
        memset(blocks[j], i & 0xFF, size);
        sizes[j] = size;
    }
    for (int j = 0; j < 64; j++) {
        free(blocks[j]);
    }
    void *aligned;
    if (posix_memalign(&aligned, 4096, 100) != 0 || (size_t)aligned % 4096 != 0) {
        abort();
    }
    free(aligned);
    return total;
}

static void *
run(void *arg)
{
    size_t number = (size_t)arg, total = work(number + 1);
    left[number] = strdup("left by a thread");
    pthread_mutex_lock(&lock);
    sum += total;
    pthread_mutex_unlock(&lock);
    return NULL;
}

int
main(void)
{
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        if (pthread_create(&threads[i], NULL, run, (void *)i) != 0) {
            return 1;
        }
    }
    size_t total = work(99);
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        printf("%s\n", (char *)left[i]);
        free(left[i]);
    }
    printf("%zu\n", sum + total);
    return 0;
}
