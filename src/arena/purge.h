// SPDX-License-Identifier: MIT
// purge.h — when free slices go back to the system.
//
// A release sets a deadline, `purge_delay_ms` away, unless one stands. The first poll after it
// purges what has been free since the poll before, and sets the next deadline while something is
// left: a slice is thus purged one to two delays after its release.
//
// Owns:        the deadline and the count of bytes returned
// Threads:     any; one thread purges at a time, others go on
// Invariants:  U1 while free slices are dirty, a deadline stands (delays of −1 apart)
// Not here:    how slices are purged → arena/slices.c
#ifndef MI_ARENA_PURGE_H
#define MI_ARENA_PURGE_H

#include "base/config.h"

// True when slices are to be purged as they are released (delay 0).
static inline bool
mi__purge_at_once(void)
{
    return conf_get(purge_delay_ms) == 0;
}

// Slices have been released: sets the deadline unless one stands.
void mi__purge_schedule(void);

// The program has set another delay: it counts from now, also for what is free already.
void mi__purge_delay_changed(void);

// Purges when the deadline has passed, or in any case with `force`; returns bytes given back. Cheap
// when nothing is to do.
size_t mi__purge_poll(bool force);

// Adds to the bytes given back, and tells them.
void mi__purge_count(size_t bytes);
uint64_t mi__purge_total(void);

// In the child of a fork: the thread that was purging is gone.
void mi__purge_after_fork(void);

#endif
