// SPDX-License-Identifier: MIT
// deferred.c — the program's own work on the slow path's beat.
//
// Owns:        see deferred.h
// Threads:     see deferred.h
// Invariants:  E1 a function is never called with the argument of another
// Not here:    see deferred.h
#include "front/deferred.h"

#include "base/atomic.h"
#include "base/track.h"

static _Atomic(mi_deferred_free_fun *) function;
static _Atomic(void *) argument;
static _Atomic(unsigned long long) beats;
static MI_THREAD_LOCAL bool calling;

void
mi__deferred_set(mi_deferred_free_fun *fun, void *arg)
{
    atomic_set_relaxed(&function, NULL);
    // release: the NULL above; pairs with the acquire of `argument` in mi__deferred_call.
    atomic_set_release(&argument, arg);
    // release: the argument; pairs with the acquires of `function` in mi__deferred_call.
    atomic_set_release(&function, fun);
}

void
mi__deferred_call(bool force)
{
    // acquire: an argument at least as new; pairs with the release in mi__deferred_set.
    mi_deferred_free_fun *fun = atomic_get_acquire(&function);
    if (fun == NULL || calling) {
        return;
    }
    // acquire: pairs with the release in mi__deferred_set: with a newer argument comes the NULL
    // before it (E1).
    void *arg = atomic_get_acquire(&argument);
    if (atomic_get_relaxed(&function) != fun) {
        return;
    }
    calling = true;
    unsigned depth = track_pause();
    fun(force, atomic_add_relaxed(&beats, 1), arg);
    track_resume(depth);
    calling = false;
}
