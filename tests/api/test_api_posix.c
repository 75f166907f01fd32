// SPDX-License-Identifier: MIT
// test_api_posix.c — the POSIX, BSD and Windows functions: return codes, errno, what stays untouched.
#include <unistd.h>

#include "api_test.h"

enum { LAST_SHIFT = sizeof(size_t) * 8 - 1 };

static void
test_posix_memalign(void)
{
    for (unsigned shift = 3; shift <= LAST_SHIFT; shift++) {
        size_t align = opaque((size_t)1 << shift);
        static const size_t sizes[] = {0, 1, 100, 100000};
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            void *p = &p;
            int code;
            EXPECT_SILENT(code = mi_posix_memalign(&p, align, sizes[i]));
            if (code == 0) {
                EXPECT(p != NULL && is_aligned(p, align) && mi_usable_size(p) >= sizes[i]);
                mi_free(p);
            } else {
                EXPECT(code == ENOMEM && p == &p && shift > 30);
            }
        }
        for (size_t k = 0; k < 4; k++) {
            void *p = &p;
            int code;
            EXPECT_SILENT(code = mi_posix_memalign(&p, align, opaque(PTRDIFF_SIZE - k)));
            EXPECT(code == ENOMEM && p == &p);
            EXPECT_SILENT(code = mi_posix_memalign(&p, align, opaque(SIZE_MAX - k)));
            EXPECT(code == ENOMEM && p == &p);
        }
    }
    static const size_t bad[] = {0, 1, 2, 4, 3, 7, 9, 12, 24, 40, 4097, SIZE_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (bad[i] == sizeof(void *)) {
            continue;
        }
        void *p = &p;
        int code;
        EXPECT_SILENT(code = mi_posix_memalign(&p, opaque(bad[i]), 10));
        EXPECT(code == EINVAL && p == &p);
    }
    EXPECT(mi_posix_memalign(NULL, 16, 10) == EINVAL);
}

static void
test_aligned_alloc(void)
{
    for (unsigned shift = 0; shift <= 24; shift++) {
        size_t align = (size_t)1 << shift;
        // Any size will do, as since C17.
        for (size_t size = 0; size < 200000; size = size * 3 + 1) {
            void *p;
            EXPECT_SILENT(p = mi_aligned_alloc(align, size));
            EXPECT(p != NULL && is_aligned(p, align) && mi_usable_size(p) >= size);
            mi_free_aligned(p, align);
            EXPECT_SILENT(p = mi_memalign(align, size));
            EXPECT(p != NULL && is_aligned(p, align) && mi_usable_size(p) >= size);
            mi_free_size_aligned(p, size, align);
        }
        EXPECT_FAILS(mi_aligned_alloc(align, opaque(SIZE_MAX - 7)), ENOMEM);
        EXPECT_FAILS(mi_memalign(align, opaque(PTRDIFF_SIZE + 1)), ENOMEM);
    }
    EXPECT_FAILS(mi_aligned_alloc(opaque(0), 10), EINVAL);
    EXPECT_FAILS(mi_aligned_alloc(opaque(3), 10), EINVAL);
    EXPECT_FAILS(mi_aligned_alloc(opaque(48), 96), EINVAL);
    EXPECT_FAILS(mi_memalign(opaque(48), 96), EINVAL);
    EXPECT_FAILS(mi_memalign(opaque(0), 96), EINVAL);
}

static void
test_valloc(void)
{
#if API_WINDOWS
    size_t page = 4096;
#else
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
#endif
    static const size_t sizes[] = {0, 1, 100, 4095, 4096, 4097, 65536, 1000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *p = mi_valloc(sizes[i]);
        EXPECT(p != NULL && is_aligned(p, page) && mi_usable_size(p) >= sizes[i]);
        void *q = mi_pvalloc(sizes[i]);
        size_t whole = sizes[i] == 0 ? page : (sizes[i] + page - 1) / page * page;
        EXPECT(q != NULL && q != p && is_aligned(q, page) && mi_usable_size(q) >= whole);
        memset(q, 1, whole);
        mi_free(p);
        mi_free(q);
    }
    for (size_t k = 0; k < 3; k++) {
        EXPECT_FAILS(mi_valloc(opaque(SIZE_MAX - k)), ENOMEM);
        EXPECT_FAILS(mi_valloc(opaque(PTRDIFF_SIZE - k)), ENOMEM);
        EXPECT_FAILS(mi_pvalloc(opaque(SIZE_MAX - k)), ENOMEM);
        EXPECT_FAILS(mi_pvalloc(opaque(PTRDIFF_SIZE - k)), ENOMEM);
        EXPECT_FAILS(mi_pvalloc(opaque(SIZE_MAX - page + k)), ENOMEM);
    }
}

