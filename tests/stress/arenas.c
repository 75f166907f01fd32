// SPDX-License-Identifier: MIT
// arenas.c — threads that allocate and free in many arenas while more of them are handed over.
//
//   arenas [rounds]
//
// Blocks are freed by whichever thread comes by; some arenas are exclusive, with a heap bound to each
// that runs out again and again; some come with a function that commits.
#include "harness.h"

#include <mimalloc.h>
#include <stdatomic.h>
#include <sys/mman.h>

enum { THREADS = 4, SLOTS = 512, STEPS = 2000, ARENA_BYTES = 1 << 20, MARK = 0x5a };

static _Atomic(unsigned char *) slots[SLOTS];
static atomic_size_t failed_claims;

static bool
page_in_or_out(bool commit, void *start, size_t size, bool *is_zero, void *arg)
{
    (void)arg;
    *is_zero = false;
    return mprotect(start, size, commit ? PROT_READ | PROT_WRITE : PROT_NONE) == 0;
}

static void
fail(const char *what)
{
    fprintf(stderr, "arenas: %s (errno %d)\n", what, errno);
    abort();
}

static mi_arena_id_t
new_arena(uint64_t *random, bool exclusive)
{
    mi_arena_id_t id = NULL;
    bool paged = random_below(random, 2) == 0;
    size_t offset = random_below(random, 5000);
    char *p = mmap(NULL, ARENA_BYTES + offset, paged ? PROT_NONE : PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || !mi_manage_memory(p + (paged ? 0 : offset), ARENA_BYTES, !paged, false, !paged, -1,
                                             exclusive, paged ? page_in_or_out : NULL, NULL, &id)) {
        fail("no arena");
    }
    return id;
}

// A block starts with its size; its ends are marked.
static void
put(unsigned char *block, size_t size, size_t slot)
{
    if (block != NULL) {
        memcpy(block, &size, sizeof size);
        block[sizeof size] = MARK;
        block[size - 1] = MARK;
    }
    unsigned char *old = atomic_exchange(&slots[slot], block);
    if (old != NULL) {
        size_t old_size;
        memcpy(&old_size, old, sizeof old_size);
        if (old[sizeof old_size] != MARK || old[old_size - 1] != MARK) {
            fail("a block has lost its marks");
        }
        mi_free(old);
    }
}

static void *
work(void *arg)
{
    uint64_t random = (uint64_t)(uintptr_t)arg + 1;
    static const size_t sizes[] = {16, 100, 1000, 10000, 70000, 300000};
    (void)new_arena(&random, false);
    mi_arena_id_t own = new_arena(&random, true);
    mi_heap_t *heap = mi_heap_new_in_arena(own);
    if (heap == NULL) {
        fail("no heap");
    }
    for (int i = 0; i < STEPS; i++) {
        size_t size = sizes[random_below(&random, 6)] + random_below(&random, 10);
        bool bound = random_below(&random, 2) == 0;
        unsigned char *block = bound ? mi_heap_malloc(heap, size) : mi_malloc(size);
        if (block == NULL && (!bound || errno != ENOMEM)) {
            fail("no memory");
        }
        if (block != NULL && mi_arena_contains(own, block) != bound) {
            fail("a block in the wrong arena");
        }
        atomic_fetch_add(&failed_claims, block == NULL);
        put(block, size, random_below(&random, SLOTS));
        if (i % 500 == 0) {
            mi_collect(i % 1000 == 0);
        }
    }
    mi_heap_delete(heap);
    return NULL;
}

int
main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 10;
    for (long round = 0; round < rounds; round++) {
        pthread_t threads[THREADS];
        for (long i = 0; i < THREADS; i++) {
            if (pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)(round * THREADS + i)) != 0) {
                fail("no thread");
            }
        }
        for (long i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
        }
    }
    for (size_t i = 0; i < SLOTS; i++) {
        put(NULL, 0, i);
    }
    printf("%ld rounds, %zu times a full arena: fine\n", rounds, atomic_load(&failed_claims));
    return atomic_load(&failed_claims) > 0 ? 0 : 1;
}
