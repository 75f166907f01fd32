// SPDX-License-Identifier: MIT
// test_pprof.c — front/pprof.c and front/profile_text.c: messages, strings and values as they must be, for
// sites made by hand. What tools make of real ones: tests/system/profile.sh.
#include <stdio.h>
#include <string.h>

#include "front/pprof.h"
#include "front/profile_text.h"
#include "os/os.h"
#include "unit.h"

enum { OUT_MAX = 1 << 20, FIELDS_MAX = 5000 };

static unsigned char out[OUT_MAX + 1];
static size_t out_length;
static profile_view_t view;
static sink_t sink;

static bool
keep(const void *bytes, size_t length, void *arg)
{
    (void)arg;
    assert_true(out_length + length <= OUT_MAX);
    memcpy(out + out_length, bytes, length);
    out_length += length;
    out[out_length] = 0;
    return true;
}

typedef struct field_t {
    unsigned number;
    uint64_t value; // or a length
    const unsigned char *bytes;
} field_t;

static uint64_t
varint(const unsigned char **at)
{
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        unsigned char byte = *(*at)++;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) {
            return value;
        }
    }
}

static size_t
fields_of(const unsigned char *at, size_t length, field_t *fields)
{
    size_t count = 0;
    const unsigned char *end = at + length;
    while (at < end) {
        uint64_t tag = varint(&at);
        field_t *field = &fields[count++];
        assert_true(count < FIELDS_MAX);
        *field = (field_t){.number = (unsigned)(tag >> 3), .value = varint(&at)};
        if ((tag & 7) != 0) {
            assert_int_equal(tag & 7, 2);
            field->bytes = at;
            at += field->value;
        }
    }
    assert_ptr_equal(at, end);
    return count;
}

static field_t top[FIELDS_MAX];
static size_t top_count;

// Field `number` of the profile, the `index`-th.
static const field_t *
get(unsigned number, size_t index)
{
    for (size_t i = 0; i < top_count; i++) {
        if (top[i].number == number && index-- == 0) {
            return &top[i];
        }
    }
    return NULL;
}

static void
assert_string(uint64_t number, const char *wanted)
{
    const field_t *text = get(6, number);
    assert_non_null(text);
    assert_int_equal(text->value, strlen(wanted));
    assert_memory_equal(text->bytes, wanted, text->value);
}

static void
write_pprof(void)
{
    out_length = 0;
    mi__sink_start(&sink, keep, NULL, false);
    assert_true(mi__pprof_write(&sink, &view));
    assert_true(mi__sink_end(&sink));
    top_count = fields_of(out, out_length, top);
}

static const uintptr_t HERE[3] = {0x1235, 0, 0x7f0000000011};
static uintptr_t frames[3];

static site_t *
make_site(void)
{
    memcpy(frames, HERE, sizeof frames);
    frames[1] = (uintptr_t)make_site + 9; // in the program's mapping
    site_t *site = mi__sites_find(frames, 3, 64);
    const site_sample_t sample = {.block_size = 64, .requested = 60, .weight = 100.5, .times = 1};
    for (int i = 0; i < 4; i++) {
        mi__sites_alloc(site, &sample);
    }
    mi__sites_free(site, &sample, 30);
    mi__sites_mark();
    mi__sites_alloc(site, &sample);
    site->holes = 4711;
    return site;
}

