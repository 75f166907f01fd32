// SPDX-License-Identifier: MIT
// test_aligned.c — alloc/aligned.c: every power of two, offsets, and blocks that are known by an
// address inside of them.
#include "fresh.h"

#include "alloc/alloc.h"
#include "heap/registry.h"

static void
start(void)
{
    mi__conf.purge_delay_ms = -1;
    mi__hooks.misuse = record_misuse;
    mi__hooks.alloc_failed = record_failure;
}

static char *
alloc(size_t size, size_t align, size_t offset, bool zeroed)
{
    char *p = mi__alloc_aligned(size, align, offset, zeroed);
    if (p == NULL) {
        fprintf(stderr, "%zu bytes at a multiple of %zu less %zu: ", size, align, offset);
    }
    check(p != NULL);
    check_equal(((uintptr_t)p + offset) & (align - 1), 0);
    check(mi__usable_size(p, "test") >= size);
    check(mi__is_block(p));
    check(!zeroed || is_zero(p, size));
    return p;
}

static const size_t sizes[] = {0,    1,     16,    17,    100,   1000,  1024,  1025,
                               4000, 10000, 32768, 65535, 65536, 65537, 200000};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

// ---- alignments -----------------------------------------------------------------------------

static void
every_alignment_up_to_a_gigabyte(void)
{
    start();
    for (size_t align = 1; align <= GIB; align *= 2) {
        for (size_t i = 0; i < SIZES; i++) {
            char *a = alloc(sizes[i], align, 0, false);
            char *b = alloc(sizes[i], align, 0, true);
            check(a != b);
            fill(a, sizes[i], 1);
            fill(b, sizes[i], 2);
            check(is_filled(a, sizes[i], 1));
            mi__free(a);
            check(is_filled(b, sizes[i], 2));
            mi__free(b);
        }
    }
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
    check_equal(misuses.count, 0);
}

// Address space for them is there; memory for what lies below need not be.
static void
every_alignment_up_to_64_gigabytes(void)
{
    start();
    for (size_t align = 2 * GIB; align <= 64 * GIB; align *= 2) {
        for (size_t i = 0; i < SIZES; i += 7) {
            char *p = alloc(sizes[i], align, 0, i % 2 == 0);
            memset(p, 1, sizes[i]);
            mi__free(p);
        }
    }
    check_at_most(mi__region_committed_bytes(), 2 * GIB);
}

static void
alignments_without_room_fail_cleanly(void)
{
    start();
    for (unsigned shift = 47; shift < 64; shift++) {
        errno = 0;
        failures.count = 0;
        check(mi__alloc_aligned(100, (size_t)1 << shift, 0, false) == NULL);
        check_equal(errno, ENOMEM);
        check_equal(failures.count, 1);
    }
    check_equal(mi__region_count(), 1);
    mi__free(alloc(100, 64, 0, false));
}

static void
what_is_no_power_of_two_is_invalid(void)
{
    start();
    static const size_t aligns[] = {0,       3, 5, 6, 7, 9, 24, 48, 4095, 4097, 65537, ((size_t)1 << 63) + 1,
                                    SIZE_MAX};
    for (size_t i = 0; i < sizeof aligns / sizeof aligns[0]; i++) {
        for (size_t size = 0; size < 200000; size = size * 30 + 1) {
            errno = 0;
            check(mi__alloc_aligned(size, aligns[i], 0, false) == NULL);
            check_equal(errno, EINVAL);
            errno = 0;
            check(mi__alloc_aligned(size, aligns[i], 8, true) == NULL);
            check_equal(errno, EINVAL);
        }
    }
}

static void
impossible_sizes_fail_cleanly(void)
{
    start();
    static const size_t impossible[] = {SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 65535, (size_t)PTRDIFF_MAX + 1,
                                        PTRDIFF_MAX};
    for (size_t i = 0; i < 5; i++) {
        for (size_t align = 1; align <= 16 * MIB; align *= 4) {
            static const size_t offsets[] = {0, 1, 8, SIZE_MAX};
            for (size_t k = 0; k < 4; k++) {
                errno = 0;
                check(mi__alloc_aligned(impossible[i], align, offsets[k], k % 2 == 0) == NULL);
                check_equal(errno, ENOMEM);
            }
        }
    }
    check_equal(mi__region_count(), 1);
}

