// SPDX-License-Identifier: MIT
// test_region.c — arena/region.c: the lay-out of a region, its frontier, more regions, and what
// happens when the system refuses.
#include "fresh.h"

#include "arena/region.h"
#include "os/os.h"

static region_t *
start(long bytes_log2)
{
    mi__os_init();
    mi__conf.region_bytes_log2 = bytes_log2;
    check(mi__region_init());
    check_equal(mi__region_count(), 1);
    return mi__region_at(0);
}

static size_t
committed(region_t *region)
{
    return atomic_get_relaxed(&region->committed);
}

static size_t
first_committed(void)
{
    return HINT_GET(mi__region_first.committed);
}

// R1 and R2, and that the fast path's copy never runs ahead.
static void
check_frontier(region_t *region)
{
    size_t slices = committed(region);
    check_equal(slices % CHUNK_SLICES, 0);
    check_at_most(slices, region->slices);
    check(slices > 0);
    check(is_readable(region_slice_at(region, 0)));
    check(is_readable(region_slice_at(region, slices) - 1));
    check(is_readable(region_descriptor_at(region, 0)));
    check(is_readable((char *)region_descriptor_at(region, slices) - 1));
    check(is_readable(&region->chunks[slices / CHUNK_SLICES - 1].used));
    check(is_readable(&region->chunks[slices / CHUNK_SLICES - 1].dirty));
    check(is_readable(&region->chunks[slices / CHUNK_SLICES - 1].aged));
    check_at_most(first_committed(), committed(mi__region_at(0)) << SLICE_SHIFT);
}

// ---- before the start -----------------------------------------------------------------------

static void
nothing_is_found_before_the_start(void)
{
    page_t *page;
    int local;
    check_equal(mi__region_count(), 0);
    check(mi__region_of(&local) == NULL);
    check(mi__region_descriptor(NULL) == NULL);
    check(!region_first_find(&local, &page));
    check(!region_first_find(NULL, &page));
    check_equal(mi__region_reserved_bytes(), 0);
    check_equal(mi__region_committed_bytes(), 0);
    check_equal(mi__region_metadata_bytes(), 0);
    check_equal(mi__region_at(REGION_MAX - 1)->slices, 0);
}

// ---- lay-out --------------------------------------------------------------------------------

static void
the_first_region_is_laid_out(void)
{
    region_t *region = start(26);
    check_equal(region->slices, (size_t)1 << (26 - SLICE_SHIFT));
    check(is_aligned(region->base, CHUNK_BYTES));
    check(is_aligned(region->descriptors, 64));
    check(region->descriptors + region->slices * DESCRIPTOR_SIZE <= region->base);
    check_equal(committed(region), CHUNK_SLICES);
    check_frontier(region);
}

static void
the_fast_paths_copy_agrees(void)
{
    region_t *region = start(26);
    check_equal(mi__region_first.base, (uintptr_t)region->base);
    check_equal(mi__region_first.descriptors, (uintptr_t)region->descriptors);
    check_equal(first_committed(), committed(region) << SLICE_SHIFT);
    check(mi__region_commit(region, 5 * CHUNK_SLICES));
    check_equal(first_committed(), committed(region) << SLICE_SHIFT);
}

static void
guards_lie_around_the_descriptors(void)
{
    region_t *region = start(24);
    check(mi__region_commit(region, region->slices));
    // Below slice 0, above the last descriptor, below the first, and after each bitmap's end.
    check(!is_readable(region->base - 1));
    check(!is_readable(region->base - 4096));
    char *end = region->descriptors + align_up(region->slices * DESCRIPTOR_SIZE, mi__os_page_size());
    check(!is_readable(end));
    check(!is_readable(region->descriptors - 1));
    check(!is_readable((char *)region->chunks + mi__os_page_size()));
}

static void
memory_above_the_frontier_is_out_of_reach(void)
{
    region_t *region = start(26);
    size_t slices = committed(region);
    check(!is_readable(region_slice_at(region, slices)));
    check(!is_readable(region_slice_at(region, region->slices) - 1));
    check(!is_readable(region_descriptor_at(region, region->slices - 1)));
}

