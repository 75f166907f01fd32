// SPDX-License-Identifier: MIT
// test_api_heap.c — first-class heaps: allocation from them, what belongs to them, and their end.
// Walking: test_api_walk.c. Subprocesses and thread heaps: test_api_subproc.c.
#include "api_test.h"

#include <pthread.h>

static void *
in_thread(void *(*body)(void *), void *arg)
{
    pthread_t thread;
    void *result = NULL;
    EXPECT(pthread_create(&thread, NULL, body, arg) == 0);
    EXPECT(pthread_join(thread, &result) == 0);
    return result;
}

// Every kind of block: small, medium, a singleton, over-aligned.
static const struct {
    size_t size;
    size_t align;
} kinds[] = {{0, 0},        {1, 0},       {8, 0},         {100, 0},        {1024, 0},
             {1025, 0},     {5000, 0},    {65536, 0},     {65537, 0},      {1000000, 0},
             {40, 4096},    {40, 65536},  {40, 1 << 20},  {100000, 65536}, {100000, 4 << 20},
             {3000000, 64}, {70000, 128}, {30000, 16384}, {16, 16 << 20}};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void *
make_kind(mi_heap_t *heap, int i)
{
    void *p = kinds[i].align == 0 ? mi_heap_malloc(heap, kinds[i].size)
                                  : mi_heap_malloc_aligned(heap, kinds[i].size, kinds[i].align);
    EXPECT(p != NULL && mi_usable_size(p) >= kinds[i].size);
    EXPECT(kinds[i].align == 0 || is_aligned(p, kinds[i].align));
    fill(p, kinds[i].size, (unsigned)i);
    return p;
}

static void
test_every_kind_belongs_to_its_heap(void)
{
    mi_heap_t *heap = mi_heap_new();
    mi_heap_t *other = mi_heap_new();
    EXPECT(heap != NULL && other != NULL && heap != other && heap != mi_heap_main());
    void *blocks[KINDS];
    for (int i = 0; i < KINDS; i++) {
        blocks[i] = make_kind(heap, i);
        void *main_block = make_kind(mi_heap_main(), i);
        const char *inside = (const char *)blocks[i] + kinds[i].size / 2;
        EXPECT(mi_heap_of(blocks[i]) == heap && mi_heap_of(inside) == heap);
        EXPECT(mi_heap_contains(heap, blocks[i]) && mi_heap_contains(heap, inside));
        EXPECT(mi_heap_contains_block(heap, blocks[i]) && mi_heap_check_owned(heap, blocks[i]));
        EXPECT(!mi_heap_contains(other, blocks[i]) && !mi_heap_contains(mi_heap_main(), blocks[i]));
        EXPECT(mi_any_heap_contains(blocks[i]) && !mi_check_owned(blocks[i]));
        EXPECT(mi_heap_of(main_block) == mi_heap_main() && mi_check_owned(main_block));
        mi_free(main_block);
    }
    EXPECT(mi_heap_check(heap));
    for (int i = 0; i < KINDS; i += 2) {
        EXPECT(is_filled(blocks[i], kinds[i].size, (unsigned)i));
        EXPECT_SILENT(mi_free(blocks[i]));
    }
    for (int i = 1; i < KINDS; i += 2) {
        EXPECT(is_filled(blocks[i], kinds[i].size, (unsigned)i));
    }
    EXPECT(mi_heap_check(heap));
    mi_heap_destroy(heap);
    mi_heap_destroy(other);
}

static void
test_foreign_pointers_belong_to_none(void)
{
    int local = 0;
    static int global;
    EXPECT(mi_heap_of(NULL) == NULL && mi_heap_of(&local) == NULL && mi_heap_of(&global) == NULL);
    EXPECT(mi_heap_of((const void *)1) == NULL && mi_heap_of((const void *)~(uintptr_t)0) == NULL);
    EXPECT(!mi_any_heap_contains(&local) && !mi_check_owned(&local));
    EXPECT(!mi_heap_contains(mi_heap_main(), &local) && !mi_heap_contains(NULL, &local));
    void *p = mi_malloc(100);
    EXPECT(!mi_heap_contains(NULL, p) && mi_heap_contains(mi_heap_main(), p));
    mi_free(p);
}

