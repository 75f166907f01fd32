// SPDX-License-Identifier: MIT
// test_heap.c — heap/heap.c, heap/siblings.c: first-class heaps whose parts are in others' hands at the
// moment, whose locks a fork has interrupted, and for which there is no memory; and walks over them.
#include "fresh.h"

#include "alloc/alloc.h"
#include "arena/meta.h"
#include "heap/held.h"
#include "heap/registry.h"
#include "heap/siblings.h"
#include "heap/walk.h"

static void
start(void)
{
    mi__conf.purge_delay_ms = -1;
    mi__conf.region_bytes_log2 = 34;
    mi__conf.guarded_sample_rate = 0;
    check(mi__alloc(10) != NULL);
}

static void *
alloc_in(heap_t *heap, size_t size)
{
    thread_heap_t *part = mi__siblings_of(heap);
    return part == NULL ? NULL : mi__alloc_aligned_in(part, size, 16, 0, false);
}

static heap_t *
new_heap(void)
{
    heap_t *heap = mi__heap_new(&mi__subproc_main, NULL);
    check(heap != NULL);
    return heap;
}

static size_t
singletons_of(const heap_t *heap)
{
    size_t count = 0;
    for (const page_t *page = heap->singletons; page != NULL; page = page->next) {
        check(page->next == NULL || page->next->prev == page);
        check(atomic_get_relaxed(&page->holder) == heap);
        count++;
    }
    return count;
}

// ---- parts in another's hands

// Gives up what the main thread has claimed in the other's place, after a while.
static void *
unclaim_later(void *part)
{
    usleep(20000);
    mi__registry_unclaim(part, HEAP_LIVE);
    return NULL;
}

// `use`, while somebody has the part for a moment: it waits.
static void
while_claimed(thread_heap_t *part, void (*use)(thread_heap_t *part))
{
    pthread_t thread;
    check(mi__registry_claim(part, HEAP_LIVE, HEAP_CLAIMED));
    check(pthread_create(&thread, NULL, unclaim_later, part) == 0);
    use(part);
    check(pthread_join(thread, NULL) == 0);
}

static void
find_again(thread_heap_t *part)
{
    check(mi__siblings_find(atomic_get_relaxed(&part->heap)) == part);
}

static void
destroy_heap_of(thread_heap_t *part)
{
    mi__heap_destroy(atomic_get_relaxed(&part->heap));
}

static void
a_part_that_is_claimed_is_waited_for(void)
{
    start();
    heap_t *heap = new_heap();
    size_t before = slices_in_use();
    check(alloc_in(heap, 100) != NULL && alloc_in(heap, 100000) != NULL);
    thread_heap_t *part = mi__siblings_find(heap);
    while_claimed(part, find_again);
    while_claimed(part, mi__siblings_let_go);
    check_equal(atomic_get_relaxed(&part->state), HEAP_ORPHAN);
    check(mi__siblings_find(heap) == part); // taken up again
    check_equal(atomic_get_relaxed(&part->state), HEAP_LIVE);
    while_claimed(part, destroy_heap_of);
    check_equal(atomic_get_relaxed(&part->state), HEAP_VACANT);
    check_equal(slices_in_use(), before);
    check(mi__siblings_find(new_heap()) == part); // of the same slot
}

static void
rare_work_passes_by_a_part_that_is_claimed(void)
{
    start();
    thread_heap_t *main = mi__thread_heap->main;
    mi__siblings_collect(main, true); // none yet
    mi__siblings_trim_cold(main);
    heap_t *heap = new_heap();
    char *block = alloc_in(heap, 100);
    fill(block, 100, 3);
    thread_heap_t *part = mi__siblings_find(heap);
    check(mi__registry_claim(part, HEAP_LIVE, HEAP_CLAIMED));
    mi__siblings_collect(main, true);
    mi__siblings_trim_cold(main);
    mi__siblings_drain(main);
    mi__registry_unclaim(part, HEAP_LIVE);
    check(is_filled(block, 100, 3) && mi__heap_of(block) == heap);
    mi__siblings_collect(main, false);
    mi__siblings_trim_cold(main);
    mi__siblings_collect(main, true);
    check(is_filled(block, 100, 3));
    mi__heap_destroy(heap);
}

static void *
free_it(void *block)
{
    mi__free(block);
    return NULL;
}

static void
rare_work_takes_in_what_came_home(void)
{
    start();
    heap_t *heap = new_heap();
    void *blocks[2] = {alloc_in(heap, 100), alloc_in(heap, 100)};
    thread_heap_t *part = mi__siblings_find(heap);
    run_thread(free_it, blocks[0]);
    check(atomic_get_relaxed(&part->owner.pending) != NULL);
    mi__siblings_drain(mi__thread_heap->main);
    check(atomic_get_relaxed(&part->owner.pending) == NULL);
    mi__heap_destroy(heap);
}

