// SPDX-License-Identifier: MIT
// test_api_stats.c — statistics against a shadow count: to the block, after a million operations
// over eight threads; and what resets, merges and prints do.
#include <mimalloc-stats.h>
#include <pthread.h>

#include "api_test.h"
#include "gathered.h"

enum { THREADS = 8, SLOTS = 4000 };
#define OPERATIONS (API_SANITIZED ? 20000 : 125000) // of each thread

// ---- the shadow

typedef struct shadow_t {
    int64_t allocated[MI_BIN_COUNT];
    int64_t live[MI_BIN_COUNT];
    int64_t live_bytes;
    int64_t allocated_bytes;
} shadow_t;

static int
bin_of(size_t usable)
{
    for (int bin = 0; bin < MI_BIN_HUGE; bin++) {
        if (usable <= mi_stats_get_bin_size((size_t)bin)) {
            return bin;
        }
    }
    return MI_BIN_HUGE;
}

static void
count(shadow_t *shadow, size_t usable, int by)
{
    int bin = bin_of(usable);
    shadow->live[bin] += by;
    shadow->live_bytes += by * (int64_t)usable;
    if (by > 0) {
        shadow->allocated[bin]++;
        shadow->allocated_bytes += (int64_t)usable;
    }
}

// ---- eight threads that hand blocks to each other

typedef struct worker_t {
    unsigned index;
    uint64_t random;
    shadow_t shadow;
} worker_t;

static worker_t workers[THREADS];
static void *slots[SLOTS];
static pthread_barrier_t barrier;

static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static size_t
some_size(uint64_t random)
{
    unsigned kind = (unsigned)(random >> 32) % 1000;
    size_t spread = (size_t)(random & 0xffffff);
    return kind < 900   ? spread % 1024
           : kind < 990 ? spread % 32768
           : kind < 998 ? spread % 65536
                        : spread % 300000;
}

static void *
work(void *arg)
{
    worker_t *me = (worker_t *)arg;
    for (int i = 0; i < OPERATIONS; i++) {
        uint64_t random = next_random(&me->random);
        void *fresh = NULL;
        if (random % 3 != 0) {
            fresh = mi_malloc(some_size(random));
            EXPECT(fresh != NULL);
            count(&me->shadow, mi_usable_size(fresh), 1);
        }
        // Whoever finds a block frees it, whichever thread allocated it.
        void *old = __atomic_exchange_n(&slots[(random >> 20) % SLOTS], fresh, __ATOMIC_ACQ_REL);
        if (old != NULL) {
            count(&me->shadow, mi_usable_size(old), -1);
            mi_free(old);
        }
    }
    pthread_barrier_wait(&barrier); // all at rest: the main thread looks
    pthread_barrier_wait(&barrier);
    return NULL;
}

static shadow_t
sum_of_shadows(void)
{
    shadow_t sum;
    memset(&sum, 0, sizeof sum);
    for (int i = 0; i < THREADS; i++) {
        for (int bin = 0; bin < MI_BIN_COUNT; bin++) {
            sum.allocated[bin] += workers[i].shadow.allocated[bin];
            sum.live[bin] += workers[i].shadow.live[bin];
        }
        sum.live_bytes += workers[i].shadow.live_bytes;
        sum.allocated_bytes += workers[i].shadow.allocated_bytes;
    }
    return sum;
}

// The statistics are those of `before` and of the shadow.
static void
expect_agreement(const mi_stats_t *before, const shadow_t *shadow)
{
    mi_stats_t_decl(now);
    EXPECT(mi_stats_get(&now));
    int64_t blocks = 0;
    for (int bin = 0; bin < MI_BIN_COUNT; bin++) {
        EXPECT(now.malloc_bins[bin].total - before->malloc_bins[bin].total == shadow->allocated[bin]);
        EXPECT(now.malloc_bins[bin].current - before->malloc_bins[bin].current == shadow->live[bin]);
        EXPECT(now.malloc_bins[bin].peak >= now.malloc_bins[bin].current);
        EXPECT(now.page_bins[bin].total >= now.page_bins[bin].current);
        blocks += shadow->allocated[bin];
    }
    EXPECT(now.malloc_normal.current + now.malloc_huge.current - before->malloc_normal.current -
               before->malloc_huge.current ==
           shadow->live_bytes);
    EXPECT(now.malloc_normal.total + now.malloc_huge.total - before->malloc_normal.total -
               before->malloc_huge.total ==
           shadow->allocated_bytes);
    EXPECT(now.malloc_requested.current == now.malloc_normal.current + now.malloc_huge.current);
    EXPECT(now.malloc_normal_count.total + now.malloc_huge_count.total - before->malloc_normal_count.total -
               before->malloc_huge_count.total ==
           blocks);
    EXPECT(now.page_committed.current >= now.malloc_requested.current);
    EXPECT(now.committed.current >= now.page_committed.current &&
           now.reserved.current >= now.committed.current);
}

