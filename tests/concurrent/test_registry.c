// SPDX-License-Identifier: MIT
// test_registry.c — threads that come and go while others free their blocks: every interleaving of
// bind, leave, tell, adopt and claim.
// sources: base/config.c base/hooks.c page/page.c page/remote.c page/trim.c heap/thread_heap.c
// sources: heap/registry.c heap/held.c heap/heap.c heap/siblings.c alloc/alloc.c alloc/free.c
//
// All of the library above the arena is real; the arena is that of fake_arena.h. Blocks are 4 KiB, so
// that a page has few of them. Threads without a heap free, too: as a thread does whose heap is
// another's by now.
#include "fake_arena.h"

enum { BLOCKS = 12, HEAPS = 8 };

// Blocks that the program has. Each is written by who frees it before, and by who gets it after.
static uintptr_t *blocks[BLOCKS];

// ---- what the threads do ----------------------------------------------------------------------------------

// One thread with one heap may stand for several: it puts the heap aside and takes it up again.
static thread_heap_t *
put_aside(void)
{
    thread_heap_t *heap = mi__thread_heap;
    mi__thread_heap = (thread_heap_t *)(uintptr_t)&mi__thread_heap_none;
    return heap;
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
allocate(unsigned i)
{
    blocks[i] = fast_alloc(BLOCK_SIZE);
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
allocate_0(void)
{
    allocate(0);
}

static void
allocate_2(void)
{
    allocate(2);
}
static void
allocate_6(void)
{
    allocate(6);
}
static void
allocate_5(void)
{
    allocate(5);
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
allocate_0_1(void)
{
    allocate(0);
    allocate(1);
}

static void
allocate_0_1_2(void)
{
    allocate(0);
    allocate(1);
    allocate(2);
}

static void
free_0_1(void)
{
    release(0);
    release(1);
}

static void
bind_allocate_5(void)
{
    bind();
    allocate(5);
}

static thread_heap_t *aside;

// Takes the orphan, and makes a heap.
static void
new_heap(void)
{
    bind();
    aside = put_aside();
    bind();
}

static void
bind_leave(void)
{
    bind();
    leave();
}

static void
leave_bind(void)
{
    leave();
    bind();
}

static void
allocate_5_leave(void)
{
    allocate(5);
    leave();
}

// Has what comes home taken in early, and leaves nothing behind; so many blocks that the page is
// not kept.
static void
fill_empty_leave(void)
{
    for (unsigned i = 1; i <= 9; i++) {
        allocate(i);
    }
    for (unsigned i = 1; i <= 9; i++) {
        release(i);
    }
    leave();
}

static void
collect_orphans(void)
{
    mi__registry_collect(NULL);
}

// What is free inside of the pages of heaps that nobody has goes back.
static void
trim_orphans(void)
{
    mi__registry_collect(mi__thread_heap_trim);
}

// Takes two heaps and gives them back in the other order: the first is the top of the stack again,
// with another heap below.
static void
shuffle_orphans(void)
{
    bind();
    thread_heap_t *first = put_aside();
    bind();
    thread_heap_t *second = put_aside();
    mi__thread_heap = first;
    leave();
    mi__thread_heap = second;
    leave();
}

// ---- before and after -------------------------------------------------------------------------------------

static void
name_heap(thread_heap_t *heap, const char *pending, const char *state, const char *next, const char *name)
{
    explore_name(&heap->owner, sizeof heap->owner, pending);
    explore_name(&heap->state, sizeof heap->state, state);
    explore_name(&heap->next_orphan, sizeof heap->next_orphan, next);
    explore_name(heap, sizeof *heap, name);
}

// Makes the library ready, with `orphans` heaps that nobody has.
static void
set_up(unsigned orphans)
{
    fake_arena_init();
    mi__conf.held_bytes = 0;
    thread_heap_t *heaps[HEAPS];
    for (unsigned i = 0; i < orphans; i++) {
        bind();
        heaps[i] = put_aside();
    }
    for (unsigned i = orphans; i-- > 0;) {
        mi__thread_heap = heaps[i];
        leave();
    }
}

static void
name_heaps(void)
{
    static const char *const names[][4] = {
        {"heap 0's pending", "heap 0's state", "heap 0's next_orphan", "heap 0"},
        {"heap 1's pending", "heap 1's state", "heap 1's next_orphan", "heap 1"},
        {"heap 2's pending", "heap 2's state", "heap 2's next_orphan", "heap 2"},
    };
    unsigned i = 0;
    for (thread_heap_t *heap = mi__registry_first(); heap != NULL && i < 3; heap = heap->next_made) {
        name_heap(heap, names[i][0], names[i][1], names[i][2], names[i][3]);
        i++;
    }
}

static thread_heap_t *bound[EXPLORE_THREADS];
static unsigned asked;

static void
drain_own(void)
{
    bound[asked] = thread_heap_is_none(mi__thread_heap) ? NULL : mi__thread_heap;
    if (bound[asked] != NULL) {
        mi__thread_heap_drain(mi__thread_heap);
    }
}

static bool
is_bound(uintptr_t heap)
{
    for (unsigned i = 0; i < EXPLORE_THREADS; i++) {
        if ((uintptr_t)bound[i] == heap) {
            return true;
        }
    }
    return heap != 0 && heap == (uintptr_t)aside;
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
check_page(unsigned slice)
{
    page_t *page = &descriptors[slice];
    if (released[slice]) {
        explore_expect(blocks_out(slice) == 0, "a page is released when its blocks are home");
        return;
    }
    uintptr_t word = page_owner(page);
    explore_expect(mi__remote_is_quiet(page), "T2: after everybody drained, no page is listed");
    explore_expect(mi__page_verify(page), "P1 to P3");
    explore_expect(mi__page_blocks_granted(page) - mi__page_blocks_free(page) == blocks_out(slice),
                   "T1: every block is home or out");
    bool queued = (page->flags & PAGE_QUEUED) != 0;
    explore_expect(queued + page_is_pinned(page) + ((word & OWNER_FULL) != 0) == 1,
                   "H3: a page is queued, or serves, or is full");
    bool in_queue = false;
    thread_heap_t *heap = (thread_heap_t *)(word & ~(uintptr_t)OWNER_FLAGS);
    for (page_t *at = heap->queues[page->class].first; at != NULL; at = at->next) {
        in_queue = in_queue || at == page;
    }
    explore_expect(in_queue == queued, "H3: a page that says it is queued is in its owner's queue");
    explore_expect(page->used > 0 || is_bound((uintptr_t)heap), "an empty page of an orphan is released");
}

// After all threads: nothing is stuck, lost or twice.
static void
check(void)
{
    size_t made = 0, live = aside != NULL, orphans = 0;
    for (asked = 0; asked < EXPLORE_THREADS; asked++) {
        explore_as(asked, drain_own);
        live += bound[asked] != NULL;
        for (unsigned j = 0; j < asked; j++) {
            explore_expect(bound[asked] == NULL || bound[asked] != bound[j], "G1: a heap is one thread's");
        }
    }
    if (aside != NULL) {
        mi__thread_heap_drain(aside);
    }
    for (thread_heap_t *heap = mi__registry_first(); heap != NULL; heap = heap->next_made) {
        made++;
        orphans += !is_bound((uintptr_t)heap);
        explore_expect(atomic_get_relaxed(&heap->owner.pending) == NULL,
                       "nothing stays pending with an orphan");
    }
    for (unsigned i = 0; i < atomic_get_relaxed(&slices_claimed); i++) {
        check_page(i);
    }
    size_t counted_made, counted_live;
    mi__registry_count(&counted_made, &counted_live);
    explore_expect(counted_made == made && counted_live == live, "heaps are counted");
    // Every orphan can be had again, once.
    for (size_t i = 0; i < orphans; i++) {
        bind();
        explore_expect(!is_bound((uintptr_t)put_aside()), "G1: a heap that is bound is not given to another");
    }
    mi__registry_count(&counted_made, &counted_live);
    explore_expect(counted_made == made, "no orphan is lost");
}

// Thread 0 has a heap with block 0.
static void
first_has_one(void)
{
    set_up(0);
    explore_as(0, allocate_0);
    name_heaps();
}

// Thread 0 has a heap with blocks 0 and 1.
static void
first_has_two(void)
{
    set_up(0);
    explore_as(0, allocate_0_1);
    name_heaps();
}

// Blocks 0 and 1 are on a page of a heap that nobody has.
static void
orphan_has_two(void)
{
    set_up(0);
    explore_as(0, allocate_0_1);
    explore_as(0, leave);
    name_heaps();
}

static void
orphan_has_three(void)
{
    set_up(0);
    explore_as(0, allocate_0_1_2);
    explore_as(0, leave);
    name_heaps();
}

// The same; thread 0 has a heap of its own, without pages.
static void
orphan_has_two_first_is_bound(void)
{
    set_up(0);
    explore_as(0, bind);
    explore_as(1, allocate_0_1);
    explore_as(1, leave);
    name_heaps();
}

// The same; threads 0 and 1 have heaps.
static void
orphan_has_two_others_are_bound(void)
{
    set_up(0);
    explore_as(0, bind);
    explore_as(1, bind);
    explore_as(2, allocate_0_1);
    explore_as(2, leave);
    name_heaps();
}

// Two orphans, with a page each: blocks 0 and 1, and block 2.
static void
two_orphans_have_pages(void)
{
    set_up(0);
    explore_as(0, bind);
    explore_as(1, allocate_0_1);
    explore_as(2, allocate_2);
    explore_as(1, leave);
    explore_as(2, leave);
    name_heaps();
}

static void
no_heaps(void)
{
    set_up(0);
}

static void
two_orphans(void)
{
    set_up(2);
    name_heaps();
}

static void
three_orphans(void)
{
    set_up(3);
    name_heaps();
}

static void
one_bound_one_orphan(void)
{
    set_up(1);
    explore_as(0, bind);
    explore_as(1, bind);
    explore_as(1, leave);
    name_heaps();
}

static const scenario_t scenarios[] = {
    {"leave; a free", first_has_two, {leave, free_0}, check, 0, 0},
    {"leave; the last two frees", first_has_two, {leave, free_0, free_1}, check, 4, 0},
    {"leave; a free; bind", first_has_two, {leave, free_0, bind_allocate_5}, check, 4, 0},
    {"fill, empty, leave; a free", first_has_one, {fill_empty_leave, free_0}, check, 0, 0},
    {"leave, bind; a free", first_has_two, {leave_bind, free_0}, check, 0, 0},
    {"orphan: two frees", orphan_has_two, {free_0, free_1}, check, 0, 0},
    {"orphan: three frees", orphan_has_three, {free_0, free_1, free_2}, check, 3, 5},
    {"orphan: two frees; bind", orphan_has_two, {free_0, free_1, bind}, check, 0, 0},
    {"orphan: two frees; bind, allocate", orphan_has_two, {free_0, free_1, bind_allocate_5}, check, 4, 6},
    {"orphan: a free; bind, allocate", orphan_has_two, {free_0, bind_allocate_5}, check, 0, 0},
    {"orphan: a free; collect; bind", orphan_has_two, {free_0, collect_orphans, bind}, check, 0, 0},
    {"orphan: a free; bind; bind", orphan_has_two, {free_0, bind, bind}, check, 0, 0},
    {"orphan: a free; trim", orphan_has_three, {free_0, trim_orphans}, check, 0, 0},
    {"orphan: two frees; trim", orphan_has_three, {free_0, trim_orphans, free_1}, check, 3, 5},
    {"orphan: a free; trim; bind, allocate",
     orphan_has_three,
     {free_0, trim_orphans, bind_allocate_5},
     check,
     3,
     5},
    {"adopt a page; trim; a free",
     orphan_has_two_first_is_bound,
     {allocate_5, free_0, trim_orphans},
     check,
     3,
     4},
    {"adopt a page; a free", orphan_has_two_first_is_bound, {allocate_5, free_0}, check, 0, 0},
    {"adopt a page; the last two frees", orphan_has_two_first_is_bound, {allocate_5, free_0_1}, check, 4, 0},
    {"adopt a page; two frees", orphan_has_two_first_is_bound, {allocate_5, free_0, free_1}, check, 3, 4},
    {"adopt a page; a free; bind", orphan_has_two_first_is_bound, {allocate_5, free_0, bind}, check, 3, 0},
    {"adopt a page, leave; a free", orphan_has_two_first_is_bound, {allocate_5_leave, free_0}, check, 0, 0},
    {"adopt a page twice; a free",
     orphan_has_two_others_are_bound,
     {allocate_5, allocate_6, free_0},
     check,
     3,
     4},
    {"two orphans; adopt; a free; a free", two_orphans_have_pages, {allocate_5, free_0, free_2}, check, 3, 5},
    {"a new heap; adopt; adopt",
     orphan_has_two_others_are_bound,
     {allocate_5, allocate_6, new_heap},
     check,
     2,
     3},
    {"bind; bind; bind", two_orphans, {bind, bind, bind}, check, 0, 0},
    {"bind; bind; leave", one_bound_one_orphan, {leave, bind, bind}, check, 0, 0},
    {"bind, leave; bind, leave", two_orphans, {bind_leave, bind_leave}, check, 0, 0},
    {"bind; the stack is shuffled", three_orphans, {bind, shuffle_orphans}, check, 0, 0},
    {"the first threads: bind; bind", no_heaps, {bind, bind}, check, 0, 0},
};

int
main(int argc, char **argv)
{
    return explore_main(scenarios, sizeof scenarios / sizeof scenarios[0], argc, argv);
}
