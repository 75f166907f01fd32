// SPDX-License-Identifier: MIT
// test_page.c — page/page.c: making pages, threading blocks, counting them (P1 to P4), singletons.
#include "fresh.h"

#include "os/os.h"
#include "page/remote.h"

static MI_ALIGNED(64) owner_t owner;
static MI_ALIGNED(64) owner_t other;

static void
start(void)
{
    mi__os_init();
    mi__conf.purge_delay_ms = -1;
    mi__conf.region_bytes_log2 = 30;
    check(mi__region_init());
}

static bool
release_singleton(page_t *page)
{
    if (!mi__page_retire_singleton(page)) {
        return false;
    }
    mi__page_release(page);
    return true;
}

static page_t *
new_page(unsigned class)
{
    page_t *page = mi__page_new(class, (uintptr_t)&owner, NULL);
    check(page != NULL);
    return page;
}

static void *
pop(page_t *page)
{
    check(page->free != NULL);
    return page_pop(page, page->free);
}

// Pops all that is granted, grants more, until nothing is left; the blocks in the order in which
// they came.
static uint32_t
take_all(page_t *page, void **blocks)
{
    uint32_t count = 0;
    do {
        while (page->free != NULL) {
            blocks[count++] = pop(page);
        }
    } while (mi__page_extend(page) > 0);
    return count;
}

static page_t *
descriptor(const page_t *head, size_t slice)
{
    return mi__region_descriptor(head->start + slice * SLICE_SIZE);
}

enum { BLOCKS_MAX = SLICE_SIZE / GRANULE };
static void *blocks[BLOCKS_MAX];

// ---- fresh pages ----------------------------------------------------------------------------

static void
a_new_page_is_empty(void)
{
    start();
    for (unsigned class = 0; class < CLASS_COUNT; class += 1) {
        page_t *page = new_page(class);
        check_equal(page_owner(page), (uintptr_t)&owner);
        check_equal(page->class, class);
        check_equal(page->block_size, sizeclass_block_size(class));
        check_equal(page->slices, sizeclass_page_slices(class));
        check_equal(page->reserved, page->slices * SLICE_SIZE / page->block_size);
        check_equal(page->used + page->capacity, 0);
        check(page->free == NULL && page->local_free == NULL);
        check(is_aligned(page->start, SLICE_SIZE));
        check(mi__remote_is_quiet(page));
        check(!page_is_pinned(page));
        check(mi__page_verify(page));
    }
}

// P4
static void
inner_slices_lead_to_the_head(void)
{
    start();
    page_t *page = new_page(CLASS_COUNT - 1);
    check_equal(page->slices, MEDIUM_PAGE_SLICES);
    for (size_t i = 0; i < page->slices; i++) {
        page_t *inner = descriptor(page, i);
        uintptr_t word = page_owner(inner);
        if (i == 0) {
            check(inner == page);
        } else {
            check((word & OWNER_REDIRECT) != 0);
            check(page_of_redirect(word) == page);
        }
        check(mi__page_of(page->start + i * SLICE_SIZE) == page);
        check(mi__page_of(page->start + (i + 1) * SLICE_SIZE - 1) == page);
    }
    check(mi__page_of(page->start + page->slices * SLICE_SIZE) == NULL);
}

static void
a_released_page_leaves_no_trace(void)
{
    start();
    size_t before = free_bytes();
    page_t *page = new_page(CLASS_COUNT - 1);
    char *first = page->start;
    check_equal(free_bytes(), before - MEDIUM_PAGE_SLICES * SLICE_SIZE);
    mi__page_release(page);
    for (size_t i = 0; i < MEDIUM_PAGE_SLICES; i++) {
        check_equal(page_owner(mi__region_descriptor(first + i * SLICE_SIZE)), 0);
        check(mi__page_of(first + i * SLICE_SIZE) == NULL);
    }
    check_equal(free_bytes(), before);
    // Its place may become pages of another kind.
    page = new_page(0);
    check(page->start == first);
    check(page_owner(descriptor(page, 1)) == 0);
    check_equal(page->capacity, 0);
}