// ---- heaps that are deleted

static void
parts_of_deleted_heaps_are_merged(void)
{
    start();
    mi__heap_delete(new_heap()); // nobody has a part of any
    heap_t *heap = new_heap();
    heap_t *other = new_heap();
    void *block = alloc_in(heap, 100);
    mi__heap_delete(other); // this thread has none of it
    thread_heap_t *part = mi__siblings_find(heap);
    // Another one has the part just when the heap is deleted: it stays as it is until somebody comes by.
    check(mi__registry_claim(part, HEAP_LIVE, HEAP_CLAIMED));
    mi__heap_delete(heap);
    mi__registry_unclaim(part, HEAP_LIVE);
    check(mi__heap_of(block) == &mi__subproc_main.main);
    check(mi__siblings_find(new_heap()) == part); // of the same slot: merged first
    check(mi__heap_of(block) == &mi__subproc_main.main);
    mi__free(block);
}

static void
an_orphaned_part_of_a_deleted_heap_is_merged(void)
{
    start();
    heap_t *heap = new_heap();
    heap_t *used = new_heap();
    void *block = alloc_in(heap, 100);
    check(alloc_in(used, 100) != NULL);
    thread_heap_t *part = mi__siblings_find(heap);
    mi__siblings_let_go(part);
    mi__siblings_let_go(mi__siblings_find(used)); // the one that was used last
    check(mi__siblings_last == &mi__thread_heap_none);
    mi__heap_delete(heap);
    mi__siblings_drain(mi__thread_heap->main);
    check_equal(atomic_get_relaxed(&part->state), HEAP_VACANT);
    mi__free(block);
    mi__heap_destroy(used);
}

static void
malloc_uses_a_heap_until_it_ends(void)
{
    start();
    thread_heap_t *main = mi__thread_heap->main;
    heap_t *heap = new_heap();
    mi__thread_heap = mi__siblings_find(heap);
    void *block = mi__alloc(100);
    check(mi__heap_of(block) == heap);
    mi__heap_delete(heap);
    check(mi__thread_heap == main); // merged at once, in this thread
    check(mi__heap_of(block) == &mi__subproc_main.main);
    mi__free(block);
    mi__thread_heap = mi__siblings_find(heap = new_heap());
    mi__heap_destroy(heap);
    block = mi__alloc(100);
    check(mi__thread_heap == main && mi__heap_of(block) == &mi__subproc_main.main);
    mi__free(block);
}

// A block that another thread frees at this moment: that has the page, and the heap leaves it alone.
static void
a_singleton_that_is_being_freed_is_not_released(void)
{
    start();
    heap_t *heap = new_heap();
    size_t before = slices_in_use();
    page_t *page = mi__page_of(alloc_in(heap, 1000000));
    check(mi__page_retire_singleton(page));
    mi__heap_destroy(heap);
    check(slices_in_use() > before);
    mi__page_release(page);
    check_equal(slices_in_use(), before);
}

// ---- subprocesses

static void *
work_in(void *subproc)
{
    check(mi__registry_bind_in(subproc) != NULL);
    heap_t *heap = mi__heap_new(subproc, NULL);
    check(heap != NULL && alloc_in(heap, 100) != NULL && alloc_in(heap, 100000) != NULL);
    check(mi__alloc(100) != NULL && mi__alloc(1000000) != NULL);
    check(mi__subproc_current() == subproc);
    check(!mi__subproc_destroy(subproc) && !mi__subproc_delete(subproc)); // somebody is in it
    return NULL;
}

static void
subprocesses_end_with_all_heaps(void)
{
    start();
    check(!mi__subproc_destroy(&mi__subproc_main));
    heap_t *ours = new_heap();
    char *block = alloc_in(ours, 300);
    fill(block, 300, 5);
    subproc_t *first = NULL;
    for (int round = 0; round < 4; round++) {
        size_t before = slices_in_use();
        subproc_t *subproc = mi__subproc_new();
        check(subproc != NULL && (first == NULL || subproc == first));
        first = subproc;
        run_thread(work_in, subproc);
        if (round % 2 == 0) {
            check(mi__subproc_destroy(subproc));
            check_at_most(slices_in_use(), before);
        } else {
            check(mi__subproc_delete(subproc));
        }
        check(!atomic_get_relaxed(&subproc->live) && !mi__heap_is_live(&subproc->main));
        check(is_filled(block, 300, 5) && mi__heap_is_live(ours));
    }
}

// ---- forks

static heap_t *shared;
static thread_heap_t *others_part;
static pthread_barrier_t barrier;

