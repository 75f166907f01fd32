// SPDX-License-Identifier: MIT
// returns.c — memory goes back to the system after a peak, also when another thread does the freeing.
// serial: yes
// timeout: 600
//
//   returns [blocks]
//
// Blocks of 1 to 64 KiB, all live at once and all touched, are freed in random order: first by a
// second thread, then by the main thread after the thread that allocated them has ended. Each time,
// resident memory must come back to within 10 MB of what it was, after one call that asks for it.
#include "harness.h"

enum { MAX_BLOCKS = 1000000, MAX_LEFT_KIB = 10 * 1000 };

static unsigned char *blocks[MAX_BLOCKS];
static size_t count;

static void *
allocate_all(void *arg)
{
    uint64_t random = random_seed((uint64_t)(uintptr_t)arg);
    for (size_t i = 0; i < count; i++) {
        size_t size = 1024 + random_below(&random, 63 * 1024 + 1);
        blocks[i] = t_malloc(size);
        EXPECT(blocks[i] != NULL, "%zu bytes", size);
        for (size_t j = 0; j < size; j += 4096) {
            blocks[i][j] = (unsigned char)i;
        }
        blocks[i][size - 1] = (unsigned char)i;
    }
    return NULL;
}

static void *
free_all(void *arg)
{
    uint64_t random = random_seed((uint64_t)(uintptr_t)arg);
    for (size_t i = count; i > 0; i--) {
        size_t j = random_below(&random, i);
        unsigned char *block = blocks[j];
        blocks[j] = blocks[i - 1];
        t_free(block);
    }
    return NULL;
}

static void
report(const char *what, long before, long peak, long freed)
{
    long after = resident_kib();
    printf("returns: %s: %ld KiB before, %ld at the peak, %ld when freed, %ld after collecting\n", what,
           before, peak, freed, after);
    fflush(stdout);
    EXPECT(peak - before > (long)(count * 16), "the blocks were not resident: %ld KiB", peak - before);
    EXPECT(after - before <= MAX_LEFT_KIB, "%ld KiB more than before", after - before);
}

int
main(int argc, char **argv)
{
    count = (size_t)argument(argc, argv, 1, 100000);
    EXPECT(count >= 1 && count <= MAX_BLOCKS, "returns [blocks]");
    memset(blocks, 1, count * sizeof *blocks); // resident before anything is measured
    printf("returns: %zu blocks\n", count);

    long before = resident_kib();
    allocate_all((void *)1);
    long peak = resident_kib();
    thread_join(thread_start(free_all, (void *)2));
    long freed = resident_kib();
    collect_all();
    report("freed by another thread", before, peak, freed);

    thread_join(thread_start(allocate_all, (void *)3));
    peak = resident_kib();
    free_all((void *)4);
    freed = resident_kib();
    collect_all();
    report("freed after the owner ended", before, peak, freed);
    return 0;
}
