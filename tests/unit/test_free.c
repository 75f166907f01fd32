// SPDX-License-Identifier: MIT
// test_free.c — alloc/free.c: every way home, and what was never ours is reported and not followed.
#include "fresh.h"

#include <sys/mman.h>

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "heap/census.h"
#include "heap/registry.h"

static void
start(void)
{
    mi__conf.purge_delay_ms = -1;
    mi__conf.region_bytes_log2 = 32;
    mi__hooks.misuse = record_misuse;
}

// The heap is as good as before: what comes next is apart from what is there.
static void
check_healthy(void)
{
    static char *blocks[300];
    for (unsigned i = 0; i < 300; i++) {
        size_t size = (size_t)i * 500;
        blocks[i] = mi__alloc(size);
        check(blocks[i] != NULL);
        fill(blocks[i], size, i);
    }
    for (unsigned i = 0; i < 300; i++) {
        check(is_filled(blocks[i], (size_t)i * 500, i));
        mi__free(blocks[i]);
    }
}

enum { BLOCKS_MAX = 20000 };
static char *blocks[BLOCKS_MAX];

static void
take(size_t size, size_t count)
{
    check(count <= BLOCKS_MAX);
    for (size_t i = 0; i < count; i++) {
        blocks[i] = mi__alloc(size);
        check(blocks[i] != NULL);
        fill(blocks[i], size_min(size, 64), (unsigned)i);
    }
}

static const size_t sizes[] = {1, 16, 100, 1024, 1025, 4096, 4097, 20000, 65536, 65537, 300000};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

// ---- at home --------------------------------------------------------------------------------

static void
nothing_is_free_already(void)
{
    start();
    mi__free(NULL);
    mi__free_sized(NULL, 0, 0);
    mi__free_sized(NULL, 100, 64);
    check_equal(misuses.count, 0);
    check(thread_heap_is_none(mi__thread_heap));
}

static void
in_all_orders(void)
{
    start();
    for (size_t i = 0; i < SIZES; i++) {
        size_t count = sizes[i] > 10000 ? 100 : 3000;
        static const size_t strides[] = {1, 7, 1009};
        for (size_t k = 0; k < 3; k++) {
            take(sizes[i], count);
            for (size_t n = 0; n < count; n++) {
                size_t at = n * strides[k] % count;
                check(is_filled(blocks[at], size_min(sizes[i], 64), (unsigned)at));
                mi__free(blocks[at]);
            }
            take(sizes[i], count);
            for (size_t n = count; n-- > 0;) {
                mi__free(blocks[n]);
            }
            (void)mi__collect(true);
            check_equal(slices_in_use(), 0);
        }
    }
    check_equal(misuses.count, 0);
}

static void
with_size_and_alignment_told(void)
{
    start();
    for (size_t i = 0; i < SIZES; i++) {
        mi__free_sized(mi__alloc(sizes[i]), sizes[i], 0);
        mi__free_sized(mi__alloc(sizes[i]), SIZE_MAX, 0);
        mi__free_sized(mi__alloc_aligned(sizes[i], 256, 0, false), sizes[i], 256);
        mi__free_sized(mi__alloc_aligned(sizes[i], 256, 8, false), SIZE_MAX, 256);
    }
    check_equal(misuses.count, 0);
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
}

// One free of a block of 1000 bytes that is said to have `size` and `align`; then in truth.
static bool
is_refused(size_t size, size_t align)
{
    unsigned before = (unsigned)misuses.count;
    void *p = mi__alloc(1000); // 1024 fit
    while (align > 16 && ((uintptr_t)p & (align - 1)) == 0) {
        p = mi__alloc(1000);
    }
    mi__free_sized(p, size, align);
    if (misuses.count == before) {
        return false;
    }
    check(misused(before + 1, MISUSE_SIZE_MISMATCH, "free", p));
    mi__free(p);
    return true;
}

