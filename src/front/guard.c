// SPDX-License-Identifier: MIT
// guard.c — slots for guarded blocks, and what is said when one of them is misused.
//
//   slice 0   slice 1          slice 2   slice 3
//   ┌ guard ─┬ slot 0 ────────┬ guard ──┬ slot 1 ─────
//   └ no access: all of it but the OS pages of live blocks, which lie at the start or end of their slice
//
// Owns:        see guard.h
// Threads:     see guard.h
// Invariants:  see guard.h
// Not here:    see guard.h
#include "front/guard.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/config.h"
#include "front/account.h"
#include "front/report.h"
#include "front/stack.h"

enum {
    SLOTS = 32,
    POOL_SLICES = 2 * SLOTS + 1,
    GUARD_FRAMES = 32,
    PRECISE_MIN = 8, // bytes: what the library writes to a block's first word
};

typedef enum slot_state_t { SLOT_EMPTY, SLOT_TAKEN, SLOT_FREED } slot_state_t;

// Who did it.
typedef struct witness_t {
    long thread;
    size_t count;
    uintptr_t frames[GUARD_FRAMES];
} witness_t;

typedef struct slot_t {
    _Atomic(int) state;
    bool dirty; // its first or last OS page may hold something
    bool torn;  // pages around it were made accessible to go on after a report
    char *block;
    size_t size;    // that was asked for
    size_t usable;  // to the end of what may be touched
    uint64_t freed; // the count of frees then
    witness_t by;   // who allocated it
    witness_t end;  // who freed it
} slot_t;

static spin_t
    lock; // taken inside a sampler's function only: what a signal handler allocates then is no sample
static slot_t slots[SLOTS];          // [lock] to take one; then its holder's
static _Atomic(char *) pool;         // [atomic: any thread] NULL until the first
static _Atomic(uint64_t) made_count; // [atomic: any thread]
static _Atomic(uint64_t) free_count; // [atomic: any thread]
static _Atomic(bool) refused;        // there was no room for the pool

static bool look_at_fault(const os_fault_t *fault);

// ---- slots

static char *
slot_start(const slot_t *slot)
{
    return atomic_get_relaxed(&pool) + ((2 * (size_t)(slot - slots) + 1) << SLICE_SHIFT);
}

static void
protect_around(slot_t *slot)
{
    (void)mi__os_protect(slot_start(slot) - SLICE_SIZE, 3 * SLICE_SIZE);
    slot->torn = false;
}

// The caller holds the lock.
static bool
make_pool(void)
{
    if (atomic_get_relaxed(&pool) != NULL) {
        return true;
    }
    slice_run_t run;
    if (atomic_get_relaxed(&refused) || !mi__slices_claim(POOL_SLICES, SLICE_SIZE, NULL, &run)) {
        atomic_set_relaxed(&refused, true);
        return false;
    }
    (void)mi__os_purge(run.start, (size_t)POOL_SLICES << SLICE_SHIFT);
    if (!mi__os_protect(run.start, (size_t)POOL_SLICES << SLICE_SHIFT)) {
        mi__slices_release(run.start, POOL_SLICES);
        atomic_set_relaxed(&refused, true);
        return false;
    }
    // release: pairs with the acquire in slot_around.
    atomic_set_release(&pool, run.start);
    mi__os_on_fault(look_at_fault);
    return true;
}

// The more slots are in use the seldomer another is taken, so that blocks that live for ever don't end
// the search for others. The caller holds the lock.
static slot_t *
choose_slot(uint64_t random)
{
    slot_t *chosen = NULL;
    size_t taken = 0;
    for (slot_t *slot = slots; slot < slots + SLOTS; slot++) {
        // acquire: what its last holder did; pairs with the release in mi__guard_gone.
        int state = atomic_get_acquire(&slot->state);
        taken += state == SLOT_TAKEN;
        if (state != SLOT_TAKEN && (chosen == NULL || slot->freed < chosen->freed)) {
            chosen = slot;
        }
    }
    return random % SLOTS < taken ? NULL : chosen;
}

static slot_t *
take_slot(uint64_t random)
{
    spin_lock(&lock);
    slot_t *slot = make_pool() ? choose_slot(random) : NULL;
    if (slot != NULL) {
        atomic_set_relaxed(&slot->state, SLOT_TAKEN);
    }
    spin_unlock(&lock);
    return slot;
}

// Where the block starts: at one end of the slice, as aligned as its size says that the caller may rely
// on (page/sizeclass.h).
static void
lay_out(slot_t *slot, size_t size, bool at_end)
{
    size_t granule = conf_get(guarded_precise) ? 1 : GRANULE;
    slot->size = size;
    slot->usable = align_up(size_max(size, granule == 1 ? PRECISE_MIN : 1), granule);
    slot->block = slot_start(slot) + (at_end ? SLICE_SIZE - slot->usable : 0);
}

