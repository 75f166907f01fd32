// SPDX-License-Identifier: MIT
// new.c — the mi_new functions: allocation that fails the way C++ wants it.
//
// The C++ runtime is reached by weak references, which are NULL in a program without one, and in a library that was
// loaded before it; then by a search among the loaded libraries.
//
// Owns:        nothing
// Threads:     any
// Not here:    the operators themselves → front/override.c, front/new_delete.cc
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "front/new.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "base/bits.h"
#include "base/format.h"
#include "base/hooks.h"
#include "front/override.h"
#include "mimalloc.h"

typedef void (*new_handler_t)(void);

// std::get_new_handler and std::__throw_bad_alloc.
MI_WEAK new_handler_t _ZSt15get_new_handlerv(void);
MI_WEAK void _ZSt17__throw_bad_allocv(void);

typedef struct cxx_runtime_t {
    new_handler_t (*get_handler)(void);
    void (*throw_bad_alloc)(void);
} cxx_runtime_t;

static void *
runtime_symbol(const char *name)
{
#if MI_SHARED
    void *symbol = dlsym(RTLD_NEXT, name);
    // A program that is not C++ may have loaded the runtime with a plug-in, out of sight of our own scope.
    static const char *const runtimes[] = {"libstdc++.so.6", "libc++.so.1", "libc++abi.so.1"};
    for (size_t i = 0; symbol == NULL && i < sizeof runtimes / sizeof *runtimes; i++) {
        void *library = dlopen(runtimes[i], RTLD_LAZY | RTLD_NOLOAD);
        if (library != NULL) {
            symbol = dlsym(library, name);
            dlclose(library);
        }
    }
    return symbol;
#else
    (void)name;
    return NULL;
#endif
}