static void
a_page_can_be_made_where_one_was(void)
{
    start();
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        page_t *lower = new_page(class);
        page_t *page = new_page(class);
        page_pin(page);
        check(mi__page_extend(page) > 0);
        char *at = page->start;
        uint32_t place = mi__slices_place(at);
        check(mi__page_new_again(class, (uintptr_t)&owner, place) == NULL);
        page->free = NULL;
        page->used = 0;
        mi__page_release(lower);
        mi__page_release(page);
        check(mi__page_new_again(class, (uintptr_t)&owner, place) == page);
        check(page->start == at && page->class == class);
        check_equal(page->capacity, 0);
        check_equal(page->flags, 0);
        check(mi__page_of(at + (page->slices << SLICE_SHIFT) - 1) == page);
        mi__page_release(page);
    }
}

static void
nothing_is_a_page_elsewhere(void)
{
    start();
    int local;
    check(mi__page_of(NULL) == NULL);
    check(mi__page_of(&local) == NULL);
    check(mi__page_of((void *)&mi__conf) == NULL);
    check(mi__page_of((void *)UINTPTR_MAX) == NULL);
    check(mi__page_of(mi__region_at(0)->base) == NULL);
}

// ---- threading ------------------------------------------------------------------------------

static void
blocks_come_in_order_and_fill_the_page(void)
{
    start();
    for (unsigned class = 0; class < CLASS_COUNT; class += 1) {
        page_t *page = new_page(class);
        page_pin(page);
        uint32_t count = take_all(page, blocks);
        check_equal(count, page->reserved);
        check_equal(page->capacity, count);
        check_equal(page->used, count + 1);
        for (uint32_t i = 0; i < count; i++) {
            check(blocks[i] == page->start + (size_t)i * page->block_size);
        }
        check(page->start + page->slices * SLICE_SIZE >= (char *)blocks[count - 1] + page->block_size);
        check_equal(mi__page_extend(page), 0);
        check(mi__page_verify(page));
    }
}

// P3: what lies ahead was not touched, and only about one page of the system is threaded at a time.
static void
blocks_are_threaded_a_little_at_a_time(void)
{
    start();
    for (unsigned class = 0; class < CLASS_COUNT; class += 1) {
        page_t *page = new_page(class);
        page_pin(page);
        while (page->capacity < page->reserved) {
            page->free = NULL;
            uint32_t count = mi__page_extend(page);
            check(count >= 1);
            check(count == 1 || count * (size_t)page->block_size <= 2 * mi__os_page_size());
            check_equal(mi__page_blocks_free(page), count);
            check(mi__page_verify(page));
            size_t touched = (size_t)page->capacity * page->block_size;
            check(is_zero(page->start + touched, size_min(page->slices * SLICE_SIZE - touched, 8 * KIB)));
            check_at_most(page->capacity, page->reserved);
        }
        page->free = NULL;
        page_unpin(page);
        OWNER_SET(page->used, 0);
        mi__page_release(page);
        bool left;
        (void)mi__slices_purge(true, &left);
    }
}

static void
fresh_blocks_are_known_to_be_zero(void)
{
    start();
    page_t *page = new_page(sizeclass_of(1000));
    page_pin(page);
    check((page->flags & PAGE_FRESH_ZERO) != 0);
    check(mi__page_extend(page) > 1);
    check((page->flags & PAGE_FREE_ZERO) != 0);
    while (page->free != NULL) {
        block_t *block = pop(page);
        check(is_zero(block + 1, page->block_size - sizeof *block));
        (void)page_push_local(page, block);
    }
    // What was freed is not.
    (void)page_swap(page);
    check((page->flags & PAGE_FREE_ZERO) == 0);
    while (page->free != NULL) {
        (void)pop(page);
    }
    // And then fresh ones again.
    check(mi__page_extend(page) > 1);
    check((page->flags & PAGE_FREE_ZERO) != 0);
}

static void
dirty_slices_give_no_zero_blocks(void)
{
    start();
    page_t *page = new_page(0);
    memset(page->start, 1, SLICE_SIZE);
    char *first = page->start;
    mi__page_release(page);
    page = new_page(sizeclass_of(500));
    check(page->start == first);
    page_pin(page);
    check(mi__page_extend(page) > 0);
    check((page->flags & (PAGE_FREE_ZERO | PAGE_FRESH_ZERO)) == 0);
}

// ---- lists and counts -----------------------------------------------------------------------