static void
test_reallocarray(void)
{
    int *p = (int *)mi_reallocarray(NULL, 10, sizeof(int));
    fill(p, 10 * sizeof(int), 2);
    EXPECT_SILENT(p = (int *)mi_reallocarray(p, 10000, sizeof(int)));
    EXPECT(p != NULL && is_filled(p, 10 * sizeof(int), 2));
    EXPECT_FAILS(mi_reallocarray(p, opaque(SIZE_MAX / 4 + 1), 4), ENOMEM);
    EXPECT_FAILS(mi_reallocarray(p, opaque(SIZE_MAX), opaque(SIZE_MAX)), ENOMEM);
    EXPECT_FAILS(mi_reallocarray(p, opaque(PTRDIFF_SIZE), 1), ENOMEM);
    EXPECT(is_filled(p, 10 * sizeof(int), 2));
    p = (int *)mi_reallocarray(p, 0, 4);
    EXPECT(p != NULL);
    mi_free(p);
}

static void
test_reallocarr(void)
{
    char *p = NULL;
    int code;
    EXPECT_SILENT(code = mi_reallocarr(&p, 10, 10));
    EXPECT(code == 0 && p != NULL && mi_usable_size(p) >= 100);
    fill(p, 100, 4);
    EXPECT_SILENT(code = mi_reallocarr(&p, 1000, 10));
    EXPECT(code == 0 && is_filled(p, 100, 4));
    char *before = p;
    EXPECT_SILENT(code = mi_reallocarr(&p, opaque(SIZE_MAX / 2), 3));
    EXPECT(code == EOVERFLOW && p == before);
    EXPECT_SILENT(code = mi_reallocarr(&p, opaque(PTRDIFF_SIZE), 1));
    EXPECT(code == ENOMEM && p == before && is_filled(p, 100, 4));
    // A product of 0 frees, by our own free.
    EXPECT_SILENT(code = mi_reallocarr(&p, 0, 10));
    EXPECT(code == 0 && p == NULL);
    code = mi_reallocarr(&p, 10, 0);
    EXPECT(code == 0 && p == NULL);
    code = mi_reallocarr(NULL, 1, 1);
    EXPECT(code == EINVAL);
}

static void
test_aligned_recalloc(void)
{
    for (unsigned shift = 4; shift <= 12; shift += 4) {
        size_t align = (size_t)1 << shift;
        char *p = (char *)mi_aligned_recalloc(NULL, 3, 5, align);
        char *q = (char *)mi_aligned_offset_recalloc(NULL, 3, 5, align, 8);
        EXPECT(is_aligned(p, align) && is_all(p, 15, 0));
        EXPECT(is_aligned(q + 8, align) && is_all(q, 15, 0));
        p = (char *)mi_aligned_recalloc(p, 3000, 5, align);
        q = (char *)mi_aligned_offset_recalloc(q, 3000, 5, align, 8);
        EXPECT(is_aligned(p, align) && is_all(p, 15000, 0));
        EXPECT(is_aligned(q + 8, align) && is_all(q, 15000, 0));
        EXPECT_FAILS(mi_aligned_recalloc(p, opaque(SIZE_MAX), 5, align), ENOMEM);
        EXPECT_FAILS(mi_aligned_offset_recalloc(q, opaque(SIZE_MAX), 5, align, 8), ENOMEM);
        mi_free(p);
        mi_free(q);
    }
}

static void
count_error(int code, void *count)
{
    (void)code;
    *(int *)count += 1;
}

