// SPDX-License-Identifier: MIT
// test_options.c — front/options.c: the table, and what each kind of value is read as. The library reads the
// environment once, so each case loads it in a child, which sends back the settings and what was said.
// What programs see of it: tests/api/test_api_options.c.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <limits.h>
#include <mimalloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/config.h"
#include "front/options.h"
#include "front/report.h"
#include "os/os.h"
#include "unit.h"

typedef struct loaded_t {
    conf_t conf;
    long values[128]; // by row
    option_origin_t origins[128];
    char said[3000];
} loaded_t;

static loaded_t loaded;

static void
collect(const char *text, void *arg)
{
    (void)arg;
    assert_true(strlen(loaded.said) + strlen(text) < sizeof loaded.said);
    strcat(loaded.said, text);
}

static void
load_here(const char *const *entries)
{
    loaded.said[0] = 0;
    clearenv();
    for (; *entries != NULL; entries++) {
        putenv((char *)(uintptr_t)*entries);
    }
    mi__report_set_output(collect, NULL);
    mi__options_load();
    loaded.conf = mi__conf;
    for (size_t i = 0; i < mi__options_count; i++) {
        loaded.values[i] = mi__options_get(&mi__options[i]);
        loaded.origins[i] = mi__options_origin(&mi__options[i]);
    }
}

// Loads an environment of these entries ("NAME=value"); the outcome is in `loaded`.
static void
load(const char *const *entries)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        load_here(entries);
        _exit(write(ends[1], &loaded, sizeof loaded) == (ssize_t)sizeof loaded ? 0 : 1);
    }
    close(ends[1]);
    memset(&loaded, 0, sizeof loaded);
    assert_int_equal(read(ends[0], &loaded, sizeof loaded), sizeof loaded);
    close(ends[0]);
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

#define LOAD(...) load((const char *const[]){__VA_ARGS__, NULL})

static const option_t *
option(const char *name)
{
    for (size_t i = 0; i < mi__options_count; i++) {
        if (strcmp(mi__options[i].name, name) == 0) {
            return &mi__options[i];
        }
    }
    fail_msg("no option %s", name);
    return NULL;
}

// ---- the table

static void
rows_are_complete_and_name_their_defaults(void **state)
{
    (void)state;
    assert_true(mi__options_count <= 128);
    for (size_t i = 0; i < mi__options_count; i++) {
        const option_t *row = &mi__options[i];
        assert_int_equal(mi__options_get(row), row->fallback);
        assert_int_equal(mi__options_origin(row), OPTION_BY_DEFAULT);
        assert_true(row->min <= row->fallback && row->fallback <= row->max);
        assert_int_equal(strspn(row->name, "abcdefghijklmnopqrstuvwxyz_"), strlen(row->name));
        assert_true(row->kind != OPTION_CHOICE || row->words != NULL);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(mi__options[k].name, row->name);
            assert_true(mi__options[k].place != row->place || row->place == OPTION_NO_EFFECT);
        }
        if (row->place == OPTION_NO_EFFECT) {
            assert_null(row->help);
            continue;
        }
        assert_true(strlen(row->help) > 10);
        size_t size = row->kind == OPTION_SWITCH ? sizeof(bool) : sizeof(long);
        assert_true(row->place + size <= sizeof(conf_t));
    }
}

// The names that other versions have, in the order of their numbers.
static const char *const shared_names[] = {
    "show_errors",
    "show_stats",
    "verbose",
    "deprecated_eager_commit",
    "arena_eager_commit",
    "purge_decommits",
    "allow_large_os_pages",
    "reserve_huge_os_pages",
    "reserve_huge_os_pages_at",
    "reserve_os_memory",
    "deprecated_segment_cache",
    "deprecated_page_reset",
    "deprecated_abandoned_page_purge",
    "deprecated_segment_reset",
    "deprecated_eager_commit_delay",
    "purge_delay",
    "use_numa_nodes",
    "disallow_os_alloc",
    "os_tag",
    "max_errors",
    "max_warnings",
    "deprecated_max_segment_reclaim",
    "destroy_on_exit",
    "arena_reserve",
    "arena_purge_mult",
    "deprecated_purge_extend_delay",
    "disallow_arena_alloc",
    "retry_on_oom",
    "visit_abandoned",
    "guarded_min",
    "guarded_max",
    "guarded_precise",
    "guarded_sample_rate",
    "guarded_sample_seed",
    "generic_collect",
    "page_reclaim_on_free",
    "page_full_retain",
    "page_max_candidates",
    "max_vabits",
    "pagemap_commit",
    "page_commit_on_demand",
    "page_max_reclaim",
    "page_cross_thread_max_reclaim",
    "allow_thp",
    "minimal_purge_size",
    "arena_max_object_size",
    "arena_is_numa_local",
};