// Leaves the list of singletons in pieces, with the lock held, for the time of a fork.
static void *
be_amid_a_change(void *arg)
{
    check(alloc_in(shared, 100) != NULL && alloc_in(shared, 200000) != NULL);
    others_part = mi__siblings_find(shared);
    if (arg == NULL) {
        spin_lock(&shared->lock);
        page_t *kept = shared->singletons;
        shared->singletons = kept->next;
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        shared->singletons = kept;
        spin_unlock(&shared->lock);
    } else {
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

static void
the_child_lists_anew(void)
{
    mi__registry_after_fork();
    check_equal(singletons_of(shared), 3);
    check_equal(atomic_get_relaxed(&others_part->state), HEAP_DEAD);
    check(alloc_in(shared, 300000) != NULL);
    // What the other thread has of it is left alone for good.
    mi__heap_destroy(shared);
    check(shared->singletons == NULL);
    check_equal(atomic_get_relaxed(&others_part->state), HEAP_DEAD);
    subproc_t *subproc = mi__subproc_new();
    check(subproc != NULL && mi__subproc_destroy(subproc));
}

static void
the_childs_heaps_are_whole(void)
{
    start();
    shared = new_heap();
    subproc_t *subproc = mi__subproc_new();
    check(subproc != NULL);
    check(alloc_in(shared, 100000) != NULL && alloc_in(shared, 200000) != NULL);
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_t thread;
    check(pthread_create(&thread, NULL, be_amid_a_change, NULL) == 0);
    pthread_barrier_wait(&barrier);
    check_equal(status_of_child(the_child_lists_anew), 0);
    pthread_barrier_wait(&barrier);
    check(pthread_join(thread, NULL) == 0);
    check_equal(singletons_of(shared), 3);
}

// A signal handler that forks, amid a change by its own thread: that goes on in the child, too.
static void
fork_amid_an_own_change(void)
{
    start();
    shared = new_heap();
    check(alloc_in(shared, 100000) != NULL);
    spin_lock(&shared->lock);
    mi__registry_after_fork();
    check(atomic_get_relaxed(&shared->lock.holder) != 0);
    spin_unlock(&shared->lock);
    check_equal(singletons_of(shared), 1);
}

// ---- no memory

static heap_t *never_used;

static void *
have_no_heap(void *arg)
{
    pthread_barrier_wait(&barrier);
    check(mi__siblings_find(never_used) == NULL);
    errno = 0;
    check(mi__alloc(10) == NULL && errno == ENOMEM);
    return arg;
}

static void
use_up_metadata(void)
{
    limit_to(RLIMIT_DATA, data_bytes());
    while (mi__meta_alloc(64) != NULL) {
    }
}

static void
without_memory_for_structures(void)
{
    start();
    heap_t *used = new_heap();
    never_used = new_heap();
    heap_t *deleted = new_heap();
    void *ours = alloc_in(used, 100);
    void *block = mi__alloc(100);
    mi__heap_delete(deleted);
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, 2);
    check(pthread_create(&thread, NULL, have_no_heap, NULL) == 0);
    use_up_metadata();
    check(mi__heap_new(&mi__subproc_main, NULL) == deleted); // there is one that was used before
    check(mi__heap_new(&mi__subproc_main, NULL) == NULL);
    check(mi__subproc_new() == NULL);
    check(mi__siblings_find(never_used) == NULL); // no part
    mi__heap_collect(never_used);
    check(mi__siblings_find(used) != NULL);
    pthread_barrier_wait(&barrier);
    check(pthread_join(thread, NULL) == 0);
    mi__free(ours);
    mi__free(block);
    unlimit(RLIMIT_DATA);
    check(alloc_in(never_used, 100) != NULL);
    check(mi__subproc_new() != NULL);
    mi__heap_destroy(never_used);
}

static void
without_memory_for_the_first_part(void)
{
    start();
    heap_t *heap = new_heap();
    use_up_metadata();
    check(mi__siblings_find(heap) == NULL); // no table of parts
    unlimit(RLIMIT_DATA);
    check(alloc_in(heap, 100) != NULL);
}

static void
there_are_so_many_heaps_and_no_more(void)
{
    start();
    size_t count = 0;
    heap_t *heap = NULL;
    for (heap_t *next; (next = mi__heap_new(&mi__subproc_main, NULL)) != NULL; heap = next) {
        count++;
    }
    check_equal(count, HEAPS_MAX - 1);
    check(alloc_in(heap, 100) != NULL);
    mi__heap_destroy(heap);
    check(mi__heap_new(&mi__subproc_main, NULL) == heap);
    check(mi__heap_new(&mi__subproc_main, NULL) == NULL);
}

// ---- walks

static bool
count_blocks(const walk_page_t *page, void *block, void *arg)
{
    (void)page;
    *(size_t *)arg += block != NULL;
    return true;
}

// Ends after so many calls.
static bool
count_down(const walk_page_t *page, void *block, void *arg)
{
    (void)page;
    (void)block;
    return --*(size_t *)arg != 0;
}

static void
walks_end_when_they_are_told_to(void)
{
    start();
    heap_t *heap = new_heap();
    size_t count = 0;
    for (size_t size = 100; size < 1000000; size *= 4) {
        check(alloc_in(heap, size) != NULL && alloc_in(heap, size) != NULL);
        count += 2;
    }
    size_t seen = 0;
    check(mi__walk(heap, WALK_ALL, true, count_blocks, &seen));
    check_equal(seen, count);
    size_t calls = 1;
    for (size_t left = calls; !mi__walk(heap, WALK_ALL, true, count_down, &left); left = ++calls) {
    }
    check(calls > count); // each but the last has ended it
    size_t pages = 1;
    for (size_t left = pages; !mi__walk(heap, WALK_ALL, false, count_down, &left); left = ++pages) {
    }
    check(pages < calls);
    seen = 0;
    check(mi__walk(heap, WALK_ORPHANS, true, count_blocks, &seen));
    check_equal(seen, 0);
    mi__siblings_let_go(mi__siblings_find(heap));
    check(mi__walk(heap, WALK_ORPHANS, true, count_blocks, &seen));
    check(seen > 0 && seen < count); // singletons are no thread's
    mi__heap_destroy(heap);
}

static void *
make(void *arg)
{
    *(void **)arg = mi__alloc(100);
    check(*(void **)arg != NULL);
    return NULL;
}

// What this thread holds back is not live, and is gathered first: that takes memory.
static void
no_walk_without_memory(void)
{
    start();
    heap_t *heap = new_heap();
    check(alloc_in(heap, 100) != NULL);
    void *block = NULL;
    run_thread(make, &block);
    mi__free(block);
    size_t seen = 0;
    check(mi__walk(heap, WALK_ALL, true, count_blocks, &seen) && seen == 1);
    limit_to(RLIMIT_DATA, data_bytes());
    check(!mi__walk(heap, WALK_ALL, true, count_blocks, &seen));
    unlimit(RLIMIT_DATA);
    limit_to(RLIMIT_AS, address_space_bytes());
    check(!mi__walk(heap, WALK_ALL, true, count_blocks, &seen));
    unlimit(RLIMIT_AS);
    check_equal(seen, 1);
    mi__heap_destroy(heap);
}

static void
damage_is_found(void)
{
    start();
    heap_t *heap = new_heap();
    walk_fault_t fault;
    block_t *blocks[6];
    for (int i = 0; i < 6; i++) {
        blocks[i] = alloc_in(heap, 3000);
    }
    mi__free(blocks[0]);
    mi__free(blocks[1]);
    check(mi__walk_check(heap, &fault));
    block_t *next = blocks[1]->next;
    static block_t *const wrong[] = {(block_t *)8, (block_t *)4096};
    for (int i = 0; i < 4; i++) {
        blocks[1]->next = i < 2 ? wrong[i] : i == 2 ? (block_t *)((char *)blocks[2] + 16) : blocks[1];
        check(!mi__walk_check(heap, &fault) && fault.what != NULL);
    }
    blocks[1]->next = next;
    check(mi__walk_check(heap, &fault));
    mi__page_of(blocks[2])->used++;
    check(!mi__walk_check(heap, &fault) && fault.what != NULL);
    mi__page_of(blocks[2])->used--;
    check(mi__walk_check(heap, &fault));
    mi__heap_destroy(heap);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(a_part_that_is_claimed_is_waited_for),
        fresh_test(rare_work_passes_by_a_part_that_is_claimed),
        fresh_test(rare_work_takes_in_what_came_home),
        fresh_test(parts_of_deleted_heaps_are_merged),
        fresh_test(an_orphaned_part_of_a_deleted_heap_is_merged),
        fresh_test(malloc_uses_a_heap_until_it_ends),
        fresh_test(a_singleton_that_is_being_freed_is_not_released),
        fresh_test(subprocesses_end_with_all_heaps),
        fresh_test(the_childs_heaps_are_whole),
        fresh_test(fork_amid_an_own_change),
        fresh_test(without_memory_for_structures),
        fresh_test(without_memory_for_the_first_part),
        fresh_test(there_are_so_many_heaps_and_no_more),
        fresh_test(walks_end_when_they_are_told_to),
        fresh_test(no_walk_without_memory),
        fresh_test(damage_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