// What a program may say about its blocks is not taken for a mistake.
static void
test_sized_frees_are_believed(void)
{
    int errors = 0;
    mi_register_error(count_error, &errors);
    for (size_t align = 1; align <= (size_t)1 << 21; align *= 2) {
        for (size_t size = 0; size < 1000000; size = next_size(size) * 6 / 5) {
            mi_free_size_aligned(mi_malloc_aligned(size, align), size, align);
            mi_free_size_aligned(mi_realloc_aligned(mi_malloc(100), size, align), size, align);
        }
    }
    EXPECT(errors == 0);
    mi_register_error(NULL, NULL);
}

static void
test_frees(void)
{
    for (size_t size = 0; size < 1000000; size = next_size(size) * 6 / 5) {
        EXPECT_SILENT(mi_free_size(mi_malloc(size), size));
        EXPECT_SILENT(mi_free_size_aligned(mi_malloc_aligned(size, 64), size, 64));
        EXPECT_SILENT(mi_free_aligned(mi_malloc_aligned(size, 256), 256));
        EXPECT_SILENT(mi_cfree(mi_malloc(size)));
    }
    mi_free_size(NULL, 0);
    mi_free_size(NULL, 100);
    mi_free_size_aligned(NULL, 100, 8);
    mi_free_aligned(NULL, 8);
    // mi_cfree leaves alone what is not ours.
    mi_cfree(NULL);
    int local = 5;
    static int fixed = 6;
    mi_cfree(&local);
    mi_cfree(&fixed);
    EXPECT(local == 5 && fixed == 6);
}

static void
test_expand(void)
{
    char *p = (char *)mi_malloc(100);
    EXPECT_SILENT(EXPECT(mi__expand(p, mi_usable_size(p)) == p));
    EXPECT_FAILS(mi__expand(p, mi_usable_size(p) + 100), ENOMEM);
    EXPECT_FAILS(mi__expand(p, opaque(SIZE_MAX)), ENOMEM);
    EXPECT_FAILS(mi__expand(NULL, 10), ENOMEM);
    mi_free(p);
}

static void
test_strings(void)
{
    static const unsigned short wide[] = {'w', 'i', 0x4e2d, 0};
    unsigned short *w = mi_wcsdup(wide);
    EXPECT(w != NULL && memcmp(w, wide, sizeof wide) == 0);
    mi_free(w);
    static const unsigned char multi[] = "m\xc3\xa4h";
    unsigned char *m = mi_mbsdup(multi);
    EXPECT(m != NULL && memcmp(m, multi, sizeof multi) == 0);
    mi_free(m);
    EXPECT(mi_wcsdup(NULL) == NULL && mi_mbsdup(NULL) == NULL);
}

static void
test_environment(void)
{
    char *value = NULL;
    size_t size = 99;
    char entry[] = "API_TEST_VARIABLE=some text";
    EXPECT(putenv(entry) == 0);
    EXPECT(mi_dupenv_s(&value, &size, "API_TEST_VARIABLE") == 0);
    EXPECT(value != NULL && strcmp(value, "some text") == 0 && size == 10);
    mi_free(value);
    EXPECT(mi_dupenv_s(&value, NULL, "API_TEST_VARIABLE") == 0 && value != NULL);
    mi_free(value);
    EXPECT(mi_dupenv_s(&value, &size, "API_TEST_NO_SUCH") == 0 && value == NULL && size == 0);
    EXPECT(mi_dupenv_s(&value, &size, NULL) == EINVAL);
    EXPECT(mi_dupenv_s(NULL, &size, "API_TEST_VARIABLE") == EINVAL);
    unsigned short *wide = (unsigned short *)&wide;
    size = 1;
    EXPECT(mi_wdupenv_s(&wide, &size, NULL) == EINVAL && wide == NULL && size == 0);
}

int
main(void)
{
    test_posix_memalign();
    test_aligned_alloc();
    test_valloc();
    test_reallocarray();
    test_reallocarr();
    test_aligned_recalloc();
    test_frees();
    test_sized_frees_are_believed();
    test_expand();
    test_strings();
    test_environment();
    return API_DONE();
}
