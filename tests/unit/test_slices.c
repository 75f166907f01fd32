// SPDX-License-Identifier: MIT
// test_slices.c — arena/slices.c: runs are apart, aligned, in the lowest place, and grow in place.
// Purging: test_slices_purge.c.
#include "fresh.h"

#include "arena/slices.h"
#include "os/os.h"

static region_t *
start(long bytes_log2)
{
    mi__os_init();
    mi__conf.purge_delay_ms = -1;
    mi__conf.region_bytes_log2 = bytes_log2;
    check(mi__region_init());
    return mi__region_at(0);
}

// S2 for one run: what is called zero is zero. Then soils both ends of every slice.
static void
use(const slice_run_t *run, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *slice = run->start + i * SLICE_SIZE;
        check(!run->zero || is_zero(slice, SLICE_SIZE));
        memset(slice, 0x5a, 64);
        memset(slice + SLICE_SIZE - 64, 0x5a, 64);
    }
}

static slice_run_t
claim(size_t count, size_t align)
{
    slice_run_t run;
    check(mi__slices_claim(count, align, NULL, &run));
    check(is_aligned(run.start, align));
    check(mi__region_descriptor(run.start) == run.descriptor);
    region_t *region = mi__region_of(run.start);
    check(mi__region_of(run.start + count * SLICE_SIZE - 1) == region);
    return run;
}

static size_t
slice_of(const slice_run_t *run)
{
    return region_slice_of(mi__region_of(run->start), run->start);
}

// ---- placement ------------------------------------------------------------------------------

static void
the_lowest_place_is_taken(void)
{
    region_t *region = start(26);
    for (size_t i = 0; i < 200; i++) {
        slice_run_t run = claim(1, SLICE_SIZE);
        check(run.start == region_slice_at(region, i));
        check(run.descriptor == region_descriptor_at(region, i));
        check(run.zero);
    }
    mi__slices_release(region_slice_at(region, 150), 1);
    mi__slices_release(region_slice_at(region, 20), 1);
    mi__slices_release(region_slice_at(region, 70), 1);
    slice_run_t run = claim(1, SLICE_SIZE);
    check_equal(slice_of(&run), 20);
    run = claim(1, SLICE_SIZE);
    check_equal(slice_of(&run), 70);
    run = claim(1, SLICE_SIZE);
    check_equal(slice_of(&run), 150);
    run = claim(1, SLICE_SIZE);
    check_equal(slice_of(&run), 200);
}

static void
a_former_place_is_taken_while_it_holds_memory(void)
{
    region_t *region = start(26);
    (void)claim(64, SLICE_SIZE);
    (void)claim(64, SLICE_SIZE);
    char *at = region_slice_at(region, 60);
    uint32_t place = mi__slices_place(at);
    slice_run_t run;
    check(!mi__slices_claim_again(place, 8, &run));
    mi__slices_release(region_slice_at(region, 2), 10);
    mi__slices_release(at, 8);
    // Not the lowest one, and across two bitmap words.
    check(mi__slices_claim_again(place, 8, &run));
    check(run.start == at && !run.zero);
    check(run.descriptor == region_descriptor_at(region, 60));
    check(!mi__slices_claim_again(place, 8, &run));
    mi__slices_release(at, 7);
    check(!mi__slices_claim_again(place, 8, &run));
    check(mi__slices_claim_again(place, 7, &run));
    mi__slices_release(at, 8);
    bool left;
    (void)mi__slices_purge(true, &left);
    check(!mi__slices_claim_again(place, 8, &run));
    check_equal(region->chunks[0].used >> 60, 0);
    check_equal(region->chunks[1].used & 0xf, 0);
}

static void
places_are_of_the_first_region(void)
{
    region_t *region = start(24);
    check_equal(mi__slices_place(region->base), 1);
    check_equal(mi__slices_place(region->base + 3 * SLICE_SIZE), 4);
    check_equal(mi__slices_place(region_slice_at(region, region->slices) - 1), region->slices);
    slice_run_t far = claim(region->slices + 1, SLICE_SIZE);
    check_equal(mi__slices_place(far.start), 0);
}

