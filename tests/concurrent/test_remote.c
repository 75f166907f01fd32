// SPDX-License-Identifier: MIT
// test_remote.c — frees from other threads: every interleaving of push, take, drain, unlist and
// move.
// sources: page/remote.c
//
// The pages stand alone here; the threads of a scenario play their owner and those who free. Block
// i of a page is `blocks[page][i]`; who frees it has written to it before, who finds it writes to
// it after, so that an order that is missing shows as a data race.
#include "page/remote.h"

#include "failed_check.h"

enum { PAGES = 2, OWNERS = 2, BLOCKS = 6 };

typedef struct cell_block_t {
    block_t block;
    uintptr_t content;
} cell_block_t;

static owner_t *owners; // OWNERS of them, 128 bytes apart
static page_t *pages;
static MI_ALIGNED(GRANULE) cell_block_t blocks[PAGES][BLOCKS];
static unsigned found[PAGES][BLOCKS]; // how often a block came home
static bool released[PAGES];

static owner_t *
owner(unsigned index)
{
    return (owner_t *)(void *)((char *)owners + (size_t)128 * index);
}

static void
set_up(uint32_t used)
{
    owners = explore_alloc((size_t)128 * OWNERS);
    pages = explore_alloc(sizeof(page_t) * PAGES);
    for (unsigned i = 0; i < PAGES; i++) {
        atomic_set_relaxed(&pages[i].owner, (uintptr_t)owner(0));
        pages[i].used = used;
        pages[i].start = (char *)blocks[i];
    }
    explore_name(owner(0), sizeof(owner_t), "owner 0's pending");
    explore_name(owner(1), sizeof(owner_t), "owner 1's pending");
    for (unsigned i = 0; i < PAGES; i++) {
        explore_name(&pages[i].thread_free, 8, i == 0 ? "page 0's thread_free" : "page 1's thread_free");
        explore_name(&pages[i].pending_next, 8, i == 0 ? "page 0's pending_next" : "page 1's pending_next");
        explore_name(&pages[i].owner, 8, i == 0 ? "page 0's owner" : "page 1's owner");
        explore_name(&pages[i], sizeof(page_t), i == 0 ? "page 0" : "page 1");
        explore_name(blocks[i], sizeof blocks[i], i == 0 ? "blocks of page 0" : "blocks of page 1");
        // A page is listed by one thread at a time, and unlisted before it is listed again.
        explore_ordered(&pages[i].pending_next, 8);
    }
}

// ---- what the threads do ----------------------------------------------------------------------------------

// Frees blocks `from` to `to` of a page in one chain.
static owner_t *
push(unsigned page, unsigned from, unsigned to)
{
    for (unsigned i = from; i <= to; i++) {
        blocks[page][i].content = i;
        blocks[page][i].block.next = i < to ? &blocks[page][i + 1].block : NULL;
    }
    return mi__remote_push(&pages[page], &blocks[page][from].block, &blocks[page][to].block, to - from + 1);
}

// Counts the blocks that came home to a page.
static void
look_into(page_t *page)
{
    size_t index = (size_t)(page - pages);
    for (block_t *block = page->local_free; block != NULL; block = block->next) {
        cell_block_t *cell = (cell_block_t *)(void *)block;
        explore_expect(cell >= blocks[index] && cell < blocks[index] + BLOCKS,
                       "T1: a block comes home to its page");
        found[index][cell - blocks[index]]++;
        cell->content = 0;
    }
    page->local_free = NULL;
}

static void
release_if_empty(page_t *page)
{
    look_into(page);
    if (page->used == 0 && mi__remote_is_quiet(page)) {
        explore_expect(!released[page - pages], "a page is released once");
        released[page - pages] = true;
        explore_retire(page, sizeof *page);
    }
}

static void
drain(owner_t *from)
{
    page_t *page = mi__remote_drain(from);
    while (page != NULL) {
        page_t *drained = page;
        explore_expect((page_owner(drained) & ~(uintptr_t)OWNER_FLAGS) == (uintptr_t)from,
                       "T2: a page is pending with its owner");
        page = mi__remote_unlist(drained);
        release_if_empty(drained);
    }
}

