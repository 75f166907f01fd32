// SPDX-License-Identifier: MIT
// test_api_realloc.c — resizing: contents, failure, zeroed growth, and blocks of every size on the way.
#include "api_test.h"

static void
test_contents(void)
{
    for (size_t from = 0; from <= ((size_t)4 << 20); from = from < 100 ? from + 1 : next_size(from) * 3 / 2) {
        for (size_t to = 0; to <= ((size_t)4 << 20); to = to < 100 ? to + 7 : next_size(to) * 5 / 2) {
            void *p = mi_malloc(from);
            fill(p, from, 7);
            EXPECT_SILENT(p = mi_realloc(p, to));
            EXPECT(p != NULL && is_aligned(p, 16) && mi_usable_size(p) >= to);
            EXPECT(is_filled(p, from < to ? from : to, 7));
            mi_free(p);
        }
    }
}

// A block that grows and shrinks step by step, with others around it that must not move or change.
static void
test_growth(void)
{
    void *guards[64];
    for (unsigned i = 0; i < 64; i++) {
        guards[i] = mi_malloc(i * 40);
        fill(guards[i], i * 40, i);
    }
    size_t size = 0;
    void *p = NULL;
    for (size_t next = 0; next <= SIZE_SWEEP_END; next = next * 9 / 8 + 1) {
        p = mi_realloc(p, next);
        EXPECT(is_filled(p, size, 3));
        fill(p, next, 3);
        size = next;
    }
    for (; size > 0; size = size * 7 / 8) {
        p = mi_realloc(p, size);
        EXPECT(p != NULL && is_filled(p, size, 3) && mi_usable_size(p) >= size);
    }
    mi_free(p);
    for (unsigned i = 0; i < 64; i++) {
        EXPECT(is_filled(guards[i], i * 40, i));
        mi_free(guards[i]);
    }
}

static void
test_size_zero(void)
{
    char *p = mi_strdup("text");
    p = (char *)mi_realloc(p, 0);
    EXPECT(p != NULL && mi_usable_size(p) == mi_good_size(0));
    char *q = (char *)mi_realloc(NULL, 0);
    EXPECT(q != NULL && q != p);
    mi_free(p);
    mi_free(q);
    // A large block shrunk to nothing gives its memory up.
    p = (char *)mi_realloc(mi_malloc((size_t)8 << 20), 0);
    EXPECT(p != NULL && mi_usable_size(p) < 65536);
    mi_free(p);
    p = (char *)mi_reallocn(mi_malloc(100), 0, 8);
    EXPECT(p != NULL);
    mi_free(p);
}

static void
test_failure(void)
{
    static const size_t sizes[] = {0, 5, 100, 5000, 100000, 1000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *p = mi_malloc(sizes[i]);
        fill(p, sizes[i], 9);
        for (size_t k = 0; k < 20; k++) {
            EXPECT_FAILS(mi_realloc(p, opaque(PTRDIFF_SIZE + 1 + k)), ENOMEM);
            EXPECT_FAILS(mi_realloc(p, opaque(PTRDIFF_SIZE - k)), ENOMEM);
            EXPECT_FAILS(mi_realloc(p, opaque(SIZE_MAX - k)), ENOMEM);
            EXPECT_FAILS(mi_rezalloc(p, opaque(SIZE_MAX - k)), ENOMEM);
            EXPECT_FAILS(mi_reallocn(p, opaque(SIZE_MAX / 2 - k), 3), ENOMEM);
            EXPECT_FAILS(mi_reallocn(p, 3, opaque(SIZE_MAX / 2 - k)), ENOMEM);
            EXPECT_FAILS(mi_recalloc(p, opaque(SIZE_MAX / 2 - k), 3), ENOMEM);
        }
        EXPECT(is_filled(p, sizes[i], 9));
        mi_free(p);
    }
}

