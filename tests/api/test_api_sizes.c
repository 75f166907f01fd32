// SPDX-License-Identifier: MIT
// test_api_sizes.c — the functions that tell sizes: usable_size, good_size, and those with a `u`.
#include "api_test.h"

static void
test_agreement(void)
{
    size_t before = 0;
    for (size_t size = 0; size <= SIZE_SWEEP_END; size = next_size(size)) {
        size_t good = mi_good_size(size);
        EXPECT(good >= size && good >= before);
        EXPECT(mi_malloc_good_size(size) == good);
        before = good;
        size_t told = 1;
        void *p = mi_umalloc(size, &told);
        EXPECT(p != NULL && told == good);
        EXPECT(mi_usable_size(p) == told && mi_malloc_size(p) == told && mi_malloc_usable_size(p) == told);
        size_t freed = 1;
        EXPECT_SILENT(mi_ufree(p, &freed));
        EXPECT(freed == told);
    }
}

static void
test_zeroed(void)
{
    for (size_t size = 0; size < 100000; size = next_size(size) * 5 / 4) {
        size_t told = 0;
        void *p = mi_uzalloc(size, &told);
        EXPECT(told == mi_usable_size(p) && is_all(p, told, 0));
        memset(p, 0xff, told);
        mi_ufree(p, NULL);
        p = mi_ucalloc(size, 3, &told);
        EXPECT(told >= size * 3 && told == mi_usable_size(p) && is_all(p, told, 0));
        memset(p, 0xff, told);
        mi_free(p);
        if (size <= MI_SMALL_SIZE_MAX) {
            p = mi_uzalloc_small(size, &told);
            EXPECT(told == mi_usable_size(p) && is_all(p, told, 0));
            mi_free(p);
            p = mi_umalloc_small(size, &told);
            EXPECT(told == mi_usable_size(p));
            mi_free_small(p);
        }
    }
}

static void
test_aligned(void)
{
    for (unsigned shift = 0; shift <= 20; shift++) {
        size_t align = (size_t)1 << shift;
        size_t told = 0;
        void *p = mi_umalloc_aligned(100, align, &told);
        EXPECT(is_aligned(p, align) && told == mi_usable_size(p) && told >= 100);
        mi_free(p);
        p = mi_uzalloc_aligned(100, align, &told);
        EXPECT(is_aligned(p, align) && told == mi_usable_size(p) && is_all(p, told, 0));
        mi_free(p);
    }
}

static void
test_realloc(void)
{
    size_t pre = 1;
    size_t post = 1;
    void *p = mi_urealloc(NULL, 10, &pre, &post);
    EXPECT(p != NULL && pre == 0 && post == mi_good_size(10));
    for (size_t size = 20; size < ((size_t)2 << 20); size *= 2) {
        size_t last = post;
        fill(p, size / 2, 5);
        p = mi_urealloc(p, size, &pre, &post);
        EXPECT(pre == last && post >= size && post == mi_usable_size(p));
        EXPECT(is_filled(p, size / 2, 5));
    }
    size_t last = post;
    EXPECT_FAILS(mi_urealloc(p, opaque(SIZE_MAX - 1), &pre, &post), ENOMEM);
    EXPECT(pre == last && post == 0);
    EXPECT(mi_usable_size(p) == last);
    p = mi_urealloc(p, 0, NULL, NULL);
    EXPECT(p != NULL);
    mi_ufree(p, NULL);
}

static void
test_failure(void)
{
    size_t told = 1;
    EXPECT_FAILS(mi_umalloc(opaque(SIZE_MAX), &told), ENOMEM);
    EXPECT(told == 0);
    told = 1;
    EXPECT_FAILS(mi_uzalloc(opaque(SIZE_MAX), &told), ENOMEM);
    EXPECT(told == 0);
    told = 1;
    EXPECT_FAILS(mi_ucalloc(opaque(SIZE_MAX / 2), 3, &told), ENOMEM);
    EXPECT(told == 0);
    told = 1;
    EXPECT_FAILS(mi_umalloc_aligned(8, opaque(3), &told), EINVAL);
    EXPECT(told == 0);
    told = 1;
    EXPECT_FAILS(mi_umalloc(opaque(PTRDIFF_SIZE + 1), NULL), ENOMEM);
    mi_ufree(NULL, &told);
    EXPECT(told == 0);
    mi_ufree(NULL, NULL);
}

int
main(void)
{
    test_agreement();
    test_zeroed();
    test_aligned();
    test_realloc();
    test_failure();
    return API_DONE();
}
