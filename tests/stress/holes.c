// SPDX-License-Identifier: MIT
// holes.c — free OS pages inside of pages in use go back, and their blocks come into use again.
// serial: yes
// timeout: 600
//
//   holes [MiB [cold]]
//
// Blocks of 64 bytes, 63 of every 64 freed at random. What a collection must give back is counted with a
// map of its own: OS pages in which no block that is live lies. Then blocks are allocated again, without
// one that overlaps a live one, and memory is as before. The same by a thread that has ended, and by one
// that goes on while another one collects. With `cold`, under MIMALLOC_TRIM_DELAY, nobody collects: by a
// thread that goes on with other sizes, and by one that has ended while the process sleeps.
#include "harness.h"

#include <stdatomic.h>

enum { BLOCK = 64, LIVE_SHARE = 64, OS_PAGE = 4096, SLACK_KIB = 400 };

static unsigned char **blocks;
static size_t count;
static size_t live;
static atomic_int stage;

static void
fill(unsigned char *p, size_t index)
{
    for (size_t i = 0; i < BLOCK; i += sizeof index) {
        memcpy(p + i, &index, sizeof index);
    }
}

static void
check(const unsigned char *p, size_t index)
{
    unsigned char expected[BLOCK];
    fill(expected, index);
    EXPECT(memcmp(p, expected, BLOCK) == 0, "block %zu at %p has changed", index, (const void *)p);
}

static void *
allocate_all(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < count; i++) {
        blocks[i] = t_malloc(BLOCK);
        EXPECT(blocks[i] != NULL, "block %zu", i);
        fill(blocks[i], i);
    }
    return NULL;
}

// Frees all but one in LIVE_SHARE, at random; the rest is at the front of `blocks`, with the same marks.
static void *
free_most(void *arg)
{
    uint64_t random = random_seed((uint64_t)(uintptr_t)arg);
    live = 0;
    for (size_t i = 0; i < count; i++) {
        if (random_below(&random, LIVE_SHARE) == 0) {
            blocks[live] = blocks[i];
            fill(blocks[live], live);
            live++;
        } else {
            t_free(blocks[i]);
        }
    }
    return NULL;
}

static void *
allocate_and_free_most(void *arg)
{
    allocate_all(NULL);
    return free_most(arg);
}

static int
by_address(const void *a, const void *b)
{
    uintptr_t p = (uintptr_t) * (unsigned char *const *)a;
    uintptr_t q = (uintptr_t) * (unsigned char *const *)b;
    return (p > q) - (p < q);
}

// KiB of OS pages, among those that the blocks had, in which no live block lies; `pages` is all of them.
static long
free_kib(size_t pages)
{
    static unsigned char **sorted;
    sorted = sorted == NULL ? malloc(count * sizeof *sorted) : sorted;
    memcpy(sorted, blocks, live * sizeof *sorted);
    qsort(sorted, live, sizeof *sorted, by_address);
    size_t used = 0;
    uintptr_t last = 0;
    for (size_t i = 0; i < live; i++) {
        uintptr_t page = (uintptr_t)sorted[i] / OS_PAGE;
        used += page != last;
        last = page;
    }
    return (long)((pages - used) * (OS_PAGE / 1024));
}

static void
collect_and_expect(const char *what)
{
    size_t pages = count * BLOCK / OS_PAGE;
    long wanted = free_kib(pages);
    long before = resident_kib();
    collect_all();
    long after = resident_kib();
    printf("holes: %s: %ld KiB before, %ld after, %ld could go\n", what, before, after, wanted);
    fflush(stdout);
    EXPECT(before - after >= wanted - wanted / 50, "%ld KiB went", before - after);
    for (size_t i = 0; i < live; i++) {
        check(blocks[i], i);
    }
}