// P1 along the life of a page.
static void
counts_follow_the_blocks(void)
{
    start();
    page_t *page = new_page(sizeclass_of(64));
    page_pin(page);
    check_equal(page->used, 1);
    check_equal(mi__page_blocks_granted(page), 0);
    uint32_t granted = mi__page_extend(page);
    check_equal(page->used, granted + 1);
    check_equal(mi__page_blocks_granted(page), granted);
    check_equal(mi__page_blocks_free(page), granted);
    void *a = pop(page);
    void *b = pop(page);
    check_equal(mi__page_blocks_granted(page), granted);
    check_equal(mi__page_blocks_free(page), granted - 2);
    check(!page_push_local(page, a));
    check(!page_push_local(page, b));
    check_equal(mi__page_blocks_granted(page), granted - 2);
    check(page->local_free == b && page->local_free->next == a);
    check(mi__page_verify(page));
}

static void
swapping_grants_what_was_freed(void)
{
    start();
    page_t *page = new_page(sizeclass_of(256));
    page_pin(page);
    uint32_t count = take_all(page, blocks);
    for (uint32_t i = 0; i < 10; i++) {
        check(!page_push_local(page, blocks[i]));
    }
    check_equal(page_swap(page), 10);
    check_equal(page->used, count + 1);
    check(page->local_free == NULL);
    // Last in, first out.
    for (uint32_t i = 10; i-- > 0;) {
        check(pop(page) == blocks[i]);
    }
    check(page->free == NULL);
    check(mi__page_verify(page));
}

static void
ungranted_blocks_are_free_again(void)
{
    start();
    page_t *page = new_page(sizeclass_of(256));
    page_pin(page);
    uint32_t granted = mi__page_extend(page);
    void *out = pop(page);
    check_equal(mi__page_ungrant(page), granted - 1);
    check(page->free == NULL);
    page_unpin(page);
    check_equal(page->used, 1);
    check(mi__page_verify(page));
    check(page_push_local(page, out));
    check(mi__page_verify(page));
    check_equal(mi__page_ungrant(page), 0);
    mi__page_release(page);
}

static void
a_pinned_page_never_seems_empty(void)
{
    start();
    page_t *page = new_page(0);
    page_pin(page);
    uint32_t count = take_all(page, blocks);
    for (uint32_t i = 0; i < count; i++) {
        check(!page_push_local(page, blocks[i]));
    }
    check_equal(page->used, 1);
    page_unpin(page);
    check_equal(page->used, 0);
    check(!page_is_pinned(page));
}

static void
the_last_block_is_told(void)
{
    start();
    page_t *page = new_page(sizeclass_of(BLOCK_MAX));
    page_pin(page);
    uint32_t count = take_all(page, blocks);
    page_unpin(page);
    for (uint32_t i = 0; i < count; i++) {
        check_equal(page_push_local(page, blocks[i]), i == count - 1);
    }
}

static void
owner_flags_leave_the_owner_alone(void)
{
    start();
    page_t *page = new_page(3);
    static const unsigned flags[] = {OWNER_FULL, OWNER_INTERIOR, OWNER_SINGLETON};
    for (int i = 0; i < 3; i++) {
        page_set_owner_flag(page, flags[i]);
        check_equal(page_owner(page), (uintptr_t)&owner | flags[i]);
        page_set_owner_flag(page, flags[(i + 1) % 3]);
        page_clear_owner_flag(page, flags[i]);
        check_equal(page_owner(page), (uintptr_t)&owner | flags[(i + 1) % 3]);
        page_clear_owner_flag(page, flags[(i + 1) % 3]);
        check_equal(page_owner(page), (uintptr_t)&owner);
    }
    check(mi__page_of(page->start) == page);
}

// ---- what verify sees -----------------------------------------------------------------------

static page_t *
page_in_order(void)
{
    page_t *page = new_page(sizeclass_of(100));
    page_pin(page);
    (void)mi__page_extend(page);
    for (int i = 0; i < 5; i++) {
        blocks[i] = pop(page);
    }
    (void)page_push_local(page, blocks[0]);
    (void)page_push_local(page, blocks[1]);
    check(mi__page_verify(page));
    return page;
}

