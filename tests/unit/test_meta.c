// SPDX-License-Identifier: MIT
// test_meta.c — arena/meta.c: metadata is zero, aligned, handed out once, and asked for by many
// threads.
#include "fresh.h"

#include "arena/meta.h"
#include "os/os.h"

enum { PIECES_MAX = 100000 };

typedef struct piece_t {
    char *start;
    size_t size;
} piece_t;

static int
by_address(const void *a, const void *b)
{
    const piece_t *left = a;
    const piece_t *right = b;
    return left->start < right->start ? -1 : left->start > right->start;
}

// M1, for one piece: zero when it comes, then soiled, so that handing it out again would show.
static char *
take(size_t size)
{
    char *p = mi__meta_alloc(size);
    check(p != NULL);
    check(is_aligned(p, 64));
    check(is_zero(p, size));
    memset(p, 0xa5, size);
    return p;
}

static void
check_apart(piece_t *pieces, size_t count)
{
    qsort(pieces, count, sizeof *pieces, by_address);
    for (size_t i = 1; i < count; i++) {
        check(pieces[i - 1].start + pieces[i - 1].size <= pieces[i].start);
    }
}

static void
nothing_is_taken_before_the_first(void)
{
    mi__os_init();
    check_equal(mi__meta_bytes(), 0);
}

static void
every_size_is_served(void)
{
    mi__os_init();
    static piece_t pieces[PIECES_MAX];
    size_t count = 0;
    for (size_t size = 1; size <= 64 * KIB; size += size < 300 ? 1 : 1023) {
        pieces[count++] = (piece_t){take(size), size};
    }
    pieces[count++] = (piece_t){take(64 * KIB), 64 * KIB};
    check_apart(pieces, count);
}

static void
bytes_are_counted_in_lines(void)
{
    mi__os_init();
    size_t expected = 0;
    for (size_t size = 1; size <= 1000; size += 13) {
        (void)take(size);
        expected += align_up(size, 64);
        check_equal(mi__meta_bytes(), expected);
    }
}

static void
small_pieces_lie_together(void)
{
    mi__os_init();
    char *first = take(64);
    for (int i = 1; i < 100; i++) {
        check(take(64) == first + (ptrdiff_t)i * 64);
    }
}

// Resident memory follows what is handed out: nothing is touched ahead.
static void
it_costs_what_it_gives(void)
{
    mi__os_init();
    (void)take(64);
    size_t before = resident_bytes();
    for (int i = 0; i < 64; i++) {
        (void)take(16 * KIB);
    }
    check_resident_at_most(before + 2 * MIB);
}

static void
many_reservations_follow_each_other(void)
{
    mi__os_init();
    static piece_t pieces[PIECES_MAX];
    size_t count = 0;
    // 24 MiB: several reservations, of which the last pieces don't fit evenly.
    for (size_t total = 0; total < 24 * MIB; total += 40 * KIB) {
        pieces[count++] = (piece_t){take(40 * KIB), 40 * KIB};
    }
    check_apart(pieces, count);
}

enum { TAKERS = 8, TAKES = 3000 };
static piece_t taken[TAKERS * TAKES];

static void *
take_many(void *arg)
{
    piece_t *mine = arg;
    uint64_t seed = (uintptr_t)arg | 1;
    for (size_t i = 0; i < TAKES; i++) {
        size_t size = 1 + random_next(&seed) % 2000;
        mine[i] = (piece_t){take(size), size};
    }
    return NULL;
}

static void
threads_get_pieces_of_their_own(void)
{
    mi__os_init();
    run_threads(TAKERS, take_many, taken, TAKES * sizeof taken[0]);
    size_t expected = 0;
    for (size_t i = 0; i < TAKERS * TAKES; i++) {
        check_equal(taken[i].start[0] & 0xff, 0xa5);
        expected += align_up(taken[i].size, 64);
    }
    check_equal(mi__meta_bytes(), expected);
    check_apart(taken, TAKERS * TAKES);
}

static void
no_address_space_is_a_clean_failure(void)
{
    mi__os_init();
    limit_to(RLIMIT_AS, address_space_bytes() + 64 * KIB);
    errno = ERRNO_MARK;
    check(mi__meta_alloc(100) == NULL);
    check(mi__meta_alloc(100) == NULL);
    check_equal(errno, ERRNO_MARK);
    check_equal(mi__meta_bytes(), 0);
    unlimit(RLIMIT_AS);
    (void)take(100);
}

static void
no_memory_is_a_clean_failure(void)
{
    mi__os_init();
    size_t space = address_space_bytes();
    limit_to(RLIMIT_DATA, data_bytes() + 16 * KIB);
    for (int i = 0; i < 10; i++) {
        check(mi__meta_alloc(100) == NULL);
    }
    // The reservation that could not be used went back.
    check_at_most(address_space_bytes(), space + MIB);
    unlimit(RLIMIT_DATA);
    (void)take(100);
}

static void
a_refused_step_does_not_end_it(void)
{
    mi__os_init();
    (void)take(1000);
    limit_to(RLIMIT_DATA, data_bytes() + 16 * KIB);
    size_t given = 0;
    void *p;
    while ((p = mi__meta_alloc(10000)) != NULL) {
        check(is_zero(p, 10000));
        check(++given < 100);
    }
    check(mi__meta_alloc(10000) == NULL);
    unlimit(RLIMIT_DATA);
    for (int i = 0; i < 100; i++) {
        (void)take(10000);
    }
}

// What was refused was not handed out.
static void
refusals_are_not_counted(void)
{
    mi__os_init();
    (void)take(60 * KIB);
    limit_to(RLIMIT_DATA, data_bytes() + 16 * KIB);
    size_t before = mi__meta_bytes();
    for (int i = 0; i < 10; i++) {
        check(mi__meta_alloc(30 * KIB) == NULL);
    }
    check_equal(mi__meta_bytes(), before);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(nothing_is_taken_before_the_first),
        fresh_test(every_size_is_served),
        fresh_test(bytes_are_counted_in_lines),
        fresh_test(small_pieces_lie_together),
        fresh_test(it_costs_what_it_gives),
        fresh_test(many_reservations_follow_each_other),
        fresh_test(threads_get_pieces_of_their_own),
        fresh_test(no_address_space_is_a_clean_failure),
        fresh_test(no_memory_is_a_clean_failure),
        fresh_test(a_refused_step_does_not_end_it),
        fresh_test(refusals_are_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
