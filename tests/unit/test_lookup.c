// SPDX-License-Identifier: MIT
// test_lookup.c — arena/lookup.c: every address leads to its region, whatever the number of regions,
// their sizes and the order in which they came.
#include "fresh.h"

#include "arena/lookup.h"

enum { REGIONS = 800, GAP_CHUNKS = 3 };

static region_t regions[REGIONS];

// Nobody looks at what lies there.
static char *
place(size_t chunk)
{
    return (char *)((uintptr_t)1 << 40) + chunk * CHUNK_BYTES;
}

static void
lay(size_t i, size_t first_chunk, size_t chunks)
{
    regions[i] = (region_t){.start = place(first_chunk), .end = place(first_chunk + chunks)};
}

// The edges of the region, and what lies just outside of them and is nobody's.
static void
check_edges(region_t *region)
{
    char *start = region->start;
    char *end = region->end;
    check(mi__lookup_find(start) == region);
    check(mi__lookup_find(start + (end - start) / 2) == region);
    check(mi__lookup_find(end - 1) == region);
    check(mi__lookup_find(start - 1) == NULL);
    check(mi__lookup_find(end) == NULL);
    check(mi__lookup_any(start, start + 1));
    check(mi__lookup_any(end - 1, end));
    check(mi__lookup_any(start - 1, end + 1));
    check(!mi__lookup_any(start - CHUNK_BYTES, start));
    check(!mi__lookup_any(end, end + CHUNK_BYTES));
}

static void
nothing_is_found_where_nothing_is(void)
{
    check(mi__lookup_find(NULL) == NULL);
    check(mi__lookup_find(place(0)) == NULL);
    check(mi__lookup_find((void *)UINTPTR_MAX) == NULL);
    check(!mi__lookup_any(NULL, (void *)UINTPTR_MAX));
}

static void
add_in_order(size_t (*order)(size_t i))
{
    for (size_t i = 0; i < REGIONS; i++) {
        size_t at = order(i);
        lay(i, at * 2 * GAP_CHUNKS, GAP_CHUNKS);
        check(mi__lookup_add(&regions[i], i + 1));
        check_edges(&regions[i]);
        check_edges(&regions[i / 2]);
    }
    for (size_t i = 0; i < REGIONS; i++) {
        check_edges(&regions[i]);
    }
    check(mi__lookup_find(NULL) == NULL);
    check(mi__lookup_find((void *)UINTPTR_MAX) == NULL);
}

static size_t
upwards(size_t i)
{
    return i;
}

static size_t
downwards(size_t i)
{
    return REGIONS - i;
}

static size_t
to_and_fro(size_t i)
{
    return i % 2 == 0 ? REGIONS + i : REGIONS - i;
}

static size_t
scattered(size_t i)
{
    return i * 331 % 809; // both primes: no place comes twice
}

static void
regions_are_found_that_came_upwards(void)
{
    add_in_order(upwards);
}

static void
regions_are_found_that_came_downwards(void)
{
    add_in_order(downwards);
}

static void
regions_are_found_that_came_from_the_middle(void)
{
    add_in_order(to_and_fro);
}

static void
regions_are_found_that_came_scattered(void)
{
    add_in_order(scattered);
}

static void
neighbours_without_a_gap_are_told_apart(void)
{
    for (size_t i = 0; i < 100; i++) {
        lay(i, i * 2, 2);
        check(mi__lookup_add(&regions[i], i + 1));
    }
    for (size_t i = 0; i < 100; i++) {
        check(mi__lookup_find(place(i * 2)) == &regions[i]);
        check(mi__lookup_find(place(i * 2 + 2) - 1) == &regions[i]);
    }
}

// Regions whose memory begins and ends in the middle of one chunk share its addresses, but not its
// slices.
static void
parts_of_a_chunk_are_told_apart(void)
{
    for (size_t i = 0; i < CHUNK_SLICES; i++) {
        char *start = place(7) + i * SLICE_SIZE;
        regions[i] = (region_t){.start = start, .end = start + SLICE_SIZE};
    }
    for (size_t i = 0; i < CHUNK_SLICES; i++) {
        size_t k = i * 37 % CHUNK_SLICES;
        check(mi__lookup_add(&regions[k], i + 1));
        check(!mi__lookup_add(&(region_t){.start = place(7), .end = place(7) + (k + 1) * SLICE_SIZE}, 1));
    }
    for (size_t i = 0; i < CHUNK_SLICES; i++) {
        check(mi__lookup_find(place(7) + i * SLICE_SIZE) == &regions[i]);
        check(mi__lookup_find(place(7) + (i + 1) * SLICE_SIZE - 1) == &regions[i]);
    }
    check(mi__lookup_find(place(7) - 1) == NULL);
    check(mi__lookup_find(place(8)) == NULL);
}

static void
what_overlaps_is_refused(void)
{
    static const struct {
        size_t first;
        size_t chunks;
    } bad[] = {{10, 5}, {9, 2},   {14, 1},  {14, 9}, {10, 1}, {11, 2},
               {8, 20}, {0, 100}, {12, 40}, {30, 1}, {29, 3}};
    lay(0, 10, 5);
    lay(1, 30, 1);
    check(mi__lookup_add(&regions[0], 1));
    check(mi__lookup_add(&regions[1], 2));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        lay(2, bad[i].first, bad[i].chunks);
        check(mi__lookup_any(regions[2].start, regions[2].end));
        check(!mi__lookup_add(&regions[2], 3 + i));
        check_edges(&regions[0]);
        check_edges(&regions[1]);
    }
    lay(2, 15, 15);
    check(!mi__lookup_any(regions[2].start, regions[2].end));
    check(mi__lookup_add(&regions[2], 4));
    check(mi__lookup_find(place(15)) == &regions[2]);
}

// ---- threads --------------------------------------------------------------------------------

enum { THREADS = 4, EACH = REGIONS / THREADS };

typedef struct part_t {
    size_t number;
} part_t;

static void *
add_a_part(void *arg)
{
    size_t number = ((const part_t *)arg)->number;
    for (size_t i = 0; i < EACH; i++) {
        size_t k = number * EACH + i;
        lay(k, (i * THREADS + number) * 2, 1);
        check(mi__lookup_add(&regions[k], k + 1));
        for (size_t back = 0; back <= i; back += 1 + i / 8) {
            size_t seen = number * EACH + back;
            check(mi__lookup_find(regions[seen].start) == &regions[seen]);
        }
        check(mi__lookup_find(place((i * THREADS + number) * 2 + 1)) == NULL);
    }
    return NULL;
}

static void
threads_may_add_and_search_at_once(void)
{
    part_t parts[THREADS] = {{0}, {1}, {2}, {3}};
    run_threads(THREADS, add_a_part, parts, sizeof parts[0]);
    for (size_t i = 0; i < REGIONS; i++) {
        check_edges(&regions[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(nothing_is_found_where_nothing_is),
        fresh_test(regions_are_found_that_came_upwards),
        fresh_test(regions_are_found_that_came_downwards),
        fresh_test(regions_are_found_that_came_from_the_middle),
        fresh_test(regions_are_found_that_came_scattered),
        fresh_test(neighbours_without_a_gap_are_told_apart),
        fresh_test(parts_of_a_chunk_are_told_apart),
        fresh_test(what_overlaps_is_refused),
        fresh_test(threads_may_add_and_search_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