static void
verify_sees_wrong_counts(void)
{
    start();
    page_t *page = page_in_order();
    page->used++;
    check(!mi__page_verify(page));
    page->used -= 2;
    check(!mi__page_verify(page));
    page->used++;
    uint32_t capacity = page->capacity;
    page->capacity = page->reserved + 1;
    check(!mi__page_verify(page));
    page->capacity = capacity;
    check(mi__page_verify(page));
}

// P2
static void
verify_sees_blocks_on_a_page_that_does_not_serve(void)
{
    start();
    page_t *page = page_in_order();
    page_unpin(page);
    check(!mi__page_verify(page));
    (void)mi__page_ungrant(page);
    check(mi__page_verify(page));
}

static void
verify_sees_wrong_links(void)
{
    start();
    page_t *page = page_in_order();
    block_t *second = page->local_free->next;
    block_t *wrong[] = {(block_t *)(void *)(page->start + 8),
                        (block_t *)(void *)(page->start - page->block_size),
                        (block_t *)(void *)(page->start + SLICE_SIZE), page->local_free};
    for (int i = 0; i < 4; i++) {
        page->local_free->next = wrong[i];
        if (i == 3) {
            // A ring.
            second = page->local_free;
        }
        check(!mi__page_verify(page));
    }
    (void)second;
}

static void
a_guess_never_faults(void)
{
    start();
    page_t *page = page_in_order();
    block_t *first = page->free;
    block_t *next = first->next;
    static const uintptr_t wild[] = {8, 0x41414141, UINTPTR_MAX - 7, (uintptr_t)1 << 62};
    for (int i = 0; i < 4; i++) {
        first->next = (block_t *)wild[i];
        check_equal(mi__page_blocks_free(page), 1);
    }
    first->next = (block_t *)(void *)(page->start + page->block_size / 2);
    check_equal(mi__page_blocks_free(page), 1);
    // A ring ends, too.
    first->next = first;
    check_at_most(mi__page_blocks_free(page), page->capacity);
    first->next = next;
}

// ---- addresses inside of blocks -------------------------------------------------------------

static void
blocks_are_found_from_inside(void)
{
    start();
    for (unsigned class = 0; class < CLASS_COUNT; class += 1) {
        page_t *page = new_page(class);
        size_t size = page->block_size;
        const uint32_t indexes[] = {0, 1, page->reserved / 2, page->reserved - 1};
        const size_t offsets[] = {0, 1, 8, size / 2, size - 1};
        for (size_t i = 0; i < 4 * 5; i++) {
            char *block = page->start + indexes[i / 5] * size;
            size_t offset = offsets[i % 5];
            check(mi__page_block_of(page, block + offset) == block);
            check_equal(mi__page_usable(page, block + offset), size - offset);
        }
    }
}

// ---- singletons -----------------------------------------------------------------------------

static page_t *
new_singleton(size_t size, size_t align, bool *zero)
{
    page_t *page = mi__page_new_singleton(size, align, NULL, zero);
    check(page != NULL);
    check(is_aligned(page->start, align));
    check(is_aligned(page->start, SLICE_SIZE));
    check_equal(page->slices, divide_up(size, SLICE_SIZE));
    check_equal(page_owner(page), OWNER_SINGLETON);
    check(mi__page_of(page->start) == page);
    check(mi__page_of(page->start + size_min(size, SLICE_SIZE) - 1) == page);
    check(mi__page_block_of(page, page->start + 5) == page->start);
    check_equal(mi__page_usable(page, page->start), align_up(size, SLICE_SIZE));
    check_equal(mi__page_usable(page, page->start + 100), align_up(size, SLICE_SIZE) - 100);
    check_equal(mi__page_blocks_free(page), 0);
    check_equal(mi__page_blocks_granted(page), 1);
    return page;
}

static void
singletons_of_all_sizes(void)
{
    start();
    static const size_t sizes[] = {1,           65536,        65537,        131072, 131073, 4 * 1024 * 1024,
                                   4194305 + 4, 10 * 1000000, 100 * 1000000};
    size_t before = free_bytes();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        bool zero;
        page_t *page = new_singleton(sizes[i], 16, &zero);
        page->start[0] = 1;
        page->start[sizes[i] - 1] = 1;
        check(release_singleton(page));
        check(mi__page_of(page->start) == NULL);
        before = size_max(before, free_bytes());
        check_equal(free_bytes(), mi__region_committed_bytes());
    }
}

