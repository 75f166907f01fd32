// SPDX-License-Identifier: MIT
// blocks.c — malloc and its kin when the system refuses: small blocks, large ones, aligned ones,
// blocks that grow and shrink, memory that is given back.
#include "fault.h"

enum { BLOCKS = 300 };

static void
small_regions(void)
{
    mi_option_set(mi_option_region_size, 4 << 10); // KiB: one chunk, so that regions are added
}

static void
small_regions_purged_at_once(void)
{
    small_regions();
    mi_option_set(mi_option_purge_delay, 0);
}

static void
reserved_at_the_start(void)
{
    small_regions();
    mi_option_set(mi_option_reserve_os_memory, 10 << 10);
}

// The first calls of a process, whichever they are.
static void
start(void)
{
    errno = 0;
    held_t held = hold(mi_calloc(7, 30), 210, 16, true);
    drop(&held);
}

static void
every_size(void)
{
    held_t held[BLOCKS];
    size_t count = 0;
    for (size_t size = 1; size < 6 << 20; size += size / 3 + 1) {
        errno = 0;
        held[count++] = hold(mi_malloc(size), size, size < 16 ? 8 : 16, false);
        errno = 0;
        held[count++] = hold(mi_zalloc(size), size, 8, true);
    }
    for (size_t i = 0; i < count; i += 2) {
        drop(&held[i]);
    }
    for (size_t i = 0; i < count; i += 4) {
        errno = 0;
        held[i] = hold(mi_zalloc(held[i].size), held[i].size, 8, true);
    }
    mi_collect(true);
    for (size_t i = 0; i < count; i++) {
        drop(&held[i]);
    }
    mi_collect(true);
}

static void
every_alignment(void)
{
    held_t held[64];
    size_t count = 0;
    for (size_t align = 16; align <= (size_t)16 << 20; align *= 8) {
        for (size_t size = 10; size < 3 << 20; size *= 40) {
            errno = 0;
            held[count++] = hold(mi_zalloc_aligned(size, align), size, align, true);
            errno = 0;
            void *p = NULL;
            int error = mi_posix_memalign(&p, align, size);
            MUST(error == (p == NULL ? ENOMEM : 0));
            errno = ENOMEM;
            held[count++] = hold(p, size, align, false);
        }
    }
    while (count > 0) {
        drop(&held[--count]);
    }
}

static void
growing(void)
{
    held_t held = {NULL, 0, 0};
    held_t other = {NULL, 0, 0};
    for (size_t size = 10; size < 20 << 20; size = size * 5 / 2) {
        resize(&held, size);
        resize(&other, size / 3 + 1);
    }
    for (size_t size = 20 << 20; size > 10; size = size / 4) {
        resize(&held, size);
    }
    drop(&held);
    drop(&other);
}

// Memory comes and goes, so that purging has something to do.
static void
waves(void)
{
    static const size_t sizes[] = {200, 5000, 100000, 3 << 20};
    held_t held[BLOCKS];
    for (int wave = 0; wave < 3; wave++) {
        for (size_t i = 0; i < BLOCKS / 4; i++) {
            size_t size = sizes[i % 4] + i;
            errno = 0;
            held[i] = hold(i % 3 == 0 ? mi_calloc(1, size) : mi_malloc(size), size, 16, i % 3 == 0);
        }
        for (size_t i = 0; i < BLOCKS / 4; i++) {
            drop(&held[i]);
        }
        mi_collect(wave % 2 == 0);
    }
}

// The other names, each with its own way to say that there is no memory.
static void
other_names(void)
{
    const size_t large = 5 << 20;
    errno = 0;
    held_t held = hold(mi_mallocn(large, 1), large, 16, false);
    resize(&held, large + (1 << 20));
    drop(&held);
    void *p = NULL;
    errno = 0;
    MUST(mi_reallocarr(&p, large, 1) == (p == NULL ? ENOMEM : 0));
    errno = ENOMEM; // the result says it
    held = hold(p, large, 16, false);
    drop(&held);
    held = hold((errno = 0, mi_reallocarray(NULL, large, 1)), large, 16, false);
    drop(&held);
    held = hold((errno = 0, mi_rezalloc(NULL, large)), large, 16, true);
    drop(&held);
    held = hold((errno = 0, mi_aligned_alloc(4096, large)), large, 4096, false);
    drop(&held);
    held = hold((errno = 0, mi_valloc(large)), large, 4096, false);
    drop(&held);
    held = hold((errno = 0, mi_new_nothrow(large)), large, 16, false);
    drop(&held);
    held = hold((errno = 0, mi_new_aligned_nothrow(large, 1 << 20)), large, 1 << 20, false);
    drop(&held);
    errno = 0;
    char *text = mi_strdup("some text");
    MUST(text != NULL ? strcmp(text, "some text") == 0 : errno == ENOMEM);
    mi_free(text);
    // Frees what it can't resize.
    p = mi_malloc(100);
    errno = 0;
    p = mi_reallocf(p, large);
    held = hold(p, large, 16, false);
    drop(&held);
}

static const scenario_t scenarios[] = {
    {"the first call", NULL, start, 1},
    {"the first call of four", NULL, start, 4},
    {"the first call, with memory reserved", reserved_at_the_start, start, 1},
    {"every size", small_regions, every_size, 1},
    {"every size", small_regions, every_size, 4},
    {"every size, purged at once", small_regions_purged_at_once, every_size, 1},
    {"every alignment", small_regions, every_alignment, 1},
    {"growing", small_regions, growing, 1},
    {"growing", small_regions, growing, 4},
    {"waves", small_regions, waves, 1},
    {"waves, purged at once", small_regions_purged_at_once, waves, 4},
    {"other names", small_regions, other_names, 1},
};

int
main(int argc, char **argv)
{
    return run_all(scenarios, sizeof scenarios / sizeof scenarios[0], argc, argv);
}
