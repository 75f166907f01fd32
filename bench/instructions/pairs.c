// SPDX-License-Identifier: MIT
// pairs.c — four loops of malloc and free whose instructions are counted by run.py.
//
//   pairs lifo N      16 bytes, freed at once
//   pairs batch N     a thousand blocks of 64 bytes, then all of them freed in the same order
//   pairs small N     8 to 1031 bytes at random, in a thousand slots
//   pairs medium N    1025 to 17408 bytes at random, in a thousand slots
//
// N is the number of malloc+free pairs. Nothing reads or writes the blocks: what is counted is the
// allocator, the two calls through the PLT, and a loop of 7 to 25 instructions. What happens
// outside the loops cancels out when two runs of different N are subtracted. A yardstick for the
// loops themselves: gperftools 2.10 needs 76, 80, 98 and 101.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 1000 };

static void *slots[SLOTS];

// Keeps the compiler from dropping a malloc that is freed unused.
static inline void *
opaque(void *p)
{
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}

// Marsaglia's xorshift64: three shifts, no multiplication, full period.
static inline uint64_t
next_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    return x;
}

static void
run_lifo(long pairs)
{
    for (long i = 0; i < pairs; i++) {
        free(opaque(malloc(16)));
    }
}

static void
run_batch(long pairs)
{
    for (long i = 0; i < pairs; i += SLOTS) {
        for (int j = 0; j < SLOTS; j++) {
            slots[j] = malloc(64);
        }
        for (int j = 0; j < SLOTS; j++) {
            free(slots[j]);
        }
    }
}

// Sizes low to low + mask, each as likely as the others.
static inline void
run_random(long pairs, size_t low, size_t mask)
{
    uint64_t state = 0x9E3779B97F4A7C15u;
    for (int j = 0; j < SLOTS; j++) {
        slots[j] = malloc(low + (next_random(&state) & mask));
    }
    for (long i = 0; i < pairs; i++) {
        uint64_t x = next_random(&state);
        size_t j = (x >> 20) % SLOTS;
        free(slots[j]);
        slots[j] = malloc(low + (x & mask));
    }
}

static void
run_small(long pairs)
{
    run_random(pairs, 8, 1023);
}

static void
run_medium(long pairs)
{
    run_random(pairs, 1025, 16383);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(long pairs);
    } modes[] = {
        {"lifo", run_lifo},
        {"batch", run_batch},
        {"small", run_small},
        {"medium", run_medium},
    };
    if (argc != 3) {
        return 2;
    }
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(argv[1], modes[i].name) == 0) {
            modes[i].run(atol(argv[2]));
            return 0;
        }
    }
    return 2;
}
