// SPDX-License-Identifier: MIT
// watch.h — memory inside of pages in use goes back without being asked: what stayed cold, and all of
// it when the system is short of memory. Both by option.
//
// Owns:        the descriptor that tells of pressure, and when pages are looked at next
// Threads:     mi__watch_wait: the helper thread (arena/purge.c) only; others: any
// Not here:    what is done to pages → heap/registry.c, free slices → arena/purge.c
#ifndef MI_ARENA_WATCH_H
#define MI_ARENA_WATCH_H

#include "base/config.h"

// True when the helper thread is to stay although nothing is to be purged.
static inline bool
mi__watch_is_on(void)
{
    return conf_get(memory_pressure) || conf_get(trim_delay_ms) > 0;
}

// Sleeps so long; or, where the option asks for it, until the system is short of memory: then all that
// is free goes back.
void mi__watch_wait(int64_t ms);

// Has what stayed cold in pages given back when it is time, and sees to it that there is a helper.
void mi__watch_poll_now(void);

static inline void
mi__watch_poll(void)
{
    if (unlikely(mi__watch_is_on())) {
        mi__watch_poll_now();
    }
}

// The helper thread ends, or, in the child of a fork, is gone.
void mi__watch_end(void);

#endif
