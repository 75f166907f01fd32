// SPDX-License-Identifier: MIT
// test_api_heap_stats.c — statistics of single heaps and subprocesses against a shadow count, with
// threads that use several heaps and free each other's blocks.
#include <mimalloc-stats.h>
#include <pthread.h>

#include "api_test.h"

enum { HEAPS = 5, THREADS = 4, SLOTS = 2000 };
#define OPERATIONS (API_SANITIZED ? 10000 : 50000) // of each thread

typedef struct shadow_t {
    int64_t allocated[HEAPS][MI_BIN_COUNT];
    int64_t live[HEAPS][MI_BIN_COUNT];
} shadow_t;

typedef struct block_t {
    void *p;
    int heap;
} block_t;

static mi_heap_t *heaps[HEAPS];
static shadow_t shadows[THREADS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static block_t slots[SLOTS];
static pthread_barrier_t barrier;

static int
bin_of(const void *p)
{
    size_t usable = mi_usable_size(p);
    int bin = 0;
    while (bin < MI_BIN_HUGE && usable > mi_stats_get_bin_size((size_t)bin)) {
        bin++;
    }
    return bin;
}

static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void
one_operation(shadow_t *shadow, uint64_t random)
{
    block_t fresh = {NULL, (int)(random % HEAPS)};
    if (random % 7 != 0) {
        size_t size = random % 1000 == 0 ? 200000 : (size_t)(random >> 40) % (random % 50 == 0 ? 40000 : 800);
        fresh.p = mi_heap_malloc(heaps[fresh.heap], size);
        EXPECT(fresh.p != NULL);
        shadow->allocated[fresh.heap][bin_of(fresh.p)]++;
        shadow->live[fresh.heap][bin_of(fresh.p)]++;
    }
    pthread_mutex_lock(&lock);
    block_t *slot = &slots[(random >> 20) % SLOTS];
    block_t old = *slot;
    *slot = fresh;
    pthread_mutex_unlock(&lock);
    if (old.p != NULL) {
        shadow->live[old.heap][bin_of(old.p)]--;
        mi_free(old.p);
    }
}

static void *
work(void *arg)
{
    shadow_t *shadow = (shadow_t *)arg;
    uint64_t random = 88172645463325252u + (uint64_t)(shadow - shadows);
    for (int i = 0; i < OPERATIONS; i++) {
        one_operation(shadow, next_random(&random));
    }
    pthread_barrier_wait(&barrier); // all at rest: the main thread looks
    pthread_barrier_wait(&barrier);
    return NULL;
}

static void
expect_agreement(const mi_stats_t *before)
{
    for (int i = 0; i < HEAPS; i++) {
        mi_stats_t_decl(now);
        EXPECT(mi_heap_stats_get(heaps[i], &now));
        for (int bin = 0; bin < MI_BIN_COUNT; bin++) {
            int64_t allocated = 0, live = 0;
            for (int k = 0; k < THREADS; k++) {
                allocated += shadows[k].allocated[i][bin];
                live += shadows[k].live[i][bin];
            }
            EXPECT(now.malloc_bins[bin].total - before[i].malloc_bins[bin].total == allocated);
            EXPECT(now.malloc_bins[bin].current - before[i].malloc_bins[bin].current == live);
            EXPECT(now.page_bins[bin].current <= now.page_bins[bin].total);
        }
        EXPECT(now.heaps.current == 1 && now.theaps.current >= 1);
    }
}

static void
test_heaps(void)
{
    static mi_stats_t before[HEAPS];
    heaps[0] = mi_heap_main();
    for (int i = 1; i < HEAPS; i++) {
        heaps[i] = mi_heap_new();
        EXPECT(heaps[i] != NULL);
    }
    mi_free(mi_malloc(1));
    for (int i = 0; i < HEAPS; i++) {
        mi_stats_init(&before[i]);
        EXPECT(mi_heap_stats_get(heaps[i], &before[i]));
        EXPECT(i == 0 || before[i].malloc_requested.total == 0);
    }
    EXPECT(pthread_barrier_init(&barrier, NULL, THREADS + 1) == 0);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        EXPECT(pthread_create(&threads[i], NULL, work, &shadows[i]) == 0);
    }
    pthread_barrier_wait(&barrier);
    expect_agreement(before);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < THREADS; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
    expect_agreement(before);
    // The subprocess is the sum, and so is the process.
    mi_stats_t_decl(all);
    mi_stats_t_decl(part);
    int64_t live = 0;
    for (int i = 0; i < HEAPS; i++) {
        EXPECT(mi_heap_stats_get(heaps[i], &part));
        live += part.malloc_requested.current;
    }
    EXPECT(mi_subproc_stats_get(mi_subproc_main(), &part) && part.malloc_requested.current == live);
    EXPECT(part.heaps.current == HEAPS);
    EXPECT(mi_stats_get(&all) && all.malloc_requested.current == live && all.heaps.current == HEAPS);
}

