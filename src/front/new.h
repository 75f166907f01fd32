// SPDX-License-Identifier: MIT
// new.h — what C++ asks of an allocation that fails, for code that is C.
//
// Exceptions that the C++ runtime throws pass through these functions, so they and their callers
// need unwind tables.
//
// Owns:        nothing
// Threads:     any
// Not here:    operators new for static links → front/new_delete.cc
#ifndef MI_FRONT_NEW_H
#define MI_FRONT_NEW_H

#include "base/platform.h"

// To be called when an allocation of `size` bytes failed: calls the new handler and tries again, as
// long as there is a handler. Else throws std::bad_alloc. `align` 0: none. Aborts, with a message,
// when there is no C++ runtime to throw it. Never NULL.
MI_COLD void *mi__new_failed(size_t size, size_t align);

// One step of that: calls the new handler, or throws when there is none. And the throw by itself.
MI_COLD void mi__new_call_handler(size_t size);
_Noreturn MI_COLD void mi__new_throw(size_t size);

// The same where nothing may be thrown: `tag` is the caller's std::nothrow. NULL when the handler
// throws, or when there is none.
MI_COLD void *mi__new_failed_nothrow(size_t size, size_t align, const void *tag);

#endif