static void
holes_are_filled_by_what_fits(void)
{
    region_t *region = start(26);
    (void)claim(64, SLICE_SIZE);
    mi__slices_release(region_slice_at(region, 3), 2);
    mi__slices_release(region_slice_at(region, 10), 8);
    slice_run_t run = claim(8, SLICE_SIZE);
    check_equal(slice_of(&run), 10);
    run = claim(3, SLICE_SIZE);
    check_equal(slice_of(&run), 64);
    run = claim(2, SLICE_SIZE);
    check_equal(slice_of(&run), 3);
}

// The hints, of which there is one for each kind of length, must not hide room that came back.
static void
room_that_came_back_is_found(void)
{
    region_t *region = start(28);
    static const size_t counts[] = {1, 2, 8, 9, 33, 64};
    for (size_t i = 0; i < 640; i++) {
        (void)claim(1, SLICE_SIZE);
    }
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        (void)claim(counts[i], SLICE_SIZE);
        mi__slices_release(region_slice_at(region, 64), 64);
        slice_run_t run = claim(counts[i], SLICE_SIZE);
        check_equal(slice_of(&run), 64);
        if (counts[i] < 64) {
            run = claim(64 - counts[i], SLICE_SIZE);
            check_equal(slice_of(&run), 64 + counts[i]);
        }
    }
}

// Room that is left when a claim of one length went elsewhere is still there for shorter ones.
static void
a_longer_claim_hides_nothing(void)
{
    region_t *region = start(28);
    for (size_t i = 0; i < 60; i++) {
        (void)claim(1, SLICE_SIZE);
    }
    slice_run_t run = claim(8, SLICE_SIZE);
    check_equal(slice_of(&run), 64);
    run = claim(4, SLICE_SIZE);
    check_equal(slice_of(&run), 60);
    (void)region;
}

static void
every_count_up_to_a_chunk_lies_in_one(void)
{
    (void)start(32);
    for (size_t count = 1; count <= CHUNK_SLICES; count++) {
        slice_run_t run = claim(count, SLICE_SIZE);
        check_equal(slice_of(&run) / CHUNK_SLICES, (slice_of(&run) + count - 1) / CHUNK_SLICES);
        use(&run, count);
    }
}

static void
long_runs_cross_chunks(void)
{
    region_t *region = start(32);
    static const size_t counts[] = {65, 127, 128, 129, 200, 1000, 5000};
    size_t end = 0;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        slice_run_t run = claim(counts[i], SLICE_SIZE);
        check(slice_of(&run) >= end);
        check(run.zero);
        end = slice_of(&run) + counts[i];
        memset(run.start, 1, counts[i] << SLICE_SHIFT);
    }
    // The tail of the last chunk serves others.
    slice_run_t tail = claim(64 - 65 % 64, SLICE_SIZE);
    check_equal(slice_of(&tail), 65);
    mi__slices_release(region->base, 65);
    slice_run_t again = claim(65, SLICE_SIZE);
    check_equal(slice_of(&again), 0);
    check(!again.zero);
}

static void
a_run_with_one_slice_in_the_way_goes_elsewhere(void)
{
    region_t *region = start(28);
    (void)claim(64 * 5, SLICE_SIZE);
    mi__slices_release(region->base, 64 * 2 + 10);
    mi__slices_release(region_slice_at(region, 64 * 2 + 11), 64 * 3 - 11);
    // Slice 138 is in use: a run over chunks 0 to 2 ends before it, or is beyond it.
    slice_run_t run = claim(64 * 2 + 11, SLICE_SIZE);
    check(slice_of(&run) > 138);
    slice_run_t fits = claim(64 * 2 + 10, SLICE_SIZE);
    check_equal(slice_of(&fits), 0);
}

