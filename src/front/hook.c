// SPDX-License-Identifier: MIT
// hook.c — a function and its argument, read and replaced as one.
//
// Owns:        see hook.h
// Threads:     see hook.h
// Invariants:  see hook.h
// Not here:    see hook.h
#include "front/hook.h"

#include "base/atomic.h"
#include "os/os.h"

enum { TRIES = 1000 }; // who changes it is waited for this often: after a fork it may be gone

// K1 → K2. Returns the odd version.
static uint64_t
start_change(hook_t *hook)
{
    for (int i = 0; i < TRIES; i++) {
        uint64_t even = atomic_get_relaxed(&hook->version) & ~(uint64_t)1;
        // acquire: what was set before; pairs with the release of `version` in mi__hook_set.
        if (atomic_cas_strong_acquire(&hook->version, &even, even + 1)) {
            return even + 1;
        }
        mi__os_yield();
    }
    return atomic_get_relaxed(&hook->version) | 1;
}

void
mi__hook_set(hook_t *hook, hook_fun_t *function, void *argument)
{
    uint64_t odd = start_change(hook);
    // release: the odd version; pairs with the acquires in read_once: who sees the new function or
    // argument sees that the version has changed.
    atomic_set_release(&hook->function, function);
    atomic_set_release(&hook->argument, argument); // pairs with the acquire in read_once
    // K2 → K1, release: both; pairs with the acquire of `version` in read_once.
    atomic_set_release(&hook->version, odd + 1);
}

// K3. False when the hook changed meanwhile.
static bool
read_once(hook_t *hook, hook_fun_t **function, void **argument)
{
    // acquire: both as of this version at least; pairs with the release of it in mi__hook_set.
    uint64_t before = atomic_get_acquire(&hook->version);
    // acquire: a newer one of these brings a newer version; pairs with the releases in mi__hook_set.
    *function = atomic_get_acquire(&hook->function);
    *argument = atomic_get_acquire(&hook->argument); // pairs with the release in mi__hook_set
    return before % 2 == 0 && atomic_get_relaxed(&hook->version) == before;
}

hook_fun_t *
mi__hook_get(hook_t *hook, void **argument)
{
    hook_fun_t *function;
    for (int i = 0; i < TRIES; i++) {
        if (read_once(hook, &function, argument)) {
            return function;
        }
        mi__os_yield();
    }
    return NULL;
}
