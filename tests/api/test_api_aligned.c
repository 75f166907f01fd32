// SPDX-License-Identifier: MIT
// test_api_aligned.c — every alignment with every kind of size, with offsets, zeroed, resized.
#include "api_test.h"

enum { LAST_SHIFT = sizeof(size_t) * 8 - 1 };

// Aligned as asked, large enough, and freed by mi_free.
static void
check_block(void *p, size_t size, size_t align, size_t offset)
{
    EXPECT(p != NULL);
    EXPECT(is_aligned((char *)p + offset, align));
    EXPECT(mi_usable_size(p) >= size);
    if (p != NULL && size > 0) {
        ((char *)p)[0] = 1;
        ((char *)p)[size - 1] = 1;
    }
    EXPECT_SILENT(mi_free(p));
}

static void
test_alignments(void)
{
    static const size_t sizes[] = {0,    1,    7,     8,      16,     24,     100,    1000,
                                   1024, 5000, 65536, 100000, 524288, 600000, 5000000};
    for (unsigned shift = 0; shift <= 27; shift++) {
        size_t align = (size_t)1 << shift;
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            void *p;
            EXPECT_SILENT(p = mi_malloc_aligned(sizes[i], align));
            check_block(p, sizes[i], align, 0);
            EXPECT_SILENT(p = mi_malloc_aligned(sizes[i], align));
            void *q = mi_malloc_aligned(sizes[i], align);
            EXPECT(p != q);
            check_block(q, sizes[i], align, 0);
            check_block(p, sizes[i], align, 0);
        }
    }
}

static void
test_extreme_alignments(void)
{
    for (unsigned shift = 0; shift <= LAST_SHIFT; shift++) {
        size_t align = opaque((size_t)1 << shift);
        for (size_t k = 0; k < 5; k++) {
            EXPECT_FAILS(mi_malloc_aligned(opaque(PTRDIFF_SIZE - k), align), ENOMEM);
            EXPECT_FAILS(mi_malloc_aligned(opaque(PTRDIFF_SIZE + 1 + k), align), ENOMEM);
            EXPECT_FAILS(mi_malloc_aligned(opaque(SIZE_MAX - k), align), ENOMEM);
            EXPECT_FAILS(mi_zalloc_aligned(opaque(SIZE_MAX - k), align), ENOMEM);
            EXPECT_FAILS(mi_malloc_aligned_at(opaque(SIZE_MAX - k), align, 8), ENOMEM);
            EXPECT_FAILS(mi_malloc_aligned_at(opaque(PTRDIFF_SIZE - k), align, 8), ENOMEM);
            EXPECT_FAILS(mi_malloc_aligned_at(opaque(PTRDIFF_SIZE - k), align, SIZE_MAX), ENOMEM);
        }
        // What can't be had fails cleanly, what can is right.
        for (size_t size = 0; size < 2; size++) {
            errno = 0;
            void *p = mi_malloc_aligned(size, align);
            EXPECT(p != NULL ? is_aligned(p, align) : errno == ENOMEM);
            EXPECT(p != NULL || shift > 30);
            mi_free(p);
        }
    }
}

static void
test_bad_alignments(void)
{
    static const size_t bad[] = {0, 3, 5, 6, 7, 12, 24, 48, 100, 4095, 4097, 65535, SIZE_MAX, SIZE_MAX - 1};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t align = opaque(bad[i]);
        EXPECT_FAILS(mi_malloc_aligned(100, align), EINVAL);
        EXPECT_FAILS(mi_malloc_aligned_at(100, align, 8), EINVAL);
        EXPECT_FAILS(mi_zalloc_aligned(100, align), EINVAL);
        EXPECT_FAILS(mi_zalloc_aligned_at(100, align, 8), EINVAL);
        EXPECT_FAILS(mi_calloc_aligned(10, 10, align), EINVAL);
        EXPECT_FAILS(mi_calloc_aligned_at(10, 10, align, 8), EINVAL);
        EXPECT_FAILS(mi_umalloc_aligned(10, align, NULL), EINVAL);
        EXPECT_FAILS(mi_uzalloc_aligned(10, align, NULL), EINVAL);
        EXPECT_FAILS(mi_new_aligned_nothrow(10, align), EINVAL);
        // The old block survives.
        char *p = mi_strdup("still here");
        EXPECT_FAILS(mi_realloc_aligned(p, 1000, align), EINVAL);
        EXPECT_FAILS(mi_rezalloc_aligned(p, 1000, align), EINVAL);
        EXPECT(strcmp(p, "still here") == 0);
        mi_free(p);
    }
}

