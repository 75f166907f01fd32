// SPDX-License-Identifier: MIT
// test_tally.c — front/tally.c with a census of the test's own making: bins, sums, resets, peaks.
#include <string.h>

#include "front/tally.h"
#include "os/os.h"
#include "unit.h"

static census_t census_now;

void
mi__census_take(census_t *census)
{
    *census = census_now;
}

void
mi__census_take_part(census_t *census, const census_scope_t *scope)
{
    assert_non_null(scope);
    *census = census_now;
}

static mi_stats_t stats;
static census_t census;

static void
take(void)
{
    memset(&stats, 0x5a, sizeof stats);
    mi__tally_take(&stats, &census);
}

// A class with `live` of `allocated` blocks, in as many pages as `pages`, of which there were
// `made`.
static void
set_class(unsigned class, uint64_t allocated, uint64_t live, uint64_t made, uint64_t pages)
{
    size_t size = class < CLASS_COUNT ? sizeclass_block_size(class) : 0;
    uint64_t bytes = class < CLASS_COUNT ? live * size : live * 3 * SLICE_SIZE;
    uint64_t page_bytes = class < CLASS_COUNT ? pages * (sizeclass_page_slices(class) << SLICE_SHIFT) : bytes;
    census_now.classes[class] = (census_class_t){.block_size = size,
                                                 .allocated = allocated,
                                                 .live = live,
                                                 .live_bytes = bytes,
                                                 .pages_made = made,
                                                 .pages = pages,
                                                 .page_bytes = page_bytes};
    census_now.total.live_bytes = 0;
    census_now.total.pages = 0;
    for (unsigned i = 0; i <= CLASS_COUNT; i++) {
        census_now.total.live_bytes += census_now.classes[i].live_bytes;
        census_now.total.pages += census_now.classes[i].pages;
    }
}

static int
nothing(void **state)
{
    (void)state;
    memset(&census_now, 0, sizeof census_now);
    mi__tally_reset();
    return 0;
}

#define EXPECT_COUNT(count, t, p, c)                                                                         \
    do {                                                                                                     \
        assert_int_equal((count).total, t);                                                                  \
        assert_int_equal((count).peak, p);                                                                   \
        assert_int_equal((count).current, c);                                                                \
    } while (0)

// ---- the layout

static void
the_layout_is_that_of_other_versions(void **state)
{
    (void)state;
    if (sizeof(void *) != 8) {
        skip();
    }
    assert_int_equal(sizeof(mi_stats_t), 4368);
    assert_int_equal(offsetof(mi_stats_t, version), 8);
    assert_int_equal(offsetof(mi_stats_t, pages), 16);
    assert_int_equal(offsetof(mi_stats_t, reserved), 40);
    assert_int_equal(offsetof(mi_stats_t, committed), 64);
    assert_int_equal(offsetof(mi_stats_t, reset), 88);
    assert_int_equal(offsetof(mi_stats_t, purged), 96);
    assert_int_equal(offsetof(mi_stats_t, page_committed), 104);
    assert_int_equal(offsetof(mi_stats_t, threads), 152);
    assert_int_equal(offsetof(mi_stats_t, malloc_requested), 224);
    assert_int_equal(offsetof(mi_stats_t, mmap_calls), 248);
    assert_int_equal(offsetof(mi_stats_t, arena_count), 280);
    assert_int_equal(offsetof(mi_stats_t, malloc_normal_count), 288);
    assert_int_equal(offsetof(mi_stats_t, page_searches_count), 352);
    assert_int_equal(offsetof(mi_stats_t, segments), 360);
    assert_int_equal(offsetof(mi_stats_t, heaps), 456);
    assert_int_equal(offsetof(mi_stats_t, pages_reclaim_on_alloc), 504);
    assert_int_equal(offsetof(mi_stats_t, heaps_delete_wait), 536);
    assert_int_equal(offsetof(mi_stats_t, malloc_bins), 672);
    assert_int_equal(offsetof(mi_stats_t, page_bins), 672 + 74 * 24);
    assert_int_equal(offsetof(mi_stats_t, chunk_bins), 672 + 2 * 74 * 24);
    take();
    assert_int_equal(stats.size, 4368);
    assert_int_equal(stats.version, 5);
}

