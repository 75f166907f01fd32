// SPDX-License-Identifier: MIT
// test_remote.c — page/remote.c: pushes, the pending list, taking, unlisting and moving, alone and
// under contention.
#include "fresh.h"

#include "os/os.h"
#include "page/remote.h"

enum { BLOCKS_MAX = SLICE_SIZE / GRANULE };

static MI_ALIGNED(64) owner_t owner;
static MI_ALIGNED(64) owner_t other;
static block_t *blocks[BLOCKS_MAX];
static uint32_t block_count;

static void
start(void)
{
    mi__os_init();
    mi__conf.purge_delay_ms = -1;
    mi__conf.region_bytes_log2 = 28;
    check(mi__region_init());
}

// A page all of whose blocks are out, in `blocks`.
static page_t *
page_given_out(size_t size)
{
    page_t *page = mi__page_new(sizeclass_of(size), (uintptr_t)&owner, NULL);
    check(page != NULL);
    page_pin(page);
    block_count = 0;
    while (mi__page_extend(page) > 0) {
        while (page->free != NULL) {
            blocks[block_count++] = page_pop(page, page->free);
        }
    }
    page_unpin(page);
    check_equal(page->used, block_count);
    return page;
}

static size_t
length(const block_t *block)
{
    size_t count = 0;
    for (; block != NULL; block = block->next) {
        count++;
    }
    return count;
}

static owner_t *
push_one(page_t *page, block_t *block)
{
    return mi__remote_push(page, block, block, 1);
}

// ---- pushing and taking ---------------------------------------------------------------------

static void
the_first_push_lists_the_page(void)
{
    start();
    page_t *page = page_given_out(64);
    check(mi__remote_is_quiet(page));
    check(mi__remote_drain(&owner) == NULL);
    check(push_one(page, blocks[0]) == &owner);
    check(!mi__remote_is_quiet(page));
    check(push_one(page, blocks[1]) == NULL);
    check(push_one(page, blocks[2]) == NULL);
    check(mi__remote_drain(&owner) == page);
    check(mi__remote_drain(&owner) == NULL);
}

// Nothing of the owner's changes until the owner comes by.
static void
a_push_leaves_the_owners_fields_alone(void)
{
    start();
    page_t *page = page_given_out(64);
    uint32_t used = page->used;
    check(push_one(page, blocks[0]) == &owner);
    check_equal(page->used, used);
    check(page->local_free == NULL && page->free == NULL);
    check_equal(page_owner(page), (uintptr_t)&owner);
}

static void
what_waits_is_counted(void)
{
    start();
    page_t *page = page_given_out(64);
    check_equal(mi__remote_count(page), 0);
    for (size_t i = 0; i < 5; i++) {
        (void)push_one(page, blocks[i]);
        check_equal(mi__remote_count(page), i + 1);
    }
    // Without a look at the blocks.
    block_t *next = blocks[2]->next;
    blocks[2]->next = (block_t *)(uintptr_t)0x12345678;
    check_equal(mi__remote_count(page), 5);
    check(mi__remote_first(page) == blocks[4]);
    blocks[2]->next = next;
    check_equal(mi__remote_take(page), 5);
    check_equal(mi__remote_count(page), 0);
    check(mi__remote_first(page) == NULL);
}

// The first and the last block of a page, and all of them, for every class.
static void
places_and_numbers_fit_into_the_word(void)
{
    start();
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        page_t *page = page_given_out(sizeclass_block_size(class));
        for (uint32_t i = 0; i + 1 < block_count; i++) {
            blocks[i]->next = blocks[i + 1];
        }
        check(mi__remote_push(page, blocks[0], blocks[block_count - 1], block_count) == &owner);
        check(mi__remote_first(page) == blocks[0]);
        check_equal(mi__remote_count(page), block_count);
        check(mi__remote_drain(&owner) == page);
        check(mi__remote_unlist(page) == NULL);
        check_equal(length(page->local_free), block_count);
        check_equal(page->used, 0);
        check(mi__page_verify(page));
        page = page_given_out(sizeclass_block_size(class));
        check(push_one(page, blocks[block_count - 1]) == &owner);
        check(push_one(page, blocks[0]) == NULL);
        check_equal(mi__remote_take(page), 2);
        check(page->local_free == blocks[0] && blocks[0]->next == blocks[block_count - 1]);
        check(blocks[block_count - 1]->next == NULL);
        check(mi__remote_drain(&owner) == page && mi__remote_unlist(page) == NULL);
    }
}

static void
taking_leaves_the_page_listed(void)
{
    start();
    page_t *page = page_given_out(64);
    check_equal(mi__remote_take(page), 0);
    check(push_one(page, blocks[0]) == &owner);
    check(push_one(page, blocks[1]) == NULL);
    check_equal(mi__remote_take(page), 2);
    check_equal(page->used, block_count - 2);
    check_equal(length(page->local_free), 2);
    check(!mi__remote_is_quiet(page));
    check_equal(mi__remote_take(page), 0);
    // Listed once is enough.
    check(push_one(page, blocks[2]) == NULL);
    check(mi__remote_drain(&owner) == page);
    check(mi__remote_unlist(page) == NULL);
    check_equal(page->used, block_count - 3);
    check(mi__remote_is_quiet(page));
    check(mi__page_verify(page));
}

