// SPDX-License-Identifier: MIT
// test_census.c — heap/census.c against a shadow count: exact in every build when nobody allocates
// meanwhile.
#include "fresh.h"

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "arena/meta.h"
#include "arena/purge.h"
#include "heap/census.h"
#include "heap/registry.h"
#include "heap/siblings.h"

static census_t census;

static void
start(void)
{
    mi__conf.purge_delay_ms = -1;
    mi__conf.region_bytes_log2 = 32;
}

static unsigned
class_of(size_t size)
{
    return size <= BLOCK_MAX ? sizeclass_of(size) : CLASS_COUNT;
}

// What the census is to say.
typedef struct shadow_t {
    uint64_t allocated[CLASS_COUNT + 1];
    uint64_t live[CLASS_COUNT + 1];
    uint64_t live_bytes[CLASS_COUNT + 1];
} shadow_t;

static void
add(shadow_t *shadow, void *block, size_t size)
{
    check(block != NULL);
    unsigned class = class_of(size);
    shadow->allocated[class]++;
    shadow->live[class]++;
    shadow->live_bytes[class] += mi__usable_size(block, "test");
}

// May wrap in one thread's shadow, when it frees what others allocated; the sum does not.
static void
take_away(shadow_t *shadow, void *block, size_t size)
{
    unsigned class = class_of(size);
    shadow->live[class]--;
    shadow->live_bytes[class] -= mi__usable_size(block, "test");
}

static void *
alloc(shadow_t *shadow, size_t size)
{
    void *block = mi__alloc(size);
    add(shadow, block, size);
    return block;
}

static void
release(shadow_t *shadow, void *block, size_t size)
{
    take_away(shadow, block, size);
    mi__free(block);
}

static void
check_sums(void)
{
    census_class_t sum = {0};
    for (unsigned class = 0; class <= CLASS_COUNT; class += 1) {
        const census_class_t *row = &census.classes[class];
        sum.allocated += row->allocated;
        sum.live += row->live;
        sum.live_bytes += row->live_bytes;
        sum.pages_made += row->pages_made;
        sum.pages += row->pages;
        sum.page_bytes += row->page_bytes;
        check_at_most(row->live_bytes, row->page_bytes);
    }
    check(memcmp(&sum, &census.total, sizeof sum) == 0);
}

static void
check_census(const shadow_t *shadow)
{
    mi__census_take(&census);
    for (unsigned class = 0; class <= CLASS_COUNT; class += 1) {
        const census_class_t *row = &census.classes[class];
        check_equal(row->block_size, class == CLASS_COUNT ? 0 : sizeclass_block_size(class));
        if (row->allocated != shadow->allocated[class] || row->live != shadow->live[class]) {
            fprintf(stderr, "class %u: ", class);
        }
        check_equal(row->allocated, shadow->allocated[class]);
        check_equal(row->live, shadow->live[class]);
        check_equal(row->live_bytes, shadow->live_bytes[class]);
    }
    check_sums();
}

// ---- one thread -----------------------------------------------------------------------------

static void
nothing_is_counted_before_the_start(void)
{
    static const shadow_t none;
    check_census(&none);
    check_equal(census.threads + census.threads_peak, 0);
    check_equal(census.reserved_bytes + census.committed_bytes + census.metadata_bytes, 0);
    check_equal(census.free_bytes + census.purgeable_bytes + census.purged_bytes, 0);
}

static void
every_class_is_counted(void)
{
    start();
    static shadow_t shadow;
    static void *blocks[CLASS_COUNT][3];
    for (unsigned class = 0; class < CLASS_COUNT; class += 1) {
        for (int i = 0; i < 3; i++) {
            blocks[class][i] = alloc(&shadow, sizeclass_block_size(class));
        }
        check_census(&shadow);
        check_equal(census.classes[class].pages, 1);
        check_equal(census.classes[class].page_bytes, sizeclass_page_slices(class) << SLICE_SHIFT);
    }
    for (unsigned class = 0; class < CLASS_COUNT; class += 1) {
        release(&shadow, blocks[class][1], sizeclass_block_size(class));
        check_census(&shadow);
    }
    // Blocks that come back are counted again.
    for (unsigned class = 0; class < CLASS_COUNT; class += 1) {
        (void)alloc(&shadow, sizeclass_block_size(class));
        (void)alloc(&shadow, sizeclass_block_size(class));
        check_census(&shadow);
    }
}

