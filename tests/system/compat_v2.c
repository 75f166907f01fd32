// SPDX-License-Identifier: MIT
// compat_v2.c — a program for mimalloc 2, compiled with that version's header and linked with its
// library, and then run with ours in that one's place. compat_v2.sh builds and runs it.
#include <errno.h>
#include <mimalloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if MI_MALLOC_VERSION >= 300
#error "compile this with the header of version 2"
#endif

static int failures;

static void
expect(int holds, const char *what, int line)
{
    if (!holds) {
        fprintf(stderr, "compat_v2.c:%d: expected %s\n", line, what);
        failures++;
    }
}

#define EXPECT(cond) expect((cond) ? 1 : 0, #cond, __LINE__)

static int deferred;
static int errors;
static size_t said;

static void
free_deferred(bool force, unsigned long long heartbeat, void *arg)
{
    (void)force;
    (void)heartbeat;
    ++*(int *)arg;
}

static void
count_error(int err, void *arg)
{
    (void)err;
    ++*(int *)arg;
}

static void
count_text(const char *msg, void *arg)
{
    *(size_t *)arg += strlen(msg);
}

static void
use_blocks(void)
{
    char *text = mi_strdup("text");
    char *part = mi_strndup("text", 2);
    char *path = mi_realpath("/", NULL);
    EXPECT(strcmp(text, "text") == 0 && strcmp(part, "te") == 0 && strcmp(path, "/") == 0);
    mi_free(text);
    mi_free(part);
    mi_free(path);
    int *numbers = mi_calloc_tp(int, 10);
    EXPECT(numbers[9] == 0 && mi_usable_size(numbers) >= 40);
    numbers = mi_recalloc(numbers, 100, sizeof *numbers);
    EXPECT(numbers[99] == 0);
    numbers = mi_reallocn(numbers, 1000, sizeof *numbers);
    EXPECT(mi_expand(numbers, 4000) == numbers);
    mi_free(numbers);
    void *p = mi_malloc_small(100);
    void *q = mi_zalloc_small(100);
    p = mi_reallocf(mi_realloc(p, 1000), 2000);
    q = mi_rezalloc(q, 5000);
    EXPECT(((char *)q)[4999] == 0 && mi_good_size(100) >= 100);
    mi_free(p);
    mi_free(q);
    p = mi_mallocn(3, 5);
    p = mi_reallocn(p, 30, 50);
    mi_free_size(p, 1500);
}

static void
use_alignment(void)
{
    void *p = mi_malloc_aligned(100, 256);
    EXPECT((uintptr_t)p % 256 == 0);
    p = mi_realloc_aligned(p, 1000, 512);
    EXPECT((uintptr_t)p % 512 == 0);
    mi_free_size_aligned(p, 1000, 512);
    p = mi_malloc_aligned_at(100, 64, 8);
    EXPECT(((uintptr_t)p + 8) % 64 == 0);
    p = mi_realloc_aligned_at(p, 200, 64, 8);
    EXPECT(((uintptr_t)p + 8) % 64 == 0);
    mi_free(p);
    char *z = mi_zalloc_aligned(100, 128);
    z = mi_rezalloc_aligned(z, 3000, 128);
    EXPECT(z[2999] == 0);
    mi_free_aligned(z, 128);
    z = mi_calloc_aligned(10, 10, 64);
    z = mi_recalloc_aligned(z, 100, 10, 64);
    EXPECT(z[999] == 0);
    mi_free(z);
    z = mi_zalloc_aligned_at(10, 64, 4);
    z = mi_rezalloc_aligned_at(z, 100, 64, 4);
    z = mi_recalloc_aligned_at(z, 100, 10, 64, 4);
    EXPECT(((uintptr_t)z + 4) % 64 == 0 && z[999] == 0);
    mi_free(z);
    mi_free(mi_calloc_aligned_at(10, 10, 64, 4));
    EXPECT(mi_posix_memalign(&p, 64, 10) == 0 && (uintptr_t)p % 64 == 0);
    mi_cfree(p);
    mi_free(mi_memalign(64, 10));
    mi_free(mi_valloc(10));
    mi_free(mi_pvalloc(10));
    mi_free(mi_aligned_alloc(64, 10));
    mi_free(mi_aligned_recalloc(NULL, 5, 5, 64));
    mi_free(mi_aligned_offset_recalloc(NULL, 5, 5, 64, 8));
}