static void
numbers_and_names_are_those_of_other_versions(void **state)
{
    (void)state;
    enum { SHARED = sizeof shared_names / sizeof shared_names[0] };
    assert_int_equal(SHARED, _mi_option_last);
    for (int i = 0; i < SHARED; i++) {
        const option_t *row = mi__options_find(i);
        assert_ptr_equal(row, &mi__options[i]);
        assert_int_equal(row->number, i);
        assert_string_equal(row->name, shared_names[i]);
    }
    for (int i = mi_option_errors; i < _mi_option_ours_last; i++) {
        const option_t *row = mi__options_find(i);
        assert_non_null(row);
        assert_int_equal(row->number, i);
        assert_ptr_equal(row, option(row->name));
    }
    static const int none[] = {
        -1, INT_MIN, INT_MAX, _mi_option_last, mi_option_errors - 1, _mi_option_ours_last};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        assert_null(mi__options_find(none[i]));
    }
}

static void
every_option_with_an_effect_can_be_set(void **state)
{
    (void)state;
    LOAD("MIMALLOC_VERBOSE=1", "MIMALLOC_SHOW_STATS=1", "MIMALLOC_SHOW_ERRORS=1", "MIMALLOC_ERRORS=report",
         "MIMALLOC_MAX_ERRORS=5", "MIMALLOC_MAX_WARNINGS=6", "MIMALLOC_PURGE_DELAY=7",
         "MIMALLOC_REGION_SIZE=64M", "MIMALLOC_HELD_SIZE=8K", "MIMALLOC_DEEPBIND=keep",
         "MIMALLOC_RESERVE_HUGE_OS_PAGES=9", "MIMALLOC_RESERVE_HUGE_OS_PAGES_AT=2",
         "MIMALLOC_RESERVE_OS_MEMORY=3M", "MIMALLOC_USE_NUMA_NODES=4", "MIMALLOC_DISALLOW_OS_ALLOC=1",
         "MIMALLOC_PURGE_THREAD=never", "MIMALLOC_MEMORY_LIMIT=3G", "MIMALLOC_MEMORY_SOFT_LIMIT=100M",
         "MIMALLOC_CGROUP_LIMIT=1", "MIMALLOC_PROFILE_RATE=1M", "MIMALLOC_PROFILE_FORMAT=folded",
         "MIMALLOC_PROFILE_ALLOC_INTERVAL=1G", "MIMALLOC_PROFILE_INUSE_INTERVAL=2M",
         "MIMALLOC_PROFILE_TIME_INTERVAL=60", "MIMALLOC_PROFILE_LEAKS=1", "MIMALLOC_PROFILE=/tmp/x",
         "MIMALLOC_ALLOW_THP=2", "MIMALLOC_MINIMAL_PURGE_SIZE=1M", "MIMALLOC_ALLOW_LARGE_OS_PAGES=1",
         "MIMALLOC_TRIM_DELAY=3000", "MIMALLOC_MEMORY_PRESSURE=1", "MIMALLOC_LIVE=1",
         "MIMALLOC_METRICS_INTERVAL=8", "MIMALLOC_METRICS_CLASSES=1", "MIMALLOC_METRICS=/tmp/y",
         "MIMALLOC_GUARDED_MIN=10", "MIMALLOC_GUARDED_MAX=20", "MIMALLOC_GUARDED_PRECISE=1",
         "MIMALLOC_GUARDED_SAMPLE_RATE=30", "MIMALLOC_GUARDED_SAMPLE_SEED=40", "MIMALLOC_SECURE=1");
    assert_string_equal(loaded.said, "");
    assert_int_equal(loaded.conf.profile_rate, 1 << 20);
    assert_int_equal(loaded.conf.profile_format, 2);
    assert_int_equal(loaded.conf.profile_alloc_interval, 1 << 30);
    assert_int_equal(loaded.conf.profile_inuse_interval, 2 << 20);
    assert_int_equal(loaded.conf.profile_time_interval, 60);
    assert_true(loaded.conf.profile_leaks);
    assert_int_equal(loaded.conf.guarded_min, 10);
    assert_int_equal(loaded.conf.guarded_max, 20);
    assert_true(loaded.conf.guarded_precise);
    assert_int_equal(loaded.conf.guarded_sample_rate, 30);
    assert_int_equal(loaded.conf.guarded_sample_seed, 40);
    assert_int_equal(loaded.conf.reserve_huge_pages, 9);
    assert_int_equal(loaded.conf.reserve_huge_pages_at, 2);
    assert_int_equal(loaded.conf.reserve_os_bytes, 3 << 20);
    assert_int_equal(loaded.conf.numa_nodes, 4);
    assert_true(loaded.conf.disallow_os_alloc);
    assert_int_equal(loaded.conf.memory_limit, (size_t)3 << 30);
    assert_int_equal(loaded.conf.memory_soft_limit, 100 << 20);
    assert_true(loaded.conf.group_limit);
    assert_int_equal(loaded.conf.allow_thp, THP_EAGER);
    assert_int_equal(loaded.conf.minimal_purge, 1 << 20);
    assert_true(loaded.conf.allow_large_pages);
    assert_int_equal(loaded.conf.trim_delay_ms, 3000);
    assert_true(loaded.conf.memory_pressure);
    assert_true(loaded.conf.live && loaded.conf.metrics_classes);
    assert_int_equal(loaded.conf.metrics_interval, 8);
    assert_int_equal(loaded.conf.secure, 1);
    assert_int_equal(loaded.conf.purge_thread, PURGE_THREAD_NEVER);
    assert_true(loaded.conf.verbose && loaded.conf.show_stats && loaded.conf.show_errors);
    assert_int_equal(loaded.conf.errors, ERRORS_REPORT);
    assert_int_equal(loaded.conf.max_errors, 5);
    assert_int_equal(loaded.conf.max_warnings, 6);
    assert_int_equal(loaded.conf.purge_delay_ms, 7);
    assert_int_equal(loaded.conf.region_bytes_log2, 26);
    assert_int_equal(loaded.conf.held_bytes, 8192);
    assert_true(loaded.conf.deepbind_keep);
    for (size_t i = 0; i < mi__options_count; i++) {
        bool set = mi__options[i].place != OPTION_NO_EFFECT;
        assert_int_equal(loaded.origins[i], set ? OPTION_BY_ENVIRONMENT : OPTION_BY_DEFAULT);
    }
}

