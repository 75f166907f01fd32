// SPDX-License-Identifier: MIT
// fiber.h — the explored threads as coroutines, whose state can be saved and restored.
//
// Owns:        their stacks, and their copies of the thread-local variable
// Threads:     one
// Not here:    who runs when → explore.c
#ifndef CONCURRENT_FIBER_H
#define CONCURRENT_FIBER_H

#include <stdbool.h>
#include <stddef.h>

#include "explore.h"

// Fiber 0 runs setup and finish, the others the threads of a scenario.
enum { FIBERS = EXPLORE_THREADS + 1 };

// Once, and before each scenario.
void fiber_init(void);
void fiber_reset(void);

// `function` may be NULL: the fiber has ended.
void fiber_start(unsigned index, void (*function)(void));
bool fiber_has_ended(unsigned index);

// Runs a fiber until it leaves, or ends.
void fiber_run(unsigned index);
// From a fiber: returns to fiber_run's caller.
void fiber_leave(void);
// False outside of fibers; and which one runs.
bool fiber_is_running(void);
unsigned fiber_running(void);

bool fiber_is_stack(const void *p);
bool fiber_is_private(const void *p);

// The state of all fibers but 0, and the thread-local variables of all.
size_t fiber_save_size(void);
void fiber_save(void *p);
void fiber_restore(const void *p);

#endif