static void
with_wrong_size_or_alignment_told(void)
{
    start();
    check(is_refused(1025, 0));
    check(is_refused(65537, 0));
    check(is_refused(511, 0));
    check(is_refused(0, 0));
    check(is_refused(SIZE_MAX, 4096));
    check(is_refused(1000, 2048));
    check(!is_refused(1024, 16));
    check(!is_refused(512, 0));
    check(!is_refused(SIZE_MAX, 1));
    misuses.count = 0;
    void *p = mi__alloc(300000);
    mi__free_sized(p, 100000, 0);
    mi__free_sized(p, 0, 0);
    mi__free_sized(p, 400000, 0);
    check(misused(3, MISUSE_SIZE_MISMATCH, "free", p));
    mi__free_sized(p, 200000, 0);
    mi__free_sized(mi__alloc_aligned(10, 1 << 20, 0, false), 10, 1 << 20);
    // What realloc left in place: half of it is in use, at least.
    p = mi__realloc(mi__alloc(1000), 512, false);
    mi__free_sized(p, 512, 0);
    check_equal(misuses.count, 3);
}

// Inside of a block, where free leaves the straight path: of a full page, and of another thread's.
static void *
free_inside(void *p)
{
    mi__free((char *)p + 16);
    return NULL;
}

static void
inside_of_blocks(void)
{
    start();
    take(3000, 21); // a page
    blocks[21] = mi__alloc(3000);
    mi__free(blocks[3] + 8);
    check(misused(1, MISUSE_FREE_INTERIOR, "free", blocks[3] + 8));
    run_thread(free_inside, blocks[4]);
    check(misused(2, MISUSE_FREE_INTERIOR, "free", blocks[4] + 16));
    check(mi__realloc(blocks[5] + 100, 5000, false) == NULL);
    check(misused(3, MISUSE_FREE_INTERIOR, "realloc", blocks[5] + 100));
    check_equal(mi__usable_size(blocks[5] + 1, "usable_size"), 0);
    check(misused(4, MISUSE_FREE_INTERIOR, "usable_size", blocks[5] + 1));
    check(is_filled(blocks[5], 64, 5));
    check_healthy();
    check_equal(misuses.count, 4);
}

static void
in_other_regions_than_the_first(void)
{
    start();
    mi__conf.region_bytes_log2 = 22;
    for (size_t i = 0; i < SIZES; i++) {
        size_t count = 12 * MIB / size_max(sizes[i], 1000);
        take(sizes[i], count);
        size_t beyond = 0;
        for (size_t n = 0; n < count; n++) {
            page_t *page;
            beyond += !region_first_find(blocks[n], &page);
        }
        check(sizes[i] < 500 || beyond > count / 2);
        for (size_t n = 0; n < count; n++) {
            check(is_filled(blocks[n], size_min(sizes[i], 64), (unsigned)n));
            mi__free(blocks[n]);
        }
    }
    // By an address inside, too.
    for (int i = 0; i < 3000; i++) {
        blocks[i] = mi__alloc_aligned(3000, 64, 8, false);
    }
    for (int i = 0; i < 3000; i++) {
        mi__free(blocks[i]);
    }
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
    check_equal(misuses.count, 0);
}

static void
errno_is_kept(void)
{
    start();
    mi__conf.purge_delay_ms = 0;
    for (size_t i = 0; i < SIZES; i++) {
        size_t count = sizes[i] > 10000 ? 50 : 1000;
        take(sizes[i], count);
        errno = ERRNO_MARK;
        for (size_t n = 0; n < count; n++) {
            mi__free(blocks[n]);
            check_equal(errno, ERRNO_MARK);
        }
        mi__free(NULL);
        mi__free_sized(NULL, 1, 1);
        check_equal(errno, ERRNO_MARK);
    }
}

// ---- from other threads ---------------------------------------------------------------------

static size_t taken;

typedef struct share_t {
    size_t first;
    size_t step;
    bool without_heap;
} share_t;

static void *
free_share(void *arg)
{
    const share_t *share = arg;
    if (!share->without_heap) {
        mi__free(mi__alloc(30000));
    }
    errno = ERRNO_MARK;
    for (size_t i = share->first; i < taken; i += share->step) {
        check(is_filled(blocks[i], 1, (unsigned)i));
        mi__free(blocks[i]);
        check_equal(errno, ERRNO_MARK);
    }
    return NULL;
}

