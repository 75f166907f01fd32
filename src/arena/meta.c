// SPDX-License-Identifier: MIT
// meta.c — memory for the library's own structures: a line drawn through a reservation, committed
// as it moves.
//
// Owns:        see meta.h
// Threads:     see meta.h
// Invariants:  see meta.h
// Not here:    see meta.h
#include "arena/meta.h"

#include "arena/region.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "base/check.h"
#include "os/os.h"

enum {
    LINE = 64,
    BLOCK_BYTES = 1 << 22, // reserved at a time
    META_STEP = 64 * 1024, // or so much where that is scarce; committed at a time; whole OS pages
};

typedef struct meta_block_t {
    size_t bytes;              // [constant after init]
    _Atomic(size_t) next;      // [atomic: any thread] bytes handed out, this header included
    _Atomic(size_t) committed; // [atomic: any thread] bytes that may be used
} meta_block_t;

static _Atomic(meta_block_t *) current;
static _Atomic(size_t) handed_out;

static meta_block_t *
add_block(meta_block_t *full)
{
    size_t bytes = mi__region_is_scarce() ? META_STEP : BLOCK_BYTES;
    meta_block_t *block = (meta_block_t *)mi__os_reserve(bytes, META_STEP);
    if (block == NULL) {
        return NULL;
    }
    if (!mi__os_commit(block, META_STEP)) {
        mi__os_unreserve(block, bytes);
        return NULL;
    }
    block->bytes = bytes;
    atomic_set_relaxed(&block->next, LINE);
    atomic_set_relaxed(&block->committed, META_STEP);
    // acq_rel: publishes the header written above; pairs with the acquire in mi__meta_alloc and
    // with itself.
    if (!atomic_cas_strong_acq_rel(&current, &full, block)) {
        mi__os_unreserve(block, bytes);
        return full;
    }
    return block;
}

static bool
commit_to(meta_block_t *block, size_t end)
{
    // acquire: pairs with the release below: the memory is accessible.
    size_t seen = atomic_get_acquire(&block->committed);
    if (end <= seen) {
        return true;
    }
    size_t to = align_up(end, META_STEP);
    if (!mi__os_commit((char *)block + seen, to - seen)) {
        return false;
    }
    // release: the mprotect before it; pairs with the acquire above.
    while (seen < to && !atomic_cas_weak_release(&block->committed, &seen, to)) {
    }
    return true;
}

void *
mi__meta_alloc(size_t size)
{
    ASSERT(size <= META_STEP);
    size = align_up(size, LINE);
    // acquire: pairs with the acq_rel in add_block: the header is written.
    meta_block_t *block = atomic_get_acquire(&current);
    for (;;) {
        size_t at = block == NULL ? 0 : atomic_get_relaxed(&block->next);
        if (block == NULL || at + size > block->bytes) {
            block = add_block(block);
            if (block == NULL) {
                return NULL;
            }
        } else if (!commit_to(block, at + size)) {
            return NULL;
        } else if (atomic_cas_weak_relaxed(&block->next, &at, at + size)) {
            atomic_add_relaxed(&handed_out, size);
            return (char *)block + at;
        }
    }
}

size_t
mi__meta_bytes(void)
{
    return atomic_get_relaxed(&handed_out);
}
