// SPDX-License-Identifier: MIT
// test_api_basic.c — malloc, calloc, free and their like: sizes, contents, alignment, impossible requests.
#include "api_test.h"

// All of a block may be used, and its neighbours are elsewhere.
API_OUT_OF_LINE void
touch(void *p)
{
    size_t usable = mi_usable_size(p);
    memset(p, 0xa5, usable < 4096 ? usable : 4096);
    if (usable > 0) {
        ((char *)p)[usable - 1] = 1;
    }
}

static void
test_every_size(void)
{
    for (size_t size = 0; size <= SIZE_SWEEP_END; size = next_size(size)) {
        void *p;
        EXPECT_SILENT(p = mi_malloc(size));
        EXPECT(p != NULL);
        EXPECT(is_aligned(p, 16));
        EXPECT(mi_usable_size(p) >= size);
        EXPECT(mi_usable_size(p) == mi_good_size(size));
        EXPECT(mi_good_size(mi_good_size(size)) == mi_good_size(size));
        touch(p);
        EXPECT_SILENT(mi_free(p));
    }
}

static void
test_waste(void)
{
    for (size_t size = 129; size <= (size_t)512 * 1024; size = next_size(size)) {
        size_t good = mi_good_size(size);
        // Above 64 KiB a block's end is address space that nobody touches, up to a multiple of 64
        // KiB.
        EXPECT(good >= size && (good - size <= good / 5 || (size > 65536 && good - size < 65536)));
    }
}

static void
test_size_zero(void)
{
    void *p = mi_malloc(0);
    void *q = mi_calloc(0, 8);
    void *r = mi_calloc(8, 0);
    void *s = mi_zalloc(0);
    void *t = mi_mallocn(0, 0);
    EXPECT(p != NULL && q != NULL && r != NULL && s != NULL && t != NULL);
    EXPECT(p != q && q != r && r != s && s != t && p != t);
    mi_free(p);
    mi_free(q);
    mi_free(r);
    mi_free(s);
    mi_free(t);
}

static void
test_impossible(void)
{
    static const size_t above[] = {0, 1, 2, 15, 16, 4096, 65536, 1 << 20};
    for (size_t i = 0; i < sizeof above / sizeof *above; i++) {
        size_t over_half = opaque(PTRDIFF_SIZE + 1 + above[i]);
        size_t over_all = opaque(SIZE_MAX - above[i]);
        size_t under_half = opaque(PTRDIFF_SIZE - above[i]);
        EXPECT_FAILS(mi_malloc(over_half), ENOMEM);
        EXPECT_FAILS(mi_malloc(over_all), ENOMEM);
        EXPECT_FAILS(mi_malloc(under_half), ENOMEM);
        EXPECT_FAILS(mi_malloc_small(over_all), ENOMEM);
        EXPECT_FAILS(mi_zalloc(over_half), ENOMEM);
        EXPECT_FAILS(mi_zalloc(over_all), ENOMEM);
        EXPECT_FAILS(mi_zalloc(under_half), ENOMEM);
        EXPECT_FAILS(mi_zalloc_small(over_all), ENOMEM);
        EXPECT_FAILS(mi_calloc(1, over_half), ENOMEM);
        EXPECT_FAILS(mi_calloc(over_all, 1), ENOMEM);
        EXPECT_FAILS(mi_mallocn(1, over_half), ENOMEM);
        EXPECT_FAILS(mi_realloc(NULL, over_half), ENOMEM);
        EXPECT(mi_good_size(over_half) == over_half);
        EXPECT(mi_good_size(over_all) == over_all);
        // An impossible request leaves nothing behind.
        void *p = mi_malloc(100);
        EXPECT(p != NULL);
        mi_free(p);
    }
    static const size_t roots[] = {2, 3, 16, 1000, 65536};
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        size_t count = opaque(SIZE_MAX / roots[i] + 1);
        EXPECT_FAILS(mi_calloc(count, roots[i]), ENOMEM);
        EXPECT_FAILS(mi_calloc(roots[i], count), ENOMEM);
        EXPECT_FAILS(mi_mallocn(count, roots[i]), ENOMEM);
        EXPECT_FAILS(mi_mallocn(roots[i], count), ENOMEM);
    }
}

// What malloc gave and took back dirty, calloc must give out clean, whole block and all.
static void
test_zeroed(void)
{
    enum { COUNT = 50 };
    for (size_t size = 0; size <= ((size_t)1 << 20); size = size < 300 ? size + 1 : next_size(size) * 5 / 4) {
        void *dirty[COUNT];
        int count = size > 100000 ? 2 : COUNT;
        for (int i = 0; i < count; i++) {
            dirty[i] = mi_malloc(size);
            soil(dirty[i]);
        }
        for (int i = 0; i < count; i++) {
            mi_free(dirty[i]);
        }
        for (int i = 0; i < count; i++) {
            switch (i % 3) {
            case 0:
                dirty[i] = mi_calloc(1, size);
                break;
            case 1:
                dirty[i] = mi_zalloc(size);
                break;
            default:
                dirty[i] = size % 2 == 0 ? mi_calloc(size / 2, 2) : mi_calloc(size, 1);
                break;
            }
            EXPECT(dirty[i] != NULL && is_aligned(dirty[i], 16));
            EXPECT(is_all(dirty[i], mi_usable_size(dirty[i]), 0));
        }
        for (int i = 0; i < count; i++) {
            mi_free(dirty[i]);
        }
    }
}