static void
from_several_threads_at_once(void)
{
    start();
    mi__conf.purge_delay_ms = 0;
    for (size_t i = 0; i < SIZES; i++) {
        for (int without_heap = 0; without_heap < 2; without_heap++) {
            taken = sizes[i] > 10000 ? 200 : 4000;
            take(sizes[i], taken);
            share_t shares[4];
            for (size_t k = 0; k < 4; k++) {
                shares[k] = (share_t){k, 4, without_heap};
            }
            run_threads(4, free_share, shares, sizeof shares[0]);
            (void)mi__collect(true);
            check_equal(slices_in_use(), 0);
        }
    }
    check_equal(misuses.count, 0);
}

static void
while_the_owner_is_at_work(void)
{
    start();
    taken = 8000;
    for (int round = 0; round < 5; round++) {
        take(200, taken);
        pthread_t threads[2];
        share_t shares[2] = {{0, 2, false}, {1, 2, true}};
        for (int k = 0; k < 2; k++) {
            check(pthread_create(&threads[k], NULL, free_share, &shares[k]) == 0);
        }
        uint64_t random = 7;
        char *kept[100] = {0};
        for (int i = 0; i < 20000; i++) {
            size_t at = random_next(&random) % 100;
            check(kept[at] == NULL || is_filled(kept[at], 200, (unsigned)at));
            mi__free(kept[at]);
            kept[at] = mi__alloc(200);
            fill(kept[at], 200, (unsigned)at);
        }
        for (int i = 0; i < 100; i++) {
            mi__free(kept[i]);
        }
        for (int k = 0; k < 2; k++) {
            check(pthread_join(threads[k], NULL) == 0);
        }
    }
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
    check_equal(misuses.count, 0);
}

// ---- what was never ours --------------------------------------------------------------------

static void
report_foreign(const void *p, size_t count)
{
    errno = ERRNO_MARK;
    mi__free((void *)(uintptr_t)p);
    check(misused(count, MISUSE_FREE_FOREIGN, "free", p));
    check_equal(errno, ERRNO_MARK);
}

static void *
free_twice(void *p)
{
    mi__free(p);
    mi__free(p);
    return NULL;
}

static void *
free_once(void *p)
{
    mi__free(p);
    return NULL;
}

static void
what_was_freed_last_is_known(void)
{
    start();
    mi__hooks.misuse = record_misuse;
    unsigned expected = 0;
    for (size_t size = 1; size <= BLOCK_MAX; size = 2 * size + 7) {
        char *other = mi__alloc(size);
        char *p = mi__alloc(size);
        mi__free(p);
        mi__free(p); // on the straight path
        check(misused(++expected, MISUSE_DOUBLE_FREE, "free", p));
        memset(p, 0x5a, size); // what the list's link held
        mi__free(p);
        check(misused(++expected, MISUSE_DOUBLE_FREE, "free", p));
        memset(p, 0, size);
        check_equal(mi__usable_size(p, "usable_size"), 0);
        check(misused(++expected, MISUSE_DOUBLE_FREE, "usable_size", p));
        check(mi__realloc(p, 3 * size, false) == NULL);
        check(misused(++expected, MISUSE_DOUBLE_FREE, "realloc", p));
        run_thread(free_once, p);
        check(misused(++expected, MISUSE_DOUBLE_FREE, "free", p));
        run_thread(free_twice, other);
        check(misused(++expected, MISUSE_DOUBLE_FREE, "free", other));
        check_healthy();
    }
}

static void
foreign_pointers_are_reported(void)
{
    start();
    static char global[64];
    char local[64] = {0};
    char *libc = malloc(100);
    char *mapped = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(mi__alloc(10) != NULL);
    region_t *region = mi__region_at(0);
    const void *foreign[] = {global,
                             local,
                             libc,
                             mapped,
                             "text",
                             (void *)(uintptr_t)foreign_pointers_are_reported,
                             (void *)1,
                             (void *)8,
                             (void *)4096,
                             (void *)((uintptr_t)1 << 47),
                             (void *)((uintptr_t)1 << 63),
                             (void *)UINTPTR_MAX,
                             (void *)(UINTPTR_MAX - 15),
                             region->base - 1,
                             region->base - 16,
                             region->descriptors,
                             mi__thread_heap,
                             region_slice_at(region, region->slices)};
    memset(global, 0x33, sizeof global);
    memset(mapped, 0x33, 1 << 20);
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        report_foreign(foreign[i], i + 1);
    }
    // Not followed, so not written to.
    for (size_t i = 0; i < sizeof global; i++) {
        check_equal(global[i], 0x33);
    }
    check(mapped[0] == 0x33 && mapped[4096] == 0x33);
    free(libc);
    check_healthy();
}

