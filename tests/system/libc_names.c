// SPDX-License-Identifier: MIT
// libc_names.c — the checks of libc_names.sh; writes malloc_info to the file that is named.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int failures;

#define EXPECT(cond)                                                                                         \
    do {                                                                                                     \
        if (!(cond)) {                                                                                       \
            failures++;                                                                                      \
            fprintf(stderr, "%s:%d: expected %s (errno %d)\n", __FILE__, __LINE__, #cond, errno);            \
        }                                                                                                    \
    } while (0)

#define EXPECT_FAILS(call, code)                                                                             \
    do {                                                                                                     \
        errno = 0;                                                                                           \
        EXPECT((call) == NULL);                                                                              \
        EXPECT(errno == (code));                                                                             \
    } while (0)

// C23; this libc may lack them.
__attribute__((weak)) void free_sized(void *p, size_t size);
__attribute__((weak)) void free_aligned_sized(void *p, size_t align, size_t size);

static volatile size_t huge = SIZE_MAX - 10;
static volatile size_t half = PTRDIFF_MAX;
static volatile size_t three = 3;

static void
test_edges(void)
{
    EXPECT_FAILS(malloc(huge), ENOMEM);
    EXPECT_FAILS(malloc(half), ENOMEM);
    EXPECT_FAILS(calloc(half, 4), ENOMEM);
    EXPECT_FAILS(calloc(half, 1), ENOMEM);
    EXPECT_FAILS(realloc(NULL, huge), ENOMEM);
    EXPECT_FAILS(reallocarray(NULL, half, 4), ENOMEM);
    EXPECT_FAILS(aligned_alloc(64, huge), ENOMEM);
    EXPECT_FAILS(aligned_alloc(three, 10), EINVAL);
    EXPECT_FAILS(memalign(64, half), ENOMEM);
    EXPECT_FAILS(memalign(three, 10), EINVAL);
    EXPECT_FAILS(valloc(huge), ENOMEM);
    EXPECT_FAILS(pvalloc(huge), ENOMEM);
    EXPECT_FAILS(pvalloc(SIZE_MAX), ENOMEM);
    errno = 77;
    void *p = &p;
    EXPECT(posix_memalign(&p, three, 10) == EINVAL && p == &p && errno == 77);
    EXPECT(posix_memalign(&p, 4, 10) == EINVAL && p == &p && errno == 77);
    EXPECT(posix_memalign(&p, 64, huge) == ENOMEM && p == &p && errno == 77);
    EXPECT(posix_memalign(&p, 64, 10) == 0 && (uintptr_t)p % 64 == 0 && errno == 77);
    free(p);
    p = malloc(0);
    void *q = malloc(0);
    EXPECT(p != NULL && q != NULL && p != q && errno == 77);
    p = realloc(p, 0);
    EXPECT(p != NULL && p != q);
    EXPECT(free_sized != NULL && free_aligned_sized != NULL);
    free_sized(p, 0);
    free(q);
    free_aligned_sized(aligned_alloc(256, 100), 256, 100);
    free(NULL);
    EXPECT(malloc_usable_size(NULL) == 0 && errno == 77);
    p = pvalloc(1);
    EXPECT(malloc_usable_size(p) >= (size_t)sysconf(_SC_PAGESIZE));
    free(p);
}

// What libc itself allocates is ours, too.
static void
test_libc(void)
{
    char *text = strdup("text");
    char *line = NULL;
    size_t room = 0;
    FILE *zero = fopen("/proc/self/status", "r");
    EXPECT(zero != NULL && getline(&line, &room, zero) > 0);
    EXPECT(malloc_usable_size(text) >= 5 && malloc_usable_size(line) >= room);
    fclose(zero);
    free(text);
    free(line);
}

// The names that glibc gives its own malloc lead to the same heap.
static void
test_internal_names(void)
{
    void *(*its_malloc)(size_t) = (void *(*)(size_t))dlsym(RTLD_DEFAULT, "__libc_malloc");
    void *(*its_calloc)(size_t, size_t) = (void *(*)(size_t, size_t))dlsym(RTLD_DEFAULT, "__libc_calloc");
    void *(*its_memalign)(size_t, size_t) = (void *(*)(size_t, size_t))dlsym(RTLD_DEFAULT, "__libc_memalign");
    void *(*its_realloc)(void *, size_t) = (void *(*)(void *, size_t))dlsym(RTLD_DEFAULT, "__libc_realloc");
    void (*its_free)(void *) = (void (*)(void *))dlsym(RTLD_DEFAULT, "__libc_free");
    EXPECT(its_malloc != NULL && its_calloc != NULL && its_memalign != NULL && its_realloc != NULL &&
           its_free != NULL);
    free(its_malloc(100));
    free(its_calloc(10, 10));
    free(its_memalign(64, 100));
    free(its_realloc(malloc(10), 1000));
    its_free(malloc(100));
}

enum { SMALL = 5000, LARGE = 10 };
static void *small[SMALL];
static void *large[LARGE];

static void
test_info(const char *file_name)
{
    struct mallinfo2 before = mallinfo2();
    for (int i = 0; i < SMALL; i++) {
        small[i] = malloc(5000);
        memset(small[i], 1, 5000);
    }
    for (int i = 0; i < LARGE; i++) {
        large[i] = malloc(2 << 20);
        memset(large[i], 1, 2 << 20);
    }
    struct mallinfo2 after = mallinfo2();
    EXPECT(after.uordblks >= before.uordblks + SMALL * 5000);
    EXPECT(after.uordblks < before.uordblks + SMALL * 6000);
    EXPECT(after.hblks == before.hblks + LARGE);
    EXPECT(after.hblkhd >= before.hblkhd + LARGE * ((size_t)2 << 20));
    EXPECT(after.arena >= after.uordblks && after.arena == after.uordblks + after.fordblks);
    struct mallinfo old = mallinfo();
    EXPECT((size_t)old.uordblks >= SMALL * 5000 && (size_t)old.hblks == after.hblks);

    FILE *file = fopen(file_name, "w");
    EXPECT(file != NULL && malloc_info(0, file) == 0);
    EXPECT(malloc_info(1, file) == EINVAL);
    fclose(file);

    for (int i = 0; i < SMALL; i++) {
        free(small[i]);
    }
    for (int i = 0; i < LARGE; i++) {
        free(large[i]);
    }
    struct mallinfo2 freed = mallinfo2();
    EXPECT(freed.uordblks < before.uordblks + 1000000 && freed.hblks == before.hblks);
    EXPECT(malloc_trim(0) == 1);
    EXPECT(mallinfo2().keepcost == 0);
    // Nothing is left to give back.
    (void)malloc_trim(0);
    EXPECT(malloc_trim(0) == 0);
}

static void
test_mallopt(void)
{
    EXPECT(mallopt(M_MMAP_THRESHOLD, 1 << 20) == 1);
    EXPECT(mallopt(M_TRIM_THRESHOLD, 1 << 20) == 1);
    EXPECT(mallopt(M_ARENA_MAX, 2) == 1);
    EXPECT(mallopt(M_PERTURB, 0) == 1);
    EXPECT(mallopt(M_MXFAST, 64) == 1);
    EXPECT(mallopt(12345, 1) == 0 && mallopt(0, 1) == 0 && mallopt(-9, 1) == 0 && mallopt(5, 1) == 0);
}

int
main(int count, char **args)
{
    test_edges();
    test_libc();
    test_internal_names();
    test_info(count > 1 ? args[1] : "/dev/null");
    test_mallopt();
    if (failures == 0) {
        malloc_stats();
    }
    return failures != 0;
}