static void
test_offsets(void)
{
    static const size_t offsets[] = {0, 1, 8, 15, 16, 17, 63, 100, 4096, 5000, 65535, 70000};
    static const size_t sizes[] = {0, 1, 16, 100, 1000, 10000, 70000, 600000};
    for (unsigned shift = 0; shift <= 16; shift++) {
        size_t align = (size_t)1 << shift;
        for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
            for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++) {
                size_t offset = offsets[i];
                size_t size = sizes[j];
                check_block(mi_malloc_aligned_at(size, align, offset), size, align, offset);
                void *p = mi_zalloc_aligned_at(size, align, offset);
                EXPECT(p != NULL && is_all(p, size, 0));
                check_block(p, size, align, offset);
                p = mi_calloc_aligned_at(size, 2, align, offset);
                EXPECT(p != NULL && is_all(p, size * 2, 0));
                check_block(p, size * 2, align, offset);
            }
        }
    }
}

// An alignment above a slice together with an offset: given rightly, or refused cleanly.
static void
test_large_offsets(void)
{
    for (unsigned shift = 17; shift <= LAST_SHIFT; shift++) {
        size_t align = opaque((size_t)1 << shift);
        errno = 0;
        void *p = mi_malloc_aligned_at(1000, align, 64);
        EXPECT(p != NULL ? is_aligned((char *)p + 64, align) : errno == ENOMEM);
        mi_free(p);
        // An offset that is a multiple of the alignment changes nothing.
        errno = 0;
        p = mi_malloc_aligned_at(1000, align, opaque(align * 2));
        EXPECT(p != NULL ? is_aligned(p, align) : errno == ENOMEM);
        EXPECT(p != NULL || shift > 30);
        mi_free(p);
    }
}

static void
test_zeroed(void)
{
    for (unsigned shift = 0; shift <= 20; shift++) {
        size_t align = (size_t)1 << shift;
        for (size_t size = 1; size <= 300000; size = size * 3 + 1) {
            void *p = mi_malloc_aligned(size, align);
            soil(p);
            mi_free(p);
            p = mi_zalloc_aligned(size, align);
            EXPECT(is_all(p, mi_usable_size(p), 0));
            soil(p);
            check_block(p, size, align, 0);
            p = mi_calloc_aligned(size, 1, align);
            EXPECT(is_all(p, mi_usable_size(p), 0));
            check_block(p, size, align, 0);
        }
    }
    EXPECT_FAILS(mi_calloc_aligned(opaque(SIZE_MAX / 2), 3, 64), ENOMEM);
    EXPECT_FAILS(mi_calloc_aligned_at(opaque(SIZE_MAX / 2), 3, 64, 8), ENOMEM);
}

