// SPDX-License-Identifier: MIT
// test_given_numa.c — arena/given.c and slices.c on a machine with huge pages and NUMA nodes, which
// stands in for the part of the port that knows them.
#include "fresh.h"

#include <sys/mman.h>

#include "arena/given.h"
#include "arena/purge.h"
#include "os/os.h"

// ---- the machine ----------------------------------------------------------------------------

static struct {
    size_t gib[2]; // that are free, in pages of 1 GiB and of 2 MiB
    unsigned nodes;
    unsigned node; // where the calling thread runs
    size_t calls;
    int asked_node;
} machine = {.nodes = 1};

// Address space alone: nobody touches more of it than the first byte of each page.
void *
mi__os_map_huge(size_t size, unsigned page_log2, int node)
{
    size_t *left = &machine.gib[page_log2 == 30 ? 0 : 1];
    check(page_log2 == 30 || page_log2 == 21);
    check(size % ((size_t)1 << page_log2) == 0 && size > 0);
    machine.calls++;
    machine.asked_node = node;
    if (size > *left << 30) {
        return NULL;
    }
    *left -= size >> 30;
    char *p = mmap(NULL, size + ((size_t)1 << page_log2), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(p != MAP_FAILED);
    return p + (-(uintptr_t)p & (((size_t)1 << page_log2) - 1));
}

unsigned
mi__os_numa_nodes(void)
{
    return machine.nodes;
}

unsigned
mi__os_numa_node(void)
{
    return machine.node;
}

static void
start(void)
{
    mi__os_init();
    mi__conf.purge_delay_ms = -1;
    mi__conf.region_bytes_log2 = 26;
    check(mi__region_init());
}

// ---- huge pages -----------------------------------------------------------------------------

static void
all_pages_that_are_asked_for(void)
{
    start();
    machine.gib[0] = 5;
    size_t got = 0;
    region_t *region = mi__given_reserve_huge(3, -1, 0, false, &got);
    check(region != NULL && got == 3);
    check_equal((size_t)(region->end - region->start), 3 * GIB);
    check(is_aligned(region->start, GIB));
    check(region->pinned && !region->exclusive && region->numa_node == -1);
    check_equal(machine.gib[0], 2);
    check_equal(machine.calls, 1);
    slice_run_t run;
    check(mi__slices_claim(1, SLICE_SIZE, NULL, &run));
    check(run.start == region->start && run.zero);
    mi__slices_release(run.start, 1);
    check_equal(mi__purge_poll(true), 0);
    check_equal(dirty_bytes(), 0);
}

static void
as_many_as_there_are(void)
{
    start();
    machine.gib[0] = 2;
    size_t got = 0;
    region_t *region = mi__given_reserve_huge(7, 0, 0, true, &got);
    check(region != NULL && got == 2 && region->exclusive);
    check_equal((size_t)(region->end - region->start), 2 * GIB);
    check_equal(machine.gib[0], 0);
}

static void
small_ones_where_there_are_no_large_ones(void)
{
    start();
    machine.gib[1] = 3;
    size_t got = 0;
    region_t *region = mi__given_reserve_huge(2, 1, 0, false, &got);
    check(region != NULL && got == 2);
    check_equal(machine.gib[1], 1);
    check_equal(machine.asked_node, 1);
    check_equal((unsigned)region->numa_node, 1);
}

static void
none_is_a_clean_failure(void)
{
    start();
    size_t got = 7;
    size_t space = address_space_bytes();
    check(mi__given_reserve_huge(2, -1, 100, false, &got) == NULL);
    check_equal(got, 0);
    check(mi__given_reserve_huge(0, -1, 100, false, &got) == NULL);
    check(mi__given_reserve_huge(SIZE_MAX, -1, 100, false, &got) == NULL);
    check_equal(got, 0);
    check_equal(address_space_bytes(), space);
    check_equal(mi__region_count(), 1);
}

static void
time_is_kept(void)
{
    start();
    machine.gib[1] = 64;
    size_t got = 0;
    // 32768 pages are touched: more than a millisecond.
    region_t *region = mi__given_reserve_huge(64, -1, 1, false, &got);
    check(region != NULL && got >= 1 && got <= 64);
    check_equal((size_t)(region->end - region->start), got * GIB);
    if (got < 64) {
        check(!is_readable(region->end)); // the rest has gone back
    }
}

static void
large_pages_for_reserved_memory(void)
{
    start();
    machine.gib[1] = 1;
    region_t *region = mi__given_reserve(3 * MIB, true, true, false);
    check(region != NULL && region->pinned);
    check_equal((size_t)(region->end - region->start), 4 * MIB);
    // Not committed, or not allowed: ordinary memory.
    check(!mi__given_reserve(3 * MIB, false, true, false)->pinned);
    check(!mi__given_reserve(3 * MIB, true, false, false)->pinned);
    check_equal(machine.calls, 1);
    machine.gib[1] = 0;
    region = mi__given_reserve(3 * MIB, true, true, false);
    check(region != NULL && !region->pinned);
    check_equal(machine.calls, 2);
}

static void
pages_without_room_for_descriptors_go_back(void)
{
    start();
    machine.gib[0] = 2;
    size_t got = 0;
    for (size_t i = mi__region_count(); i < REGION_MAX; i++) {
        check(mi__region_add(1, SLICE_SIZE));
    }
    size_t space = address_space_bytes();
    check(mi__given_reserve_huge(1, -1, 0, false, &got) == NULL);
    check_equal(got, 0);
    // What the machine above added to align the pages stays.
    check_at_most(address_space_bytes(), space + GIB);
}

// ---- nodes ----------------------------------------------------------------------------------

static region_t *
give(int node)
{
    char *p = mmap(NULL, 2 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(p != MAP_FAILED);
    region_t *region =
        mi__given_add(&(given_t){.start = p, .size = 2 * MIB, .committed = true, .numa_node = node});
    check(region != NULL);
    return region;
}

static region_t *
claimed_from(void)
{
    slice_run_t run;
    check(mi__slices_claim(1, SLICE_SIZE, NULL, &run));
    return mi__region_of(run.start);
}

static void
fill_up(region_t *region)
{
    slice_run_t run;
    while (mi__slices_claim(1, SLICE_SIZE, region, &run)) {
    }
}

static void
near_memory_comes_first_and_far_memory_last(void)
{
    start();
    machine.nodes = 4;
    region_t *on_1 = give(1);
    region_t *on_2 = give(2);
    machine.node = 2;
    check(claimed_from() == on_2);
    machine.node = 1;
    check(claimed_from() == on_1);
    machine.node = 3;
    check(claimed_from() == mi__region_at(0));
    machine.node = 2;
    fill_up(on_2);
    check(claimed_from() == mi__region_at(0));
    // When our own has no more, any will do.
    mi__conf.disallow_os_alloc = true;
    fill_up(mi__region_at(0));
    check(claimed_from() == on_1);
    fill_up(on_1);
    slice_run_t run;
    check(!mi__slices_claim(1, SLICE_SIZE, NULL, &run));
    check_equal(mi__region_count(), 3);
}

static void
memory_of_any_node_is_near(void)
{
    start();
    machine.nodes = 2;
    machine.node = 1;
    region_t *any = give(-1);
    check(claimed_from() == any);
    machine.node = 0;
    check(claimed_from() == any);
}

static void
one_node_makes_no_difference(void)
{
    start();
    machine.nodes = 1;
    machine.node = 0;
    region_t *on_5 = give(5);
    check(claimed_from() == on_5);
}

static void
a_thread_may_prefer_a_node(void)
{
    start();
    machine.nodes = 4;
    machine.node = 0;
    region_t *on_0 = give(0);
    region_t *on_3 = give(3);
    check(claimed_from() == on_0);
    mi__slices_prefer_node(3);
    check(claimed_from() == on_3);
    mi__slices_prefer_node(7); // as on a machine with four nodes
    check(claimed_from() == on_3);
    mi__slices_prefer_node(-1);
    check(claimed_from() == on_0);
}

static void
nodes_may_be_told_apart_by_option(void)
{
    start();
    machine.nodes = 8;
    mi__conf.numa_nodes = 2;
    check_equal(mi__slices_nodes(), 2);
    region_t *on_1 = give(1);
    machine.node = 3;
    check(claimed_from() == on_1);
    machine.node = 4;
    check(claimed_from() == mi__region_at(0));
    mi__conf.numa_nodes = 1;
    check(claimed_from() == on_1);
    mi__conf.numa_nodes = 0;
    check_equal(mi__slices_nodes(), 8);
}

static void
a_bound_claim_asks_for_no_node(void)
{
    start();
    machine.nodes = 4;
    machine.node = 0;
    region_t *far = give(2);
    slice_run_t run;
    check(mi__slices_claim(1, SLICE_SIZE, far, &run));
    check(run.start == far->start);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(all_pages_that_are_asked_for),
        fresh_test(as_many_as_there_are),
        fresh_test(small_ones_where_there_are_no_large_ones),
        fresh_test(none_is_a_clean_failure),
        fresh_test(time_is_kept),
        fresh_test(large_pages_for_reserved_memory),
        fresh_test(pages_without_room_for_descriptors_go_back),
        fresh_test(near_memory_comes_first_and_far_memory_last),
        fresh_test(memory_of_any_node_is_near),
        fresh_test(one_node_makes_no_difference),
        fresh_test(a_thread_may_prefer_a_node),
        fresh_test(nodes_may_be_told_apart_by_option),
        fresh_test(a_bound_claim_asks_for_no_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
