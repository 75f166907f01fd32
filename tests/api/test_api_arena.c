// SPDX-License-Identifier: MIT
// test_api_arena.c — arenas: memory that is handed over or reserved serves malloc and its kin, as its
// contract says.
#include "api_test.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const size_t KIB = 1024;
static const size_t MIB = 1024 * 1024;

// Blocks that fill an arena, and some.
enum { BLOCKS = 4096 };
static void *blocks[BLOCKS];

static char *
map(size_t size, int access, int flags)
{
    void *p = mmap(NULL, size, access, flags | MAP_ANONYMOUS, -1, 0);
    EXPECT(p != MAP_FAILED);
    return (char *)p;
}

// Runs a part of the test in a process of its own: arenas stay.
static void
in_child(void (*body)(void))
{
    fflush(NULL);
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        body();
        fflush(NULL);
        _exit(api_failures != 0);
    }
    int status = 1;
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
}

// ---- Limits

static void
test_limits(void)
{
    EXPECT(mi_arena_min_alignment() == 64 * KIB);
    EXPECT(mi_arena_min_size() == 64 * KIB);
    EXPECT(mi_arena_max_object_size() > (size_t)1 << (sizeof(size_t) == 8 ? 40 : 30));
    size_t size = 77;
    EXPECT(mi_arena_area(NULL, &size) == NULL && size == 0);
    EXPECT(mi_arena_area(&size, NULL) == NULL);
    EXPECT(!mi_arena_contains(NULL, &size) && !mi_arena_contains(&size, &size));
}