static void
a_whole_region_is_one_run(void)
{
    region_t *region = start(26);
    slice_run_t run = claim(region->slices, SLICE_SIZE);
    check(run.start == region->base);
    check_equal(free_bytes(), 0);
    check_equal(mi__region_count(), 1);
    mi__slices_release(run.start, region->slices);
    check_equal(free_bytes(), region->slices << SLICE_SHIFT);
}

// ---- alignment ------------------------------------------------------------------------------

static void
every_alignment_is_kept(void)
{
    (void)start(36);
    static const size_t counts[] = {1, 8, 33, 64, 65, 150};
    for (size_t align = SLICE_SIZE; align <= 2 * GIB; align *= 2) {
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
            slice_run_t run = claim(counts[i], align);
            use(&run, counts[i]);
            slice_run_t second = claim(counts[i], align);
            check(second.start != run.start);
            mi__slices_release(run.start, counts[i]);
            mi__slices_release(second.start, counts[i]);
        }
    }
}

// A large alignment wants address space, not memory: whatever lies below the aligned place must not
// be charged.
static void
alignments_above_memory_are_kept(void)
{
    (void)start(40);
    for (size_t align = 4 * GIB; align <= 64 * GIB; align *= 2) {
        slice_run_t run;
        if (!mi__slices_claim(1, align, NULL, &run)) {
            fprintf(stderr, "no slice at a multiple of %zu GiB: ", align / GIB);
            check(!"claimed");
        }
        use(&run, 1);
        mi__slices_release(run.start, 1);
    }
    check_at_most(mi__region_committed_bytes(), 16 * GIB);
}

static void
impossible_alignments_fail_cleanly(void)
{
    (void)start(32);
    slice_run_t run;
    for (unsigned shift = 47; shift < 63; shift++) {
        check(!mi__slices_claim(1, (size_t)1 << shift, NULL, &run));
        check(!mi__slices_claim(1000, (size_t)1 << shift, NULL, &run));
    }
    check_equal(mi__region_count(), 1);
    run = claim(1, SLICE_SIZE);
    check_equal(slice_of(&run), 0);
}

static void
alignment_within_a_chunk_skips_what_is_taken(void)
{
    region_t *region = start(26);
    (void)claim(1, SLICE_SIZE);
    slice_run_t run = claim(1, 16 * SLICE_SIZE);
    check_equal(slice_of(&run), 16);
    run = claim(2, 16 * SLICE_SIZE);
    check_equal(slice_of(&run), 32);
    run = claim(16, 32 * SLICE_SIZE);
    check_equal(slice_of(&run), 64);
    // What an aligned claim passed over is still found by others.
    run = claim(1, SLICE_SIZE);
    check_equal(slice_of(&run), 1);
    (void)region;
}

// ---- full regions ---------------------------------------------------------------------------

static void
a_full_region_leads_to_a_second(void)
{
    region_t *first = start(24);
    for (size_t i = 0; i < first->slices; i++) {
        slice_run_t run = claim(1, SLICE_SIZE);
        check(mi__region_of(run.start) == first);
    }
    check_equal(mi__region_count(), 1);
    slice_run_t run = claim(1, SLICE_SIZE);
    check_equal(mi__region_count(), 2);
    check(mi__region_of(run.start) == mi__region_at(1));
    use(&run, 1);
    // Room in the first one is used before more of the second.
    mi__slices_release(region_slice_at(first, 77), 1);
    run = claim(1, SLICE_SIZE);
    check(run.start == region_slice_at(first, 77));
    run = claim(1, SLICE_SIZE);
    check(mi__region_of(run.start) == mi__region_at(1));
}

static void
a_run_larger_than_a_region_gets_one(void)
{
    region_t *first = start(22);
    slice_run_t run = claim(first->slices + 1, SLICE_SIZE);
    check_equal(mi__region_count(), 2);
    use(&run, first->slices + 1);
    slice_run_t far = claim(10 * first->slices, 8 * MIB);
    use(&far, 10 * first->slices);
    slice_run_t one = claim(1, SLICE_SIZE);
    check(mi__region_of(one.start) == first);
    mi__slices_release(far.start, 10 * first->slices);
    mi__slices_release(run.start, first->slices + 1);
    check_equal(dirty_bytes(), (11 * first->slices + 1) << SLICE_SHIFT);
}

