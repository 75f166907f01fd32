// SPDX-License-Identifier: MIT
// test_api_more.c — the less known names: what they promise, which is mostly that they do no harm.
#include <pthread.h>

#include "api_test.h"

static void
test_frees_of_small_blocks(void)
{
    void (*const frees[])(void *) = {mi_free_small, mi_free_small_nonnull, mi_free_small_local,
                                     mi_free_small_local_nonnull};
    for (size_t i = 0; i < sizeof frees / sizeof *frees; i++) {
        for (size_t size = 0; size <= MI_SMALL_SIZE_MAX; size += 8) {
            void *p = size % 16 == 0 ? mi_malloc_small(size) : mi_zalloc_small(size);
            EXPECT(p != NULL);
            EXPECT_SILENT(frees[i](p));
        }
    }
    EXPECT_SILENT(mi_free_small(NULL));
    EXPECT_SILENT(mi_free_small_local(NULL));
}

static void
test_regions(void)
{
    static char variable;
    void *small = mi_malloc(10);
    char *large = (char *)mi_malloc(10000000);
    EXPECT(mi_is_in_heap_region(small) && mi_is_in_heap_region(large) &&
           mi_is_in_heap_region(large + 9999999));
    EXPECT(!mi_is_in_heap_region(NULL) && !mi_is_in_heap_region(&variable) && !mi_is_in_heap_region(&small));
    EXPECT(!mi_is_in_heap_region((void *)(uintptr_t)-1) && !mi_is_in_heap_region((void *)16));
    mi_free(small);
    mi_free(large);
    EXPECT(!mi_is_redirected());
}

static size_t
resident(void)
{
    size_t bytes = 0;
    mi_process_info(NULL, NULL, NULL, &bytes, NULL, NULL, NULL, NULL);
    return bytes;
}

// Blocks of 1 KiB, freed but for one: 32 MiB that only a collection gives back.
static void
fill_and_free(void)
{
    static void *blocks[32768];
    for (size_t i = 0; i < 32768; i++) {
        blocks[i] = mi_malloc(1024);
        memset(blocks[i], 1, 1024);
    }
    for (size_t i = 0; i < 32768; i++) {
        mi_free(blocks[i]);
    }
}

static void
test_collect_reduce(void)
{
    mi_option_set(mi_option_purge_delay, -1);
    void *kept[1000];
    for (size_t i = 0; i < 1000; i++) {
        kept[i] = mi_malloc(1000);
    }
    fill_and_free();
    size_t before = resident();
    mi_collect_reduce((size_t)1 << 30); // this thread owns less
    EXPECT(API_SANITIZED || resident() + (4 << 20) > before);
    mi_collect_reduce(0);
    EXPECT(API_SANITIZED || resident() + (24 << 20) < before);
    for (size_t i = 0; i < 1000; i++) {
        mi_free(kept[i]);
    }
    mi_option_set(mi_option_purge_delay, 400);
}

// Pages with one block in 16 live are worth emptying, full ones are not; nor is the one that serves.
static void
test_under_utilized_pages(void)
{
    enum { COUNT = 1600 };
    static void *blocks[COUNT];
    mi_heap_t *heap = mi_heap_new();
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = mi_heap_malloc(heap, 1000);
        EXPECT(!mi_unsafe_heap_page_is_under_utilized(heap, blocks[i], 100));
    }
    size_t full = 0;
    for (size_t i = 0; i < COUNT; i++) {
        full += mi_unsafe_heap_page_is_under_utilized(heap, blocks[i], 101);
        EXPECT(!mi_unsafe_heap_page_is_under_utilized(heap, blocks[i], 90));
        EXPECT(!mi_unsafe_heap_page_is_under_utilized(mi_heap_main(), blocks[i], 101));
    }
    EXPECT(full > COUNT / 2 && full < COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        if (i % 16 != 0) {
            mi_free(blocks[i]);
        }
    }
    size_t sparse = 0;
    for (size_t i = 0; i < COUNT; i += 16) {
        sparse += mi_unsafe_heap_page_is_under_utilized(heap, blocks[i], 20);
        EXPECT(!mi_unsafe_heap_page_is_under_utilized(heap, blocks[i], 1));
    }
    EXPECT(sparse > COUNT / 16 / 2 && sparse < COUNT / 16);
    void *large = mi_heap_malloc(heap, 1000000);
    static char variable;
    EXPECT(!mi_unsafe_heap_page_is_under_utilized(heap, large, 100));
    EXPECT(!mi_unsafe_heap_page_is_under_utilized(heap, &variable, 100));
    EXPECT(!mi_unsafe_heap_page_is_under_utilized(heap, NULL, 100));
    mi_heap_destroy(heap);
}

// Blocks of one page share its figures; each free takes one off; inner addresses and large blocks are known.
static void
test_page_info(void)
{
    enum { COUNT = 400 };
    static char *blocks[COUNT];
    mi_page_info_t info, last;
    size_t serving = 0;
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = (char *)mi_malloc(3000);
    }
    for (size_t i = 0; i < COUNT; i++) {
        EXPECT(mi_unsafe_page_info(blocks[i], &info));
        EXPECT(info.block_size == mi_usable_size(blocks[i]) && info.used <= info.capacity && info.used > 0);
        EXPECT(info.capacity * info.block_size <= 65536);
        serving += info.serving;
    }
    EXPECT(serving > 0 && serving <= 65536 / 3000);
    EXPECT(mi_unsafe_page_info(blocks[100] + 1000, &last) && !last.serving && last.used == last.capacity);
    mi_free(blocks[101]);
    EXPECT(mi_unsafe_page_info(blocks[100], &info) && info.used == last.used - 1 && !info.serving);
    blocks[101] = NULL;
    for (size_t i = 0; i < COUNT; i++) {
        mi_free(blocks[i]);
    }
    char *large = (char *)mi_malloc(1000000);
    EXPECT(mi_unsafe_page_info(large + 500000, &info));
    EXPECT(info.used == 1 && info.capacity == 1 && info.block_size >= 1000000 && !info.serving);
    mi_free(large);
    EXPECT(!mi_unsafe_page_info(&info, &info) && info.capacity == 0 && info.block_size == 0);
    EXPECT(!mi_unsafe_page_info(NULL, &info));
}

static void *
in_a_pool(void *arg)
{
    mi_thread_set_in_threadpool();
    mi_thread_init();
    mi_thread_set_in_threadpool();
    *(void **)arg = mi_malloc(100);
    return NULL;
}

static void
test_thread_pool(void)
{
    for (int i = 0; i < 10; i++) {
        pthread_t thread;
        void *block = NULL;
        EXPECT(pthread_create(&thread, NULL, in_a_pool, &block) == 0);
        EXPECT(pthread_join(thread, NULL) == 0);
        EXPECT(block != NULL && mi_usable_size(block) >= 100);
        mi_free(block);
    }
}

int
main(void)
{
    test_frees_of_small_blocks();
    test_regions();
    test_collect_reduce();
    test_under_utilized_pages();
    test_page_info();
    test_thread_pool();
    return API_DONE();
}
