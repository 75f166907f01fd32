// SPDX-License-Identifier: MIT
// samples.c — the table of samples and the store of their blocks.
//
// Owns:        see samples.h
// Threads:     see samples.h
// Invariants:  see samples.h
// Not here:    see samples.h
#include "heap/samples.h"

#include <errno.h>

#include "arena/meta.h"
#include "base/check.h"
#include "base/hooks.h"
#include "heap/heap.h"
#include "heap/registry.h"

enum { BUCKETS = 4096 };

_Atomic(sample_t *) mi__samples_all; // [atomic: any thread]
static spin_t lock;
static sample_t *buckets[BUCKETS]; // [lock] by address
static sample_t *unused;           // [lock]
static page_t *rooms[CLASS_COUNT]; // [lock] pages of the store with room, PAGE_QUEUED

// The thread is inside of a sampler's function.
static MI_THREAD_LOCAL bool busy;
#define busy OF_THREAD(busy)
// The thread has the lock, or is about to take it.
static MI_THREAD_LOCAL volatile bool locked;
#define locked OF_THREAD(locked)

static void
lock_table(void)
{
    ASSERT(!locked);
    locked = true;
    // A handler finds it set as long as the lock is taken.
    atomic_signal_fence(memory_order_seq_cst); // pairs with the same in unlock_table
    spin_lock(&lock);
}

static void
unlock_table(void)
{
    spin_unlock(&lock);
    atomic_signal_fence(memory_order_seq_cst); // pairs with the same in lock_table
    locked = false;
}

bool
mi__samples_are_locked(void)
{
    return locked;
}

static void
tell(void (*hook)(sample_t *sample), sample_t *sample)
{
    bool was_busy = busy;
    int saved = errno;
    busy = true;
    hook(sample);
    busy = was_busy;
    errno = saved;
}

// ---- The store

static void
link_room(page_t *page)
{
    page_t **first = &rooms[page->class];
    page->prev = NULL;
    page->next = *first;
    if (*first != NULL) {
        (*first)->prev = page;
    }
    *first = page;
    page_set_flag(page, PAGE_QUEUED);
}

static void
unlink_room(page_t *page)
{
    if (page->prev != NULL) {
        page->prev->next = page->next;
    } else {
        rooms[page->class] = page->next;
    }
    if (page->next != NULL) {
        page->next->prev = page->prev;
    }
    page_clear_flag(page, PAGE_QUEUED);
}

static bool
has_room(const page_t *page)
{
    return page->local_free != NULL || page->capacity < page->reserved;
}

// Without the lock: the slices may be had by giving others back.
static page_t *
new_room(unsigned class)
{
    page_t *page = mi__page_new(class, 0, NULL);
    if (page != NULL) {
        page_set_owner_flag(page, OWNER_SINGLETON | OWNER_SAMPLED);
    }
    return page;
}

static block_t *
take_of(page_t *page)
{
    if (page->local_free == NULL) {
        page_pin(page); // P2: as if it served
        (void)mi__page_extend(page);
        (void)mi__page_ungrant(page);
        page_unpin(page);
    }
    block_t *block = page->local_free;
    OWNER_SET(page->local_free, block->next);
    OWNER_SET(page->used, page->used + 1);
    if (!has_room(page)) {
        unlink_room(page);
    }
    return block;
}

// NULL when there is no room. The caller holds the lock.
static block_t *
take_block(unsigned class)
{
    return rooms[class] == NULL ? NULL : take_of(rooms[class]);
}

static bool
make_room(unsigned class)
{
    page_t *page = new_room(class);
    if (page != NULL) {
        lock_table();
        link_room(page);
        unlock_table();
    }
    return page != NULL;
}

// The page to be released without the lock, which the caller holds; or NULL.
static page_t *
give_block(block_t *block)
{
    page_t *page = mi__page_of(block);
    bool empty = page_push_local(page, block);
    if ((page->flags & PAGE_QUEUED) == 0) {
        link_room(page);
    }
    // One page stays, for the next sample of the class.
    bool release = empty && (page->prev != NULL || page->next != NULL);
    if (release) {
        unlink_room(page);
    }
    return release ? page : NULL;
}

// ---- The table

static sample_t **
bucket_of(const void *block)
{
    uint64_t hash = ((uintptr_t)block >> GRANULE_SHIFT) * UINT64_C(0x9e3779b97f4a7c15);
    return &buckets[hash >> 32 & (BUCKETS - 1)];
}

static void
link_sample(sample_t *sample)
{
    sample_t **bucket = bucket_of(atomic_get_relaxed(&sample->block));
    sample->next = *bucket;
    *bucket = sample;
}

