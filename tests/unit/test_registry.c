// SPDX-License-Identifier: MIT
// test_registry.c — heap/registry.c: the start, binding heaps to threads, orphans, and what a
// thread costs. Fork: test_registry_fork.c.
#include "fresh.h"

#include <sys/prctl.h>

#include "alloc/alloc.h"
#include "heap/registry.h"
#include "os/os.h"
#include "page/remote.h"

// ---- the start, which the test sees ---------------------------------------------------------

static _Atomic(unsigned) first_uses;
static size_t regions_at_first_use = SIZE_MAX;

// In place of the one in front/init.c.
void
mi__front_first_use(void)
{
    atomic_fetch_add(&first_uses, 1);
    regions_at_first_use = mi__region_count();
    mi__conf.purge_delay_ms = -1;
    mi__conf.region_bytes_log2 = 32;
}

static size_t
heaps_made(void)
{
    size_t made;
    size_t live;
    mi__registry_count(&made, &live);
    return made;
}

static size_t
heaps_live(void)
{
    size_t made;
    size_t live;
    mi__registry_count(&made, &live);
    return live;
}

static void
the_start_happens_once_before_the_first_region(void)
{
    check_equal(first_uses, 0);
    check_equal(heaps_made() + heaps_live(), 0);
    check(mi__registry_first() == NULL);
    check(mi__alloc(10) != NULL);
    check_equal(first_uses, 1);
    check_equal(regions_at_first_use, 0);
    check(mi__alloc(100000) != NULL);
    mi__registry_leave();
    check(mi__alloc(10) != NULL);
    check_equal(first_uses, 1);
}

static void *
alloc_one(void *arg)
{
    *(void **)arg = mi__alloc(24);
    check(*(void **)arg != NULL);
    return NULL;
}

static void
threads_start_it_together(void)
{
    static void *blocks[16];
    run_threads(16, alloc_one, blocks, sizeof blocks[0]);
    check_equal(first_uses, 1);
    check_equal(mi__region_count(), 1);
    for (int i = 0; i < 16; i++) {
        for (int k = 0; k < i; k++) {
            check(blocks[i] != blocks[k]);
        }
    }
}

static void
a_failed_start_is_tried_again(void)
{
    size_t space = address_space_bytes();
    limit_to(RLIMIT_DATA, data_bytes() + 64 * KIB);
    for (int i = 0; i < 20; i++) {
        errno = 0;
        check(mi__alloc(100) == NULL);
        check_equal(errno, ENOMEM);
        check(mi__alloc(100000) == NULL);
        check(thread_heap_is_none(mi__thread_heap));
        mi__free(NULL);
    }
    // Trying again costs no address space each time.
    check_at_most(address_space_bytes() - space, 6 * GIB);
    unlimit(RLIMIT_DATA);
    check(mi__alloc(100) != NULL);
    check_equal(mi__region_count(), 1);
}

// ---- binding --------------------------------------------------------------------------------

static void
the_first_block_binds_a_heap(void)
{
    check(thread_heap_is_none(mi__thread_heap));
    check(mi__alloc(10) != NULL);
    thread_heap_t *heap = mi__thread_heap;
    check(!thread_heap_is_none(heap));
    check(is_aligned(heap, 64));
    check(mi__registry_first() == heap && heap->next_made == NULL);
    check_equal(heaps_made(), 1);
    check_equal(heaps_live(), 1);
}

static void
frees_bind_no_heap(void)
{
    mi__free(NULL);
    check(mi__usable_size(NULL, "test") == 0);
    check(thread_heap_is_none(mi__thread_heap));
    check_equal(heaps_made(), 0);
    check_equal(first_uses, 0);
}

static void
a_heap_is_left_and_taken_again(void)
{
    char *block = mi__alloc(100);
    fill(block, 100, 1);
    thread_heap_t *heap = mi__thread_heap;
    for (int i = 0; i < 100; i++) {
        mi__registry_leave();
        check(thread_heap_is_none(mi__thread_heap));
        check_equal(heaps_live(), 0);
        mi__registry_leave();
        check_equal(heaps_live(), 0);
        check(mi__registry_bind() == heap);
        check(mi__thread_heap == heap);
        check_equal(heaps_live(), 1);
    }
    check_equal(heaps_made(), 1);
    check(is_filled(block, 100, 1));
    check_equal(page_owner(mi__page_of(block)), (uintptr_t)heap);
    mi__free(block);
}

static void *
use_a_little(void *arg)
{
    void *block = mi__alloc(64);
    void *large = mi__alloc(70000);
    check(block != NULL && large != NULL);
    mi__free(block);
    mi__free(large);
    if (arg != NULL) {
        *(thread_heap_t **)arg = mi__thread_heap;
    }
    return NULL;
}

