// SPDX-License-Identifier: MIT
// test_slices_purge.c — arena/slices.c: zero is known, free memory goes back in two steps, and
// slices stay apart at random.
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
    if (!mi__slices_claim(count, align, NULL, &run)) {
        fprintf(stderr, "%zu slices at a multiple of %zu, %zu regions: ", count, align, mi__region_count());
        check(!"claimed");
    }
    check(is_aligned(run.start, align));
    check(mi__region_descriptor(run.start) == run.descriptor);
    region_t *region = mi__region_of(run.start);
    check(mi__region_of(run.start + count * SLICE_SIZE - 1) == region);
    return run;
}

static size_t
purge(bool all, bool left_expected)
{
    bool left;
    size_t bytes = mi__slices_purge(all, &left);
    check_equal(left, left_expected);
    return bytes;
}

// ---- zero -----------------------------------------------------------------------------------

static void
zero_is_known(void)
{
    region_t *region = start(26);
    slice_run_t run = claim(4, SLICE_SIZE);
    check(run.zero);
    use(&run, 4);
    mi__slices_release(run.start, 4);
    run = claim(4, SLICE_SIZE);
    check(!run.zero);
    mi__slices_release(run.start, 4);
    // Half dirty is not zero.
    run = claim(8, SLICE_SIZE);
    check(run.start == region->base);
    check(!run.zero);
    mi__slices_release(run.start, 8);
    check_equal(purge(true, false), 8 * SLICE_SIZE);
    run = claim(8, SLICE_SIZE);
    check(run.zero);
    use(&run, 8);
}

static void
zero_is_known_for_long_runs(void)
{
    (void)start(28);
    slice_run_t run = claim(200, SLICE_SIZE);
    check(run.zero);
    mi__slices_release(run.start + 199 * SLICE_SIZE, 1);
    mi__slices_release(run.start, 199);
    check_equal(purge(true, false), 200 * SLICE_SIZE);
    slice_run_t one = claim(1, SLICE_SIZE);
    use(&one, 1);
    mi__slices_release(one.start, 1);
    run = claim(200, SLICE_SIZE);
    check(run.start == one.start);
    check(!run.zero);
}

// ---- purging --------------------------------------------------------------------------------

static void
purging_gives_memory_back(void)
{
    (void)start(28);
    slice_run_t run = claim(512, SLICE_SIZE);
    size_t before = resident_bytes();
    memset(run.start, 1, 512 << SLICE_SHIFT);
    check(resident_bytes() >= before + 30 * MIB);
    mi__slices_release(run.start, 512);
    check(resident_bytes() >= before + 30 * MIB);
    check_equal(dirty_bytes(), 512 * SLICE_SIZE);
    check_equal(purge(true, false), 512 * SLICE_SIZE);
    check_equal(dirty_bytes(), 0);
    check_resident_at_most(before + 2 * MIB);
    check_equal(purge(true, false), 0);
}

static void
what_is_in_use_stays(void)
{
    region_t *region = start(26);
    slice_run_t run = claim(128, SLICE_SIZE);
    for (size_t i = 0; i < 128; i++) {
        fill(run.start + i * SLICE_SIZE, SLICE_SIZE, (unsigned)i);
    }
    // Runs of all lengths with gaps of one, also across the middle of words.
    size_t released = 0;
    for (size_t i = 0, length = 1; i + length < 128; i += length + 1, length++) {
        mi__slices_release(run.start + i * SLICE_SIZE, length);
        released += length;
    }
    check_equal(purge(true, false), released * SLICE_SIZE);
    for (size_t i = 0, length = 1; i + length < 128; i += length + 1, length++) {
        check(is_zero(run.start + i * SLICE_SIZE, length * SLICE_SIZE));
        check(is_filled(run.start + (i + length) * SLICE_SIZE, SLICE_SIZE, (unsigned)(i + length)));
    }
    (void)region;
}

static void
a_first_call_marks_and_a_second_purges(void)
{
    (void)start(26);
    slice_run_t run = claim(20, SLICE_SIZE);
    use(&run, 20);
    mi__slices_release(run.start, 20);
    check_equal(purge(false, true), 0);
    check_equal(purge(false, false), 20 * SLICE_SIZE);
    check_equal(purge(false, false), 0);
    run = claim(20, SLICE_SIZE);
    check(run.zero);
}

