// SPDX-License-Identifier: MIT
// test_format.c — base/format.c against the C library's printf, at its limits, and sizes read back.
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/format.h"
#include "unit.h"

// The same arguments through both printfs; the texts must be equal.
#define EXPECT_AS_PRINTF(...)                                                                                \
    do {                                                                                                     \
        text_t text;                                                                                         \
        char wanted[1000];                                                                                   \
        text_init(&text);                                                                                    \
        mi__format(&text, __VA_ARGS__);                                                                      \
        snprintf(wanted, sizeof wanted, __VA_ARGS__);                                                        \
        assert_string_equal(text.chars, wanted);                                                             \
        assert_int_equal(text.length, strlen(wanted));                                                       \
        assert_false(text.cut);                                                                              \
    } while (0)

#define EXPECT_TEXT(wanted, ...)                                                                             \
    do {                                                                                                     \
        text_t text;                                                                                         \
        text_init(&text);                                                                                    \
        mi__format(&text, __VA_ARGS__);                                                                      \
        assert_string_equal(text.chars, wanted);                                                             \
    } while (0)

// For formats that the compiler rightly rejects.
static void
format_odd(text_t *text, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    text_init(text);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    mi__format_va(text, fmt, args);
#pragma GCC diagnostic pop
    va_end(args);
}

static void
plain_text_is_copied(void **state)
{
    (void)state;
    EXPECT_TEXT("", "%s", "");
    EXPECT_TEXT("free: nothing odd\n", "free: nothing odd\n");
    EXPECT_AS_PRINTF("100%%, %s", "done");
}

static void
strings(void **state)
{
    (void)state;
    EXPECT_AS_PRINTF("[%s] [%8s] [%-8s] [%2s]", "abc", "abc", "abc", "abc");
    EXPECT_AS_PRINTF("[%.2s] [%.0s] [%.9s] [%6.2s] [%-6.2s]", "abc", "abc", "abc", "abc", "abc");
    EXPECT_AS_PRINTF("[%*s] [%*s] [%.*s] [%.*s]", 6, "ab", -6, "ab", 1, "ab", -1, "ab");
    EXPECT_AS_PRINTF("[%c] [%3c] [%-3c]", 'x', 'y', 'z');
    text_t text;
    format_odd(&text, "%s", NULL);
    assert_string_equal(text.chars, "(null)");
}

static void
a_precision_reads_no_further(void **state)
{
    (void)state;
    const char unterminated[3] = {'a', 'b', 'c'};
    EXPECT_TEXT("abc", "%.3s", unterminated);
}

static void
integers(void **state)
{
    (void)state;
    EXPECT_AS_PRINTF("%d %d %d %d %d", 0, 7, -7, INT_MAX, INT_MIN);
    EXPECT_AS_PRINTF("%u %u %x %x", 0u, UINT_MAX, 0u, UINT_MAX);
    EXPECT_AS_PRINTF("%ld %ld %lu %lx", LONG_MIN, LONG_MAX, ULONG_MAX, ULONG_MAX);
    EXPECT_AS_PRINTF("%lld %lld %llu %llx", LLONG_MIN, LLONG_MAX, ULLONG_MAX, ULLONG_MAX);
    EXPECT_AS_PRINTF("%zu %zx %zd", SIZE_MAX, SIZE_MAX, (ssize_t)-5);
    // Arguments behind the wide ones must still be found.
    EXPECT_AS_PRINTF("%lld %d %zu %s", -1LL, -2, (size_t)3, "four");
}

static void
widths(void **state)
{
    (void)state;
    EXPECT_AS_PRINTF("[%5d] [%-5d] [%05d] [%05d]", 42, 42, 42, -42);
    EXPECT_AS_PRINTF("[%1d] [%20lld] [%-20lld] [%020lld]", 4242, LLONG_MIN, LLONG_MIN, LLONG_MIN);
    EXPECT_AS_PRINTF("[%8x] [%08x] [%-8x] [%*u] [%-*u]", 0xbeefu, 0xbeefu, 0xbeefu, 4, 1u, 4, 2u);
    EXPECT_AS_PRINTF("[%10zu] [%010zu]", (size_t)77, (size_t)77);
}

static void
pointers(void **state)
{
    (void)state;
    const void *p = (const void *)(uintptr_t)0x7f12;
    const void *none = NULL;
    EXPECT_TEXT("0x7f12", "%p", p);
    EXPECT_TEXT("0x0", "%p", none);
    EXPECT_TEXT("[    0x7f12] [0x7f12    ]", "[%10p] [%-10p]", p, p);
}

static void
what_is_not_understood_stays(void **state)
{
    (void)state;
    text_t text;
    format_odd(&text, "%q and %5.1f end%");
    assert_string_equal(text.chars, "%q and %5.1f end%");
    format_odd(&text, "%");
    assert_string_equal(text.chars, "%");
    format_odd(&text, "%l");
    assert_string_equal(text.chars, "%l");
}

