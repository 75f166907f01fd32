// SPDX-License-Identifier: MIT
// test_api_options.c — options as a program sets and reads them, and that they act at once.
#include <pthread.h>

#include "api_test.h"
#include "gathered.h"

// ---- text of the library

static size_t
lines_with(const char *text)
{
    size_t count = 0;
    for (const char *at = strstr(said.text, text); at != NULL; at = strstr(at + 1, text)) {
        count++;
    }
    return count;
}

static void
forget(void)
{
    said.length = 0;
    said.text[0] = 0;
}

// ---- values

static void
test_numbers(void)
{
    // Compiled into programs that were built with other versions of the header.
    EXPECT((int)mi_option_show_errors == 0 && (int)mi_option_purge_delay == 15 &&
           (int)mi_option_max_warnings == 20);
    EXPECT((int)mi_option_arena_reserve == 23 && (int)mi_option_generic_collect == 34);
    EXPECT((int)mi_option_arena_is_numa_local == 46 && (int)_mi_option_last == 47);
    EXPECT((int)mi_option_reset_delay == 15 && (int)mi_option_large_os_pages == 6 &&
           (int)mi_option_limit_os_alloc == 17);
}

static void
test_set_and_get(void)
{
    EXPECT(mi_option_get(mi_option_purge_delay) == 400);
    mi_option_set(mi_option_purge_delay, 123);
    EXPECT(mi_option_get(mi_option_purge_delay) == 123);
    EXPECT(mi_option_get_clamp(mi_option_purge_delay, 200, 300) == 200);
    EXPECT(mi_option_get_clamp(mi_option_purge_delay, 0, 100) == 100);
    EXPECT(mi_option_get_clamp(mi_option_purge_delay, 0, 200) == 123);
    // A default does not go before it.
    mi_option_set_default(mi_option_purge_delay, 9);
    EXPECT(mi_option_get(mi_option_purge_delay) == 123);
    mi_option_set(mi_option_purge_delay, -100);
    EXPECT(mi_option_get(mi_option_purge_delay) == -1 && mi_option_get_size(mi_option_purge_delay) == 0);
    mi_option_set(mi_option_purge_delay, 400);

    EXPECT(!mi_option_is_enabled(mi_option_show_errors));
    mi_option_enable(mi_option_show_errors);
    EXPECT(mi_option_is_enabled(mi_option_show_errors) && mi_option_get(mi_option_show_errors) == 1);
    mi_option_disable(mi_option_show_errors);
    EXPECT(!mi_option_is_enabled(mi_option_show_errors));
    mi_option_set_enabled(mi_option_show_errors, true);
    EXPECT(mi_option_is_enabled(mi_option_show_errors));
    mi_option_set_enabled_default(mi_option_show_errors, false);
    EXPECT(mi_option_is_enabled(mi_option_show_errors));
    mi_option_set_enabled(mi_option_show_errors, false);
    EXPECT(!mi_option_is_enabled(mi_option_show_errors));
}

static void
test_sizes_are_in_kib(void)
{
    EXPECT(mi_option_get(mi_option_held_size) == 4);
    EXPECT(mi_option_get_size(mi_option_held_size) == 4 * 1024);
    mi_option_set(mi_option_held_size, 48);
    EXPECT(mi_option_get(mi_option_held_size) == 48 && mi_option_get_size(mi_option_held_size) == 48 * 1024);
    mi_option_set(mi_option_held_size, LONG_MAX);
    EXPECT(mi_option_get_size(mi_option_held_size) == (size_t)1 << 30);
    mi_option_set(mi_option_held_size, -1);
    EXPECT(mi_option_get_size(mi_option_held_size) == 0);
    mi_option_set(mi_option_held_size, 32);

    size_t region = mi_option_get_size(mi_option_region_size);
    EXPECT(region >= (size_t)4 << 20 && (region & (region - 1)) == 0);
    EXPECT((size_t)mi_option_get(mi_option_region_size) == region / 1024);
    mi_option_set(mi_option_region_size, 100 * 1024); // rounded down to a power of two
    EXPECT(mi_option_get_size(mi_option_region_size) == (size_t)64 << 20);

    EXPECT(mi_option_get(mi_option_arena_reserve) == (sizeof(void *) == 8 ? 1L << 20 : 1L << 17));
    mi_option_set(mi_option_arena_reserve, 4096);
    EXPECT(mi_option_get(mi_option_arena_reserve) == 4096);
    EXPECT(mi_option_get_size(mi_option_arena_reserve) == (size_t)4 << 20);
}

// They keep their values: programs look at what they set.
static void
test_options_without_effect(void)
{
    EXPECT(mi_option_get(mi_option_reserve_huge_os_pages_at) == -1 && mi_option_get(mi_option_os_tag) == 100);
    mi_option_set_default(mi_option_os_tag, 1);
    mi_option_set_default(mi_option_os_tag, 2); // the last default counts
    EXPECT(mi_option_get(mi_option_os_tag) == 2);
    mi_option_set(mi_option_os_tag, 3);
    mi_option_set_default(mi_option_os_tag, 4);
    EXPECT(mi_option_get(mi_option_os_tag) == 3);
    mi_option_enable(mi_option_destroy_on_exit);
    EXPECT(mi_option_is_enabled(mi_option_destroy_on_exit));
    mi_option_disable(mi_option_destroy_on_exit);
}

static void
test_unknown_options(void)
{
    static const int none[] = {-1, 47, 48, 999, 100000};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        mi_option_t option = (mi_option_t)none[i];
        mi_option_set(option, 5);
        mi_option_enable(option);
        EXPECT(mi_option_get(option) == 0 && mi_option_get_size(option) == 0 &&
               !mi_option_is_enabled(option));
        EXPECT(mi_option_get_clamp(option, 3, 4) == 3);
    }
}

