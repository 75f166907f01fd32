// SPDX-License-Identifier: MIT
// test_given.c — arena/given.c: memory that was handed over becomes a region of exactly its whole
// slices, whatever its kind, size and place, and is used as was said. Memory with a function that
// commits it: test_given_commit.c; huge pages and nodes: test_given_numa.c.
#include "fresh.h"

#include <sys/mman.h>

#include "arena/given.h"
#include "arena/purge.h"
#include "os/os.h"

static region_t *
start(void)
{
    mi__os_init();
    mi__conf.purge_delay_ms = -1;
    mi__conf.region_bytes_log2 = 26;
    check(mi__region_init());
    return mi__region_at(0);
}

static char *
map(size_t size, int access, int flags, int fd)
{
    char *p = mmap(NULL, size, access, flags, fd, 0);
    check(p != MAP_FAILED);
    return p;
}

// Private memory at a multiple of a chunk.
static char *
fresh_memory(size_t size)
{
    char *p = map(size + CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    return p + (-(uintptr_t)p & (CHUNK_BYTES - 1));
}

static region_t *
give(void *p, size_t size)
{
    return mi__given_add(
        &(given_t){.start = p, .size = size, .committed = true, .zero = true, .numa_node = -1});
}

// Claims all of the region, slice by slice: each lies in its memory, leads back to it, and is writable.
// Returns their number.
static size_t
use_up(region_t *region)
{
    slice_run_t run;
    size_t before = mi__slices_in_use(region);
    size_t count = 0;
    while (mi__slices_claim(1, SLICE_SIZE, region, &run)) {
        check(run.start >= region->start && run.start + SLICE_SIZE <= region->end);
        check(is_aligned(run.start, SLICE_SIZE));
        check(mi__region_of(run.start) == region && mi__region_of(run.start + SLICE_SIZE - 1) == region);
        check(mi__region_descriptor(run.start) == run.descriptor);
        check(is_zero(run.descriptor, DESCRIPTOR_SIZE));
        memset(run.descriptor, 0, DESCRIPTOR_SIZE);
        check(!run.zero || is_zero(run.start, SLICE_SIZE));
        memset(run.start, 0x5a, SLICE_SIZE);
        count++;
    }
    check_equal(mi__slices_in_use(region), before + count);
    return count;
}

static void
release_all(region_t *region)
{
    mi__slices_release(region->start, (size_t)(region->end - region->start) >> SLICE_SHIFT);
}

// ---- size and place -------------------------------------------------------------------------

static void
all_of_it_is_used(void)
{
    (void)start();
    static const size_t slices[] = {1, 2, 7, 63, 64, 65, 127, 128, 129, 500};
    for (size_t i = 0; i < sizeof slices / sizeof slices[0]; i++) {
        size_t size = slices[i] << SLICE_SHIFT;
        char *p = fresh_memory(size);
        region_t *region = give(p, size);
        check(region != NULL && region->start == p && region->end == p + size);
        check_equal(use_up(region), slices[i]);
        check(mi__region_of(p - 1) == NULL);
        check(mi__region_of(p + size) == NULL);
        release_all(region);
        slice_run_t run;
        check(mi__slices_claim(slices[i], SLICE_SIZE, region, &run));
        check(run.start == p && !run.zero);
        check(!mi__slices_claim(1, SLICE_SIZE, region, &run));
        check_equal(mi__region_count(), 2 + i);
    }
}

// Any start, also in the middle of a chunk or of a slice; what lies around is untouched.
static void
whole_slices_are_used_of_any_place(void)
{
    (void)start();
    static const size_t starts[] = {0, 1, 4096, 65535, 65536, 65537, 63 * 65536, 63 * 65536 + 1, 2000000};
    static const size_t sizes[] = {65536, 65537, 131071, 131072, 1000000, 4194304, 4194305, 9000001};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
            char *around = fresh_memory(16 * MIB);
            memset(around, 0x77, 16 * MIB);
            char *p = around + starts[i];
            uintptr_t from = align_up((uintptr_t)p, SLICE_SIZE);
            uintptr_t to = align_down((uintptr_t)p + sizes[k], SLICE_SIZE);
            region_t *region = mi__given_add(&(given_t){.start = p, .size = sizes[k], .committed = true});
            check((region != NULL) == (from < to));
            if (region != NULL) {
                check((uintptr_t)region->start == from && (uintptr_t)region->end == to);
                check_equal(use_up(region), (to - from) >> SLICE_SHIFT);
                for (char *q = around; q < around + 16 * MIB; q += 512) {
                    check((*q == 0x5a) == ((uintptr_t)q >= from && (uintptr_t)q < to));
                    check((mi__region_of(q) == region) == ((uintptr_t)q >= from && (uintptr_t)q < to));
                    check(mi__region_reserves(q) == (mi__region_of(q) == region));
                }
            }
            munmap(around, region == NULL ? 16 * MIB : 0);
        }
    }
}

