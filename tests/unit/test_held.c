// SPDX-License-Identifier: MIT
// test_held.c — heap/held.c: foreign blocks are held back within bounds (L1, L2), lent, and sent
// home.
#include "fresh.h"

#include "alloc/alloc.h"
#include "heap/held.h"
#include "heap/registry.h"

enum { BLOCKS_MAX = 20000 };
static char *blocks[BLOCKS_MAX];
static size_t block_count;
static size_t block_size;

// A heap for the thread, by a block of a class that no test uses.
static void
bind_heap(void)
{
    check(mi__alloc(40000) != NULL);
}

static void
start(void)
{
    mi__conf.held_bytes = 32 * 1024; // room to hold several of most sizes
    mi__conf.purge_delay_ms = -1;
    mi__conf.region_bytes_log2 = 30;
    bind_heap();
}

// `count` blocks of the main thread, in `blocks`.
static void
give_out(size_t size, size_t count)
{
    check(count <= BLOCKS_MAX);
    block_size = size;
    block_count = count;
    for (size_t i = 0; i < count; i++) {
        blocks[i] = mi__alloc(size);
        check(blocks[i] != NULL);
    }
}

// Blocks of the main thread's that its pages count as out.
static size_t
counted_out(void)
{
    size_t out = 0;
    page_t *before = NULL;
    for (size_t i = 0; i < block_count; i++) {
        page_t *page = mi__page_of(blocks[i]);
        if (page != NULL && page != before && (char *)mi__page_block_of(page, blocks[i]) == blocks[i]) {
            bool seen = false;
            for (size_t k = 0; k < i && !seen; k++) {
                seen = mi__page_of(blocks[k]) == page;
            }
            out += seen ? 0 : mi__page_blocks_granted(page) - mi__page_blocks_free(page);
            before = page;
        }
    }
    return out;
}

static size_t
index_of(const void *block)
{
    for (size_t i = 0; i < block_count; i++) {
        if (blocks[i] == block) {
            return i;
        }
    }
    return SIZE_MAX;
}

static void
free_all(void)
{
    for (size_t i = 0; i < block_count; i++) {
        mi__free(blocks[i]);
    }
}

static bool
is_stand_in(const page_t *page)
{
    return (page->flags & PAGE_STAND_IN) != 0;
}

static page_t *
serving(void)
{
    return mi__thread_heap_serving(mi__thread_heap, sizeclass_of(block_size));
}

static bool
all_quiet(void)
{
    for (size_t i = 0; i < block_count; i++) {
        if (!mi__remote_is_quiet(mi__page_of(blocks[i]))) {
            return false;
        }
    }
    return true;
}

// ---- holding --------------------------------------------------------------------------------

static void *
hold_a_few(void *arg)
{
    (void)arg;
    bind_heap();
    check(mi__thread_heap->held == NULL);
    free_all();
    check(mi__thread_heap->held != NULL);
    // L1: nothing is on its way, and all still count.
    check(all_quiet());
    check_equal(counted_out(), block_count);
    mi__held_flush(mi__thread_heap);
    check(!all_quiet());
    mi__held_flush(mi__thread_heap);
    return NULL;
}

static void
a_few_foreign_blocks_are_held_back(void)
{
    start();
    give_out(100, 20);
    run_thread(hold_a_few, NULL);
    check_equal(counted_out(), 20);
    mi__thread_heap_drain(mi__thread_heap);
    check_equal(counted_out(), 0);
}

static void *
hold_too_many(void *arg)
{
    (void)arg;
    bind_heap();
    size_t bound = (size_t)mi__conf.held_bytes / sizeclass_block_size(sizeclass_of(block_size)) + 2;
    size_t sent_at = 0;
    for (size_t i = 0; i < block_count; i++) {
        mi__free(blocks[i]);
        if (sent_at == 0 && !all_quiet()) {
            sent_at = i + 1;
        }
    }
    // L2: by then the bound was reached, and not long before.
    check(sent_at > 0);
    check_at_most(sent_at, bound);
    return NULL;
}

static void
many_go_home_by_themselves(void)
{
    start();
    static const size_t sizes[] = {16, 100, 1000, 5000, 20000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        give_out(sizes[i], (size_t)mi__conf.held_bytes / sizes[i] * 2 + 10);
        run_thread(hold_too_many, NULL);
        mi__thread_heap_drain(mi__thread_heap);
        // What the thread still held went home with its end.
        check_equal(counted_out(), 0);
    }
}