static void
singletons_know_zero(void)
{
    start();
    bool zero;
    page_t *page = new_singleton(300000, SLICE_SIZE, &zero);
    check(zero && is_zero(page->start, 300000));
    memset(page->start, 1, 300000);
    check(release_singleton(page));
    page_t *again = new_singleton(300000, SLICE_SIZE, &zero);
    check(again == page && !zero);
}

// A block of 1 MiB whose last holder wrote to `pages` OS pages of it, zeroed; what is resident after.
static size_t
resident_when_zeroed(size_t pages)
{
    bool zero;
    page_t *page = new_singleton(MIB, SLICE_SIZE, &zero);
    size_t step = MIB / pages;
    for (size_t at = 0; at < MIB; at += step) {
        page->start[at + step / 2] = 1;
    }
    mi__page_zero_singleton(page, 0);
    size_t resident = mi__os_resident(page->start, MIB);
    check(is_zero(page->start, MIB));
    // Reading has brought all of it in.
    check(mi__os_purge(page->start, MIB));
    check(release_singleton(page));
    return resident;
}

static void
what_was_hardly_touched_stays_so_when_zeroed(void)
{
    start();
    size_t all = MIB / mi__os_page_size();
    check_equal(resident_when_zeroed(1), 0);
    check_equal(resident_when_zeroed(all / 8), 0);
    check_equal(resident_when_zeroed(all / 4), MIB);
    check_equal(resident_when_zeroed(all), MIB);
}

static void
all_of_a_singleton_is_around_its_slices(void)
{
    start();
    bool zero;
    page_t *ordinary = new_page(CLASS_COUNT - 1);
    page_t *page = new_singleton(1000000, SLICE_SIZE, &zero);
    page_t *small = new_page(0);
    for (size_t offset = 0; offset < page->slices * SLICE_SIZE; offset += 10000) {
        check(mi__page_around(page->start + offset) == page);
    }
    check(mi__page_around(page->start + page->slices * SLICE_SIZE - 1) == page);
    // Shrunk, it is not around what it gave back; nor is a page that lies before free slices.
    check(mi__page_resize_singleton(page, 3, &(bool){false}));
    check(mi__page_around(page->start + 3 * SLICE_SIZE - 1) == page);
    check(mi__page_around(page->start + 3 * SLICE_SIZE) == NULL);
    check(mi__page_around(small->start + SLICE_SIZE) == NULL);
    for (size_t i = 0; i < MEDIUM_PAGE_SLICES; i++) {
        check(mi__page_around(ordinary->start + i * SLICE_SIZE + 1) == ordinary);
    }
    check(release_singleton(page));
    check(mi__page_around(page->start) == NULL);
    check(mi__page_around(page->start + SLICE_SIZE) == NULL);
    int local;
    check(mi__page_around(NULL) == NULL && mi__page_around(&local) == NULL);
    check(mi__page_around(mi__region_at(0)->base - 1) == NULL);
}

static void
singletons_are_aligned(void)
{
    start();
    for (size_t align = 1; align <= 64 * MIB; align *= 2) {
        bool zero;
        page_t *page = new_singleton(100000, align, &zero);
        page_t *second = new_singleton(5 * MIB, align, &zero);
        check(release_singleton(page));
        check(release_singleton(second));
    }
}

static void
a_second_release_is_refused(void)
{
    start();
    bool zero;
    page_t *page = new_singleton(200000, 16, &zero);
    check(release_singleton(page));
    size_t all = free_bytes();
    check(!release_singleton(page));
    check_equal(free_bytes(), all);
    // Nor is an ordinary page one.
    page_t *ordinary = new_page(5);
    check(!release_singleton(ordinary));
    check_equal(page_owner(ordinary), (uintptr_t)&owner);
}

static page_t *contested;
static _Atomic(unsigned) winners;
static pthread_barrier_t barrier;

