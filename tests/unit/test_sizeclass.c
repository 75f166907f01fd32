// SPDX-License-Identifier: MIT
// test_sizeclass.c — page/sizeclass.h against a plain definition, and how much the classes and
// pages waste, as a table.
#include "fresh.h"
#include "page/sizeclass.h"

// Block sizes by the words of the header: multiples of 16 to 128, then eight steps to each
// doubling.
static size_t
plain_block_size(unsigned wanted)
{
    size_t size = 0;
    for (unsigned class = 0; class <= wanted; class += 1) {
        if (size < CLASS_LINEAR_MAX) {
            size += GRANULE;
        } else {
            size_t doubling = CLASS_LINEAR_MAX;
            while (doubling * 2 <= size) {
                doubling *= 2;
            }
            size += doubling / 8;
        }
    }
    return size;
}

static size_t
page_bytes(unsigned class)
{
    return sizeclass_page_slices(class) << SLICE_SHIFT;
}

static size_t
blocks_in_page(unsigned class)
{
    return page_bytes(class) / sizeclass_block_size(class);
}

static void
block_sizes_are_as_defined(void **state)
{
    (void)state;
    for (unsigned class = 0; class < CLASS_COUNT; class += 1) {
        assert_int_equal(sizeclass_block_size(class), plain_block_size(class));
    }
    assert_int_equal(sizeclass_block_size(0), GRANULE);
    assert_int_equal(sizeclass_block_size(CLASS_COUNT - 1), BLOCK_MAX);
}

// C1
static void
block_sizes_grow_by_granules(void **state)
{
    (void)state;
    for (unsigned class = 0; class < CLASS_COUNT; class += 1) {
        assert_int_equal(sizeclass_block_size(class) % GRANULE, 0);
        assert_true(class == 0 || sizeclass_block_size(class) > sizeclass_block_size(class - 1));
    }
}

// C2, for every size that has a class.
static void
every_size_has_the_least_class(void **state)
{
    (void)state;
    unsigned least = 0;
    assert_int_equal(sizeclass_of(0), 0);
    for (size_t size = 1; size <= BLOCK_MAX; size++) {
        if (size > plain_block_size(least)) {
            least++;
        }
        if (sizeclass_of(size) != least) {
            fail_msg("size %zu has the class %u, not %u", size, sizeclass_of(size), least);
        }
        assert_true(size <= CLASS_LINEAR_MAX || sizeclass_of_large(size) == least);
    }
    assert_int_equal(least, CLASS_COUNT - 1);
}

static void
a_block_size_is_its_own_class(void **state)
{
    (void)state;
    for (unsigned class = 0; class < CLASS_COUNT; class += 1) {
        size_t size = sizeclass_block_size(class);
        assert_int_equal(sizeclass_of(size), class);
        assert_int_equal(sizeclass_of(size - GRANULE + 1), class);
        assert_true(size == BLOCK_MAX || sizeclass_of(size + 1) == class + 1);
    }
}

static void
small_sizes_end_at_a_class(void **state)
{
    (void)state;
    assert_int_equal(sizeclass_of(SMALL_MAX), CLASS_AFTER_SMALL - 1);
    assert_int_equal(sizeclass_block_size(CLASS_AFTER_SMALL - 1), SMALL_MAX);
    assert_int_equal(sizeclass_of(SMALL_MAX + 1), CLASS_AFTER_SMALL);
}

// What alloc/aligned.c relies on: a multiple of a power of two has blocks that are a multiple of
// it.
static void
rounded_sizes_have_aligned_blocks(void **state)
{
    (void)state;
    for (size_t align = GRANULE; align <= BLOCK_MAX; align *= 2) {
        for (size_t size = align; size <= BLOCK_MAX; size += align) {
            assert_int_equal(sizeclass_block_size(sizeclass_of(size)) % align, 0);
        }
    }
}

// In eighths of a block, so that no rounding hides anything.
static void
internal_waste_is_an_eighth_at_most(void **state)
{
    (void)state;
    for (size_t size = CLASS_LINEAR_MAX + 1; size <= BLOCK_MAX; size++) {
        size_t block = sizeclass_block_size(sizeclass_of(size));
        assert_true(8 * (block - size) <= size);
    }
}