static void
test_agrees_to_the_block(void)
{
    mi_free(mi_malloc(1)); // this thread has a heap
    mi_stats_t_decl(before);
    EXPECT(mi_stats_get(&before));
    EXPECT(pthread_barrier_init(&barrier, NULL, THREADS + 1) == 0);
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].index = i;
        workers[i].random = 88172645463325252u + i;
        EXPECT(pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
    }
    pthread_barrier_wait(&barrier);
    shadow_t shadow = sum_of_shadows();
    expect_agreement(&before, &shadow);
    mi_stats_t_decl(now);
    EXPECT(mi_stats_get(&now));
    EXPECT(now.threads.current == before.threads.current + THREADS &&
           now.threads.peak >= now.threads.current);
    EXPECT(now.threads.total == before.threads.total + THREADS);
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < THREADS; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
    // Nothing changes because they have ended; nor by a merge or a collection.
    mi_stats_merge();
    expect_agreement(&before, &shadow);
    mi_collect(true);
    expect_agreement(&before, &shadow);
    EXPECT(mi_stats_get(&now));
    EXPECT(now.threads.current == before.threads.current && now.pages_abandoned.current > 0);
    EXPECT(now.threads.peak >= before.threads.current + THREADS);
    for (int i = 0; i < SLOTS; i++) {
        mi_free(slots[i]);
        slots[i] = NULL;
    }
    mi_collect(true);
    EXPECT(mi_stats_get(&now));
    for (int bin = 0; bin < MI_BIN_COUNT; bin++) {
        EXPECT(now.malloc_bins[bin].current == before.malloc_bins[bin].current);
    }
}

// ---- memory

static mi_memory_t
memory_now(void)
{
    mi_memory_t memory;
    mi_memory_get(&memory, sizeof memory);
    return memory;
}

static void
test_memory(void)
{
    enum { BLOCKS = 1000, BYTES = 40000 };
    static char *blocks[BLOCKS];
    const size_t all = (size_t)BLOCKS * BYTES;
    mi_collect(true);
    mi_memory_t before = memory_now();
    size_t live = mi_memory_live();
    EXPECT(before.purgeable == 0 && before.resident > 0 && before.metadata > 0);
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = (char *)mi_malloc(BYTES);
        memset(blocks[i], 1, BYTES);
    }
    mi_memory_t full = memory_now();
    size_t usable = BLOCKS * mi_usable_size(blocks[0]);
    EXPECT(mi_memory_live() - live == usable && usable >= all);
    EXPECT(full.in_pages - before.in_pages >= usable && full.in_pages - before.in_pages < usable * 9 / 8);
    EXPECT(full.resident - before.resident > all * 9 / 10 || API_SANITIZED);
    EXPECT(full.committed >= full.in_pages + full.purgeable);
    for (int i = 0; i < BLOCKS; i++) {
        mi_free(blocks[i]);
    }
    // What was in pages is purgeable, or was given back.
    mi_memory_t freed = memory_now();
    EXPECT(mi_memory_live() == live);
    EXPECT(freed.in_pages < before.in_pages + 2 * 1024 * 1024);
    EXPECT(freed.in_pages + freed.purgeable + (freed.returned - full.returned) ==
           full.in_pages + full.purgeable);
    mi_collect(true);
    mi_memory_t after = memory_now();
    EXPECT(after.purgeable == 0 && after.returned - full.returned >= usable);
    EXPECT(after.resident + all * 9 / 10 < full.resident || API_SANITIZED);
    EXPECT(after.committed == full.committed && after.metadata == full.metadata);
    mi_stats_t_decl(stats);
    EXPECT(mi_stats_get(&stats) && (size_t)stats.committed.current == after.committed);
    EXPECT((size_t)stats.page_committed.current == after.in_pages);
    // Of another version: less, or more than is known.
    struct {
        mi_memory_t known;
        size_t more;
    } longer;
    memset(&longer, 1, sizeof longer);
    mi_memory_get(&longer.known, sizeof longer);
    EXPECT(longer.known.committed == after.committed && longer.more == 0);
    memset(&longer, 1, sizeof longer);
    mi_memory_get(&longer.known, sizeof(size_t));
    EXPECT(longer.known.resident > 0 && is_all(&longer.known.committed, sizeof(size_t), 1));
}

// ---- resets