static void
too_little_or_impossible_is_refused(void)
{
    (void)start();
    char *p = fresh_memory(MIB);
    size_t space = address_space_bytes();
    check(give(p, 0) == NULL);
    check(give(p, SLICE_SIZE - 1) == NULL);
    check(give(p + 1, SLICE_SIZE) == NULL);
    check(give(p + 1, 2 * SLICE_SIZE - 2) == NULL);
    check(give(NULL, MIB) == NULL);
    check(give(p, SIZE_MAX) == NULL);
    check(give(p, SIZE_MAX - (uintptr_t)p) == NULL);
    check(give((void *)(UINTPTR_MAX - MIB), MIB) == NULL);
    check(give((void *)(UINTPTR_MAX - MIB), 2 * MIB) == NULL);
    check_equal(address_space_bytes(), space);
    check_equal(mi__region_count(), 1);
    check_equal(atomic_get_relaxed(&mi__region_given_shared), 0);
}

static void
memory_is_given_once(void)
{
    region_t *first = start();
    char *p = fresh_memory(8 * MIB);
    check(give(p + MIB, 4 * MIB) != NULL);
    size_t space = address_space_bytes();
    check(give(p + MIB, 4 * MIB) == NULL);
    check(give(p, 8 * MIB) == NULL);
    check(give(p + 2 * MIB, SLICE_SIZE) == NULL);
    check(give(p, MIB + 1) != NULL); // the last slice begins behind it
    check(give(p + 4 * MIB, 4 * MIB) == NULL);
    check(give(p + 5 * MIB - SLICE_SIZE, 2 * SLICE_SIZE) == NULL);
    check(give(first->base, 8 * MIB) == NULL);
    check(give(first->base + 10 * MIB, MIB) == NULL);
    check(give(region_slice_at(first, first->slices) - MIB, 2 * MIB) == NULL);
    check_at_most(address_space_bytes(), space + MIB);
    check_equal(mi__region_count(), 3);
    check(give(p + 5 * MIB, 3 * MIB) != NULL);
}

// Three regions in one chunk.
static void
neighbours_are_told_apart(void)
{
    (void)start();
    char *p = fresh_memory(CHUNK_BYTES);
    region_t *regions[3];
    for (size_t i = 0; i < 3; i++) {
        regions[i] = give(p + i * MIB, MIB);
        check(regions[i] != NULL);
    }
    for (size_t i = 0; i < 3; i++) {
        check_equal(use_up(regions[i]), 16);
    }
    check(!mi__slices_claim_behind(p, 16, 1, &(bool){false}));
    check(mi__region_of(p + 3 * MIB) == NULL);
    mi__slices_release(p + 16 * SLICE_SIZE, 16);
    slice_run_t run;
    check(mi__slices_claim(16, SLICE_SIZE, regions[1], &run));
    check(!mi__slices_claim(1, SLICE_SIZE, regions[0], &run));
}

