// SPDX-License-Identifier: MIT
// heaps.c — first-class heaps that several threads use, hand on, and end.
//
//   heaps [seconds]
//
// 16 places for heaps, 8 threads. A thread takes a place, alone or with others, allocates from its
// heap, frees blocks of it that any thread allocated, and now and then ends the heap and makes
// another: destroys it with its blocks, or deletes it and frees them later; walks go on meanwhile.
// Blocks are of 1 byte to 4 MiB, some aligned to more than a slice. Their contents are checked, and
// memory stays bounded.
#include "harness.h"

#include <mimalloc.h>
#include <stdatomic.h>

enum {
    PLACES = 16,
    THREADS = 8,
    SLOTS = 256,   // blocks of a place
    ORPHANS = 512, // blocks that outlived their heap
    MAX_GROWTH_KIB = 256 * 1024,
};

typedef struct place_t {
    // Readers allocate and free, each in slots of its own; the writer ends the heap.
    pthread_rwlock_t lock;
    mi_heap_t *heap;
    struct {
        pthread_mutex_t lock;
        unsigned char *p;
        size_t size;
    } slots[SLOTS];
} place_t;

static place_t places[PLACES];
static struct {
    pthread_mutex_t lock;
    unsigned char *p;
    size_t size;
} orphans[ORPHANS];
static atomic_bool stop;
static atomic_long operations;
static atomic_long ended;
static atomic_long visited;

static void
check(const unsigned char *p, size_t size)
{
    EXPECT(p[0] == (unsigned char)size && p[size - 1] == (unsigned char)size, "%p of %zu", (const void *)p,
           size);
}

static unsigned char *
allocate(mi_heap_t *heap, uint64_t *random, size_t *size)
{
    size_t kind = random_below(random, 1000);
    *size = 1 + random_below(random, kind < 900 ? 500 : kind < 990 ? 20000 : kind < 999 ? 300000 : 4 << 20);
    unsigned char *p;
    if (kind % 50 == 7) {
        size_t align = (size_t)64 << random_below(random, 13); // to 256 KiB
        p = mi_heap_malloc_aligned(heap, *size, align);
        EXPECT(((uintptr_t)p & (align - 1)) == 0, "%p", (void *)p);
    } else {
        p = mi_heap_malloc(heap, *size);
    }
    EXPECT(p != NULL, "%zu bytes", *size);
    p[0] = p[*size - 1] = (unsigned char)*size;
    return p;
}

// In one slot of a place: frees what is there, or puts a block there, or resizes it.
static void
use_slot(place_t *place, uint64_t *random)
{
    size_t i = random_below(random, SLOTS);
    pthread_mutex_lock(&place->slots[i].lock);
    unsigned char *p = place->slots[i].p;
    if (p == NULL) {
        place->slots[i].p = allocate(place->heap, random, &place->slots[i].size);
    } else {
        check(p, place->slots[i].size);
        if (random_below(random, 8) == 0) {
            size_t size = 1 + random_below(random, 3000);
            unsigned char first = p[0];
            p = mi_heap_realloc(place->heap, p, size);
            EXPECT(p != NULL && p[0] == first, "%p", (void *)p);
            p[0] = p[size - 1] = (unsigned char)size;
            place->slots[i].p = p;
            place->slots[i].size = size;
        } else {
            mi_free(p);
            place->slots[i].p = NULL;
        }
    }
    pthread_mutex_unlock(&place->slots[i].lock);
}

static void
leave_orphan(unsigned char *p, size_t size, uint64_t *random)
{
    size_t i = random_below(random, ORPHANS);
    pthread_mutex_lock(&orphans[i].lock);
    unsigned char *before = orphans[i].p;
    if (before != NULL) {
        check(before, orphans[i].size);
        mi_free(before);
    }
    orphans[i].p = p;
    orphans[i].size = size;
    pthread_mutex_unlock(&orphans[i].lock);
}

// The caller holds the place alone.
static void
end_heap(place_t *place, uint64_t *random)
{
    bool destroys = random_below(random, 2) == 0;
    if (!destroys) {
        mi_heap_delete(place->heap);
    }
    for (size_t i = 0; i < SLOTS; i++) {
        if (place->slots[i].p != NULL) {
            check(place->slots[i].p, place->slots[i].size);
            if (!destroys) {
                leave_orphan(place->slots[i].p, place->slots[i].size, random);
            }
            place->slots[i].p = NULL;
        }
    }
    if (destroys) {
        mi_heap_destroy(place->heap);
    }
    place->heap = mi_heap_new();
    EXPECT(place->heap != NULL, "a new heap");
    atomic_fetch_add(&ended, 1);
}