static char *
first_page(const slot_t *slot)
{
    return (char *)((uintptr_t)slot->block & ~(uintptr_t)(mi__os_page_size() - 1)); // NOLINT
}

static size_t
page_bytes(const slot_t *slot)
{
    return align_up((size_t)(slot->block - first_page(slot)) + slot->usable, mi__os_page_size());
}

static void
remember(witness_t *witness)
{
    witness->thread = mi__os_thread_id();
    witness->count = mi__stack_capture(witness->frames, GUARD_FRAMES);
}

void
mi__guard_place(sample_t *sample)
{
    if ((sample->samplers & 1U << SAMPLER_GUARD) == 0) {
        return;
    }
    slot_t *slot = take_slot(sample->random >> 1);
    if (slot == NULL) {
        sample->samplers &= ~(1U << SAMPLER_GUARD);
        return;
    }
    lay_out(slot, sample->requested, (sample->random & 1) != 0);
    if (slot->torn) {
        protect_around(slot);
    }
    if (!mi__os_unprotect(first_page(slot), page_bytes(slot))) {
        atomic_set_relaxed(&slot->state, SLOT_EMPTY);
        sample->samplers &= ~(1U << SAMPLER_GUARD);
        return;
    }
    // Where the last block lay, which may have been at the other end.
    if (slot->dirty) {
        memset(first_page(slot), 0, page_bytes(slot));
    }
    remember(&slot->by);
    slot->end.thread = 0;
    mi__page_set_alone(mi__region_descriptor(slot_start(slot)), sample->class, slot->block, slot->usable,
                       OWNER_SINGLETON | OWNER_SAMPLED);
    sample->of_sampler[SAMPLER_GUARD] = slot;
    atomic_set_relaxed(&sample->block, (void *)slot->block);
    atomic_add_relaxed(&made_count, 1);
}

// The first byte from `p` to `end`, in steps of `step` (1 or −1), that is not zero; or NULL.
static const char *
find_byte(const char *p, const char *end, ptrdiff_t step)
{
    while (p != end && *p == 0) { // NOLINT(clang-analyzer-core.NullDereference): a slot in use has a block
        uint64_t word;
        const char *low = step > 0 ? p : p - 7;
        size_t left = (size_t)((end - p) * step);
        bool skips = left > sizeof word && (memcpy(&word, low, sizeof word), word == 0);
        p += skips ? (ptrdiff_t)sizeof word * step : step;
    }
    return p == end ? NULL : p;
}

// What lies beside the block in its OS pages was zero, and nobody's. Returns the byte nearest to the block
// that is not any more; or NULL.
static const char *
find_damage(const slot_t *slot)
{
    const char *first = first_page(slot);
    const char *behind = find_byte(slot->block + slot->usable, first + page_bytes(slot), 1);
    return behind != NULL ? behind : find_byte(slot->block - 1, first - 1, -1);
}

static void report_damage(const slot_t *slot, const char *at);

void
mi__guard_gone(sample_t *sample)
{
    slot_t *slot = (slot_t *)sample->of_sampler[SAMPLER_GUARD];
    if (slot == NULL) {
        return;
    }
    remember(&slot->end);
    const char *damage = find_damage(slot);
    if (damage != NULL) {
        report_damage(slot, damage);
    }
    mi__page_set_alone(mi__region_descriptor(slot_start(slot)), 0, NULL, 0, 0);
    // Purging one page, and faulting it in again, takes longer than all the rest.
    if (page_bytes(slot) > mi__os_page_size()) {
        (void)mi__os_purge(first_page(slot), page_bytes(slot));
    } else {
        slot->dirty = true;
    }
    (void)mi__os_protect(first_page(slot), page_bytes(slot));
    slot->freed = atomic_add_relaxed(&free_count, 1) + 1;
    // release: who freed it; pairs with the acquire in slot_around.
    atomic_set_release(&slot->state, SLOT_FREED);
}

uint64_t
mi__guard_count(void)
{
    return atomic_get_relaxed(&made_count);
}

void
mi__guard_after_fork(void)
{
    (void)spin_renew(&lock);
}

// ---- what lies at an address

// From the block to `p`, in either direction; 0 inside.
static size_t
distance(const slot_t *slot, const void *address)
{
    const char *p = (const char *)address;
    if (p < slot->block) {
        return (size_t)(slot->block - p);
    }
    return p < slot->block + slot->size ? 0 : (size_t)(p - slot->block) - slot->size + 1;
}