static void
options_without_effect_keep_their_values(void **state)
{
    (void)state;
    LOAD("MIMALLOC_GENERIC_COLLECT=0", "MIMALLOC_ARENA_RESERVE=64M", "MIMALLOC_OS_TAG=240",
         "MIMALLOC_PAGE_MAX_RECLAIM=-3");
    assert_string_equal(loaded.said, "");
    assert_int_equal(loaded.values[mi_option_generic_collect], 0);
    assert_int_equal(loaded.values[mi_option_arena_reserve], 64 << 20);
    assert_int_equal(loaded.values[mi_option_os_tag], 240);
    assert_int_equal(loaded.values[mi_option_page_max_reclaim], -3);
    assert_int_equal(loaded.origins[mi_option_os_tag], OPTION_BY_ENVIRONMENT);
    assert_memory_equal(&loaded.conf, &mi__conf, sizeof mi__conf);
}

static void
other_variables_change_nothing(void **state)
{
    (void)state;
    LOAD("PATH=/bin", "MIMALLOC=1", "XMIMALLOC_VERBOSE=1", "MIMALLO_VERBOSE=1");
    assert_string_equal(loaded.said, "");
    assert_memory_equal(&loaded.conf, &mi__conf, sizeof mi__conf);
    load((const char *const[]){NULL});
    assert_memory_equal(&loaded.conf, &mi__conf, sizeof mi__conf);
}

