// SPDX-License-Identifier: MIT
// test_thread_heap.c — heap/thread_heap.c: which page serves what (H1 to H3), the states of a page,
// and what the slow path counts.
#include "fresh.h"

#include "heap/registry.h"
#include "os/os.h"

enum { BLOCKS_MAX = 20000 };
static void *blocks[BLOCKS_MAX];

static thread_heap_t *
start(void)
{
    mi__sampling_set_rate(SAMPLER_GUARD, 0); // every block has its exact place
    mi__conf.purge_delay_ms = -1;
    mi__conf.region_bytes_log2 = 30;
    thread_heap_t *heap = mi__registry_bind();
    check(heap != NULL && heap == mi__thread_heap);
    return heap;
}

// As the straight path does it.
static void *
take(size_t size)
{
    page_t *page = thread_heap_page(mi__thread_heap, size);
    if (page->free != NULL) {
        return page_pop(page, page->free);
    }
    bool zero;
    block_t *block = mi__thread_heap_alloc(mi__thread_heap, size, &zero);
    check(block != NULL);
    check(!zero || is_zero(block + 1, sizeclass_block_size(sizeclass_of(size)) - sizeof *block));
    return block;
}

static void
give(void *block)
{
    page_t *page = mi__page_of(block);
    uintptr_t word = page_owner(page);
    check_equal(word & ~(uintptr_t)OWNER_FLAGS, (uintptr_t)mi__thread_heap);
    if ((word & OWNER_FULL) != 0) {
        mi__thread_heap_free_full(mi__thread_heap, page, block);
    } else if (page_push_local(page, block)) {
        mi__thread_heap_page_empty(mi__thread_heap, page);
    }
}

static void
take_many(size_t size, size_t count)
{
    check(count <= BLOCKS_MAX);
    for (size_t i = 0; i < count; i++) {
        blocks[i] = take(size);
    }
}

static size_t
blocks_per_page(size_t size)
{
    unsigned class = sizeclass_of(size);
    return (sizeclass_page_slices(class) << SLICE_SHIFT) / sizeclass_block_size(class);
}

// ---- verification ---------------------------------------------------------------------------

static void
check_serving(const thread_heap_t *heap, unsigned class)
{
    page_t *page = mi__thread_heap_serving(heap, class);
    size_t most = sizeclass_block_size(class);
    size_t least = class == 0 ? 0 : sizeclass_block_size(class - 1) + 1;
    // H2
    for (size_t size = least; size <= most; size += size == least || size == most ? 1 : most - size) {
        check(thread_heap_page(heap, size) == page);
    }
    // H1
    if (page != &mi__page_none && (page->flags & PAGE_STAND_IN) == 0) {
        check(page_is_pinned(page));
        check_equal(page->class, class);
        check_equal(page_owner(page) & ~(uintptr_t)OWNER_INTERIOR, (uintptr_t)heap);
        check((page->flags & PAGE_QUEUED) == 0);
        check(mi__page_verify(page));
    }
}

// H3; returns the number of pages.
static size_t
check_queue(const thread_heap_t *heap, unsigned class)
{
    const page_queue_t *queue = &heap->queues[class];
    size_t count = 0;
    page_t *before = NULL;
    for (page_t *page = queue->first; page != NULL; before = page, page = page->next) {
        check(page->prev == before);
        check((page->flags & PAGE_QUEUED) != 0);
        check(!page_is_pinned(page));
        check_equal(page_owner(page) & ~(uintptr_t)OWNER_INTERIOR, (uintptr_t)heap);
        check(page->local_free != NULL || page->capacity < page->reserved);
        check(mi__page_verify(page));
        count++;
    }
    check(queue->last == before);
    return count;
}

static size_t
check_heap(const thread_heap_t *heap)
{
    size_t queued = 0;
    for (unsigned class = 0; class < CLASS_COUNT; class += 1) {
        check_serving(heap, class);
        queued += check_queue(heap, class);
    }
    return queued;
}

// ---- heaps without pages --------------------------------------------------------------------

static void
no_heap_serves_nothing(void)
{
    check(thread_heap_is_none(mi__thread_heap));
    for (size_t size = 0; size <= BLOCK_MAX; size++) {
        const page_t *page = thread_heap_page(mi__thread_heap, size);
        check(page == &mi__page_none);
        check(page->free == NULL && page->local_free == NULL);
    }
}