static void
singletons_are_counted(void)
{
    start();
    static shadow_t shadow;
    void *a = alloc(&shadow, 70000);
    void *b = alloc(&shadow, 5000000);
    check_census(&shadow);
    check_equal(census.classes[CLASS_COUNT].pages, 2);
    check_equal(census.classes[CLASS_COUNT].live_bytes, 131072 + 77 * SLICE_SIZE);
    release(&shadow, a, 70000);
    check_census(&shadow);
    // Growing in place is no allocation.
    take_away(&shadow, b, 5000000);
    check(mi__realloc(b, 6000000, false) == b);
    shadow.live[CLASS_COUNT]++;
    shadow.live_bytes[CLASS_COUNT] += mi__usable_size(b, "test");
    check_census(&shadow);
    release(&shadow, b, 6000000);
    check_census(&shadow);
    check_equal(census.classes[CLASS_COUNT].pages, 0);
}

static void
aligned_blocks_count_in_the_class_that_serves_them(void)
{
    start();
    static shadow_t shadow;
    void *a = mi__alloc_aligned(100, 256, 0, false);
    add(&shadow, a, 256);
    void *b = mi__alloc_aligned(100, 1 << 20, 0, true);
    add(&shadow, b, SLICE_SIZE + 1);
    shadow.live_bytes[CLASS_COUNT] = SLICE_SIZE;
    check_census(&shadow);
    mi__free(a);
    mi__free(b);
    memset(shadow.live, 0, sizeof shadow.live);
    memset(shadow.live_bytes, 0, sizeof shadow.live_bytes);
    check_census(&shadow);
}

// A block that was refused was not handed out.
static void
refusals_are_not_counted(void)
{
    start();
    mi__hooks.alloc_failed = record_failure;
    static shadow_t shadow;
    (void)alloc(&shadow, 100);
    check(mi__alloc(SIZE_MAX) == NULL);
    check(mi__alloc(PTRDIFF_MAX) == NULL);
    check(mi__alloc((size_t)1 << 46) == NULL);
    check(mi__alloc_aligned(100, (size_t)1 << 46, 0, false) == NULL);
    check_census(&shadow);
}

static void
collecting_changes_no_count(void)
{
    start();
    static shadow_t shadow;
    static void *blocks[1000];
    for (size_t i = 0; i < 1000; i++) {
        blocks[i] = alloc(&shadow, i * 20);
    }
    for (size_t i = 0; i < 1000; i += 3) {
        release(&shadow, blocks[i], i * 20);
    }
    check_census(&shadow);
    (void)mi__collect(false);
    check_census(&shadow);
    (void)mi__collect(true);
    check_census(&shadow);
    mi__registry_leave();
    check_census(&shadow);
    for (size_t i = 0; i < 1000; i++) {
        if (i % 3 != 0) {
            release(&shadow, blocks[i], i * 20);
        }
    }
    check_census(&shadow);
}

// ---- memory ---------------------------------------------------------------------------------

static void
memory_is_the_sum_of_its_parts(void)
{
    start();
    static shadow_t shadow;
    static void *blocks[500];
    for (size_t i = 0; i < 500; i++) {
        blocks[i] = alloc(&shadow, i * 400);
    }
    check_census(&shadow);
    check_equal(census.total.page_bytes + census.free_bytes, census.committed_bytes);
    check_equal(census.committed_bytes, mi__region_committed_bytes());
    check_equal(census.reserved_bytes, mi__region_reserved_bytes());
    check_equal(census.metadata_bytes, mi__region_metadata_bytes() + mi__meta_bytes());
    check(census.metadata_bytes > 0);
    check_at_most(census.purgeable_bytes, census.free_bytes);
    uint64_t purged = census.purged_bytes;
    for (size_t i = 0; i < 500; i++) {
        release(&shadow, blocks[i], i * 400);
    }
    check_census(&shadow);
    check(census.purgeable_bytes > 0);
    check_equal(census.purged_bytes, purged);
    size_t dirty = census.purgeable_bytes;
    size_t given_back = mi__collect(true);
    check(given_back >= dirty);
    mi__census_take(&census);
    check_equal(census.purgeable_bytes, 0);
    check_equal(census.purged_bytes, purged + given_back);
    check_equal(census.free_bytes, census.committed_bytes);
    check_equal(census.total.pages, 0);
}

static void
all_regions_are_counted(void)
{
    start();
    mi__conf.region_bytes_log2 = 22;
    static shadow_t shadow;
    for (int i = 0; i < 100; i++) {
        (void)alloc(&shadow, 200000);
        (void)alloc(&shadow, 30000);
    }
    check_census(&shadow);
    check(mi__region_count() > 4);
    check_equal(census.total.page_bytes + census.free_bytes, census.committed_bytes);
}

