// SPDX-License-Identifier: MIT
// test_stats.c — front/stats.c with a census of the test's own making.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "front/report.h"
#include "front/stats.h"
#include "heap/census.h"
#include "os/os.h"
#include "unit.h"

static census_t census_now;

void
mi__census_take(census_t *census)
{
    *census = census_now;
}

static const census_scope_t *scope_asked;

void
mi__census_take_part(census_t *census, const census_scope_t *scope)
{
    scope_asked = scope;
    *census = census_now;
}

static char shown[64 * 1024];
static size_t calls;
static void *last_arg;

static void
collect(const char *text, void *arg)
{
    assert_true(strlen(shown) + strlen(text) < sizeof shown);
    strcat(shown, text);
    calls++;
    last_arg = arg;
    // Each call brings whole lines.
    assert_int_equal(text[strlen(text) - 1], '\n');
}

static void
print_table(void)
{
    shown[0] = 0;
    calls = 0;
    mi__stats_print(collect, &calls);
    assert_ptr_equal(last_arg, &calls);
}

// The line of `shown` that starts, after blanks, with `label`; its text up to the newline in a static buffer.
static const char *
line_of(const char *label)
{
    static char line[256];
    for (const char *at = shown; at != NULL && *at != 0; at = strchr(at, '\n') + 1) {
        const char *text = at + strspn(at, " ");
        size_t length = strcspn(at, "\n");
        if (strncmp(text, label, strlen(label)) == 0) {
            assert_true(length < sizeof line);
            memcpy(line, at, length);
            line[length] = 0;
            return line;
        }
    }
    return NULL;
}

static void
set_class(size_t class, size_t block_size, uint64_t allocated, uint64_t live, uint64_t pages)
{
    census_now.classes[class] = (census_class_t){.block_size = block_size,
                                                 .allocated = allocated,
                                                 .live = live,
                                                 .live_bytes = live * block_size,
                                                 .pages = pages,
                                                 .page_bytes = pages * SLICE_SIZE};
}

static int
empty_census(void **state)
{
    (void)state;
    memset(&census_now, 0, sizeof census_now);
    return 0;
}

static void
an_empty_heap_has_a_table_too(void **state)
{
    (void)state;
    print_table();
    assert_non_null(strstr(shown, "mimalloc 3.4.3: statistics of \""));
    assert_non_null(line_of("block size"));
    assert_null(line_of("larger"));
    assert_string_equal(line_of("all"),
                        "         all             0           0          0 B        0          0 B");
    assert_non_null(line_of("threads now"));
}

static void
rows_show_the_classes_in_use(void **state)
{
    (void)state;
    set_class(0, 16, 12345, 2048, 1);
    set_class(1, 32, 7, 0, 0); // not in use any more, but it was
    set_class(2, 48, 0, 0, 0);
    set_class(3, 64, 0, 0, 1); // prepared only
    census_now.classes[CLASS_COUNT] =
        (census_class_t){.allocated = 3, .live = 2, .live_bytes = 3 << 20, .pages = 2, .page_bytes = 3 << 20};
    census_now.total = (census_class_t){
        .allocated = 12355, .live = 2050, .live_bytes = 3178496, .pages = 4, .page_bytes = 3276800};
    print_table();
    assert_string_equal(line_of("16 B"),
                        "        16 B         12345        2048     32.0 KiB        1     64.0 KiB    49%");
    assert_string_equal(line_of("32 B"),
                        "        32 B             7           0          0 B        0          0 B");
    assert_null(line_of("48 B"));
    assert_non_null(line_of("64 B"));
    assert_string_equal(line_of("larger"),
                        "      larger             3           2      3.0 MiB        2      3.0 MiB    99%");
    assert_string_equal(line_of("all"),
                        "         all         12355        2050      3.0 MiB        4      3.1 MiB    96%");
}

