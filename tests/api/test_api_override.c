// SPDX-License-Identifier: MIT
// test_api_override.c — mimalloc-override.h: every usual name leads to this library.
#include "api_test.h"

#include <wchar.h>

// The macros come after every header of the system.
#include <mimalloc-override.h>

// Freed by mi_free, and known to mi_usable_size: then it is ours.
static void
check_ours(void *p, size_t size)
{
    EXPECT(p != NULL && mi_usable_size(p) >= size);
    mi_free(p);
}

static void
test_c(void)
{
    check_ours(malloc(100), 100);
    check_ours(calloc(10, 10), 100);
    check_ours(realloc(malloc(10), 1000), 1000);
    check_ours(aligned_alloc(64, 128), 128);
    check_ours(strdup("text"), 5);
    check_ours(strndup("text", 2), 3);
    free(mi_malloc(10));
    free_sized(mi_malloc(10), 10);
    free_aligned_sized(mi_malloc_aligned(10, 64), 64, 10);
}

static void
test_unix(void)
{
    check_ours(realpath("/", NULL), 2);
    void *p = NULL;
    EXPECT(posix_memalign(&p, 64, 10) == 0);
    check_ours(p, 10);
    EXPECT(_posix_memalign(&p, 64, 10) == 0);
    check_ours(p, 10);
    check_ours(memalign(64, 10), 10);
    check_ours(valloc(10), 10);
    check_ours(pvalloc(10), 10);
    check_ours(reallocf(malloc(10), 20), 20);
    check_ours(reallocarray(NULL, 10, 10), 100);
    p = NULL;
    EXPECT(reallocarr(&p, 10, 10) == 0);
    EXPECT(malloc_size(p) >= 100 && malloc_usable_size(p) == malloc_size(p));
    EXPECT(malloc_good_size(100) == malloc_size(p));
    cfree(p);
}

static void
test_windows(void)
{
    void *p = malloc(100);
    EXPECT(_expand(p, 50) == p && _msize(p) >= 100);
    free(p);
    check_ours(_recalloc(NULL, 10, 10), 100);
    check_ours(_strdup("text"), 5);
    check_ours(_strndup("text", 2), 3);
    check_ours(_mbsdup((const unsigned char *)"text"), 5);
    unsigned short wide[] = {'a', 0};
    check_ours(_wcsdup(wide), 4);
    char *value = NULL;
    size_t size = 0;
    EXPECT(_dupenv_s(&value, &size, "API_TEST_NO_SUCH") == 0 && value == NULL);
    wchar_t *wide_value = NULL;
    EXPECT(_wdupenv_s(&wide_value, &size, L"API_TEST_NO_SUCH") == EINVAL);
    p = _aligned_malloc(100, 64);
    EXPECT(is_aligned(p, 64) && _aligned_msize(p, 64, 0) >= 100);
    p = _aligned_realloc(p, 1000, 64);
    EXPECT(is_aligned(p, 64));
    _aligned_free(p);
    check_ours(_aligned_recalloc(NULL, 10, 10, 64), 100);
    check_ours(_aligned_offset_malloc(100, 64, 8), 100);
    check_ours(_aligned_offset_realloc(NULL, 100, 64, 8), 100);
    check_ours(_aligned_offset_recalloc(NULL, 10, 10, 64, 8), 100);
}

int
main(void)
{
    test_c();
    test_unix();
    test_windows();
    return API_DONE();
}