// ---- effects

static void
test_errors_are_shown_from_now_on(void)
{
    mi_register_output(gather, &said);
    forget();
    EXPECT_FAILS(mi_malloc(opaque(PTRDIFF_SIZE)), ENOMEM);
    EXPECT(said.length == 0);
    mi_option_enable(mi_option_show_errors);
    EXPECT_FAILS(mi_malloc(opaque(PTRDIFF_SIZE)), ENOMEM);
    EXPECT(lines_with("unable to allocate memory") == 1);
    mi_option_disable(mi_option_show_errors);
    forget();
    EXPECT_FAILS(mi_malloc(opaque(PTRDIFF_SIZE)), ENOMEM);
    EXPECT(said.length == 0);
    mi_option_enable(mi_option_verbose);
    EXPECT_FAILS(mi_malloc(opaque(PTRDIFF_SIZE)), ENOMEM);
    EXPECT(lines_with("unable to allocate memory") == 1);
    mi_option_disable(mi_option_verbose);

    // How many.
    mi_option_enable(mi_option_show_errors);
    mi_option_set(mi_option_max_errors, -1);
    forget();
    for (int i = 0; i < 50; i++) {
        EXPECT_FAILS(mi_malloc(opaque(PTRDIFF_SIZE)), ENOMEM);
    }
    EXPECT(lines_with("unable to allocate memory") == 50);
    mi_option_set(mi_option_max_errors, 0);
    forget();
    EXPECT_FAILS(mi_malloc(opaque(PTRDIFF_SIZE)), ENOMEM);
    EXPECT(said.length == 0);
    mi_option_set(mi_option_max_errors, 32);
    mi_option_disable(mi_option_show_errors);
    mi_register_output(NULL, NULL);
}

static void
test_misuse_is_ignored_from_now_on(void)
{
#if !API_SANITIZED
    static char not_a_block[64];
    void *volatile p = not_a_block; // the compiler must not see it
    mi_register_output(gather, &said);
    forget();
    mi_option_set(mi_option_errors, 3); // "ignore"
    mi_free(p);
    EXPECT(said.length == 0);
    mi_option_set(mi_option_errors, 2); // "report"
    mi_free(p);
    EXPECT(lines_with("invalid-free: ") == 1);
    mi_option_set(mi_option_errors, 0);
    mi_register_output(NULL, NULL);
#endif
}

static size_t
resident(void)
{
    size_t bytes = 0;
    mi_process_info(NULL, NULL, NULL, &bytes, NULL, NULL, NULL, NULL);
    return bytes;
}

static void
free_filled(size_t size)
{
    char *p = (char *)mi_malloc(size);
    EXPECT(p != NULL);
    memset(p, 1, size);
    mi_free(p);
}

static void
test_purge_delay_acts(void)
{
#if !API_SANITIZED
    size_t size = (size_t)64 << 20;
    mi_option_set(mi_option_purge_delay, -1);
    size_t before = resident();
    free_filled(size);
    EXPECT(resident() > before + size / 2);
    // At once, also for what is free already.
    mi_option_set(mi_option_purge_delay, 0);
    EXPECT(resident() < before + size / 4);
    free_filled(size);
    EXPECT(resident() < before + size / 4);
    mi_option_set(mi_option_purge_delay, 400);
#endif
}

// ---- threads

static void *
set_many_times(void *arg)
{
    long step = *(const long *)arg;
    for (long i = 0; i < 2000; i++) {
        mi_option_set(mi_option_held_size, step + i % 2);
        mi_option_set(mi_option_guarded_min, step);
        long held = mi_option_get(mi_option_held_size);
        EXPECT(held >= 16 && held <= 65);
        mi_free(mi_malloc(100));
    }
    return NULL;
}

static void
test_threads(void)
{
    static long steps[] = {16, 32, 64};
    pthread_t threads[3];
    for (size_t i = 0; i < 3; i++) {
        EXPECT(pthread_create(&threads[i], NULL, set_many_times, &steps[i]) == 0);
    }
    for (size_t i = 0; i < 3; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
    mi_option_set(mi_option_held_size, 32);
}

// ---- the list

static void
test_print(void)
{
    forget();
    mi_options_print_out(gather, &said);
    EXPECT(strncmp(said.text, "mimalloc 3.4.3: options\n", 24) == 0);
    EXPECT(lines_with("MIMALLOC_PURGE_DELAY=400 (by the program)\n") == 1);
    EXPECT(lines_with("MIMALLOC_MAX_WARNINGS=32 (by default)\n") == 1);
    EXPECT(lines_with("MIMALLOC_HELD_SIZE=32.0 KiB (by the program)\n") == 1);
    EXPECT(lines_with("MIMALLOC_ERRORS=default (") == 1);
    // Without effect, but set; and not set.
    EXPECT(lines_with("MIMALLOC_OS_TAG=3 (by the program; it has no effect in this version)\n") == 1);
    EXPECT(lines_with("MIMALLOC_VISIT_ABANDONED") == 0);

    gathered_t *all = (gathered_t *)calloc(1, sizeof *all);
    mi_register_output(gather, all);
    all->length = 0;
    mi_options_print();
    EXPECT(strcmp(all->text, said.text) == 0);
    mi_register_output(NULL, NULL);
    free(all);
}

int
main(void)
{
    test_numbers();
    test_set_and_get();
    test_sizes_are_in_kib();
    test_options_without_effect();
    test_unknown_options();
    test_errors_are_shown_from_now_on();
    test_misuse_is_ignored_from_now_on();
    test_purge_delay_acts();
    test_threads();
    test_print();
    return API_DONE();
}
