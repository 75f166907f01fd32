// SPDX-License-Identifier: MIT
// test_api_limit.c — limits on memory: nothing beyond the hard one; above the soft one free memory goes
// back.
#include "api_test.h"

enum { MIB_ = 1024 * 1024, LIMIT_MIB = 256, MAX_BLOCKS = 200000 };

static char *blocks[MAX_BLOCKS];
static int soft_calls;
static int hard_calls;
static int freed_in_call;

static size_t
held_now(void)
{
    size_t held = 0;
    mi_memory_limit_get(NULL, NULL, &held);
    return held;
}

static void
count_call(bool hard, size_t held, size_t limit, void *arg)
{
    EXPECT(arg == &soft_calls);
    EXPECT(limit > 0);
    EXPECT(hard || held > limit);
    hard_calls += hard;
    soft_calls += !hard;
    // It may allocate and free.
    mi_free(mi_malloc(100));
    if (hard && freed_in_call > 0) {
        freed_in_call--;
        mi_free(blocks[freed_in_call]);
        blocks[freed_in_call] = NULL;
    }
}

// Blocks of `size` until there is no more; how many.
static int
fill_up(size_t size)
{
    int count = 0;
    while (count < MAX_BLOCKS) {
        errno = 0;
        blocks[count] = (char *)mi_malloc(size);
        if (blocks[count] == NULL) {
            EXPECT(errno == ENOMEM);
            return count;
        }
        memset(blocks[count], 1, size);
        count++;
    }
    EXPECT(!"there is an end");
    return count;
}

static void
free_all(int count)
{
    for (int i = 0; i < count; i++) {
        mi_free(blocks[i]);
    }
}

static void
test_hard(void)
{
    size_t hard = 0;
    mi_memory_limit_set(0, (size_t)LIMIT_MIB * MIB_);
    mi_memory_limit_get(NULL, &hard, NULL);
    EXPECT(hard == (size_t)LIMIT_MIB * MIB_);
    static const size_t sizes[] = {3000, 50000, 200000, 5 * MIB_, 100 * MIB_};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int count = fill_up(sizes[i]);
        EXPECT(held_now() <= (size_t)LIMIT_MIB * MIB_);
        // Most of it could be had, whatever was there before and is free now.
        EXPECT((size_t)count * sizes[i] > (size_t)LIMIT_MIB * MIB_ * 3 / 4 || sizes[i] > 20 * MIB_);
        EXPECT_FAILS(mi_malloc(opaque((size_t)LIMIT_MIB * MIB_)), ENOMEM);
        // It goes on below the limit.
        if (count > 1) {
            mi_free(blocks[count - 1]);
            blocks[count - 1] = (char *)mi_malloc(sizes[i]);
            EXPECT(blocks[count - 1] != NULL);
        }
        errno = 0;
        void *grown = mi_realloc(blocks[0], (size_t)LIMIT_MIB * MIB_);
        EXPECT(grown == NULL && errno == ENOMEM);
        free_all(count);
    }
    mi_memory_limit_set(0, 0);
    void *p = mi_malloc((size_t)LIMIT_MIB * MIB_);
    EXPECT(p != NULL);
    mi_free(p);
    mi_collect(true);
}

static void
test_hard_is_told(void)
{
    mi_register_memory_limit(count_call, &soft_calls);
    mi_memory_limit_set(0, (size_t)LIMIT_MIB * MIB_);
    hard_calls = 0;
    int count = fill_up(MIB_);
    EXPECT(hard_calls == 1);
    // What is freed in the call makes room for the block that was asked for.
    freed_in_call = 3;
    void *p = mi_malloc(2 * MIB_);
    EXPECT(hard_calls >= 2);
    mi_free(p);
    freed_in_call = 0;
    free_all(count);
    EXPECT(soft_calls == 0);
    mi_memory_limit_set(0, 0);
    mi_collect(true);
}

static void
test_soft(void)
{
    size_t soft = 100 * (size_t)MIB_;
    mi_memory_limit_set(soft, 0);
    soft_calls = hard_calls = 0;
    for (int i = 0; i < 90; i++) {
        blocks[i] = (char *)mi_malloc(MIB_);
        memset(blocks[i], 1, MIB_);
    }
    EXPECT(soft_calls == 0);
    // Free memory goes back before the limit is passed.
    free_all(80);
    for (int i = 0; i < 2; i++) {
        char *large = (char *)mi_malloc(85 * (size_t)MIB_);
        EXPECT(large != NULL && held_now() <= soft + 2 * MIB_);
        mi_free(large);
    }
    EXPECT(soft_calls == 0);
    for (int i = 0; i < 80; i++) {
        blocks[i] = (char *)mi_malloc(MIB_);
    }
    // Passed: told once, and nothing fails.
    for (int i = 90; i < 300; i++) {
        blocks[i] = (char *)mi_malloc(MIB_);
        EXPECT(blocks[i] != NULL);
    }
    EXPECT(soft_calls == 1 && hard_calls == 0);
    free_all(300);
    mi_free(mi_malloc(MIB_));
    // Once more when it was well below in between.
    for (int i = 0; i < 300; i++) {
        blocks[i] = (char *)mi_malloc(MIB_);
    }
    EXPECT(soft_calls == 2);
    free_all(300);
    mi_register_memory_limit(NULL, NULL);
    mi_memory_limit_set(0, 0);
}

int
main(void)
{
    test_hard();
    test_hard_is_told();
    test_soft();
    return API_DONE();
}
