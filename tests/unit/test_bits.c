// SPDX-License-Identifier: MIT
// test_bits.c — base/bits.h against plain definitions.
#include "fresh.h"

static void
powers_of_two(void **state)
{
    (void)state;
    assert_false(is_power_of_two(0));
    for (unsigned shift = 0; shift < 64; shift++) {
        size_t power = (size_t)1 << shift;
        assert_true(is_power_of_two(power));
        assert_int_equal(is_power_of_two(power + 1), power == 1);
        assert_int_equal(is_power_of_two(power - 1), power == 2);
    }
    assert_false(is_power_of_two(SIZE_MAX));
    assert_false(is_power_of_two(SIZE_MAX - 1));
}

static void
rounding(void **state)
{
    (void)state;
    for (size_t align = 1; align <= 4096; align *= 2) {
        for (size_t x = 0; x < 3 * align && x < 500; x++) {
            assert_int_equal(align_down(x, align), x / align * align);
            assert_int_equal(align_up(x, align), (x + align - 1) / align * align);
        }
    }
    assert_int_equal(align_up(SIZE_MAX - 15, 16), SIZE_MAX - 15);
    assert_int_equal(align_down(SIZE_MAX, 16), SIZE_MAX - 15);
    assert_int_equal(align_down(SIZE_MAX, (size_t)1 << 63), (size_t)1 << 63);
    // Past the end it wraps, as its comment says.
    assert_int_equal(align_up(SIZE_MAX - 14, 16), 0);
    assert_int_equal(align_up(SIZE_MAX, 2), 0);
}

static void
division(void **state)
{
    (void)state;
    assert_int_equal(divide_up(0, 7), 0);
    for (size_t by = 1; by < 40; by++) {
        for (size_t x = 0; x < 200; x++) {
            assert_int_equal(divide_up(x, by), (x + by - 1) / by);
        }
    }
    // Where the sum in the plain definition would wrap.
    assert_int_equal(divide_up(SIZE_MAX, 1), SIZE_MAX);
    assert_int_equal(divide_up(SIZE_MAX, 2), SIZE_MAX / 2 + 1);
    assert_int_equal(divide_up(SIZE_MAX, SIZE_MAX), 1);
    assert_int_equal(divide_up(SIZE_MAX, 64 * 1024), (size_t)1 << 48);
}

static void
highest_and_lowest(void **state)
{
    (void)state;
    for (unsigned high = 0; high < 64; high++) {
        for (unsigned low = 0; low <= high; low++) {
            uint64_t x = UINT64_C(1) << high | UINT64_C(1) << low;
            assert_int_equal(highest_bit(x), high);
            assert_int_equal(lowest_bit(x), low);
            assert_int_equal(bit_count(x), high == low ? 1 : 2);
            // What lies between changes nothing.
            uint64_t full = low_mask(high + 1) & ~low_mask(low);
            assert_int_equal(highest_bit(full), high);
            assert_int_equal(lowest_bit(full), low);
            assert_int_equal(bit_count(full), high - low + 1);
            assert_int_equal(bit_count(~full), 63 - high + low);
        }
    }
}

static void
masks(void **state)
{
    (void)state;
    uint64_t expected = 0;
    for (unsigned count = 0; count <= 64; count++) {
        assert_true(low_mask(count) == expected);
        assert_int_equal(__builtin_popcountll(low_mask(count)), count);
        expected = expected << 1 | 1;
    }
}

static void
least_and_greatest(void **state)
{
    (void)state;
    static const size_t values[] = {0, 1, 2, 4095, 4096, PTRDIFF_MAX, SIZE_MAX - 1, SIZE_MAX};
    const size_t count = sizeof values / sizeof values[0];
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            assert_int_equal(size_min(values[i], values[j]), values[i < j ? i : j]);
            assert_int_equal(size_max(values[i], values[j]), values[i < j ? j : i]);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(powers_of_two), cmocka_unit_test(rounding),
        cmocka_unit_test(division),      cmocka_unit_test(highest_and_lowest),
        cmocka_unit_test(masks),         cmocka_unit_test(least_and_greatest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
