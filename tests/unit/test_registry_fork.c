// SPDX-License-Identifier: MIT
// test_registry_fork.c — heap/registry.c in the child of a fork: the other threads are gone, their
// heaps are left alone.
#include "fresh.h"

#include "alloc/alloc.h"
#include "heap/registry.h"

// ---- the start, which the test sees ---------------------------------------------------------

static _Atomic(bool) start_entered;
static _Atomic(bool) start_may_go_on = true;

// In place of the one in front/init.c.
void
mi__front_first_use(void)
{
    mi__conf.purge_delay_ms = -1;
    mi__conf.region_bytes_log2 = 32;
    atomic_store(&start_entered, true);
    while (!atomic_load(&start_may_go_on)) {
        usleep(1000);
    }
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

static void *
alloc_one(void *arg)
{
    *(void **)arg = mi__alloc(24);
    check(*(void **)arg != NULL);
    return NULL;
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

static pthread_barrier_t barrier;

// ---- fork -----------------------------------------------------------------------------------

static char *others_block;
static char *own_block;
static _Atomic(bool) stop;

static void *
hold_a_heap(void *arg)
{
    (void)arg;
    others_block = mi__alloc(300);
    fill(others_block, 300, 9);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return NULL;
}

static void
in_a_child_of_a_threaded_process(void)
{
    mi__registry_after_fork();
    check_equal(heaps_live(), 1);
    check(is_filled(others_block, 300, 9));
    check(is_filled(own_block, 300, 8));
    mi__free(own_block);
    // The other thread is not here, and its heap is nobody's: a free of its block must be harmless.
    mi__free(others_block);
    (void)mi__collect(true);
    for (int i = 0; i < 1000; i++) {
        mi__free(mi__alloc((size_t)i * 50));
    }
    thread_heap_t *heap = mi__thread_heap;
    mi__registry_leave();
    check(mi__registry_bind() == heap);
}

static void
a_child_leaves_the_others_heaps_alone(void)
{
    own_block = mi__alloc(300);
    fill(own_block, 300, 8);
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_t thread;
    check(pthread_create(&thread, NULL, hold_a_heap, NULL) == 0);
    pthread_barrier_wait(&barrier);
    check_equal(heaps_live(), 2);
    check_equal(status_of_child(in_a_child_of_a_threaded_process), 0);
    pthread_barrier_wait(&barrier);
    check(pthread_join(thread, NULL) == 0);
    check(is_filled(own_block, 300, 8));
}

static void
threads_of_a_child(void)
{
    mi__registry_after_fork();
    static thread_heap_t *heap;
    thread_heap_t *ours = mi__thread_heap;
    // ThreadSanitizer allows no threads in the child of a threaded process.
    for (int i = 0; i < 10 && !MI_TSAN; i++) {
        run_thread(use_a_little, &heap);
        check(heap != ours);
        check_equal(heaps_live(), 1);
    }
}

static void *
allocate_all_the_time(void *arg)
{
    uint64_t random = *(uint64_t *)arg;
    void *kept[16] = {0};
    for (int i = 0; !atomic_load(&stop); i++) {
        size_t at = random_next(&random) % 16;
        mi__free(kept[at]);
        kept[at] = mi__alloc(random_next(&random) % 100000);
        if (i % 50 == 0) {
            mi__registry_leave();
        }
    }
    for (int i = 0; i < 16; i++) {
        mi__free(kept[i]);
    }
    return NULL;
}

static void
use_in_child(void)
{
    mi__registry_after_fork();
    for (int i = 0; i < 300; i++) {
        mi__free(mi__alloc((size_t)i * 400));
    }
    threads_of_a_child();
    (void)mi__collect(true);
}

static void
children_of_a_busy_process_go_on(void)
{
    check(mi__alloc(10) != NULL);
    pthread_t threads[3];
    uint64_t seeds[] = {1, 2, 3};
    for (int i = 0; i < 3; i++) {
        check(pthread_create(&threads[i], NULL, allocate_all_the_time, &seeds[i]) == 0);
    }
    for (int i = 0; i < 100; i++) {
        check_equal(status_of_child(use_in_child), 0);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 3; i++) {
        check(pthread_join(threads[i], NULL) == 0);
    }
}

static void
a_fork_without_heaps(void)
{
    mi__registry_after_fork();
    check_equal(heaps_live(), 0);
    check(mi__alloc(10) != NULL);
    mi__registry_after_fork();
    check_equal(heaps_live(), 1);
    mi__registry_leave();
    // Orphans are still there to be taken.
    mi__registry_after_fork();
    check(mi__alloc(10) != NULL);
    check_equal(heaps_made(), 1);
}

static void
start_in_child(void)
{
    alarm(20);
    mi__registry_after_fork();
    check(mi__alloc(10) != NULL);
}

// The thread that starts the library is not in the child: somebody there must be able to start it
// anew.
static void
a_child_forked_during_the_start_can_start(void)
{
    atomic_store(&start_may_go_on, false);
    pthread_t thread;
    void *block;
    check(pthread_create(&thread, NULL, alloc_one, &block) == 0);
    while (!atomic_load(&start_entered)) {
        usleep(100);
    }
    atomic_store(&start_may_go_on, true);
    int status = status_of_child(start_in_child);
    check(pthread_join(thread, NULL) == 0);
    check_equal(status, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(a_child_leaves_the_others_heaps_alone),
        fresh_test(children_of_a_busy_process_go_on),
        fresh_test(a_fork_without_heaps),
        fresh_test(a_child_forked_during_the_start_can_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