static void
an_unlisted_page_is_listed_again(void)
{
    start();
    page_t *page = page_given_out(1000);
    for (uint32_t i = 0; i < block_count; i++) {
        check(push_one(page, blocks[i]) == &owner);
        page_t *drained = mi__remote_drain(&owner);
        check(drained == page);
        check(mi__remote_unlist(drained) == NULL);
        check_equal(page->used, block_count - i - 1);
    }
    check(mi__page_verify(page));
    check_equal(page->used, 0);
    mi__page_release(page);
}

static void
chains_travel_whole(void)
{
    start();
    page_t *page = page_given_out(64);
    for (uint32_t i = 0; i < 9; i++) {
        blocks[i]->next = blocks[i + 1];
    }
    blocks[9]->next = (block_t *)(uintptr_t)0x41414141; // the last link may be anything
    check(mi__remote_push(page, blocks[0], blocks[9], 10) == &owner);
    blocks[10]->next = blocks[11];
    check(mi__remote_push(page, blocks[10], blocks[11], 2) == NULL);
    check_equal(mi__remote_take(page), 12);
    check_equal(length(page->local_free), 12);
    check_equal(page->used, block_count - 12);
    check(mi__page_verify(page));
}

static void
what_was_freed_at_home_stays_on_the_list(void)
{
    start();
    page_t *page = page_given_out(64);
    check(!page_push_local(page, blocks[0]));
    check(push_one(page, blocks[1]) == &owner);
    check(!page_push_local(page, blocks[2]));
    check_equal(mi__remote_take(page), 1);
    check_equal(length(page->local_free), 3);
    check(mi__page_verify(page));
}

static void
several_pages_pend_together(void)
{
    start();
    page_t *pages[5];
    for (int i = 0; i < 5; i++) {
        pages[i] = page_given_out(4096);
        check(push_one(pages[i], blocks[0]) == &owner);
        check(push_one(pages[i], blocks[1]) == NULL);
    }
    unsigned seen = 0;
    for (page_t *page = mi__remote_drain(&owner); page != NULL;) {
        page_t *drained = page;
        page = mi__remote_unlist(page);
        for (int i = 0; i < 5; i++) {
            seen |= drained == pages[i] ? 1U << i : 0;
        }
        check_equal(drained->used, drained->reserved - 2);
        check(mi__remote_is_quiet(drained));
    }
    check_equal(seen, 31);
}

static void
a_push_between_drain_and_unlist_is_not_lost(void)
{
    start();
    page_t *page = page_given_out(64);
    check(push_one(page, blocks[0]) == &owner);
    check(mi__remote_drain(&owner) == page);
    // Still listed: this one rides along.
    check(push_one(page, blocks[1]) == NULL);
    check(mi__remote_drain(&owner) == NULL);
    check(mi__remote_unlist(page) == NULL);
    check_equal(page->used, block_count - 2);
}

// ---- moving ---------------------------------------------------------------------------------

static void
a_quiet_page_moves(void)
{
    start();
    page_t *page = page_given_out(64);
    page_set_owner_flag(page, OWNER_FULL);
    page_set_owner_flag(page, OWNER_INTERIOR);
    check(mi__remote_move(page, &other));
    check_equal(page_owner(page), (uintptr_t)&other | OWNER_FULL | OWNER_INTERIOR);
    check(mi__remote_is_quiet(page));
    check(push_one(page, blocks[0]) == &other);
    check(mi__remote_drain(&owner) == NULL);
    check(mi__remote_drain(&other) == page);
    check(mi__remote_unlist(page) == NULL);
    check_equal(page->used, block_count - 1);
}

static void
a_listed_page_does_not_move(void)
{
    start();
    page_t *page = page_given_out(64);
    check(push_one(page, blocks[0]) == &owner);
    check(!mi__remote_move(page, &other));
    check_equal(mi__remote_take(page), 1);
    // Taken, but still listed.
    check(!mi__remote_move(page, &other));
    check_equal(page_owner(page), (uintptr_t)&owner);
    check(mi__remote_drain(&owner) == page);
    check(!mi__remote_move(page, &other));
    check(mi__remote_unlist(page) == NULL);
    check(mi__remote_move(page, &other));
    check(mi__remote_move(page, &owner));
    check_equal(page_owner(page), (uintptr_t)&owner);
}

static void
pages_with_inner_slices_move(void)
{
    start();
    page_t *page = page_given_out(BLOCK_MAX);
    check(mi__remote_move(page, &other));
    for (uint32_t i = 0; i < block_count; i++) {
        page_t *head = mi__page_of(blocks[i]);
        check(head == page);
        check(push_one(head, blocks[i]) == (i == 0 ? &other : NULL));
    }
    check(mi__remote_drain(&other) == page);
    check(mi__remote_unlist(page) == NULL);
    check_equal(page->used, 0);
}

