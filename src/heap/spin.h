// SPDX-License-Identifier: MIT
// spin.h — a lock for rare work on lists, which a forked child can make new.
//
// Not for malloc's ordinary ways: those are lock-free. A thread that holds one allocates nothing and
// calls nobody's functions.
//
// Owns:        nothing
// Threads:     any
// Not here:    claims of thread heaps → heap/registry.h
#ifndef MI_HEAP_SPIN_H
#define MI_HEAP_SPIN_H

#include "base/atomic.h"
#include "os/os.h"

typedef struct spin_t {
    _Atomic(uintptr_t) holder; // [atomic: any thread] 0: none
} spin_t;

static inline void
spin_lock(spin_t *lock)
{
    // acquire: what the last holder did; pairs with the release in spin_unlock.
    while (atomic_exchange_acquire(&lock->holder, mi__os_thread_self()) != 0) {
        while (atomic_get_relaxed(&lock->holder) != 0) {
            mi__os_yield();
        }
    }
}

static inline void
spin_unlock(spin_t *lock)
{
    // release: pairs with the acquire in spin_lock.
    atomic_set_release(&lock->holder, 0);
}

// In the child of a fork: true when a thread that is gone held the lock, which is free now. What it
// guards may be half done. A holder that is here has been interrupted by a signal handler that forks: it
// goes on with its work when the handler returns, in the child, too.
static inline bool
spin_renew(spin_t *lock)
{
    uintptr_t holder = atomic_get_relaxed(&lock->holder);
    if (holder == mi__os_thread_self()) {
        return false;
    }
    atomic_set_relaxed(&lock->holder, 0);
    return holder != 0;
}

#endif