static void
test_pprof(void **state)
{
    (void)state;
    static field_t parts[FIELDS_MAX];
    write_pprof();
    assert_string(0, "");
    static const char *const types[] = {"alloc_objects", "alloc_space", "inuse_objects", "inuse_space",
                                        "growth_space",  "peak_space",  "holes_space",   "lifetime"};
    static const char *const units[] = {"count", "bytes", "count", "bytes",
                                        "bytes", "bytes", "bytes", "milliseconds"};
    for (size_t i = 0; i < 8; i++) {
        const field_t *type = get(1, i);
        assert_int_equal(fields_of(type->bytes, type->value, parts), 2);
        assert_string(parts[0].value, types[i]);
        assert_string(parts[1].value, units[i]);
    }
    assert_null(get(1, 8));
    assert_int_equal(get(12, 0)->value, 65536);
    assert_int_equal(get(9, 0)->value, 123456789);
    assert_int_equal(get(10, 0)->value, 1000);
    assert_string(get(14, 0)->value, "inuse_space");

    // One sample: its locations, values and label.
    const field_t *sample = get(2, 0);
    assert_null(get(2, 1));
    assert_int_equal(fields_of(sample->bytes, sample->value, parts), 3);
    const unsigned char *at = parts[0].bytes;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(varint(&at), frames[i] - 1);
    }
    // 5 were allocated and 4 are in use, each for 100.5 of 60 bytes; those in use count twice.
    const int64_t wanted[] = {503, 30150, 804, 48240, 12060, 24120, 4711, 30 * 101};
    at = parts[1].bytes;
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(varint(&at), wanted[i]);
    }
    assert_ptr_equal(at, parts[1].bytes + parts[1].value);
    fields_of(parts[2].bytes, parts[2].value, parts);
    assert_string(parts[0].value, "bytes");
    assert_int_equal(parts[1].value, 60);

    // Each location once; that in the program with its mapping, which is the first.
    assert_null(get(4, 3));
    for (size_t i = 0; i < 3; i++) {
        const field_t *location = get(4, i);
        fields_of(location->bytes, location->value, parts);
        assert_int_equal(parts[0].value, frames[i] - 1);
        assert_int_equal(parts[1].value, i == 1);
        assert_int_equal(parts[2].value, frames[i] - 1);
    }
    const field_t *mapping = get(3, 0);
    fields_of(mapping->bytes, mapping->value, parts);
    assert_int_equal(parts[0].value, 1);
    assert_true(parts[1].value <= frames[1] && frames[1] < parts[2].value);
    const field_t *path = get(6, parts[4].value);
    assert_memory_equal(path->bytes + path->value - 10, "test_pprof", 10);
    // A second site adds its sample, and only the locations that are new.
    size_t strings = 0;
    while (get(6, strings) != NULL) {
        strings++;
    }
    uintptr_t other[2] = {frames[0], 0x4444};
    const site_sample_t one = {.block_size = 1 << 20, .requested = 1000000, .weight = 1, .times = 1};
    mi__sites_alloc(mi__sites_find(other, 2, 1 << 20), &one);
    write_pprof();
    assert_non_null(get(2, 1));
    assert_null(get(2, 2));
    assert_non_null(get(4, 3));
    assert_null(get(4, 4));
    assert_non_null(get(6, strings - 1));
    assert_null(get(6, strings));
}

static const char *
text_of(void (*write)(sink_t *sink, const profile_view_t *view))
{
    out_length = 0;
    mi__sink_start(&sink, keep, NULL, false);
    write(&sink, &view);
    assert_true(mi__sink_end(&sink));
    return (const char *)out;
}

static void
test_texts(void **state)
{
    (void)state;
    char line[200];
    const char *heap = text_of(mi__profile_text_heap);
    sprintf(line, "heap profile:      5:  1048832 [     6:  1048896] @ heap_v2/65536\n");
    assert_memory_equal(heap, line, strlen(line));
    sprintf(line, "\n     4:      256 [     5:      320] @ 0x1234 0x%zx 0x7f0000000011\n", (size_t)frames[1]);
    assert_non_null(strstr(heap, line));
    assert_non_null(strstr(heap, "\n     1:  1048576 [     1:  1048576] @ 0x1234 0x4444\n"));
    assert_non_null(strstr(heap, "\n\nMAPPED_LIBRARIES:\n"));
    assert_non_null(strstr(heap, "test_pprof\n"));

    const char *folded = text_of(mi__profile_text_folded);
    sprintf(line, "0x7f0000000010;0x%zx;0x1234 48240\n", (size_t)frames[1] - 1);
    assert_non_null(strstr(folded, line));
    assert_non_null(strstr(folded, "0x4443;0x1234 1000000\n"));

    // The largest first.
    const char *report = text_of(mi__profile_text_report);
    static const char wanted[] =
        "about 1023.6 KiB in 805 blocks of 2 kinds are in use; one sample in 64.0 KiB\n"
        "about 976.5 KiB in 1 blocks of 976.5 KiB (1 samples), allocated at\n"
        "    #0 0x1234\n    #1 0x4443\n"
        "about 47.1 KiB in 804 blocks of 60 B (4 samples), allocated at\n";
    assert_memory_equal(report, wanted, strlen(wanted));
    assert_non_null(strstr(report, "  freed after 1 ms: 0%, 16 ms: 0%, 256 ms: 100%,"));
    assert_non_null(strstr(report, " 30 ms in the mean\n"));
}

int
main(void)
{
    mi__os_init();
    view.rate = 65536;
    view.taken_ns = 123456789;
    view.duration_ns = 1000;
    for (size_t i = 0; i <= CLASS_COUNT; i++) {
        view.use_factors[i] = i == CLASS_COUNT ? 1 : 2;
        view.allocated_factors[i] = 1;
    }
    make_site();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pprof), cmocka_unit_test(test_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