static void
a_fresh_heap_serves_nothing(void)
{
    thread_heap_t *heap = start();
    check(!thread_heap_is_none(heap));
    for (size_t size = 0; size <= BLOCK_MAX; size++) {
        check(thread_heap_page(heap, size) == &mi__page_none);
    }
    check_equal(check_heap(heap), 0);
    check(heap->held == NULL);
    check_equal(slices_in_use(), 0);
    printf("thread heap: %zu bytes\n", sizeof *heap);
    check_at_most(sizeof *heap, 6 * KIB);
}

static void
an_entry_of_serving_is_its_class_only(void)
{
    (void)start();
    static MI_ALIGNED(64) thread_heap_t heap;
    static page_t pages[CLASS_COUNT];
    mi__thread_heap_init(&heap, NULL);
    for (unsigned class = 0; class < CLASS_COUNT; class += 1) {
        mi__thread_heap_serve(&heap, class, &pages[class]);
    }
    for (size_t size = 0; size <= BLOCK_MAX; size++) {
        check(thread_heap_page(&heap, size) == &pages[sizeclass_of(size)]);
    }
    for (unsigned class = 0; class < CLASS_COUNT; class += 1) {
        check(mi__thread_heap_serving(&heap, class) == &pages[class]);
    }
    for (size_t i = 0; i < SERVING_COUNT; i++) {
        check(heap.serving[i] >= pages && heap.serving[i] < pages + CLASS_COUNT);
    }
}

// ---- the first blocks -----------------------------------------------------------------------

static void
the_first_block_binds_a_heap(void)
{
    mi__conf.region_bytes_log2 = 30;
    bool zero;
    block_t *block = mi__thread_heap_alloc(mi__thread_heap, 100, &zero);
    check(block != NULL && zero);
    check(!thread_heap_is_none(mi__thread_heap));
    check_equal(page_owner(mi__page_of(block)), (uintptr_t)mi__thread_heap);
}

static void
every_class_gets_a_page(void)
{
    thread_heap_t *heap = start();
    size_t slices = 0;
    for (unsigned class = 0; class < CLASS_COUNT; class += 1) {
        size_t size = sizeclass_block_size(class);
        char *block = take(size);
        memset(block, 1, size);
        page_t *page = mi__page_of(block);
        check(page == mi__thread_heap_serving(heap, class));
        check_equal(page->block_size, size);
        slices += sizeclass_page_slices(class);
        check_equal(slices_in_use(), slices);
    }
    check_equal(check_heap(heap), 0);
}

static void
a_pair_stays_on_its_page(void)
{
    thread_heap_t *heap = start();
    for (unsigned class = 0; class < CLASS_COUNT; class += 1) {
        size_t size = sizeclass_block_size(class);
        page_t *page = mi__page_of(take(size));
        give(page->start);
        for (int i = 0; i < 1000; i++) {
            void *block = take(size);
            check(mi__page_of(block) == page);
            give(block);
        }
        check(mi__thread_heap_serving(heap, class) == page);
    }
    check_equal(check_heap(heap), 0);
}

// ---- the states of a page -------------------------------------------------------------------

static void
a_full_page_gives_way(void)
{
    thread_heap_t *heap = start();
    size_t count = blocks_per_page(500);
    take_many(500, count);
    page_t *first = mi__page_of(blocks[0]);
    check(mi__page_of(blocks[count - 1]) == first);
    check(mi__thread_heap_serving(heap, first->class) == first);
    void *more = take(500);
    page_t *second = mi__page_of(more);
    check(second != first);
    check(mi__thread_heap_serving(heap, first->class) == second);
    check_equal(page_owner(first), (uintptr_t)heap | OWNER_FULL);
    check_equal(first->used, count);
    check(!page_is_pinned(first));
    check_equal(check_heap(heap), 0);
}

static void
a_full_page_comes_back_with_its_first_block(void)
{
    thread_heap_t *heap = start();
    size_t count = blocks_per_page(500);
    take_many(500, count + 1);
    page_t *first = mi__page_of(blocks[0]);
    give(blocks[7]);
    check_equal(page_owner(first), (uintptr_t)heap);
    check_equal(check_heap(heap), 1);
    check(heap->queues[first->class].first == first);
    give(blocks[8]);
    check_equal(check_heap(heap), 1);
    // It serves again before a fresh page is made.
    size_t slices = slices_in_use();
    for (size_t i = 1; i < count; i++) {
        (void)take(500);
    }
    check(take(500) == blocks[8] || mi__thread_heap_serving(heap, first->class) == first);
    check_equal(slices_in_use(), slices);
}