static void
drain_first_owner(void)
{
    drain(owner(0));
}

static void
take_and_drain(void)
{
    mi__remote_take(&pages[0]);
    release_if_empty(&pages[0]);
    drain(owner(0));
}

// A page that is not listed stays with owner 0, or becomes owner 1's.
static void
move_first_page(void)
{
    drain(owner(0));
    if (!released[0] && mi__remote_move(&pages[0], owner(1))) {
        pages[0].flags = 1;
        drain(owner(1));
    }
}

static void
drain_twice(void)
{
    drain(owner(0));
    drain(owner(0));
}

static void
free_0(void)
{
    push(0, 0, 0);
}

static void
free_1(void)
{
    push(0, 1, 1);
}

static void
free_0_then_1(void)
{
    push(0, 0, 0);
    push(0, 1, 1);
}

static void
free_2(void)
{
    push(0, 2, 2);
}

static void
free_2_then_3(void)
{
    push(0, 2, 2);
    push(0, 3, 3);
}

static void
free_chain_to_both_pages(void)
{
    push(0, 0, 1);
    push(1, 0, 0);
}

static void
free_to_both_pages_backwards(void)
{
    push(1, 1, 1);
    push(0, 2, 2);
}

// ---- before and after -------------------------------------------------------------------------------------

static void
two_blocks_out(void)
{
    set_up(2);
}

// The page never becomes empty: it is listed and unlisted again and again.
static void
many_blocks_out(void)
{
    set_up(BLOCKS);
}

static void
drain_all(void)
{
    drain(owner(0));
    drain(owner(1));
}

static void
expect_home(unsigned page, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        explore_expect(found[page][i] > 0, "T1: no block is lost");
        explore_expect(found[page][i] < 2, "T1: no block comes home twice");
    }
    explore_expect(released[page] || mi__remote_is_quiet(&pages[page]),
                   "T2: a page that was drained is not listed");
}

static void
one_came_home(void)
{
    drain_all();
    expect_home(0, 1);
}

static void
two_came_home(void)
{
    drain_all();
    expect_home(0, 2);
}

static void
page_was_released(void)
{
    two_came_home();
    explore_expect(released[0], "a page whose blocks are all home is released");
}

static void
three_came_home(void)
{
    drain_all();
    expect_home(0, 3);
}

static void
four_came_home(void)
{
    drain_all();
    expect_home(0, 4);
}

static void
came_home_to_both(void)
{
    drain_all();
    expect_home(0, 3);
    expect_home(1, 2);
}

static const scenario_t scenarios[] = {
    {"two frees; take, drain, release",
     two_blocks_out,
     {free_0, free_1, take_and_drain},
     page_was_released,
     0,
     0},
    {"two frees; drain, drain, release",
     two_blocks_out,
     {free_0, free_1, drain_twice},
     page_was_released,
     0,
     0},
    {"two frees in turn; listed twice", many_blocks_out, {free_0_then_1, drain_twice}, two_came_home, 0, 0},
    {"three frees in turn; listed by each",
     many_blocks_out,
     {free_0_then_1, free_2, drain_twice},
     three_came_home,
     0,
     0},
    {"frees to two pages; drain",
     many_blocks_out,
     {free_chain_to_both_pages, free_to_both_pages_backwards, drain_first_owner},
     came_home_to_both,
     0,
     0},
    {"a free; the page moves", many_blocks_out, {free_0, move_first_page}, one_came_home, 0, 0},
    {"two frees; the page moves", two_blocks_out, {free_0, free_1, move_first_page}, page_was_released, 0, 0},
    {"frees in turn; the page moves", many_blocks_out, {free_0_then_1, move_first_page}, two_came_home, 0, 0},
    {"four frees; listed by each",
     many_blocks_out,
     {free_0_then_1, free_2_then_3, drain_twice},
     four_came_home,
     0,
     0},
};

int
main(int argc, char **argv)
{
    return explore_main(scenarios, sizeof scenarios / sizeof scenarios[0], argc, argv);
}