// Runs above a chunk: also where no chunk is whole.
static void
a_large_run_fits_wherever_it_does(void)
{
    (void)start();
    for (size_t off = 0; off < CHUNK_SLICES; off += 9) {
        char *p = fresh_memory(40 * MIB) + off * SLICE_SIZE;
        region_t *region = give(p, 20 * MIB);
        slice_run_t run;
        check(mi__slices_claim(320, SLICE_SIZE, region, &run));
        check(run.start == p);
        release_all(region);
        // One slice in the way: what fits lies behind it, or before.
        check(mi__slices_claim(100, SLICE_SIZE, region, &run));
        check(mi__slices_claim(1, SLICE_SIZE, region, &run));
        char *apart = run.start;
        check(mi__slices_claim(100, SLICE_SIZE, region, &run));
        check(run.start + 100 * SLICE_SIZE <= apart || apart < run.start);
        while (mi__slices_claim(1, SLICE_SIZE, region, &run)) {
        }
        mi__slices_release(p + 150 * SLICE_SIZE, 90);
        check(!mi__slices_claim(91, SLICE_SIZE, region, &run));
        check(mi__slices_claim(90, SLICE_SIZE, region, &run));
        check(run.start == p + 150 * SLICE_SIZE);
        mi__slices_release(p + 100 * SLICE_SIZE, 200);
        check(mi__slices_claim(70, MIB, region, &run));
        check(is_aligned(run.start, MIB) && run.start >= p + 100 * SLICE_SIZE);
        check(run.start + 70 * SLICE_SIZE <= p + 300 * SLICE_SIZE);
    }
}

static void
hundreds_of_regions_serve(void)
{
    (void)start();
    enum { COUNT = 400 };
    static region_t *regions[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        regions[i] = give(fresh_memory(2 * SLICE_SIZE), 2 * SLICE_SIZE);
        check(regions[i] != NULL);
    }
    for (size_t i = 0; i < COUNT; i++) {
        size_t k = i * 171 % COUNT;
        check_equal(use_up(regions[k]), 2);
    }
    // All are full: then comes our own.
    slice_run_t run;
    check(mi__slices_claim(1, SLICE_SIZE, NULL, &run));
    check(run.start == mi__region_at(0)->base);
    mi__slices_release(regions[COUNT / 2]->start, 1);
    check(mi__slices_claim(1, SLICE_SIZE, NULL, &run));
    check(run.start == regions[COUNT / 2]->start);
}

// ---- what it holds --------------------------------------------------------------------------

static void
what_is_not_zero_is_not_called_so(void)
{
    (void)start();
    char *p = fresh_memory(MIB);
    memset(p, 1, MIB);
    region_t *region = mi__given_add(&(given_t){.start = p, .size = MIB, .committed = true});
    slice_run_t run;
    check(mi__slices_claim(16, SLICE_SIZE, region, &run));
    check(!run.zero);
    check(p[0] == 1 && p[MIB - 1] == 1);
    char *q = fresh_memory(MIB);
    check(mi__slices_claim(16, SLICE_SIZE, give(q, MIB), &run));
    check(run.zero);
}

static void
private_memory_is_purged(void)
{
    (void)start();
    char *p = fresh_memory(8 * MIB);
    region_t *region = give(p, 8 * MIB);
    check(!region->pinned);
    check_equal(use_up(region), 128);
    release_all(region);
    check_equal(dirty_bytes(), 8 * MIB);
    check_equal(mi__purge_poll(true), 8 * MIB);
    check_equal(dirty_bytes(), 0);
    check(is_zero(p, 8 * MIB));
    slice_run_t run;
    check(mi__slices_claim(128, SLICE_SIZE, region, &run));
    check(run.zero);
    memset(p, 1, 8 * MIB);
    check(mi__region_discard(p, 4 * MIB));
    check(is_zero(p, 4 * MIB) && p[4 * MIB] == 1);
}

static void
check_is_kept(region_t *region, bool zero)
{
    check(region != NULL && region->pinned);
    char *p = region->start;
    size_t size = (size_t)(region->end - p);
    slice_run_t run;
    check(mi__slices_claim(size >> SLICE_SHIFT, SLICE_SIZE, region, &run));
    check(run.zero == zero);
    fill(p, size, 3);
    check(!mi__region_discard(p, size));
    release_all(region);
    check_equal(dirty_bytes(), 0);
    check_equal(mi__purge_poll(true), 0);
    check(is_filled(p, size, 3));
    check(mi__slices_claim(1, SLICE_SIZE, region, &run));
    check(!run.zero);
    mi__conf.purge_delay_ms = 0;
    mi__slices_release(p, 1);
    mi__conf.purge_delay_ms = -1;
    check(is_filled(p, size, 3));
}

static void
pinned_memory_stays(void)
{
    (void)start();
    check_is_kept(
        mi__given_add(&(given_t){
            .start = fresh_memory(MIB), .size = MIB, .committed = true, .pinned = true, .zero = true}),
        true);
}