static void
an_empty_page_is_released(void)
{
    thread_heap_t *heap = start();
    size_t count = blocks_per_page(3000);
    take_many(3000, 3 * count);
    check_equal(slices_in_use(), 3);
    for (size_t i = 0; i < 2 * count; i++) {
        give(blocks[i]);
    }
    check_equal(slices_in_use(), 1);
    check_equal(check_heap(heap), 0);
    check(mi__page_of(blocks[0]) == NULL);
    check(mi__page_of(blocks[2 * count]) != NULL);
}

static void
a_class_comes_back_to_its_place(void)
{
    thread_heap_t *heap = start();
    void *lower = take(100);
    void *block = take(500);
    void *medium = take(20000);
    char *places[] = {mi__page_of(block)->start, mi__page_of(medium)->start};
    give(lower);
    give(block);
    give(medium);
    mi__thread_heap_collect(heap);
    // In another order, and with a lower place free.
    medium = take(20000);
    block = take(500);
    check(mi__page_of(block)->start == places[0]);
    check(mi__page_of(medium)->start == places[1]);
    // Unless the place is taken, or its memory was given back.
    give(block);
    mi__thread_heap_collect(heap);
    slice_run_t run;
    check(mi__slices_claim_again(mi__slices_place(places[0]), 1, &run));
    block = take(500);
    check(mi__page_of(block)->start != places[0]);
    give(block);
    mi__thread_heap_collect(heap);
    mi__slices_release(places[0], 1);
    bool left;
    (void)mi__slices_purge(true, &left);
    check(mi__page_of(take(500))->start < places[0]);
}

static void
a_page_of_few_blocks_goes_through_all_states(void)
{
    thread_heap_t *heap = start();
    size_t count = blocks_per_page(BLOCK_MAX);
    for (int round = 0; round < 20; round++) {
        take_many(BLOCK_MAX, 5 * count);
        for (size_t i = 0; i < 5 * count; i++) {
            // In an order in which each page is full, partial, then empty.
            give(blocks[i * 7 % (5 * count)]);
            (void)check_heap(heap);
        }
        check_at_most(slices_in_use(), MEDIUM_PAGE_SLICES);
    }
}

static void
at_random_all_stays_in_order(void)
{
    thread_heap_t *heap = start();
    uint64_t random = 99;
    static size_t sizes[BLOCKS_MAX];
    size_t live = 0;
    for (int i = 0; i < (SANITIZED ? 20000 : 200000); i++) {
        if (live > 0 && (random_next(&random) % 2 == 0 || live == 3000)) {
            size_t at = random_next(&random) % live;
            check(is_filled(blocks[at], sizes[at], (unsigned)sizes[at]));
            give(blocks[at]);
            blocks[at] = blocks[--live];
            sizes[at] = sizes[live];
        } else {
            size_t size = random_next(&random) % ((size_t)16 << random_next(&random) % 13) + 1;
            blocks[live] = take(size);
            sizes[live] = size;
            fill(blocks[live++], size, (unsigned)size);
        }
        if (i % 5000 == 0) {
            (void)check_heap(heap);
        }
    }
    while (live > 0) {
        give(blocks[--live]);
    }
    (void)check_heap(heap);
    mi__thread_heap_collect(heap);
    check_equal(slices_in_use(), 0);
}

// ---- what others free -----------------------------------------------------------------------

static void *
push_home(void *block)
{
    page_t *page = mi__page_of(block);
    (void)mi__remote_push(page, block, block, 1);
    return NULL;
}

static void
a_remote_free_brings_a_full_page_back(void)
{
    thread_heap_t *heap = start();
    size_t count = blocks_per_page(500);
    take_many(500, count + 1);
    page_t *first = mi__page_of(blocks[0]);
    run_thread(push_home, blocks[3]);
    check_equal(page_owner(first), (uintptr_t)heap | OWNER_FULL);
    mi__thread_heap_drain(heap);
    check_equal(page_owner(first), (uintptr_t)heap);
    check_equal(check_heap(heap), 1);
    check_equal(first->used, count - 1);
}

