// SPDX-License-Identifier: MIT
// test_sink.c — front/sink.c: all bytes in order, gzip that RFC 1951 and 1952 describe, failed writes.
#include <stdio.h>
#include <string.h>

#include "front/sink.h"
#include "unit.h"

enum { OUT_MAX = 1 << 20 };

static unsigned char out[OUT_MAX];
static size_t out_length;
static int writes_left;

static bool
keep(const void *bytes, size_t length, void *arg)
{
    assert_ptr_equal(arg, out);
    if (writes_left-- == 0) {
        return false;
    }
    assert_true(out_length + length <= OUT_MAX);
    memcpy(out + out_length, bytes, length);
    out_length += length;
    return true;
}

static void
start(sink_t *sink, bool gzip)
{
    out_length = 0;
    writes_left = -1;
    mi__sink_start(sink, keep, out, gzip);
}

static void
test_plain(void **state)
{
    (void)state;
    static sink_t sink;
    start(&sink, false);
    assert_true(mi__sink_end(&sink));
    assert_int_equal(out_length, 0);
    start(&sink, false);
    for (int i = 0; i < 3000; i++) {
        mi__sink_text(&sink, "%d,", i);
    }
    assert_true(mi__sink_end(&sink));
    size_t at = 0;
    for (int i = 0; i < 3000; i++) {
        char text[16];
        sprintf(text, "%d,", i);
        assert_memory_equal(out + at, text, strlen(text));
        at += strlen(text);
    }
    assert_int_equal(at, out_length);
}

static uint32_t
le(const unsigned char *from, size_t bytes)
{
    uint32_t value = 0;
    while (bytes-- > 0) {
        value = value << 8 | from[bytes];
    }
    return value;
}

// Takes stored blocks apart; the tail begins at `*tail`.
static size_t
unpack(unsigned char *to, const unsigned char **tail)
{
    static const unsigned char head[] = {0x1f, 0x8b, 8, 0};
    assert_memory_equal(out, head, sizeof head);
    const unsigned char *at = out + 10;
    size_t length = 0;
    for (bool last = false; !last;) {
        last = at[0] == 1;
        assert_true(at[0] <= 1);
        uint32_t bytes = le(at + 1, 2);
        assert_int_equal(le(at + 3, 2), ~bytes & 0xffff);
        memcpy(to + length, at + 5, bytes);
        length += bytes;
        at += 5 + bytes;
    }
    *tail = at;
    assert_int_equal(at + 8 - out, out_length);
    return length;
}

static void
test_gzip(void **state)
{
    (void)state;
    static sink_t sink;
    static unsigned char back[OUT_MAX];
    static unsigned char data[100000];
    const unsigned char *tail;
    start(&sink, true);
    mi__sink_put(&sink, "123456789", 9);
    assert_true(mi__sink_end(&sink));
    assert_int_equal(unpack(back, &tail), 9);
    assert_memory_equal(back, "123456789", 9);
    assert_int_equal(le(tail, 4), 0xcbf43926); // the check value of CRC-32
    assert_int_equal(le(tail + 4, 4), 9);

    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (unsigned char)(i * 7 + i / 251);
    }
    const size_t lengths[] = {0, 1, SINK_BYTES - 1, SINK_BYTES, SINK_BYTES + 1, sizeof data};
    for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
        for (size_t step = 1; step < 10000; step = step * 9 + 2) {
            start(&sink, true);
            for (size_t at = 0; at < lengths[k]; at += step) {
                mi__sink_put(&sink, data + at, at + step > lengths[k] ? lengths[k] - at : step);
            }
            assert_true(mi__sink_end(&sink));
            assert_int_equal(unpack(back, &tail), lengths[k]);
            assert_memory_equal(back, data, lengths[k]);
            assert_int_equal(le(tail + 4, 4), lengths[k]);
        }
    }
}

static void
test_failed_writes(void **state)
{
    (void)state;
    static sink_t sink;
    static const unsigned char data[3 * SINK_BYTES];
    for (int good = 0; good < 4; good++) {
        for (int gzip = 0; gzip < 2; gzip++) {
            start(&sink, false);
            sink.gzip = gzip != 0;
            writes_left = good;
            mi__sink_put(&sink, data, sizeof data);
            mi__sink_put(&sink, data, 10);
            bool done = mi__sink_end(&sink);
            assert_int_equal(done, !gzip && good > 3);
            assert_true(writes_left < 0);
            assert_int_equal(writes_left, -1); // nothing is tried after a failure
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_failed_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