// ---- several threads ------------------------------------------------------------------------

static void *
use_a_heap(void *arg)
{
    mi__free(mi__alloc(100));
    if (arg != NULL) {
        pthread_barrier_wait(arg);
        pthread_barrier_wait(arg);
    }
    return NULL;
}

static void
threads_are_counted(void)
{
    start();
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, 4);
    check(mi__alloc(10) != NULL);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        check(pthread_create(&threads[i], NULL, use_a_heap, &barrier) == 0);
    }
    pthread_barrier_wait(&barrier);
    mi__census_take(&census);
    check_equal(census.threads, 4);
    check_equal(census.threads_peak, 4);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 3; i++) {
        check(pthread_join(threads[i], NULL) == 0);
    }
    run_thread(use_a_heap, NULL);
    mi__census_take(&census);
    check_equal(census.threads, 1);
    check_equal(census.threads_peak, 4);
    check_equal(census.classes[class_of(100)].allocated, 4);
}

enum { WORKERS = 4, SLOTS = 2000, OPERATIONS = 250 * 1000 };

typedef struct slot_t {
    _Atomic(void *) block; // its first bytes hold the size it was asked for
} slot_t;

static slot_t slots[SLOTS];
static shadow_t shadows[WORKERS];

static size_t
random_size(uint64_t *random)
{
    uint64_t kind = random_next(random) % 1000;
    size_t most = kind < 800 ? 1024 : kind < 995 ? BLOCK_MAX : 300000;
    return sizeof(size_t) + random_next(random) % most;
}

static void
put_away(shadow_t *shadow, void *block)
{
    if (block != NULL) {
        release(shadow, block, *(size_t *)block);
    }
}

// Any thread frees what any other allocated; now and then a thread becomes another.
static void *
work(void *arg)
{
    shadow_t *shadow = arg;
    uint64_t random = (uint64_t)(shadow - shadows) + 1;
    for (int i = 0; i < OPERATIONS / (SANITIZED ? 20 : 1); i++) {
        slot_t *slot = &slots[random_next(&random) % SLOTS];
        if (random_next(&random) % 3 == 0) {
            put_away(shadow, atomic_exchange_acq_rel(&slot->block, NULL));
        } else {
            size_t size = random_size(&random);
            void *block = alloc(shadow, size);
            *(size_t *)block = size;
            put_away(shadow, atomic_exchange_acq_rel(&slot->block, block));
        }
        if (random_next(&random) % 20000 == 0) {
            mi__registry_leave();
        }
    }
    return NULL;
}

static void
add_up(shadow_t *sum)
{
    memset(sum, 0, sizeof *sum);
    for (int i = 0; i < WORKERS; i++) {
        for (unsigned class = 0; class <= CLASS_COUNT; class += 1) {
            sum->allocated[class] += shadows[i].allocated[class];
            sum->live[class] += shadows[i].live[class];
            sum->live_bytes[class] += shadows[i].live_bytes[class];
        }
    }
}

static void
a_million_operations_are_counted_exactly(void)
{
    start();
    static shadow_t sum;
    for (int round = 0; round < 2; round++) {
        run_threads(WORKERS, work, shadows, sizeof shadows[0]);
        // What was on its way when a thread ended counts as free when its owner, or anybody for an
        // orphan, took it in.
        mi__registry_collect(NULL);
        add_up(&sum);
        check_census(&sum);
    }
    for (size_t i = 0; i < SLOTS; i++) {
        put_away(&shadows[0], atomic_load(&slots[i].block));
    }
    (void)mi__collect(true);
    add_up(&sum);
    check_census(&sum);
    check_equal(census.total.live, 0);
    check_equal(census.total.pages, 0);
    check_equal(census.threads, 0);
}

// ---- foreign blocks -------------------------------------------------------------------------

static void *foreign[10];
static shadow_t foreign_shadow;

static void *
make_foreign(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        foreign[i] = alloc(&foreign_shadow, 500);
    }
    return NULL;
}

static void
blocks_of_threads_that_ended_are_live(void)
{
    start();
    (void)alloc(&foreign_shadow, 5000);
    run_thread(make_foreign, NULL);
    check_census(&foreign_shadow);
}