static void
remote_frees_release_a_page(void)
{
    thread_heap_t *heap = start();
    size_t count = blocks_per_page(4000);
    take_many(4000, count + 1);
    for (size_t i = 0; i < count; i++) {
        run_thread(push_home, blocks[i]);
    }
    check_equal(slices_in_use(), 2);
    mi__thread_heap_drain(heap);
    check_equal(slices_in_use(), 1);
    check_equal(check_heap(heap), 0);
}

// A page whose last block came home locally while others are on their way must wait for them.
static void
a_listed_page_is_released_when_it_is_drained(void)
{
    thread_heap_t *heap = start();
    size_t count = blocks_per_page(4000);
    take_many(4000, count + 1);
    page_t *first = mi__page_of(blocks[0]);
    push_home(blocks[0]);
    check_equal(mi__remote_take(first), 1);
    for (size_t i = 1; i < count; i++) {
        give(blocks[i]);
    }
    check_equal(first->used, 0);
    check_equal(slices_in_use(), 2);
    mi__thread_heap_drain(heap);
    check_equal(slices_in_use(), 1);
}

static void
the_serving_page_takes_what_came_home(void)
{
    thread_heap_t *heap = start();
    size_t count = blocks_per_page(4000);
    take_many(4000, count);
    push_home(blocks[5]);
    push_home(blocks[6]);
    size_t slices = slices_in_use();
    void *a = take(4000);
    void *b = take(4000);
    check((a == blocks[5] && b == blocks[6]) || (a == blocks[6] && b == blocks[5]));
    check_equal(slices_in_use(), slices);
    check_equal(check_heap(heap), 0);
}

// ---- collecting -----------------------------------------------------------------------------

static void
collecting_lets_go_of_serving_pages(void)
{
    thread_heap_t *heap = start();
    for (unsigned class = 0; class < CLASS_COUNT; class += 1) {
        give(take(sizeclass_block_size(class)));
    }
    check(slices_in_use() > CLASS_COUNT);
    mi__thread_heap_collect(heap);
    check_equal(slices_in_use(), 0);
    check_equal(check_heap(heap), 0);
    for (unsigned class = 0; class < CLASS_COUNT; class += 1) {
        check(mi__thread_heap_serving(heap, class) == &mi__page_none);
    }
}

static void
collecting_keeps_what_is_in_use(void)
{
    thread_heap_t *heap = start();
    for (unsigned class = 0; class < CLASS_COUNT; class += 1) {
        blocks[class] = take(sizeclass_block_size(class));
        fill(blocks[class], sizeclass_block_size(class), class);
    }
    mi__thread_heap_collect(heap);
    check_equal(check_heap(heap), CLASS_COUNT);
    for (unsigned class = 0; class < CLASS_COUNT; class += 1) {
        check(is_filled(blocks[class], sizeclass_block_size(class), class));
        check_equal(mi__page_blocks_granted(mi__page_of(blocks[class])), 1);
        // The same page serves again.
        check(mi__page_of(take(sizeclass_block_size(class))) == mi__page_of(blocks[class]));
    }
    mi__thread_heap_collect(heap);
    mi__thread_heap_collect(heap);
    (void)check_heap(heap);
}

// ---- giving pages ---------------------------------------------------------------------------

static thread_heap_t *left_behind;

static void *
leave_a_page_behind(void *arg)
{
    (void)arg;
    left_behind = mi__registry_bind();
    check(left_behind != NULL);
    for (int i = 0; i < 20; i++) {
        blocks[i] = take(700);
    }
    mi__registry_leave();
    return NULL;
}

static void
an_orphans_page_is_given_away(void)
{
    thread_heap_t *heap = start();
    run_thread(leave_a_page_behind, NULL);
    page_t *page = mi__page_of(blocks[0]);
    check_equal(check_heap(left_behind), 1);
    check(mi__thread_heap_give_page(left_behind, sizeclass_of(800), heap) == NULL);
    check(mi__thread_heap_give_page(left_behind, sizeclass_of(700), heap) == page);
    check_equal(page_owner(page), (uintptr_t)heap);
    check((page->flags & PAGE_QUEUED) == 0);
    check_equal(check_heap(left_behind), 0);
    check(mi__thread_heap_give_page(left_behind, sizeclass_of(700), heap) == NULL);
}

