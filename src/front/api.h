// SPDX-License-Identifier: MIT
// api.h — the deferred frees of a runtime, which it registers by mi_register_deferred_free.
//
// Owns:        nothing
// Threads:     any
// Not here:    the functions that programs call → include/mimalloc.h
#ifndef MI_FRONT_API_H
#define MI_FRONT_API_H

#include "base/platform.h"

// The hook deferred_free of base/hooks.h: calls the registered function, unless the thread is inside of it.
void mi__api_deferred_free(bool force);

#endif
