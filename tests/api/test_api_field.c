// SPDX-License-Identifier: MIT
// test_api_field.c — what broke other allocators and has no other test here (docs/reliability.md).
#include "api_test.h"

#include <pthread.h>

static size_t
committed(void)
{
    size_t bytes = 0;
    mi_process_info(NULL, NULL, NULL, NULL, NULL, &bytes, NULL, NULL);
    return bytes;
}

// glibc 23741: no size above PTRDIFF_MAX can be had by any call, and what realloc was given stays.
static void
sizes_beyond_half_the_address_space(void)
{
    static const size_t beyond[] = {(size_t)PTRDIFF_MAX + 1, SIZE_MAX / 2 + 4097, SIZE_MAX - 4096,
                                    SIZE_MAX - 16, SIZE_MAX};
    char *p = (char *)mi_malloc(100);
    mi_heap_t *heap = mi_heap_new();
    void *q = p;
    memset(p, 7, 100);
    for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
        size_t size = opaque(beyond[i]);
        EXPECT_FAILS(mi_malloc(size), ENOMEM);
        EXPECT_FAILS(mi_zalloc(size), ENOMEM);
        EXPECT_FAILS(mi_calloc(1, size), ENOMEM);
        EXPECT_FAILS(mi_calloc(size, 1), ENOMEM);
        EXPECT_FAILS(mi_mallocn(size / 8 + 1, 8), ENOMEM);
        EXPECT_FAILS(mi_realloc(p, size), ENOMEM);
        EXPECT_FAILS(mi_rezalloc(p, size), ENOMEM);
        EXPECT_FAILS(mi_reallocn(p, 8, size / 8 + 1), ENOMEM);
        EXPECT_FAILS(mi_reallocarray(p, size / 8 + 1, 8), ENOMEM);
        EXPECT(mi_expand(p, size) == NULL);
        EXPECT_FAILS(mi_malloc_aligned(size, 64), ENOMEM);
        EXPECT_FAILS(mi_realloc_aligned(p, size, 4096), ENOMEM);
        EXPECT_FAILS(mi_memalign(32, size), ENOMEM);
        EXPECT_FAILS(mi_valloc(size), ENOMEM);
        EXPECT_FAILS(mi_pvalloc(size), ENOMEM);
        EXPECT_FAILS(mi_heap_malloc(heap, size), ENOMEM);
        EXPECT(mi_posix_memalign(&q, 64, size) == ENOMEM && q == p);
        EXPECT(mi_reallocarr(&q, 8, size / 8 + 1) != 0 && q == p);
        EXPECT(mi_new_nothrow(size) == NULL);
    }
    EXPECT(is_all(p, 100, 7));
    mi_heap_destroy(heap);
    mi_free(p);
}

// mimalloc 906: count and size in each order.
static void
count_and_size_are_not_mixed_up(void)
{
    static const size_t pairs[][2] = {{3, 1000}, {1000, 3}, {1, 70000}, {70000, 1}, {0, 100}, {100, 0}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        size_t count = pairs[i][0];
        size_t size = pairs[i][1];
        char *all[5] = {(char *)mi_calloc(count, size), (char *)mi_mallocn(count, size),
                        (char *)mi_new_n(count, size), (char *)mi_reallocn(NULL, count, size),
                        (char *)mi_recalloc(NULL, count, size)};
        EXPECT(is_all(all[0], count * size, 0) && is_all(all[4], count * size, 0));
        for (int k = 0; k < 5; k++) {
            EXPECT(all[k] != NULL && mi_usable_size(all[k]) >= count * size);
            memset(all[k], k, count * size);
        }
        for (int k = 0; k < 5; k++) {
            EXPECT(is_all(all[k], count * size, (unsigned char)k));
            mi_free(all[k]);
        }
    }
    EXPECT_FAILS(mi_calloc(opaque(SIZE_MAX / 2 + 1), 2), ENOMEM);
    EXPECT_FAILS(mi_calloc(2, opaque(SIZE_MAX / 2 + 1)), ENOMEM);
    EXPECT_FAILS(mi_calloc(opaque((size_t)1 << 32), opaque((size_t)1 << 32)), ENOMEM);
}