static void
use_takes_the_mark_away(void)
{
    (void)start(26);
    slice_run_t run = claim(20, SLICE_SIZE);
    mi__slices_release(run.start, 20);
    check_equal(purge(false, true), 0);
    slice_run_t part = claim(5, SLICE_SIZE);
    check(part.start == run.start);
    check(!part.zero);
    mi__slices_release(part.start, 5);
    // Fifteen have been free all along, five start anew.
    check_equal(purge(false, true), 15 * SLICE_SIZE);
    check_equal(purge(false, false), 5 * SLICE_SIZE);
}

static void
marks_of_a_forced_purge_do_not_stay(void)
{
    (void)start(26);
    slice_run_t run = claim(20, SLICE_SIZE);
    mi__slices_release(run.start, 20);
    check_equal(purge(false, true), 0);
    check_equal(purge(true, false), 20 * SLICE_SIZE);
    run = claim(20, SLICE_SIZE);
    use(&run, 20);
    mi__slices_release(run.start, 20);
    check_equal(purge(false, true), 0);
    check_equal(purge(false, false), 20 * SLICE_SIZE);
}

static void
all_regions_are_purged(void)
{
    region_t *first = start(22);
    slice_run_t runs[4];
    for (int i = 0; i < 4; i++) {
        runs[i] = claim(first->slices, SLICE_SIZE);
        use(&runs[i], first->slices);
    }
    for (int i = 0; i < 4; i++) {
        mi__slices_release(runs[i].start, first->slices);
    }
    check_equal(purge(true, false), 4 * first->slices * SLICE_SIZE);
}

// ---- in units -------------------------------------------------------------------------------

static void
units_go_back_whole(void)
{
    (void)start(26);
    mi__conf.minimal_purge = 2 << 20; // 32 slices
    slice_run_t run = claim(128, SLICE_SIZE);
    use(&run, 128);
    mi__slices_release(run.start, 31);
    mi__slices_release(run.start + 40 * SLICE_SIZE, 60); // all of the third unit, parts of two others
    check_equal(purge(false, true), 0);
    check_equal(mi__slices_purge_part(1), 32 * SLICE_SIZE);
    check_equal(dirty_bytes(), (31 + 60 - 32) * SLICE_SIZE);
    check_equal(purge(false, false), 0);
    check_equal(mi__slices_purge_bytes(SLICE_SIZE, false), 0);
    // A unit is young as long as some of it is.
    slice_run_t one = claim(1, SLICE_SIZE);
    check(one.start == run.start && !one.zero);
    mi__slices_release(run.start + 31 * SLICE_SIZE, 1);
    check_equal(purge(false, false), 0);
    mi__slices_release(one.start, 1);
    check_equal(purge(false, true), 0);
    check_equal(purge(false, false), 32 * SLICE_SIZE);
    // What is to go in any case goes in parts.
    check_equal(mi__slices_purge_bytes(3 * SLICE_SIZE, true), 3 * SLICE_SIZE);
    check_equal(purge(true, false), (8 + 20 - 8 + 8 - 3) * SLICE_SIZE);
    check_equal(dirty_bytes(), 0);
}

static void
a_unit_takes_what_is_clean_along(void)
{
    (void)start(26);
    mi__conf.minimal_purge = 1 << 20; // 16 slices
    slice_run_t run = claim(64, SLICE_SIZE);
    use(&run, 64);
    mi__slices_release(run.start, 8);
    check_equal(purge(true, false), 8 * SLICE_SIZE);
    mi__slices_release(run.start + 8 * SLICE_SIZE, 24);
    // Counted is what held memory; no less than a unit at a time.
    check_equal(mi__slices_purge_bytes(1, false), 16 * SLICE_SIZE);
    check_equal(mi__slices_purge_bytes(1, false), 8 * SLICE_SIZE);
    slice_run_t again = claim(32, SLICE_SIZE);
    check(again.start == run.start && again.zero);
    check(is_zero(again.start, 32 * SLICE_SIZE));
}

