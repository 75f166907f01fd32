// SPDX-License-Identifier: MIT
// purge.h — when free slices go back to the system.
//
// By time: the first tick after a release marks what is free; the next ones, a quarter of
// `purge_delay_ms` apart, each give back their part of what is still marked and was not used since, so
// that memory decays and does not go all at once; the last one marks anew. Memory that stays free goes
// back within two delays. Ticks come with polls on slow paths, and from a helper thread that exists only
// while something is to be purged or may be before long (4 MiB or more are in use, and there was a slow-path
// malloc in the last two seconds), and only where the process has several threads (or an option says
// otherwise). A malloc starts it; a free wakes it.
// By size: what is free and not given back is at most a floor and a share of what is in use; a release
// that exceeds that gives back the rest itself.
//
// Owns:        the deadline, the helper thread, the count of bytes returned
// Threads:     any; one thread purges at a time, others go on
// Invariants:  U1 while free slices are dirty, a deadline stands (delays of −1 apart)
//              U2 at most one helper thread; none while nothing is to be purged, two seconds apart
//              U3 no free starts a thread: libc calls free with locks that starting one takes (glibc, when
//                 it drops the stacks of ended threads)
// Not here:    how slices are purged → arena/slices.c
#ifndef MI_ARENA_PURGE_H
#define MI_ARENA_PURGE_H

#include "base/atomic.h"
#include "base/bits.h"
#include "base/config.h"

// True when slices are to be purged as they are released (delay 0).
static inline bool
mi__purge_at_once(void)
{
    return conf_get(purge_delay_ms) == 0;
}

// Memory goes back in ranges of so many slices, at multiples of that, each when all of it is free;
// unless all that is free is to go. A power of two, at most a chunk.
static inline unsigned
mi__purge_unit(void)
{
    size_t bytes = (size_t)conf_get(minimal_purge);
    if (unlikely(bytes == 0 && conf_get(allow_thp) == THP_EAGER)) {
        bytes = HUGE_PAGE_BYTES;
    }
    return likely(bytes <= SLICE_SIZE) ? 1 : 1U << (highest_bit(bytes) - SLICE_SHIFT);
}

// Slices have been released, and are dirty: sets the deadline unless one stands, and gives back what
// is too much.
void mi__purge_released(void);

// Sets the deadline unless one stands.
void mi__purge_schedule(void);

// The program has set another delay: it counts from now, also for what is free already.
void mi__purge_delay_changed(void);

// Purges when the deadline has passed, or in any case with `force`; returns bytes given back. Cheap
// when nothing is to do.
size_t mi__purge_poll(bool force);

// Starts the helper thread when one is wanted. Starting a thread allocates: to be called at the start of
// a malloc.
extern MI_HIDDEN _Atomic(flag_t) mi__purge_wanted; // [hint: may be stale]
void mi__purge_start_helper(void);

// Wants one where much is held, or memory is watched, unless there is one.
void mi__purge_want_helper(void);

// True when it may have allocated.
static inline bool
mi__purge_tend(void)
{
    bool wanted = atomic_get_relaxed(&mi__purge_wanted);
    if (unlikely(wanted)) {
        mi__purge_start_helper();
    }
    return wanted;
}

// Adds to the bytes given back, and tells them.
void mi__purge_count(size_t bytes);
uint64_t mi__purge_total(void);

// In the child of a fork: the thread that was purging is gone, and so is the helper.
void mi__purge_after_fork(void);

#endif