static void *
hold_nothing(void *arg)
{
    (void)arg;
    bind_heap();
    for (size_t i = 0; i < block_count; i++) {
        check(all_quiet());
        mi__free(blocks[i]);
        check(!all_quiet());
        pthread_barrier_wait(arg);
        pthread_barrier_wait(arg);
    }
    return NULL;
}

static void
with_a_bound_of_zero_each_goes_at_once(void)
{
    start();
    mi__conf.held_bytes = 0;
    give_out(100, 30);
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_t thread;
    check(pthread_create(&thread, NULL, hold_nothing, &barrier) == 0);
    for (size_t i = 0; i < block_count; i++) {
        pthread_barrier_wait(&barrier);
        mi__thread_heap_drain(mi__thread_heap);
        check_equal(counted_out(), block_count - i - 1);
        pthread_barrier_wait(&barrier);
    }
    check(pthread_join(thread, NULL) == 0);
}

static void *
hold_all_classes(void *arg)
{
    (void)arg;
    bind_heap();
    free_all();
    return NULL;
}

// L2, over all classes: the owner gets most of it back though the thread lives on.
static void
all_classes_together_are_bounded(void)
{
    start();
    size_t count = 0;
    size_t bytes = 0;
    for (unsigned class = 0; class < CLASS_COUNT; class += 1) {
        for (size_t of_class = 0; of_class + sizeclass_block_size(class) < (size_t)mi__conf.held_bytes;
             of_class += sizeclass_block_size(class)) {
            blocks[count] = mi__alloc(sizeclass_block_size(class));
            check(blocks[count] != NULL);
            bytes += sizeclass_block_size(class);
            check(++count < BLOCKS_MAX);
        }
    }
    block_count = count;
    check(bytes > 16 * (size_t)mi__conf.held_bytes);
    run_thread(hold_all_classes, NULL);
    mi__thread_heap_drain(mi__thread_heap);
    (void)mi__collect(false);
    for (size_t i = 0; i < count; i++) {
        page_t *page = mi__page_of(blocks[i]);
        // The page of the block that start() took is left.
        check(page == NULL || mi__page_blocks_granted(page) - mi__page_blocks_free(page) <= 1);
    }
}

static void
chains_are_sorted_by_page(void)
{
    start();
    mi__conf.held_bytes = 4 * 1024 * 1024;
    // Blocks of many pages, mixed.
    give_out(3000, 400);
    uint64_t random = 3;
    for (size_t i = block_count - 1; i > 0; i--) {
        size_t with = random_next(&random) % (i + 1);
        char *block = blocks[i];
        blocks[i] = blocks[with];
        blocks[with] = block;
    }
    run_thread(hold_a_few, NULL);
    mi__thread_heap_drain(mi__thread_heap);
    check_equal(counted_out(), 0);
}

// ---- lending --------------------------------------------------------------------------------

static void *
borrow(void *arg)
{
    (void)arg;
    bind_heap();
    free_all();
    size_t seen = 0;
    // Blocks held back serve before a page is made, each once.
    for (size_t i = 0; i < block_count; i++) {
        char *block = mi__alloc(block_size);
        memset(block, 1, block_size);
        size_t at = index_of(block);
        check(at != SIZE_MAX);
        seen += at;
        if (i == 0) {
            check(is_stand_in(serving()));
        }
    }
    check_equal(seen, block_count * (block_count - 1) / 2);
    check_equal(counted_out(), block_count);
    // Then a page of its own.
    char *own = mi__alloc(block_size);
    check_equal(page_owner(mi__page_of(own)), (uintptr_t)mi__thread_heap);
    check(!is_stand_in(serving()));
    mi__free(own);
    // And they are foreign again.
    free_all();
    return NULL;
}

static void
held_blocks_serve_the_thread(void)
{
    static const size_t sizes[] = {16, 64, 500, 1024, 2000};
    start();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        give_out(sizes[i], 7);
        run_thread(borrow, NULL);
        mi__thread_heap_drain(mi__thread_heap);
        check_equal(counted_out(), 0);
    }
}

static void
check_held(size_t held_expected, size_t lent_expected)
{
    size_t held;
    size_t lent;
    mi__held_count(mi__thread_heap, sizeclass_of(block_size), &held, &lent);
    check_equal(held, held_expected);
    check_equal(lent, lent_expected);
}

static void *
count_held(void *arg)
{
    check_held(0, 0);
    bind_heap();
    check_held(0, 0);
    free_all();
    check_held(block_count, 0);
    for (size_t i = 1; i <= block_count; i++) {
        check(mi__alloc(block_size) != NULL);
        check_held(0, block_count - i);
    }
    mi__free(blocks[0]);
    mi__free(blocks[1]);
    check_held(2, 0);
    mi__held_flush(mi__thread_heap);
    check_held(0, 0);
    return arg;
}

