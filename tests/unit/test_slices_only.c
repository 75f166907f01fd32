// SPDX-License-Identifier: MIT
// test_slices_only.c — arena/slices.c: claims in a region that the caller names, and regions that
// are for those alone who name them.
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

// A second region of as many slices as the first has.
static region_t *
second(void)
{
    check(mi__region_add(1, SLICE_SIZE));
    return mi__region_at(mi__region_count() - 1);
}

static void
a_named_region_serves_alone(void)
{
    region_t *first = start(24);
    region_t *other = second();
    slice_run_t run;
    for (size_t i = 0; i < other->slices; i++) {
        check(mi__slices_claim(1, SLICE_SIZE, other, &run));
        check(run.start == region_slice_at(other, i));
        check(run.descriptor == region_descriptor_at(other, i));
        check(run.zero);
    }
    // Full: neither the first region nor a new one steps in.
    check(!mi__slices_claim(1, SLICE_SIZE, other, &run));
    check(!mi__slices_claim(8, SLICE_SIZE, other, &run));
    check_equal(mi__region_count(), 2);
    check_equal(slices_in_use(), other->slices);
    mi__slices_release(region_slice_at(other, 17), 1);
    check(mi__slices_claim(1, SLICE_SIZE, other, &run));
    check(run.start == region_slice_at(other, 17));
    check(mi__slices_claim(1, SLICE_SIZE, NULL, &run));
    check(run.start == first->base);
}

static void
what_a_named_region_cannot_hold_is_refused(void)
{
    (void)start(24);
    region_t *other = second();
    slice_run_t run;
    check(!mi__slices_claim(other->slices + 1, SLICE_SIZE, other, &run));
    check(!mi__slices_claim(SIZE_MAX >> SLICE_SHIFT, SLICE_SIZE, other, &run));
    check(!mi__slices_claim(1, (size_t)1 << (8 * sizeof(size_t) - 1), other, &run));
    check_equal(mi__region_count(), 2);
    check(mi__slices_claim(other->slices, SLICE_SIZE, other, &run));
    check(run.start == other->base);
}

static void
an_exclusive_region_serves_only_who_names_it(void)
{
    region_t *first = start(24);
    region_t *other = second();
    other->exclusive = true;
    slice_run_t run;
    // More than the first region holds: a third one is added, the exclusive one passed over.
    for (size_t i = 0; i < 2 * first->slices; i++) {
        check(mi__slices_claim(1, SLICE_SIZE, NULL, &run));
        check(mi__region_of(run.start) != other);
    }
    check_equal(mi__region_count(), 3);
    check(mi__slices_claim(first->slices, SLICE_SIZE, other, &run));
    check(run.start == other->base);
}

static void
a_refused_commit_in_a_named_region_is_a_clean_failure(void)
{
    (void)start(32);
    region_t *other = second();
    slice_run_t run;
    limit_to(RLIMIT_DATA, data_bytes() + 16 * MIB);
    check(!mi__slices_claim(1024, SLICE_SIZE, other, &run));
    size_t before = free_bytes();
    check(!mi__slices_claim(1024, SLICE_SIZE, other, &run));
    check_equal(free_bytes(), before);
    check_equal(mi__region_count(), 2);
    unlimit(RLIMIT_DATA);
    check(mi__slices_claim(1024, SLICE_SIZE, other, &run));
    check(mi__region_of(run.start) == other);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(a_named_region_serves_alone),
        fresh_test(what_a_named_region_cannot_hold_is_refused),
        fresh_test(an_exclusive_region_serves_only_who_names_it),
        fresh_test(a_refused_commit_in_a_named_region_is_a_clean_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