static void
test_zeroed_and_counted(mi_heap_t *heap)
{
    for (int round = 0; round < 3; round++) {
        for (size_t size = 0; size < 200000; size = next_size(size) * 9 / 8) {
            void *p = mi_heap_zalloc(heap, size);
            EXPECT(mi_heap_of(p) == heap && is_all(p, mi_usable_size(p), 0));
            soil(p);
            mi_free(p);
            p = mi_heap_calloc(heap, 3, size);
            EXPECT(mi_heap_of(p) == heap && is_all(p, 3 * size, 0));
            soil(p);
            mi_free(p);
            p = mi_heap_zalloc_aligned(heap, size, 256);
            EXPECT(is_aligned(p, 256) && is_all(p, size, 0));
            soil(p);
            mi_free(p);
            p = mi_heap_calloc_aligned_at(heap, 2, size + 1, 128, 24);
            EXPECT(is_aligned((char *)p + 24, 128) && is_all(p, 2 * size + 2, 0));
            soil(p);
            mi_free(p);
        }
    }
    void *p = mi_heap_mallocn(heap, 10, 20);
    EXPECT(mi_usable_size(p) >= 200);
    mi_free(p);
    p = mi_heap_malloc_small(heap, 64);
    void *q = mi_heap_zalloc_small(heap, 64);
    EXPECT(mi_heap_of(p) == heap && mi_heap_of(q) == heap && is_all(q, 64, 0));
    mi_free_small(p);
    mi_free(q);
    p = mi_heap_zalloc_aligned_at(heap, 100, 64, 8);
    EXPECT(is_aligned((char *)p + 8, 64) && is_all(p, 100, 0));
    mi_free(p);
    p = mi_heap_malloc_aligned_at(heap, 100, 64, 8);
    EXPECT(is_aligned((char *)p + 8, 64) && mi_heap_of(p) == heap);
    mi_free(p);
    p = mi_heap_calloc_aligned(heap, 10, 10, 4096);
    EXPECT(is_aligned(p, 4096) && is_all(p, 100, 0));
    mi_free(p);
}

static void
test_failures(mi_heap_t *heap)
{
    size_t huge = opaque(PTRDIFF_SIZE + 1);
    EXPECT_FAILS(mi_heap_malloc(heap, huge), ENOMEM);
    EXPECT_FAILS(mi_heap_zalloc(heap, huge), ENOMEM);
    EXPECT_FAILS(mi_heap_calloc(heap, huge, 4), ENOMEM);
    EXPECT_FAILS(mi_heap_mallocn(heap, huge, 4), ENOMEM);
    EXPECT_FAILS(mi_heap_malloc_aligned(heap, 10, opaque(3)), EINVAL);
    EXPECT_FAILS(mi_heap_calloc_aligned(heap, huge, 4, 64), ENOMEM);
    EXPECT_FAILS(mi_heap_recalloc(heap, NULL, huge, 4), ENOMEM);
    EXPECT_FAILS(mi_heap_recalloc_aligned(heap, NULL, huge, 4, 64), ENOMEM);
    char *p = (char *)mi_heap_malloc(heap, 100);
    fill(p, 100, 1);
    EXPECT_FAILS(mi_heap_realloc(heap, p, huge), ENOMEM);
    EXPECT_FAILS(mi_heap_reallocn(heap, p, huge, 4), ENOMEM);
    EXPECT(is_filled(p, 100, 1));
    EXPECT_FAILS(mi_heap_reallocf(heap, p, huge), ENOMEM); // frees it
}

static void
test_strings(mi_heap_t *heap)
{
    char *p = mi_heap_strdup(heap, "a heap of one's own");
    EXPECT(strcmp(p, "a heap of one's own") == 0 && mi_heap_of(p) == heap);
    mi_free(p);
    p = mi_heap_strndup(heap, "abcdef", 3);
    EXPECT(strcmp(p, "abc") == 0 && mi_heap_of(p) == heap);
    mi_free(p);
    EXPECT(mi_heap_strdup(heap, NULL) == NULL && mi_heap_strndup(heap, NULL, 3) == NULL);
    p = mi_heap_realpath(heap, "/usr/../usr/.", NULL);
    EXPECT(p != NULL && is_path(p, "/usr") && mi_heap_of(p) == heap);
    mi_free(p);
    char buffer[PATH_MAX];
    EXPECT(mi_heap_realpath(heap, "/", buffer) == buffer && is_path(buffer, "/"));
    EXPECT_FAILS(mi_heap_realpath(heap, "/nothing/there", NULL), ENOENT);
}