static void
what_is_held_and_lent_is_known(void)
{
    start();
    give_out(500, 10);
    run_thread(count_held, NULL);
}

static void *
borrow_behind_a_page(void *arg)
{
    (void)arg;
    // A page of the thread's own serves, and is used up.
    char *own = mi__alloc(block_size);
    page_t *page = mi__page_of(own);
    check(serving() == page);
    while (page->free != NULL) {
        check(mi__alloc(block_size) != NULL);
    }
    free_all();
    for (size_t i = 0; i < block_count; i++) {
        check(index_of(mi__alloc(block_size)) != SIZE_MAX);
        check(is_stand_in(serving()));
        check(serving()->next == page);
        check(page_is_pinned(page));
    }
    // The page that was stood in for serves again.
    check(mi__page_of(mi__alloc(block_size)) == page);
    check(serving() == page);
    // And what its owner freed goes before what is held.
    free_all();
    mi__free(own);
    while (page->free != NULL) {
        (void)!mi__alloc(block_size);
    }
    check(index_of(mi__alloc(block_size)) != SIZE_MAX || mi__page_of(own) == page);
    return NULL;
}

static void
a_stand_in_steps_aside(void)
{
    start();
    give_out(500, 10);
    run_thread(borrow_behind_a_page, NULL);
}

static void *
collect_while_lent(void *arg)
{
    (void)arg;
    bind_heap();
    free_all();
    char *block = mi__alloc(block_size);
    check(index_of(block) != SIZE_MAX);
    check(is_stand_in(serving()));
    uint64_t *granted = &mi__thread_heap->granted[sizeclass_of(block_size)];
    check_equal(*granted, block_count);
    // The rest goes home, and counts as if it had never been taken.
    mi__thread_heap_collect(mi__thread_heap);
    check(serving() == &mi__page_none);
    check_equal(*granted, 1);
    check(!all_quiet());
    mi__free(block);
    return NULL;
}

static void
what_is_lent_goes_home_too(void)
{
    start();
    give_out(500, 10);
    run_thread(collect_while_lent, NULL);
    mi__thread_heap_drain(mi__thread_heap);
    check_equal(counted_out(), 0);
}

static void *
end_while_lent(void *arg)
{
    (void)arg;
    bind_heap();
    free_all();
    blocks[block_count] = mi__alloc(block_size);
    check(is_stand_in(serving()));
    return NULL;
}

static void
a_thread_may_end_with_a_stand_in(void)
{
    start();
    give_out(500, 10);
    run_thread(end_while_lent, NULL);
    mi__thread_heap_drain(mi__thread_heap);
    check_equal(counted_out(), 1);
    // The block that it took is still a block of ours.
    char *taken = blocks[block_count];
    check(index_of(taken) != SIZE_MAX);
    mi__free(taken);
    check_equal(counted_out(), 0);
}

static void *
zeroed_from_held(void *arg)
{
    (void)arg;
    bind_heap();
    for (size_t i = 0; i < block_count; i++) {
        memset(blocks[i], 0xff, block_size);
    }
    free_all();
    for (size_t i = 0; i < block_count; i++) {
        char *block = mi__alloc_zeroed(block_size);
        check(index_of(block) != SIZE_MAX);
        check(is_zero(block, mi__usable_size(block, "test")));
    }
    return NULL;
}

static void
lent_blocks_are_not_taken_for_zero(void)
{
    start();
    give_out(700, 10);
    run_thread(zeroed_from_held, NULL);
}

// An address inside of a block would be lost on the way home through a page that does not know of
// it.
static void *
aligned_from_held(void *arg)
{
    (void)arg;
    bind_heap();
    free_all();
    for (size_t i = 0; i < 2 * block_count; i++) {
        char *p = mi__alloc_aligned(block_size - 64, 64, 8, false);
        check(p != NULL && is_aligned(p + 8, 64));
        memset(p, 1, block_size - 64);
        mi__free(p);
    }
    return NULL;
}

static void
offsets_and_lent_blocks_get_along(void)
{
    start();
    give_out(704, 10);
    run_thread(aligned_from_held, NULL);
    (void)mi__collect(true);
    check_equal(counted_out(), 0);
}

// ---- without a heap, without an owner -------------------------------------------------------

static void *
free_without_heap(void *arg)
{
    (void)arg;
    free_all();
    check(thread_heap_is_none(mi__thread_heap));
    return NULL;
}