static void
success_leaves_errno_alone(void)
{
    start();
    errno = ERRNO_MARK;
    for (size_t align = 1; align <= MIB; align *= 2) {
        for (size_t i = 0; i < SIZES; i++) {
            mi__free(alloc(sizes[i], align, 0, true));
            mi__free(alloc(sizes[i], size_min(align, SLICE_SIZE), 24, false));
            check_equal(errno, ERRNO_MARK);
        }
    }
}

// Small alignments cost nothing: no room to spare, no page of its own.
static void
aligned_blocks_are_no_larger_than_need_be(void)
{
    start();
    for (size_t align = 16; align <= BLOCK_MAX; align *= 2) {
        for (size_t size = 1; size <= BLOCK_MAX; size = size * 3 + 1) {
            char *p = alloc(size, align, 0, false);
            size_t rounded = align_up(size, align);
            check_at_most(mi__usable_size(p, "test"), mi__good_size(rounded));
            mi__free(p);
        }
    }
}

// ---- offsets --------------------------------------------------------------------------------

static void
offsets_of_all_kinds(void)
{
    start();
    static const size_t offsets[] = {1,   2,   7,    8,    15,    16,    24,      40,       100,
                                     255, 256, 4095, 4096, 65535, 65536, 1000000, SIZE_MAX, SIZE_MAX - 7};
    for (size_t align = 1; align <= SLICE_SIZE; align *= 2) {
        for (size_t i = 0; i < SIZES; i++) {
            for (size_t k = 0; k < sizeof offsets / sizeof offsets[0]; k++) {
                char *p = alloc(sizes[i], align, offsets[k], k % 2 == 0);
                fill(p, sizes[i], (unsigned)k);
                char *other = alloc(sizes[i], align, offsets[k], false);
                fill(other, sizes[i], (unsigned)k + 1);
                check(is_filled(p, sizes[i], (unsigned)k));
                mi__free(p);
                mi__free(other);
            }
        }
    }
    check_equal(misuses.count, 0);
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
}

static void
offsets_and_huge_alignments(void)
{
    start();
    for (size_t align = 2 * SLICE_SIZE; align <= 64 * MIB; align *= 2) {
        // A multiple of the alignment is no offset at all.
        mi__free(alloc(1000, align, align, false));
        mi__free(alloc(1000, align, 4 * align, true));
        // Others may be refused, cleanly.
        errno = 0;
        char *p = mi__alloc_aligned(1000, align, 8, false);
        check(p != NULL || errno == ENOMEM);
        check(p == NULL || is_aligned(p + 8, align));
        mi__free(p);
    }
}

static void
zeroed_blocks_with_offsets_are_zero(void)
{
    start();
    static char *blocks[100];
    for (size_t i = 0; i < SIZES; i++) {
        for (int round = 0; round < 4; round++) {
            int count = sizes[i] > 5000 ? 10 : 100;
            for (int k = 0; k < count; k++) {
                blocks[k] = alloc(sizes[i], 256, 24, true);
                check(is_zero(blocks[k], mi__usable_size(blocks[k], "test")));
                memset(blocks[k], 0xff, mi__usable_size(blocks[k], "test"));
            }
            for (int k = 0; k < count; k++) {
                mi__free(blocks[k]);
            }
        }
    }
}

// ---- blocks known by an address inside ------------------------------------------------------

static void
a_page_may_hold_both_kinds(void)
{
    start();
    static char *plain[500];
    static char *inside[500];
    for (unsigned i = 0; i < 500; i++) {
        plain[i] = mi__alloc(200);
        inside[i] = alloc(150, 32, 8, false);
        fill(plain[i], 200, i);
        fill(inside[i], 150, i + 1);
    }
    for (unsigned i = 0; i < 500; i++) {
        check(is_filled(plain[i], 200, i));
        check(is_filled(inside[i], 150, i + 1));
        mi__free(i % 2 == 0 ? plain[i] : inside[i]);
    }
    for (unsigned i = 0; i < 500; i++) {
        mi__free(i % 2 == 1 ? plain[i] : inside[i]);
    }
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
    check_equal(misuses.count, 0);
}

// The block that comes back is the block, not what is behind the address.
static void
a_block_comes_back_whole(void)
{
    start();
    for (int i = 0; i < 1000; i++) {
        char *p = alloc(150, 32, 8, false);
        page_t *page = mi__page_of(p);
        size_t block = (size_t)(p - page->start) % page->block_size;
        check(block != 0);
        mi__free(p);
        char *q = mi__alloc(150 + 31);
        check_equal((size_t)(q - mi__page_of(q)->start) % mi__page_of(q)->block_size, 0);
        memset(q, 1, mi__usable_size(q, "test"));
        mi__free(q);
    }
    check(mi__page_verify(mi__page_of(mi__alloc(170))));
}

