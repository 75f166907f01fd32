// SPDX-License-Identifier: MIT
// test_api_subproc.c — subprocesses, and thread heaps.
#include "api_test.h"

#include <pthread.h>

static void
in_thread(void *(*body)(void *), void *arg)
{
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, body, arg) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
}

static int
same(mi_subproc_id_t a, mi_subproc_id_t b)
{
    return a._mi_subproc_id == b._mi_subproc_id;
}

typedef struct group_t {
    mi_subproc_id_t id;
    mi_heap_t *heap;
    mi_heap_t *main;
    void *main_block;
    void *main_large;
    void *heap_block;
} group_t;

static bool
find_heap(mi_heap_t *heap, void *arg)
{
    return heap != *(mi_heap_t **)arg;
}

static bool
count_heaps(mi_heap_t *heap, void *arg)
{
    (void)heap;
    ++*(size_t *)arg;
    return true;
}

// A new subprocess, a thread in it, and a heap: what crashes the original.
static void *
live_in_group(void *arg)
{
    group_t *group = (group_t *)arg;
    EXPECT(same(mi_subproc_current(), mi_subproc_main()));
    mi_heap_t *before = mi_heap_main();
    mi_subproc_add_current_thread(group->id);
    EXPECT(same(mi_subproc_current(), group->id));
    group->main = mi_heap_main();
    EXPECT(group->main != before);
    group->main_block = mi_malloc(100);
    group->main_large = mi_malloc(1000000);
    fill(group->main_block, 100, 1);
    fill(group->main_large, 1000000, 2);
    EXPECT(mi_heap_of(group->main_block) == group->main && mi_heap_of(group->main_large) == group->main);
    group->heap = mi_heap_new();
    group->heap_block = mi_heap_malloc(group->heap, 5000);
    EXPECT(mi_heap_of(group->heap_block) == group->heap);
    mi_heap_t *wanted = group->heap;
    EXPECT(!mi_subproc_visit_heaps(group->id, find_heap, &wanted));
    EXPECT(mi_subproc_visit_heaps(mi_subproc_main(), find_heap, &wanted));
    size_t heaps = 0;
    EXPECT(mi_subproc_visit_heaps(group->id, count_heaps, &heaps) && heaps == 2);
    return NULL;
}

static void *
come_back(void *arg)
{
    group_t *group = (group_t *)arg;
    mi_subproc_add_current_thread(group->id);
    EXPECT(mi_heap_main() == group->main);
    // What the first thread of the group left behind is taken over, by threads of the group only.
    void *p = mi_malloc(100);
    EXPECT(mi_heap_of(p) == group->main && is_filled(group->main_block, 100, 1));
    mi_free(p);
    return NULL;
}

static void *
stay_apart(void *arg)
{
    group_t *group = (group_t *)arg;
    for (int i = 0; i < 1000; i++) {
        void *p = mi_malloc(100);
        EXPECT(mi_heap_of(p) == mi_heap_main() && mi_heap_of(p) != group->main);
        mi_free(p);
    }
    return NULL;
}

static group_t
make_group(void)
{
    group_t group;
    memset(&group, 0, sizeof group);
    group.id = mi_subproc_new();
    EXPECT(group.id._mi_subproc_id != NULL && !same(group.id, mi_subproc_main()));
    in_thread(live_in_group, &group);
    in_thread(stay_apart, &group);
    in_thread(come_back, &group);
    EXPECT(mi_heap_of(group.main_block) == group.main);
    return group;
}

static void
test_destroyed_groups_take_all_along(void)
{
    for (int round = 0; round < 50; round++) {
        group_t group = make_group();
        mi_subproc_destroy(group.id);
        EXPECT(mi_heap_of(group.main_block) != mi_heap_main());
    }
    EXPECT(mi_heap_check(mi_heap_main()));
}

static void
test_deleted_groups_leave_their_blocks(void)
{
    for (int round = 0; round < 50; round++) {
        group_t group = make_group();
        mi_subproc_delete(group.id);
        EXPECT(mi_heap_of(group.main_block) == mi_heap_main());
        EXPECT(mi_heap_of(group.main_large) == mi_heap_main());
        EXPECT(mi_heap_of(group.heap_block) == mi_heap_main());
        EXPECT(is_filled(group.main_block, 100, 1) && is_filled(group.main_large, 1000000, 2));
        mi_free(group.main_block);
        mi_free(group.main_large);
        mi_free(group.heap_block);
    }
    EXPECT(mi_heap_check(mi_heap_main()));
}

typedef struct busy_t {
    mi_subproc_id_t id;
    pthread_barrier_t barrier;
} busy_t;

static void *
wait_in_group(void *arg)
{
    busy_t *busy = (busy_t *)arg;
    mi_subproc_add_current_thread(busy->id);
    void *p = mi_malloc(10);
    pthread_barrier_wait(&busy->barrier);
    pthread_barrier_wait(&busy->barrier);
    mi_free(p);
    return NULL;
}

static void
test_groups_with_threads_stay(void)
{
    busy_t busy;
    busy.id = mi_subproc_new();
    pthread_barrier_init(&busy.barrier, NULL, 2);
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, wait_in_group, &busy) == 0);
    pthread_barrier_wait(&busy.barrier);
    mi_subproc_destroy(busy.id);
    mi_subproc_delete(busy.id);
    mi_subproc_destroy(mi_subproc_main());
    pthread_barrier_wait(&busy.barrier);
    pthread_join(thread, NULL);
    mi_subproc_destroy(busy.id);
    pthread_barrier_destroy(&busy.barrier);
    void *p = mi_malloc(10);
    EXPECT(mi_heap_of(p) == mi_heap_main());
    mi_free(p);
}