static void
units_go_back_at_once_too(void)
{
    (void)start(26);
    mi__conf.purge_delay_ms = 0;
    mi__conf.allow_thp = THP_EAGER; // units of 2 MiB
    slice_run_t run = claim(64, SLICE_SIZE);
    use(&run, 64);
    for (size_t i = 0; i < 64; i++) {
        mi__slices_release(run.start + i * SLICE_SIZE, 1);
        check_equal(dirty_bytes(), (i + 1) % 32 * SLICE_SIZE);
    }
}

// ---- at random ------------------------------------------------------------------------------

typedef struct shadow_run_t {
    slice_run_t run;
    size_t count;
    unsigned seed;
} shadow_run_t;

static void
mark_run(const shadow_run_t *shadow)
{
    for (size_t i = 0; i < shadow->count; i++) {
        fill(shadow->run.start + i * SLICE_SIZE, 256, shadow->seed);
    }
}

static void
check_run(const shadow_run_t *shadow)
{
    for (size_t i = 0; i < shadow->count; i++) {
        check(is_filled(shadow->run.start + i * SLICE_SIZE, 256, shadow->seed));
    }
}

static void
random_step(shadow_run_t *slot, uint64_t *random)
{
    if (slot->count > 0) {
        check_run(slot);
        mi__slices_release(slot->run.start, slot->count);
        slot->count = 0;
        return;
    }
    static const size_t lengths[] = {1, 1, 1, 2, 8, 8, 13, 64, 65, 130};
    size_t count = lengths[random_next(random) % 10];
    size_t align = (size_t)SLICE_SIZE << (random_next(random) % 4 == 0 ? random_next(random) % 8 : 0);
    slot->run = claim(count, align);
    slot->count = count;
    slot->seed = (unsigned)random_next(random);
    check(!slot->run.zero || is_zero(slot->run.start, 256));
    mark_run(slot);
}

static void
random_claims_stay_apart(void)
{
    region_t *region = start(30);
    static shadow_run_t slots[100];
    uint64_t random = 12345;
    for (int i = 0; i < 20000; i++) {
        random_step(&slots[random_next(&random) % 100], &random);
        bool left;
        if (i % 100 == 0) {
            (void)mi__slices_purge(i % 300 == 0, &left);
        }
    }
    size_t in_use = 0;
    for (int i = 0; i < 100; i++) {
        check_run(&slots[i]);
        in_use += slots[i].count;
    }
    check_equal(free_bytes(), mi__region_committed_bytes() - (in_use << SLICE_SHIFT));
    (void)region;
}

static void *
claim_at_random(void *arg)
{
    uint64_t random = *(uint64_t *)arg;
    shadow_run_t slots[20] = {0};
    for (int i = 0; i < (SANITIZED ? 2000 : 20000); i++) {
        random_step(&slots[random_next(&random) % 20], &random);
        bool left;
        if (i % 64 == 0) {
            (void)mi__slices_purge(i % 256 == 0, &left);
        }
    }
    for (int i = 0; i < 20; i++) {
        if (slots[i].count > 0) {
            random_step(&slots[i], &random);
        }
    }
    return NULL;
}

// S1 and S2 under contention: a slice in two hands, or purged in use, would lose its pattern.
static void
threads_claim_and_purge_at_once(void)
{
    (void)start(24);
    uint64_t seeds[] = {1, 2, 3, 4};
    run_threads(4, claim_at_random, seeds, sizeof seeds[0]);
    check_equal(free_bytes(), mi__region_committed_bytes());
    bool left;
    (void)mi__slices_purge(true, &left);
    check_equal(dirty_bytes(), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(zero_is_known),
        fresh_test(zero_is_known_for_long_runs),
        fresh_test(purging_gives_memory_back),
        fresh_test(what_is_in_use_stays),
        fresh_test(a_first_call_marks_and_a_second_purges),
        fresh_test(use_takes_the_mark_away),
        fresh_test(marks_of_a_forced_purge_do_not_stay),
        fresh_test(all_regions_are_purged),
        fresh_test(units_go_back_whole),
        fresh_test(a_unit_takes_what_is_clean_along),
        fresh_test(units_go_back_at_once_too),
        fresh_test(random_claims_stay_apart),
        fresh_test(threads_claim_and_purge_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
