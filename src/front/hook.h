// SPDX-License-Identifier: MIT
// hook.h — a function of the program's and its argument, which may be replaced while others call it.
//
// States of a hook's version word:
//   | #  | version | function and argument | leaves by                       | order   | pairs with |
//   | K1 | even    | belong together       | → K2 set (any)                  | acquire | K3         |
//   | K2 | odd     | are being changed     | → K1, two more: set (who began) | release | K1, K3     |
// A reader (K3) takes what it has read only when it saw K1 with one number before and after.
//
// Owns:        every field of hook_t
// Threads:     any; no locks but for a short wait, so that a fork leaves nothing held for good
// Invariants:  E1 a function is never returned with the argument of another
// Not here:    what is called when → front/report.c, front/deferred.c
#ifndef MI_FRONT_HOOK_H
#define MI_FRONT_HOOK_H

#include <stdatomic.h>

#include "base/platform.h"

typedef void hook_fun_t(void);

typedef struct hook_t {
    // [atomic: any thread]
    _Atomic(uint64_t) version;
    _Atomic(hook_fun_t *) function;
    _Atomic(void *) argument;
} hook_t;

// Sets the function, NULL for none; of two that set it at the same time one wins.
void mi__hook_set(hook_t *hook, hook_fun_t *function, void *argument);

// The function, and its argument in `*argument`; NULL when there is none.
hook_fun_t *mi__hook_get(hook_t *hook, void **argument);

#endif