static void
test_refusals(void)
{
    char *p = map(MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    mi_arena_id_t id = &p;
    EXPECT_SILENT(EXPECT(!mi_manage_os_memory_ex(p, 1000, true, false, true, -1, false, &id)));
    EXPECT(id == NULL);
    EXPECT(!mi_manage_os_memory(NULL, MIB, true, false, true, -1));
    EXPECT(!mi_manage_os_memory(p, opaque(SIZE_MAX), true, false, true, -1));
    // Memory of the library itself.
    char *block = (char *)mi_malloc(2 * MIB);
    EXPECT(!mi_manage_os_memory(block, 2 * MIB, true, false, false, -1));
    mi_free(block);
    id = &p;
    EXPECT(mi_reserve_os_memory_ex(opaque(SIZE_MAX), false, false, false, &id) == ENOMEM && id == NULL);
    EXPECT(mi_reserve_os_memory(0, true, false) == ENOMEM);
    EXPECT(mi_reserve_huge_os_pages_at_ex(0, -1, 0, false, &id) == ENOMEM && id == NULL);
    munmap(p, MIB);
}

// ---- Memory of the program's

// Every way to use memory, in an arena: all of its blocks lie there, and are as they must be.
static void
exercise(mi_arena_id_t id, size_t arena_size)
{
    size_t inside = 0;
    size_t bytes = 0;
    size_t count = 0;
    for (size_t size = 1; size < 300000; size += size / 3 + 1) {
        char *p = (char *)mi_malloc(size);
        EXPECT(p != NULL && is_aligned(p, size >= 16 ? 16 : 8));
        memset(p, 1, size);
        blocks[count++] = p;
        char *z = (char *)mi_calloc(1, size);
        EXPECT(z != NULL && is_all(z, size, 0));
        soil(z);
        mi_free(z);
        char *a = (char *)mi_zalloc_aligned(size, 256 * KIB);
        EXPECT(a != NULL && is_aligned(a, 256 * KIB) && is_all(a, size, 0));
        soil(a);
        mi_free(a);
        fill(p, size, 5);
        p = (char *)mi_realloc(p, size * 2);
        EXPECT(p != NULL && is_filled(p, size, 5));
        blocks[count - 1] = p;
        inside += mi_arena_contains(id, p);
        bytes += size * 2;
    }
    EXPECT(arena_size < 3 * bytes || inside == count);
    while (count > 0) {
        mi_free(blocks[--count]);
    }
    mi_collect(true);
}

static void
memory_serves(void)
{
    static const size_t starts[] = {0, 1, 4096, 70000};
    for (size_t i = 0; i < 4; i++) {
        char *p = map(64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE);
        memset(p, 0x33, MIB); // not zero
        mi_arena_id_t id = NULL;
        EXPECT(mi_manage_os_memory_ex(p + starts[i], 60 * MIB, true, false, false, -1, false, &id));
        size_t size = 0;
        char *area = (char *)mi_arena_area(id, &size);
        EXPECT(area >= p + starts[i] && area < p + starts[i] + 64 * KIB && is_aligned(area, 64 * KIB));
        EXPECT(size <= 60 * MIB && size > 60 * MIB - 128 * KIB && is_aligned((void *)size, 64 * KIB));
        EXPECT(mi_arena_contains(id, area) && mi_arena_contains(id, area + size - 1));
        EXPECT(!mi_arena_contains(id, area - 1) && !mi_arena_contains(id, area + size));
        EXPECT(mi_arena_area(id, NULL) == area);
        exercise(id, i == 0 ? size : 0);
    }
}

static void
full_arenas_do_no_harm(void)
{
    mi_arena_id_t id = NULL;
    char *p = map(4 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    EXPECT(mi_manage_os_memory_ex(p, 3 * MIB, true, false, true, -1, false, &id));
    size_t inside = 0;
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = mi_malloc(4000);
        EXPECT(blocks[i] != NULL);
        memset(blocks[i], (int)i, 4000);
        inside += mi_arena_contains(id, blocks[i]);
    }
    EXPECT(inside > 500 && inside < BLOCKS);
    for (size_t i = 0; i < BLOCKS; i++) {
        EXPECT(is_all(blocks[i], 4000, (unsigned char)i));
        mi_free(blocks[i]);
    }
    void *large = mi_malloc(10 * MIB);
    EXPECT(large != NULL && !mi_arena_contains(id, large));
    mi_free(large);
    mi_collect(true);
    exercise(id, 0);
}

// An exclusive arena is for heaps that are bound to it, and for nobody else.
static void
exclusive_arenas_stay_empty(void)
{
    mi_arena_id_t ids[3] = {NULL, NULL, NULL};
    mi_option_set(mi_option_purge_delay, -1); // or free memory goes back, and reads as zero
    char *p = map(64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memset(p, 0x44, 64 * MIB);
    EXPECT(mi_manage_os_memory_ex(p, 64 * MIB, true, false, false, -1, true, &ids[0]));
    EXPECT(mi_reserve_os_memory_ex(64 * MIB, true, false, true, &ids[1]) == 0);
    EXPECT(mi_reserve_os_memory_ex(64 * MIB, false, true, true, &ids[2]) == 0);
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            size_t size = i % 100 == 0 ? i * 1000 : i * 37 % 9000;
            blocks[i] = i % 7 == 0 ? mi_malloc_aligned(size, (size_t)1 << (i % 18)) : mi_malloc(size);
            EXPECT(blocks[i] != NULL);
            for (size_t k = 0; k < 3; k++) {
                EXPECT(!mi_arena_contains(ids[k], blocks[i]));
            }
        }
        for (size_t i = 0; i < BLOCKS; i++) {
            mi_free(blocks[i]);
        }
    }
    EXPECT(is_all(p, 64 * MIB, 0x44));
}