// ---- bins

static void
every_class_has_a_bin_that_holds_it(void **state)
{
    (void)state;
    size_t before = 0;
    for (size_t bin = 0; bin < MI_BIN_HUGE; bin++) {
        size_t size = mi__tally_bin_size(bin);
        assert_true(size > before);
        assert_int_equal(size, sizeclass_block_size(sizeclass_of(size)));
        assert_int_equal(mi__tally_bin_page_size(bin),
                         sizeclass_page_slices(sizeclass_of(size)) * SLICE_SIZE);
        before = size;
    }
    assert_int_equal(before, BLOCK_MAX);
    assert_int_equal(mi__tally_bin_size(MI_BIN_HUGE), 0);
    assert_int_equal(mi__tally_bin_size(MI_BIN_COUNT), 0);
    assert_int_equal(mi__tally_bin_size(SIZE_MAX), 0);
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        nothing(NULL);
        set_class(class, 100 + class, 10 + class, 3, 2);
        take();
        size_t bin = 0;
        while (mi__tally_bin_size(bin) < sizeclass_block_size(class)) {
            bin++;
        }
        EXPECT_COUNT(stats.malloc_bins[bin], 100 + class, 10 + class, 10 + class);
        EXPECT_COUNT(stats.page_bins[bin], 3, 2, 2);
        // And no other.
        for (size_t i = 0; i < MI_BIN_COUNT; i++) {
            assert_true(i == bin || (stats.malloc_bins[i].total == 0 && stats.page_bins[i].total == 0));
        }
    }
}

static void
pairs_of_classes_are_added_up(void **state)
{
    (void)state;
    set_class(CLASS_COUNT - 1, 5, 3, 2, 1);
    set_class(CLASS_COUNT - 2, 50, 30, 20, 10);
    take();
    EXPECT_COUNT(stats.malloc_bins[MI_BIN_HUGE - 1], 55, 33, 33);
    EXPECT_COUNT(stats.page_bins[MI_BIN_HUGE - 1], 22, 11, 11);
}

// ---- sums

static void
bytes_and_counts_follow_from_the_classes(void **state)
{
    (void)state;
    set_class(0, 1000, 100, 4, 2);           // 16 bytes
    set_class(7, 10, 1, 1, 1);               // 128 bytes
    set_class(CLASS_COUNT - 1, 20, 2, 3, 1); // 64 KiB, pages of 512 KiB
    set_class(CLASS_COUNT, 7, 2, 7, 2);      // of three slices each
    census_now.singleton_bytes = 7 * 3 * SLICE_SIZE;
    take();
    int64_t normal = 1000 * 16 + 10 * 128 + 20 * 65536;
    int64_t normal_live = 100 * 16 + 128 + 2 * 65536;
    int64_t huge_live = 2 * 3 * SLICE_SIZE;
    EXPECT_COUNT(stats.malloc_normal, normal, normal_live, normal_live);
    EXPECT_COUNT(stats.malloc_huge, 7 * 3 * SLICE_SIZE, huge_live, huge_live);
    EXPECT_COUNT(stats.malloc_requested, normal + 7 * 3 * SLICE_SIZE, normal_live + huge_live,
                 normal_live + huge_live);
    assert_int_equal(stats.malloc_normal_count.total, 1030);
    assert_int_equal(stats.malloc_huge_count.total, 7);
    EXPECT_COUNT(stats.pages, 15, 6, 6);
    int64_t pages_live = 2 * SLICE_SIZE + SLICE_SIZE + 8 * SLICE_SIZE + huge_live;
    EXPECT_COUNT(stats.page_committed, (4 + 1 + 3 * 8 + 7 * 3) * SLICE_SIZE, pages_live, pages_live);
    EXPECT_COUNT(stats.malloc_bins[MI_BIN_HUGE], 7, 2, 2);
}