static void
threads_in_turn_share_one_heap(void)
{
    for (int i = 0; i < 500; i++) {
        thread_heap_t *heap = NULL;
        run_thread(use_a_little, &heap);
        check(heap == mi__registry_first());
        check_equal(heaps_live(), 0);
    }
    check_equal(heaps_made(), 1);
    check_equal(slices_in_use(), 0);
}

static pthread_barrier_t barrier;

static void *
bind_and_wait(void *arg)
{
    (void)use_a_little(arg);
    pthread_barrier_wait(&barrier);
    return NULL;
}

static void
threads_at_once_have_heaps_of_their_own(void)
{
    static thread_heap_t *heaps[32];
    pthread_barrier_init(&barrier, NULL, 32);
    for (int round = 0; round < 10; round++) {
        run_threads(32, bind_and_wait, heaps, sizeof heaps[0]);
        for (int i = 0; i < 32; i++) {
            for (int k = 0; k < i; k++) {
                check(heaps[i] != heaps[k]);
            }
        }
        check_equal(heaps_live(), 0);
    }
    // A heap that is busy is passed over, which may cost a few.
    check(heaps_made() >= 32);
    check_at_most(heaps_made(), 48);
    size_t count = 0;
    for (thread_heap_t *heap = mi__registry_first(); heap != NULL; heap = heap->next_made) {
        count++;
    }
    check_equal(count, heaps_made());
    check_equal(slices_in_use(), 0);
}

static void *
bind_often(void *arg)
{
    uint64_t random = *(uint64_t *)arg;
    void *kept[8] = {0};
    for (int i = 0; i < (SANITIZED ? 1000 : 10000); i++) {
        size_t at = random_next(&random) % 8;
        mi__free(kept[at]);
        kept[at] = mi__alloc(random_next(&random) % 3000);
        check(kept[at] != NULL);
        if (random_next(&random) % 3 == 0) {
            mi__registry_leave();
        }
    }
    for (int i = 0; i < 8; i++) {
        mi__free(kept[i]);
    }
    return NULL;
}

// G1: heaps go from hand to hand all the time, and each is in one hand only.
static void
heaps_change_hands_safely(void)
{
    uint64_t seeds[] = {1, 2, 3, 4, 5, 6};
    run_threads(6, bind_often, seeds, sizeof seeds[0]);
    check_equal(heaps_live(), 0);
    check_at_most(heaps_made(), 12);
    mi__registry_collect(NULL);
    check_equal(slices_in_use(), 0);
}

// ---- orphans --------------------------------------------------------------------------------

enum { LEFT = 100 };
static char *left[LEFT];
static size_t left_size;
static thread_heap_t *orphan;

static void *
leave_blocks(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < LEFT; i++) {
        left[i] = mi__alloc(left_size);
        check(left[i] != NULL);
        fill(left[i], left_size, i);
    }
    orphan = mi__thread_heap;
    return NULL;
}

static void
make_orphan(size_t size)
{
    left_size = size;
    run_thread(leave_blocks, NULL);
    uintptr_t owner = size <= BLOCK_MAX ? (uintptr_t)orphan : 0;
    check_equal(page_owner(mi__page_of(left[LEFT - 1])) & ~(uintptr_t)OWNER_FLAGS, owner);
}

static void
blocks_outlive_their_thread(void)
{
    check(mi__alloc(10) != NULL);
    make_orphan(300);
    for (unsigned i = 0; i < LEFT; i++) {
        check(is_filled(left[i], 300, i));
        check(mi__is_block(left[i]));
        check(mi__usable_size(left[i], "test") >= 300);
    }
    check_equal(heaps_live(), 1);
}

static void
a_thread_in_need_takes_an_orphans_page(void)
{
    check(mi__alloc(10) != NULL);
    make_orphan(300);
    size_t slices = slices_in_use();
    char *block = mi__alloc(300);
    check(mi__page_of(block) == mi__page_of(left[0]));
    check_equal(page_owner(mi__page_of(left[0])), (uintptr_t)mi__thread_heap);
    check_equal(slices_in_use(), slices);
    memset(block, 0, 300);
    // The blocks of the thread that ended are ours now, to free in the short way.
    for (unsigned i = 0; i < LEFT; i++) {
        check(is_filled(left[i], 300, i));
        mi__free(left[i]);
    }
    mi__free(block);
    check_equal(mi__page_blocks_granted(mi__page_of(block)) - mi__page_blocks_free(mi__page_of(block)), 0);
}

static void
a_new_thread_takes_a_heap_with_its_pages(void)
{
    make_orphan(300);
    char *block = mi__alloc(300);
    check(mi__thread_heap == orphan);
    check(mi__page_of(block) == mi__page_of(left[0]));
    check_equal(heaps_made(), 1);
}

