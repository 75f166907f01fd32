// SPDX-License-Identifier: MIT
// test_seal.c — page/seal.c and what alloc/secure.c does with it: one byte too many shows, what is free is
// zero and stays it, and what nobody may touch is out of reach.
#include "fresh.h"

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "heap/walk.h"
#include "page/away.h"
#include "page/seal.h"

static void
start(long level)
{
    mi__conf.secure = level;
    mi__conf.purge_delay_ms = -1;
    mi__conf.region_bytes_log2 = 34;
    mi__hooks.misuse = record_misuse;
}

// ---- one byte too many

static void
see_overflow(char *p, size_t size, char with)
{
    size_t before = misuses.count;
    char kept = p[size];
    p[size] = with;
    mi__free(p);
    check(misused(before + 1, MISUSE_OVERFLOW, "free", p));
    check(mi__realloc(p, 2 * size + 1, false) == NULL);
    check(misused(before + 2, MISUSE_OVERFLOW, "realloc", p));
    walk_fault_t fault;
    bool is_large = mi__page_of(p)->block_size == 0;
    check(is_large || !mi__walk_check(&mi__subproc_main.main, &fault));
    p[size] = kept;
    check(mi__walk_check(&mi__subproc_main.main, &fault));
    mi__free(p);
    check_equal(misuses.count, before + 2);
}

static void
one_byte_at_every_size(void)
{
    start(SECURE_BYTES);
    for (size_t size = 1; size <= 32768; size++) {
        char *p = mi__alloc(size);
        check_equal(mi__usable_size(p, "usable_size"), size);
        fill(p, size, (unsigned)size);
        char kept = p[size];
        p[size] = size % 2 == 0 ? 0 : 'X';
        size_t before = misuses.count;
        mi__free(p);
        check(misused(before + 1, MISUSE_OVERFLOW, "free", p));
        p[size] = kept;
        mi__free(p);
        check_equal(misuses.count, before + 1);
    }
}

static void
one_byte_everywhere_else(void)
{
    start(SECURE_LARGE);
    static const size_t sizes[] = {1, 24, 1000, 65535, 65537, 100000, 300001, 5000001};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        see_overflow(mi__alloc(sizes[k]), sizes[k], 'X');
        see_overflow(mi__alloc_zeroed(sizes[k]), sizes[k], 0);
        see_overflow(mi__alloc_aligned(sizes[k], 256, 0, true), sizes[k], -1);
        see_overflow(mi__alloc_aligned(sizes[k], 64, 24, false), sizes[k], 'X');
        char *p = mi__realloc(mi__alloc(sizes[k]), sizes[k] + sizes[k] / 3 + 1, true);
        see_overflow(p, sizes[k] + sizes[k] / 3 + 1, 0);
    }
}

static void
sizes_are_exact(void)
{
    start(SECURE_LARGE);
    static const size_t sizes[] = {1, 40, 3000, 60000, 65537, 300000};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        size_t size = sizes[k];
        char *p = mi__alloc(size);
        check_equal(mi__good_size(size), size);
        check_equal(mi__usable_size(p, "usable_size"), size);
        mi__free_sized(p, size + 1, 1);
        check(misused(2 * k + 1, MISUSE_SIZE_MISMATCH, "free", p));
        mi__free_sized(p, size - 1, 1);
        check(misused(2 * k + 2, MISUSE_SIZE_MISMATCH, "free", p));
        mi__free_sized(p, size, 1);
        check(mi__page_of(p) == NULL || !mi__is_block(p));
    }
    check_equal(misuses.count, 2 * sizeof sizes / sizeof sizes[0]);
}

// ---- what is free

