// SPDX-License-Identifier: MIT
// idle.c — memory goes back while the program does nothing, and the process gets no thread for that which
// it did not have.
// serial: yes
// timeout: 300
//
//   idle [MB]
//
// Blocks of 16 bytes to 8 KiB are allocated, touched and freed: by the main thread of a process without
// another; by four threads that end; by four threads that stay and sleep; and again by one thread in a
// child of a fork. There is no call of the allocator between the last free and the measurement.
#include "harness.h"

#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum {
    THREADS = 4,
    MAX_BLOCKS = 400000,
    ONE_LEFT_KIB = 40 * 1000,
    MANY_LEFT_KIB = 15 * 1000,
    WAIT_MS = 2000
};

static unsigned char *blocks[THREADS][MAX_BLOCKS];
static size_t bytes_of_all;
static atomic_int done;
static atomic_bool go_on;

static void
use_memory(int index, size_t bytes)
{
    uint64_t random = random_seed((uint64_t)index);
    size_t count = 0;
    for (size_t sum = 0; sum < bytes && count < MAX_BLOCKS; count++) {
        size_t size = (size_t)16 << random_below(&random, 10);
        size = size / 2 + random_below(&random, size / 2 + 1);
        blocks[index][count] = t_malloc(size);
        EXPECT(blocks[index][count] != NULL, "%zu bytes", size);
        memset(blocks[index][count], 1, size);
        sum += size;
    }
    while (count > 0) {
        size_t i = random_below(&random, count);
        t_free(blocks[index][i]);
        blocks[index][i] = blocks[index][--count];
    }
}

static void *
use_and_end(void *arg)
{
    use_memory((int)(intptr_t)arg, bytes_of_all / THREADS);
    return NULL;
}

static void *
use_and_stay(void *arg)
{
    use_memory((int)(intptr_t)arg, bytes_of_all / THREADS);
    atomic_fetch_add(&done, 1);
    while (!atomic_load(&go_on)) {
        usleep(10000);
    }
    return NULL;
}

static long
threads_now(void)
{
    struct stat tasks;
    EXPECT(stat("/proc/self/task", &tasks) == 0, "no /proc");
    return (long)tasks.st_nlink - 2;
}

// Waits until resident memory is at most `limit` KiB, or for two seconds.
static void
expect_resident(const char *what, long before, long limit)
{
    long peak = resident_kib();
    long now = peak;
    for (int ms = 0; ms < WAIT_MS && now > before + limit; ms += 50) {
        usleep(50000);
        now = resident_kib();
    }
    printf("idle: %s: %ld KiB before, %ld when freed, %ld when idle, %ld threads\n", what, before, peak, now,
           threads_now());
    fflush(stdout);
    EXPECT(now <= before + limit, "%ld KiB more than before", now - before);
}

static void
by_one_thread(const char *what)
{
    long before = resident_kib();
    use_memory(0, bytes_of_all);
    EXPECT(threads_now() == 1, "%ld threads", threads_now());
    expect_resident(what, before, ONE_LEFT_KIB);
    EXPECT(threads_now() == 1, "%ld threads", threads_now());
}

int
main(int argc, char **argv)
{
    bytes_of_all = (size_t)argument(argc, argv, 1, 400) * 1000 * 1000;
    memset(blocks, 1, sizeof blocks); // resident before anything is measured
    by_one_thread("one thread");
    collect_all();

    long before = resident_kib();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        threads[i] = thread_start(use_and_end, (void *)(intptr_t)i);
    }
    for (int i = 0; i < THREADS; i++) {
        thread_join(threads[i]);
    }
    expect_resident("four threads that ended", before, MANY_LEFT_KIB);

    before = resident_kib();
    for (int i = 0; i < THREADS; i++) {
        threads[i] = thread_start(use_and_stay, (void *)(intptr_t)i);
    }
    while (atomic_load(&done) < THREADS) {
        usleep(10000);
    }
    expect_resident("four threads that stay", before, MANY_LEFT_KIB);
    // The helper goes when there is nothing left to do.
    for (int ms = 0; ms < 2 * WAIT_MS && threads_now() > THREADS + 1; ms += 50) {
        usleep(50000);
    }
    EXPECT(threads_now() == THREADS + 1, "%ld threads", threads_now());
    atomic_store(&go_on, true);
    for (int i = 0; i < THREADS; i++) {
        thread_join(threads[i]);
    }

    pid_t child = fork();
    if (child == 0) {
        by_one_thread("a child of a fork");
        _exit(0);
    }
    int status = 0;
    EXPECT(waitpid(child, &status, 0) == child && status == 0, "status %x", (unsigned)status);
    return 0;
}
