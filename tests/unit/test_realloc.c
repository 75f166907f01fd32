// SPDX-License-Identifier: MIT
// test_realloc.c — alloc/realloc.c: contents, in place where it can be, alignment kept, failure
// without loss.
#include "fresh.h"

#include "alloc/alloc.h"
#include "alloc/large.h"
#include "heap/registry.h"
#include "os/os.h"

static void
start(void)
{
    mi__conf.purge_delay_ms = -1;
    mi__conf.region_bytes_log2 = 34;
    mi__hooks.misuse = record_misuse;
    mi__hooks.alloc_failed = record_failure;
}

static size_t
usable(const void *p)
{
    return mi__usable_size(p, "test");
}

static const size_t sizes[] = {0,     1,     16,     17,     32,     33,     100,   1000,
                               1024,  1025,  4096,   5000,   16384,  40000,  65535, 65536,
                               65537, 80000, 131072, 131073, 500000, 2000000};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

// ---- contents -------------------------------------------------------------------------------

static void
every_size_to_every_other(void)
{
    start();
    for (size_t i = 0; i < SIZES; i++) {
        for (size_t k = 0; k < SIZES; k++) {
            char *p = mi__alloc(sizes[i]);
            fill(p, sizes[i], (unsigned)(i + k));
            char *q = mi__realloc(p, sizes[k], false);
            check(q != NULL && is_aligned(q, GRANULE));
            check(usable(q) >= sizes[k]);
            check(is_filled(q, size_min(sizes[i], sizes[k]), (unsigned)(i + k)));
            memset(q, 1, sizes[k]);
            mi__free(q);
        }
    }
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
    check_equal(misuses.count, 0);
}

static void
a_block_grows_step_by_step(void)
{
    start();
    char *p = NULL;
    for (size_t size = 0; size < 300000; size += 1 + size / 9) {
        size_t before = size_min(p == NULL ? 0 : usable(p), size);
        p = mi__realloc(p, size, false);
        check(p != NULL && is_filled(p, before, 3));
        fill(p, usable(p), 3);
    }
    for (size_t size = 300000; size > 0; size -= 1 + size / 9) {
        p = mi__realloc(p, size, false);
        check(p != NULL && is_filled(p, size, 3));
    }
    mi__free(p);
}

static page_t *
page_of(const void *p)
{
    return mi__page_of(p);
}

// Grows a new block by doubling up to `size`.
static char *
grown_to(size_t size)
{
    char *p = mi__alloc(16);
    fill(p, 16, 5);
    for (size_t at = 32; at <= size; at *= 2) {
        p = mi__realloc(p, at, false);
        check(p != NULL && is_filled(p, at / 2, 5));
        fill(p, at, 5);
    }
    return p;
}

static void
what_grows_again_and_again_stops_moving(void)
{
    start();
    char *p = grown_to(GROWING_MIN / 2);
    check(page_of(p)->block_size == GROWING_MIN / 2);
    p = mi__realloc(p, GROWING_MIN, false);
    check(page_of(p)->block_size == 0 && (page_of(p)->flags & PAGE_GROWING) != 0);
    check_equal(usable(p), SLICE_SIZE);
    for (size_t size = GROWING_MIN; size <= (size_t)256 * KIB; size += 1000) {
        check(mi__realloc(p, size, false) == p);
        check(usable(p) >= size && is_filled(p, GROWING_MIN / 2, 5));
    }
    check_equal(mi__thread_heap->growing, 1);
    mi__free(p);
    mi__free(p);
    check_equal(misuses.count, 1);
    check_equal(mi__thread_heap->growing, 0);
    // Its first slice is where the next one starts.
    check(mi__thread_heap->kept[1]->start == p);
    char *next = grown_to(GROWING_MIN);
    check(next == p && (page_of(next)->flags & PAGE_GROWING) != 0);
    // Shrunk by far it goes back to its class.
    check(mi__realloc(next, GROWING_MIN + 1, false) == next);
    check(mi__realloc(next, GROWING_MIN, false) == next);
    next = mi__realloc(next, GROWING_MIN - 1, false);
    check(page_of(next)->block_size == GROWING_MIN && is_filled(next, GROWING_MIN - 1, 5));
    mi__free(next);
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
}