static void
a_thread_without_heap_sends_at_once(void)
{
    start();
    give_out(100, 50);
    run_thread(free_without_heap, NULL);
    check_equal(counted_out(), 50);
    mi__thread_heap_drain(mi__thread_heap);
    check_equal(counted_out(), 0);
}

static void *
leave_blocks(void *arg)
{
    (void)arg;
    give_out(100, 50);
    return NULL;
}

static void
blocks_of_orphans_are_held_and_sent(void)
{
    start();
    run_thread(leave_blocks, NULL);
    free_all();
    check_equal(counted_out(), 50);
    mi__held_flush(mi__thread_heap);
    // Nobody else would drain the orphan: the page is gone already.
    check(mi__page_of(blocks[0]) == NULL);
}

// Blocks are held while the page is an orphan's; then it is ours.
static page_t *
hold_and_adopt(void)
{
    run_thread(leave_blocks, NULL);
    for (size_t i = 0; i < 20; i++) {
        mi__free(blocks[i]);
    }
    page_t *page = mi__registry_adopt_page(mi__thread_heap, sizeclass_of(100));
    check(page == mi__page_of(blocks[0]));
    return page;
}

static void
our_own_page_may_have_been_somebody_elses(void)
{
    start();
    page_t *page = hold_and_adopt();
    mi__held_flush(mi__thread_heap);
    check_equal(mi__page_blocks_granted(page), 50);
    check(mi__remote_drain(&mi__thread_heap->owner) == page);
    check(mi__remote_unlist(page) == NULL);
    check_equal(mi__page_blocks_granted(page), 30);
    check(mi__page_verify(page));
}

static void
collecting_takes_in_what_was_held_of_it(void)
{
    start();
    page_t *page = hold_and_adopt();
    mi__thread_heap_collect(mi__thread_heap);
    check_equal(mi__page_blocks_granted(page), 30);
    check(atomic_get_relaxed(&mi__thread_heap->owner.pending) == NULL);
}

// ---- trading --------------------------------------------------------------------------------

enum { TRADERS = 4, SLOTS = 512 };
static _Atomic(char *) slots[SLOTS];

// Each takes what lies in a slot and puts a block of its own there: most frees are foreign.
static void *
trade(void *arg)
{
    uint64_t random = *(uint64_t *)arg;
    for (int i = 0; i < (SANITIZED ? 20000 : 200000); i++) {
        size_t size = 16 + random_next(&random) % 900;
        char *block = mi__alloc(size);
        check(block != NULL);
        *(size_t *)(void *)block = size;
        block[size - 1] = (char)size;
        char *old = atomic_exchange_acq_rel(&slots[random_next(&random) % SLOTS], block);
        if (old != NULL) {
            size = *(size_t *)(void *)old;
            check(size >= 16 && size < 916);
            check(old[size - 1] == (char)size);
            old[size - 1] = (char)~size;
            mi__free(old);
        }
    }
    return NULL;
}

static void
traders_keep_their_blocks_apart(void)
{
    start();
    uint64_t seeds[TRADERS] = {1, 2, 3, 4};
    run_threads(TRADERS, trade, seeds, sizeof seeds[0]);
    for (int i = 0; i < SLOTS; i++) {
        mi__free(atomic_load(&slots[i]));
    }
    (void)mi__collect(true);
    size_t all;
    size_t dirty;
    mi__slices_count(&all, &dirty);
    // The one block of start() is left.
    check_equal(mi__region_committed_bytes() - all, MEDIUM_PAGE_SLICES * SLICE_SIZE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(a_few_foreign_blocks_are_held_back),
        fresh_test(many_go_home_by_themselves),
        fresh_test(with_a_bound_of_zero_each_goes_at_once),
        fresh_test(all_classes_together_are_bounded),
        fresh_test(chains_are_sorted_by_page),
        fresh_test(held_blocks_serve_the_thread),
        fresh_test(what_is_held_and_lent_is_known),
        fresh_test(a_stand_in_steps_aside),
        fresh_test(what_is_lent_goes_home_too),
        fresh_test(a_thread_may_end_with_a_stand_in),
        fresh_test(lent_blocks_are_not_taken_for_zero),
        fresh_test(offsets_and_lent_blocks_get_along),
        fresh_test(a_thread_without_heap_sends_at_once),
        fresh_test(blocks_of_orphans_are_held_and_sent),
        fresh_test(our_own_page_may_have_been_somebody_elses),
        fresh_test(collecting_takes_in_what_was_held_of_it),
        fresh_test(traders_keep_their_blocks_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