static void
use_other_names(void)
{
    void *p = mi_reallocarray(NULL, 10, 10);
    EXPECT(mi_malloc_size(p) >= 100 && mi_malloc_usable_size(p) >= 100);
    EXPECT(mi_reallocarr(&p, 20, 10) == 0 && mi_usable_size(p) >= 200);
    EXPECT(mi_reallocarr(&p, 0, 10) == 0);
    unsigned char *bytes = mi_mbsdup((const unsigned char *)"abc");
    const unsigned short word[] = {'a', 0};
    unsigned short *wide = mi_wcsdup(word);
    EXPECT(bytes[2] == 'c' && wide[0] == 'a' && wide[1] == 0);
    mi_free(bytes);
    mi_free(wide);
    char *value = NULL;
    size_t length = 0;
    EXPECT(mi_dupenv_s(&value, &length, "PATH") == 0 && value != NULL && length == strlen(value) + 1);
    mi_free(value);
    mi_free(mi_new(10));
    mi_free(mi_new_aligned(10, 64));
    mi_free(mi_new_nothrow(10));
    mi_free(mi_new_aligned_nothrow(10, 64));
    mi_free(mi_new_reallocn(mi_new_realloc(mi_new_n(3, 10), 100), 20, 10));
}

static void
use_hooks_and_figures(void)
{
    mi_register_deferred_free(free_deferred, &deferred);
    mi_register_error(count_error, &errors);
    mi_register_output(count_text, &said);
    mi_collect(true);
    EXPECT(deferred > 0);
    errno = 0;
    volatile size_t much = SIZE_MAX;
    EXPECT(mi_malloc(much) == NULL && errno == ENOMEM && errors > 0);
    size_t a[8];
    mi_process_info(&a[0], &a[1], &a[2], &a[3], &a[4], &a[5], &a[6], &a[7]);
    EXPECT(a[3] > 0 && a[5] > 0);
    size_t before = said;
    mi_stats_print(NULL);
    EXPECT(said > before);
    mi_stats_reset();
    mi_stats_merge();
    before = 0;
    mi_stats_print_out(count_text, &before);
    mi_thread_stats_print_out(count_text, &before);
    EXPECT(before > 0);
    mi_register_deferred_free(NULL, NULL);
    mi_register_error(NULL, NULL);
    mi_register_output(NULL, NULL);
    mi_process_init();
    mi_thread_init();
    mi_thread_done();
}

static void
use_options(void)
{
    EXPECT(!mi_option_is_enabled(mi_option_show_errors) && mi_option_get(mi_option_max_errors) == 32);
    mi_option_enable(mi_option_show_errors);
    EXPECT(mi_option_is_enabled(mi_option_show_errors));
    mi_option_disable(mi_option_show_errors);
    mi_option_set_enabled(mi_option_show_stats, false);
    mi_option_set_enabled_default(mi_option_show_stats, true);
    EXPECT(!mi_option_is_enabled(mi_option_show_stats));
    mi_option_set(mi_option_decommit_delay, 50);
    mi_option_set_default(mi_option_decommit_delay, 60);
    EXPECT(mi_option_get(mi_option_decommit_delay) == 50);
    EXPECT(mi_option_get_clamp(mi_option_decommit_delay, 0, 10) == 10);
    mi_option_set(mi_option_eager_commit, 0);
    EXPECT(mi_option_get(mi_option_eager_commit) == 0);
}

static bool
count_blocks(const mi_heap_t *heap, const mi_heap_area_t *area, void *block, size_t block_size, void *arg)
{
    EXPECT(heap != NULL && area->block_size == block_size);
    *(size_t *)arg += block != NULL;
    return true;
}

