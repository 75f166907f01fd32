// SPDX-License-Identifier: MIT
// test_lookup.c — regions that are added to the list while others search it: every interleaving.
// sources: arena/lookup.c
//
// A region's fields are written plainly before it is added: who finds one that is not whole shows as
// a data race.
#include "arena/lookup.h"

#include "failed_check.h"

enum { REGIONS = 6 };

// The numbers decide the levels: 1 stands on one, 4 on two, 16 on three.
enum { LOW = 1, HIGH = 4, HIGHER = 16 };

static region_t *regions[REGIONS];
static char *results[EXPLORE_THREADS]; // what a thread found, or "added"
static char added[1];

// ---- what the threads do ----------------------------------------------------------------------------------

// Places are counted in chunks from an address that nobody looks at.
static char *
place(size_t i)
{
    return (char *)((size_t)1 << 40) + i * CHUNK_BYTES;
}

// Lays region `i` over the places [first, first + count).
static void
lay(size_t i, size_t first, size_t count)
{
    region_t *region = regions[i];
    region->start = place(first);
    region->end = place(first + count);
}

static bool
add(size_t i, size_t first, size_t count, size_t number)
{
    lay(i, first, count);
    return mi__lookup_add(regions[i], number);
}

// Whatever is found has the place in it.
static region_t *
find(size_t at)
{
    region_t *region = mi__lookup_find(place(at));
    explore_expect(region == NULL || (region->start <= place(at) && place(at) < region->end),
                   "what is found is the place's");
    return region;
}

static void
add_at_2_high(void)
{
    results[0] = add(0, 2, 2, HIGH) ? added : NULL;
}

static void
add_at_4_high(void)
{
    results[1] = add(1, 4, 2, HIGH) ? added : NULL;
}

static void
add_at_6_higher(void)
{
    results[2] = add(2, 6, 2, HIGHER) ? added : NULL;
}

static void
add_at_3_overlapping(void)
{
    results[1] = add(1, 3, 2, HIGH) ? added : NULL;
}

static void
add_at_2_again(void)
{
    results[2] = add(2, 2, 2, LOW) ? added : NULL;
}

// What was found once is found again, and so are the ones that were there before.
static void
search_for_2(void)
{
    region_t *first = find(2);
    explore_expect(first == NULL || find(2) == first, "what was found is found again");
    explore_expect(find(8) == regions[3], "what was there is found");
}

static void
search_for_4_and_8(void)
{
    (void)find(4);
    explore_expect(find(8) == regions[3], "what was there is found");
    explore_expect(find(0) == regions[4], "what was there is found");
}

// ---- before and after -------------------------------------------------------------------------------------

static void
set_up(void)
{
    static const char *const names[REGIONS] = {"at 2", "at 4", "at 6", "at 8", "at 0", "at 12"};
    for (size_t i = 0; i < REGIONS; i++) {
        regions[i] = explore_alloc(sizeof(region_t));
        explore_name(regions[i]->next, sizeof regions[i]->next, names[i]);
    }
}

static void
empty(void)
{
    set_up();
    lay(3, 8, 1);
    lay(4, 0, 1);
}

static void
two_there(void)
{
    set_up();
    explore_expect(add(3, 8, 1, HIGHER) && add(4, 0, 1, LOW), "regions apart are added");
}

// K1, and K2 for those that a search from the top comes by; whoever was added is found.
static void
check(void)
{
    static const size_t places[] = {2, 4, 6};
    for (size_t i = 0; i < 3; i++) {
        if (results[i] == added) {
            region_t *region = regions[i];
            explore_expect(find((size_t)(region->start - place(0)) / CHUNK_BYTES) == region,
                           "what was added is found");
        } else {
            region_t *there = mi__lookup_find(place(places[i]));
            explore_expect(there != regions[i], "what was refused is not found");
        }
    }
}

static void
check_all_added(void)
{
    check();
    explore_expect(results[0] == added && results[1] == added && results[2] == added,
                   "regions apart are added");
}

static void
check_two_added(void)
{
    check();
    explore_expect(results[0] == added && results[1] == added, "regions apart are added");
    explore_expect(find(8) == regions[3] && find(0) == regions[4], "what was there is found");
}

static void
check_first_added(void)
{
    check();
    explore_expect(results[0] == added, "a region apart is added");
}

static void
check_one_added(void)
{
    check();
    explore_expect((results[0] == added) + (results[1] == added) + (results[2] == added) == 1,
                   "of regions that overlap one is added");
}

static void
check_one_or_two_added(void)
{
    check();
    explore_expect((results[0] == added) != (results[1] == added), "of regions that overlap one is added");
}

static const scenario_t scenarios[] = {
    {"add; add; add", empty, {add_at_2_high, add_at_4_high, add_at_6_higher}, check_all_added, 3, 0},
    {"add; add; find", two_there, {add_at_2_high, add_at_4_high, search_for_4_and_8}, check_two_added, 0, 0},
    {"add; find; find", two_there, {add_at_2_high, search_for_2, search_for_2}, check_first_added, 0, 0},
    {"add; add overlapping; find",
     two_there,
     {add_at_2_high, add_at_3_overlapping, search_for_4_and_8},
     check_one_or_two_added,
     0,
     0},
    {"add; add in the same place; add overlapping",
     empty,
     {add_at_2_high, add_at_3_overlapping, add_at_2_again},
     check_one_added,
     0,
     0},
};

int
main(int argc, char **argv)
{
    return explore_main(scenarios, sizeof scenarios / sizeof scenarios[0], argc, argv);
}