static void
fresh_memory_is_zero(void)
{
    region_t *region = start(24);
    check(mi__region_commit(region, region->slices));
    check(is_zero(region->descriptors, region->slices * DESCRIPTOR_SIZE));
    check(is_zero(region->base, region->slices << SLICE_SHIFT));
    check(is_zero(region->chunks, region->slices / CHUNK_SLICES * sizeof *region->chunks));
}

static void
a_region_of_one_chunk_is_enough(void)
{
    region_t *region = start(22);
    check_equal(region->slices, CHUNK_SLICES);
    check_equal(committed(region), CHUNK_SLICES);
    check_frontier(region);
}

// Where there is no room for a chunk at its place, regions start anywhere, and end amid a chunk.
static void
less_than_a_chunk_is_a_little_region(void)
{
    enum { LITTLE = 1 << 20, REGIONS = 5 };
    region_t *region = start(21);
    check(mi__region_is_scarce());
    check_equal(region->end - region->start, LITTLE);
    check(region->reserved_bytes < 2 * LITTLE);
    check_equal(mi__region_committed_bytes(), LITTLE);
    char *starts[REGIONS * LITTLE / SLICE_SIZE];
    size_t count = 0;
    // More of them, side by side perhaps: each address leads to its own descriptor.
    while (mi__region_count() < REGIONS || count < sizeof starts / sizeof starts[0]) {
        slice_run_t run;
        check(mi__slices_claim(1, SLICE_SIZE, NULL, &run));
        check(is_zero(run.start, SLICE_SIZE));
        memset(run.start, 1, SLICE_SIZE);
        check(mi__region_descriptor(run.start + SLICE_SIZE - 1) == run.descriptor);
        check(region_descriptor_at(mi__region_of(run.start),
                                   region_slice_of(mi__region_of(run.start), run.start)) == run.descriptor);
        for (size_t i = 0; i < count; i++) {
            check(starts[i] != run.start);
        }
        starts[count++] = run.start;
    }
    check_equal(mi__region_count(), REGIONS);
    check_equal(mi__region_committed_bytes(), REGIONS * LITTLE);
    check(mi__region_descriptor(region->end) == NULL || mi__region_of(region->end) != region);
    while (count > 0) {
        mi__slices_release(starts[--count], 1);
    }
    size_t free_bytes;
    size_t dirty_bytes;
    mi__slices_count(&free_bytes, &dirty_bytes);
    check_equal(free_bytes, REGIONS * LITTLE);
    // What is larger has a region as always.
    slice_run_t large;
    check(mi__slices_claim(100, SLICE_SIZE, NULL, &large));
    memset(large.start, 1, 100 << SLICE_SHIFT);
}

static void
hardly_any_address_space_is_enough(void)
{
    mi__os_init();
    struct rlimit limit;
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    check(file != NULL && fscanf(file, "%ld", &pages) == 1);
    fclose(file);
    check(getrlimit(RLIMIT_AS, &limit) == 0);
    limit.rlim_cur = (rlim_t)pages * mi__os_page_size() + 3 * MIB;
    if (SANITIZED || setrlimit(RLIMIT_AS, &limit) != 0) {
        return; // a sanitizer has terabytes
    }
    check(mi__region_init());
    check(mi__region_is_scarce());
    slice_run_t run;
    size_t count = 0;
    while (mi__slices_claim(1, SLICE_SIZE, NULL, &run)) {
        memset(run.start, 1, SLICE_SIZE);
        count++;
    }
    check(count * SLICE_SIZE >= MIB);
    mi__slices_release(run.start == NULL ? region_slice_at(mi__region_at(0), 0) : run.start, 1);
    check(mi__slices_claim(1, SLICE_SIZE, NULL, &run));
}