enum { HANDED = 300 };
static char *handed[HANDED];

static void *
free_handed(void *arg)
{
    if (!*(bool *)arg) {
        mi__free(mi__alloc(10));
    }
    for (unsigned i = 0; i < HANDED; i++) {
        check(is_filled(handed[i], 100, i));
        mi__free(handed[i]);
    }
    return NULL;
}

static void
others_free_by_an_address_inside(void)
{
    start();
    for (int round = 0; round < 6; round++) {
        for (unsigned i = 0; i < HANDED; i++) {
            handed[i] = alloc(i % 50 == 0 ? 100000 : 100, 64, 8, false);
            fill(handed[i], 100, i);
        }
        bool without_heap = round % 2 == 0;
        run_thread(free_handed, &without_heap);
        (void)mi__collect(true);
        check_equal(slices_in_use(), 0);
    }
    check_equal(misuses.count, 0);
}

static void *
make_handed(void *arg)
{
    for (unsigned i = 0; i < HANDED; i++) {
        handed[i] = alloc(100, 64, 8, false);
        fill(handed[i], 100, i);
    }
    return arg;
}

static void
orphans_know_of_addresses_inside(void)
{
    start();
    check(mi__alloc(50000) != NULL);
    size_t before = slices_in_use();
    run_thread(make_handed, NULL);
    // Some go home to the orphan; then its page is ours, and serves blocks of both kinds.
    for (unsigned i = 0; i < HANDED; i++) {
        check(is_filled(handed[i], 100, i));
        mi__free(handed[i]);
        if (i == HANDED / 2) {
            mi__free(mi__alloc(160));
            mi__free(alloc(100, 64, 8, true));
        }
    }
    (void)mi__collect(true);
    check_equal(slices_in_use(), before);
    check_equal(misuses.count, 0);
}

// A block of somebody else's page was lent to us: its page can't learn of the address inside.
static void *
offsets_on_lent_blocks(void *arg)
{
    (void)arg;
    check(mi__alloc(50000) != NULL);
    for (unsigned i = 0; i < 20; i++) {
        mi__free(handed[i]);
    }
    for (unsigned i = 0; i < 40; i++) {
        char *p = alloc(150, 32, 8, i % 2 == 0);
        fill(p, 150, i);
        mi__free(p);
    }
    return NULL;
}

static void
lent_blocks_and_offsets(void)
{
    start();
    for (unsigned i = 0; i < 20; i++) {
        handed[i] = mi__alloc(192);
    }
    run_thread(offsets_on_lent_blocks, NULL);
    check_equal(misuses.count, 0);
    (void)mi__collect(true);
    // The serving thread's one block is left.
    check_equal(slices_in_use(), MEDIUM_PAGE_SLICES);
}

static void
no_memory_is_a_clean_failure(void)
{
    start();
    check(mi__alloc(10) != NULL);
    limit_to(RLIMIT_DATA, data_bytes());
    for (size_t align = 32; align <= 16 * MIB; align *= 2) {
        char *p;
        int count = 0;
        errno = ERRNO_MARK;
        while ((p = mi__alloc_aligned(200000, align, 0, true)) != NULL) {
            check(++count < 1000);
        }
        check_equal(errno, ENOMEM);
        errno = 0;
        p = mi__alloc_aligned(200000, size_min(align, SLICE_SIZE), 8, false);
        check(p == NULL && errno == ENOMEM);
    }
    unlimit(RLIMIT_DATA);
    mi__free(alloc(200000, MIB, 0, true));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(every_alignment_up_to_a_gigabyte),
        fresh_test(every_alignment_up_to_64_gigabytes),
        fresh_test(alignments_without_room_fail_cleanly),
        fresh_test(what_is_no_power_of_two_is_invalid),
        fresh_test(impossible_sizes_fail_cleanly),
        fresh_test(success_leaves_errno_alone),
        fresh_test(aligned_blocks_are_no_larger_than_need_be),
        fresh_test(offsets_of_all_kinds),
        fresh_test(offsets_and_huge_alignments),
        fresh_test(zeroed_blocks_with_offsets_are_zero),
        fresh_test(a_page_may_hold_both_kinds),
        fresh_test(a_block_comes_back_whole),
        fresh_test(others_free_by_an_address_inside),
        fresh_test(orphans_know_of_addresses_inside),
        fresh_test(lent_blocks_and_offsets),
        fresh_test(no_memory_is_a_clean_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