static void
test_ended_heaps_count_for_the_main_one(void)
{
    mi_stats_t_decl(before);
    mi_stats_t_decl(after);
    mi_stats_t_decl(gone);
    EXPECT(mi_stats_get(&before));
    EXPECT(mi_heap_stats_get(heaps[1], &gone));
    mi_heap_destroy(heaps[1]);
    mi_heap_delete(heaps[2]);
    EXPECT(mi_stats_get(&after));
    EXPECT(after.heaps.current == HEAPS - 2);
    // Nothing that was counted is lost; the destroyed heap's blocks are not live any more.
    EXPECT(after.malloc_normal_count.total == before.malloc_normal_count.total);
    EXPECT(after.malloc_huge_count.total == before.malloc_huge_count.total);
    EXPECT(after.malloc_requested.current == before.malloc_requested.current - gone.malloc_requested.current);
    for (int i = 0; i < SLOTS; i++) {
        if (slots[i].heap != 1) {
            mi_free(slots[i].p);
        }
    }
    mi_heap_destroy(heaps[3]);
    mi_heap_destroy(heaps[4]);
    EXPECT(mi_stats_get(&after) && after.heaps.current == 1);
}

// ---- a subprocess

static mi_subproc_id_t subproc;

static void *
in_subproc(void *arg)
{
    mi_subproc_add_current_thread(subproc);
    void **blocks = (void **)arg;
    for (int i = 0; i < 10; i++) {
        blocks[i] = mi_malloc(1000);
    }
    mi_stats_t_decl(stats);
    EXPECT(mi_subproc_stats_get(subproc, &stats));
    EXPECT(stats.threads.current == 1 && stats.malloc_normal_count.total == 10);
    return NULL;
}

static void
test_subprocess(void)
{
    subproc = mi_subproc_new();
    mi_stats_t_decl(stats);
    EXPECT(mi_subproc_stats_get(subproc, &stats) && stats.malloc_requested.total == 0 &&
           stats.heaps.current == 1);
    void *blocks[10];
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, in_subproc, blocks) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    EXPECT(mi_subproc_stats_get(subproc, &stats));
    EXPECT(stats.malloc_normal_count.total == 10 &&
           stats.malloc_requested.current == 10 * (int64_t)mi_usable_size(blocks[0]));
    EXPECT(stats.threads.current == 0 && stats.committed.current == 0);
    EXPECT(mi_subproc_stats_get_exclusive(subproc, &stats) && stats.committed.current == 0);
    EXPECT(mi_subproc_stats_get_exclusive(mi_subproc_main(), &stats));
    EXPECT(stats.committed.current > 0 && stats.malloc_requested.current == 0);
    mi_subproc_destroy(subproc);
}

// ---- text, and a thread's part

static size_t
count_in(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

static char said[65536];

static void
gather(const char *msg, void *arg)
{
    (void)arg;
    EXPECT(strlen(said) + strlen(msg) < sizeof said);
    strcat(said, msg);
}

static void
test_text(void)
{
    mi_heap_t *heap = mi_heap_new();
    void *kept = mi_heap_malloc(heap, 12345);
    mi_heap_stats_print_out(heap, gather, NULL);
    EXPECT(count_in(said, "a heap of ") == 1 && count_in(said, "block size") == 1 &&
           count_in(said, "threads now") == 0);
    said[0] = 0;
    mi_subproc_heap_stats_print_out(mi_subproc_main(), gather, NULL);
    EXPECT(count_in(said, "the main heap of ") == 1 && count_in(said, "a heap of ") == 1);
    said[0] = 0;
    mi_subproc_stats_print_out(mi_subproc_current(), gather, NULL);
    EXPECT(count_in(said, "a subprocess of ") == 1);

    char *json = mi_heap_stats_get_json(heap, 0, NULL);
    EXPECT(json != NULL && strstr(json, "\"heaps\": {\"total\": 1, \"peak\": 1, \"current\": 1}") != NULL);
    mi_free(json);
    json = mi_subproc_stats_get_json(mi_subproc_main(), 0, NULL);
    EXPECT(json != NULL && strstr(json, "\"heaps\": {\"total\": 2, \"peak\": 2, \"current\": 2}") != NULL);
    mi_free(json);
    EXPECT_FAILS(mi_heap_stats_get_json(heap, 10, said), ERANGE);

    mi_stats_t_decl(stats);
    mi_heap_stats_merge_to_subproc(heap);
    mi_theap_stats_merge_to_heap(mi_heap_theap(heap));
    EXPECT(mi_theap_stats_get(mi_heap_theap(heap), &stats) && stats.malloc_normal_count.total == 1);
    EXPECT(!mi_theap_stats_get(NULL, &stats));
    EXPECT(mi_heap_stats_get(NULL, &stats) && stats.heaps.current == 1);
    stats.version = 1;
    EXPECT(!mi_heap_stats_get(heap, &stats) && !mi_subproc_stats_get(mi_subproc_main(), &stats));
    EXPECT(!mi_subproc_stats_get_exclusive(mi_subproc_main(), &stats));
    mi_free(kept);
    mi_heap_delete(heap);
}

int
main(void)
{
    // Slices that a helper is just giving back count as neither free nor in use.
    mi_option_set(mi_option_purge_thread, 1); // never
    test_heaps();
    test_ended_heaps_count_for_the_main_one();
    test_subprocess();
    test_text();
    return API_DONE();
}
