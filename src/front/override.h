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

#include <features.h>

#ifndef MI_OVERRIDE
#define MI_OVERRIDE 1
#endif
#ifndef MI_SHARED
#define MI_SHARED 0
#endif

// malloc and its like.
#define OVERRIDE_LIBC MI_OVERRIDE

// Operators new and delete. Static links have them in an object of their own, which is C++ and can throw by itself.
#define OVERRIDE_OPERATORS (MI_OVERRIDE && MI_SHARED)

// mallinfo, malloc_trim and the like: a static link would else pull in glibc's malloc beside ours.
#if defined(__GLIBC__)
#define OVERRIDE_GLIBC_CONTROL MI_OVERRIDE
#else
#define OVERRIDE_GLIBC_CONTROL 0
#endif

// __libc_malloc and the like for odd binaries, and dlopen: both have a meaning only where the loader binds names.
#if defined(__GLIBC__)
#define OVERRIDE_GLIBC_SHARED (MI_OVERRIDE && MI_SHARED)
#else
#define OVERRIDE_GLIBC_SHARED 0
#endif

#endif
