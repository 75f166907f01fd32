// SPDX-License-Identifier: MIT
// threads.c — threads that come and go, and free each other's blocks, when the system refuses.
#include "fault.h"

enum { SLOTS = 256, STEPS = 400, CHILDREN = 3 };

// Blocks that wait to be freed by whoever comes by.
static _Atomic(held_t *) slots[SLOTS];

static void
small_regions(void)
{
    mi_option_set(mi_option_region_size, 4 << 10);
}

static void
exchange(size_t slot, held_t *mine)
{
    held_t *other = atomic_exchange(&slots[slot], mine);
    if (other != NULL) {
        held_t held = *other;
        drop(&held);
        free(other);
    }
}

static void
trade(void)
{
    static const size_t sizes[] = {16, 100, 1000, 9000, 80000, 600000};
    static atomic_uint seeds;
    uint64_t random = atomic_fetch_add(&seeds, 1) * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (int i = 0; i < STEPS; i++) {
        random = random * UINT64_C(6364136223846793005) + 1;
        size_t size = sizes[random >> 60 < 6 ? random >> 60 : 1];
        held_t *mine = malloc(sizeof *mine);
        MUST(mine != NULL);
        errno = 0;
        *mine = hold(mi_malloc(size), size, 16, false);
        exchange((random >> 33) % SLOTS, mine);
    }
}

static void
trade_and_clear(void)
{
    trade();
    // Of two that do this the later one finds the rest.
    for (size_t i = 0; i < SLOTS; i++) {
        exchange(i, NULL);
    }
}

static void *
child(void *arg)
{
    trade();
    return arg;
}

// Threads end while others free their blocks; their heaps are taken over.
static void
come_and_go(void)
{
    for (int round = 0; round < 3; round++) {
        pthread_t threads[CHILDREN];
        for (int i = 0; i < CHILDREN; i++) {
            MUST(pthread_create(&threads[i], NULL, child, NULL) == 0);
        }
        for (int i = 0; i < CHILDREN; i++) {
            MUST(pthread_join(threads[i], NULL) == 0);
        }
        mi_collect(true);
    }
    trade_and_clear();
    mi_collect(true);
}

static const scenario_t scenarios[] = {
    {"trade", small_regions, trade_and_clear, 4},
    {"come and go", small_regions, come_and_go, 1},
    {"come and go", small_regions, come_and_go, 2},
};

int
main(int argc, char **argv)
{
    return run_all(scenarios, sizeof scenarios / sizeof scenarios[0], argc, argv);
}