static void
regions_follow_as_long_as_there_is_need(void)
{
    region_t *first = start(22);
    for (size_t i = 0; i < 10 * first->slices; i++) {
        slice_run_t run = claim(1, SLICE_SIZE);
        check(run.zero);
        use(&run, 1);
    }
    check_equal(mi__region_count(), 10);
    check_equal(free_bytes(), 0);
}

static void
impossible_counts_fail_cleanly(void)
{
    (void)start(32);
    slice_run_t run;
    check(!mi__slices_claim((size_t)1 << 40, SLICE_SIZE, NULL, &run));
    check(!mi__slices_claim(PTRDIFF_MAX >> SLICE_SHIFT, SLICE_SIZE, NULL, &run));
    check(!mi__slices_claim(SIZE_MAX >> SLICE_SHIFT, SLICE_SIZE, NULL, &run));
    check_equal(mi__region_count(), 1);
    (void)claim(1, SLICE_SIZE);
}

// ---- no memory ------------------------------------------------------------------------------

static void
a_refused_commit_is_a_clean_failure(void)
{
    (void)start(32);
    limit_to(RLIMIT_DATA, data_bytes() + 32 * MIB);
    slice_run_t run;
    check(!mi__slices_claim(MIB * 64 / SLICE_SIZE, SLICE_SIZE, NULL, &run));
    size_t count = 0;
    while (mi__slices_claim(16, SLICE_SIZE, NULL, &run)) {
        use(&run, 16);
        count++;
    }
    check(count >= 4 * 6);
    check_at_most(count, 4 * 9);
    unlimit(RLIMIT_DATA);
    run = claim(1024, SLICE_SIZE);
    use(&run, 1024);
}

// A refused commit is no want of address space: more regions would not help, and a program that
// goes on asking would soon have none left.
static void
a_refused_commit_adds_no_region(void)
{
    (void)start(32);
    limit_to(RLIMIT_DATA, data_bytes() + 16 * MIB);
    slice_run_t run;
    while (mi__slices_claim(16, SLICE_SIZE, NULL, &run)) {
    }
    for (int i = 0; i < 20; i++) {
        check(!mi__slices_claim(16, SLICE_SIZE, NULL, &run));
        check(!mi__slices_claim(1000, SLICE_SIZE, NULL, &run));
    }
    check_equal(mi__region_count(), 1);
}

static void
a_refused_large_claim_adds_one_region_at_most(void)
{
    (void)start(32);
    limit_to(RLIMIT_DATA, data_bytes() + 16 * MIB);
    slice_run_t run;
    // Larger than the first region.
    for (int i = 0; i < 20; i++) {
        check(!mi__slices_claim(5 * GIB / SLICE_SIZE, SLICE_SIZE, NULL, &run));
    }
    check_at_most(mi__region_count(), 2);
}

// ---- growing in place -----------------------------------------------------------------------

static void
free_slices_behind_are_claimed(void)
{
    region_t *region = start(28);
    slice_run_t run = claim(3, SLICE_SIZE);
    check(mi__slices_claim_behind(run.start, 3, 2, &(bool){false}));
    check(mi__slices_claim_behind(run.start, 5, 100, &(bool){false}));
    // Claimed for good: the next one lies behind.
    slice_run_t next = claim(1, SLICE_SIZE);
    check_equal(slice_of(&next), 105);
    check(!mi__slices_claim_behind(run.start, 105, 1, &(bool){false}));
    mi__slices_release(run.start, 105);
    check_equal(dirty_bytes(), 105 * SLICE_SIZE);
    (void)region;
}