// A block that grew, while others did in between, is one like any other.
// Others that are freed meanwhile are not cut for the next one.
static void
what_does_not_grow_keeps_its_size(void)
{
    mi__conf.guarded_sample_rate = 0;
    char *p = grown_to(GROWING_MIN / 2);
    for (size_t size = GROWING_MIN; mi__thread_heap->growing == 0; size += 1000) {
        check(size < 4 * SLICE_SIZE);
        p = mi__realloc(p, size, false);
    }
    char *other = mi__alloc(10 * SLICE_SIZE);
    page_t *page = mi__page_of(other);
    mi__free(other);
    check_equal(mi__thread_heap->growing, 1);
    check(mi__alloc(10 * SLICE_SIZE) == other);
    check_equal(page->slices, 10);
    mi__free(other);
    mi__free(p);
}

static void
what_grows_by_turns_shares_pages(void)
{
    start();
    char *p[2] = {mi__alloc(1000), mi__alloc(1000)};
    for (size_t size = 2000; size < BLOCK_MAX; size += 1000) {
        for (int i = 0; i < 2; i++) {
            p[i] = mi__realloc(p[i], size, false);
            check(page_of(p[i])->block_size != 0);
        }
    }
    check_equal(mi__thread_heap->growing, 0);
    mi__free(p[0]);
    mi__free(p[1]);
}

static void *
free_two(void *blocks)
{
    mi__free(((char **)blocks)[0]);
    mi__free(((char **)blocks)[1]);
    return NULL;
}

static void
few_small_blocks_have_slices_of_their_own(void)
{
    start();
    char *blocks[100];
    size_t alone = 0;
    for (size_t i = 0; i < 100; i++) {
        blocks[i] = grown_to(2 * GROWING_MIN);
        alone += page_of(blocks[i])->block_size == 0;
    }
    check_equal(alone, GROWING_MAX);
    check_equal(mi__thread_heap->growing, GROWING_MAX);
    // What others free is not counted back.
    pthread_t thread;
    check(pthread_create(&thread, NULL, free_two, blocks) == 0);
    check(pthread_join(thread, NULL) == 0);
    check_equal(mi__thread_heap->growing, GROWING_MAX);
    for (size_t i = 2; i < 100; i++) {
        check(is_filled(blocks[i], 2 * GROWING_MIN, 5));
        mi__free(blocks[i]);
    }
    check_equal(mi__thread_heap->growing, 2);
    check_at_most(mi__thread_heap->kept_slices, 1);
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
}

// What a small block leaves behind in its slices is not taken for zeros.
static void
slices_of_growing_blocks_are_not_clean(void)
{
    start();
    for (int i = 0; i < 4; i++) {
        char *p = grown_to(64 * KIB);
        p = mi__realloc(p, 128 * KIB, false);
        memset(p, 1, usable(p));
        mi__free(p);
        p = mi__alloc_zeroed(20000);
        p = mi__realloc(p, 30000, true);
        p = mi__realloc(p, 50000, true);
        p = mi__realloc(p, 200000, true);
        check(is_zero(p, usable(p)));
        memset(p, 1, usable(p));
        mi__free(p);
        p = mi__alloc_zeroed(300000);
        check(is_zero(p, usable(p)));
        memset(p, 1, usable(p));
        mi__free(p);
    }
}

static void
nothing_becomes_a_block(void)
{
    start();
    for (size_t i = 0; i < SIZES; i++) {
        char *p = mi__realloc(NULL, sizes[i], false);
        check(p != NULL && usable(p) >= sizes[i]);
        memset(p, 1, usable(p));
        mi__free(p);
        p = mi__realloc(NULL, sizes[i], true);
        check(p != NULL && is_zero(p, usable(p)));
        mi__free(p);
        p = mi__realloc_aligned(NULL, sizes[i], 512, 0, true);
        check(p != NULL && is_aligned(p, 512) && is_zero(p, sizes[i]));
        mi__free(p);
    }
    check(mi__realloc_in_place(NULL, 10) == NULL);
}