static void
a_region_is_only_address_space(void)
{
    mi__os_init();
    size_t resident = resident_bytes();
    size_t space = address_space_bytes();
    region_t *region = start(36);
    check_equal(region->slices, (size_t)1 << (36 - SLICE_SHIFT));
    check(address_space_bytes() - space >= ((size_t)1 << 36));
    check_resident_at_most(resident + MIB);
    check_equal(mi__region_reserved_bytes(), region->reserved_bytes);
    // Descriptors and bitmaps are a small share of it.
    check_at_most(region->reserved_bytes - ((size_t)1 << 36), ((size_t)1 << 36) / 400);
}

static void
a_second_start_changes_nothing(void)
{
    region_t *region = start(26);
    size_t space = address_space_bytes();
    char *base = region->base;
    check(mi__region_init());
    check(mi__region_at(0) == region && region->base == base);
    check_equal(mi__region_count(), 1);
    check_equal(address_space_bytes(), space);
}

// ---- from addresses to descriptors ----------------------------------------------------------

static void
every_slice_has_its_descriptor(void)
{
    region_t *region = start(26);
    check(mi__region_commit(region, region->slices));
    for (size_t slice = 0; slice < region->slices; slice++) {
        char *start_of = region_slice_at(region, slice);
        const char *places[] = {start_of, start_of + 1, start_of + SLICE_SIZE / 2, start_of + SLICE_SIZE - 1};
        for (size_t i = 0; i < 4; i++) {
            page_t *first;
            check(region_first_find(places[i], &first));
            check(first == region_descriptor_at(region, slice));
            check(mi__region_descriptor(places[i]) == first);
            check(mi__region_of(places[i]) == region);
            check_equal(region_slice_of(region, places[i]), slice);
        }
    }
}

static void
the_edges_are_exact(void)
{
    region_t *region = start(26);
    page_t *page;
    char *end = region_slice_at(region, committed(region));
    check(region_first_find(region->base, &page));
    check(region_first_find(end - 1, &page));
    check(!region_first_find(region->base - 1, &page));
    check(!region_first_find(end, &page));
    check(mi__region_of(region->base) == region);
    check(mi__region_of(end - 1) == region);
    check(mi__region_of(region->base - 1) == NULL);
    check(mi__region_of(end) == NULL);
    // Reserved, but not committed.
    check(mi__region_of(region_slice_at(region, region->slices) - 1) == NULL);
    check(mi__region_of(region_slice_at(region, region->slices)) == NULL);
    check(mi__region_descriptor(end) == NULL);
}

static void
foreign_addresses_are_known(void)
{
    region_t *region = start(26);
    static int global;
    int local;
    char *heap = malloc(10);
    const uintptr_t odd[] = {0,
                             1,
                             15,
                             4096,
                             (uintptr_t)1 << 47,
                             (uintptr_t)1 << 63,
                             UINTPTR_MAX,
                             UINTPTR_MAX - SLICE_SIZE,
                             (uintptr_t)&global,
                             (uintptr_t)&local,
                             (uintptr_t)heap,
                             (uintptr_t)region->descriptors,
                             (uintptr_t)region->chunks,
                             (uintptr_t)region};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        page_t *page;
        const void *p = (const void *)odd[i];
        check(!region_first_find(p, &page));
        check(mi__region_of(p) == NULL);
        check(mi__region_descriptor(p) == NULL);
    }
    free(heap);
}

// ---- the frontier ---------------------------------------------------------------------------

static void
the_frontier_only_grows(void)
{
    region_t *region = start(28);
    size_t before = committed(region);
    for (size_t slices = 1; slices <= region->slices; slices += 97) {
        check(mi__region_commit(region, slices));
        check(committed(region) >= before);
        check(committed(region) >= slices);
        before = committed(region);
        check_frontier(region);
    }
    check(mi__region_commit(region, 1));
    check_equal(committed(region), before);
}

