// SPDX-License-Identifier: MIT
// test_api_walk.c — walks see every live block exactly once: of 8 bytes to 64 MiB, at alignments to
// 16 MiB, allocated and freed by several threads, which still live or have ended.
#include "api_test.h"

#include <pthread.h>

enum { BLOCKS = 6000, THREADS = 4 };

static struct {
    void *p;
    size_t size;
    int live;
    int seen;
} blocks[BLOCKS];

static int
compare_blocks(const void *a, const void *b)
{
    const char *p = *(char *const *)a;
    const char *q = *(char *const *)b;
    return (p > q) - (p < q);
}

typedef struct tally_t {
    size_t areas;
    size_t used; // as the areas say
    size_t seen;
    size_t unknown; // blocks that are none of ours
    size_t dead;
    int with_blocks;
    size_t area_left; // blocks of the area that is being visited
} tally_t;

static bool
tally(const mi_heap_t *heap, const mi_heap_area_t *area, void *block, size_t block_size, void *arg)
{
    tally_t *t = (tally_t *)arg;
    EXPECT(area->block_size == block_size && area->full_block_size >= block_size);
    if (block == NULL) {
        EXPECT(t->area_left == 0 || !t->with_blocks);
        t->areas++;
        t->used += area->used;
        t->area_left = area->used;
        EXPECT(area->committed <= area->reserved);
        return true;
    }
    t->seen++;
    t->area_left--;
    EXPECT((char *)block >= (char *)area->blocks &&
           (char *)block + block_size <= (char *)area->blocks + area->reserved);
    EXPECT(mi_heap_of(block) == heap);
    // The block may begin before the address that was handed out.
    size_t low = 0;
    size_t high = BLOCKS;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if ((char *)blocks[middle].p < (char *)block) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == BLOCKS || (char *)blocks[low].p >= (char *)block + block_size) {
        t->unknown++;
    } else if (!blocks[low].live) {
        t->dead++;
    } else {
        blocks[low].seen++;
        EXPECT((char *)blocks[low].p + blocks[low].size <= (char *)block + block_size);
    }
    return true;
}

static size_t
size_of(int i)
{
    if (i == 0) {
        return (size_t)64 << 20;
    }
    if (i < 40) {
        return (size_t)(i % 8 + 1) * 200000 + (size_t)i;
    }
    return i % 50 == 0 ? (size_t)(i * 37) % 60000 + 1 : (size_t)(i * 29) % 2000 + 1;
}

static size_t
align_of(int i)
{
    return i % 11 == 0 ? (size_t)16 << (i / 11 % 21) : 0; // to 16 MiB
}

typedef struct worker_t {
    mi_heap_t *heap;
    int index;
    pthread_barrier_t *barrier; // NULL: ends at once
} worker_t;

static void *
work(void *arg)
{
    worker_t *worker = (worker_t *)arg;
    for (int i = worker->index; i < BLOCKS; i += THREADS) {
        size_t align = size_of(i) > 100000 ? 0 : align_of(i);
        blocks[i].size = size_of(i);
        blocks[i].p = align == 0 ? mi_heap_malloc(worker->heap, size_of(i))
                                 : mi_heap_malloc_aligned(worker->heap, size_of(i), align);
        if (i % 97 == 0 && align == 0) {
            mi_free(blocks[i].p);
            blocks[i].p = mi_heap_malloc_aligned_at(worker->heap, size_of(i), 64, 24);
        }
        blocks[i].live = 1;
        EXPECT(blocks[i].p != NULL);
    }
    if (worker->barrier != NULL) {
        pthread_barrier_wait(worker->barrier);
        // Frees blocks of its own, and many of the next thread's: of these some are held back.
        for (int i = 0; i < BLOCKS; i++) {
            int owner = i % THREADS;
            if ((owner == worker->index && i % 3 == 0) ||
                (owner == (worker->index + 1) % THREADS && i % 3 == 1)) {
                mi_free(blocks[i].p);
                blocks[i].live = 0;
            }
        }
        pthread_barrier_wait(worker->barrier);
        pthread_barrier_wait(worker->barrier);
    }
    return NULL;
}