static void
giving_drains_first(void)
{
    thread_heap_t *heap = start();
    run_thread(leave_a_page_behind, NULL);
    page_t *page = mi__page_of(blocks[0]);
    push_home(blocks[3]);
    check(mi__thread_heap_give_page(left_behind, sizeclass_of(700), heap) == page);
    check_equal(mi__page_blocks_granted(page), 19);
    push_home(blocks[4]);
    // Now it is listed with its new owner.
    check(mi__remote_drain(&left_behind->owner) == NULL);
    check(mi__remote_drain(&heap->owner) == page);
}

// ---- counting -------------------------------------------------------------------------------

// Blocks handed out by the counters: granted, but for those that still wait on `free`.
static uint64_t
handed_out(const thread_heap_t *heap, unsigned class)
{
    return heap->granted[class] - mi__page_blocks_free(mi__thread_heap_serving(heap, class));
}

static void
blocks_are_counted_exactly(void)
{
    thread_heap_t *heap = start();
    uint64_t expected = 0;
    uint64_t random = 5;
    size_t live = 0;
    unsigned class = sizeclass_of(300);
    for (int i = 0; i < 20000; i++) {
        if (live > 0 && random_next(&random) % 5 < 2) {
            give(blocks[--live]);
        } else {
            blocks[live++] = take(300);
            expected++;
        }
        if (i % 1000 == 0) {
            check_equal(handed_out(heap, class), expected);
        }
    }
    check_equal(handed_out(heap, class), expected);
    mi__thread_heap_collect(heap);
    check_equal(heap->granted[class], expected);
}

static page_t *
singleton(size_t size)
{
    bool zero;
    page_t *page = mi__thread_heap_singleton(mi__thread_heap, size, SLICE_SIZE, &zero);
    check(page != NULL);
    return page;
}

static void
give_back(page_t *page)
{
    check(mi__page_retire_singleton(page));
    mi__thread_heap_return_singleton(mi__thread_heap, page);
}

static page_t *
kept(size_t size)
{
    return mi__thread_heap->kept[divide_up(size, SLICE_SIZE)];
}

static void
singletons_are_counted(void)
{
    give_back(singleton(100000));
    thread_heap_t *heap = mi__thread_heap;
    check(!thread_heap_is_none(heap));
    give_back(singleton(100000));
    check_equal(heap->singletons, 2);
}

static void
a_singleton_is_kept_for_the_next_of_its_size(void)
{
    thread_heap_t *heap = start();
    page_t *page = singleton(100000);
    give_back(page);
    check(kept(100000) == page);
    // Nobody sees a block in it meanwhile, and a second free finds none.
    check(mi__page_of(page->start) == NULL);
    check(!mi__page_retire_singleton(page));
    // One of each size.
    page_t *larger = singleton(300000);
    check(larger != page);
    give_back(larger);
    check(kept(300000) == larger && kept(100000) == page);
    check_equal(heap->kept_slices, page->slices + larger->slices);
    check(singleton(300000) == larger);
    check(kept(300000) == NULL && mi__page_of(larger->start) == larger);
    give_back(larger);
    mi__thread_heap_collect(heap);
    check(kept(300000) == NULL && kept(100000) == NULL);
    check_equal(heap->kept_slices, 0);
    check(!mi__page_retire_singleton(page) && !mi__page_retire_singleton(larger));
}

static void
what_was_kept_comes_back_by_its_mark(void)
{
    thread_heap_t *heap = start();
    give_back(singleton(100000));
    page_t *page = singleton(100000);
    check_equal(page_owner(page), (uintptr_t)heap | OWNER_SINGLETON);
    // Another of its size took its place meanwhile.
    page_t *other = singleton(100000);
    check(other != page);
    check_equal(page_owner(other), OWNER_SINGLETON);
    give_back(other);
    heap->kept_slices = 0; // room is not what keeps it out
    check(kept(100000) == other && !thread_heap_keep_again(heap, page));
    check(mi__page_of(page->start) == page);
    check(singleton(100000) == other);
    check(thread_heap_keep_again(heap, page));
    check(kept(100000) == page && mi__page_of(page->start) == NULL);
    check(!mi__page_retire_singleton(page));
    // Grown beyond what is kept.
    mi__thread_heap_collect(heap);
    give_back(singleton((size_t)1 << 20));
    page = singleton((size_t)1 << 20);
    bool zero;
    check(mi__page_resize_singleton(page, KEPT_MAX + 1, &zero));
    check(page->slices == KEPT_MAX + 1);
    check(!thread_heap_keep_again(heap, page));
    check_equal(page_owner(page), (uintptr_t)heap | OWNER_SINGLETON);
    give_back(page);
    give_back(other);
}

