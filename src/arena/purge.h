// SPDX-License-Identifier: MIT
// purge.h — when free slices go back to the system.
//
// The first release after a purge sets a deadline, `purge_delay_ms` away; the first poll after it purges all that is free then.
//
// Owns:        the deadline and the count of bytes returned
// Threads:     any; one thread purges at a time, others go on
// Invariants:  U1 slices that are free and dirty are purged by the first poll after the deadline
// Not here:    how slices are purged → arena/slices.c
#ifndef MI_ARENA_PURGE_H
#define MI_ARENA_PURGE_H

#include "base/config.h"

// True when slices are to be purged as they are released (delay 0).
static inline bool
mi__purge_at_once(void)
{
    return mi__conf.purge_delay_ms == 0;
}

// Slices have been released: sets the deadline unless one stands.
void mi__purge_schedule(void);

// Purges when the deadline has passed, or in any case with `force`; returns bytes given back. Cheap when nothing is to do.
size_t mi__purge_poll(bool force);

// Adds to the bytes given back, and tells them.
void mi__purge_count(size_t bytes);
uint64_t mi__purge_total(void);

// In the child of a fork: the thread that was purging is gone.
void mi__purge_after_fork(void);

#endif