static void
test_reset(void)
{
    void *kept = mi_malloc(100);
    size_t usable = mi_usable_size(kept);
    int bin = bin_of(usable);
    mi_stats_t_decl(now);
    EXPECT(mi_stats_get(&now));
    int64_t live = now.malloc_bins[bin].current;
    EXPECT(now.malloc_bins[bin].total > 0 && live >= 1);
    mi_stats_reset();
    EXPECT(mi_stats_get(&now));
    EXPECT(now.malloc_bins[bin].total == 0 && now.malloc_bins[bin].current == live);
    EXPECT(now.malloc_normal_count.total == 0 && now.malloc_huge_count.total == 0 && now.purged.total == 0);
    EXPECT(now.malloc_bins[bin].peak == live);
    void *blocks[50];
    for (int i = 0; i < 50; i++) {
        blocks[i] = mi_malloc(100);
    }
    EXPECT(mi_stats_get(&now));
    EXPECT(now.malloc_bins[bin].total == 50 && now.malloc_bins[bin].current == live + 50);
    for (int i = 0; i < 50; i++) {
        mi_free(blocks[i]);
    }
    EXPECT(mi_stats_get(&now));
    EXPECT(now.malloc_bins[bin].total == 50 && now.malloc_bins[bin].current == live);
    EXPECT(now.malloc_bins[bin].peak == live + 50);
    mi_free(kept);
}

// ---- headers and bins

static void
test_header(void)
{
    EXPECT(sizeof(void *) != 8 || sizeof(mi_stats_t) == 4368);
    mi_stats_t stats;
    memset(&stats, 0, sizeof stats);
    EXPECT(!mi_stats_get(&stats) && !mi_stats_get(NULL));
    mi_stats_header_init(&stats);
    EXPECT(stats.size == sizeof stats && stats.version == 5 && mi_stats_get(&stats));
    stats.version = 4;
    EXPECT(!mi_stats_get(&stats));
    stats.version = 5;
    stats.size = 100;
    EXPECT(!mi_stats_get(&stats));
    EXPECT_FAILS(mi_stats_as_json(&stats, 0, NULL), EINVAL);
    EXPECT_FAILS(mi_stats_as_json(NULL, 0, NULL), EINVAL);
}

static void
test_bins(void)
{
    for (size_t bin = 0; bin < MI_BIN_HUGE; bin++) {
        size_t size = mi_stats_get_bin_size(bin);
        EXPECT(size > 0 && mi_good_size(size) == size);
        EXPECT(bin == 0 || size > mi_stats_get_bin_size(bin - 1));
    }
    EXPECT(mi_stats_get_bin_size(MI_BIN_HUGE) == 0 && mi_stats_get_bin_size(MI_BIN_HUGE + 1) == 0);
    EXPECT(mi_stats_get_bin_size(SIZE_MAX) == 0);
}

// ---- text

static void
test_json(void)
{
    char *json = mi_stats_get_json(0, NULL);
    EXPECT(json != NULL && json[0] == '{' && strstr(json, "\"size_classes\": [") != NULL);
    EXPECT(json != NULL && strstr(json, "\"stat_version\": 5,") != NULL);
    mi_free(json);
    static char buffer[65536];
    EXPECT(mi_stats_get_json(sizeof buffer, buffer) == buffer && strlen(buffer) > 10000);
    EXPECT_FAILS(mi_stats_get_json(100, buffer), ERANGE);
    EXPECT(buffer[0] == 0);

    mi_stats_t_decl(stats);
    EXPECT(mi_stats_get(&stats));
    stats.pages.total = 123456789;
    EXPECT(mi_stats_as_json(&stats, sizeof buffer, buffer) == buffer);
    EXPECT(strstr(buffer, "\"pages\": {\"total\": 123456789, ") != NULL);
}

static void
test_prints(void)
{
    said.length = 0;
    mi_stats_print_out(gather, &said);
    EXPECT(strstr(said.text, "block size") != NULL && strstr(said.text, "threads now") != NULL);
    said.length = 0;
    mi_thread_stats_print_out(gather, &said);
    EXPECT(strstr(said.text, "a thread of") != NULL && strstr(said.text, "threads now") == NULL);
    said.length = 0;
    mi_metrics_print_out(gather, &said);
    EXPECT(strncmp(said.text, "# TYPE malloc_build_info gauge\n", 31) == 0);
    EXPECT(strstr(said.text, "\nmalloc_allocations_total ") != NULL &&
           strstr(said.text, "\n# EOF\n") != NULL);
}

int
main(void)
{
    // Slices that a helper is just giving back count as neither free nor in use.
    mi_option_set(mi_option_purge_thread, 1); // never
    test_header();
    test_bins();
    test_agrees_to_the_block();
    test_memory();
    test_reset();
    test_json();
    test_prints();
    return API_DONE();
}