// The slot whose block is, or was, next to `p`; NULL when it is not in the pool.
static slot_t *
slot_around(const void *address)
{
    const char *p = (const char *)address;
    // acquire: pairs with the release in make_pool.
    const char *start = atomic_get_acquire(&pool);
    if (start == NULL || p < start || p >= start + ((size_t)POOL_SLICES << SLICE_SHIFT)) {
        return NULL;
    }
    size_t slice = (size_t)(p - start) >> SLICE_SHIFT;
    slot_t *next = &slots[size_min(slice / 2, SLOTS - 1)];
    slot_t *before = slice % 2 == 1 || slice == 0 ? next : &slots[slice / 2 - 1];
    slot_t *nearest = next->block == NULL                                                ? before
                      : before->block == NULL || distance(before, p) > distance(next, p) ? next
                                                                                         : before;
    // acquire: what is told of the slot; pairs with the release in mi__guard_gone.
    return atomic_get_acquire(&nearest->state) == SLOT_EMPTY ? NULL : nearest;
}

bool
mi__guard_was_freed(const void *p)
{
    const slot_t *slot = slot_around(p);
    return slot != NULL && atomic_get_relaxed(&slot->state) == SLOT_FREED && distance(slot, p) == 0;
}

// ---- reports

static void
put_place(const slot_t *slot, const void *address)
{
    const char *p = (const char *)address;
    size_t off = distance(slot, p);
    if (off == 0) {
        mi__account_put("%zu bytes inside", (size_t)(p - slot->block));
    } else if (p < slot->block) {
        mi__account_put("%zu bytes before", off);
    } else {
        mi__account_put("%zu bytes after the end of", off - 1);
    }
}

void
mi__guard_tell(const void *p)
{
    const slot_t *slot = slot_around(p);
    if (slot == NULL) {
        return;
    }
    mi__account_put("%p lies ", p);
    put_place(slot, p);
    mi__account_put(" a guarded block of %zu bytes, [%p,%p), size class %zu\n", slot->size,
                    (void *)slot->block, (void *)(slot->block + slot->size),
                    sizeclass_block_size(sizeclass_of(slot->size)));
    if (slot->end.thread != 0) {
        mi__account_put("freed by thread %ld here:\n", slot->end.thread);
        mi__account_frames(slot->end.frames, slot->end.count);
    }
    mi__account_put("allocated by thread %ld here:\n", slot->by.thread);
    mi__account_frames(slot->by.frames, slot->by.count);
}

// One report: what `how` did at `p`, by the stack `frames`. True when the process is to stop.
static bool
report(const char *kind, const char *how, const slot_t *slot, const char *p, const uintptr_t *frames,
       size_t count)
{
    bool stop = mi__report_stops(true);
    if (!mi__account_begin()) {
        return true;
    }
    mi__account_put("==%ld==ERROR: mimalloc: %s: %s(%p): ", mi__os_process_id(), kind, how, (const void *)p);
    put_place(slot, p);
    mi__account_put(" a block of %zu bytes%s. %s\n", slot->size,
                    atomic_get_relaxed(&slot->state) == SLOT_FREED ? " that was freed" : "",
                    stop ? "The process stops here (MIMALLOC_ERRORS=report goes on)" : "It goes on");
    mi__account_frames(frames, count);
    mi__guard_tell(p);
    mi__account_summary(kind, frames, count);
    size_t length;
    const char *text = mi__account_text(&length);
    if (stop || conf_get(errors) != ERRORS_IGNORE) {
        mi__os_write_error(text, length);
    }
    mi__account_end();
    return stop;
}

static void
report_damage(const slot_t *slot, const char *at)
{
    const char *kind = at < slot->block ? "buffer-underflow" : "buffer-overflow";
    if (report(kind, "free", slot, at, slot->end.frames, slot->end.count)) {
        abort();
    }
}

// In the handler of a fault. True when the process goes on.
static bool
look_at_fault(const os_fault_t *fault)
{
    const char *p = (const char *)fault->address;
    slot_t *slot = slot_around(p);
    if (slot == NULL) {
        return false;
    }
    const char *kind = atomic_get_relaxed(&slot->state) == SLOT_FREED ? "use-after-free"
                       : p < slot->block                              ? "buffer-underflow"
                                                                      : "buffer-overflow";
    uintptr_t frames[STACK_FRAMES];
    size_t count = mi__stack_from(fault->pc, fault->frame, frames, STACK_FRAMES);
    if (report(kind, fault->access, slot, p, frames, count)) {
        return false;
    }
    slot->torn = true;
    char *page = (char *)((uintptr_t)p & ~(uintptr_t)(mi__os_page_size() - 1)); // NOLINT
    return mi__os_unprotect(page, mi__os_page_size());
}
