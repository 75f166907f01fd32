// SPDX-License-Identifier: MIT
// limit.c — how much memory the process may hold.
//
// Owns:        see limit.h
// Threads:     see limit.h
// Not here:    see limit.h
#include "arena/limit.h"

#include "arena/purge.h"
#include "arena/slices.h"
#include "base/bits.h"
#include "base/hooks.h"

enum { CALM_SHARE = 8 }; // told again when it was so much below the soft limit in between

_Atomic(bool) mi__limit_to_tell;

static _Atomic(bool) above_soft;
static MI_THREAD_LOCAL bool was_refused;
#define was_refused OF_THREAD(was_refused)
static MI_THREAD_LOCAL bool telling;
#define telling OF_THREAD(telling)

static void
give_back(size_t bytes)
{
    mi__purge_count(mi__slices_purge_bytes(bytes, true));
}

static void
watch_soft(size_t held_bytes, size_t free_bytes, size_t soft)
{
    if (held_bytes > soft) {
        give_back(size_min(held_bytes - soft, free_bytes));
        if (!atomic_get_relaxed(&above_soft) && held_bytes - free_bytes > soft) {
            atomic_set_relaxed(&above_soft, true);
            atomic_set_relaxed(&mi__limit_to_tell, true);
        }
    } else if (held_bytes < soft - soft / CALM_SHARE && atomic_get_relaxed(&above_soft)) {
        atomic_set_relaxed(&above_soft, false);
    }
}

bool
mi__limit_admit_slowly(size_t bytes)
{
    slices_held_t held = mi__slices_held();
    size_t hard = (size_t)conf_get(memory_limit);
    size_t soft = (size_t)conf_get(memory_soft_limit);
    size_t used = held.used_bytes + bytes;
    if (hard != 0 && (bytes > hard || used > hard)) {
        was_refused = true;
        return false;
    }
    if (hard != 0 && used + held.free_bytes > hard) {
        give_back(used + held.free_bytes - hard);
        held = mi__slices_held();
    }
    if (soft != 0) {
        watch_soft(used + held.free_bytes, held.free_bytes, soft);
    }
    return true;
}

static void
tell(bool hard)
{
    if (!telling) {
        slices_held_t held = mi__slices_held();
        telling = true;
        mi__hooks.memory_limit(hard, held.used_bytes + held.free_bytes);
        telling = false;
    }
}

void
mi__limit_tell_now(void)
{
    atomic_set_relaxed(&mi__limit_to_tell, false);
    tell(false);
}

bool
mi__limit_failed(size_t size)
{
    bool refused = was_refused;
    was_refused = false;
    size_t hard = (size_t)conf_get(memory_limit);
    if (!refused || telling || size > hard) {
        return false;
    }
    tell(true);
    return true;
}
