// SPDX-License-Identifier: MIT
// deferred.h — the program's own work on the slow path's beat: freeing what it has put off.
//
// Owns:        the function that mi_register_deferred_free names
// Threads:     any
// Not here:    the beat → heap/thread_heap.c
#ifndef MI_FRONT_DEFERRED_H
#define MI_FRONT_DEFERRED_H

#include <mimalloc.h>

#include "base/platform.h"

// Sets the function, NULL for none.
void mi__deferred_set(mi_deferred_free_fun *fun, void *arg);

// Calls it, unless this thread is in it already: the hooks_t.deferred_free of the library.
void mi__deferred_call(bool force);

#endif