static void
test_small(void)
{
    EXPECT(MI_SMALL_SIZE_MAX == 128 * sizeof(void *));
    for (size_t size = 0; size <= MI_SMALL_SIZE_MAX; size++) {
        void *p = mi_malloc_small(size);
        EXPECT(p != NULL && mi_usable_size(p) == mi_good_size(size));
        soil(p);
        EXPECT_SILENT(mi_free_small(p));
        void *q = mi_zalloc_small(size);
        EXPECT(q != NULL && is_all(q, mi_usable_size(q), 0));
        mi_free_small(q);
    }
    mi_free_small(NULL);
}

static void
test_null(void)
{
    EXPECT_SILENT(mi_free(NULL));
    EXPECT(mi_usable_size(NULL) == 0);
    EXPECT_SILENT(EXPECT(mi_expand(NULL, 1) == NULL));
    EXPECT(mi_strdup(NULL) == NULL);
    EXPECT(mi_strndup(NULL, 3) == NULL);
}

// Blocks that live at the same time do not overlap.
static void
test_apart(void)
{
    enum { COUNT = 3000 };
    static unsigned char *blocks[COUNT];
    static size_t sizes[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        sizes[i] = (i * 37u) % 700 + (i % 100 == 0 ? 100000 : 0);
        blocks[i] = (unsigned char *)mi_malloc(sizes[i]);
        fill(blocks[i], sizes[i], i);
    }
    for (unsigned i = 0; i < COUNT; i += 2) {
        EXPECT(is_filled(blocks[i], sizes[i], i));
        mi_free(blocks[i]);
        sizes[i] = (i * 53u) % 900;
        blocks[i] = (unsigned char *)mi_malloc(sizes[i]);
        fill(blocks[i], sizes[i], i + 1);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        EXPECT(is_filled(blocks[i], sizes[i], i % 2 == 0 ? i + 1 : i));
        mi_free(blocks[i]);
    }
}

static void
test_strings(void)
{
    char text[300];
    for (size_t length = 0; length < sizeof text; length++) {
        memset(text, 'x', length);
        text[length] = 0;
        char *copy = mi_strdup(text);
        EXPECT(copy != NULL && copy != text && strcmp(copy, text) == 0);
        EXPECT(mi_usable_size(copy) >= length + 1);
        mi_free(copy);
        char *part = mi_strndup(text, 10);
        EXPECT(part != NULL && strlen(part) == (length < 10 ? length : 10));
        EXPECT(strncmp(part, text, 10) == 0);
        mi_free(part);
    }
    // No end is needed within the first n characters.
    char open_end[4] = {'a', 'b', 'c', 'd'};
    char *copy = mi_strndup(open_end, 4);
    EXPECT(copy != NULL && strcmp(copy, "abcd") == 0);
    mi_free(copy);
    copy = mi_strndup("short", SIZE_MAX);
    EXPECT(copy != NULL && strcmp(copy, "short") == 0);
    mi_free(copy);
    copy = mi_strndup("short", 0);
    EXPECT(copy != NULL && copy[0] == 0);
    mi_free(copy);
}

static void
test_realpath(void)
{
    char *name = mi_realpath("/usr/../usr/./", NULL);
    EXPECT(name != NULL && is_path(name, "/usr"));
    EXPECT(mi_usable_size(name) >= 5);
    mi_free(name);
    static char buffer[8192];
    EXPECT(mi_realpath("/.", buffer) == buffer);
    EXPECT(is_path(buffer, "/"));
    EXPECT_FAILS(mi_realpath("/no/such/file", NULL), ENOENT);
    EXPECT_FAILS(mi_realpath("/no/such/file", buffer), ENOENT);
    EXPECT_FAILS(mi_realpath("", NULL), ENOENT);
}

typedef struct pair_t {
    int a;
    double b;
} pair_t;

static void
test_typed(void)
{
    pair_t *one = mi_malloc_tp(pair_t);
    EXPECT(mi_usable_size(one) >= sizeof(pair_t));
    mi_free(one);
    one = mi_zalloc_tp(pair_t);
    EXPECT(is_all(one, sizeof *one, 0));
    mi_free(one);
    one = mi_calloc_tp(pair_t, 10);
    EXPECT(is_all(one, 10 * sizeof *one, 0));
    one = mi_recalloc_tp(pair_t, one, 100);
    EXPECT(is_all(one, 100 * sizeof *one, 0));
    mi_free(one);
    one = mi_mallocn_tp(pair_t, 10);
    one[9].a = 42;
    one = mi_reallocn_tp(pair_t, one, 1000);
    EXPECT(one[9].a == 42 && mi_usable_size(one) >= 1000 * sizeof *one);
    mi_free(one);
}

int
main(void)
{
    EXPECT(mi_version() == MI_MALLOC_VERSION);
    EXPECT(MI_MALLOC_VERSION == 30403);
    test_every_size();
    test_waste();
    test_size_zero();
    test_impossible();
    test_zeroed();
    test_small();
    test_null();
    test_apart();
    test_strings();
    test_realpath();
    test_typed();
    return API_DONE();
}