// A block ends up in the heap that is named, moved or not; mi_realloc leaves it where it fits.
static void
test_resizing_moves_between_heaps(mi_heap_t *heap)
{
    mi_heap_t *other = mi_heap_new();
    for (size_t size = 1; size < 3000000; size = size * 3 + 1) {
        char *p = (char *)mi_heap_malloc(heap, size);
        fill(p, size, 7);
        p = (char *)mi_heap_realloc(other, p, size);
        EXPECT(mi_heap_of(p) == other && is_filled(p, size, 7));
        char *same = (char *)mi_heap_realloc(other, p, size);
        EXPECT(same == p);
        same = (char *)mi_realloc(p, size);
        EXPECT(same == p && mi_heap_of(p) == other);
        p = (char *)mi_realloc(p, 5 * size + 100000);
        EXPECT(p != NULL && is_filled(p, size, 7));
        p = (char *)mi_heap_realloc_aligned(heap, p, size, 64);
        EXPECT(mi_heap_of(p) == heap && is_aligned(p, 64) && is_filled(p, size, 7));
        p = (char *)mi_heap_realloc_aligned_at(heap, p, size + 8, 64, 8);
        EXPECT(mi_heap_of(p) == heap && is_aligned(p + 8, 64) && is_filled(p, size, 7));
        mi_free(p);
        p = (char *)mi_heap_rezalloc(heap, NULL, size);
        p = (char *)mi_heap_rezalloc(other, p, 2 * size);
        EXPECT(mi_heap_of(p) == other && is_all(p, 2 * size, 0));
        p = (char *)mi_heap_recalloc(heap, p, 3, size);
        EXPECT(mi_heap_of(p) == heap && is_all(p, 3 * size, 0));
        p = (char *)mi_heap_rezalloc_aligned(heap, p, 4 * size, 32);
        EXPECT(is_aligned(p, 32) && is_all(p, 4 * size, 0));
        p = (char *)mi_heap_recalloc_aligned_at(other, p, 5, size, 64, 16);
        EXPECT(is_aligned(p + 16, 64) && is_all(p, 5 * size, 0));
        p = (char *)mi_heap_rezalloc_aligned_at(other, p, 6 * size, 64, 16);
        EXPECT(is_aligned(p + 16, 64) && is_all(p, 6 * size, 0));
        p = (char *)mi_heap_reallocn(heap, p, 2, size);
        EXPECT(mi_heap_of(p) == heap);
        mi_free(p);
    }
    mi_heap_destroy(other);
}

static void
test_types_and_cpp_names(mi_heap_t *heap)
{
    struct point {
        int x;
        double y;
    };
    struct point *p = mi_heap_malloc_tp(struct point, heap);
    struct point *q = mi_heap_calloc_tp(struct point, heap, 10);
    EXPECT(mi_heap_of(p) == heap && mi_heap_of(q) == heap && q[9].x == 0);
    q = mi_heap_recalloc_tp(struct point, heap, q, 100);
    EXPECT(q[99].y == 0);
    q = mi_heap_reallocn_tp(struct point, heap, q, 5);
    mi_free(p);
    mi_free(q);
    p = mi_heap_zalloc_tp(struct point, heap);
    q = mi_heap_mallocn_tp(struct point, heap, 3);
    EXPECT(p->x == 0 && q != NULL);
    mi_free(p);
    mi_free(q);
    void *r = mi_heap_alloc_new(heap, 50);
    void *s = mi_heap_alloc_new_n(heap, 5, 50);
    EXPECT(mi_heap_of(r) == heap && mi_heap_of(s) == heap && mi_usable_size(s) >= 250);
    mi_free(r);
    mi_free(s);
}

// ---- Threads and ends

typedef struct job_t {
    mi_heap_t *heap;
    void *blocks[KINDS];
} job_t;

static void *
make_all(void *arg)
{
    job_t *job = (job_t *)arg;
    for (int i = 0; i < KINDS; i++) {
        job->blocks[i] = make_kind(job->heap, i);
    }
    return NULL;
}

static void *
free_all(void *arg)
{
    job_t *job = (job_t *)arg;
    for (int i = 0; i < KINDS; i++) {
        EXPECT(is_filled(job->blocks[i], kinds[i].size, (unsigned)i));
        mi_free(job->blocks[i]);
    }
    return NULL;
}

static void
test_deleted_heaps_leave_their_blocks(void)
{
    job_t mine = {mi_heap_new(), {0}};
    job_t theirs = {mine.heap, {0}};
    make_all(&mine);
    in_thread(make_all, &theirs);
    mi_heap_delete(mine.heap);
    for (int i = 0; i < KINDS; i++) {
        EXPECT(mi_heap_of(mine.blocks[i]) == mi_heap_main());
        EXPECT(mi_heap_of(theirs.blocks[i]) == mi_heap_main());
    }
    EXPECT(mi_heap_check(mi_heap_main()));
    in_thread(free_all, &mine);
    free_all(&theirs);
    mi_collect(true);
    EXPECT(mi_heap_check(mi_heap_main()));
}

static void
test_destroyed_heaps_take_their_blocks_along(void)
{
    for (int round = 0; round < 200; round++) {
        job_t mine = {mi_heap_new(), {0}};
        job_t theirs = {mine.heap, {0}};
        make_all(&mine);
        if (round % 20 == 0) {
            in_thread(make_all, &theirs);
        }
        mi_heap_destroy(mine.heap);
        EXPECT(!mi_heap_contains(mi_heap_main(), mine.blocks[3]));
    }
    mi_collect(true);
    size_t resident = 0;
    mi_process_info(NULL, NULL, NULL, &resident, NULL, NULL, NULL, NULL);
    EXPECT(API_SANITIZED || resident < ((size_t)60 << 20)); // of some 5 GB that went through
}