static void
insert(sample_t *sample)
{
    lock_table();
    link_sample(sample);
    unlock_table();
}

// Puts it into the store, too. False when there is no room for another, nor memory.
static bool
insert_in_store(sample_t *sample)
{
    do {
        lock_table();
        block_t *block = take_block(sample->class);
        if (block != NULL) {
            atomic_set_relaxed(&sample->block, (void *)block);
            link_sample(sample);
        }
        unlock_table();
        if (block != NULL) {
            return true;
        }
    } while (make_room(sample->class));
    return false;
}

// The link that leads to the sample at `block`, or to NULL. The caller holds the lock.
static sample_t **
find(const void *block)
{
    sample_t **at = bucket_of(block);
    while (*at != NULL && atomic_get_relaxed(&(*at)->block) != block) {
        at = &(*at)->next;
    }
    return at;
}

static sample_t *
take_out(const void *block)
{
    lock_table();
    sample_t **at = find(block);
    sample_t *sample = *at;
    if (sample != NULL) {
        *at = sample->next;
    }
    unlock_table();
    return sample;
}

// And `block`, which may be NULL, to the store.
static void
drop(sample_t *sample, block_t *block)
{
    atomic_set_relaxed(&sample->block, NULL);
    atomic_set_relaxed(&sample->stands_for, NULL);
    lock_table();
    page_t *empty = block == NULL ? NULL : give_block(block);
    sample->next = unused;
    unused = sample;
    unlock_table();
    if (unlikely(empty != NULL)) {
        mi__page_release(empty);
    }
}

static sample_t *
make_record(void)
{
    sample_t *sample = (sample_t *)mi__meta_alloc(sizeof *sample);
    if (sample == NULL) {
        return NULL;
    }
    sample_t *first = atomic_get_relaxed(&mi__samples_all);
    do {
        sample->next_made = first;
        // release: the record; pairs with the acquire in mi__samples_first.
    } while (!atomic_cas_weak_release(&mi__samples_all, &first, sample));
    return sample;
}

sample_t *
mi__samples_first(void)
{
    // acquire: the records' fields; pairs with the release in make_record.
    return atomic_get_acquire(&mi__samples_all);
}

// ---- Samples

sample_t *
mi__samples_new(unsigned samplers, size_t requested)
{
    if (busy || locked) {
        return NULL;
    }
    lock_table();
    sample_t *sample = unused;
    if (sample != NULL) {
        unused = sample->next;
    }
    unlock_table();
    if (sample == NULL && (sample = make_record()) == NULL) {
        return NULL;
    }
    sample->samplers = samplers;
    sample->requested = requested;
    sample->times = 1;
    sample->placed = false;
    for (unsigned i = 0; i < SAMPLER_COUNT; i++) {
        OWNER_SET(sample->of_sampler[i], NULL);
    }
    return sample;
}

block_t *
mi__samples_make(thread_heap_t *heap, block_t *block, size_t size, unsigned samplers, bool *zero)
{
    // A heap that is bound to a region promises that its blocks lie there; those of samples don't.
    const heap_t *of = atomic_get_relaxed(&heap->heap);
    if (of != NULL && of->only != NULL) {
        return block;
    }
    if (!mi__sampling_may_guard(heap, size)) {
        samplers &= ~(1U << SAMPLER_GUARD);
    }
    sample_t *sample = samplers == 0 ? NULL : mi__samples_new(samplers, size);
    if (sample == NULL) {
        return block;
    }
    const page_t *page = mi__page_of(block);
    sample->class = page->class;
    sample->block_size = page->block_size;
    sample->random = mi__sampling_random(heap);
    if ((samplers & 1U << SAMPLER_PROFILE) != 0) {
        sample->weight = mi__sampling_weight(heap, sample->block_size);
    }
    atomic_set_relaxed(&sample->stands_for, block);
    if ((samplers & 1U << SAMPLER_GUARD) != 0) {
        tell(mi__hooks.sample_place, sample);
    }
    sample->placed = atomic_get_relaxed(&sample->block) != NULL;
    if (sample->placed) {
        void *placed = atomic_get_relaxed(&sample->block);
        OWNER_SET(sample->usable, mi__page_usable(mi__page_of(placed), placed));
        insert(sample);
    } else {
        OWNER_SET(sample->usable, sample->block_size);
        if (sample->samplers == 0 || !insert_in_store(sample)) {
            drop(sample, NULL);
            return block;
        }
    }
    *zero = sample->placed;
    void *sampled = atomic_get_relaxed(&sample->block);
    tell(mi__hooks.sample_made, sample);
    return (block_t *)sampled;
}

