// SPDX-License-Identifier: MIT
// control.c — used by control.sh: what glibc offers to look at its malloc, and answers that are true.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPECT(cond, ...)                                                                                    \
    do {                                                                                                     \
        if (!(cond)) {                                                                                       \
            fprintf(stderr, "control.c:%d: expected %s: ", __LINE__, #cond);                                 \
            fprintf(stderr, __VA_ARGS__);                                                                    \
            fputc('\n', stderr);                                                                             \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

enum { BLOCKS = 20000, BLOCK = 2000, LARGE = 30 * 1000 * 1000 };

static long
resident_kib(void)
{
    char text[256] = "";
    int fd = open("/proc/self/statm", O_RDONLY);
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    const char *second = length > 0 ? strchr(text, ' ') : NULL;
    return second == NULL ? -1 : atol(second) * (sysconf(_SC_PAGESIZE) / 1024);
}

int
main(int argc, char **argv)
{
    static char *blocks[BLOCKS];
    if (argc != 2) {
        return 2;
    }
    free(malloc(1));
    struct mallinfo2 before = mallinfo2();
    size_t asked = (size_t)BLOCKS * BLOCK;
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(BLOCK);
        EXPECT(blocks[i] != NULL, "block %zu", i);
        memset(blocks[i], 1, BLOCK);
    }
    struct mallinfo2 during = mallinfo2();
    size_t more = during.uordblks - before.uordblks;
    EXPECT(more >= asked && more < asked * 3 / 2, "%zu bytes more in use, of %zu", more, asked);
    EXPECT(during.arena >= during.uordblks, "%zu of %zu", during.uordblks, during.arena);
    char *large = malloc(LARGE);
    struct mallinfo2 with_large = mallinfo2();
    more = with_large.uordblks + with_large.hblkhd - during.uordblks - during.hblkhd;
    EXPECT(more >= LARGE && more < LARGE * 3 / 2, "%zu bytes more for a block of %d", more, LARGE);
    free(large);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    struct mallinfo old = mallinfo();
#pragma GCC diagnostic pop
    EXPECT((size_t)old.uordblks >= asked, "mallinfo says %d", old.uordblks);
    EXPECT(mallopt(M_MMAP_THRESHOLD, 1 << 20) == 1, "mallopt");

    FILE *f = fopen(argv[1], "w");
    EXPECT(f != NULL && malloc_info(0, f) == 0 && fclose(f) == 0, "malloc_info");
    f = fopen("/dev/null", "w");
    EXPECT(malloc_info(1, f) == EINVAL || errno == EINVAL, "malloc_info with options");
    fclose(f);
    malloc_stats();

    long peak = resident_kib();
    for (size_t i = 0; i < BLOCKS; i++) {
        free(blocks[i]);
    }
    int trimmed = malloc_trim(0);
    EXPECT(trimmed == 0 || trimmed == 1, "%d", trimmed);
    EXPECT(peak - resident_kib() > (long)(asked / 1024 * 9 / 10),
           "%ld KiB at the peak, %ld after malloc_trim", peak, resident_kib());
    struct mallinfo2 after = mallinfo2();
    EXPECT(after.uordblks < before.uordblks + asked / 10, "%zu bytes in use when all is freed",
           after.uordblks);
    puts("control: fine");
    return 0;
}