static void
the_frontier_does_not_run_far_ahead(void)
{
    region_t *region = start(32);
    // Nothing is asked beyond: the step is a share of what is there, at most 64 MiB.
    for (size_t slices = CHUNK_SLICES; slices < region->slices; slices = committed(region) + 1) {
        check(mi__region_commit(region, slices));
        check_at_most(committed(region), slices + size_max(CHUNK_SLICES, slices / 8 + CHUNK_SLICES));
        check_at_most(committed(region), slices + 17 * CHUNK_SLICES);
    }
}

static void
a_whole_region_can_be_committed(void)
{
    region_t *region = start(26);
    check(mi__region_commit(region, region->slices));
    check_equal(committed(region), region->slices);
    check_frontier(region);
    check(mi__region_commit(region, region->slices));
    memset(region->base, 1, region->slices << SLICE_SHIFT);
}

static void *
commit_in_steps(void *arg)
{
    region_t *region = mi__region_at(0);
    size_t step = *(size_t *)arg;
    for (size_t slices = step; slices <= region->slices; slices += step) {
        check(mi__region_commit(region, slices));
        check(committed(region) >= slices);
        *(volatile char *)(region_slice_at(region, slices) - 1) = 1;
        *(volatile char *)region_descriptor_at(region, slices - 1) = 0;
        page_t *page;
        // The copy may lag behind another thread's commit, but not behind our own.
        check(region_first_find(region_slice_at(region, slices) - 1, &page) || first_committed() > 0);
    }
    return NULL;
}

static void
threads_may_commit_at_once(void)
{
    region_t *region = start(29);
    // Multiples of different primes: no two threads write to one byte for long.
    size_t steps[] = {61, 67, 71, 73, 79, 83};
    if (!SANITIZED) {
        run_threads(6, commit_in_steps, steps, sizeof steps[0]);
    } else {
        run_threads(1, commit_in_steps, steps, sizeof steps[0]);
    }
    check_frontier(region);
    check(mi__region_commit(region, region->slices));
    check_equal(first_committed(), region->slices << SLICE_SHIFT);
}

// ---- more regions ---------------------------------------------------------------------------

static void
a_second_region_is_found_too(void)
{
    region_t *first = start(24);
    check(mi__region_add(1, CHUNK_BYTES));
    check_equal(mi__region_count(), 2);
    region_t *second = mi__region_at(1);
    // As large as the first, where nobody asks for more.
    check_equal(second->slices, first->slices);
    check_frontier(second);
    check(is_aligned(second->base, CHUNK_BYTES));
    page_t *page;
    char *p = second->base + 5 * SLICE_SIZE + 100;
    check(!region_first_find(p, &page));
    check(mi__region_of(p) == second);
    check(mi__region_descriptor(p) == region_descriptor_at(second, 5));
    check(mi__region_of(second->base - 1) == NULL);
    check(mi__region_of(region_slice_at(second, committed(second))) == NULL);
    check(mi__region_of(first->base) == first);
}

static void
a_region_has_room_for_what_is_asked(void)
{
    region_t *first = start(22);
    static const size_t sizes[] = {1, 63, 64, 65, 1000, 10000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        check(mi__region_add(sizes[i], CHUNK_BYTES));
        region_t *region = mi__region_at(i + 1);
        check(region->slices >= sizes[i]);
        check(region->slices >= first->slices);
        check_equal(region->slices % CHUNK_SLICES, 0);
        check(mi__region_commit(region, region->slices));
        check_frontier(region);
        memset(region_slice_at(region, region->slices - 1), 1, SLICE_SIZE);
    }
}

// Not the region's address, that of its first slice: no memory below it is wasted.
static void
a_region_starts_where_it_is_to_be(void)
{
    region_t *first = start(24);
    static const size_t sizes[] = {1, 1000};
    size_t count = 1;
    for (size_t align = SLICE_SIZE; align <= 64 * GIB; align *= 4) {
        for (size_t i = 0; i < 2; i++) {
            check(mi__region_add(sizes[i], align));
            region_t *region = mi__region_at(count++);
            check(is_aligned(region->base, size_max(align, CHUNK_BYTES)));
            check(region->slices >= sizes[i]);
            check(align <= CHUNK_BYTES || region->slices < sizes[i] + CHUNK_SLICES);
            check(align > CHUNK_BYTES || region->slices >= first->slices);
            check_frontier(region);
        }
    }
    size_t space = address_space_bytes();
    check(!mi__region_add(1, (size_t)1 << 47));
    check(!mi__region_add(1, (size_t)1 << 60));
    check_equal(address_space_bytes(), space);
}

