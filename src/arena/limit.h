// SPDX-License-Identifier: MIT
// limit.h — how much memory the process may hold.
//
// What counts is the memory of slices in use, touched or not, and of free ones that is not given back.
// Above the soft limit free memory is given back at once, and the program is told when it can be
// (mi__limit_tell); what would exceed the hard limit is refused, after free memory has been given back.
//
// Owns:        what is still to be told
// Threads:     any. Threads that claim at the same time may exceed a limit by a claim each
// Not here:    what is held → arena/slices.c, who is told → front/limit_api.c
#ifndef MI_ARENA_LIMIT_H
#define MI_ARENA_LIMIT_H

#include "base/atomic.h"
#include "base/config.h"

extern MI_HIDDEN _Atomic(bool) mi__limit_to_tell; // [hint: may be stale]

// Called before `bytes` of slices are claimed. False: they are more than the hard limit allows.
MI_NODISCARD bool mi__limit_admit_slowly(size_t bytes);

static inline bool
mi__limit_admit(size_t bytes)
{
    bool limited = (conf_get(memory_limit) | conf_get(memory_soft_limit)) != 0;
    return likely(!limited) || mi__limit_admit_slowly(bytes);
}

// Tells the program that the soft limit was passed, when that is so. It may allocate and free.
void mi__limit_tell_now(void);

static inline void
mi__limit_tell(void)
{
    if (unlikely(atomic_get_relaxed(&mi__limit_to_tell))) {
        mi__limit_tell_now();
    }
}

// An allocation of the calling thread has failed. When the hard limit was why, tells the program; true
// when it is worth another try.
MI_NODISCARD bool mi__limit_failed(size_t size);

#endif