static void
all_that_is_kept_is_bounded(void)
{
    thread_heap_t *heap = start();
    page_t *pages[KEPT_MAX + 1];
    for (size_t i = 2; i <= KEPT_MAX; i++) {
        pages[i] = singleton(i * SLICE_SIZE);
    }
    size_t slices = 0;
    for (size_t i = 2; i <= KEPT_MAX; i++) {
        give_back(pages[i]);
        slices += heap->kept[i] == NULL ? 0 : i;
    }
    check_equal(slices, 2 + 3 + 4 + 5);
    check_equal(slices, heap->kept_slices);
    // The largest goes only where nothing else is.
    give_back(singleton(KEPT_MAX * SLICE_SIZE));
    check(heap->kept[KEPT_MAX] == NULL);
    mi__thread_heap_collect(heap);
    give_back(singleton(KEPT_MAX * SLICE_SIZE));
    check(heap->kept[KEPT_MAX] != NULL);
}

// One that was out when the room was counted anew comes back all the same.
static void
more_may_be_kept_than_there_is_room_for(void)
{
    thread_heap_t *heap = start();
    give_back(singleton(10 * SLICE_SIZE));
    page_t *out = singleton(10 * SLICE_SIZE);
    take_many(BLOCK_MAX, HEAP_RARE_BEAT); // rare work comes by once
    check_equal(heap->kept_slices, 0);
    give_back(singleton(12 * SLICE_SIZE));
    check(thread_heap_keep_again(heap, out));
    take_many(BLOCK_MAX, HEAP_RARE_BEAT); // rare work comes by once
    check(heap->kept[10] == out && heap->kept[12] != NULL);
    check_equal(heap->kept_slices, 22);
    size_t before = slices_in_use();
    void *grown = heap->grown;
    static const size_t sizes[] = {KEPT_MAX + 1, 33, 42, 44, 128};
    heap->beats_left = HEAP_RARE_BEAT;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        give_back(singleton(sizes[i] * SLICE_SIZE));
        check_equal(slices_in_use(), before);
        check(heap->kept_slices == 22 && heap->grown == grown);
    }
}

static void
other_sizes_and_large_ones_are_not_kept(void)
{
    thread_heap_t *heap = start();
    page_t *first = singleton(100000);
    page_t *second = singleton(200000);
    // What came from elsewhere, and what was made long ago.
    heap->kept_sizes = 0;
    give_back(first);
    check(kept(100000) == NULL);
    give_back(second);
    check(kept(200000) == NULL);
    second = singleton(200000);
    give_back(second);
    check(kept(200000) == second);
    give_back(singleton((size_t)2 << 20));
    check_equal(heap->kept_slices, second->slices);
    // Nor does what is kept serve where more alignment is asked, or a thread without a heap keep any.
    bool zero;
    check(mi__thread_heap_singleton(mi__thread_heap, 200000, (size_t)1 << 20, &zero) != second);
    page_t *third = singleton(200000);
    check(mi__page_retire_singleton(third));
    mi__thread_heap_return_singleton((thread_heap_t *)(uintptr_t)&mi__thread_heap_none, third);
    check(kept(200000) == NULL);
}

static void
what_is_kept_stays_while_it_is_used(void)
{
    thread_heap_t *heap = start();
    page_t *page = singleton(100000);
    give_back(page);
    for (int i = 0; i < 4 * HEAP_RARE_BEAT; i++) {
        check(singleton(100000) == page);
        give_back(page);
    }
    // Rare work comes by once, and lets it go when it comes by again.
    take_many(BLOCK_MAX, HEAP_RARE_BEAT);
    check(kept(100000) == page);
    take_many(BLOCK_MAX, HEAP_RARE_BEAT);
    check(kept(100000) == NULL);
    check_equal(heap->kept_slices, 0);
}

static unsigned calls;
static bool forced;