// A heap that is bound to an arena has what is there, and not a block more.
static void
bound_heaps_end_with_their_arena(void)
{
    mi_arena_id_t id = NULL;
    char *p = map(9 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memset(p, 0x44, 9 * MIB);
    EXPECT(mi_manage_os_memory_ex(p + 100, 8 * MIB, true, false, false, -1, true, &id));
    mi_heap_t *heap = mi_heap_new_in_arena(id);
    EXPECT(heap != NULL);
    static const size_t sizes[] = {32, 3000, 50000, 500000};
    for (size_t round = 0; round < 8; round++) {
        size_t size = sizes[round % 4];
        size_t count = 0;
        size_t bytes = 0;
        for (; count < BLOCKS; count++, bytes += size) {
            errno = 0;
            blocks[count] = mi_heap_calloc(heap, 1, size);
            if (blocks[count] == NULL) {
                break;
            }
            EXPECT(mi_arena_contains(id, blocks[count]) && is_all(blocks[count], size, 0));
            soil(blocks[count]);
        }
        EXPECT(count == BLOCKS || (errno == ENOMEM && bytes > 5 * MIB));
        EXPECT_FAILS(mi_heap_malloc(heap, 9 * MIB), ENOMEM);
        // Nobody else is hurt, or helps out.
        char *other = (char *)mi_malloc(size);
        EXPECT(other != NULL && !mi_arena_contains(id, other));
        mi_free(other);
        while (count > 0) {
            mi_free(blocks[--count]);
        }
        mi_heap_collect(heap, true);
    }
    mi_heap_destroy(heap);
}

// Samples of the profile and guarded blocks lie elsewhere: a bound heap has none among its blocks.
static void
bound_heaps_have_no_samples(void)
{
    mi_arena_id_t id = NULL;
    char *p = map(8 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    EXPECT(mi_manage_os_memory_ex(p, 8 * MIB, true, false, true, -1, true, &id));
    mi_heap_t *heap = mi_heap_new_in_arena(id);
    EXPECT(heap != NULL);
    mi_theap_guarded_set_sample_rate(mi_heap_theap(heap), 1, 1);
    (void)mi_profile_start(64);
    for (size_t i = 0; i < BLOCKS && i < 3000; i++) {
        blocks[i] = mi_heap_malloc(heap, 16 + i % 1000);
        EXPECT(blocks[i] != NULL && mi_arena_contains(id, blocks[i]));
    }
    mi_profile_stop();
    mi_heap_destroy(heap);
}

static void
pinned_memory_keeps_its_pages(void)
{
    char *p = map(8 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED);
    mi_arena_id_t id = NULL;
    EXPECT(mi_manage_os_memory_ex(p, 8 * MIB, true, true, true, -1, false, &id));
    char *block = (char *)mi_malloc(3 * MIB);
    EXPECT(mi_arena_contains(id, block));
    memset(block, 0x12, 3 * MIB);
    mi_free(block);
    mi_collect(true);
    mi_arenas_purge();
    // Freed memory is not ours to look at, but the test knows what is there.
    EXPECT(p[2 * MIB] == 0x12);
    block = (char *)mi_calloc(1, 3 * MIB);
    EXPECT(mi_arena_contains(id, block) && is_all(block, 3 * MIB, 0));
    mi_free(block);
}

// ---- Memory with a function

static struct {
    char *start;
    char accessible[256]; // by 64 KiB
    size_t commits;
    size_t decommits;
    int refuse;
} paged;

static bool mi_cdecl
page_in_or_out(bool commit, void *start, size_t size, bool *is_zero, void *arg)
{
    EXPECT(arg == &paged);
    size_t first = (size_t)((char *)start - paged.start) / (64 * KIB);
    if (commit && paged.refuse) {
        return false;
    }
    for (size_t i = 0; i < size / (64 * KIB); i++) {
        EXPECT(paged.accessible[first + i] == !commit);
        paged.accessible[first + i] = commit;
    }
    if (commit) {
        paged.commits++;
        *is_zero = false;
        return mprotect(start, size, PROT_READ | PROT_WRITE) == 0;
    }
    paged.decommits++;
    return mprotect(start, size, PROT_NONE) == 0;
}

static void
memory_with_a_function_serves(void)
{
    paged.start = map(17 * MIB, PROT_NONE, MAP_PRIVATE);
    paged.start += -(uintptr_t)paged.start & (64 * KIB - 1);
    mi_arena_id_t id = NULL;
    EXPECT(
        mi_manage_memory(paged.start, 16 * MIB, false, false, false, -1, false, page_in_or_out, &paged, &id));
    exercise(id, 0);
    EXPECT(paged.commits > 0);
    char *p = (char *)mi_malloc(5 * MIB);
    EXPECT(mi_arena_contains(id, p));
    memset(p, 1, 5 * MIB);
    mi_free(p);
    mi_collect(true);
    EXPECT(paged.decommits > 0);
    // A refusal: the library's own memory serves.
    paged.refuse = 1;
    p = (char *)mi_calloc(1, 6 * MIB);
    EXPECT(p != NULL && !mi_arena_contains(id, p) && is_all(p, 6 * MIB, 0));
    mi_free(p);
    paged.refuse = 0;
    mi_collect(true);
    p = (char *)mi_calloc(1, 7 * MIB);
    EXPECT(p != NULL && mi_arena_contains(id, p) && is_all(p, 7 * MIB, 0));
    mi_free(p);
}

// ---- Reserved memory

static void
reserved_memory_serves(void)
{
    mi_arena_id_t id = NULL;
    EXPECT(mi_reserve_os_memory_ex(60 * MIB, false, false, false, &id) == 0);
    size_t size = 0;
    EXPECT(mi_arena_area(id, &size) != NULL && size == 60 * MIB);
    exercise(id, size);
    EXPECT(mi_reserve_os_memory(60 * MIB, true, true) == 0);
    EXPECT(mi_reserve_os_memory(10, false, false) == 0);
}

static void
huge_pages_serve_where_there_are_some(void)
{
    mi_arena_id_t id = NULL;
    EXPECT_SILENT(int error = mi_reserve_huge_os_pages_at_ex(1, -1, 1000, false, &id);
                  EXPECT(error == (id == NULL ? ENOMEM : 0)));
    if (id != NULL) {
        size_t size = 0;
        EXPECT(mi_arena_area(id, &size) != NULL && size == 1024 * MIB);
        exercise(id, size);
    }
    size_t got = 77;
    int error = mi_reserve_huge_os_pages(1, 1.5, &got);
    EXPECT((error == 0 && got == 1) || (error == ENOMEM && got == 0));
    EXPECT(mi_reserve_huge_os_pages(1, -1, NULL) == error || error == 0);
    // More than any machine has: as many as there are, or none.
    error = mi_reserve_huge_os_pages_interleave(2, 2, 100);
    EXPECT(error == 0 || error == ENOMEM);
    EXPECT(mi_reserve_huge_os_pages_at(0, 0, 0) == ENOMEM);
    EXPECT(mi_reserve_huge_os_pages_interleave(0, 0, 0) == 0);
}

// Arenas of two nodes that this thread does not run on, and a heap that asks for them.
static void
heaps_ask_for_a_node(void)
{
    mi_option_set(mi_option_use_numa_nodes, 4);
    mi_arena_id_t ids[2];
    for (int i = 0; i < 2; i++) {
        char *p = map(16 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE);
        EXPECT(mi_manage_os_memory_ex(p, 16 * MIB, true, false, true, i + 2, false, &ids[i]));
    }
    for (int i = 0; i < 2; i++) {
        mi_heap_t *heap = mi_heap_new();
        mi_heap_set_numa_affinity(heap, i + 2);
        void *small = mi_heap_malloc(heap, 100);
        void *large = mi_heap_malloc(heap, MIB);
        EXPECT(mi_arena_contains(ids[i], small) && mi_arena_contains(ids[i], large));
        mi_heap_set_numa_affinity(heap, -1);
        void *other = mi_heap_malloc(heap, 2 * MIB);
        EXPECT(!mi_arena_contains(ids[0], other) && !mi_arena_contains(ids[1], other));
        void *plain = mi_malloc(MIB);
        EXPECT(!mi_arena_contains(ids[0], plain) && !mi_arena_contains(ids[1], plain));
        mi_free(plain);
        mi_heap_destroy(heap);
    }
    mi_heap_set_numa_affinity(NULL, 1);
}

// ---- Tables

static size_t shown;
static char text[20000];

static void mi_cdecl
show(const char *msg, void *arg)
{
    (void)arg;
    size_t length = strlen(msg);
    if (shown + length < sizeof text) {
        memcpy(text + shown, msg, length + 1);
        shown += length;
    }
}

static void
tables_show_arenas(void)
{
    mi_arena_id_t id = NULL;
    EXPECT(mi_reserve_os_memory_ex(12345 * 64 * KIB, true, false, true, &id) == 0);
    char place[32];
    snprintf(place, sizeof place, "%p", mi_arena_area(id, NULL));
    void *p = mi_malloc(100);
    mi_register_output(show, NULL);
    shown = 0;
    mi_arenas_print();
    EXPECT(strstr(text, place) != NULL && strstr(text, "771.5 MiB") != NULL);
    EXPECT(strstr(text, "exclusive") != NULL && strstr(text, "own") != NULL);
    EXPECT(strchr(text, '#') == NULL && text[shown - 1] == '\n');
    shown = 0;
    mi_debug_show_arenas();
    EXPECT(strstr(text, place) != NULL && strchr(text, '#') != NULL && text[shown - 1] == '\n');
    mi_register_output(NULL, NULL);
    mi_free(p);
}

int
main(void)
{
    test_limits();
    test_refusals();
    in_child(memory_serves);
    in_child(full_arenas_do_no_harm);
    in_child(exclusive_arenas_stay_empty);
    in_child(bound_heaps_end_with_their_arena);
    in_child(bound_heaps_have_no_samples);
    in_child(pinned_memory_keeps_its_pages);
    in_child(memory_with_a_function_serves);
    in_child(reserved_memory_serves);
    in_child(huge_pages_serve_where_there_are_some);
    in_child(heaps_ask_for_a_node);
    in_child(tables_show_arenas);
    return API_DONE();
}