static void
set_singleton(sample_t *sample, page_t *page)
{
    sample->class = CLASS_COUNT;
    sample->block_size = HINT_GET(page->slices) << SLICE_SHIFT;
    atomic_set_relaxed(&sample->block, (void *)HINT_GET(page->start));
}

void
mi__samples_mark_late(sample_t *sample, page_t *page, uintptr_t word)
{
    set_singleton(sample, page);
    tell(mi__hooks.sample_made, sample);
    // Who finds the flag looks for the sample under the lock.
    lock_table();
    // acq_rel: pairs with the compare-and-swap of mi__page_retire_singleton, which fails from here on.
    bool marked = atomic_cas_strong_acq_rel(&page->owner, &word, word | OWNER_SAMPLED);
    if (marked) {
        link_sample(sample);
    }
    unlock_table();
    if (!marked) {
        tell(mi__hooks.sample_gone, sample);
        drop(sample, NULL);
    }
}

void
mi__samples_mark(sample_t *sample, page_t *page)
{
    set_singleton(sample, page);
    insert(sample);
    page_set_owner_flag(page, OWNER_SAMPLED);
    tell(mi__hooks.sample_made, sample);
}

static void
end(sample_t *sample)
{
    void *block = atomic_get_relaxed(&sample->block);
    tell(mi__hooks.sample_gone, sample);
    bool is_alone = sample->class == CLASS_COUNT;
    if (is_alone) {
        page_clear_owner_flag(mi__page_of(block), OWNER_SAMPLED);
    }
    drop(sample, is_alone || sample->placed ? NULL : (block_t *)block);
}

bool
mi__samples_end(void *block, void **stands_for)
{
    sample_t *sample = take_out(block);
    if (sample == NULL) {
        return false;
    }
    *stands_for = atomic_get_relaxed(&sample->stands_for);
    end(sample);
    return true;
}

// Takes a record out of the table if it is a sample of `heap` now. Under the lock, for another thread may be
// ending it, and the record may be another sample's in the next moment.
static bool
take_if_of(sample_t *sample, const heap_t *heap)
{
    lock_table();
    void *block = atomic_get_relaxed(&sample->block);
    sample_t **at = block == NULL ? NULL : find(block);
    bool is_its = at != NULL && *at == sample;
    if (is_its) {
        void *stands_for = atomic_get_relaxed(&sample->stands_for);
        page_t *page = mi__page_of(stands_for == NULL ? block : stands_for);
        is_its = page != NULL && mi__heap_of_page(page) == heap;
    }
    if (is_its) {
        *at = sample->next;
    }
    unlock_table();
    return is_its;
}

void
mi__samples_end_heap(const heap_t *heap)
{
    for (sample_t *sample = mi__samples_first(); sample != NULL; sample = sample->next_made) {
        if (take_if_of(sample, heap)) {
            end(sample);
        }
    }
}

void *
mi__samples_stands_for(const void *block)
{
    if (locked) {
        return NULL;
    }
    lock_table();
    const sample_t *sample = *find(block);
    void *stands_for = sample == NULL ? NULL : atomic_get_relaxed(&sample->stands_for);
    unlock_table();
    return stands_for;
}

heap_t *
mi__samples_heap_of(page_t *page, const void *p)
{
    if (samples_are_in(page, page_owner(page))) {
        const void *stands_for = mi__samples_stands_for(mi__page_block_of(page, p));
        page = stands_for == NULL ? NULL : mi__page_of(stands_for);
    }
    return page == NULL ? NULL : mi__heap_of_page(page);
}

// ---- Fork

// Records and the table are whole at every step, but for one record at worst. Pages may be half linked:
// they are linked anew.
static void
link_anew(void)
{
    for (unsigned i = 0; i < CLASS_COUNT; i++) {
        rooms[i] = NULL;
    }
    for (size_t i = 0, n = mi__region_count(); i < n; i++) {
        region_t *region = mi__region_at(i);
        for (size_t slice = 0, end = atomic_get_relaxed(&region->committed); slice < end; slice++) {
            page_t *page = region_descriptor_at(region, slice);
            uintptr_t word = page_owner(page);
            if ((word & OWNER_REDIRECT) != 0 || !samples_are_in(page, word) || page->reserved == 1) {
                continue;
            }
            page_clear_flag(page, PAGE_QUEUED);
            if (has_room(page)) {
                link_room(page);
            }
        }
    }
}

void
mi__samples_after_fork(void)
{
    if (spin_renew(&lock)) {
        link_anew();
    }
}
