// SPDX-License-Identifier: MIT
// test_siblings.c — first-class heaps that end while the threads that used them do something else:
// every interleaving of destroy and delete with a thread's end, its rare work, and frees.
// sources: base/config.c base/hooks.c page/page.c page/remote.c heap/thread_heap.c heap/registry.c
// sources: heap/held.c heap/heap.c heap/siblings.c alloc/alloc.c alloc/free.c
//
// Thread 0 has a heap for malloc, and a sibling for the heap `shared`, with blocks 0 and 1 there and
// blocks 2 and 4 singletons. The arena is the one of fake_arena.h.
#include "fake_arena.h"

enum { BLOCKS = 5, LARGE_SIZE = BLOCK_MAX + 1 };

static uintptr_t *blocks[BLOCKS];
static heap_t *shared;
static subproc_t *subproc;
static bool destroyed;
static bool deleted;

// ---- what the threads do ----------------------------------------------------------------------------------

static void
allocate_in_shared(unsigned i, size_t size)
{
    thread_heap_t *part = mi__siblings_of(shared);
    explore_expect(part != NULL, "a thread has a part of the heap");
    blocks[i] = fast_alloc_in(part, size);
    *blocks[i] = i;
}

static void
release(unsigned i)
{
    uintptr_t *block = blocks[i];
    explore_expect(*block == i, "a block keeps its content");
    blocks[i] = NULL;
    *block = 99;
    fast_free(block);
}

static void
allocate_0_1(void)
{
    allocate_in_shared(0, BLOCK_SIZE);
    allocate_in_shared(1, BLOCK_SIZE);
}

static void
allocate_2(void)
{
    allocate_in_shared(2, LARGE_SIZE);
}

static void
allocate_4_2(void)
{
    allocate_in_shared(4, LARGE_SIZE);
    allocate_2();
}

static void
allocate_3(void)
{
    allocate_in_shared(3, BLOCK_SIZE);
}

static void
free_0(void)
{
    release(0);
}

static void
free_1(void)
{
    release(1);
}

static void
free_2(void)
{
    release(2);
}

static void
bind(void)
{
    explore_expect(mi__registry_bind() != NULL, "there is a heap");
}

static void
leave(void)
{
    mi__registry_leave();
}

static void
bind_allocate_3(void)
{
    bind();
    allocate_3();
}

static void
bind_if_none(void)
{
    if (thread_heap_is_none(mi__thread_heap)) {
        bind();
    }
}

// What a round of rare work, and mi_collect, do for a thread's siblings.
static void
drain_siblings(void)
{
    mi__siblings_drain(mi__thread_heap->main);
}

static void
collect_siblings(void)
{
    if (!thread_heap_is_none(mi__thread_heap)) {
        mi__siblings_collect(mi__thread_heap->main, false);
    }
}

static void
bind_collect(void)
{
    bind();
    collect_siblings();
}

static void
collect_orphans(void)
{
    mi__registry_collect(NULL);
}

static void
destroy(void)
{
    destroyed = true;
    mi__heap_destroy(shared);
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = NULL;
    }
}

static void delete (void)
{
    mi__heap_delete(shared);
    deleted = true;
}

// Makes a heap in the place of the one that ended, and uses it.
static void
destroy_and_renew(void)
{
    mi__heap_destroy(shared);
    blocks[0] = blocks[1] = blocks[2] = NULL;
    shared = mi__heap_new(&mi__subproc_main, NULL);
    allocate_3();
}

// ---- before and after -------------------------------------------------------------------------------------

static void
set_up(void)
{
    fake_arena_init();
    mi__conf.held_bytes = 0;
    // Thread 0's own page takes slice 0.
    explore_as(0, bind);
    shared = mi__heap_new(&mi__subproc_main, NULL);
    explore_as(0, allocate_0_1);
}

static void
with_singleton(void)
{
    set_up();
    explore_as(0, allocate_2);
}

static void
with_two_singletons(void)
{
    set_up();
    explore_as(0, allocate_4_2);
}

// The heap is of a subprocess, whose main heap lists its singletons, too.
static void
with_singleton_in_subprocess(void)
{
    fake_arena_init();
    mi__conf.held_bytes = 0;
    explore_as(0, bind);
    subproc = mi__subproc_new();
    shared = mi__heap_new(subproc, NULL);
    explore_as(0, allocate_2);
}

// Block 0 has come home to thread 0's sibling, which has not looked yet.
static void
with_one_home(void)
{
    set_up();
    explore_as(1, free_0);
}

static void
with_orphan(void)
{
    set_up();
    explore_as(0, leave);
}

static size_t
blocks_out(unsigned slice)
{
    size_t count = 0;
    for (unsigned i = 0; i < BLOCKS; i++) {
        count += blocks[i] != NULL && (size_t)((char *)blocks[i] - slices) / SLICE_SIZE == slice;
    }
    return count;
}

static void
drain_own(void)
{
    if (!thread_heap_is_none(mi__thread_heap)) {
        mi__thread_heap_drain(mi__thread_heap->main);
        mi__siblings_collect(mi__thread_heap->main, false);
        mi__thread_heap_drain(mi__thread_heap->main);
    }
}

