// SPDX-License-Identifier: MIT
// profile.c — a program that holds 8.0 MB, allocated from 100 stacks in sizes from 16 B to 1 MB, and prints
// what each of them holds.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STACKS = 100, BLOCKS_MAX = 200000 };

static void *kept[BLOCKS_MAX];
static size_t blocks;

// Stack i is ten calls of which digit d of i chooses the one on the way there.
typedef void hold_t(unsigned index, size_t size, size_t count);

#define HOLD(digit)                                                                                          \
    static __attribute__((noinline)) void hold_##digit(unsigned index, size_t size, size_t count)            \
    {                                                                                                        \
        (void)index;                                                                                         \
        while (count-- > 0) {                                                                                \
            char *p = malloc(size);                                                                          \
            memset(p, 1, size < 64 ? size : 64);                                                             \
            kept[blocks++] = p;                                                                              \
            /* What is not held must not count. */                                                           \
            void *gone = malloc(size);                                                                       \
            __asm__ volatile("" : "+r"(gone));                                                               \
            free(gone);                                                                                      \
        }                                                                                                    \
        __asm__ volatile("");                                                                                \
    }
#define WAY(digit)                                                                                           \
    static __attribute__((noinline)) void way_##digit(unsigned index, size_t size, size_t count)             \
    {                                                                                                        \
        holds[index % 10](index, size, count);                                                               \
        __asm__ volatile("");                                                                                \
    }
#define TEN(what) what(0) what(1) what(2) what(3) what(4) what(5) what(6) what(7) what(8) what(9)
#define LIST(name) name##0, name##1, name##2, name##3, name##4, name##5, name##6, name##7, name##8, name##9

TEN(HOLD)
static hold_t *const holds[] = {LIST(hold_)};
TEN(WAY)
static hold_t *const ways[] = {LIST(way_)};

int
main(void)
{
    // The first stack holds one block of 1 MB, the second one of 600 KB, and three hold 500 KB in small
    // ones; the others have a seventieth or less each, in sizes that grow from 16 B to 40 KB.
    size_t total = 0;
    double size = 16;
    for (unsigned i = 0; i < STACKS; i++, size *= 1.082) {
        size_t own = i == 0   ? 1000000
                     : i == 1 ? 600000
                     : i == 2 ? 48
                     : i == 3 ? 500
                     : i == 4 ? 5000
                              : (size_t)size;
        size_t count = i < 2 ? 1 : (i < 5 ? 500000 : 51600) / own;
        count = count == 0 ? 1 : count;
        // The last one fills up to 8.0 MB, in blocks of 1 KB.
        if (i == STACKS - 1) {
            own = 1000;
            count = (8000000 - total) / own;
        }
        ways[i / 10](i, own, count);
        printf("way_%u;hold_%u %zu %zu\n", i / 10, i % 10, own, own * count);
        total += own * count;
    }
    printf("total 0 %zu\n", total);
    return 0;
}