static void
an_impossible_region_is_refused(void)
{
    (void)start(22);
    check(!mi__region_add((size_t)1 << 40, CHUNK_BYTES));
    check(!mi__region_add((PTRDIFF_MAX >> SLICE_SHIFT) - CHUNK_SLICES, CHUNK_BYTES));
    check_equal(mi__region_count(), 1);
}

static void
regions_end_at_the_limit(void)
{
    (void)start(22);
    for (size_t i = 1; i < REGION_MAX; i++) {
        check(mi__region_add(1, CHUNK_BYTES));
    }
    size_t space = address_space_bytes();
    check(!mi__region_add(1, CHUNK_BYTES));
    check(!mi__region_add(1, CHUNK_BYTES));
    check_equal(mi__region_count(), REGION_MAX);
    check_equal(address_space_bytes(), space);
    for (size_t i = 0; i < REGION_MAX; i++) {
        region_t *region = mi__region_at(i);
        check(mi__region_of(region->base + SLICE_SIZE) == region);
    }
}

static void
totals_are_sums(void)
{
    (void)start(24);
    check(mi__region_add(1, CHUNK_BYTES));
    check(mi__region_add(1000, CHUNK_BYTES));
    check(mi__region_commit(mi__region_at(2), 300));
    size_t reserved = 0;
    size_t slices = 0;
    for (size_t i = 0; i < 3; i++) {
        reserved += mi__region_at(i)->reserved_bytes;
        slices += committed(mi__region_at(i));
    }
    check_equal(mi__region_reserved_bytes(), reserved);
    check_equal(mi__region_committed_bytes(), slices << SLICE_SHIFT);
    check_equal(mi__region_metadata_bytes(),
                slices * DESCRIPTOR_SIZE + slices / CHUNK_SLICES * sizeof(chunk_bits_t));
}

static void *
add_some(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        check(mi__region_add(1, CHUNK_BYTES));
        for (size_t k = 0; k < mi__region_count(); k++) {
            region_t *region = mi__region_at(k);
            // Ready, or shown as empty.
            check(region->slices == 0 || mi__region_of(region->base) == region || committed(region) == 0);
        }
    }
    return NULL;
}

static void
threads_may_add_at_once(void)
{
    (void)start(22);
    char args[4];
    run_threads(4, add_some, args, 1);
    check_equal(mi__region_count(), 41);
    for (size_t i = 0; i < 41; i++) {
        check_frontier(mi__region_at(i));
        for (size_t k = 0; k < i; k++) {
            check(mi__region_at(i)->base != mi__region_at(k)->base);
        }
    }
}

// ---- refusals -------------------------------------------------------------------------------

static void
reservation_halves_until_it_fits(void)
{
    mi__os_init();
    limit_to(RLIMIT_AS, address_space_bytes() + 100 * MIB);
    size_t before = address_space_bytes();
    check(mi__region_init());
    region_t *region = mi__region_at(0);
    check(is_power_of_two(region->slices));
    check(region->slices >= 32 * MIB / SLICE_SIZE);
    check_at_most(region->slices, 100 * MIB / SLICE_SIZE);
    check_at_most(address_space_bytes() - before, 100 * MIB);
    check_frontier(region);
}

static void
no_address_space_is_a_clean_failure(void)
{
    mi__os_init();
    errno = ERRNO_MARK;
    limit_to(RLIMIT_AS, address_space_bytes() + MIB);
    size_t before = address_space_bytes();
    check(!mi__region_init());
    check_equal(address_space_bytes(), before);
    check_equal(mi__region_count(), 0);
    check_equal(mi__region_first.committed, 0);
    unlimit(RLIMIT_AS);
    (void)start(24);
}

