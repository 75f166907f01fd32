// SPDX-License-Identifier: MIT
// test_stats_json.c — front/stats_json.c: the text, and that nothing of it is ever cut. That it is
// JSON is seen by Python: tests/system/stats_json.sh.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/alloc.h"
#include "front/stats_json.h"
#include "os/os.h"
#include "unit.h"

static mi_stats_t stats;
static census_t census;
static char text[64 * 1024];

static bool
has(const char *part)
{
    return strstr(text, part) != NULL;
}

static int
some_figures(void **state)
{
    (void)state;
    memset(&census, 0, sizeof census);
    mi_stats_init(&stats);
    stats.pages = (mi_stat_count_t){.total = 9, .peak = 7, .current = 5};
    stats.purged.total = 123;
    stats.heaps_delete_wait.total = -1;
    stats.malloc_bins[0] = (mi_stat_count_t){.total = INT64_MAX, .peak = 2, .current = 1};
    stats.page_bins[MI_BIN_HUGE] = (mi_stat_count_t){.total = 4, .peak = 3, .current = 2};
    stats.committed = (mi_stat_count_t){.total = 11, .peak = 22, .current = 21};
    for (unsigned i = 0; i < CLASS_COUNT; i++) {
        census.classes[i].block_size = sizeclass_block_size(i);
    }
    census.classes[CLASS_COUNT] = (census_class_t){.allocated = UINT64_MAX, .live = 3};
    census.total.live_bytes = 771;
    census.total.page_bytes = 772;
    census.committed_bytes = 773;
    census.free_bytes = 774;
    census.purgeable_bytes = 775;
    census.metadata_bytes = 776;
    census.purged_bytes = 777;
    return 0;
}

static void
members_are_those_of_other_versions(void **state)
{
    (void)state;
    assert_ptr_equal(mi__stats_json(&stats, NULL, sizeof text, text), text);
    assert_int_equal(
        strncmp(text, "{\n  \"stat_version\": 5,\n  \"mimalloc_version\": 30403,\n  \"process\": {\n", 67),
        0);
    static const char *const names[] = {
        "elapsed_msecs",
        "user_msecs",
        "system_msecs",
        "page_faults",
        "rss_current",
        "rss_peak",
        "commit_current",
        "commit_peak",
        "pages",
        "reserved",
        "committed",
        "page_committed",
        "pages_abandoned",
        "threads",
        "malloc_normal",
        "malloc_huge",
        "malloc_requested",
        "segments",
        "segments_abandoned",
        "segments_cache",
        "_segments_reserved",
        "heaps",
        "theaps",
        "reset",
        "purged",
        "mmap_calls",
        "commit_calls",
        "reset_calls",
        "purge_calls",
        "arena_count",
        "malloc_normal_count",
        "malloc_huge_count",
        "malloc_guarded_count",
        "arena_rollback_count",
        "arena_purges",
        "pages_extended",
        "pages_retire",
        "page_searches",
        "page_searches_count",
        "pages_reclaim_on_alloc",
        "pages_reclaim_on_free",
        "pages_reabandon_full",
        "pages_unabandon_busy_wait",
        "heaps_delete_wait",
        "malloc_bins",
        "page_bins",
        "chunk_bins",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char member[64];
        snprintf(member, sizeof member, "\"%s\": ", names[i]);
        const char *at = strstr(text, member);
        assert_non_null(at);
        assert_null(strstr(at + 1, member));
    }
    assert_true(has("\"pages\": {\"total\": 9, \"peak\": 7, \"current\": 5}"));
    assert_true(has("\"purged\": 123,"));
    assert_true(has("\"heaps_delete_wait\": -1,"));
    assert_true(has("\"commit_current\": 21,\n    \"commit_peak\": 22\n"));
    assert_true(has("{\"total\": 9223372036854775807, \"peak\": 2, \"current\": 1, \"block_size\": 16, "
                    "\"page_size\": 65536}"));
    assert_true(has("{\"total\": 4, \"peak\": 3, \"current\": 2, \"block_size\": 0, \"page_size\": 0}"));
    assert_true(has("\"bin\": \"S\"}") && has("\"bin\": \" \"}"));
    assert_false(has("size_classes"));
    assert_string_equal(text + strlen(text) - 3, "\n}\n");
}

static void
the_census_adds_what_has_no_place_elsewhere(void **state)
{
    (void)state;
    assert_non_null(mi__stats_json(&stats, &census, sizeof text, text));
    static const char *const memory[] = {"live",      "in_pages", "committed", "free",
                                         "purgeable", "metadata", "returned"};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++) {
        char member[64];
        snprintf(member, sizeof member, "\"%s\": %zu%s", memory[i], 771 + i, i < 6 ? "," : "\n");
        assert_true(has(member));
    }
    assert_true(has("{\"block_size\": 0, \"allocated\": 18446744073709551615, \"live\": 3, "));
    size_t rows = 0;
    for (const char *at = strstr(text, "\"size_classes\""); (at = strstr(at, "\"live\":")) != NULL; at++) {
        rows++;
    }
    assert_int_equal(rows, CLASS_COUNT + 1);
}

static void
what_does_not_fit_is_refused_whole(void **state)
{
    (void)state;
    assert_non_null(mi__stats_json(&stats, NULL, sizeof text, text));
    // Figures of the process may change their length from call to call; there is room between.
    size_t length = strlen(text);
    static char small[sizeof text];
    memset(small, 'x', sizeof small);
    errno = 0;
    assert_null(mi__stats_json(&stats, NULL, length - 100, small));
    assert_int_equal(errno, ERANGE);
    assert_int_equal(small[0], 0);
    assert_int_equal(small[1], 'x');
    assert_null(mi__stats_json(&stats, NULL, 1, small));
    small[0] = 'x';
    assert_null(mi__stats_json(&stats, NULL, 0, small));
    assert_int_equal(small[0], 'x');
    memset(small, 'x', sizeof small);
    assert_ptr_equal(mi__stats_json(&stats, NULL, length + 100, small), small);
    assert_int_equal(small[length + 100], 'x');
}

static void
without_a_buffer_it_is_a_block(void **state)
{
    (void)state;
    char *block = mi__stats_json(&stats, &census, 0, NULL);
    assert_non_null(block);
    assert_true(mi__is_block(block));
    assert_true(mi__usable_size(block, "test") > strlen(block));
    assert_int_equal(strncmp(block, "{\n", 2), 0);
    mi__free(block);
}

int
main(void)
{
    mi__os_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(members_are_those_of_other_versions, some_figures),
        cmocka_unit_test_setup(the_census_adds_what_has_no_place_elsewhere, some_figures),
        cmocka_unit_test_setup(what_does_not_fit_is_refused_whole, some_figures),
        cmocka_unit_test_setup(without_a_buffer_it_is_a_block, some_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