static void
foreign_pointers_before_the_start(void)
{
    start();
    char local[64] = {0};
    report_foreign(local, 1);
    report_foreign((void *)UINTPTR_MAX, 2);
    check(thread_heap_is_none(mi__thread_heap));
    check_equal(mi__region_count(), 0);
}

static void
address_space_without_memory_holds_no_block(void)
{
    start();
    check(mi__alloc(10) != NULL);
    region_t *region = mi__region_at(0);
    char *strange[] = {region_slice_at(region, atomic_get_relaxed(&region->committed)),
                       region_slice_at(region, region->slices) - 16};
    for (size_t i = 0; i < 2; i++) {
        mi__free(strange[i]);
        check_equal(misuses.count, i + 1);
        check(misuses.p == strange[i]);
        check(misuses.kind == MISUSE_FREE_NO_BLOCK || misuses.kind == MISUSE_FREE_FOREIGN);
    }
    check_healthy();
}

static void
free_slices_hold_no_block(void)
{
    start();
    char *p = mi__alloc(1000000);
    char *inner = p + 5 * SLICE_SIZE;
    mi__free(p);
    mi__free(inner);
    check(misused(1, MISUSE_FREE_NO_BLOCK, "free", inner));
    char *untouched = mi__region_at(0)->base + 60 * SLICE_SIZE;
    mi__free(untouched);
    check(misused(2, MISUSE_FREE_NO_BLOCK, "free", untouched));
    mi__free(untouched + 16);
    check(misused(3, MISUSE_FREE_NO_BLOCK, "free", untouched + 16));
    check_healthy();
}

static void
addresses_inside_a_large_block_are_reported(void)
{
    start();
    char *p = mi__alloc(300000);
    fill(p, 300000, 1);
    mi__free(p + 16);
    check_equal(misuses.count, 1);
    mi__free(p + 70000);
    check_equal(misuses.count, 2);
    mi__free(p + 299999);
    check_equal(misuses.count, 3);
    check(mi__is_block(p) && is_filled(p, 300000, 1));
    mi__free(p);
    check_equal(misuses.count, 3);
    check_healthy();
}

// ---- twice ----------------------------------------------------------------------------------

static void
a_large_block_is_freed_once(void)
{
    start();
    for (size_t size = 70000; size < 100 * MIB; size *= 7) {
        misuses.count = 0;
        char *p = mi__alloc(size);
        char *behind = mi__alloc(size);
        fill(behind, size, 1);
        mi__free(p);
        size_t slices = slices_in_use();
        mi__free(p);
        check_equal(misuses.count, 1);
        check(misuses.kind == MISUSE_DOUBLE_FREE || misuses.kind == MISUSE_FREE_NO_BLOCK);
        check(misuses.p == p);
        mi__free(p);
        check_equal(misuses.count, 2);
        check_equal(slices_in_use(), slices);
        check(is_filled(behind, size, 1));
        mi__free(behind);
    }
    check_healthy();
}

static void *
free_in_thread(void *p)
{
    mi__free(p);
    return NULL;
}

static char *contested;
static pthread_barrier_t barrier;

static void *
free_contested(void *arg)
{
    for (int i = 0; i < 500; i++) {
        pthread_barrier_wait(&barrier);
        mi__free(contested);
        pthread_barrier_wait(&barrier);
    }
    return arg;
}

static _Atomic(size_t) double_frees;

static void
count_double_free(misuse_t kind, const char *call, const void *p)
{
    check(kind == MISUSE_DOUBLE_FREE || kind == MISUSE_FREE_NO_BLOCK);
    check(strcmp(call, "free") == 0);
    check(p == contested);
    atomic_fetch_add(&double_frees, 1);
}