// ---- under contention -----------------------------------------------------------------------

enum { PUSHERS = 3, ROUNDS = 16 };
static page_t *shared_page;
static block_t *shares[PUSHERS][BLOCKS_MAX];
static size_t share_counts[PUSHERS];
static _Atomic(size_t) listings;
static _Atomic(unsigned) pushers_done;

// Pushes a share, now a block, now a chain.
static void *
push_share(void *arg)
{
    size_t who = *(size_t *)arg;
    block_t **mine = shares[who];
    uint64_t random = who + 1;
    for (size_t i = 0; i < share_counts[who];) {
        size_t count = size_min(1 + random_next(&random) % 4, share_counts[who] - i);
        for (size_t k = 0; k + 1 < count; k++) {
            mine[i + k]->next = mine[i + k + 1];
        }
        if (mi__remote_push(shared_page, mine[i], mine[i + count - 1], (uint32_t)count) != NULL) {
            atomic_fetch_add(&listings, 1);
        }
        i += count;
        if (random_next(&random) % 8 == 0) {
            sched_yield();
        }
    }
    atomic_fetch_add(&pushers_done, 1);
    return NULL;
}

static void
share_out(void)
{
    memset(share_counts, 0, sizeof share_counts);
    for (uint32_t i = 0; i < block_count; i++) {
        size_t who = i % PUSHERS;
        shares[who][share_counts[who]++] = blocks[i];
    }
    atomic_store(&pushers_done, 0);
}

static size_t
drain_owner(owner_t *of)
{
    size_t pages = 0;
    for (page_t *page = mi__remote_drain(of); page != NULL; pages++) {
        check(page == shared_page);
        page = mi__remote_unlist(page);
    }
    return pages;
}

// The owner at work while others push: `at_work` runs again and again, and once more when all is
// pushed.
static size_t
push_while(size_t (*at_work)(void))
{
    pthread_t threads[PUSHERS];
    size_t names[PUSHERS];
    size_t drained = 0;
    atomic_store(&listings, 0);
    share_out();
    for (size_t i = 0; i < PUSHERS; i++) {
        names[i] = i;
        check(pthread_create(&threads[i], NULL, push_share, &names[i]) == 0);
    }
    while (atomic_load(&pushers_done) < PUSHERS) {
        drained += at_work();
    }
    for (int i = 0; i < PUSHERS; i++) {
        check(pthread_join(threads[i], NULL) == 0);
    }
    drained += at_work();
    // A page that was pushed to while it moved was listed by the mover, who is not told.
    check_at_most(atomic_load(&listings), drained);
    return drained;
}

static size_t
take_and_drain(void)
{
    (void)mi__remote_take(shared_page);
    return drain_owner(&owner);
}

static void
check_all_home(void)
{
    check_equal(shared_page->used, 0);
    check_equal(length(shared_page->local_free), block_count);
    check(mi__page_verify(shared_page));
    check(mi__remote_is_quiet(shared_page));
    mi__page_release(shared_page);
}

// T1 and T2: each block comes home once, each listing is drained once.
static void
nothing_is_lost_while_the_owner_drains(void)
{
    start();
    for (int i = 0; i < ROUNDS; i++) {
        shared_page = page_given_out(i % 2 == 0 ? 16 : 256);
        size_t drained = push_while(take_and_drain);
        check_equal(drained, atomic_load(&listings));
        check_all_home();
    }
}

static owner_t *
to_other(void)
{
    bool is_first = (page_owner(shared_page) & ~(uintptr_t)OWNER_FLAGS) == (uintptr_t)&owner;
    return is_first ? &other : &owner;
}

static size_t moves;

static size_t
drain_and_move(void)
{
    size_t drained = drain_owner(&owner) + drain_owner(&other);
    if (mi__remote_move(shared_page, to_other())) {
        moves++;
    }
    return drained;
}

// T4: a push that meets a moving page lists it with its new owner.
static void
nothing_is_lost_while_the_page_moves(void)
{
    start();
    for (int i = 0; i < ROUNDS; i++) {
        shared_page = page_given_out(i % 2 == 0 ? 16 : 256);
        (void)push_while(drain_and_move);
        (void)drain_owner(&owner);
        (void)drain_owner(&other);
        check_all_home();
    }
    check(moves > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(the_first_push_lists_the_page),
        fresh_test(a_push_leaves_the_owners_fields_alone),
        fresh_test(what_waits_is_counted),
        fresh_test(places_and_numbers_fit_into_the_word),
        fresh_test(taking_leaves_the_page_listed),
        fresh_test(an_unlisted_page_is_listed_again),
        fresh_test(chains_travel_whole),
        fresh_test(what_was_freed_at_home_stays_on_the_list),
        fresh_test(several_pages_pend_together),
        fresh_test(a_push_between_drain_and_unlist_is_not_lost),
        fresh_test(a_quiet_page_moves),
        fresh_test(a_listed_page_does_not_move),
        fresh_test(pages_with_inner_slices_move),
        fresh_test(nothing_is_lost_while_the_owner_drains),
        fresh_test(nothing_is_lost_while_the_page_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