// Purging would show what the file holds, or what others wrote.
static void
memory_that_is_not_private_stays(void)
{
    (void)start();
    char name[] = "/tmp/test_given_XXXXXX";
    int fd = mkstemp(name);
    check(fd >= 0 && unlink(name) == 0);
    for (size_t i = 0; i < 2 * MIB; i += 4) {
        check(write(fd, "file", 4) == 4);
    }
    char *shared = map(2 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
    check_is_kept(mi__given_add(&(given_t){.start = shared, .size = 2 * MIB, .committed = true}), false);
    char *of_file = map(2 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
    check_is_kept(mi__given_add(&(given_t){.start = of_file, .size = 2 * MIB, .committed = true}), false);
    char *shared_file = map(2 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    check_is_kept(mi__given_add(&(given_t){.start = shared_file, .size = 2 * MIB, .committed = true}), false);
    // Private at its start, shared at its end.
    char *mixed = fresh_memory(4 * MIB);
    check(mmap(mixed + 3 * MIB, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED);
    check_is_kept(mi__given_add(&(given_t){.start = mixed, .size = 4 * MIB, .committed = true}), false);
}

static char static_memory[3 << 20];

static void
static_memory_will_do(void)
{
    (void)start();
    region_t *region = give(static_memory, sizeof static_memory);
    size_t slices = (size_t)(region->end - region->start) >> SLICE_SHIFT;
    check(slices >= 47);
    check_equal(use_up(region), slices);
    release_all(region);
    check_equal(mi__purge_poll(true), slices << SLICE_SHIFT);
    check(is_zero(region->start, slices << SLICE_SHIFT));
}

// ---- committing -----------------------------------------------------------------------------

static void
reserved_memory_is_committed_step_by_step(void)
{
    (void)start();
    char *p = map(256 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1) + SLICE_SIZE;
    p += -(uintptr_t)p & (SLICE_SIZE - 1);
    region_t *region = mi__given_add(&(given_t){.start = p, .size = 200 * MIB, .zero = true});
    check(region != NULL);
    check(!is_readable(p));
    size_t before = mi__region_committed_bytes();
    slice_run_t run;
    check(mi__slices_claim(1, SLICE_SIZE, region, &run));
    check(run.start == p && run.zero);
    memset(p, 1, SLICE_SIZE);
    check_at_most(mi__region_committed_bytes(), before + CHUNK_BYTES);
    check(!is_readable(p - 1) && !is_readable(p + 100 * MIB));
    check_equal(use_up(region), 3199);
    check_equal(mi__region_committed_bytes(), before + 200 * MIB);
    check(!is_readable(p - 1) && !is_readable(p + 200 * MIB));
}

static void
a_refused_commit_leaves_the_memory_usable(void)
{
    (void)start();
    char *p = map(256 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    region_t *region = mi__given_add(&(given_t){.start = p, .size = 256 * MIB, .zero = true});
    check(region != NULL);
    limit_to(RLIMIT_DATA, data_bytes() + 20 * MIB);
    slice_run_t run;
    check(!mi__slices_claim(1000, SLICE_SIZE, region, &run));
    check(mi__slices_claim(100, SLICE_SIZE, region, &run));
    check(!mi__slices_claim(1000, SLICE_SIZE, region, &run));
    check_equal(mi__slices_in_use(region), 100);
    // Claims that name no region are not turned away: our own has memory.
    unlimit(RLIMIT_DATA);
    check(mi__slices_claim(1000, SLICE_SIZE, region, &run));
    memset(run.start, 1, 1000 << SLICE_SHIFT);
}

static void
no_room_for_descriptors_is_a_clean_refusal(void)
{
    (void)start();
    char *p = fresh_memory(MIB);
    (void)give(fresh_memory(MIB), MIB); // memory for the copy of the region
    size_t space = address_space_bytes();
    limit_to(RLIMIT_AS, space + 64 * KIB);
    check(give(p, MIB) == NULL);
    check_equal(address_space_bytes(), space);
    unlimit(RLIMIT_AS);
    limit_to(RLIMIT_DATA, data_bytes());
    check(give(p, MIB) == NULL);
    check_equal(address_space_bytes(), space);
    unlimit(RLIMIT_DATA);
    check(give(p, MIB) != NULL);
}

static void
reservations_become_regions(void)
{
    (void)start();
    region_t *region = mi__given_reserve(10 * MIB + 1, false, false, false);
    check(region != NULL && !region->pinned);
    check_equal((size_t)(region->end - region->start), 10 * MIB + SLICE_SIZE);
    check(!is_readable(region->start));
    check_equal(use_up(region), 161);
    region = mi__given_reserve(10 * MIB, true, false, true);
    check(region->exclusive && is_readable(region->start) && is_readable(region->end - 1));
    check_equal(use_up(region), 160);
    release_all(region);
    check_equal(mi__purge_poll(true), 10 * MIB);
    size_t space = address_space_bytes();
    check(mi__given_reserve(0, true, false, false) == NULL);
    check(mi__given_reserve(SIZE_MAX, false, false, false) == NULL);
    check(mi__given_reserve((size_t)1 << 60, false, false, false) == NULL);
    limit_to(RLIMIT_DATA, data_bytes() + MIB);
    check(mi__given_reserve(100 * MIB, true, false, false) == NULL);
    check(mi__given_reserve(100 * MIB, true, true, false) == NULL);
    check_equal(address_space_bytes(), space);
}

// ---- who uses it ----------------------------------------------------------------------------

static void
shared_regions_come_before_our_own(void)
{
    region_t *own = start();
    slice_run_t run;
    check(mi__slices_claim(1, SLICE_SIZE, NULL, &run));
    check(mi__region_of(run.start) == own);
    region_t *one = give(fresh_memory(MIB), MIB);
    region_t *two = give(fresh_memory(MIB), MIB);
    check_equal(atomic_get_relaxed(&mi__region_given_shared), 2);
    for (size_t i = 0; i < 40; i++) {
        check(mi__slices_claim(1, SLICE_SIZE, NULL, &run));
        check(mi__region_of(run.start) == (i < 16 ? one : i < 32 ? two : own));
    }
    // Too long for them.
    check(mi__slices_claim(100, SLICE_SIZE, NULL, &run));
    check(mi__region_of(run.start) == own);
    mi__slices_release(two->start, 16);
    check(mi__slices_claim(8, SLICE_SIZE, NULL, &run));
    check(run.start == two->start);
}

// Everything that can be claimed is claimed, in all lengths: no slice is one of the exclusive regions'.
static void
exclusive_regions_are_never_used_by_others(void)
{
    region_t *own = start();
    region_t *exclusive[4];
    for (size_t i = 0; i < 4; i++) {
        exclusive[i] = mi__given_add(&(given_t){.start = fresh_memory(16 * MIB),
                                                .size = 16 * MIB,
                                                .committed = true,
                                                .zero = true,
                                                .exclusive = true,
                                                .numa_node = (int)i - 1});
        check(exclusive[i] != NULL);
    }
    region_t *shared = give(fresh_memory(16 * MIB), 16 * MIB);
    check_equal(atomic_get_relaxed(&mi__region_given_shared), 1);
    uint64_t random = 1;
    size_t added = mi__region_count();
    size_t claimed = 0;
    while (mi__region_count() < added + 3) {
        slice_run_t run;
        uint64_t r = random_next(&random);
        size_t count = r % 4 == 0 ? 1 + r / 4 % 200 : 1 + r / 4 % 8;
        check(mi__slices_claim(count, (size_t)SLICE_SIZE << (r / 1024 % 5), NULL, &run));
        for (size_t i = 0; i < 4; i++) {
            check(run.start + (count << SLICE_SHIFT) <= exclusive[i]->start ||
                  run.start >= exclusive[i]->end);
        }
        claimed += count;
    }
    check(claimed > own->slices);
    check(mi__slices_in_use(shared) > 200);
    for (size_t i = 0; i < 4; i++) {
        check_equal(mi__slices_in_use(exclusive[i]), 0);
        check_equal(use_up(exclusive[i]), 256);
    }
}

static void
without_the_system_only_what_was_given_serves(void)
{
    region_t *own = start();
    mi__conf.disallow_os_alloc = true;
    region_t *region = mi__given_reserve(8 * MIB, false, false, false);
    check(region != NULL);
    slice_run_t run;
    size_t count = 0;
    while (mi__slices_claim(1, SLICE_SIZE, NULL, &run)) {
        count++;
    }
    // All of the region, and what our own had from the start.
    check_equal(count, 128 + CHUNK_SLICES);
    check_equal(atomic_get_relaxed(&own->committed), CHUNK_SLICES);
    check(!mi__slices_claim(1000, SLICE_SIZE, NULL, &run));
    check(!mi__slices_claim_behind(region_slice_at(own, 63), 1, 1, &(bool){false}));
    check_equal(mi__region_count(), 2);
    mi__conf.disallow_os_alloc = false;
    check(mi__slices_claim(1000, SLICE_SIZE, NULL, &run));
}

static void
totals_count_what_was_given(void)
{
    (void)start();
    size_t reserved = mi__region_reserved_bytes();
    size_t committed = mi__region_committed_bytes();
    size_t metadata = mi__region_metadata_bytes();
    check(give(fresh_memory(9 * MIB) + SLICE_SIZE, 6 * MIB) != NULL);
    check(mi__region_reserved_bytes() >= reserved + 6 * MIB);
    check_equal(mi__region_committed_bytes(), committed + 6 * MIB);
    check_equal(free_bytes(), committed + 6 * MIB);
    check_equal(mi__region_metadata_bytes(),
                metadata + 2 * (CHUNK_SLICES * DESCRIPTOR_SIZE + sizeof(chunk_bits_t)));
}

// ---- threads --------------------------------------------------------------------------------

static void *
give_and_use(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < 20; i++) {
        region_t *region = give(fresh_memory(MIB), MIB);
        slice_run_t run;
        check(mi__slices_claim(8, SLICE_SIZE, region, &run));
        check(mi__region_of(run.start) == region);
        memset(run.start, 1, SLICE_SIZE);
        slice_run_t any;
        check(mi__slices_claim(1, SLICE_SIZE, NULL, &any));
        check(mi__region_of(any.start) != NULL);
        mi__slices_release(any.start, 1);
        mi__slices_release(run.start, 8);
        (void)mi__purge_poll(true);
    }
    return NULL;
}

static void
threads_may_give_at_once(void)
{
    (void)start();
    char args[4];
    run_threads(4, give_and_use, args, 1);
    check_equal(mi__region_count(), 81);
    check_equal(slices_in_use(), 0);
}

// Where the system has none it is not asked again at once; what was asked for comes from ordinary pages.
static void
large_pages_that_are_not_there(void)
{
    (void)start();
    mi__conf.allow_large_pages = 1;
    check(mi__given_large(SIZE_MAX / SLICE_SIZE, SLICE_SIZE) == NULL);
    check(mi__given_large(SIZE_MAX / 8, SLICE_SIZE) == NULL);
    region_t *large = mi__given_large(1, 4 * SLICE_SIZE);
    check(large == NULL || large->pinned);
    check(large != NULL || mi__given_large(1, SLICE_SIZE) == NULL);
    slice_run_t run;
    for (size_t count = 1; count <= 64; count *= 4) {
        check(mi__slices_claim(count, SLICE_SIZE, NULL, &run));
        memset(run.start, 1, count * SLICE_SIZE);
    }
    check(large != NULL || mi__region_count() == 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(all_of_it_is_used),
        fresh_test(whole_slices_are_used_of_any_place),
        fresh_test(too_little_or_impossible_is_refused),
        fresh_test(memory_is_given_once),
        fresh_test(neighbours_are_told_apart),
        fresh_test(a_large_run_fits_wherever_it_does),
        fresh_test(hundreds_of_regions_serve),
        fresh_test(what_is_not_zero_is_not_called_so),
        fresh_test(private_memory_is_purged),
        fresh_test(pinned_memory_stays),
        fresh_test(memory_that_is_not_private_stays),
        fresh_test(static_memory_will_do),
        fresh_test(reserved_memory_is_committed_step_by_step),
        fresh_test(a_refused_commit_leaves_the_memory_usable),
        fresh_test(no_room_for_descriptors_is_a_clean_refusal),
        fresh_test(reservations_become_regions),
        fresh_test(shared_regions_come_before_our_own),
        fresh_test(exclusive_regions_are_never_used_by_others),
        fresh_test(without_the_system_only_what_was_given_serves),
        fresh_test(totals_count_what_was_given),
        fresh_test(threads_may_give_at_once),
        fresh_test(large_pages_that_are_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