// Of two frees at the same moment one counts, and the other is told.
static void
of_two_frees_at_once_one_is_reported(void)
{
    start();
    mi__hooks.misuse = count_double_free;
    pthread_barrier_init(&barrier, NULL, 3);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        check(pthread_create(&threads[i], NULL, free_contested, NULL) == 0);
    }
    for (size_t i = 0; i < 500; i++) {
        contested = mi__alloc(200000);
        check(contested != NULL);
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        check_equal(atomic_load(&double_frees), i + 1);
    }
    for (int i = 0; i < 2; i++) {
        check(pthread_join(threads[i], NULL) == 0);
    }
    check_equal(slices_in_use(), 0);
}

static void
a_large_block_that_was_kept_is_freed_once(void)
{
    start();
    for (int i = 0; i < 3 * HEAP_RARE_BEAT; i++) {
        char *p = mi__alloc(200000);
        p[0] = 1;
        mi__free(p);
    }
    char *p = mi__alloc(200000);
    check_equal(page_owner(mi__page_of(p)), (uintptr_t)mi__thread_heap | OWNER_SINGLETON);
    mi__free(p + 1000);
    check_equal(misuses.count, 1);
    check(misuses.kind == MISUSE_FREE_INTERIOR && misuses.p == p + 1000);
    mi__free(p);
    mi__free(p);
    check_equal(misuses.count, 2);
    check(misuses.kind == MISUSE_FREE_NO_BLOCK && misuses.p == p);
    check(mi__alloc(200000) == p);
    char *other = mi__alloc(200000);
    check(other != p);
    mi__free(other);
    mi__free(p);
    check_equal(misuses.count, 2);
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
}

// Another thread frees what this one had kept: it is no more this one's.
static void
a_large_block_that_was_kept_is_freed_elsewhere(void)
{
    start();
    mi__free(mi__alloc(200000));
    char *p = mi__alloc(200000);
    pthread_t thread;
    check(pthread_create(&thread, NULL, free_in_thread, p) == 0);
    check(pthread_join(thread, NULL) == 0);
    mi__free(p);
    check_equal(misuses.count, 1);
    check(mi__thread_heap->kept[divide_up(200000, SLICE_SIZE)] == NULL);
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
}

// The page went back with its last block, and with it what was known of the block: still nothing is
// followed.
static void
a_block_of_a_page_that_is_gone(void)
{
    start();
    char *p = mi__alloc(3000);
    mi__free(p);
    (void)mi__collect(false);
    mi__free(p);
    check(misused(1, MISUSE_FREE_NO_BLOCK, "free", p));
    check_healthy();
}

static void
misuse_does_not_spoil_the_figures(void)
{
    start();
    static census_t before;
    static census_t after;
    char *kept = mi__alloc(100);
    char *p = mi__alloc(100000);
    mi__free(p);
    mi__census_take(&before);
    int local;
    for (int i = 0; i < 100; i++) {
        mi__free(p);
        mi__free(&local);
        mi__free(p + 16);
        (void)mi__usable_size(&local, "test");
    }
    mi__census_take(&after);
    check(memcmp(&before.total, &after.total, sizeof before.total) == 0);
    check_equal(misuses.count, 400);
    mi__free(kept);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(nothing_is_free_already),
        fresh_test(in_all_orders),
        fresh_test(with_size_and_alignment_told),
        fresh_test(with_wrong_size_or_alignment_told),
        fresh_test(inside_of_blocks),
        fresh_test(in_other_regions_than_the_first),
        fresh_test(errno_is_kept),
        fresh_test(from_several_threads_at_once),
        fresh_test(while_the_owner_is_at_work),
        fresh_test(what_was_freed_last_is_known),
        fresh_test(foreign_pointers_are_reported),
        fresh_test(foreign_pointers_before_the_start),
        fresh_test(address_space_without_memory_holds_no_block),
        fresh_test(free_slices_hold_no_block),
        fresh_test(addresses_inside_a_large_block_are_reported),
        fresh_test(a_large_block_is_freed_once),
        fresh_test(of_two_frees_at_once_one_is_reported),
        fresh_test(a_large_block_that_was_kept_is_freed_once),
        fresh_test(a_large_block_that_was_kept_is_freed_elsewhere),
        fresh_test(a_block_of_a_page_that_is_gone),
        fresh_test(misuse_does_not_spoil_the_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