static void *
release_contested(void *arg)
{
    (void)arg;
    for (int i = 0; i < 300; i++) {
        pthread_barrier_wait(&barrier);
        if (release_singleton(contested)) {
            atomic_fetch_add(&winners, 1);
        }
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

static void
of_many_releases_one_wins(void)
{
    start();
    pthread_t threads[3];
    pthread_barrier_init(&barrier, NULL, 4);
    for (int i = 0; i < 3; i++) {
        check(pthread_create(&threads[i], NULL, release_contested, NULL) == 0);
    }
    for (unsigned i = 0; i < 300; i++) {
        bool zero;
        contested = mi__page_new_singleton(100000, 16, NULL, &zero);
        check(contested != NULL);
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        check_equal(atomic_load(&winners), i + 1);
    }
    for (int i = 0; i < 3; i++) {
        check(pthread_join(threads[i], NULL) == 0);
    }
    check_equal(free_bytes(), mi__region_committed_bytes());
}

static void
singletons_change_in_place(void)
{
    start();
    bool zero;
    page_t *page = new_singleton(200000, 16, &zero);
    fill(page->start, 200000, 7);
    check(mi__page_resize_singleton(page, 100, &(bool){false}));
    check_equal(page->slices, 100);
    check_equal(mi__page_usable(page, page->start), 100 * SLICE_SIZE);
    fill(page->start, 100 * SLICE_SIZE, 8);
    check(mi__page_resize_singleton(page, 100, &(bool){false}));
    check(mi__page_resize_singleton(page, 3, &(bool){false}));
    check(is_filled(page->start, 3 * SLICE_SIZE, 8));
    check_equal(free_bytes(), mi__region_committed_bytes() - 3 * SLICE_SIZE);
    // Somebody moves in behind.
    page_t *behind = new_singleton(100000, 16, &zero);
    check(behind->start == page->start + 3 * SLICE_SIZE);
    check(!mi__page_resize_singleton(page, 4, &(bool){false}));
    check_equal(page->slices, 3);
    check(release_singleton(behind));
    check(mi__page_resize_singleton(page, 4, &(bool){false}));
    check(mi__page_resize_singleton(page, 1, &(bool){false}));
    check(release_singleton(page));
    check_equal(free_bytes(), mi__region_committed_bytes());
}

// ---- no memory ------------------------------------------------------------------------------

static void
no_memory_is_a_clean_failure(void)
{
    start();
    limit_to(RLIMIT_DATA, data_bytes());
    size_t made = 0;
    while (mi__page_new(CLASS_COUNT - 1, (uintptr_t)&other, NULL) != NULL) {
        check(++made < 100);
    }
    bool zero;
    check(mi__page_new_singleton(10 * MIB, 16, NULL, &zero) == NULL);
    check(mi__page_new_singleton(PTRDIFF_MAX, 16, NULL, &zero) == NULL);
    check(mi__page_new_singleton(1, (size_t)1 << 61, NULL, &zero) == NULL);
    unlimit(RLIMIT_DATA);
    (void)new_page(CLASS_COUNT - 1);
    (void)new_singleton(10 * MIB, 16, &zero);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(a_new_page_is_empty),
        fresh_test(inner_slices_lead_to_the_head),
        fresh_test(a_released_page_leaves_no_trace),
        fresh_test(a_page_can_be_made_where_one_was),
        fresh_test(nothing_is_a_page_elsewhere),
        fresh_test(blocks_come_in_order_and_fill_the_page),
        fresh_test(blocks_are_threaded_a_little_at_a_time),
        fresh_test(fresh_blocks_are_known_to_be_zero),
        fresh_test(dirty_slices_give_no_zero_blocks),
        fresh_test(counts_follow_the_blocks),
        fresh_test(swapping_grants_what_was_freed),
        fresh_test(ungranted_blocks_are_free_again),
        fresh_test(a_pinned_page_never_seems_empty),
        fresh_test(the_last_block_is_told),
        fresh_test(owner_flags_leave_the_owner_alone),
        fresh_test(verify_sees_wrong_counts),
        fresh_test(verify_sees_blocks_on_a_page_that_does_not_serve),
        fresh_test(verify_sees_wrong_links),
        fresh_test(a_guess_never_faults),
        fresh_test(blocks_are_found_from_inside),
        fresh_test(singletons_of_all_sizes),
        fresh_test(singletons_know_zero),
        fresh_test(what_was_hardly_touched_stays_so_when_zeroed),
        fresh_test(all_of_a_singleton_is_around_its_slices),
        fresh_test(singletons_are_aligned),
        fresh_test(a_second_release_is_refused),
        fresh_test(of_many_releases_one_wins),
        fresh_test(singletons_change_in_place),
        fresh_test(no_memory_is_a_clean_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