static void
size_zero_is_a_live_block(void)
{
    start();
    for (size_t i = 0; i < SIZES; i++) {
        char *p = mi__realloc(mi__alloc(sizes[i]), 0, false);
        check(p != NULL);
        check(mi__is_block(p));
        check_at_most(usable(p), 2 * GRANULE);
        mi__free(p);
    }
}

// ---- in place -------------------------------------------------------------------------------

static void
what_fits_stays(void)
{
    start();
    for (size_t i = 0; i < SIZES; i++) {
        char *p = mi__alloc(sizes[i]);
        size_t most = usable(p);
        check(mi__realloc(p, most, false) == p);
        check(mi__realloc(p, most - 1, false) == p);
        check(mi__realloc(p, most - most / 4, false) == p);
        check(mi__realloc(p, most, true) == p);
        check(mi__realloc_in_place(p, 0) == p);
        check(mi__realloc_in_place(p, most) == p);
        mi__free(p);
    }
}

// A class that is a quarter smaller or more is worth a move.
static void
what_shrinks_by_more_than_a_quarter_moves(void)
{
    start();
    for (size_t size = 64; size <= 32 * 1024; size += size / 2) {
        char *p = mi__alloc(size);
        size_t most = usable(p);
        fill(p, most, 5);
        size_t less = most - most / 4 - 1;
        char *q = mi__realloc(p, less, false);
        check(q != p && is_filled(q, less, 5));
        check_at_most(usable(q), most - 1);
        mi__free(q);
    }
}

// A block that is mostly unused is worth a move.
static void
what_shrinks_by_far_gives_memory_back(void)
{
    start();
    for (size_t i = 0; i < SIZES; i++) {
        if (sizes[i] >= 100) {
            char *p = mi__realloc(mi__alloc(sizes[i]), sizes[i] / 10, false);
            check_at_most(usable(p), size_max(sizes[i] / 4, SLICE_SIZE));
            mi__free(p);
        }
    }
}

static void
large_blocks_grow_into_free_slices(void)
{
    start();
    char *p = mi__alloc(100000);
    fill(p, 100000, 1);
    for (size_t size = 150000; size < 100 * MIB; size = size * 3 / 2) {
        check(mi__realloc(p, size, false) == p);
        check(usable(p) >= size);
        check(is_filled(p, 100000, 1));
        p[size - 1] = 1;
    }
    check(mi__realloc_in_place(p, 200 * MIB) == p);
    mi__free(p);
    check_equal(slices_in_use(), 0);
}

static void
large_blocks_move_when_something_is_behind(void)
{
    start();
    char *p = mi__alloc(100000);
    char *behind = mi__alloc(100000);
    fill(p, 100000, 1);
    fill(behind, 100000, 2);
    check(mi__realloc_in_place(p, 200000) == NULL);
    check_equal(usable(p), 131072);
    char *q = mi__realloc(p, 200000, false);
    check(q != p && is_filled(q, 100000, 1));
    check(is_filled(behind, 100000, 2));
    check(!mi__is_block(p));
    mi__free(behind);
    mi__free(q);
    mi__thread_heap_collect(mi__thread_heap);
    check_equal(slices_in_use(), 0);
}

// By their page tables, so that not one byte is touched twice, and what was there is given back.
static void
large_blocks_move_without_a_copy(void)
{
    start();
    size_t size = 8 * MIB;
    char *p = mi__alloc(size);
    char *behind = mi__alloc(100000);
    fill(p, size, 1);
    size_t before = resident_bytes();
    for (int i = 0; i < 5; i++) {
        size_t old = usable(p);
        char *q = mi__realloc(p, old * 3 / 2, i % 2 == 0);
        check(q != NULL && (i > 0 || q != p) && is_filled(q, old, 1));
        check(i % 2 != 0 || mi__os_resident(q + old, usable(q) - old) == 0);
        mi__free(behind);
        behind = q + usable(q) < p || q > p ? mi__alloc(100000) : NULL;
        p = q;
        fill(p, usable(p), 1);
        before = size_max(before, resident_bytes());
    }
    check_resident_at_most(before);
    check_at_most(SANITIZED ? 0 : before, usable(p) + 40 * MIB);
    mi__free(behind);
    mi__free(p);
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
    check_equal(dirty_bytes(), 0);
}