static void
what_is_free_is_zero(void)
{
    start(SECURE_BYTES);
    for (size_t size = 1; size <= 60000; size += 1 + size / 7) {
        char *p = mi__alloc(size);
        char *kept = mi__alloc(size);
        fill(p, size, 1);
        mi__free(p);
        check(is_zero(p, size));
        p = mi__alloc(size);
        check(is_zero(p, size));
        memset(p, 'S', size);
        // What a block loses it gains back as zero.
        size_t less = size - size / 5;
        char *q = mi__realloc(p, less, false);
        if (q == p) {
            check_equal(mi__usable_size(p, "usable_size"), less);
            check(mi__realloc_in_place(p, size) == p && is_zero(p + less, size - less));
        }
        p = q;
        mi__free(p);
        mi__free(kept);
    }
    check_equal(misuses.count, 0);
}

static void
pages_on_slices_that_held_something(void)
{
    static const size_t sizes[] = {30, 700, 3000, 40000, 60000};
    for (size_t k = 0; k < 2 * (sizeof sizes / sizeof sizes[0]); k++) {
        start(k % 2 == 0 ? SECURE_BYTES : SECURE_REUSE);
        size_t size = sizes[k / 2];
        // What is dirty is more than the pages and the large block need.
        static char *large[16];
        for (int i = 0; i < 16; i++) {
            large[i] = mi__alloc(MIB);
            memset(large[i], 'S', MIB);
        }
        for (int i = 0; i < 16; i++) {
            mi__free(large[i]);
        }
        mi__away_flush();
        static char *blocks[200];
        bool any_stale = false;
        for (int i = 0; i < 200; i++) {
            blocks[i] = mi__alloc(size);
            check(is_zero(blocks[i], size));
            any_stale |= mi__page_of(blocks[i])->map->stale[0] != 0;
        }
        check(any_stale || size > 3000);
        for (int i = 0; i < 200; i++) {
            mi__free(blocks[i]);
        }
        (void)mi__collect(true);
        for (int i = 0; i < 16; i++) {
            large[i] = mi__alloc_zeroed(MIB);
            check(is_zero(large[i], MIB));
        }
        for (int i = 0; i < 16; i++) {
            mi__free(large[i]);
        }
        mi__away_flush();
    }
    check_equal(misuses.count, 0);
}

static void
zeroed_blocks_are_zero_whatever_was_written(void)
{
    start(SECURE_BYTES);
    char *blocks[2000];
    for (int i = 0; i < 2000; i++) {
        blocks[i] = mi__alloc(40);
    }
    for (int i = 0; i < 2000; i++) {
        mi__free(blocks[i]);
        memset(blocks[i], 'X', 40);
    }
    for (int i = 0; i < 2000; i++) {
        check(is_zero(mi__alloc_zeroed(40), 40));
    }
}

static void
a_late_write_is_seen(void)
{
    start(SECURE_REUSE);
    for (size_t size = 1; size <= 60000; size += 1 + size / 3) {
        char *kept = mi__alloc(size);
        char *p = mi__alloc(size);
        mi__free(p);
        p[size / 2] = 'X';
        misuses.count = 0;
        size_t left = 5000;
        while (misuses.count == 0 && left-- > 0) {
            char *q = mi__alloc(size);
            check(q != p || misuses.count > 0);
            mi__free(q);
        }
        check(misused(1, MISUSE_LATE_WRITE, "malloc", p));
        check(is_zero(p, size));
        mi__free(kept);
    }
}

// Frees of other blocks until the address comes back; the middle of many.
static int
compare(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a;
    unsigned y = *(const unsigned *)b;
    return x < y ? -1 : x > y;
}

static void
addresses_come_back_late(void)
{
    start(SECURE_REUSE);
    static const size_t of[] = {1, 15, 32, 200, 1000, 3000, 4000, 8190, 30000, 65535};
    enum { ROUNDS = 11 };
    unsigned times[ROUNDS];
    for (size_t k = 0; k < sizeof of / sizeof of[0]; k++) {
        memset(times, 0, sizeof times);
        for (int i = 0; i < ROUNDS; i++) {
            char *p = mi__alloc(of[k]);
            mi__free(p);
            char *q;
            do {
                q = mi__alloc(of[k]);
                mi__free(q);
                times[i]++;
            } while (q != p);
        }
        qsort(times, ROUNDS, sizeof times[0], compare);
        check(times[ROUNDS / 2] >= 1000);
    }
    check_equal(misuses.count, 0);
}