static void
pages_are_counted_when_they_are_made(void)
{
    start();
    void *blocks[300];
    for (int i = 0; i < 300; i++) {
        blocks[i] = mi__alloc(4096);
    }
    mi__census_take(&census);
    const census_class_t *row = &census.classes[class_of(4096)];
    uint64_t pages = row->pages;
    check(pages >= 300 / 16);
    check_equal(row->pages_made, pages);
    for (int i = 0; i < 300; i++) {
        mi__free(blocks[i]);
    }
    (void)mi__collect(true);
    mi__census_take(&census);
    check_equal(row->pages, 0);
    check_equal(row->pages_made, pages);
    void *a = mi__alloc(100 * 1024);
    mi__free(a);
    a = mi__alloc(100 * 1024); // the one that was kept
    mi__census_take(&census);
    check_equal(census.classes[CLASS_COUNT].pages_made, 2);
    check_equal(census.singleton_bytes, 2 * 2 * SLICE_SIZE);
    mi__free(a);
}

static void
pages_of_threads_that_ended_are_told_apart(void)
{
    start();
    (void)alloc(&foreign_shadow, 5000);
    mi__census_take(&census);
    check_equal(census.pages_orphaned, 0);
    check_equal(census.threads_bound, 1);
    run_thread(make_foreign, NULL);
    mi__census_take(&census);
    check(census.pages_orphaned > 0);
    check_at_most(census.pages_orphaned, census.total.pages - 1);
    check_equal(census.threads_bound, 2);
    check_equal(census.threads, 1);
}

static void
one_thread_is_counted_alone(void)
{
    start();
    run_thread(make_foreign, NULL);
    // Of another class than all of that thread's: a class's page may be taken over.
    void *mine[3];
    for (int i = 0; i < 3; i++) {
        mine[i] = mi__alloc(9000);
    }
    void *large = mi__alloc(100 * 1024);
    mi__thread_heap_drain(mi__thread_heap);
    census_scope_t scope = {.thread = mi__thread_heap};
    mi__census_take_part(&census, &scope);
    const census_class_t *row = &census.classes[class_of(9000)];
    check_equal(row->live, 3);
    check_equal(row->pages, 1);
    check_equal(census.classes[CLASS_COUNT].pages, 0);
    check_sums();
    census_t all;
    mi__census_take(&all);
    check_equal(all.classes[CLASS_COUNT].pages, 1);
    check_at_most(census.total.live, all.total.live - 1);
    for (int i = 0; i < 3; i++) {
        mi__free(mine[i]);
    }
    mi__free(large);
    mi__census_take_part(&census, &scope);
    check_equal(row->live, 0);
    // A thread without a heap has nothing.
    scope.thread = &mi__thread_heap_none;
    mi__census_take_part(&census, &scope);
    check_equal(census.total.live + census.total.allocated + census.total.pages, 0);
}

// Two heaps and a subprocess, whose blocks a second thread frees in part: it holds back those of
// main heaps, and sends those of others home.
static void *parts[3][4];

static void *
free_some(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        mi__free(parts[i][0]);
    }
    return NULL;
}

static void
heaps_are_counted_one_by_one(void)
{
    start();
    mi__free(mi__alloc(1));
    heap_t *heaps[] = {&mi__subproc_main.main, mi__heap_new(&mi__subproc_main, NULL),
                       mi__heap_new(&mi__subproc_main, NULL)};
    for (int i = 0; i < 3; i++) {
        thread_heap_t *part = i == 0 ? mi__thread_heap : mi__siblings_of(heaps[i]);
        for (int k = 0; k < 4; k++) {
            parts[i][k] = fast_alloc_in(part, 9000);
            check(parts[i][k] != NULL);
        }
        check(fast_alloc_in(part, 100 * 1024) != NULL);
    }
    run_thread(free_some, NULL);
    for (int i = 0; i < 3; i++) {
        census_scope_t scope = {.heap = heaps[i]};
        mi__census_take_part(&census, &scope);
        const census_class_t *row = &census.classes[class_of(9000)];
        check_equal(row->allocated, 4);
        check_equal(row->live, 3);
        check_equal(row->live_bytes, 3 * row->block_size);
        check_equal(census.classes[CLASS_COUNT].live, 1);
        check_equal(census.classes[CLASS_COUNT].allocated, 1);
        check_equal(census.threads, i == 0);
        check_sums();
    }
    census_scope_t scope = {.subproc = &mi__subproc_main};
    mi__census_take_part(&census, &scope);
    check_equal(census.classes[class_of(9000)].live, 9);
    check_equal(census.classes[class_of(9000)].allocated, 12);
    subproc_t *other = mi__subproc_new();
    scope.subproc = other;
    mi__census_take_part(&census, &scope);
    check_equal(census.total.live + census.total.allocated + census.total.pages, 0);
    // What a destroyed heap had counted goes to the main one.
    mi__heap_destroy(heaps[2]);
    scope = (census_scope_t){.heap = heaps[0]};
    mi__census_take_part(&census, &scope);
    check_equal(census.classes[class_of(9000)].allocated, 8);
    check_equal(census.classes[class_of(9000)].live, 3);
}

