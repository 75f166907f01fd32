// SPDX-License-Identifier: MIT
// test_alloc.c — alloc/alloc.c and alloc/fast.h: every size, zeroed memory, failure, and what is
// known of a block.
#include "fresh.h"

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "alloc/large.h"
#include "arena/purge.h"
#include "heap/registry.h"

static void
start(void)
{
    mi__sampling_set_rate(SAMPLER_GUARD, 0); // every block has its exact place
    mi__conf.purge_delay_ms = -1;
    mi__conf.region_bytes_log2 = 34;
    mi__hooks.misuse = record_misuse;
    mi__hooks.alloc_failed = record_failure;
}

// What every block must be.
static void
check_block(void *p, size_t size)
{
    check(p != NULL);
    check(is_aligned(p, GRANULE));
    check(mi__usable_size(p, "test") >= size);
    check_equal(mi__usable_size(p, "test"), mi__good_size(size));
    check(mi__is_block(p));
}

// ---- sizes ----------------------------------------------------------------------------------

static void
every_size_up_to_a_singleton(void)
{
    start();
    for (size_t size = 0; size <= BLOCK_MAX + 2000; size += size < 5000 || size > BLOCK_MAX - 100 ? 1 : 37) {
        char *p = mi__alloc(size);
        check_block(p, size);
        memset(p, 0xee, mi__usable_size(p, "test"));
        mi__free(p);
    }
}

static void
large_sizes(void)
{
    start();
    static const size_t sizes[] = {65537, 100000, 131072, 131073, 1000000, 4194304, 4194305, 100000000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t more = 0; more < 3; more++) {
            size_t size = sizes[i] + more;
            char *p = mi__alloc(size);
            check_block(p, size);
            check(is_aligned(p, SLICE_SIZE));
            p[0] = 1;
            p[size - 1] = 1;
            p[mi__usable_size(p, "test") - 1] = 1;
            mi__free(p);
        }
    }
    // The last of them may be kept for the next.
    (void)mi__collect(false);
    check_equal(slices_in_use(), 0);
}

static void
blocks_of_size_zero_are_unique(void)
{
    start();
    static char *blocks[1000];
    for (int i = 0; i < 1000; i++) {
        blocks[i] = i % 2 == 0 ? mi__alloc(0) : mi__alloc_zeroed(0);
        check_block(blocks[i], 0);
        check(mi__usable_size(blocks[i], "test") >= 1);
        for (int k = 0; k < i; k++) {
            check(blocks[k] != blocks[i]);
        }
    }
}

static void
good_sizes_are_what_blocks_have(void)
{
    start();
    for (size_t size = 0; size <= BLOCK_MAX; size++) {
        size_t good = mi__good_size(size);
        check(good >= size);
        check_equal(good, sizeclass_block_size(sizeclass_of(size)));
        check_equal(mi__good_size(good), good);
    }
    check_equal(mi__good_size(BLOCK_MAX + 1), 2 * SLICE_SIZE);
    check_equal(mi__good_size(10 * MIB + 1), 10 * MIB + SLICE_SIZE);
    check(mi__good_size(PTRDIFF_MAX) >= PTRDIFF_MAX);
    // Impossible: as they are.
    check_equal(mi__good_size((size_t)PTRDIFF_MAX + 1), (size_t)PTRDIFF_MAX + 1);
    check_equal(mi__good_size(SIZE_MAX), SIZE_MAX);
}

// ---- zeroed memory --------------------------------------------------------------------------

enum { DIRTY_BLOCKS = 200 };

static const size_t zero_sizes[] = {0,    1,    8,     16,    24,    100,   1000,  1024,   1025,   4096,
                                    5000, 9000, 16384, 40000, 65536, 65537, 70000, 131072, 1000000};
enum { ZERO_SIZES = sizeof zero_sizes / sizeof zero_sizes[0] };

static void
take_zeroed_and_soil(char **blocks, size_t size, int count)
{
    for (int i = 0; i < count; i++) {
        blocks[i] = mi__alloc_zeroed(size);
        check_block(blocks[i], size);
        check(is_zero(blocks[i], mi__usable_size(blocks[i], "test")));
        memset(blocks[i], 0xff, mi__usable_size(blocks[i], "test"));
    }
}

static void
zeroed_blocks_are_zero_after_all(void)
{
    start();
    static char *blocks[DIRTY_BLOCKS];
    for (size_t i = 0; i < ZERO_SIZES; i++) {
        size_t size = zero_sizes[i];
        int count = size > BLOCK_MAX ? 5 : size > 4096 ? 40 : DIRTY_BLOCKS;
        for (int round = 0; round < 6; round++) {
            take_zeroed_and_soil(blocks, size, count);
            for (int k = 0; k < count; k++) {
                mi__free(blocks[k]);
            }
            // Slices come back dirty, purged, and through another class.
            if (round % 2 == 1) {
                (void)mi__collect(round == 3);
            }
        }
    }
}