static void
test_main_heaps_stay(void)
{
    void *p = mi_malloc(100);
    mi_heap_destroy(mi_heap_main());
    mi_heap_delete(mi_heap_main());
    mi_heap_destroy(NULL);
    mi_heap_delete(NULL);
    EXPECT(mi_heap_of(p) == mi_heap_main());
    mi_free(p);
    EXPECT(mi_heap_get_backing() == mi_heap_main());
}

// A heap is handed from thread to thread; blocks are freed by another than allocated them.
static void
test_a_heap_for_a_shard(void)
{
    job_t job = {mi_heap_new(), {0}};
    for (int turn = 0; turn < 20; turn++) {
        in_thread(make_all, &job);
        in_thread(free_all, &job);
        EXPECT(mi_heap_check(job.heap));
    }
    mi_heap_collect(job.heap, true);
    mi_heap_destroy(job.heap);
}

static void *
default_in_thread(void *arg)
{
    mi_heap_t *heap = (mi_heap_t *)arg;
    EXPECT(mi_heap_get_default() == mi_heap_main());
    EXPECT(mi_heap_set_default(heap) == mi_heap_main());
    EXPECT(mi_heap_get_default() == heap);
    void *p = mi_malloc(100);
    void *q = mi_malloc(1000000);
    EXPECT(mi_heap_of(p) == heap && mi_heap_of(q) == heap && mi_check_owned(p));
    void *r = mi_heap_malloc(mi_heap_main(), 100);
    EXPECT(mi_heap_of(r) == mi_heap_main() && !mi_check_owned(r));
    mi_free(r);
    EXPECT(mi_heap_set_default(NULL) == heap && mi_heap_get_default() == heap);
    mi_free(p);
    return q;
}

static void
test_default_heaps(void)
{
    mi_heap_t *heap = mi_heap_new();
    void *q = in_thread(default_in_thread, heap);
    EXPECT(mi_heap_get_default() == mi_heap_main() && mi_heap_of(q) == heap);
    // A default heap that ends gives way to the main one.
    (void)mi_heap_set_default(heap);
    void *p = mi_malloc(64);
    EXPECT(mi_heap_of(p) == heap);
    mi_heap_delete(heap);
    EXPECT(mi_heap_of(p) == mi_heap_main() && mi_heap_get_default() == mi_heap_main());
    void *s = mi_malloc(64);
    EXPECT(mi_heap_of(s) == mi_heap_main());
    mi_free(p);
    mi_free(q);
    mi_free(s);
    heap = mi_heap_new();
    (void)mi_heap_set_default(heap);
    s = mi_malloc(200);
    mi_heap_destroy(heap);
    s = mi_malloc(200);
    EXPECT(mi_heap_of(s) == mi_heap_main() && mi_heap_get_default() == mi_heap_main());
    mi_free(s);
}

static void
test_many_heaps(void)
{
    enum { HEAPS = 3000 };
    static mi_heap_t *heaps[HEAPS];
    static void *blocks[HEAPS];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < HEAPS; i++) {
            heaps[i] = mi_heap_new();
            blocks[i] = mi_heap_malloc(heaps[i], 24);
        }
        for (int i = 0; i < HEAPS; i++) {
            EXPECT(mi_heap_of(blocks[i]) == heaps[i]);
            void *p = mi_heap_malloc(heaps[i], 48);
            EXPECT(mi_heap_of(p) == heaps[i]);
        }
        for (int i = 0; i < HEAPS; i++) {
            if (i % 3 == 0) {
                mi_heap_delete(heaps[i]);
                mi_free(blocks[i]);
            } else {
                mi_heap_destroy(heaps[i]);
            }
        }
    }
    EXPECT(mi_heap_check(mi_heap_main()));
}

int
main(void)
{
    test_every_kind_belongs_to_its_heap();
    test_foreign_pointers_belong_to_none();
    mi_heap_t *heap = mi_heap_new();
    test_zeroed_and_counted(heap);
    test_failures(heap);
    test_strings(heap);
    test_resizing_moves_between_heaps(heap);
    test_types_and_cpp_names(heap);
    EXPECT(mi_heap_check(heap));
    mi_heap_delete(heap);
    test_deleted_heaps_leave_their_blocks();
    test_destroyed_heaps_take_their_blocks_along();
    test_main_heaps_stay();
    test_a_heap_for_a_shard();
    test_default_heaps();
    test_many_heaps();
    return API_DONE();
}