static void
slices_behind_may_lie_above_the_frontier(void)
{
    region_t *region = start(28);
    slice_run_t run = claim(64, SLICE_SIZE);
    check_equal(atomic_get_relaxed(&region->committed), 64);
    check(mi__slices_claim_behind(run.start, 64, 1, &(bool){false}));
    check(mi__slices_claim_behind(run.start, 65, 1000, &(bool){false}));
    memset(run.start, 1, 1065 << SLICE_SHIFT);
    check(!mi__slices_claim_behind(run.start, 1065, region->slices - 1064, &(bool){false}));
    check(mi__slices_claim_behind(run.start, 1065, region->slices - 1065, &(bool){false}));
    check(!mi__slices_claim_behind(run.start, region->slices, 1, &(bool){false}));
    check(!mi__slices_claim_behind(run.start, region->slices, SIZE_MAX >> SLICE_SHIFT, &(bool){false}));
}

static void
a_failed_claim_behind_leaves_nothing_claimed(void)
{
    region_t *region = start(28);
    slice_run_t run = claim(10, SLICE_SIZE);
    (void)claim(64 * 3, SLICE_SIZE);
    mi__slices_release(region_slice_at(region, 64), 64 * 2);
    // Free: 10 to 191; in use: 192 to 255.
    size_t before = free_bytes();
    check(!mi__slices_claim_behind(run.start, 10, 183, &(bool){false}));
    check(!mi__slices_claim_behind(run.start, 10, 250, &(bool){false}));
    check_equal(free_bytes(), before);
    check(mi__slices_claim_behind(run.start, 10, 182, &(bool){false}));
    check_equal(free_bytes(), before - 182 * SLICE_SIZE);
}

static void
a_refused_commit_behind_claims_nothing(void)
{
    (void)start(32);
    slice_run_t run = claim(10, SLICE_SIZE);
    limit_to(RLIMIT_DATA, data_bytes() + 16 * MIB);
    size_t before = free_bytes();
    check(!mi__slices_claim_behind(run.start, 10, 1000, &(bool){false}));
    check_equal(free_bytes(), before);
    check_equal(mi__region_count(), 1);
}

static void
a_part_can_be_released(void)
{
    region_t *region = start(26);
    slice_run_t run = claim(200, SLICE_SIZE);
    use(&run, 200);
    mi__slices_release(run.start + 100 * SLICE_SIZE, 100);
    slice_run_t behind = claim(28, SLICE_SIZE);
    check_equal(slice_of(&behind), 100);
    check(!behind.zero);
    mi__slices_release(run.start, 100);
    slice_run_t low = claim(64, SLICE_SIZE);
    check(low.start == region->base);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(the_lowest_place_is_taken),
        fresh_test(a_former_place_is_taken_while_it_holds_memory),
        fresh_test(places_are_of_the_first_region),
        fresh_test(holes_are_filled_by_what_fits),
        fresh_test(room_that_came_back_is_found),
        fresh_test(a_longer_claim_hides_nothing),
        fresh_test(every_count_up_to_a_chunk_lies_in_one),
        fresh_test(long_runs_cross_chunks),
        fresh_test(a_run_with_one_slice_in_the_way_goes_elsewhere),
        fresh_test(a_whole_region_is_one_run),
        fresh_test(every_alignment_is_kept),
        fresh_test(alignments_above_memory_are_kept),
        fresh_test(impossible_alignments_fail_cleanly),
        fresh_test(alignment_within_a_chunk_skips_what_is_taken),
        fresh_test(a_full_region_leads_to_a_second),
        fresh_test(a_run_larger_than_a_region_gets_one),
        fresh_test(regions_follow_as_long_as_there_is_need),
        fresh_test(impossible_counts_fail_cleanly),
        fresh_test(a_refused_commit_is_a_clean_failure),
        fresh_test(a_refused_commit_adds_no_region),
        fresh_test(a_refused_large_claim_adds_one_region_at_most),
        fresh_test(free_slices_behind_are_claimed),
        fresh_test(slices_behind_may_lie_above_the_frontier),
        fresh_test(a_failed_claim_behind_leaves_nothing_claimed),
        fresh_test(a_refused_commit_behind_claims_nothing),
        fresh_test(a_part_can_be_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
