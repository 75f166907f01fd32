// SPDX-License-Identifier: MIT
// test_metrics.c — front/metrics.c: the text for figures of the test's own making. That strict readers take
// it: tests/system/metrics.sh.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/metrics.h"
#include "unit.h"

static char shown[64 * 1024];
static size_t pieces;
static mi_figures_t figures;
static census_class_t classes[CLASS_COUNT + 1];

static void
gather(const char *text, void *arg)
{
    assert_ptr_equal(arg, &pieces);
    size_t length = strlen(text);
    assert_true(length > 0 && text[length - 1] == '\n');
    assert_true(strlen(shown) + length < sizeof shown);
    strcat(shown, text);
    pieces++;
}

static void
print(const census_class_t *by_class)
{
    shown[0] = 0;
    pieces = 0;
    mi__metrics_print(&figures, by_class, gather, &pieces);
}

static bool
has(const char *line)
{
    char whole[256];
    assert_true(strlen(line) < sizeof whole - 3);
    strcpy(whole, "\n");
    strcat(whole, line);
    strcat(whole, "\n");
    return strstr(shown, whole) != NULL;
}

// As many as there are, with one digit after the other, so that no two are alike.
static int
fill(void **state)
{
    (void)state;
    uint64_t *words = (void *)&figures;
    for (size_t i = 0; i < sizeof figures / sizeof *words; i++) {
        words[i] = 1000 + i;
    }
    return 0;
}

static void
each_figure_is_told(void **state)
{
    (void)state;
    print(NULL);
    assert_true(pieces > 1);
    assert_memory_equal(shown, "# TYPE malloc_build_info gauge\n", 31);
    for (size_t i = 0; i < sizeof figures / sizeof(uint64_t); i++) {
        char value[32];
        snprintf(value, sizeof value, " %d\n", 1000 + (int)i);
        assert_non_null(strstr(shown, value));
    }
    assert_true(has("# TYPE malloc_allocated_bytes gauge\n# UNIT malloc_allocated_bytes bytes\n"
                    "# HELP malloc_allocated_bytes Bytes of live blocks.\nmalloc_allocated_bytes 1000"));
    assert_true(has("# TYPE malloc_allocations counter"));
    assert_true(has("malloc_allocations_total 1013"));
    assert_true(has("malloc_os_calls_total{call=\"madvise\"} 1019"));
    assert_true(has("malloc_errors_total{kind=\"oom\"} 1023"));
    assert_null(strstr(shown, "malloc_class"));
    assert_string_equal(shown + strlen(shown) - 7, "\n# EOF\n");
}

static void
the_ratio_has_three_places(void **state)
{
    (void)state;
    static const struct {
        uint64_t active;
        uint64_t allocated;
        const char *shown;
    } cases[] = {
        {0, 0, "1.000"},
        {300, 200, "1.500"},
        {1999999, 1000000, "1.999"},
        {200, 300, "0.666"},
        {1 << 20, 1 << 20, "1.000"},
        {UINT64_MAX, 1, "18446744073709551615.000"},
        {65536, 16, "4096.000"},
        {UINT64_MAX - 1, UINT64_MAX, "0.999"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[64];
        figures.active_bytes = cases[i].active;
        figures.allocated_bytes = cases[i].allocated;
        print(NULL);
        snprintf(line, sizeof line, "malloc_fragmentation_ratio %s", cases[i].shown);
        assert_true(has(line));
    }
}

static void
classes_in_use_are_told(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= CLASS_COUNT; i++) {
        classes[i] = (census_class_t){.block_size = i < CLASS_COUNT ? sizeclass_block_size(i) : 0,
                                      .pages = i != 1,
                                      .live_bytes = 7 + i,
                                      .page_bytes = UINT64_MAX - i};
    }
    print(classes);
    assert_true(has("malloc_class_allocated_bytes{size=\"16\"} 7"));
    assert_null(strstr(shown, "size=\"32\""));
    assert_true(has("malloc_class_active_bytes{size=\"48\"} 18446744073709551613"));
    assert_true(has("malloc_class_allocated_bytes{size=\"65536\"} 86"));
    assert_true(has("malloc_class_allocated_bytes{size=\"larger\"} 87"));
    assert_string_equal(shown + strlen(shown) - 7, "\n# EOF\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_figure_is_told, fill),
        cmocka_unit_test_setup(the_ratio_has_three_places, fill),
        cmocka_unit_test_setup(classes_in_use_are_told, fill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
