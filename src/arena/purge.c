// SPDX-License-Identifier: MIT
// purge.c — when free slices go back to the system.
//
// Owns:        see purge.h
// Threads:     see purge.h
// Invariants:  see purge.h
// Not here:    how slices are purged → arena/slices.c
#include "arena/purge.h"

#include "arena/slices.h"
#include "base/atomic.h"
#include "os/os.h"

static _Atomic(int64_t) deadline_ms; // 0: nothing to purge
static _Atomic(bool) purging;
static _Atomic(uint64_t) purged_bytes;

void
mi__purge_schedule(void)
{
    // The slices were released before this. Of a release and a poll at the same time one sees the
    // other; pairs with the fence in mi__purge_poll.
    atomic_thread_fence(memory_order_seq_cst);
    long delay_ms = conf_get(purge_delay_ms);
    if (atomic_get_relaxed(&deadline_ms) == 0 && delay_ms > 0) {
        atomic_set_relaxed(&deadline_ms, mi__os_clock_ms() + delay_ms);
    }
}

void
mi__purge_delay_changed(void)
{
    long delay_ms = conf_get(purge_delay_ms);
    // What was released under the old delay may have no deadline at all.
    atomic_set_relaxed(&deadline_ms, delay_ms > 0 ? mi__os_clock_ms() + delay_ms : 0);
    if (delay_ms == 0) {
        (void)mi__purge_poll(true);
    }
}

size_t
mi__purge_poll(bool force)
{
    int64_t deadline = atomic_get_relaxed(&deadline_ms);
    if (!force && (deadline == 0 || mi__os_clock_ms() < deadline)) {
        return 0;
    }
    // acquire: pairs with the release below; one purge at a time is enough, a second would find
    // nothing.
    if (atomic_exchange_acquire(&purging, true)) {
        return 0;
    }
    // The deadline goes first: what is released from here on sets the next one.
    atomic_set_relaxed(&deadline_ms, 0);
    atomic_thread_fence(memory_order_seq_cst); // pairs with the fence in mi__purge_schedule
    bool left;
    size_t bytes = mi__slices_purge(force, &left);
    mi__purge_count(bytes);
    if (left) {
        mi__purge_schedule();
    }
    // release: pairs with the acquire above.
    atomic_set_release(&purging, false);
    return bytes;
}

void
mi__purge_count(size_t bytes)
{
    atomic_add_relaxed(&purged_bytes, (uint64_t)bytes);
}

uint64_t
mi__purge_total(void)
{
    return atomic_get_relaxed(&purged_bytes);
}

void
mi__purge_after_fork(void)
{
    atomic_set_relaxed(&purging, false);
}
