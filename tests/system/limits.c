// SPDX-License-Identifier: MIT
// limits.c — used by limits.sh, with a resource limit set around it.
//
//   limits N          keeps N MiB of blocks of several sizes, frees them, and again, from two threads
//   limits exhaust    allocates until malloc fails, for several sizes; all is freed and works again
//   limits lock       calls mlockall first: locked memory is what is used, not what is reserved
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MAX_LOCKED_KIB = 64 * 1024 };

#define EXPECT(cond, ...)                                                                                    \
    do {                                                                                                     \
        if (!(cond)) {                                                                                       \
            fprintf(stderr, "limits.c:%d: expected %s: ", __LINE__, #cond);                                  \
            fprintf(stderr, __VA_ARGS__);                                                                    \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

typedef struct link_s {
    struct link_s *next;
} link_t;

static const size_t sizes[] = {16, 300, 5000, 70000, 1 << 20, 10 << 20};

// Blocks of `size` bytes until there are `bytes` of them, or until malloc fails.
static link_t *
keep(size_t size, size_t bytes, size_t *kept)
{
    link_t *all = NULL;
    *kept = 0;
    while (*kept < bytes) {
        errno = 0;
        link_t *block = malloc(size);
        if (block == NULL) {
            EXPECT(errno == ENOMEM, "errno %d after %zu bytes\n", errno, *kept);
            break;
        }
        block->next = all;
        ((char *)block)[size - 1] = 1;
        all = block;
        *kept += size;
    }
    return all;
}

static void
drop(link_t *all)
{
    while (all != NULL) {
        link_t *next = all->next;
        free(all);
        all = next;
    }
}

static void *
use(void *arg)
{
    size_t bytes = *(size_t *)arg, kept;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            link_t *all = keep(sizes[i], bytes, &kept);
            EXPECT(kept >= bytes, "%zu of %zu bytes in blocks of %zu\n", kept, bytes, sizes[i]);
            drop(all);
        }
    }
    return NULL;
}

static long
locked_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, "VmRSS:", 6) == 0) {
            kib = atol(line + 6);
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    return kib;
}

int
main(int argc, char **argv)
{
    if (argc != 2) {
        return 2;
    }
    if (strcmp(argv[1], "exhaust") == 0) {
        size_t first = 0, five_mib = (size_t)5 << 20;
        for (size_t i = 1; i < sizeof sizes / sizeof sizes[0]; i++) {
            size_t kept;
            drop(keep(sizes[i], (size_t)4 << 30, &kept));
            EXPECT(kept < (size_t)4 << 30, "malloc never failed\n");
            first = i == 1 ? kept : first;
            // What was used for one size must serve the next one.
            EXPECT(kept > first / 2, "blocks of %zu: %zu bytes, of %zu before\n", sizes[i], kept, first);
        }
        use(&five_mib);
        return 0;
    }
    size_t bytes = (size_t)10 << 20;
    if (strcmp(argv[1], "lock") == 0) {
        if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
            printf("mlockall is not allowed here: %s\n", strerror(errno));
            return 0;
        }
    } else {
        bytes = (size_t)atol(argv[1]) << 20;
    }
    use(&bytes);
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, use, &bytes) == 0, "no thread\n");
    pthread_join(thread, NULL);
    if (strcmp(argv[1], "lock") == 0) {
        EXPECT(locked_kib() < MAX_LOCKED_KIB, "%ld KiB resident\n", locked_kib());
        printf("locked: %ld KiB\n", locked_kib());
    }
    return 0;
}