static void
the_last_free_releases_an_orphans_page(void)
{
    check(mi__alloc(10) != NULL);
    size_t before = slices_in_use();
    static const size_t sizes[] = {16, 300, 1000, 5000, 60000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        make_orphan(sizes[i]);
        check(slices_in_use() > before);
        for (unsigned k = 0; k < LEFT; k++) {
            check(is_filled(left[k], left_size, k));
            mi__free(left[k]);
        }
        check_equal(mi__collect(false), 0);
        // Our own block's page was let go with the collection of the serving pages, but it holds a
        // block.
        check_equal(slices_in_use(), before);
    }
}

// Frees from a thread that has no heap go home at once, and nobody needs to collect.
static void
telling_is_enough(void)
{
    make_orphan(300);
    check(thread_heap_is_none(mi__thread_heap));
    for (unsigned i = 0; i < LEFT; i++) {
        mi__free(left[i]);
    }
    check(thread_heap_is_none(mi__thread_heap));
    check_equal(slices_in_use(), 0);
}

static void
a_page_on_its_way_stays_with_the_orphan(void)
{
    check(mi__alloc(10) != NULL);
    make_orphan(300);
    page_t *page = mi__page_of(left[0]);
    // Listed, and nobody was told.
    check(mi__remote_push(page, (block_t *)(void *)left[0], (block_t *)(void *)left[0], 1) == &orphan->owner);
    mi__registry_collect(NULL);
    check(mi__remote_is_quiet(page));
    check_equal(mi__page_blocks_granted(page), LEFT - 1);
    check_equal(page_owner(page), (uintptr_t)orphan);
}

static void
a_live_heap_is_not_drained_by_others(void)
{
    char *block = mi__alloc(300);
    page_t *page = mi__page_of(block);
    owner_t *listed = mi__remote_push(page, (block_t *)(void *)block, (block_t *)(void *)block, 1);
    check(listed == &mi__thread_heap->owner);
    mi__registry_tell(listed);
    mi__registry_collect(NULL);
    check(!mi__remote_is_quiet(page));
    mi__thread_heap_drain(mi__thread_heap);
    check(mi__remote_is_quiet(page));
}

static void
nothing_to_adopt_is_no_page(void)
{
    check(mi__alloc(10) != NULL);
    check(mi__registry_adopt_page(mi__thread_heap, sizeclass_of(300)) == NULL);
    make_orphan(300);
    check(mi__registry_adopt_page(mi__thread_heap, sizeclass_of(5000)) == NULL);
    page_t *page = mi__registry_adopt_page(mi__thread_heap, sizeclass_of(300));
    check(page == mi__page_of(left[0]));
    check(mi__registry_adopt_page(mi__thread_heap, sizeclass_of(300)) == NULL);
}

// Hand-over in a ring: each thread frees what the one before it left, and ends.
static void *
free_and_leave(void *arg)
{
    for (unsigned i = 0; i < LEFT; i++) {
        check(is_filled(left[i], left_size, i));
        mi__free(left[i]);
    }
    return leave_blocks(arg);
}

static void
memory_stays_flat_over_many_threads(void)
{
    static const size_t sizes[] = {24, 500, 7000, 90000};
    for (size_t i = 0; i < 4; i++) {
        make_orphan(sizes[i]);
        size_t slices = slices_in_use();
        for (int k = 0; k < 200; k++) {
            run_thread(free_and_leave, NULL);
            check_at_most(slices_in_use(), 2 * slices + 2 * MEDIUM_PAGE_SLICES);
        }
        for (unsigned k = 0; k < LEFT; k++) {
            mi__free(left[k]);
        }
    }
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
    check_at_most(heaps_made(), 3);
}

// ---- the end of a thread --------------------------------------------------------------------

static pthread_key_t keys[3];

// May run before or after the library's own work at the end of the thread.
static void
alloc_in_destructor(void *value)
{
    void *block = mi__alloc(200);
    check(block != NULL);
    mi__free(block);
    mi__free(value);
}

static void *
set_keys(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        check(pthread_setspecific(keys[i], mi__alloc(100)) == 0);
    }
    return NULL;
}

static void
destructors_may_allocate_and_free(void)
{
    check(pthread_key_create(&keys[0], alloc_in_destructor) == 0);
    check(mi__alloc(10) != NULL);
    check(pthread_key_create(&keys[1], alloc_in_destructor) == 0);
    check(pthread_key_create(&keys[2], alloc_in_destructor) == 0);
    for (int i = 0; i < 100; i++) {
        run_thread(set_keys, NULL);
    }
    check_equal(heaps_live(), 1);
    check_at_most(heaps_made(), 2);
    (void)mi__collect(true);
    check_equal(slices_in_use(), 1);
}