static void
check_page(unsigned slice)
{
    page_t *page = &descriptors[slice];
    uintptr_t word = released[slice] ? 0 : page_owner(page);
    if (word == 0) {
        explore_expect(blocks_out(slice) == 0, "a page is released when its blocks are home");
        return;
    }
    heap_t *heap = mi__heap_of_page(page);
    explore_expect(heap != NULL, "a page that lives belongs to a heap");
    explore_expect(!destroyed || heap != shared, "a destroyed heap has no page");
    explore_expect(!deleted || heap == &mi__subproc_main.main, "a deleted heap's pages are the main heap's");
    if ((word & OWNER_SINGLETON) != 0) {
        explore_expect(blocks_out(slice) == 1, "a singleton lives with its block");
        return;
    }
    explore_expect(mi__remote_is_quiet(page), "T2: after everybody drained, no page is listed");
    explore_expect(mi__page_verify(page), "P1 to P3");
    explore_expect(mi__page_blocks_granted(page) - mi__page_blocks_free(page) == blocks_out(slice),
                   "T1: every block is home or out");
}

static void
check(void)
{
    for (unsigned i = 0; i < EXPLORE_THREADS; i++) {
        explore_as(i, drain_own);
    }
    mi__registry_collect(NULL);
    for (thread_heap_t *at = mi__registry_first(); at != NULL; at = at->next_made) {
        uint32_t state = atomic_get_relaxed(&at->state);
        bool belongs = atomic_get_relaxed(&at->heap) != NULL;
        explore_expect(state == HEAP_LIVE || state == HEAP_ORPHAN || state == HEAP_VACANT,
                       "no claim outlives its step");
        explore_expect(belongs == (state != HEAP_VACANT), "vacant is what belongs to no heap");
        explore_expect(atomic_get_relaxed(&at->owner.pending) == NULL, "nothing stays pending");
    }
    for (unsigned i = 0; i < atomic_get_relaxed(&slices_claimed); i++) {
        check_page(i);
    }
    explore_expect(subproc == NULL || (subproc->main.singletons == NULL) == (blocks[2] == NULL),
                   "a subprocess lists what is out");
    // The place of the ended heap serves a new one.
    if (destroyed || deleted) {
        explore_as(0, bind_if_none);
        heap_t *again = mi__heap_new(&mi__subproc_main, NULL);
        explore_expect(again == shared && again->singletons == NULL,
                       "a heap that ended is made again, empty");
        explore_as(0, allocate_3);
        explore_expect(mi__heap_of_page(mi__page_of(blocks[3])) == again, "and its blocks are its own");
    }
}

static const scenario_t scenarios[] = {
    {"destroy; drain", with_one_home, {drain_siblings, destroy}, check, 0, 0},
    {"destroy; collect", with_one_home, {collect_siblings, destroy}, check, 0, 0},
    {"destroy; leave", set_up, {leave, destroy}, check, 0, 0},
    {"destroy; leave, with a free on its way", with_one_home, {leave, destroy}, check, 0, 0},
    {"destroy with a singleton; leave", with_singleton, {leave, destroy}, check, 0, 0},
    {"destroy; drain; collect orphans",
     with_one_home,
     {drain_siblings, destroy, collect_orphans},
     check,
     0,
     0},
    {"orphan: destroy; bind", with_orphan, {bind, destroy}, check, 0, 0},
    {"orphan: destroy; collect orphans; bind", with_orphan, {bind, destroy, collect_orphans}, check, 0, 0},
    {"orphan: a free; bind, allocate", with_orphan, {bind_allocate_3, free_0}, check, 0, 0},
    {"orphan: two frees; bind, allocate", with_orphan, {bind_allocate_3, free_0, free_1}, check, 3, 4},
    {"destroy, new; leave", set_up, {leave, destroy_and_renew}, check, 0, 0},
    {"delete; a free by the owner", set_up, {free_0, delete}, check, 0, 0},
    {"delete; a free by the owner; another's", set_up, {free_0, delete, free_1}, check, 3, 5},
    {"delete; two frees", set_up, {drain_siblings, delete, free_0}, check, 3, 5},
    {"delete; leave", set_up, {leave, delete}, check, 0, 0},
    {"delete; leave; a free", set_up, {leave, delete, free_0}, check, 3, 4},
    {"delete; a free of the singleton", with_singleton, {free_2, delete}, check, 0, 0},
    {"delete; a free of the first singleton", with_two_singletons, {free_2, delete}, check, 0, 0},
    {"delete in a subprocess; free the singleton",
     with_singleton_in_subprocess,
     {free_2, delete},
     check,
     0,
     0},
    {"delete; free the singleton; a free", with_singleton, {free_0, delete, free_2}, check, 3, 0},
    {"orphan: delete; a free", with_orphan, {free_0, delete}, check, 0, 0},
    {"orphan: delete; a free; bind", with_orphan, {bind, delete, free_0}, check, 3, 4},
    {"orphan: delete; a free; bind, collect", with_orphan, {bind_collect, delete, free_0}, check, 4, 5},
};

int
main(int argc, char **argv)
{
    return explore_main(scenarios, sizeof scenarios / sizeof scenarios[0], argc, argv);
}