// ---- values

static void
switches(void **state)
{
    (void)state;
    static const char *const on[] = {"", "1", "true", "TRUE", "yes", "Yes", "on", "ON", "2", "-1", "0001"};
    static const char *const off[] = {"0", "false", "FALSE", "no", "No", "off", "oFF", "00"};
    static const char *const wrong[] = {
        " 1", "1 ", "y", "onn", "o", "0x1", "1|true", "|", "+", "-", "99999999999999999999"};
    char entry[64];
    for (size_t i = 0; i < sizeof on / sizeof on[0]; i++) {
        snprintf(entry, sizeof entry, "MIMALLOC_SHOW_STATS=%s", on[i]);
        LOAD(entry);
        assert_true(loaded.conf.show_stats);
        assert_string_equal(loaded.said, "");
    }
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++) {
        snprintf(entry, sizeof entry, "MIMALLOC_SHOW_STATS=%s", off[i]);
        LOAD(entry);
        assert_false(loaded.conf.show_stats);
        assert_string_equal(loaded.said, "");
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(entry, sizeof entry, "MIMALLOC_SHOW_STATS=%s", wrong[i]);
        LOAD(entry);
        assert_false(loaded.conf.show_stats);
        assert_non_null(strstr(loaded.said, "is not understood"));
    }
}

static void
numbers(void **state)
{
    (void)state;
    static const struct {
        const char *entry;
        long value;
    } cases[] = {
        {"MIMALLOC_PURGE_DELAY=0", 0},    {"MIMALLOC_PURGE_DELAY=-1", -1},
        {"MIMALLOC_PURGE_DELAY=+25", 25}, {"MIMALLOC_PURGE_DELAY=2147483647", INT_MAX},
        {"MIMALLOC_PURGE_DELAY=007", 7},  {"MIMALLOC_PURGE_DELAY=off", 0},
        {"MIMALLOC_PURGE_DELAY=yes", 1},  {"mimalloc_purge_delay=3", 3},
        {"MiMalloc_Purge_Delay=4", 4},    {"MIMALLOC_RESET_DELAY=5", 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        LOAD(cases[i].entry);
        assert_int_equal(loaded.conf.purge_delay_ms, cases[i].value);
        assert_string_equal(loaded.said, "");
    }
    static const char *const wrong[] = {"-2", "2147483648",          "1s",  "1.5", "--1",
                                        "-",  "9223372036854775808", "ten", "1 "};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char entry[64];
        snprintf(entry, sizeof entry, "MIMALLOC_PURGE_DELAY=%s", wrong[i]);
        LOAD(entry);
        assert_int_equal(loaded.conf.purge_delay_ms, 400);
        assert_non_null(strstr(loaded.said, "is not understood"));
    }
}

static void
sizes(void **state)
{
    (void)state;
    LOAD("MIMALLOC_REGION_SIZE=100M", "MIMALLOC_HELD_SIZE=0");
    assert_int_equal(loaded.conf.region_bytes_log2, 26); // rounded down to a power of two
    assert_int_equal(loaded.conf.held_bytes, 0);
    LOAD("MIMALLOC_REGION_SIZE=4MiB", "MIMALLOC_HELD_SIZE=1g");
    assert_int_equal(loaded.conf.region_bytes_log2, 22);
    assert_int_equal(loaded.conf.held_bytes, 1 << 30);
    assert_string_equal(loaded.said, "");
    static const char *const wrong[] = {"0",   "4095K", "", "1", "1Q", "-1", "18446744073709551616",
                                        "64T", "128T"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char entry[64];
        snprintf(entry, sizeof entry, "MIMALLOC_REGION_SIZE=%s", wrong[i]);
        LOAD(entry);
        bool largest = strcmp(wrong[i], "64T") == 0 && sizeof(void *) == 8;
        assert_int_equal(loaded.conf.region_bytes_log2, largest ? 46 : 40);
        assert_int_equal(loaded.said[0] == 0, largest);
    }
    LOAD("MIMALLOC_HELD_SIZE=1025M");
    assert_int_equal(loaded.conf.held_bytes, 4 * 1024);
    assert_non_null(strstr(loaded.said, "MIMALLOC_HELD_SIZE=\"1025M\""));
}