static void
use_heaps(void)
{
    mi_heap_t *heap = mi_heap_new();
    EXPECT(heap != NULL && heap != mi_heap_get_default() && mi_heap_get_default() == mi_heap_get_backing());
    void *blocks[20];
    size_t made = 0;
    blocks[made++] = mi_heap_malloc(heap, 100);
    blocks[made++] = mi_heap_zalloc(heap, 100);
    blocks[made++] = mi_heap_calloc(heap, 10, 10);
    blocks[made++] = mi_heap_mallocn(heap, 10, 10);
    blocks[made++] = mi_heap_malloc_small(heap, 100);
    blocks[made++] = mi_heap_strdup(heap, "text");
    blocks[made++] = mi_heap_strndup(heap, "text", 2);
    blocks[made++] = mi_heap_realpath(heap, "/", NULL);
    blocks[made++] = mi_heap_malloc_aligned(heap, 100, 256);
    blocks[made++] = mi_heap_malloc_aligned_at(heap, 100, 64, 8);
    blocks[made++] = mi_heap_zalloc_aligned(heap, 100, 256);
    blocks[made++] = mi_heap_zalloc_aligned_at(heap, 100, 64, 8);
    blocks[made++] = mi_heap_calloc_aligned(heap, 10, 10, 256);
    blocks[made++] = mi_heap_calloc_aligned_at(heap, 10, 10, 64, 8);
    blocks[made++] = mi_heap_alloc_new(heap, 100);
    blocks[made++] = mi_heap_alloc_new_n(heap, 10, 10);
    blocks[made++] = mi_heap_malloc(heap, 1000000);
    for (size_t i = 0; i < made; i++) {
        EXPECT(blocks[i] != NULL && mi_heap_contains_block(heap, blocks[i]));
        EXPECT(mi_heap_check_owned(heap, blocks[i]) && !mi_check_owned(blocks[i]));
    }
    blocks[0] = mi_heap_realloc(heap, blocks[0], 5000);
    blocks[0] = mi_heap_reallocn(heap, blocks[0], 100, 100);
    blocks[0] = mi_heap_reallocf(heap, blocks[0], 20000);
    blocks[0] = mi_heap_realloc_aligned(heap, blocks[0], 30000, 512);
    blocks[0] = mi_heap_realloc_aligned_at(heap, blocks[0], 40000, 64, 16);
    blocks[1] = mi_heap_rezalloc(heap, blocks[1], 5000);
    blocks[1] = mi_heap_recalloc(heap, blocks[1], 100, 100);
    blocks[10] = mi_heap_rezalloc_aligned(heap, blocks[10], 5000, 256);
    blocks[10] = mi_heap_recalloc_aligned(heap, blocks[10], 100, 100, 256);
    blocks[11] = mi_heap_rezalloc_aligned_at(heap, blocks[11], 5000, 64, 8);
    blocks[11] = mi_heap_recalloc_aligned_at(heap, blocks[11], 100, 100, 64, 8);
    EXPECT(((char *)blocks[1])[9999] == 0 && ((char *)blocks[11])[9999] == 0);
    size_t seen = 0;
    EXPECT(mi_heap_visit_blocks(heap, true, count_blocks, &seen) && seen == made);

    mi_heap_t *before = mi_heap_set_default(heap);
    void *p = mi_malloc(100);
    EXPECT(mi_heap_contains_block(heap, p) && mi_check_owned(p) && mi_heap_get_default() == heap);
    mi_heap_set_default(before);
    mi_heap_collect(heap, true);
    mi_heap_delete(heap);
    EXPECT(mi_heap_contains_block(mi_heap_get_backing(), p));
    for (size_t i = 0; i < made; i++) {
        mi_free(blocks[i]);
    }
    mi_free(p);
    heap = mi_heap_new();
    EXPECT(mi_heap_malloc(heap, 10) != NULL && mi_heap_malloc(heap, 10000000) != NULL);
    mi_heap_destroy(heap);
}

int
main(void)
{
    // Of the library that runs, not of the header.
    EXPECT(mi_version() >= 30000);
    use_blocks();
    use_alignment();
    use_other_names();
    use_hooks_and_figures();
    use_options();
    use_heaps();
    EXPECT(!mi_is_redirected() && !mi_is_in_heap_region(NULL));
    void *p = malloc(100);
    EXPECT(mi_is_in_heap_region(p));
    free(p);
    printf("version %d for a program of version %d: %d failures\n", mi_version(), MI_MALLOC_VERSION,
           failures);
    return failures != 0;
}