static void
memory_and_threads_have_figures(void **state)
{
    (void)state;
    census_now.reserved_bytes = (size_t)1 << 30;
    census_now.committed_bytes = 8 << 20;
    census_now.purged_bytes = 3 << 20;
    census_now.threads = 5;
    census_now.threads_peak = 17;
    census_now.threads_bound = 1000;
    census_now.thread_heaps = 17;
    census_now.thread_heaps_made = 20;
    census_now.pages_orphaned = 9;
    take();
    EXPECT_COUNT(stats.reserved, 1 << 30, 1 << 30, 1 << 30);
    EXPECT_COUNT(stats.committed, 8 << 20, 8 << 20, 8 << 20);
    assert_int_equal(stats.purged.total, 3 << 20);
    EXPECT_COUNT(stats.threads, 1000, 5, 5);
    EXPECT_COUNT(stats.theaps, 20, 17, 17);
    EXPECT_COUNT(stats.heaps, 1, 1, 1);
    EXPECT_COUNT(stats.pages_abandoned, 0, 9, 9);
}

static void
calls_of_the_system_are_counted(void **state)
{
    (void)state;
    take();
    int64_t mmaps = stats.mmap_calls.total;
    char *p = mi__os_reserve(1 << 20, 1 << 16);
    assert_non_null(p);
    assert_true(mi__os_commit(p, 1 << 16));
    assert_true(mi__os_commit(p + (1 << 16), 1 << 16));
    assert_true(mi__os_purge(p, 1 << 16));
    take();
    assert_int_equal(stats.mmap_calls.total, mmaps + 1);
    assert_int_equal(stats.commit_calls.total, 2);
    assert_int_equal(stats.purge_calls.total, 1);
    mi__os_unreserve(p, 1 << 20);
}

// ---- resets and peaks

static void
peaks_are_the_highest_that_were_seen(void **state)
{
    (void)state;
    set_class(0, 1000, 100, 4, 2);
    take();
    set_class(0, 2000, 700, 9, 7);
    take();
    set_class(0, 3000, 50, 9, 1);
    take();
    EXPECT_COUNT(stats.malloc_bins[0], 3000, 700, 50);
    EXPECT_COUNT(stats.page_bins[0], 9, 7, 1);
    EXPECT_COUNT(stats.malloc_normal, 3000 * 16, 700 * 16, 50 * 16);
    EXPECT_COUNT(stats.pages, 9, 7, 1);
}

static void
a_reset_counts_from_now(void **state)
{
    (void)state;
    set_class(3, 1000, 100, 4, 2);
    set_class(CLASS_COUNT, 5, 4, 5, 4);
    census_now.singleton_bytes = 100 * SLICE_SIZE;
    census_now.purged_bytes = 77;
    census_now.threads_bound = 8;
    census_now.threads = 3;
    census_now.threads_peak = 6;
    census_now.committed_bytes = 4096;
    take();
    mi__tally_reset();
    take();
    // What is there stays.
    EXPECT_COUNT(stats.malloc_bins[3], 0, 100, 100);
    EXPECT_COUNT(stats.page_bins[3], 0, 2, 2);
    EXPECT_COUNT(stats.malloc_bins[MI_BIN_HUGE], 0, 4, 4);
    EXPECT_COUNT(stats.malloc_huge, 0, 4 * 3 * SLICE_SIZE, 4 * 3 * SLICE_SIZE);
    EXPECT_COUNT(stats.threads, 0, 3, 3);
    EXPECT_COUNT(stats.committed, 0, 4096, 4096);
    assert_int_equal(stats.purged.total, 0);
    assert_int_equal(stats.malloc_normal_count.total + stats.malloc_huge_count.total, 0);
    assert_int_equal(census.total.allocated, 0);

    set_class(3, 1010, 40, 5, 1);
    census_now.purged_bytes = 80;
    census_now.threads_bound = 9;
    take();
    EXPECT_COUNT(stats.malloc_bins[3], 10, 100, 40);
    EXPECT_COUNT(stats.page_bins[3], 1, 2, 1);
    EXPECT_COUNT(stats.threads, 1, 3, 3);
    assert_int_equal(stats.purged.total, 3);
    assert_int_equal(stats.malloc_normal_count.total, 10);
    assert_int_equal(census.classes[3].allocated, 10);
    assert_int_equal(census.total.allocated, 10);
    assert_int_equal(census.purged_bytes, 3);

    mi__tally_reset();
    take();
    EXPECT_COUNT(stats.malloc_bins[3], 0, 40, 40);
}

