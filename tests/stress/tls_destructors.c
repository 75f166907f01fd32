// SPDX-License-Identifier: MIT
// tls_destructors.c — the allocator before main, after exit, and in the last steps of a thread.
//
// Destructors of thread-local objects (the C++ kind) and of pthread keys free and allocate, in
// every round that POSIX allows, on keys made before and after the library's own. Constructors,
// destructors and atexit handlers do so too. At the end the main thread leaves by pthread_exit
// while others go on; the last one ends the process.
#include "harness.h"

#include <limits.h>
#include <stdatomic.h>

enum { KEYS = 24, THREADS = 200, AT_ONCE = 4, LAST_THREADS = 4 };

// The C library's registration of C++ thread_local destructors; absent from musl.
extern int __cxa_thread_atexit_impl(void (*run)(void *arg), void *arg, void *dso) __attribute__((weak));
extern void *__dso_handle __attribute__((visibility("hidden")));

typedef struct box_s {
    pthread_key_t key;
    size_t round;
    unsigned char *block;
    unsigned char mark;
} box_t;

static pthread_key_t keys[KEYS];
static atomic_long live_boxes;
static atomic_long destructor_rounds;
static atomic_long object_runs;
static unsigned char *before_main;
static _Thread_local unsigned char *object_block;

static unsigned char *
marked_block(size_t size, unsigned char mark)
{
    unsigned char *block = t_malloc(size);
    EXPECT(block != NULL, "%zu bytes", size);
    block[0] = mark;
    block[size / 2] = mark;
    return block;
}

static box_t *
new_box(pthread_key_t key, size_t round)
{
    box_t *box = t_calloc(1, sizeof *box);
    EXPECT(box != NULL, "a box");
    *box = (box_t){.key = key, .round = round, .mark = (unsigned char)(key * 4 + round)};
    box->block = marked_block(1 + (key * 977 + round * 4001) % 40000, box->mark);
    atomic_fetch_add(&live_boxes, 1);
    return box;
}

// Runs once a round for each key until the box has seen the last one.
static void
end_box(void *arg)
{
    box_t *box = arg;
    EXPECT(box->block[0] == box->mark, "block %p was overwritten", (void *)box->block);
    size_t round = box->round;
    pthread_key_t key = box->key;
    t_free(box->block);
    t_free(box);
    atomic_fetch_sub(&live_boxes, 1);
    atomic_fetch_add(&destructor_rounds, 1);
    for (size_t i = 0; i < 10; i++) {
        t_free(t_realloc(marked_block(100 + 300 * i, 7), 2000));
    }
    if (round + 1 < PTHREAD_DESTRUCTOR_ITERATIONS) {
        pthread_setspecific(key, new_box(key, round + 1));
    }
}

static void
end_object(void *arg)
{
    EXPECT(arg == (void *)&object_block, "the object of this thread");
    EXPECT(object_block[0] == 9, "block %p was overwritten", (void *)object_block);
    t_free(object_block);
    t_free(marked_block(50000, 8));
    object_block = NULL;
    atomic_fetch_add(&object_runs, 1);
}

static void
register_object(void)
{
    if (__cxa_thread_atexit_impl != NULL) {
        object_block = marked_block(333, 9);
        __cxa_thread_atexit_impl(end_object, &object_block, &__dso_handle);
    }
}

// `arg` odd: the thread never allocates before its destructors run.
static void *
run_thread(void *arg)
{
    size_t number = (size_t)(uintptr_t)arg;
    if (number % 2 == 0) {
        register_object();
        t_free(marked_block(number * 8 + 1, 1));
    }
    for (size_t i = 0; i < KEYS; i += 1 + number % 3) {
        pthread_setspecific(keys[i], new_box(keys[i], 0));
    }
    return NULL;
}

// Its first call to the allocator comes from a destructor.
static void
end_late(void *arg)
{
    t_free(marked_block(1234, 2));
    t_free(arg);
}

static pthread_key_t late_key;

static void *
run_late(void *arg)
{
    pthread_setspecific(late_key, arg);
    return NULL;
}

static void
check_at_exit(void)
{
    EXPECT(atomic_load(&live_boxes) == 0, "%ld boxes", atomic_load(&live_boxes));
    if (__cxa_thread_atexit_impl != NULL) {
        EXPECT(atomic_load(&object_runs) == THREADS / 2 + LAST_THREADS, "%ld objects",
               atomic_load(&object_runs));
    }
    t_free(marked_block(70000, 3));
    printf("tls_destructors: %ld destructor calls, %ld objects\n", atomic_load(&destructor_rounds),
           atomic_load(&object_runs));
}

__attribute__((constructor(101))) static void
start_early(void)
{
    before_main = marked_block(5000, 4);
    t_free(marked_block(200000, 4));
    for (size_t i = 0; i < KEYS / 2; i++) {
        EXPECT(pthread_key_create(&keys[i], end_box) == 0, "a key");
    }
    atexit(check_at_exit);
}

__attribute__((destructor(101))) static void
end_late_of_all(void)
{
    EXPECT(before_main[0] == 4, "block %p was overwritten", (void *)before_main);
    t_free(before_main);
    t_free(marked_block(100, 5));
}

static pthread_t main_thread;
static atomic_bool main_ended;

static void *
run_watch(void *arg)
{
    thread_join(main_thread);
    atomic_store(&main_ended, true);
    return arg;
}

// Goes on after the main thread has ended, and frees what that left.
static void *
run_last(void *arg)
{
    register_object();
    while (!atomic_load(&main_ended)) {
        usleep(1000);
    }
    unsigned char **blocks = arg;
    for (size_t i = 0; i < 100; i++) {
        EXPECT(blocks[i][0] == (unsigned char)i, "block %p was overwritten", (void *)blocks[i]);
        t_free(blocks[i]);
    }
    t_free(blocks);
    return run_thread((void *)1);
}

int
main(void)
{
    for (size_t i = KEYS / 2; i < KEYS; i++) {
        EXPECT(pthread_key_create(&keys[i], end_box) == 0, "a key");
    }
    EXPECT(pthread_key_create(&late_key, end_late) == 0, "a key");
    pthread_t running[AT_ONCE];
    for (size_t i = 0; i < THREADS + AT_ONCE; i++) {
        if (i >= AT_ONCE) {
            thread_join(running[i % AT_ONCE]);
        }
        if (i < THREADS) {
            running[i % AT_ONCE] = thread_start(run_thread, (void *)(uintptr_t)i);
        }
    }
    EXPECT(atomic_load(&live_boxes) == 0, "%ld boxes", atomic_load(&live_boxes));
    for (size_t i = 0; i < THREADS; i++) {
        thread_join(thread_start(run_late, marked_block(64, 6)));
    }

    main_thread = pthread_self();
    pthread_detach(thread_start(run_watch, NULL));
    for (size_t i = 0; i < LAST_THREADS; i++) {
        unsigned char **blocks = t_malloc(100 * sizeof *blocks);
        for (size_t j = 0; j < 100; j++) {
            blocks[j] = marked_block(1 + j * j * 10, (unsigned char)j);
        }
        pthread_detach(thread_start(run_last, blocks));
    }
    pthread_exit(NULL);
}