static void
text_is_appended(void **state)
{
    (void)state;
    text_t text;
    text_init(&text);
    mi__format(&text, "one");
    mi__format(&text, " %s", "two");
    assert_string_equal(text.chars, "one two");
    assert_int_equal(text.length, 7);
}

static void
text_that_does_not_fit_is_cut(void **state)
{
    (void)state;
    struct {
        text_t text;
        char after[8];
    } box;
    char filler[sizeof box.text.chars];
    memset(filler, 'x', sizeof filler);
    filler[sizeof filler - 1] = 0;
    memset(box.after, 'g', sizeof box.after);

    text_init(&box.text);
    mi__format(&box.text, "%s", filler);
    assert_int_equal(box.text.length, sizeof filler - 1);
    assert_false(box.text.cut);
    mi__format(&box.text, "%s", "");
    assert_false(box.text.cut);
    mi__format(&box.text, "%d", 12);
    assert_true(box.text.cut);
    assert_string_equal(box.text.chars, filler);
    for (size_t i = 0; i < sizeof box.after; i++) {
        assert_int_equal(box.after[i], 'g');
    }
}

static void
absurd_widths_end(void **state)
{
    (void)state;
    text_t text;
    format_odd(&text, "%99999999999999999999d", 1);
    assert_true(text.cut);
    assert_int_equal(text.length, sizeof text.chars - 1);
    format_odd(&text, "%*d", INT_MIN, 1);
    assert_true(text.cut);
    assert_int_equal(text.chars[0], '1');
}

static void
expect_bytes(size_t bytes, const char *wanted)
{
    text_t text;
    text_init(&text);
    mi__format_bytes(&text, bytes);
    assert_string_equal(text.chars, wanted);
}

static void
bytes_for_people(void **state)
{
    (void)state;
    expect_bytes(0, "0 B");
    expect_bytes(512, "512 B");
    expect_bytes(1023, "1023 B");
    expect_bytes(1024, "1.0 KiB");
    expect_bytes(1536, "1.5 KiB");
    expect_bytes(64 * 1024, "64.0 KiB");
    expect_bytes(1024 * 1024 - 1, "1023.9 KiB");
    expect_bytes(1024 * 1024, "1.0 MiB");
    expect_bytes((size_t)3 << 29, "1.5 GiB");
#if SIZE_MAX > UINT32_MAX
    expect_bytes((size_t)1 << 40, "1.0 TiB");
    expect_bytes((size_t)5 << 50, "5.0 PiB");
    expect_bytes(SIZE_MAX, "15.9 EiB");
#else
    expect_bytes(SIZE_MAX, "3.9 GiB");
#endif
}

static void
expect_size(const char *text, size_t wanted)
{
    size_t bytes = 77;
    assert_true(mi__parse_size(text, &bytes));
    assert_int_equal(bytes, wanted);
}

static void
expect_no_size(const char *text)
{
    size_t bytes = 77;
    assert_false(mi__parse_size(text, &bytes));
    assert_int_equal(bytes, 77);
}

static void
sizes_are_read(void **state)
{
    (void)state;
    expect_size("0", 0);
    expect_size("64", 64);
    expect_size("64b", 64);
    expect_size("64B", 64);
    expect_size("512K", 512 * 1024);
    expect_size("512k", 512 * 1024);
    expect_size("512KB", 512 * 1024);
    expect_size("512KiB", 512 * 1024);
    expect_size("4mb", 4 * 1024 * 1024);
    expect_size("1MIB", 1024 * 1024);
    expect_size("2GiB", (size_t)2 << 30);
    expect_size("007", 7);
    expect_size("0T", 0);
#if SIZE_MAX > UINT32_MAX
    expect_size("1t", (size_t)1 << 40);
    expect_size("18446744073709551615", SIZE_MAX);
    expect_size("16777215T", (size_t)16777215 << 40);
    expect_no_size("16777216T");
    expect_no_size("18446744073709551616");
#else
    expect_no_size("1T");
    expect_no_size("4G");
    expect_no_size("4294967296");
#endif
}

static void
other_texts_are_no_sizes(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",    "K",  "-1",   "+1",    " 1",  "1 ", "1 K", "1.5G", "1KK", "1KBB", "1Ki",
        "1iB", "1E", "0x10", "1Kib1", "ten", "1i", "1BK", "1,0",  "1\n", "1Kb ", "9999999999999999999999"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        expect_no_size(texts[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_is_copied),
        cmocka_unit_test(strings),
        cmocka_unit_test(a_precision_reads_no_further),
        cmocka_unit_test(integers),
        cmocka_unit_test(widths),
        cmocka_unit_test(pointers),
        cmocka_unit_test(what_is_not_understood_stays),
        cmocka_unit_test(text_is_appended),
        cmocka_unit_test(text_that_does_not_fit_is_cut),
        cmocka_unit_test(absurd_widths_end),
        cmocka_unit_test(bytes_for_people),
        cmocka_unit_test(sizes_are_read),
        cmocka_unit_test(other_texts_are_no_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
