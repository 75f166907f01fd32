/* SPDX-License-Identifier: MIT */
/*
 * mimalloc-new-delete.h - the operators new and delete of C++, all by mimalloc.
 *
 * Include it in exactly one source file of a program; the operators are then replaced in all of it.
 * Not needed where the library is preloaded or linked as libmimalloc.so, nor where
 * mimalloc-new-delete.o is linked. Memory failures call the new handler and throw std::bad_alloc as
 * the standard says. With -fno-exceptions the throwing forms fail as mi_new does.
 */
#ifndef MIMALLOC_NEW_DELETE_H
#define MIMALLOC_NEW_DELETE_H

#if !defined(__cplusplus)
#error "mimalloc-new-delete.h is for C++"
#endif

#include <cstddef>
#include <new>

#include "mimalloc.h"

#if __cplusplus >= 201103L
#define MI_NEW_THROWS
#else
#define MI_NEW_THROWS throw(std::bad_alloc)
#endif

namespace mi_new_delete {

static inline void *
allocate(std::size_t size, std::size_t align)
{
    return align == 0 ? mi_malloc(size) : mi_malloc_aligned(size, align);
}

static inline std::new_handler
current_handler()
{
#if __cplusplus >= 201103L
    return std::get_new_handler();
#else
    std::new_handler handler = std::set_new_handler(0);
    std::set_new_handler(handler);
    return handler;
#endif
}

#if defined(__cpp_exceptions) || defined(__EXCEPTIONS)
static inline void *
retry(std::size_t size, std::size_t align)
{
    for (;;) {
        std::new_handler handler = current_handler();
        if (!handler) {
            throw std::bad_alloc();
        }
        handler();
        void *p = allocate(size, align);
        if (p) {
            return p;
        }
    }
}

static inline void *
retry_nothrow(std::size_t size, std::size_t align) mi_attr_noexcept
{
    try {
        return retry(size, align);
    } catch (...) {
        return 0;
    }
}
#else
static inline void *
retry(std::size_t size, std::size_t align)
{
    return align == 0 ? mi_new(size) : mi_new_aligned(size, align);
}

static inline void *
retry_nothrow(std::size_t size, std::size_t align) mi_attr_noexcept
{
    for (;;) {
        std::new_handler handler = current_handler();
        if (!handler) {
            return 0;
        }
        handler();
        void *p = allocate(size, align);
        if (p) {
            return p;
        }
    }
}
#endif

} // namespace mi_new_delete

/* NOLINTBEGIN(misc-definitions-in-headers): for exactly one source file */

/* ---- Plain ----------------------------------------------------------------------------------- */

void *
operator new(std::size_t size) MI_NEW_THROWS
{
    void *p = mi_malloc(size);
    return p ? p : mi_new_delete::retry(size, 0);
}

void *
operator new[](std::size_t size) MI_NEW_THROWS
{
    void *p = mi_malloc(size);
    return p ? p : mi_new_delete::retry(size, 0);
}

void *
operator new(std::size_t size, const std::nothrow_t &) mi_attr_noexcept
{
    void *p = mi_malloc(size);
    return p ? p : mi_new_delete::retry_nothrow(size, 0);
}

void *
operator new[](std::size_t size, const std::nothrow_t &) mi_attr_noexcept
{
    void *p = mi_malloc(size);
    return p ? p : mi_new_delete::retry_nothrow(size, 0);
}

void
operator delete(void *p) mi_attr_noexcept
{
    mi_free(p);
}

void
operator delete[](void *p) mi_attr_noexcept
{
    mi_free(p);
}

void
operator delete(void *p, const std::nothrow_t &) mi_attr_noexcept
{
    mi_free(p);
}

void
operator delete[](void *p, const std::nothrow_t &) mi_attr_noexcept
{
    mi_free(p);
}

/* ---- With a size ----------------------------------------------------------------------------- */

#if __cplusplus >= 201402L || defined(__cpp_sized_deallocation)
void
operator delete(void *p, std::size_t size) mi_attr_noexcept
{
    mi_free_size(p, size);
}

void
operator delete[](void *p, std::size_t size) mi_attr_noexcept
{
    mi_free_size(p, size);
}
#endif

/* ---- With an alignment ----------------------------------------------------------------------- */

#if __cplusplus >= 201703L || defined(__cpp_aligned_new)
void *
operator new(std::size_t size, std::align_val_t align)
{
    void *p = mi_malloc_aligned(size, static_cast<std::size_t>(align));
    return p ? p : mi_new_delete::retry(size, static_cast<std::size_t>(align));
}

void *
operator new[](std::size_t size, std::align_val_t align)
{
    void *p = mi_malloc_aligned(size, static_cast<std::size_t>(align));
    return p ? p : mi_new_delete::retry(size, static_cast<std::size_t>(align));
}

void *
operator new(std::size_t size, std::align_val_t align, const std::nothrow_t &) mi_attr_noexcept
{
    void *p = mi_malloc_aligned(size, static_cast<std::size_t>(align));
    return p ? p : mi_new_delete::retry_nothrow(size, static_cast<std::size_t>(align));
}

void *
operator new[](std::size_t size, std::align_val_t align, const std::nothrow_t &) mi_attr_noexcept
{
    void *p = mi_malloc_aligned(size, static_cast<std::size_t>(align));
    return p ? p : mi_new_delete::retry_nothrow(size, static_cast<std::size_t>(align));
}

void
operator delete(void *p, std::align_val_t align) mi_attr_noexcept
{
    mi_free_aligned(p, static_cast<std::size_t>(align));
}

void
operator delete[](void *p, std::align_val_t align) mi_attr_noexcept
{
    mi_free_aligned(p, static_cast<std::size_t>(align));
}

void
operator delete(void *p, std::size_t size, std::align_val_t align) mi_attr_noexcept
{
    mi_free_size_aligned(p, size, static_cast<std::size_t>(align));
}

void
operator delete[](void *p, std::size_t size, std::align_val_t align) mi_attr_noexcept
{
    mi_free_size_aligned(p, size, static_cast<std::size_t>(align));
}

void
operator delete(void *p, std::align_val_t align, const std::nothrow_t &) mi_attr_noexcept
{
    mi_free_aligned(p, static_cast<std::size_t>(align));
}

void
operator delete[](void *p, std::align_val_t align, const std::nothrow_t &) mi_attr_noexcept
{
    mi_free_aligned(p, static_cast<std::size_t>(align));
}
#endif

/* NOLINTEND(misc-definitions-in-headers) */

#undef MI_NEW_THROWS

#endif