// Where the new place is resident anyway, its memory is used: nobody has to fault it in again.
static void
large_blocks_are_copied_to_memory_that_is_there(void)
{
    start();
    char *p = mi__alloc(4 * MIB);
    char *behind = mi__alloc(100000);
    char *place = mi__alloc(16 * MIB);
    fill(p, 4 * MIB, 7);
    fill(place, 16 * MIB, 9);
    mi__free(place);
    size_t resident = resident_bytes();
    char *q = mi__realloc(p, 6 * MIB, true);
    check(q == place && is_filled(q, 4 * MIB, 7));
    check(is_zero(q + 4 * MIB, usable(q) - 4 * MIB));
    // The old place was not emptied: what is resident is there for the next.
    check(mi__os_resident(p, 4 * MIB) == 4 * MIB);
    check_resident_at_most(resident + MIB);
    mi__free(behind);
    mi__free(q);
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
}

static void
large_blocks_shrink_in_place(void)
{
    start();
    char *p = mi__alloc(10 * MIB);
    fill(p, 10 * MIB, 1);
    for (size_t size = 4 * MIB; size > BLOCK_MAX; size = size * 2 / 5) {
        char *q = mi__realloc(p, size, false);
        check(q == p);
        check(is_filled(p, size, 1));
        check_equal(usable(p), align_up(size, SLICE_SIZE));
        check_equal(slices_in_use(), divide_up(size, SLICE_SIZE));
    }
    // What came free is there for others.
    size_t own = usable(p);
    char *other = mi__alloc(5 * MIB);
    check(other != NULL && (other >= p + own || other + 5 * MIB <= p));
    char *small = mi__realloc(p, 100, false);
    check(small != p && is_filled(small, 100, 1));
    mi__free(small);
    mi__free(other);
    check(misuses.count == 0);
}

// A large block that shrinks to a size of the classes has less than a third of its memory to spare.
static void
large_blocks_shrink_into_classes(void)
{
    start();
    for (size_t size = 9000; size <= BLOCK_MAX; size += 3000) {
        char *p = mi__alloc(100000);
        fill(p, size, 2);
        char *q = mi__realloc(p, size, false);
        check(q != NULL && is_filled(q, size, 2));
        check_at_most(usable(q), size + size / 3 + 1);
        mi__free(q);
    }
    check(misuses.count == 0);
}

// One that went out with its mark, was not counted by rare work, shrank and came back is kept uncounted.
static void
what_is_kept_uncounted_may_grow(void)
{
    start();
    mi__free(mi__alloc(100000));
    char *p = mi__alloc(100000);
    mi__thread_heap_collect(mi__thread_heap);
    check_equal(mi__thread_heap->kept_slices, 0);
    check(mi__realloc(p, 60000, false) == p);
    mi__free(p);
    check(mi__thread_heap->kept[1] == mi__region_descriptor(p));
    char *grows = mi__alloc(1000);
    for (size_t size = 2000; size <= 32000; size += size) {
        grows = mi__realloc(grows, size, false);
    }
    check(grows == p);
    check_equal(mi__thread_heap->kept_slices, 0);
    mi__free(grows);
}

static void
blocks_of_a_class_do_not_grow_in_place(void)
{
    start();
    for (size_t size = 1; size <= BLOCK_MAX; size = size * 2 + 5) {
        char *p = mi__alloc(size);
        check(mi__realloc_in_place(p, usable(p) + 1) == NULL);
        check(mi__realloc_in_place(p, SIZE_MAX) == NULL);
        check(mi__realloc_in_place(p, usable(p)) == p);
        mi__free(p);
    }
    check_equal(failures.count, 0);
}

// ---- zeroed ---------------------------------------------------------------------------------