static void
count_calls(bool force)
{
    calls++;
    forced = forced || force;
}

static void
rare_work_has_its_beat(void)
{
    (void)start();
    mi__hooks.deferred_free = count_calls;
    // Each block of this size is a call of the slow path.
    take_many(BLOCK_MAX, 4 * HEAP_RARE_BEAT);
    check(calls >= 3);
    check_at_most(calls, 5);
    unsigned before = calls;
    for (int i = 0; i < 4 * HEAP_RARE_BEAT; i++) {
        give_back(singleton(100000));
    }
    check(calls >= before + 3);
    check(!forced);
}

static void
the_short_refill_keeps_the_beat(void)
{
    thread_heap_t *heap = start();
    page_t *page = mi__page_of(take(BLOCK_MAX));
    unsigned refusals = 0;
    (void)page_push_local(page, page->start);
    for (int i = 0; i < 4 * HEAP_RARE_BEAT; i++) {
        size_t granted;
        if (thread_heap_swap(heap, page, &granted)) {
            check_equal(granted, 1);
            check(!thread_heap_grant(heap, page->class, granted));
            check((char *)page_pop(page, page->free) == page->start);
        } else {
            refusals++;
            check((char *)take(BLOCK_MAX) == page->start);
        }
        (void)page_push_local(page, page->start);
    }
    check(refusals >= 3);
    check_at_most(refusals, 5);
    check_equal(handed_out(heap, page->class), 4 * HEAP_RARE_BEAT + 1);
}

// ---- no memory ------------------------------------------------------------------------------

static void
no_memory_leaves_the_heap_in_order(void)
{
    thread_heap_t *heap = start();
    blocks[0] = take(100);
    limit_to(RLIMIT_DATA, data_bytes());
    size_t count = 1;
    bool zero;
    while ((blocks[count] = mi__thread_heap_alloc(mi__thread_heap, 4000, &zero)) != NULL) {
        check(++count < BLOCKS_MAX);
    }
    check(mi__thread_heap_alloc(mi__thread_heap, 4000, &zero) == NULL);
    check(mi__thread_heap_alloc(mi__thread_heap, 50000, &zero) == NULL);
    (void)check_heap(heap);
    // What is freed serves again.
    if (count > 1) {
        give(blocks[--count]);
        check(take(4000) == blocks[count]);
        count++;
    }
    (void)check_heap(heap);
    unlimit(RLIMIT_DATA);
    (void)take(4000);
    (void)take(50000);
    (void)check_heap(heap);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(no_heap_serves_nothing),
        fresh_test(a_fresh_heap_serves_nothing),
        fresh_test(an_entry_of_serving_is_its_class_only),
        fresh_test(the_first_block_binds_a_heap),
        fresh_test(every_class_gets_a_page),
        fresh_test(a_pair_stays_on_its_page),
        fresh_test(a_full_page_gives_way),
        fresh_test(a_full_page_comes_back_with_its_first_block),
        fresh_test(an_empty_page_is_released),
        fresh_test(a_class_comes_back_to_its_place),
        fresh_test(a_page_of_few_blocks_goes_through_all_states),
        fresh_test(at_random_all_stays_in_order),
        fresh_test(a_remote_free_brings_a_full_page_back),
        fresh_test(remote_frees_release_a_page),
        fresh_test(a_listed_page_is_released_when_it_is_drained),
        fresh_test(the_serving_page_takes_what_came_home),
        fresh_test(collecting_lets_go_of_serving_pages),
        fresh_test(collecting_keeps_what_is_in_use),
        fresh_test(an_orphans_page_is_given_away),
        fresh_test(giving_drains_first),
        fresh_test(blocks_are_counted_exactly),
        fresh_test(singletons_are_counted),
        fresh_test(a_singleton_is_kept_for_the_next_of_its_size),
        fresh_test(what_was_kept_comes_back_by_its_mark),
        fresh_test(all_that_is_kept_is_bounded),
        fresh_test(what_is_kept_stays_while_it_is_used),
        fresh_test(more_may_be_kept_than_there_is_room_for),
        fresh_test(other_sizes_and_large_ones_are_not_kept),
        fresh_test(rare_work_has_its_beat),
        fresh_test(the_short_refill_keeps_the_beat),
        fresh_test(no_memory_leaves_the_heap_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