// hardened_malloc: a block of no bytes that is zeroed, and grows, in memory that held something before.
static void
nothing_that_grows_is_zero(void)
{
    for (size_t to = 1; to <= 300000; to = to * 3 + 5) {
        void *dirty[50];
        for (int i = 0; i < 50; i++) {
            dirty[i] = mi_malloc(i % 2 == 0 ? 1 : to);
            memset(dirty[i], 0xff, mi_usable_size(dirty[i]));
        }
        for (int i = 0; i < 50; i++) {
            mi_free(dirty[i]);
        }
        char *p = (char *)mi_zalloc(0);
        char *q = (char *)mi_calloc(0, 8);
        p = (char *)mi_rezalloc(p, to);
        q = (char *)mi_recalloc(q, to, 1);
        EXPECT(is_all(p, to, 0) && is_all(q, to, 0));
        mi_free(p);
        mi_free(q);
    }
}

// glibc 30723, 30579: aligned blocks among others, and blocks that grow and shrink, must not add up.
static void
what_comes_and_goes_does_not_add_up(void)
{
    enum { KEPT = 200, ROUNDS = 400 };
    static void *kept[KEPT];
    size_t before = 0;
    for (size_t round = 0; round < ROUNDS; round++) {
        if (round == ROUNDS / 4) {
            before = committed();
        }
        for (size_t i = 0; i < KEPT; i++) {
            void *aligned = mi_memalign((size_t)64 << i % 7, 40 + i * 8);
            EXPECT(((uintptr_t)aligned & ((64U << i % 7) - 1)) == 0);
            kept[i] = mi_realloc(kept[i], (i * 7919 + round * 104729) % 20000);
            mi_free(aligned);
        }
    }
    EXPECT(committed() <= before + ((size_t)4 << 20));
    for (size_t i = 0; i < KEPT; i++) {
        mi_free(kept[i]);
    }
    char *p = (char *)mi_malloc(10 << 20);
    p = (char *)mi_realloc(p, 100);
    EXPECT(mi_usable_size(p) < 4096);
    mi_free(p);
}

// glibc b2b4b46a52: large blocks that are kept for the next one are kept by their size.
static void
a_kept_block_is_large_enough(void)
{
    for (size_t i = 0; i < 3000; i++) {
        size_t size = 50000 + i * 7919 % 2000000;
        char *p = (char *)mi_malloc(size);
        EXPECT(mi_usable_size(p) >= size);
        p[0] = p[size - 1] = (char)i;
        mi_free(p);
        char *q = (char *)mi_malloc(size + 40000);
        EXPECT(mi_usable_size(q) >= size + 40000);
        q[0] = q[size + 39999] = (char)i;
        mi_free(q);
    }
}

// Bun's copy: what a thread knows by heap grows with the heaps, and is zero where nothing is known yet.
static void *
use_all_heaps(void *arg)
{
    mi_heap_t **heaps = (mi_heap_t **)arg;
    for (size_t i = 700; i-- > 0;) {
        char *p = (char *)mi_heap_malloc(heaps[i], 24 + i);
        memset(p, (int)i, 24 + i);
        EXPECT(mi_heap_contains(heaps[i], p));
        EXPECT(!mi_heap_contains(heaps[(i + 1) % 700], p));
        if (i % 2 == 0) {
            mi_free(p);
        }
    }
    return NULL;
}

static void
hundreds_of_heaps_in_each_thread(void)
{
    static mi_heap_t *heaps[700];
    pthread_t thread;
    for (size_t i = 0; i < 700; i++) {
        heaps[i] = mi_heap_new();
        EXPECT(heaps[i] != NULL);
    }
    use_all_heaps(heaps);
    for (int i = 0; i < 3; i++) {
        EXPECT(pthread_create(&thread, NULL, use_all_heaps, heaps) == 0);
        pthread_join(thread, NULL);
    }
    for (size_t i = 0; i < 700; i++) {
        (i % 3 == 0 ? mi_heap_delete : mi_heap_destroy)(heaps[i]);
    }
}

// mimalloc: its end done twice, and allocation after it.
static void
ends_may_be_done_twice(void)
{
    char *p = (char *)mi_malloc(1000);
    memset(p, 3, 1000);
    for (int i = 0; i < 3; i++) {
        mi_process_done();
        mi_thread_done();
        mi_thread_done();
        char *q = (char *)mi_malloc(1000);
        EXPECT(q != NULL && q != p && is_all(p, 1000, 3));
        mi_free(q);
        mi_process_init();
        mi_thread_init();
        mi_process_init();
    }
    mi_free(p);
}

int
main(void)
{
    mi_option_set(mi_option_guarded_sample_rate, 0); // the room for those would be new at any moment
    sizes_beyond_half_the_address_space();
    count_and_size_are_not_mixed_up();
    nothing_that_grows_is_zero();
    what_comes_and_goes_does_not_add_up();
    a_kept_block_is_large_enough();
    hundreds_of_heaps_in_each_thread();
    ends_may_be_done_twice();
    return API_DONE();
}