static void
zeroed_blocks_are_zero_when_purged_at_once(void)
{
    start();
    mi__conf.purge_delay_ms = 0;
    static char *blocks[DIRTY_BLOCKS];
    for (size_t i = 0; i < ZERO_SIZES; i++) {
        for (int round = 0; round < 3; round++) {
            take_zeroed_and_soil(blocks, zero_sizes[i], 10);
            for (int k = 0; k < 10; k++) {
                mi__free(blocks[k]);
            }
            (void)mi__collect(false);
        }
    }
}

// What is known to be zero is not written to: the memory of a large block stays unbacked.
static void
fresh_zeroed_memory_is_not_touched(void)
{
    start();
    check(mi__alloc(10) != NULL);
    size_t before = resident_bytes();
    char *p = mi__alloc_zeroed(64 * MIB);
    check(p != NULL);
    check_resident_at_most(before + 4 * MIB);
    memset(p, 1, 64 * MIB);
    check(resident_bytes() >= before + 60 * MIB);
    mi__free(p);
    (void)mi__collect(true);
    check_resident_at_most(before + 4 * MIB);
    check(mi__alloc_zeroed(64 * MIB) == p);
    check_resident_at_most(before + 4 * MIB);
}

// ---- failure --------------------------------------------------------------------------------

static void *
slow(size_t size)
{
    return size > BLOCK_MAX ? mi__alloc_slow_large(size, mi__thread_heap)
                            : mi__alloc_rarely(size, mi__thread_heap);
}

static void *
zeroed_slow(size_t size)
{
    return mi__alloc_zeroed_slow(size, mi__thread_heap);
}

static void
impossible_sizes_fail_cleanly(void)
{
    start();
    static const size_t sizes[] = {SIZE_MAX,
                                   SIZE_MAX - 1,
                                   SIZE_MAX - 15,
                                   SIZE_MAX - SLICE_SIZE,
                                   (size_t)PTRDIFF_MAX + 1,
                                   PTRDIFF_MAX,
                                   PTRDIFF_MAX - SLICE_SIZE,
                                   (size_t)1 << 62,
                                   (size_t)1 << 48};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *(*calls[])(size_t) = {mi__alloc, mi__alloc_zeroed, slow, zeroed_slow};
        for (size_t k = 0; k < 4; k++) {
            errno = 0;
            failures.count = 0;
            check(calls[k](sizes[i]) == NULL);
            check_equal(errno, ENOMEM);
            check_equal(failures.count, 1);
            check_equal(failures.size, sizes[i]);
            check_equal(failures.errnum, ENOMEM);
        }
    }
    check(mi__alloc(10) != NULL);
    check_equal(mi__region_count(), 1);
}

static void
products_that_overflow_fail(void)
{
    start();
    size_t total;
    errno = ERRNO_MARK;
    check(mi__alloc_count(0, SIZE_MAX, &total) && total == 0);
    check(mi__alloc_count(SIZE_MAX, 0, &total) && total == 0);
    check(mi__alloc_count(7, 9, &total) && total == 63);
    check(mi__alloc_count(SIZE_MAX, 1, &total) && total == SIZE_MAX);
    check(mi__alloc_count((size_t)1 << 32, ((size_t)1 << 32) - 1, &total));
    check_equal(errno, ERRNO_MARK);
    check_equal(failures.count, 0);
    static const size_t pairs[][2] = {
        {SIZE_MAX, 2}, {SIZE_MAX, SIZE_MAX}, {(size_t)1 << 32, (size_t)1 << 32}, {(size_t)1 << 63, 2}};
    for (size_t i = 0; i < 4; i++) {
        errno = 0;
        check(!mi__alloc_count(pairs[i][0], pairs[i][1], &total));
        check_equal(errno, ENOMEM);
        check_equal(failures.count, i + 1);
    }
}

static void
success_leaves_errno_alone(void)
{
    start();
    mi__conf.purge_delay_ms = 0;
    errno = ERRNO_MARK;
    for (size_t size = 0; size < 300000; size = size * 2 + 1) {
        for (int i = 0; i < 300; i++) {
            void *p = i % 2 == 0 ? mi__alloc(size) : mi__alloc_zeroed(size);
            check(p != NULL);
            check_equal(errno, ERRNO_MARK);
            mi__free(i % 3 == 0 ? NULL : p);
        }
    }
    (void)mi__collect(true);
    check_equal(errno, ERRNO_MARK);
}