static void
choices(void **state)
{
    (void)state;
    LOAD("MIMALLOC_ERRORS=abort", "MIMALLOC_DEEPBIND=mask");
    assert_int_equal(loaded.conf.errors, ERRORS_ABORT);
    assert_false(loaded.conf.deepbind_keep);
    LOAD("MIMALLOC_ERRORS=IGNORE", "MIMALLOC_DEEPBIND=Keep");
    assert_int_equal(loaded.conf.errors, ERRORS_IGNORE);
    assert_true(loaded.conf.deepbind_keep);
    LOAD("MIMALLOC_ERRORS=default");
    assert_int_equal(loaded.conf.errors, ERRORS_BY_KIND);
    assert_string_equal(loaded.said, "");
    static const char *const wrong[] = {"", "1", "rep", "reports", "abort|report", "|", "default|"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char entry[64];
        snprintf(entry, sizeof entry, "MIMALLOC_ERRORS=%s", wrong[i]);
        LOAD(entry);
        assert_int_equal(loaded.conf.errors, ERRORS_BY_KIND);
        assert_non_null(strstr(loaded.said, "is not understood"));
    }
}

static void
values_of_more_than_64_characters_are_refused(void **state)
{
    (void)state;
    char entry[128] = "MIMALLOC_PURGE_DELAY=";
    size_t name = strlen(entry);
    memset(entry + name, '0', 64);
    LOAD(entry);
    assert_int_equal(loaded.conf.purge_delay_ms, 0);
    entry[name + 64] = '0';
    LOAD(entry);
    assert_int_equal(loaded.conf.purge_delay_ms, 400);
    assert_non_null(strstr(loaded.said, "000...\" is not understood"));
}

// ---- what is said

static void
a_bad_value_gets_one_clear_line(void **state)
{
    (void)state;
    LOAD("MIMALLOC_PURGE_DELAY=soon");
    assert_string_equal(
        loaded.said,
        "mimalloc: warning: MIMALLOC_PURGE_DELAY=\"soon\" is not understood: an integer from -1 to "
        "2147483647 is accepted; 400 is used\n");
    LOAD("mimalloc_show_stats=maybe");
    assert_string_equal(loaded.said,
                        "mimalloc: warning: MIMALLOC_SHOW_STATS=\"maybe\" is not understood: 0, off, no, "
                        "false or 1, on, yes, true is accepted; 0 is used\n");
    LOAD("MIMALLOC_ERRORS=x");
    assert_string_equal(loaded.said, "mimalloc: warning: MIMALLOC_ERRORS=\"x\" is not understood: one of "
                                     "default|abort|report|ignore is accepted; default is used\n");
    LOAD("MIMALLOC_HELD_SIZE=x");
    assert_string_equal(loaded.said,
                        "mimalloc: warning: MIMALLOC_HELD_SIZE=\"x\" is not understood: a size from 0 B to "
                        "1.0 GiB is accepted; 4.0 KiB is used\n");
    if (sizeof(void *) == 8) {
        LOAD("MIMALLOC_REGION_SIZE=x");
        assert_string_equal(loaded.said,
                            "mimalloc: warning: MIMALLOC_REGION_SIZE=\"x\" is not understood: a size from "
                            "4.0 MiB to 64.0 TiB is accepted; 1.0 TiB is used\n");
    }
    LOAD("MIMALLOC_DEEPBIND=1");
    assert_string_equal(loaded.said,
                        "mimalloc: warning: MIMALLOC_DEEPBIND=\"1\" is not understood: one of mask|keep is "
                        "accepted; mask is used\n");
}