static void
what_is_added_is_zero(void)
{
    start();
    for (size_t i = 0; i < SIZES; i++) {
        for (size_t k = i; k < SIZES; k++) {
            // So that fresh memory does not help.
            char *dirty = mi__alloc(sizes[k]);
            memset(dirty, 0xff, usable(dirty));
            mi__free(dirty);
            char *p = mi__alloc_zeroed(sizes[i]);
            size_t old = usable(p);
            memset(p, 0x77, old);
            char *q = mi__realloc(p, sizes[k], true);
            check(q != NULL);
            check(sizes[k] <= old || is_zero(q + old, usable(q) - old));
            check(sizes[k] == 0 || (*q == 0x77 && q[size_min(old, sizes[k]) - 1] == 0x77));
            mi__free(q);
        }
    }
}

static void
growth_in_place_is_zero_too(void)
{
    start();
    char *dirty = mi__alloc(10 * MIB);
    memset(dirty, 0xff, 10 * MIB);
    mi__free(dirty);
    char *p = mi__alloc_zeroed(100000);
    check(p == dirty);
    size_t old = usable(p);
    memset(p, 0x77, old);
    check(mi__realloc(p, 9 * MIB, true) == p);
    check(is_zero(p + old, usable(p) - old));
    check(p[0] == 0x77 && p[old - 1] == 0x77);
    mi__free(p);
}

// ---- alignment ------------------------------------------------------------------------------

static void
alignment_is_kept(void)
{
    start();
    static const size_t offsets[] = {0, 8, 24, 100};
    for (size_t align = 1; align <= MIB; align *= 4) {
        for (size_t k = 0; k < 4; k++) {
            size_t offset = align > SLICE_SIZE ? 0 : offsets[k];
            char *p = mi__alloc_aligned(sizes[0], align, offset, false);
            size_t old = 0;
            for (size_t i = 1; i < SIZES; i++) {
                bool zeroed = i % 3 == 0;
                size_t had = usable(p);
                p = mi__realloc_aligned(p, sizes[i], align, offset, zeroed);
                check(p != NULL && is_aligned(p + offset, align));
                check(is_filled(p, old, 5));
                check(!zeroed || had >= sizes[i] || is_zero(p + had, sizes[i] - had));
                fill(p, sizes[i], 5);
                old = sizes[i];
            }
            for (size_t i = SIZES; i-- > 0;) {
                p = mi__realloc_aligned(p, sizes[i], align, offset, false);
                check(p != NULL && is_aligned(p + offset, align));
                check(is_filled(p, sizes[i], 5));
            }
            mi__free(p);
        }
    }
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
    check_equal(misuses.count, 0);
}

static void
what_lies_wrong_is_moved(void)
{
    start();
    for (size_t align = 32; align <= 4096; align *= 2) {
        // Of blocks of 48 bytes most are at no multiple of more than 16.
        for (unsigned i = 0; i < 50; i++) {
            char *p = mi__alloc(48);
            fill(p, 48, i);
            char *q = mi__realloc_aligned(p, 40, align, 0, false);
            check(is_aligned(q, align) && is_filled(q, 40, i));
            mi__free(q);
        }
    }
}

static void
a_bad_alignment_leaves_the_block(void)
{
    start();
    char *p = mi__alloc(100);
    fill(p, 100, 1);
    static const size_t aligns[] = {0, 3, 24, SIZE_MAX};
    for (int i = 0; i < 4; i++) {
        errno = 0;
        check(mi__realloc_aligned(p, 50, aligns[i], 0, false) == NULL);
        check_equal(errno, EINVAL);
    }
    check(mi__is_block(p) && is_filled(p, 100, 1));
    mi__free(p);
}