static void
no_memory_is_a_clean_failure(void)
{
    start();
    static char *blocks[100000];
    size_t count = 0;
    check(mi__alloc(10) != NULL);
    limit_to(RLIMIT_DATA, data_bytes() + 20 * MIB);
    for (size_t size = 400000; size > 0; size /= 5) {
        char *p;
        errno = ERRNO_MARK;
        while ((p = mi__alloc(size)) != NULL) {
            check_equal(errno, ERRNO_MARK);
            memset(p, 0x11, size);
            blocks[count++] = p;
            check(count < 100000);
            // Small ones may draw on pages for long.
            if (count % 1000 == 0) {
                break;
            }
        }
        check(p != NULL || errno == ENOMEM);
    }
    errno = 0;
    check(mi__alloc(MIB) == NULL);
    check_equal(errno, ENOMEM);
    check(failures.count > 0);
    for (size_t i = 0; i < count; i++) {
        check(blocks[i][0] == 0x11);
        mi__free(blocks[i]);
    }
    (void)mi__collect(true);
    unlimit(RLIMIT_DATA);
    check(mi__alloc(100 * MIB) != NULL);
}

static void
a_full_region_is_followed_by_another(void)
{
    start();
    mi__conf.region_bytes_log2 = 22;
    static char *blocks[3000];
    for (unsigned i = 0; i < 3000; i++) {
        size_t size = i % 10 == 0 ? 100000 : 2000;
        blocks[i] = mi__alloc(size);
        check_block(blocks[i], size);
        fill(blocks[i], size, i);
    }
    check(mi__region_count() > 5);
    for (unsigned i = 0; i < 3000; i++) {
        check(is_filled(blocks[i], i % 10 == 0 ? 100000 : 2000, i));
        mi__free(blocks[i]);
    }
    check_equal(misuses.count, 0);
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
}

// ---- what is known of a block ---------------------------------------------------------------

static void
usable_sizes_of_strange_pointers(void)
{
    start();
    int local;
    char *large = mi__alloc(200000);
    check_equal(mi__usable_size(NULL, "some_call"), 0);
    check_equal(misuses.count, 0);
    check_equal(mi__usable_size(&local, "some_call"), 0);
    check(misused(1, MISUSE_FREE_FOREIGN, "some_call", &local));
    mi__free(large);
    check_equal(mi__usable_size(large, "other_call"), 0);
    check(misused(2, MISUSE_FREE_NO_BLOCK, "other_call", large));
    check_equal(mi__usable_size((void *)UINTPTR_MAX, "third_call"), 0);
    check(misused(3, MISUSE_FREE_FOREIGN, "third_call", (void *)UINTPTR_MAX));
}

static void
blocks_are_told_from_other_memory(void)
{
    start();
    static int global;
    int local;
    void *libc = malloc(100);
    char *small = mi__alloc(100);
    char *large = mi__alloc(200000);
    const void *strange[] = {NULL,
                             &local,
                             &global,
                             libc,
                             (void *)16,
                             (void *)UINTPTR_MAX,
                             (void *)((uintptr_t)1 << 63),
                             mi__thread_heap,
                             mi__page_of(small),
                             mi__region_at(0)->base - 1,
                             mi__region_at(0)->base + 100 * SLICE_SIZE};
    for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++) {
        check(!mi__is_block(strange[i]));
    }
    check(mi__is_block(small) && mi__is_block(small + 5));
    check(mi__is_block(large) && mi__is_block(large + 5));
    // Memory of the page that no block was made of yet.
    check(!mi__is_block((char *)((uintptr_t)small & ~(uintptr_t)(SLICE_SIZE - 1)) + SLICE_SIZE - 1));
    mi__free(large);
    check(!mi__is_block(large));
    check_equal(misuses.count, 0);
    free(libc);
}

// As its comment says: to a block, or into one.
static void
the_far_end_of_a_large_block_is_in_it(void)
{
    start();
    char *large = mi__alloc(200000);
    check(mi__is_block(large + 65535));
    check(mi__is_block(large + 65536));
    check(mi__is_block(large + 199999));
}

// ---- the straight path ----------------------------------------------------------------------

static void
the_inline_paths_are_the_same(void)
{
    start();
    for (size_t size = 0; size <= 2 * BLOCK_MAX; size += 1 + size / 50) {
        char *a = fast_alloc(size);
        char *b = fast_alloc_zeroed(size);
        check_block(a, size);
        check_block(b, size);
        check(is_zero(b, mi__usable_size(b, "test")));
        memset(a, 1, mi__usable_size(a, "test"));
        memset(b, 1, mi__usable_size(b, "test"));
        fast_free(a);
        mi__free(b);
        b = fast_alloc_zeroed(size);
        check(is_zero(b, mi__usable_size(b, "test")));
        fast_free(b);
        fast_free(NULL);
    }
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
}