// ---- what a thread costs --------------------------------------------------------------------

enum { MANY_THREADS = 1000 };

static void *
alloc_between_barriers(void *arg)
{
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    char *block = mi__alloc(40);
    check(block != NULL);
    *block = 1;
    *(void **)arg = block;
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return NULL;
}

static void
a_thread_that_allocated_once_is_cheap(void)
{
    static pthread_t threads[MANY_THREADS];
    static void *blocks[MANY_THREADS];
    // Whole huge pages would be counted as ours.
    check(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0);
    check(mi__alloc(40) != NULL);
    memset(blocks, 0xff, sizeof blocks);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, SANITIZED ? MIB : 64 * KIB);
    pthread_barrier_init(&barrier, NULL, MANY_THREADS + 1);
    for (int i = 0; i < MANY_THREADS; i++) {
        check(pthread_create(&threads[i], &attr, alloc_between_barriers, &blocks[i]) == 0);
    }
    pthread_barrier_wait(&barrier);
    size_t before = resident_bytes();
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    size_t after = resident_bytes();
    check_equal(heaps_live(), MANY_THREADS + 1);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < MANY_THREADS; i++) {
        check(pthread_join(threads[i], NULL) == 0);
    }
    size_t each = (after - before) / MANY_THREADS;
    printf("a thread that allocated once: %zu bytes resident, %zu of them metadata\n", each,
           sizeof(thread_heap_t) + DESCRIPTOR_SIZE);
    check(SANITIZED || each <= 12 * KIB);
    check_equal(heaps_live(), 1);
}

// Orphans that somebody has for a moment are passed over, a few of them, and stay where they are; dead ones
// are forgotten.
static void
an_orphan_in_others_hands_is_passed_over(void)
{
    enum { COUNT = 20 };
    thread_heap_t *heaps[COUNT];
    for (int i = 0; i < COUNT; i++) {
        heaps[i] = mi__registry_bind();
        check(heaps[i] != NULL);
        mi__thread_heap = (thread_heap_t *)(uintptr_t)&mi__thread_heap_none;
    }
    for (int i = 0; i < COUNT; i++) {
        mi__thread_heap = heaps[i];
        mi__registry_leave();
        check(mi__registry_claim(heaps[i], HEAP_ORPHAN, HEAP_CLAIMED));
    }
    mi__registry_unclaim(heaps[0], HEAP_ORPHAN); // the last that would be looked at
    thread_heap_t *fresh = mi__registry_bind();
    for (int i = 0; i < COUNT; i++) {
        check(fresh != heaps[i]);
    }
    mi__thread_heap = (thread_heap_t *)(uintptr_t)&mi__thread_heap_none;
    for (int i = 1; i < COUNT; i++) {
        mi__registry_unclaim(heaps[i], i < COUNT / 2 ? HEAP_DEAD : HEAP_ORPHAN);
    }
    for (int i = 0; i <= COUNT / 2; i++) {
        thread_heap_t *taken = mi__registry_bind();
        check(taken != fresh && atomic_get_relaxed(&taken->state) == HEAP_LIVE);
        mi__thread_heap = (thread_heap_t *)(uintptr_t)&mi__thread_heap_none;
    }
    for (int i = 1; i < COUNT / 2; i++) {
        check_equal(atomic_get_relaxed(&heaps[i]->state), HEAP_DEAD);
    }
    check_equal(heaps_made(), COUNT + 1);
    check(mi__registry_bind() != NULL);
    check_equal(heaps_made(), COUNT + 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(the_start_happens_once_before_the_first_region),
        fresh_test(threads_start_it_together),
        fresh_test(a_failed_start_is_tried_again),
        fresh_test(the_first_block_binds_a_heap),
        fresh_test(frees_bind_no_heap),
        fresh_test(a_heap_is_left_and_taken_again),
        fresh_test(threads_in_turn_share_one_heap),
        fresh_test(threads_at_once_have_heaps_of_their_own),
        fresh_test(heaps_change_hands_safely),
        fresh_test(blocks_outlive_their_thread),
        fresh_test(a_thread_in_need_takes_an_orphans_page),
        fresh_test(a_new_thread_takes_a_heap_with_its_pages),
        fresh_test(the_last_free_releases_an_orphans_page),
        fresh_test(telling_is_enough),
        fresh_test(a_page_on_its_way_stays_with_the_orphan),
        fresh_test(a_live_heap_is_not_drained_by_others),
        fresh_test(nothing_to_adopt_is_no_page),
        fresh_test(memory_stays_flat_over_many_threads),
        fresh_test(destructors_may_allocate_and_free),
        fresh_test(a_thread_that_allocated_once_is_cheap),
        fresh_test(an_orphan_in_others_hands_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