static void
blocks_known_by_an_address_inside(void)
{
    start();
    for (size_t i = 0; i < SIZES; i++) {
        char *p = mi__alloc_aligned(sizes[i], 64, 8, false);
        fill(p, sizes[i], 9);
        // Without the alignment: only the contents count.
        for (size_t k = 0; k < SIZES; k++) {
            size_t least = size_min(sizes[i], sizes[k]);
            char *copy = mi__alloc_aligned(sizes[i], 64, 8, false);
            memcpy(copy, p, sizes[i]);
            copy = mi__realloc(copy, sizes[k], false);
            check(copy != NULL && usable(copy) >= sizes[k] && is_filled(copy, least, 9));
            memset(copy, 1, sizes[k]);
            mi__free(copy);
        }
        check(is_filled(p, sizes[i], 9));
        check(mi__realloc_in_place(p, usable(p)) == p);
        check(mi__realloc(p, usable(p), false) == p);
        mi__free(p);
    }
    check_equal(misuses.count, 0);
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
}

// ---- failure --------------------------------------------------------------------------------

static void
a_failure_leaves_the_block(void)
{
    start();
    static const size_t impossible[] = {SIZE_MAX, SIZE_MAX - 100, (size_t)PTRDIFF_MAX + 1, PTRDIFF_MAX,
                                        (size_t)1 << 50};
    for (size_t i = 0; i < SIZES; i++) {
        char *p = mi__alloc(sizes[i]);
        fill(p, sizes[i], 4);
        for (size_t k = 0; k < 5; k++) {
            errno = 0;
            check(mi__realloc(p, impossible[k], k % 2 == 0) == NULL);
            check_equal(errno, ENOMEM);
            errno = 0;
            check(mi__realloc_aligned(p, impossible[k], 64, k, k % 2 == 0) == NULL);
            check_equal(errno, ENOMEM);
            errno = ERRNO_MARK;
            check(mi__realloc_in_place(p, impossible[k]) == NULL);
            check_equal(errno, ERRNO_MARK);
        }
        check(is_filled(p, sizes[i], 4));
        check(mi__is_block(p));
        mi__free(p);
    }
    check_equal(mi__region_count(), 1);
    check_equal(misuses.count, 0);
}

static void
no_memory_leaves_the_block(void)
{
    start();
    char *p = mi__alloc(MIB);
    char *behind = mi__alloc(MIB);
    fill(p, MIB, 4);
    limit_to(RLIMIT_DATA, data_bytes() + 8 * MIB);
    errno = 0;
    check(mi__realloc(p, 100 * MIB, false) == NULL);
    check_equal(errno, ENOMEM);
    check(mi__realloc(behind, 100 * MIB, false) == NULL);
    check(mi__realloc_in_place(behind, 100 * MIB) == NULL);
    check(is_filled(p, MIB, 4));
    check_equal(usable(behind), MIB);
    unlimit(RLIMIT_DATA);
    p = mi__realloc(p, 100 * MIB, false);
    check(p != NULL && is_filled(p, MIB, 4));
    mi__free(p);
    mi__free(behind);
}

static void
success_leaves_errno_alone(void)
{
    start();
    mi__conf.purge_delay_ms = 0;
    errno = ERRNO_MARK;
    char *p = NULL;
    for (int i = 0; i < 300; i++) {
        p = mi__realloc(p, sizes[(size_t)i * 7 % SIZES], i % 2 == 0);
        check(p != NULL);
        check_equal(errno, ERRNO_MARK);
    }
    (void)mi__realloc_in_place(p, SIZE_MAX);
    mi__free(p);
    check_equal(errno, ERRNO_MARK);
}

static void
strange_pointers_are_reported(void)
{
    start();
    static char global[100];
    char *freed = mi__alloc(200000);
    mi__free(freed);
    errno = 0;
    check(mi__realloc(global, 200, false) == NULL);
    check(misused(1, MISUSE_FREE_FOREIGN, "realloc", global));
    check_equal(errno, EINVAL);
    check(mi__realloc(freed, 200, true) == NULL);
    check(misused(2, MISUSE_FREE_NO_BLOCK, "realloc", freed));
    check(mi__realloc_aligned(global, 200, 64, 0, false) == NULL);
    check(misused(3, MISUSE_FREE_FOREIGN, "realloc", global));
    check(mi__realloc_in_place(freed, 10) == NULL);
    check_equal(misuses.count, 4);
    check_equal(global[0], 0);
}

// ---- other threads' blocks ------------------------------------------------------------------

