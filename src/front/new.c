// SPDX-License-Identifier: MIT
// new.c — the mi_new functions: allocation that fails the way C++ wants it.
//
// The C++ runtime is reached by weak references, which are NULL in a program without one, and in a
// library that was loaded before it; then by a search among the loaded libraries.
//
// Owns:        nothing
// Threads:     any
// Not here:    the operators themselves → front/override.c, front/new_delete.cc
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "front/new.h"

#include <stdlib.h>

#include "mimalloc.h"

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "base/bits.h"
#include "front/override.h"
#include "front/report.h"

typedef void (*new_handler_t)(void);
typedef new_handler_t (*get_handler_t)(void);
typedef void (*function_t)(void); // of any type, which the caller knows

// std::get_new_handler and std::__throw_bad_alloc.
#if WEAK_REFERENCES
MI_WEAK new_handler_t _ZSt15get_new_handlerv(void);
MI_WEAK void _ZSt17__throw_bad_allocv(void);
#else
static const get_handler_t _ZSt15get_new_handlerv = NULL;
static const function_t _ZSt17__throw_bad_allocv = NULL;
#endif

#if OVERRIDE_SEARCHES
#include <dlfcn.h>

// A function of the C++ runtime, by name; NULL when there is none.
static function_t
runtime_function(const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    // A program that is not C++ may have loaded the runtime with a plug-in, out of our scope's
    // sight.
    static const char *const runtimes[] = {"libstdc++.so.6", "libc++.so.1"};
    for (size_t i = 0; symbol == NULL && i < sizeof runtimes / sizeof *runtimes; i++) {
        void *library = dlopen(runtimes[i], RTLD_LAZY | RTLD_NOLOAD);
        if (library != NULL) {
            symbol = dlsym(library, name);
            dlclose(library);
        }
    }
    return (function_t)(uintptr_t)symbol;
}
#else
// Where the library is linked statically, the weak references see all there is.
static function_t
runtime_function(const char *name)
{
    (void)name;
    return NULL;
}
#endif

static new_handler_t
current_handler(void)
{
    get_handler_t get = _ZSt15get_new_handlerv;
    if (get == NULL) {
        get = (get_handler_t)runtime_function("_ZSt15get_new_handlerv");
    }
    return get == NULL ? NULL : get();
}

_Noreturn MI_COLD void
mi__new_throw(size_t size)
{
    function_t throw_it = _ZSt17__throw_bad_allocv;
    if (throw_it == NULL) {
        throw_it = runtime_function("_ZSt17__throw_bad_allocv");
    }
    if (throw_it != NULL) {
        throw_it();
    }
    // libc++ has no such function, but its operator new throws for a size that no malloc can give.
    void *(*operator_new)(size_t) = (void *(*)(size_t))runtime_function(OPERATOR_NEW);
    if (operator_new != NULL) {
        operator_new(SIZE_MAX);
    }
    mi__message("no memory for %zu bytes, and no C++ runtime to throw std::bad_alloc\n", size);
    abort();
}

void
mi__new_call_handler(size_t size)
{
    new_handler_t handler = current_handler();
    if (handler == NULL) {
        mi__new_throw(size);
    }
    handler();
}

void *
mi__new_failed(size_t size, size_t align)
{
    if (align != 0 && !is_power_of_two(align)) {
        // No handler can help.
        mi__new_throw(size);
    }
    void *p;
    do {
        mi__new_call_handler(size);
        p = align == 0 ? mi__alloc(size) : mi__alloc_aligned(size, align, 0, false);
    } while (p == NULL);
    return p;
}

void *
mi__new_failed_nothrow(size_t size, size_t align, const void *tag)
{
    if (current_handler() == NULL || (align != 0 && !is_power_of_two(align))) {
        return NULL;
    }
    // C can't catch what the handler throws. The runtime's own form can: it calls our throwing one.
    if (align == 0) {
        void *(*plain)(size_t, const void *) =
            (void *(*)(size_t, const void *))runtime_function(OPERATOR_NEW_NOTHROW);
        return plain == NULL ? NULL : plain(size, tag);
    }
    void *(*aligned)(size_t, size_t, const void *) =
        (void *(*)(size_t, size_t, const void *))runtime_function(OPERATOR_NEW_ALIGNED_NOTHROW);
    return aligned == NULL ? NULL : aligned(size, align, tag);
}

// ---- Public names

void *
mi_new(size_t size)
{
    void *p = fast_alloc(size);
    return likely(p != NULL) ? p : mi__new_failed(size, 0);
}

void *
mi_new_aligned(size_t size, size_t alignment)
{
    void *p = mi__alloc_aligned(size, alignment, 0, false);
    return likely(p != NULL) ? p : mi__new_failed(size, alignment);
}

void *
mi_new_nothrow(size_t size)
{
    return fast_alloc(size);
}

void *
mi_new_aligned_nothrow(size_t size, size_t alignment)
{
    return mi__alloc_aligned(size, alignment, 0, false);
}

void *
mi_new_n(size_t count, size_t size)
{
    size_t total;
    if (unlikely(!mi__alloc_count(count, size, &total))) {
        mi__new_throw(SIZE_MAX);
    }
    void *p = fast_alloc(total);
    return likely(p != NULL) ? p : mi__new_failed(total, 0);
}

static void *
realloc_or_throw(void *p, size_t newsize)
{
    void *q = mi__realloc(p, newsize, false);
    while (q == NULL) {
        mi__new_call_handler(newsize);
        q = mi__realloc(p, newsize, false);
    }
    return q;
}

void *
mi_new_realloc(void *p, size_t newsize)
{
    return realloc_or_throw(p, newsize);
}

void *
mi_new_reallocn(void *p, size_t newcount, size_t size)
{
    size_t total;
    if (unlikely(!mi__alloc_count(newcount, size, &total))) {
        mi__new_throw(SIZE_MAX);
    }
    return realloc_or_throw(p, total);
}