static void
test_realloc(void)
{
    for (unsigned shift = 0; shift <= 18; shift++) {
        size_t align = (size_t)1 << shift;
        void *p = mi_realloc_aligned(NULL, 10, align);
        size_t size = 10;
        fill(p, size, shift);
        while (size < 400000) {
            size_t next = size * 2 + 3;
            EXPECT_SILENT(p = mi_realloc_aligned(p, next, align));
            EXPECT(p != NULL && is_aligned(p, align) && mi_usable_size(p) >= next);
            EXPECT(is_filled(p, size, shift));
            fill(p, next, shift);
            size = next;
        }
        while (size > 0) {
            size /= 3;
            p = mi_realloc_aligned(p, size, align);
            EXPECT(p != NULL && is_aligned(p, align) && is_filled(p, size, shift));
        }
        EXPECT_FAILS(mi_realloc_aligned(p, opaque(SIZE_MAX - 5), align), ENOMEM);
        EXPECT_FAILS(mi_realloc_aligned(p, opaque(PTRDIFF_SIZE), align), ENOMEM);
        mi_free(p);
    }
}

static void
test_realloc_at(void)
{
    for (unsigned shift = 4; shift <= 16; shift += 3) {
        size_t align = (size_t)1 << shift;
        for (size_t offset = 0; offset <= 40; offset += 8) {
            void *p = mi_realloc_aligned_at(NULL, 50, align, offset);
            fill(p, 50, 1);
            p = mi_realloc_aligned_at(p, 5000, align, offset);
            EXPECT(is_aligned((char *)p + offset, align) && is_filled(p, 50, 1));
            p = mi_realloc_aligned_at(p, 20, align, offset);
            EXPECT(is_aligned((char *)p + offset, align) && is_filled(p, 20, 1));
            // Other functions take such a block as well.
            p = mi_realloc(p, 3000);
            EXPECT(is_aligned(p, 16) && is_filled(p, 20, 1));
            mi_free(p);
        }
    }
    // An alignment that the block does not have yet.
    for (unsigned shift = 5; shift <= 20; shift++) {
        size_t align = (size_t)1 << shift;
        void *p = mi_malloc(40);
        fill(p, 40, shift);
        p = mi_realloc_aligned(p, 40, align);
        EXPECT(is_aligned(p, align) && is_filled(p, 40, shift));
        mi_free(p);
    }
}

static void
test_rezalloc(void)
{
    for (unsigned shift = 0; shift <= 16; shift += 2) {
        size_t align = (size_t)1 << shift;
        unsigned char *p = (unsigned char *)mi_rezalloc_aligned(NULL, 0, align);
        unsigned char *q = (unsigned char *)mi_recalloc_aligned(NULL, 0, 4, align);
        unsigned char *r = (unsigned char *)mi_rezalloc_aligned_at(NULL, 0, align, 8);
        unsigned char *s = (unsigned char *)mi_recalloc_aligned_at(NULL, 0, 4, align, 8);
        for (size_t count = 1; count < 100000; count = count * 5 / 2 + 1) {
            p = (unsigned char *)mi_rezalloc_aligned(p, count, align);
            q = (unsigned char *)mi_recalloc_aligned(q, count, 4, align);
            r = (unsigned char *)mi_rezalloc_aligned_at(r, count, align, 8);
            s = (unsigned char *)mi_recalloc_aligned_at(s, count, 4, align, 8);
            EXPECT(is_all(p, mi_usable_size(p), 0) && is_aligned(p, align));
            EXPECT(is_all(q, mi_usable_size(q), 0) && is_aligned(q, align));
            EXPECT(is_all(r, count, 0) && is_aligned(r + 8, align));
            EXPECT(is_all(s, count * 4, 0) && is_aligned(s + 8, align));
        }
        EXPECT_FAILS(mi_recalloc_aligned(q, opaque(SIZE_MAX), 4, align), ENOMEM);
        EXPECT_FAILS(mi_recalloc_aligned_at(s, opaque(SIZE_MAX), 4, align, 8), ENOMEM);
        mi_free(p);
        mi_free(q);
        mi_free(r);
        mi_free(s);
    }
}

int
main(void)
{
    test_alignments();
    test_extreme_alignments();
    test_bad_alignments();
    test_offsets();
    test_large_offsets();
    test_zeroed();
    test_realloc();
    test_realloc_at();
    test_rezalloc();
    return API_DONE();
}