// ---- out of reach

static void
large_blocks_end_at_a_guard(void)
{
    start(SECURE_LARGE);
    size_t unit = mi__os_page_size();
    for (size_t size = 65537; size < 10000000; size += size / 3) {
        char *p = mi__alloc(size);
        char *end = p + align_up(size, unit);
        check(is_readable(p) && is_readable(p + size - 1) && is_readable(end - 1) && !is_readable(end));
        fill(p, size, 5);
        for (size_t next = size_max(size * 2 / 3, 65537); next < 2 * size; next += size / 5) {
            size_t before = mi__usable_size(p, "usable_size");
            p = mi__realloc(p, next, true);
            end = p + align_up(next, unit);
            check(is_readable(end - 1) && !is_readable(end));
            check(is_filled(p, size_min(size_min(before, next), size * 2 / 3), 5));
            check(next < before || is_zero(p + before, next - before));
            check_equal(mi__usable_size(p, "usable_size"), next);
        }
        mi__free(p);
        check(!is_readable(p));
    }
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
    check_equal(misuses.count, 0);
    // The memory serves as any other.
    mi__conf.secure = 0;
    char *p = mi__alloc(200 * MIB);
    memset(p, 1, 200 * MIB);
    mi__free(p);
}

enum { AWAY = 32 };

static void
large_blocks_stay_out_of_reach(void)
{
    start(SECURE_LARGE);
    char *p = mi__alloc(300000);
    memset(p, 'S', 300000);
    mi__free(p);
    for (int i = 0; i < AWAY; i++) {
        check(!is_readable(p) && mi__page_of(p) == NULL);
        mi__free(p);
        check(misused((size_t)i + 1, MISUSE_FREE_NO_BLOCK, "free", p));
        char *q = mi__alloc(300000);
        check(memchr(q, 'S', 300000) == NULL);
        mi__free(q);
    }
    p = mi__alloc(300000);
    check(memchr(p, 'S', 300000) == NULL);
    mi__free(p);
    mi__away_flush();
    check_equal(slices_in_use(), 0);
}

static void
blocks_of_no_bytes(void)
{
    start(1);
    enum { MANY = 3000 };
    static char *blocks[MANY];
    for (int i = 0; i < MANY; i++) {
        blocks[i] = i % 2 == 0 ? mi__alloc(0) : mi__alloc_zeroed(0);
        check(blocks[i] != NULL && mi__page_of(blocks[i]) != NULL);
        check(is_readable(blocks[i]) == (i >= 1000));
    }
    for (int i = 0; i < MANY; i++) {
        mi__free(blocks[i]);
    }
    check_equal(misuses.count, 0);
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
    char *p = mi__alloc(0);
    check(!is_readable(p) && mi__usable_size(p, "usable_size") == 0);
    p = mi__realloc(p, 40, true);
    check(is_zero(p, 40) && mi__page_of(p)->block_size != 0);
    mi__free(p);
    p = mi__alloc_aligned(0, 4096, 0, true);
    check(is_aligned(p, 4096) && !is_readable(p));
    mi__free_sized(p, 0, 4096);
    mi__free(p);
    check(misused(1, MISUSE_FREE_NO_BLOCK, "free", p));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(one_byte_at_every_size),
        fresh_test(one_byte_everywhere_else),
        fresh_test(sizes_are_exact),
        fresh_test(what_is_free_is_zero),
        fresh_test(pages_on_slices_that_held_something),
        fresh_test(zeroed_blocks_are_zero_whatever_was_written),
        fresh_test(a_late_write_is_seen),
        fresh_test(addresses_come_back_late),
        fresh_test(large_blocks_end_at_a_guard),
        fresh_test(large_blocks_stay_out_of_reach),
        fresh_test(blocks_of_no_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