static void
an_unknown_name_gets_one_line(void **state)
{
    (void)state;
    LOAD("MIMALLOC_TEA=1", "MIMALLOC_SHOW_STATS=0");
    assert_string_equal(loaded.said, "mimalloc: warning: there is no option MIMALLOC_TEA\n");
    LOAD("mimalloc_purge=1");
    assert_string_equal(loaded.said, "mimalloc: warning: there is no option mimalloc_purge\n");
    LOAD("MIMALLOC_=1");
    assert_string_equal(loaded.said, "mimalloc: warning: there is no option MIMALLOC_\n");
    char entry[300] = "MIMALLOC_";
    memset(entry + 9, 'Q', 200);
    strcpy(entry + 209, "=1");
    LOAD(entry);
    assert_int_equal(strlen(loaded.said), strlen("mimalloc: warning: there is no option ...\n") + 64);
    assert_non_null(strstr(loaded.said, "QQQ...\n"));
}

static void
a_name_that_is_almost_one_is_told_the_right_one(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"PURGE_DELAYS", "PURGE_DELAY"}, {"PURGEDELAY", "PURGE_DELAY"},   {"VERBOS", "VERBOSE"},
        {"SHOW_STAT", "SHOW_STATS"},     {"SHOW_ERRRORS", "SHOW_ERRORS"}, {"MAX_ERROS", "MAX_ERRORS"},
        {"HELDSIZE", "HELD_SIZE"},       {"REGION_SIZES", "REGION_SIZE"}, {"ERORS", "ERRORS"},
        {"DEEP_BIND", "DEEPBIND"},       {"MAX_WARNING", "MAX_WARNINGS"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char entry[64];
        char said[200];
        snprintf(entry, sizeof entry, "MIMALLOC_%s=1", cases[i][0]);
        snprintf(said, sizeof said,
                 "mimalloc: warning: there is no option MIMALLOC_%s; did you mean MIMALLOC_%s?\n",
                 cases[i][0], cases[i][1]);
        LOAD(entry);
        assert_string_equal(loaded.said, said);
    }
}

static void
names_of_other_versions_are_accepted(void **state)
{
    (void)state;
    LOAD("MIMALLOC_ALLOW_THP=0", "MIMALLOC_ARENA_RESERVE=1G", "mimalloc_limit_os_alloc=1",
         "MIMALLOC_EAGER_COMMIT=nonsense", "MIMALLOC_DISABLE_REDIRECT=1",
         "MIMALLOC_TARGET_SEGMENTS_PER_THREAD=2");
    assert_string_equal(loaded.said, "");
    static const char *const older[] = {
        "eager_commit",
        "eager_region_commit",
        "reset_decommits",
        "allow_decommit",
        "large_os_pages",
        "segment_cache",
        "page_reset",
        "abandoned_page_purge",
        "abandoned_page_reset",
        "abandoned_page_decommit",
        "segment_reset",
        "eager_commit_delay",
        "reset_delay",
        "decommit_delay",
        "limit_os_alloc",
        "max_segment_reclaim",
        "purge_extend_delay",
        "decommit_extend_delay",
        "abandoned_reclaim_on_free",
    };
    for (size_t i = 0; i < sizeof older / sizeof older[0]; i++) {
        char entry[64];
        snprintf(entry, sizeof entry, "mimalloc_%s=77", older[i]);
        LOAD(entry);
        assert_string_equal(loaded.said, "");
        size_t found = 0;
        for (size_t k = 0; k < mi__options_count; k++) {
            found += loaded.values[k] == (mi__options[k].kind == OPTION_SWITCH ? 1 : 77);
        }
        assert_int_equal(found, 1);
    }
    LOAD("MIMALLOC_RESET_DELAY=5", "MIMALLOC_VERBOSE=1");
    assert_string_equal(loaded.said,
                        "mimalloc: MIMALLOC_RESET_DELAY is the older name of MIMALLOC_PURGE_DELAY\n");
    LOAD("MIMALLOC_OS_TAG=0", "MIMALLOC_VERBOSE=1");
    assert_string_equal(loaded.said, "mimalloc: MIMALLOC_OS_TAG has no effect in this version\n");
}

static void
the_newer_name_wins(void **state)
{
    (void)state;
    LOAD("MIMALLOC_RESET_DELAY=1", "MIMALLOC_PURGE_DELAY=2");
    assert_int_equal(loaded.conf.purge_delay_ms, 2);
    LOAD("MIMALLOC_PURGE_DELAY=2", "MIMALLOC_RESET_DELAY=1");
    assert_int_equal(loaded.conf.purge_delay_ms, 2);
    LOAD("MIMALLOC_RESET_DELAY=never");
    assert_non_null(strstr(loaded.said, "MIMALLOC_PURGE_DELAY=\"never\""));
}

