// SPDX-License-Identifier: MIT
// override.h — which names of libc and of the C++ runtime this build replaces.
//
// The build says MI_OVERRIDE (0: only mi_* names) and MI_SHARED (1: the shared library).
//
// Owns:        nothing
// Threads:     macros only
// Not here:    the names → front/override.c, front/glibc_control.c, front/deepbind.c
#ifndef MI_FRONT_OVERRIDE_H
#define MI_FRONT_OVERRIDE_H

#include <stdint.h>

#include "base/platform.h"

#ifndef MI_OVERRIDE
#define MI_OVERRIDE 1
#endif
#ifndef MI_SHARED
#define MI_SHARED 0
#endif

// malloc and its like.
#define OVERRIDE_LIBC MI_OVERRIDE

// Whether the loader is asked for functions by name.
#define OVERRIDE_SEARCHES ((MI_SHARED || !WEAK_REFERENCES) && __has_include(<dlfcn.h>))

// Operators new and delete. "m" in their names stands for unsigned long, "j" for unsigned int: the
// type of sizes.
#if __SIZEOF_SIZE_T__ == 4
#define OPERATOR_NAME(before, after) before##j##after
#define OPERATOR_NEW "_Znwj"
#define OPERATOR_NEW_NOTHROW "_ZnwjRKSt9nothrow_t"
#define OPERATOR_NEW_ALIGNED_NOTHROW "_ZnwjSt11align_val_tRKSt9nothrow_t"
#else
#define OPERATOR_NAME(before, after) before##m##after
#define OPERATOR_NEW "_Znwm"
#define OPERATOR_NEW_NOTHROW "_ZnwmRKSt9nothrow_t"
#define OPERATOR_NEW_ALIGNED_NOTHROW "_ZnwmSt11align_val_tRKSt9nothrow_t"
#endif

// Static links have these operators in an object of their own, which is C++ and can throw by
// itself.
#define OVERRIDE_OPERATORS (MI_OVERRIDE && MI_SHARED)

// mallinfo, malloc_trim and the like: a static link would else pull in glibc's malloc beside ours.
#if defined(__GLIBC__)
#define OVERRIDE_GLIBC_CONTROL MI_OVERRIDE
#else
#define OVERRIDE_GLIBC_CONTROL 0
#endif

// __libc_malloc and the like for odd binaries, and dlopen: both have a meaning only where the
// loader binds names.
#if defined(__GLIBC__)
#define OVERRIDE_GLIBC_SHARED (MI_OVERRIDE && MI_SHARED)
#else
#define OVERRIDE_GLIBC_SHARED 0
#endif

#endif
