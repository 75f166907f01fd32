// SPDX-License-Identifier: MIT
// deepbind.c — dlopen without RTLD_DEEPBIND.
//
// A library opened with that flag binds `free` to libc's, while blocks that come to it from
// elsewhere are ours: it crashes at the first one. The flag is masked, unless
// MIMALLOC_DEEPBIND=keep.
//
// Owns:        the address of libc's dlopen
// Threads:     any
// Invariants:  D1 libc's dlopen sees our caller's return address: it knows the search path by it
// Not here:    the setting → front/options.c
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "front/override.h"

#if OVERRIDE_GLIBC_SHARED

#include <dlfcn.h>

#include "base/atomic.h"
#include "base/config.h"

typedef void *dlopen_t(const char *file, int mode);

MI_EXPORT void *dlopen(const char *file, int mode);

static _Atomic(dlopen_t *) libc_dlopen;

static MI_NOINLINE dlopen_t *
find_libc_dlopen(void)
{
    // Threads that come here together find the same.
    dlopen_t *found = (dlopen_t *)(uintptr_t)dlsym(RTLD_NEXT, "dlopen");
    atomic_set_relaxed(&libc_dlopen, found);
    return found;
}

static MI_NOINLINE void *
no_dlopen(const char *file, int mode)
{
    (void)file;
    (void)mode;
    return NULL;
}

MI_JUMPS void *
dlopen(const char *file, int mode)
{
    dlopen_t *real = atomic_get_relaxed(&libc_dlopen);
    if (real == NULL) {
        real = find_libc_dlopen();
        if (real == NULL) {
            real = no_dlopen;
        }
    }
    if (!conf_get(deepbind_keep)) {
        mode &= ~RTLD_DEEPBIND;
    }
    MI_JUMP_TO real(file, mode);
}

#endif
