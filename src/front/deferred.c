// SPDX-License-Identifier: MIT
// deferred.c — the program's own work on the slow path's beat.
//
// Owns:        see deferred.h
// Threads:     see deferred.h
// Not here:    see deferred.h
#include "front/deferred.h"

#include "base/atomic.h"
#include "base/track.h"
#include "front/hook.h"

static hook_t hook;
static _Atomic(unsigned long long) beats;
static MI_THREAD_LOCAL bool calling;
#define calling OF_THREAD(calling)

void
mi__deferred_set(mi_deferred_free_fun *fun, void *arg)
{
    mi__hook_set(&hook, (hook_fun_t *)fun, arg);
}

void
mi__deferred_call(bool force)
{
    void *arg;
    mi_deferred_free_fun *fun = calling ? NULL : (mi_deferred_free_fun *)mi__hook_get(&hook, &arg);
    if (fun == NULL) {
        return;
    }
    calling = true;
    unsigned depth = track_pause();
    fun(force, atomic_add_relaxed(&beats, 1), arg);
    track_resume(depth);
    calling = false;
}