static void
a_freed_block_is_the_next_in_turn(void)
{
    start();
    for (size_t size = 0; size <= BLOCK_MAX; size = size * 2 + 1) {
        // The pair stays on the page that serves, and a handful of addresses.
        char *seen[8] = {0};
        size_t count = 0;
        page_t *page = NULL;
        for (int i = 0; i < 5000; i++) {
            char *p = fast_alloc(size);
            check(page == NULL || mi__page_of(p) == page);
            page = mi__page_of(p);
            for (size_t k = 0; count < 8 && (k == count || seen[k] != p); k++) {
                if (k == count) {
                    seen[count++] = p;
                    break;
                }
            }
            fast_free(p);
        }
    }
    check_at_most(slices_in_use(), 3 * (SMALL_PAGE_SLICES + MEDIUM_PAGE_SLICES) * 10);
}

// ---- collecting -----------------------------------------------------------------------------

static unsigned deferred[2];

static void
count_deferred(bool force)
{
    deferred[force]++;
}

static void
collecting_gives_back_what_is_free(void)
{
    start();
    mi__hooks.deferred_free = count_deferred;
    static char *blocks[1000];
    for (int i = 0; i < 1000; i++) {
        blocks[i] = mi__alloc(4000);
        memset(blocks[i], 1, 4000);
    }
    size_t slices = slices_in_use();
    for (int i = 0; i < 1000; i++) {
        mi__free(blocks[i]);
    }
    check_equal(mi__collect(false), 0);
    check_equal(slices_in_use(), 0);
    check(mi__collect(true) >= slices * SLICE_SIZE);
    check_equal(mi__collect(true), 0);
    check(deferred[true] == 2 && deferred[false] >= 1);
}

static void
collecting_without_a_heap_is_fine(void)
{
    start();
    check_equal(mi__collect(false), 0);
    char *p = mi__alloc(200000);
    memset(p, 1, 200000);
    mi__free(p);
    mi__registry_leave();
    check(mi__collect(true) >= 200000);
    check(thread_heap_is_none(mi__thread_heap));
}

// ---- at random ------------------------------------------------------------------------------

enum { KEPT = 500 };

typedef struct kept_t {
    char *p;
    size_t size;
    unsigned seed;
} kept_t;

static void
random_step(kept_t *kept, uint64_t *random)
{
    if (kept->p != NULL) {
        check(is_filled(kept->p, kept->size, kept->seed));
        mi__free(kept->p);
        kept->p = NULL;
        return;
    }
    bool zeroed = random_next(random) % 4 == 0;
    kept->size = random_next(random) % ((size_t)16 << random_next(random) % 14);
    kept->seed = (unsigned)random_next(random);
    kept->p = zeroed ? mi__alloc_zeroed(kept->size) : mi__alloc(kept->size);
    check(kept->p != NULL);
    check(!zeroed || is_zero(kept->p, kept->size));
    fill(kept->p, kept->size, kept->seed);
}

static void *
random_work(void *arg)
{
    uint64_t random = *(uint64_t *)arg;
    kept_t *kept = calloc(KEPT, sizeof *kept);
    for (int i = 0; i < (SANITIZED ? 10000 : 150000); i++) {
        random_step(&kept[random_next(&random) % KEPT], &random);
        if (i % 10000 == 0) {
            (void)mi__collect(i % 20000 == 0);
        }
    }
    for (int i = 0; i < KEPT; i++) {
        if (kept[i].p != NULL) {
            random_step(&kept[i], &random);
        }
    }
    free(kept);
    return NULL;
}

static void
blocks_keep_their_contents(void)
{
    start();
    mi__conf.purge_delay_ms = 1;
    uint64_t seeds[] = {1, 2, 3};
    run_threads(3, random_work, seeds, sizeof seeds[0]);
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
    check_equal(misuses.count + failures.count, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(every_size_up_to_a_singleton),
        fresh_test(large_sizes),
        fresh_test(blocks_of_size_zero_are_unique),
        fresh_test(good_sizes_are_what_blocks_have),
        fresh_test(zeroed_blocks_are_zero_after_all),
        fresh_test(zeroed_blocks_are_zero_when_purged_at_once),
        fresh_test(fresh_zeroed_memory_is_not_touched),
        fresh_test(impossible_sizes_fail_cleanly),
        fresh_test(products_that_overflow_fail),
        fresh_test(success_leaves_errno_alone),
        fresh_test(no_memory_is_a_clean_failure),
        fresh_test(a_full_region_is_followed_by_another),
        fresh_test(usable_sizes_of_strange_pointers),
        fresh_test(blocks_are_told_from_other_memory),
        fresh_test(the_far_end_of_a_large_block_is_in_it),
        fresh_test(the_inline_paths_are_the_same),
        fresh_test(a_freed_block_is_the_next_in_turn),
        fresh_test(collecting_gives_back_what_is_free),
        fresh_test(collecting_without_a_heap_is_fine),
        fresh_test(blocks_keep_their_contents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