// A part has no history but its own totals.
static void
a_part_is_not_reset(void **state)
{
    (void)state;
    set_class(3, 1000, 100, 4, 2);
    census_now.threads = 2;
    census_now.thread_heaps = 3;
    census_now.committed_bytes = 4096;
    mi__tally_reset();
    memset(&stats, 0x5a, sizeof stats);
    census_scope_t scope = {.heap = &mi__subproc_main.main};
    mi__tally_take_part(&stats, &census, &scope);
    EXPECT_COUNT(stats.malloc_bins[3], 1000, 100, 100);
    EXPECT_COUNT(stats.threads, 2, 2, 2);
    EXPECT_COUNT(stats.theaps, 3, 3, 3);
    EXPECT_COUNT(stats.heaps, 1, 1, 1);
    EXPECT_COUNT(stats.committed, 0, 0, 0);
    EXPECT_COUNT(stats.segments, 0, 0, 0);
    scope = (census_scope_t){.thread_heap = mi__thread_heap};
    mi__tally_take_part(&stats, &census, &scope);
    EXPECT_COUNT(stats.heaps, 0, 0, 0);
}

static void
memory_belongs_to_the_main_subprocess(void **state)
{
    (void)state;
    set_class(3, 1000, 100, 4, 2);
    census_now.committed_bytes = 4096;
    census_now.purged_bytes = 77;
    mi__tally_take_memory(&stats, true);
    EXPECT_COUNT(stats.committed, 4096, 4096, 4096);
    assert_int_equal(stats.purged.total, 77);
    EXPECT_COUNT(stats.pages, 0, 0, 0);
    mi__tally_take_memory(&stats, false);
    EXPECT_COUNT(stats.committed, 0, 0, 0);
    assert_int_equal(stats.size, sizeof stats);
}

// Counts are a snapshot: what others hand back meanwhile may make them smaller than at the reset.
static void
figures_are_never_negative(void **state)
{
    (void)state;
    set_class(3, 1000, 100, 4, 2);
    mi__tally_reset();
    set_class(3, 990, 100, 4, 2);
    take();
    EXPECT_COUNT(stats.malloc_bins[3], 0, 100, 100);
    assert_int_equal(stats.malloc_normal_count.total, 0);
}

// Until the first reset the peak of threads is the number of heaps that were made; so this runs
// first.
static void
threads_at_their_peak_are_known_without_looking(void **state)
{
    (void)state;
    memset(&census_now, 0, sizeof census_now);
    census_now.threads = 2;
    census_now.threads_peak = 12;
    census_now.threads_bound = 40;
    take();
    EXPECT_COUNT(stats.threads, 40, 12, 2);
}

int
main(void)
{
    mi__os_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_at_their_peak_are_known_without_looking),
        cmocka_unit_test_setup(the_layout_is_that_of_other_versions, nothing),
        cmocka_unit_test_setup(every_class_has_a_bin_that_holds_it, nothing),
        cmocka_unit_test_setup(pairs_of_classes_are_added_up, nothing),
        cmocka_unit_test_setup(bytes_and_counts_follow_from_the_classes, nothing),
        cmocka_unit_test_setup(memory_and_threads_have_figures, nothing),
        cmocka_unit_test_setup(calls_of_the_system_are_counted, nothing),
        cmocka_unit_test_setup(peaks_are_the_highest_that_were_seen, nothing),
        cmocka_unit_test_setup(a_reset_counts_from_now, nothing),
        cmocka_unit_test_setup(a_part_is_not_reset, nothing),
        cmocka_unit_test_setup(memory_belongs_to_the_main_subprocess, nothing),
        cmocka_unit_test_setup(figures_are_never_negative, nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