enum { HANDED = 200 };
static char *handed[HANDED];

static size_t
handed_size(unsigned i)
{
    return sizes[i % SIZES];
}

static void *
realloc_handed(void *arg)
{
    for (unsigned i = 0; i < HANDED; i++) {
        check(is_filled(handed[i], handed_size(i), i));
        handed[i] = mi__realloc(handed[i], handed_size(i + 1), false);
        check(is_filled(handed[i], size_min(handed_size(i), handed_size(i + 1)), i));
    }
    return arg;
}

static void
blocks_of_other_threads_change_too(void)
{
    start();
    for (unsigned i = 0; i < HANDED; i++) {
        handed[i] = mi__alloc(handed_size(i));
        fill(handed[i], handed_size(i), i);
    }
    run_thread(realloc_handed, NULL);
    for (unsigned i = 0; i < HANDED; i++) {
        check(is_filled(handed[i], size_min(handed_size(i), handed_size(i + 1)), i));
        handed[i] = mi__realloc(handed[i], 10, false);
        check(is_filled(handed[i], size_min(10, size_min(handed_size(i), handed_size(i + 1))), i));
        mi__free(handed[i]);
    }
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
    check_equal(misuses.count, 0);
}

static void *
grow_and_shrink(void *arg)
{
    uint64_t random = *(uint64_t *)arg;
    char *p[8] = {0};
    size_t had[8] = {0};
    for (int i = 0; i < (SANITIZED ? 300 : 3000); i++) {
        size_t at = random_next(&random) % 8;
        size_t size = random_next(&random) % ((size_t)64 << random_next(&random) % 16);
        p[at] = mi__realloc(p[at], size, false);
        check(p[at] != NULL);
        check(is_filled(p[at], size_min(had[at], size), (unsigned)at));
        fill(p[at], size, (unsigned)at);
        had[at] = size;
    }
    for (int i = 0; i < 8; i++) {
        mi__free(p[i]);
    }
    return NULL;
}

// Large blocks of several threads grow towards each other.
static void
threads_grow_side_by_side(void)
{
    start();
    uint64_t seeds[] = {1, 2, 3, 4};
    run_threads(4, grow_and_shrink, seeds, sizeof seeds[0]);
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(every_size_to_every_other),
        fresh_test(a_block_grows_step_by_step),
        fresh_test(what_grows_again_and_again_stops_moving),
        fresh_test(what_does_not_grow_keeps_its_size),
        fresh_test(what_grows_by_turns_shares_pages),
        fresh_test(few_small_blocks_have_slices_of_their_own),
        fresh_test(slices_of_growing_blocks_are_not_clean),
        fresh_test(nothing_becomes_a_block),
        fresh_test(size_zero_is_a_live_block),
        fresh_test(what_fits_stays),
        fresh_test(what_shrinks_by_more_than_a_quarter_moves),
        fresh_test(what_shrinks_by_far_gives_memory_back),
        fresh_test(large_blocks_grow_into_free_slices),
        fresh_test(large_blocks_move_when_something_is_behind),
        fresh_test(large_blocks_move_without_a_copy),
        fresh_test(large_blocks_are_copied_to_memory_that_is_there),
        fresh_test(large_blocks_shrink_in_place),
        fresh_test(large_blocks_shrink_into_classes),
        fresh_test(what_is_kept_uncounted_may_grow),
        fresh_test(blocks_of_a_class_do_not_grow_in_place),
        fresh_test(what_is_added_is_zero),
        fresh_test(growth_in_place_is_zero_too),
        fresh_test(alignment_is_kept),
        fresh_test(what_lies_wrong_is_moved),
        fresh_test(a_bad_alignment_leaves_the_block),
        fresh_test(blocks_known_by_an_address_inside),
        fresh_test(a_failure_leaves_the_block),
        fresh_test(no_memory_leaves_the_block),
        fresh_test(success_leaves_errno_alone),
        fresh_test(strange_pointers_are_reported),
        fresh_test(blocks_of_other_threads_change_too),
        fresh_test(threads_grow_side_by_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