// A block that its thread holds back is free, as the program sees it.
static void
held_blocks_are_not_live(void)
{
    start();
    (void)alloc(&foreign_shadow, 5000);
    run_thread(make_foreign, NULL);
    for (int i = 0; i < 4; i++) {
        release(&foreign_shadow, foreign[i], 500);
    }
    check_census(&foreign_shadow);
}

static void
blocks_sent_home_are_not_live(void)
{
    start();
    (void)alloc(&foreign_shadow, 5000);
    run_thread(make_foreign, NULL);
    for (int i = 0; i < 4; i++) {
        release(&foreign_shadow, foreign[i], 500);
    }
    (void)mi__collect(false);
    check_census(&foreign_shadow);
}

// Lent blocks are handed out one by one, like others.
static void
lent_blocks_are_counted_as_they_are_taken(void)
{
    start();
    (void)alloc(&foreign_shadow, 5000);
    run_thread(make_foreign, NULL);
    for (int i = 0; i < 4; i++) {
        release(&foreign_shadow, foreign[i], 500);
    }
    (void)alloc(&foreign_shadow, 500);
    mi__census_take(&census);
    check_equal(census.classes[class_of(500)].allocated, 11);
    (void)alloc(&foreign_shadow, 500);
    mi__census_take(&census);
    check_equal(census.classes[class_of(500)].allocated, 12);
    (void)mi__collect(false);
    check_census(&foreign_shadow);
}

// ---- at work --------------------------------------------------------------------------------

static _Atomic(bool) stop;

static void *
churn(void *arg)
{
    uint64_t random = *(uint64_t *)arg;
    void *kept[50] = {0};
    while (!atomic_load(&stop)) {
        size_t at = random_next(&random) % 50;
        mi__free(kept[at]);
        kept[at] = mi__alloc(random_next(&random) % 100000);
        if (random_next(&random) % 200 == 0) {
            (void)mi__collect(false);
        }
    }
    for (int i = 0; i < 50; i++) {
        mi__free(kept[i]);
    }
    return NULL;
}

// A snapshot need not be exact while others allocate, but no figure may be absurd.
static void
a_census_of_busy_threads_is_plausible(void)
{
    start();
    pthread_t threads[3];
    uint64_t seeds[] = {1, 2, 3};
    for (int i = 0; i < 3; i++) {
        check(pthread_create(&threads[i], NULL, churn, &seeds[i]) == 0);
    }
    for (int i = 0; i < (SANITIZED ? 500 : 5000); i++) {
        mi__census_take(&census);
        for (unsigned class = 0; class <= CLASS_COUNT; class += 1) {
            check_at_most(census.classes[class].allocated, UINT64_C(1) << 40);
            check_at_most(census.classes[class].live, 10000);
            check_at_most(census.classes[class].live_bytes, GIB);
        }
        check_at_most(census.threads, 3);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 3; i++) {
        check(pthread_join(threads[i], NULL) == 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(nothing_is_counted_before_the_start),
        fresh_test(every_class_is_counted),
        fresh_test(singletons_are_counted),
        fresh_test(aligned_blocks_count_in_the_class_that_serves_them),
        fresh_test(refusals_are_not_counted),
        fresh_test(collecting_changes_no_count),
        fresh_test(memory_is_the_sum_of_its_parts),
        fresh_test(all_regions_are_counted),
        fresh_test(threads_are_counted),
        fresh_test(a_million_operations_are_counted_exactly),
        fresh_test(blocks_of_threads_that_ended_are_live),
        fresh_test(pages_are_counted_when_they_are_made),
        fresh_test(pages_of_threads_that_ended_are_told_apart),
        fresh_test(one_thread_is_counted_alone),
        fresh_test(heaps_are_counted_one_by_one),
        fresh_test(held_blocks_are_not_live),
        fresh_test(blocks_sent_home_are_not_live),
        fresh_test(lent_blocks_are_counted_as_they_are_taken),
        fresh_test(a_census_of_busy_threads_is_plausible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