// Blocks of the heap that were there before are told as unknown: `before` of them.
static void
check_walk(mi_heap_t *heap, size_t before)
{
    qsort(blocks, BLOCKS, sizeof blocks[0], compare_blocks);
    size_t live = 0;
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i].seen = 0;
        live += (size_t)blocks[i].live;
    }
    tally_t t = {0, 0, 0, 0, 0, 1, 0};
    EXPECT(mi_heap_visit_blocks(heap, true, tally, &t));
    EXPECT(t.area_left == 0 && t.dead == 0 && t.unknown == before && t.seen == live + before &&
           t.used == t.seen);
    size_t wrong = 0;
    for (int i = 0; i < BLOCKS; i++) {
        wrong += blocks[i].seen != blocks[i].live;
    }
    EXPECT(wrong == 0);
    tally_t areas = {0, 0, 0, 0, 0, 0, 0};
    EXPECT(mi_heap_visit_blocks(heap, false, tally, &areas));
    EXPECT(areas.areas == t.areas && areas.used == t.used && areas.seen == 0);
    EXPECT(mi_heap_check(heap));
}

static bool
count_live(const mi_heap_t *heap, const mi_heap_area_t *area, void *block, size_t block_size, void *arg)
{
    (void)heap;
    (void)area;
    (void)block_size;
    *(size_t *)arg += block != NULL;
    return true;
}

static size_t
live_in(mi_heap_t *heap)
{
    size_t count = 0;
    EXPECT(mi_heap_visit_blocks(heap, true, count_live, &count));
    return count;
}

static size_t
abandoned_in(mi_heap_t *heap)
{
    size_t count = 0;
    EXPECT(mi_heap_visit_abandoned_blocks(heap, true, count_live, &count));
    return count;
}

static void
free_the_rest(void)
{
    for (int i = 0; i < BLOCKS; i++) {
        if (blocks[i].live) {
            mi_free(blocks[i].p);
            blocks[i].live = 0;
        }
    }
}

static void
test_threads_that_live(mi_heap_t *heap)
{
    size_t before = live_in(heap);
    pthread_t threads[THREADS];
    worker_t workers[THREADS];
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++) {
        workers[i].heap = heap;
        workers[i].index = i;
        workers[i].barrier = &barrier;
        EXPECT(pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
    }
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    // Creating threads allocates: what libc holds now besides was not there before.
    size_t ours = 0;
    for (int i = 0; i < BLOCKS; i++) {
        ours += (size_t)blocks[i].live;
    }
    size_t all = live_in(heap);
    EXPECT(all >= ours && all - ours <= before + (size_t)THREADS * 4);
    check_walk(heap, all - ours);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&barrier);
    free_the_rest();
}

static void
test_threads_that_ended(mi_heap_t *heap)
{
    for (int i = 0; i < THREADS; i++) {
        worker_t worker = {heap, i, NULL};
        pthread_t thread;
        EXPECT(pthread_create(&thread, NULL, work, &worker) == 0);
        pthread_join(thread, NULL);
    }
    size_t all = live_in(heap);
    EXPECT(all >= BLOCKS);
    check_walk(heap, all - BLOCKS);
    size_t abandoned = abandoned_in(heap);
    EXPECT(abandoned > BLOCKS / 2 && abandoned <= all);
    free_the_rest();
}

static bool
stop_at_five(const mi_heap_t *heap, const mi_heap_area_t *area, void *block, size_t block_size, void *arg)
{
    (void)heap;
    (void)area;
    (void)block;
    (void)block_size;
    return ++*(int *)arg < 5;
}

static void
test_a_visitor_ends_the_walk(void)
{
    mi_heap_t *heap = mi_heap_new();
    void *p = NULL;
    for (int i = 0; i < 20; i++) {
        p = mi_heap_malloc(heap, (size_t)i * 100);
    }
    int calls = 0;
    EXPECT(!mi_heap_visit_blocks(heap, true, stop_at_five, &calls) && calls == 5);
    EXPECT(!mi_heap_visit_blocks(heap, true, NULL, NULL));
    EXPECT(live_in(heap) == 20);
    mi_free(p);
    EXPECT(live_in(heap) == 19);
    mi_heap_destroy(heap);
    heap = mi_heap_new();
    EXPECT(live_in(heap) == 0 && abandoned_in(heap) == 0 && mi_heap_check(heap));
    mi_heap_delete(heap);
}

int
main(void)
{
    mi_heap_t *heap = mi_heap_new();
    for (int round = 0; round < 3; round++) {
        test_threads_that_live(heap);
        EXPECT(live_in(heap) == 0);
        test_threads_that_ended(heap);
        EXPECT(live_in(heap) == 0);
        test_threads_that_live(mi_heap_main());
        test_threads_that_ended(mi_heap_main());
    }
    mi_heap_destroy(heap);
    test_a_visitor_ends_the_walk();
    return API_DONE();
}