// What is seen while others allocate and free may be out of date, but each block lies in its area.
static bool
visit(const mi_heap_t *heap, const mi_heap_area_t *area, void *block, size_t block_size, void *arg)
{
    (void)heap;
    ++*(size_t *)arg;
    const char *start = area->blocks;
    const char *p = block;
    EXPECT(p == NULL || (p >= start && p + block_size <= start + area->reserved), "%p in %p", block,
           area->blocks);
    return true;
}

static void
use_place(uint64_t *random)
{
    place_t *place = &places[random_below(random, PLACES)];
    if (random_below(random, 40) == 0) {
        pthread_rwlock_wrlock(&place->lock);
        end_heap(place, random);
        pthread_rwlock_unlock(&place->lock);
        return;
    }
    pthread_rwlock_rdlock(&place->lock);
    for (int i = 0; i < 50; i++) {
        use_slot(place, random);
    }
    if (random_below(random, 100) == 0) {
        mi_theap_delete(mi_heap_theap(place->heap));
    }
    if (random_below(random, 100) == 0) {
        mi_heap_collect(place->heap, true);
    }
    if (random_below(random, 100) == 0) {
        size_t visits = 0;
        EXPECT(mi_heap_visit_blocks(place->heap, true, visit, &visits), "a whole walk");
        EXPECT(mi_heap_visit_blocks(mi_heap_main(), true, visit, &visits), "a whole walk");
        atomic_fetch_add(&visited, (long)visits);
    }
    pthread_rwlock_unlock(&place->lock);
    atomic_fetch_add(&operations, 50);
}

// Threads come and go as well: each does so much and ends, and another takes its turn.
static void *
work(void *arg)
{
    uint64_t random = random_seed((uint64_t)(uintptr_t)arg);
    void *own = mi_malloc(100);
    for (int i = 0; i < 300 && !atomic_load(&stop); i++) {
        use_place(&random);
        if (random_below(&random, 500) == 0) {
            mi_collect(random_below(&random, 2) == 0);
        }
    }
    mi_free(own);
    return NULL;
}

static void *
keep_working(void *arg)
{
    for (uintptr_t turn = 0; !atomic_load(&stop); turn++) {
        pthread_t thread;
        EXPECT(pthread_create(&thread, NULL, work, (void *)((uintptr_t)arg * 1000003 + turn)) == 0,
               "a thread");
        pthread_join(thread, NULL);
    }
    return NULL;
}

static void
end_all(void)
{
    for (int i = 0; i < PLACES; i++) {
        EXPECT(mi_heap_check(places[i].heap), "heap %d", i);
        mi_heap_destroy(places[i].heap);
    }
    for (int i = 0; i < ORPHANS; i++) {
        mi_free(orphans[i].p);
    }
    mi_collect(true);
    EXPECT(mi_heap_check(mi_heap_main()), "the main heap");
}

int
main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 5;
    for (int i = 0; i < PLACES; i++) {
        pthread_rwlock_init(&places[i].lock, NULL);
        for (int k = 0; k < SLOTS; k++) {
            pthread_mutex_init(&places[i].slots[k].lock, NULL);
        }
        places[i].heap = mi_heap_new();
    }
    for (int i = 0; i < ORPHANS; i++) {
        pthread_mutex_init(&orphans[i].lock, NULL);
    }
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        EXPECT(pthread_create(&threads[i], NULL, keep_working, (void *)i) == 0, "a thread");
    }
    long early_kib = 0;
    long late_kib = 0;
    for (double start = clock_seconds(), now = 0; now < seconds; now = clock_seconds() - start) {
        usleep(20000);
        long kib = resident_kib();
        early_kib = now < seconds / 2 && kib > early_kib ? kib : early_kib;
        late_kib = now >= seconds / 2 && kib > late_kib ? kib : late_kib;
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    end_all();
    printf("%ld operations, %ld heaps ended, %ld visits; peak %ld KiB in the first half, %ld in the second, "
           "%ld now\n",
           atomic_load(&operations), atomic_load(&ended), atomic_load(&visited), early_kib, late_kib,
           resident_kib());
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
    EXPECT(late_kib < early_kib + MAX_GROWTH_KIB, "memory stays bounded");
#endif
    return 0;
}