static void
test_reallocf(void)
{
    char *p = mi_strdup("text");
    p = (char *)mi_reallocf(p, 5000);
    EXPECT(p != NULL && strcmp(p, "text") == 0);
    EXPECT_FAILS(mi_reallocf(p, opaque(SIZE_MAX - 100)), ENOMEM);
    EXPECT_FAILS(mi_reallocf(NULL, opaque(SIZE_MAX - 100)), ENOMEM);
    // The block was freed: the next one of its size is the same, sooner or later. In secure mode much is
    // freed before that.
    void *kept[512];
    int seen = 0;
    for (int round = 0; round < 10 && !seen; round++) {
        for (int i = 0; i < 512; i++) {
            kept[i] = mi_malloc(5000);
            seen |= kept[i] == (void *)p;
        }
        for (int i = 0; i < 512; i++) {
            mi_free(kept[i]);
        }
    }
    EXPECT(seen);
}

static void
test_expand(void)
{
    for (size_t size = 0; size <= ((size_t)1 << 20); size = next_size(size) * 9 / 8) {
        char *p = (char *)mi_malloc(size);
        size_t usable = mi_usable_size(p);
        EXPECT_SILENT(EXPECT(mi_expand(p, 0) == p));
        EXPECT(mi_expand(p, size) == p);
        EXPECT(mi_expand(p, usable) == p);
        if (usable > 0) {
            p[usable - 1] = 1;
        }
        void *q;
        EXPECT_SILENT(q = mi_expand(p, usable + 1));
        EXPECT(q == NULL || (q == p && mi_usable_size(p) > usable));
        EXPECT_SILENT(EXPECT(mi_expand(p, opaque(SIZE_MAX)) == NULL));
        EXPECT_SILENT(EXPECT(mi_expand(p, opaque(PTRDIFF_SIZE)) == NULL));
        mi_free(p);
    }
}

static void
test_rezalloc(void)
{
    // Dirty memory first, so that fresh pages can't pass for cleared ones.
    void *dirty[200];
    for (size_t i = 0; i < 200; i++) {
        dirty[i] = mi_malloc(i * 300);
        soil(dirty[i]);
    }
    for (size_t i = 0; i < 200; i++) {
        mi_free(dirty[i]);
    }
    unsigned char *p = (unsigned char *)mi_rezalloc(NULL, 1);
    unsigned char *q = (unsigned char *)mi_recalloc(NULL, 1, 3);
    EXPECT(is_all(p, mi_usable_size(p), 0));
    EXPECT(is_all(q, mi_usable_size(q), 0));
    size_t size = 1;
    while (size < ((size_t)3 << 20)) {
        memset(p, 0x11, size);
        memset(q, 0x22, size * 3);
        size_t next = size < 200 ? size + 1 : size * 5 / 4;
        EXPECT_SILENT(p = (unsigned char *)mi_rezalloc(p, next));
        EXPECT_SILENT(q = (unsigned char *)mi_recalloc(q, next, 3));
        EXPECT(is_all(p, size, 0x11) && is_all(p + size, mi_usable_size(p) - size, 0));
        EXPECT(is_all(q, size * 3, 0x22) && is_all(q + size * 3, mi_usable_size(q) - size * 3, 0));
        size = next;
    }
    mi_free(p);
    mi_free(q);
}

// What a block loses and gains again is zero, too.
static void
test_rezalloc_down_and_up(void)
{
    static const size_t sizes[] = {28, 100, 5000, 60000, 200000, (size_t)3 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t size = sizes[i];
        unsigned char *p = (unsigned char *)mi_zalloc(size);
        unsigned char *q = (unsigned char *)mi_zalloc_aligned(size, 4096);
        for (size_t less = size; less > 0; less = less * 3 / 4) {
            memset(p, 0x33, size);
            memset(q, 0x44, size);
            p = (unsigned char *)mi_rezalloc(p, less);
            q = (unsigned char *)mi_rezalloc_aligned(q, less, 4096);
            p = (unsigned char *)mi_rezalloc(p, size);
            q = (unsigned char *)mi_rezalloc_aligned(q, size, 4096);
            EXPECT(is_all(p, less, 0x33) && is_all(p + less, size - less, 0));
            EXPECT(is_all(q, less, 0x44) && is_all(q + less, size - less, 0));
        }
        mi_free(p);
        mi_free(q);
    }
}

int
main(void)
{
    test_contents();
    test_growth();
    test_size_zero();
    test_failure();
    test_reallocf();
    test_expand();
    test_rezalloc();
    test_rezalloc_down_and_up();
    return API_DONE();
}