static void
pages_hold_enough_blocks(void **state)
{
    (void)state;
    for (unsigned class = 0; class < CLASS_COUNT; class += 1) {
        size_t tail = page_bytes(class) % sizeclass_block_size(class);
        assert_true(blocks_in_page(class) >= 8);
        assert_true(tail * 5 <= page_bytes(class));
        assert_true(blocks_in_page(class) <= UINT32_MAX);
        assert_true(sizeclass_page_slices(class) == SMALL_PAGE_SLICES ||
                    sizeclass_page_slices(class) == MEDIUM_PAGE_SLICES);
    }
}

// Worst case of both: a page full of the smallest blocks that the class serves, with its tail.
static void
both_wastes_stay_below_a_fifth(void **state)
{
    (void)state;
    for (unsigned class = sizeclass_of(CLASS_LINEAR_MAX + 1); class < CLASS_COUNT; class += 1) {
        size_t least = sizeclass_block_size(class - 1) + 1;
        assert_true((page_bytes(class) - least * blocks_in_page(class)) * 5 <= page_bytes(class));
    }
}

// ---- the table ------------------------------------------------------------------------------

static double
percent(size_t part, size_t whole)
{
    return 100.0 * (double)part / (double)whole;
}

static const char *
kind_of(unsigned class)
{
    return sizeclass_page_slices(class) == SMALL_PAGE_SLICES ? "small" : "medium";
}

// A block's mean waste when all sizes of its class are as likely.
static double
mean_waste(unsigned class)
{
    size_t block = sizeclass_block_size(class);
    size_t below = class == 0 ? 0 : sizeclass_block_size(class - 1);
    return percent(block - below - 1, 2 * block);
}

static double
worst_waste(unsigned class)
{
    size_t block = sizeclass_block_size(class);
    size_t below = class == 0 ? 0 : sizeclass_block_size(class - 1);
    return percent(block - below - 1, block);
}

static void
print_classes(void)
{
    printf("%5s %8s %7s %7s %7s %7s %7s\n", "class", "bytes", "page", "blocks", "worst %", "mean %",
           "tail %");
    for (unsigned class = 0; class < CLASS_COUNT; class += 1) {
        printf("%5u %8zu %7s %7zu %7.1f %7.1f %7.1f\n", class, sizeclass_block_size(class), kind_of(class),
               blocks_in_page(class), worst_waste(class), mean_waste(class),
               percent(page_bytes(class) % sizeclass_block_size(class), page_bytes(class)));
    }
}

static void
print_page_kind(const char *kind, size_t slices)
{
    unsigned count = 0;
    double mean = 0;
    double tail = 0;
    double worst_tail = 0;
    for (unsigned class = 0; class < CLASS_COUNT; class += 1) {
        if (sizeclass_page_slices(class) == slices) {
            double of_class = percent(page_bytes(class) % sizeclass_block_size(class), page_bytes(class));
            count++;
            mean += mean_waste(class);
            tail += of_class;
            worst_tail = of_class > worst_tail ? of_class : worst_tail;
        }
    }
    printf("%s pages, %zu KiB, %u classes: mean waste %.1f%%, tail %.1f%%, worst tail %.1f%%\n", kind,
           slices * SLICE_SIZE / KIB, count, mean / count, tail / count, worst_tail);
}

// A singleton takes whole slices of address space, but memory only as far as it is touched.
static void
print_singletons(void)
{
    static const size_t sizes[] = {64 * 1024 + 1, 96 * 1024,   128 * 1024,
                                   200 * 1000,    1000 * 1000, 10 * 1000 * 1000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t space = align_up(sizes[i], SLICE_SIZE);
        size_t memory = align_up(sizes[i], 4 * KIB);
        printf("singleton of %8zu bytes: %5.1f%% of its address space unused, %4.1f%% of its memory\n",
               sizes[i], percent(space - sizes[i], space), percent(memory - sizes[i], memory));
    }
}

static void
table_of_fragmentation(void **state)
{
    (void)state;
    print_classes();
    print_page_kind("small", SMALL_PAGE_SLICES);
    print_page_kind("medium", MEDIUM_PAGE_SLICES);
    print_singletons();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(block_sizes_are_as_defined),
        cmocka_unit_test(block_sizes_grow_by_granules),
        cmocka_unit_test(every_size_has_the_least_class),
        cmocka_unit_test(a_block_size_is_its_own_class),
        cmocka_unit_test(small_sizes_end_at_a_class),
        cmocka_unit_test(rounded_sizes_have_aligned_blocks),
        cmocka_unit_test(internal_waste_is_an_eighth_at_most),
        cmocka_unit_test(pages_hold_enough_blocks),
        cmocka_unit_test(both_wastes_stay_below_a_fifth),
        cmocka_unit_test(table_of_fragmentation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