// ---- who sets it

static void
what_the_program_sets_stays(void **state)
{
    (void)state;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const option_t *delay = option("purge_delay");
        const option_t *tag = option("os_tag");
        clearenv();
        putenv((char *)(uintptr_t) "MIMALLOC_PURGE_DELAY=5");
        putenv((char *)(uintptr_t) "MIMALLOC_OS_TAG=6");
        putenv((char *)(uintptr_t) "MIMALLOC_HELD_SIZE=4K");
        // A default gives way to the environment, what the program sets does not.
        assert_true(mi__options_set(delay, 1, OPTION_BY_PROGRAM_DEFAULT));
        assert_int_equal(mi__options_get(delay), 1);
        assert_true(mi__options_set(tag, 2, OPTION_BY_PROGRAM));
        mi__options_load();
        assert_int_equal(mi__options_get(delay), 5);
        assert_int_equal(mi__options_origin(delay), OPTION_BY_ENVIRONMENT);
        assert_int_equal(mi__options_get(tag), 2);
        assert_int_equal(mi__options_origin(tag), OPTION_BY_PROGRAM);
        assert_false(mi__options_set(delay, 7, OPTION_BY_PROGRAM_DEFAULT));
        assert_int_equal(mi__options_get(delay), 5);
        assert_true(mi__options_set(delay, 8, OPTION_BY_PROGRAM));
        assert_false(mi__options_set(delay, 9, OPTION_BY_ENVIRONMENT));
        assert_int_equal(mi__conf.purge_delay_ms, 8);
        // Out of range: the nearest.
        assert_true(mi__options_set(delay, LONG_MIN, OPTION_BY_PROGRAM));
        assert_int_equal(mi__conf.purge_delay_ms, -1);
        assert_true(mi__options_set(option("held_size"), LONG_MAX, OPTION_BY_PROGRAM));
        assert_int_equal(mi__conf.held_bytes, 1 << 30);
        assert_true(mi__options_set(option("verbose"), 17, OPTION_BY_PROGRAM));
        assert_true(mi__conf.verbose);
        _exit(0);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

// ---- when it is loaded. These two run last: they load into this process.

static void
before_the_environment_is_there_nothing_is_settled(void **state)
{
    (void)state;
    char **before = environ;
    environ = NULL;
    mi__options_load();
    assert_int_equal(mi__options_get(option("purge_delay")), 400);
    environ = before;
}

static void
the_environment_is_read_once(void **state)
{
    (void)state;
    setenv("MIMALLOC_PURGE_DELAY", "42", 1);
    mi__options_load();
    assert_int_equal(mi__options_get(option("purge_delay")), 42);
    setenv("MIMALLOC_PURGE_DELAY", "43", 1);
    mi__options_load();
    assert_int_equal(mi__options_get(option("purge_delay")), 42);
}

int
main(void)
{
    mi__os_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_complete_and_name_their_defaults),
        cmocka_unit_test(numbers_and_names_are_those_of_other_versions),
        cmocka_unit_test(every_option_with_an_effect_can_be_set),
        cmocka_unit_test(options_without_effect_keep_their_values),
        cmocka_unit_test(other_variables_change_nothing),
        cmocka_unit_test(switches),
        cmocka_unit_test(numbers),
        cmocka_unit_test(sizes),
        cmocka_unit_test(choices),
        cmocka_unit_test(values_of_more_than_64_characters_are_refused),
        cmocka_unit_test(a_bad_value_gets_one_clear_line),
        cmocka_unit_test(an_unknown_name_gets_one_line),
        cmocka_unit_test(a_name_that_is_almost_one_is_told_the_right_one),
        cmocka_unit_test(names_of_other_versions_are_accepted),
        cmocka_unit_test(the_newer_name_wins),
        cmocka_unit_test(what_the_program_sets_stays),
        cmocka_unit_test(before_the_environment_is_there_nothing_is_settled),
        cmocka_unit_test(the_environment_is_read_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