static void
figures_stand_beside_their_names(void **state)
{
    (void)state;
    census_now.reserved_bytes = (size_t)1 << 30;
    census_now.committed_bytes = 8 << 20;
    census_now.free_bytes = 2 << 20;
    census_now.purgeable_bytes = 1 << 20;
    census_now.purged_bytes = 3 << 20;
    census_now.metadata_bytes = 1536;
    census_now.threads = 5;
    census_now.threads_peak = 17;
    print_table();
    assert_non_null(
        strstr(line_of("address space"), "address space                1.0 GiB        elapsed time"));
    assert_non_null(strstr(line_of("committed"), "committed                    8.0 MiB        user time"));
    assert_non_null(strstr(line_of("free in it"), "free in it                   2.0 MiB        system time"));
    assert_non_null(strstr(line_of("purgeable"), "purgeable                    1.0 MiB        resident"));
    assert_non_null(strstr(line_of("purged"), "purged                       3.0 MiB        peak resident"));
    assert_non_null(strstr(line_of("metadata"), "metadata                     1.5 KiB        page faults"));
    assert_string_equal(line_of("threads now"),
                        "  threads now                        5        threads at peak                   17");
}

static void
a_full_table_is_aligned_and_complete(void **state)
{
    (void)state;
    for (size_t i = 0; i <= CLASS_COUNT; i++) {
        set_class(i, i * 4096 + 16, 1000000000 * i + 1, 999, 99);
    }
    census_now.total.live = 42;
    print_table();
    size_t rows = 0;
    size_t width = strlen(line_of("block size"));
    for (const char *at = line_of("block size") != NULL ? strstr(shown, "block size") : NULL; *at != '\n';) {
        at = strchr(at, '\n') + 1;
        rows++;
        if (strcspn(at, "\n") != 0) {
            assert_int_equal(strcspn(at, "\n"), rows <= CLASS_COUNT + 1 ? width : strlen(line_of("all")));
        }
    }
    assert_int_equal(rows, CLASS_COUNT + 1 + 1 + 1); // classes and larger, all, the empty line
    assert_true(calls > 1);
    assert_non_null(line_of("threads now"));
    assert_null(strstr(shown, "[cut]"));
}

static void
used_shares_do_not_overflow(void **state)
{
    (void)state;
    census_now.classes[CLASS_COUNT] = (census_class_t){
        .allocated = 1, .live = 1, .live_bytes = UINT64_MAX, .pages = 1, .page_bytes = UINT64_MAX};
    print_table();
    const char *line = line_of("larger");
    assert_string_equal(line + strlen(line) - 4, " 99%");
}

static void
without_a_function_messages_take_it(void **state)
{
    (void)state;
    shown[0] = 0;
    mi__report_set_output(collect, NULL);
    mi__stats_print(NULL, NULL);
    mi__report_set_output(NULL, NULL);
    assert_null(last_arg);
    assert_non_null(line_of("block size"));
    assert_non_null(line_of("threads now"));
}

static void
a_part_has_rows_and_no_figures_of_the_process(void **state)
{
    (void)state;
    set_class(0, 16, 12345, 2048, 1);
    census_now.total = census_now.classes[0];
    shown[0] = 0;
    census_scope_t scope = {0};
    mi__stats_print_part(&scope, "a thread of ", collect, NULL);
    assert_ptr_equal(scope_asked, &scope);
    assert_non_null(strstr(shown, "statistics of a thread of \""));
    assert_non_null(line_of("16 B"));
    assert_non_null(line_of("all"));
    assert_null(line_of("threads now"));
}

static void
errno_stays(void **state)
{
    (void)state;
    errno = 77;
    print_table();
    assert_int_equal(errno, 77);
}

int
main(void)
{
    mi__os_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_empty_heap_has_a_table_too, empty_census),
        cmocka_unit_test_setup(rows_show_the_classes_in_use, empty_census),
        cmocka_unit_test_setup(figures_stand_beside_their_names, empty_census),
        cmocka_unit_test_setup(a_full_table_is_aligned_and_complete, empty_census),
        cmocka_unit_test_setup(used_shares_do_not_overflow, empty_census),
        cmocka_unit_test_setup(without_a_function_messages_take_it, empty_census),
        cmocka_unit_test_setup(a_part_has_rows_and_no_figures_of_the_process, empty_census),
        cmocka_unit_test_setup(errno_stays, empty_census),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