static void
test_thread_heaps(void)
{
    mi_heap_t *heap = mi_heap_new();
    mi_theap_t *part = mi_heap_theap(heap);
    EXPECT(part != NULL && part == mi_heap_theap(heap) && part != mi_theap_get_default());
    EXPECT(mi_heap_theap(mi_heap_main()) == mi_theap_get_default());
    void *made[12];
    made[0] = mi_theap_malloc(part, 100);
    made[1] = mi_theap_zalloc(part, 70000);
    made[2] = mi_theap_calloc(part, 10, 20);
    made[3] = mi_theap_malloc_small(part, 50);
    made[4] = mi_theap_zalloc_small(part, 50);
    made[5] = mi_theap_malloc_aligned(part, 100, 4096);
    made[6] = mi_theap_zalloc_aligned(part, 100, 4096);
    made[7] = mi_theap_realloc(part, NULL, 300);
    made[8] = mi_theap_rezalloc(part, NULL, 300);
    size_t told = 0;
    made[9] = mi_theap_umalloc(part, 100, &told);
    made[10] = mi_theap_alloc_new(part, 100);
    made[11] = mi_theap_alloc_new_n(part, 10, 10);
    EXPECT(told == mi_usable_size(made[9]));
    EXPECT(is_all(made[1], 70000, 0) && is_all(made[2], 200, 0) && is_all(made[4], 50, 0));
    EXPECT(is_aligned(made[5], 4096) && is_aligned(made[6], 4096) && is_all(made[8], 300, 0));
    made[7] = mi_theap_realloc(part, made[7], 30000);
    for (int i = 0; i < 12; i++) {
        EXPECT(mi_heap_of(made[i]) == heap);
        mi_free(made[i]);
    }
    void *p = mi_theap_alloc_new_nothrow(part, 100);
    EXPECT(mi_heap_of(p) == heap);
    EXPECT_FAILS(mi_theap_alloc_new_nothrow(part, opaque(PTRDIFF_SIZE + 1)), ENOMEM);
    EXPECT_FAILS(mi_theap_calloc(part, opaque(PTRDIFF_SIZE), 4), ENOMEM);
    mi_theap_t *before = mi_theap_set_default(part);
    void *q = mi_malloc(100);
    EXPECT(mi_heap_of(q) == heap && mi_theap_get_default() == part && mi_heap_get_default() == heap);
    EXPECT(mi_theap_set_default(NULL) == part);
    EXPECT(mi_theap_set_default(before) == part && mi_theap_get_default() == before);
    mi_free(p);
    mi_free(q);
    mi_theap_collect(part, true);
    mi_theap_collect(NULL, true);
    EXPECT(mi_heap_check(heap));
    mi_heap_destroy(heap);
}

static void *
use_and_end_part(void *arg)
{
    mi_heap_t *heap = (mi_heap_t *)arg;
    void *p = mi_heap_malloc(heap, 500);
    mi_theap_delete(mi_heap_theap(heap));
    EXPECT(mi_heap_of(p) == heap);
    return p;
}

static void
test_thread_heaps_end_before_their_thread(void)
{
    mi_heap_t *heap = mi_heap_new();
    mi_theap_t *part = mi_heap_theap(heap);
    void *kept[100];
    for (int i = 0; i < 100; i++) {
        kept[i] = mi_theap_zalloc(part, 1000);
    }
    void *large = mi_theap_malloc(part, 300000);
    (void)mi_theap_set_default(part);
    mi_theap_delete(part);
    // malloc is back at the main heap; the blocks are where they were.
    void *p = mi_malloc(1000);
    EXPECT(mi_heap_of(p) == mi_heap_main() && mi_heap_get_default() == mi_heap_main());
    EXPECT(mi_heap_of(kept[50]) == heap && mi_heap_of(large) == heap && mi_heap_check(heap));
    for (int i = 0; i < 50; i++) {
        EXPECT(is_all(kept[i], 1000, 0));
        mi_free(kept[i]);
    }
    // The heap is used again, by this thread and by another that ends its part at once.
    void *again = mi_heap_malloc(heap, 1000);
    EXPECT(mi_heap_of(again) == heap);
    pthread_t thread;
    void *others = NULL;
    EXPECT(pthread_create(&thread, NULL, use_and_end_part, heap) == 0);
    EXPECT(pthread_join(thread, &others) == 0 && mi_heap_of(others) == heap);
    for (int i = 50; i < 100; i++) {
        mi_free(kept[i]);
    }
    mi_free(others);
    EXPECT(mi_heap_check(heap));
    mi_theap_delete(mi_heap_theap(heap));
    mi_heap_destroy(heap);
    mi_theap_delete(NULL);
    mi_theap_delete(mi_heap_theap(mi_heap_main()));
    EXPECT(mi_heap_of(p) == mi_heap_main());
    mi_free(p);
}

int
main(void)
{
    test_destroyed_groups_take_all_along();
    test_deleted_groups_leave_their_blocks();
    test_groups_with_threads_stay();
    test_thread_heaps();
    test_thread_heaps_end_before_their_thread();
    return API_DONE();
}