static void
fill_again(const char *what)
{
    long before = resident_kib();
    for (size_t i = live; i < count; i++) {
        blocks[i] = t_malloc(BLOCK);
        EXPECT(blocks[i] != NULL, "block %zu", i);
        fill(blocks[i], i);
    }
    for (size_t i = 0; i < count; i++) {
        check(blocks[i], i);
    }
    long after = resident_kib();
    printf("holes: %s: %ld KiB, %ld when filled again\n", what, before, after);
    fflush(stdout);
    EXPECT(after - before <= (long)((count - live) * BLOCK / 1024 * 11 / 10) + SLACK_KIB,
           "the holes stay empty");
}

static void
free_all(void)
{
    for (size_t i = 0; i < count; i++) {
        t_free(blocks[i]);
    }
    collect_all();
}

// Comes by the allocator, with another size.
static void
come_by(void)
{
    void *some[100];
    for (int i = 0; i < 100; i++) {
        some[i] = t_malloc(2000);
    }
    for (int i = 0; i < 100; i++) {
        t_free(some[i]);
    }
}

// Lives on and comes by the allocator now and then, as a thread does.
static void *
live_on(void *arg)
{
    allocate_and_free_most(arg);
    atomic_store(&stage, 1);
    while (atomic_load(&stage) == 1) {
        come_by();
        usleep(1000);
    }
    return NULL;
}

static void
expect_to_go(const char *what, bool sleeps)
{
    long wanted = free_kib(count * BLOCK / OS_PAGE);
    long before = resident_kib();
    long after = before;
    for (int ms = 0; ms < 20000 && before - after < wanted - wanted / 50; ms += 10) {
        if (!sleeps) {
            come_by();
        }
        usleep(10000);
        after = resident_kib();
    }
    printf("holes: cold, %s: %ld KiB before, %ld after, %ld could go\n", what, before, after, wanted);
    EXPECT(before - after >= wanted - wanted / 50, "%ld KiB went", before - after);
    for (size_t i = 0; i < live; i++) {
        check(blocks[i], i);
    }
    fill_again(what);
    free_all();
}

static void
go_cold(void)
{
    allocate_and_free_most((void *)6);
    expect_to_go("a thread that goes on", false);
    thread_join(thread_start(allocate_and_free_most, (void *)7));
    expect_to_go("a thread that ended", true);
}

int
main(int argc, char **argv)
{
    size_t bytes = (size_t)argument(argc, argv, 1, 128) << 20;
    count = bytes / BLOCK;
    blocks = malloc(count * sizeof *blocks);
    memset(blocks, 1, count * sizeof *blocks);
    (void)free_kib(0);
    if (argc > 2) {
        go_cold();
        return 0;
    }

    allocate_and_free_most((void *)1);
    collect_and_expect("one thread");
    collect_all();
    fill_again("one thread");
    // Once more; and again beside the holes that there are.
    free_most((void *)2);
    collect_and_expect("again");
    while (live > count / LIVE_SHARE / 2) {
        t_free(blocks[--live]);
    }
    collect_all();
    fill_again("beside holes");
    free_all();

    thread_join(thread_start(allocate_and_free_most, (void *)4));
    collect_and_expect("a thread that ended");
    fill_again("a thread that ended");
    free_all();

    pthread_t other = thread_start(live_on, (void *)5);
    while (atomic_load(&stage) == 0) {
        usleep(1000);
    }
    long wanted = free_kib(count * BLOCK / OS_PAGE);
    long before = resident_kib();
    collect_all();
    long after = resident_kib();
    for (int ms = 0; ms < 5000 && before - after < wanted - wanted / 50; ms += 10) {
        usleep(10000);
        after = resident_kib();
    }
    printf("holes: a thread that lives: %ld KiB before, %ld after, %ld could go\n", before, after, wanted);
    EXPECT(before - after >= wanted - wanted / 50, "%ld KiB went", before - after);
    atomic_store(&stage, 2);
    thread_join(other);
    for (size_t i = 0; i < live; i++) {
        check(blocks[i], i);
    }
    setenv("MIMALLOC_TRIM_DELAY", "300", 1);
    execl("/proc/self/exe", "holes", "64", "cold", (char *)NULL);
    return 77;
}
