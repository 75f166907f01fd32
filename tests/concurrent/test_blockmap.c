// SPDX-License-Identifier: MIT
// test_blockmap.c — pages with maps: every interleaving of frees by others with what the owner does to the
// bits, above all two frees of one block.
// sources: page/blockmap.c page/remote.c
//
// One page stands alone; the threads of a scenario play its owner and those who free. Who frees a block has
// written to it before, who finds it free writes to it after, so that an order that is missing shows as a
// data race.
#include "page/blockmap.h"

#include "arena/meta.h"
#include "base/hooks.h"
#include "failed_check.h"
#include "page/remote.h"

enum { BLOCK_SIZE = 1024, BLOCKS = 8, OUT = 4 };

static owner_t *owner;
static page_t *page;
static MI_ALIGNED(GRANULE) char memory[BLOCKS][BLOCK_SIZE];
static char *out[OUT];      // blocks that are in use at the start
static unsigned reports[3]; // by the owner, and by others
static bool released;

uint64_t
mi__os_random(void)
{
    return 0x123456789;
}

void *
mi__meta_alloc(size_t size)
{
    return explore_alloc(size);
}

static void
count_report(misuse_t kind, const char *call, const void *p)
{
    (void)call;
    (void)p;
    explore_expect(kind == MISUSE_DOUBLE_FREE, "what is reported is a double free");
    reports[0]++;
}

static void
set_up(void)
{
    mi__hooks.misuse = count_report;
    owner = explore_alloc(sizeof *owner);
    page = explore_alloc(sizeof *page);
    atomic_set_relaxed(&page->owner, (uintptr_t)owner | OWNER_SECURE);
    page->start = memory[0];
    page->block_size = BLOCK_SIZE;
    page->reserved = BLOCKS;
    page->map = explore_alloc(sizeof *page->map);
    explore_expect(mi__blockmap_make(page) && mi__blockmap_open(page, true), "the page has a map");
    for (unsigned i = 0; i < OUT; i++) {
        out[i] = blockmap_take(page, blockmap_word(page->map));
    }
    explore_expect(mi__blockmap_verify(page) && page->used == OUT, "S1");
    explore_name(page, sizeof *page, "page");
    explore_name(&page->map->word[0].remote, 8, "remote");
    explore_name(&page->map->word[0].free, 8, "free");
    explore_name(page->map, sizeof *page->map, "map");
    explore_name(memory, sizeof memory, "blocks");
    explore_ordered(&page->pending_next, 8);
}

static size_t
index_of(const char *block)
{
    return blockmap_index(page, (size_t)(block - page->start));
}

// ---- what the threads do

static void
free_remote(unsigned i)
{
    out[i][0]++;
    if (mi__blockmap_announce(page, index_of(out[i]))) {
        (void)mi__remote_count_in(page);
    } else {
        reports[1]++;
    }
}

static void
free_0(void)
{
    free_remote(0);
}

static void
free_1(void)
{
    free_remote(1);
}

// Without a touch: two that free the same block race for its bytes, too.
static void
free_0_as(unsigned who)
{
    if (mi__blockmap_announce(page, index_of(out[0]))) {
        (void)mi__remote_count_in(page);
    } else {
        reports[who]++;
    }
}

static void
free_0_too(void)
{
    free_0_as(1);
}

static void
free_0_again(void)
{
    free_0_as(2);
}

static void
look_for_free(void)
{
    for (unsigned i = 0; i < OUT; i++) {
        if ((page->map->word[0].free & blockmap_bit(page->map, index_of(out[i]))) != 0) {
            out[i][0] = 0;
        }
    }
}

static void
release_if_empty(void)
{
    if (page->used == 0 && mi__remote_is_quiet(page)) {
        explore_expect(!released, "a page is released once");
        released = true;
        explore_retire(page, sizeof *page);
    }
}

static void
drain(void)
{
    page_t *listed = mi__remote_drain(owner);
    if (listed != NULL) {
        explore_expect(mi__remote_unlist(listed) == NULL, "T2: a page is listed once");
        look_for_free();
        release_if_empty();
    }
}

static void
take_and_drain(void)
{
    (void)mi__remote_take(page);
    look_for_free();
    release_if_empty();
    if (!released) {
        drain();
    }
}

static void
drain_twice(void)
{
    drain();
    if (!released) {
        drain();
    }
}

static void
free_own(unsigned i)
{
    reports[0] += !blockmap_give(page, index_of(out[i]));
}

static void
give_0(void)
{
    free_own(0);
    drain();
}

static void
hold_0(void)
{
    size_t index = index_of(out[0]);
    if (blockmap_is_live(page, index)) {
        blockmap_hold(page, index);
        drain();
        reports[0] += !blockmap_let_go(page, index);
    } else {
        reports[0]++;
    }
    drain();
}

static void
give_2_and_extend(void)
{
    free_own(2);
    out[2] = blockmap_take(page, blockmap_word(page->map));
    explore_expect(mi__blockmap_open(page, true), "there are fresh blocks");
    explore_expect(page->capacity == BLOCKS, "of a second batch");
}

// ---- before and after

static void
two_out(void)
{
    set_up();
    free_own(2);
    free_own(3);
}

static void
finish(void)
{
    if (!released) {
        drain();
    }
    if (!released) {
        explore_expect(mi__remote_is_quiet(page), "T2: a page that was drained is not listed");
        explore_expect(mi__blockmap_verify(page), "S1: used and the bits agree");
    }
}

static unsigned
reported(void)
{
    return reports[0] + reports[1] + reports[2];
}

static void
page_was_released(void)
{
    finish();
    explore_expect(released, "a page whose blocks are all home is released");
    explore_expect(reported() == 0, "nothing is reported");
}

static void
one_came_home(void)
{
    finish();
    explore_expect(!released && page->used == OUT - 1, "no block is lost, none comes twice");
    explore_expect(reported() == 0, "nothing is reported");
}

static void
second_was_reported(void)
{
    finish();
    explore_expect(!released && page->used == OUT - 1, "no block is lost, none comes twice");
    explore_expect(reported() == 1, "of two frees of a block one is reported");
}

static const scenario_t scenarios[] = {
    {"two frees; take, drain, release", two_out, {free_0, free_1, take_and_drain}, page_was_released, 0, 0},
    {"two frees; drain, drain, release", two_out, {free_0, free_1, drain_twice}, page_was_released, 0, 0},
    {"a free; take, drain", set_up, {free_0, take_and_drain}, one_came_home, 0, 0},
    {"a block is freed twice by others",
     set_up,
     {free_0_too, free_0_again, drain},
     second_was_reported,
     0,
     0},
    {"a block is freed by its owner and another", set_up, {free_0_again, give_0}, second_was_reported, 0, 0},
    {"a block is held by its owner and freed by another",
     set_up,
     {free_0_again, hold_0},
     second_was_reported,
     0,
     0},
    {"a free; the owner lets more blocks be handed out",
     set_up,
     {free_0, give_2_and_extend},
     one_came_home,
     0,
     0},
};

int
main(int argc, char **argv)
{
    return explore_main(scenarios, sizeof scenarios / sizeof scenarios[0], argc, argv);
}