static void
a_further_region_is_smaller_when_it_must_be(void)
{
    region_t *first = start(30);
    limit_to(RLIMIT_AS, address_space_bytes() + 100 * MIB);
    check(mi__region_add(100, CHUNK_BYTES));
    region_t *second = mi__region_at(1);
    check(second->slices < first->slices);
    check(second->slices >= 100);
    check_frontier(second);
    check(!mi__region_add(100 * MIB / SLICE_SIZE, CHUNK_BYTES));
}

static void
a_refused_commit_changes_nothing(void)
{
    region_t *region = start(32);
    size_t before = committed(region);
    limit_to(RLIMIT_DATA, data_bytes() + 40 * MIB);
    check(!mi__region_commit(region, region->slices));
    check_equal(committed(region), before);
    check_equal(first_committed(), before << SLICE_SHIFT);
    check_frontier(region);
    // A smaller one still fits, and all of it when the limit is gone.
    check(mi__region_commit(region, before + 1));
    check_frontier(region);
    unlimit(RLIMIT_DATA);
    check(mi__region_commit(region, 2 * GIB / SLICE_SIZE));
    check_frontier(region);
}

// The step ahead is a wish, what is asked for is not.
static void
a_refused_step_falls_back(void)
{
    region_t *region = start(34);
    check(mi__region_commit(region, 512 * MIB / SLICE_SIZE));
    size_t before = committed(region);
    limit_to(RLIMIT_DATA, data_bytes() + 8 * MIB);
    check(mi__region_commit(region, before + 1));
    check_equal(committed(region), before + CHUNK_SLICES);
    check_frontier(region);
}

// A program that goes on calling malloc without memory must not run out of address space as well.
static void
a_failed_start_leaks_no_address_space(void)
{
    mi__os_init();
    mi__conf.region_bytes_log2 = 30;
    limit_to(RLIMIT_DATA, data_bytes() + 64 * KIB);
    check(!mi__region_init());
    size_t before = address_space_bytes();
    for (int i = 0; i < 20; i++) {
        check(!mi__region_init());
    }
    check_at_most(address_space_bytes(), before + 64 * MIB);
    unlimit(RLIMIT_DATA);
    check(mi__region_init());
    check_frontier(mi__region_at(0));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(nothing_is_found_before_the_start),
        fresh_test(the_first_region_is_laid_out),
        fresh_test(the_fast_paths_copy_agrees),
        fresh_test(guards_lie_around_the_descriptors),
        fresh_test(memory_above_the_frontier_is_out_of_reach),
        fresh_test(fresh_memory_is_zero),
        fresh_test(a_region_of_one_chunk_is_enough),
        fresh_test(less_than_a_chunk_is_a_little_region),
        fresh_test(hardly_any_address_space_is_enough),
        fresh_test(a_region_is_only_address_space),
        fresh_test(a_second_start_changes_nothing),
        fresh_test(every_slice_has_its_descriptor),
        fresh_test(the_edges_are_exact),
        fresh_test(foreign_addresses_are_known),
        fresh_test(the_frontier_only_grows),
        fresh_test(the_frontier_does_not_run_far_ahead),
        fresh_test(a_whole_region_can_be_committed),
        fresh_test(threads_may_commit_at_once),
        fresh_test(a_second_region_is_found_too),
        fresh_test(a_region_has_room_for_what_is_asked),
        fresh_test(a_region_starts_where_it_is_to_be),
        fresh_test(an_impossible_region_is_refused),
        fresh_test(regions_end_at_the_limit),
        fresh_test(totals_are_sums),
        fresh_test(threads_may_add_at_once),
        fresh_test(reservation_halves_until_it_fits),
        fresh_test(no_address_space_is_a_clean_failure),
        fresh_test(a_further_region_is_smaller_when_it_must_be),
        fresh_test(a_refused_commit_changes_nothing),
        fresh_test(a_refused_step_falls_back),
        fresh_test(a_failed_start_leaks_no_address_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
