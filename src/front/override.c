// SPDX-License-Identifier: MIT
// override.c — malloc, free and the operators new and delete under their own names.
//
// What this file exports is what a program, its libraries and libc itself then use. Functions of
// libc that call malloc (strdup, getline, reallocarray …) reach ours by themselves, and are not
// replaced.
//
// Owns:        nothing
// Threads:     any
// Invariants:  O1 the exported names are those of tests/golden/exports.txt
// Not here:    mallinfo and the like → front/glibc_control.c, dlopen → front/deepbind.c
#include "front/override.h"

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "front/new.h"
#include "front/posix.h"

#if OVERRIDE_LIBC

// Declared here, since headers of libc lack some of these, and have others with attributes that the
// functions must not rely on.
MI_EXPORT void *malloc(size_t size);
MI_EXPORT void *calloc(size_t count, size_t size);
MI_EXPORT void *realloc(void *p, size_t size);
MI_EXPORT void free(void *p);
MI_EXPORT void free_sized(void *p, size_t size);
MI_EXPORT void free_aligned_sized(void *p, size_t align, size_t size);
MI_EXPORT void cfree(void *p);
MI_EXPORT int posix_memalign(void **p, size_t align, size_t size);
MI_EXPORT void *aligned_alloc(size_t align, size_t size);
MI_EXPORT void *memalign(size_t align, size_t size);
MI_EXPORT void *valloc(size_t size);
MI_EXPORT void *pvalloc(size_t size);
MI_EXPORT size_t malloc_usable_size(void *p);

void *
malloc(size_t size)
{
    return fast_alloc(size);
}

void *
calloc(size_t count, size_t size)
{
    size_t total;
    if (unlikely(__builtin_mul_overflow(count, size, &total))) {
        return mi__posix_overflow(count, size);
    }
    return fast_alloc_zeroed(total);
}

void *
realloc(void *p, size_t size)
{
    return mi__realloc(p, size, false);
}

void
free(void *p)
{
    fast_free(p);
}

void
free_sized(void *p, size_t size)
{
    mi__free_sized(p, size, 0);
}

void
free_aligned_sized(void *p, size_t align, size_t size)
{
    mi__free_sized(p, size, align);
}

void
cfree(void *p)
{
    mi__free(p);
}

int
posix_memalign(void **p, size_t align, size_t size)
{
    return mi__posix_memalign(p, align, size);
}

void *
aligned_alloc(size_t align, size_t size)
{
    return mi__alloc_aligned(size, align, 0, false);
}

void *
memalign(size_t align, size_t size)
{
    return mi__alloc_aligned(size, align, 0, false);
}

void *
valloc(size_t size)
{
    return mi__valloc(size);
}

void *
pvalloc(size_t size)
{
    return mi__pvalloc(size);
}

size_t
malloc_usable_size(void *p)
{
    return mi__usable_size(p, "malloc_usable_size");
}

#endif

// ---- What glibc calls its own malloc, for programs that use these names

#if OVERRIDE_GLIBC_SHARED

MI_EXPORT void *__libc_malloc(size_t size);
MI_EXPORT void *__libc_calloc(size_t count, size_t size);
MI_EXPORT void *__libc_realloc(void *p, size_t size);
MI_EXPORT void __libc_free(void *p);
MI_EXPORT void __libc_cfree(void *p);
MI_EXPORT void *__libc_memalign(size_t align, size_t size);
MI_EXPORT void *__libc_valloc(size_t size);
MI_EXPORT void *__libc_pvalloc(size_t size);
MI_EXPORT int __posix_memalign(void **p, size_t align, size_t size);

void *
__libc_malloc(size_t size)
{
    return mi__alloc(size);
}

void *
__libc_calloc(size_t count, size_t size)
{
    size_t total;
    return mi__alloc_count(count, size, &total) ? mi__alloc_zeroed(total) : NULL;
}

void *
__libc_realloc(void *p, size_t size)
{
    return mi__realloc(p, size, false);
}

void
__libc_free(void *p)
{
    mi__free(p);
}

void
__libc_cfree(void *p)
{
    mi__free(p);
}

void *
__libc_memalign(size_t align, size_t size)
{
    return mi__alloc_aligned(size, align, 0, false);
}

void *
__libc_valloc(size_t size)
{
    return mi__valloc(size);
}

void *
__libc_pvalloc(size_t size)
{
    return mi__pvalloc(size);
}

int
__posix_memalign(void **p, size_t align, size_t size)
{
    return mi__posix_memalign(p, align, size);
}

#endif

// ---- Operators new and delete of C++

#if OVERRIDE_OPERATORS

#define NEW OPERATOR_NAME(_Znw, )
#define NEW_ARRAY OPERATOR_NAME(_Zna, )
#define NEW_NOTHROW OPERATOR_NAME(_Znw, RKSt9nothrow_t)
#define NEW_ARRAY_NOTHROW OPERATOR_NAME(_Zna, RKSt9nothrow_t)
#define NEW_ALIGNED OPERATOR_NAME(_Znw, St11align_val_t)
#define NEW_ARRAY_ALIGNED OPERATOR_NAME(_Zna, St11align_val_t)
#define NEW_ALIGNED_NOTHROW OPERATOR_NAME(_Znw, St11align_val_tRKSt9nothrow_t)
#define NEW_ARRAY_ALIGNED_NOTHROW OPERATOR_NAME(_Zna, St11align_val_tRKSt9nothrow_t)
#define DELETE _ZdlPv
#define DELETE_ARRAY _ZdaPv
#define DELETE_NOTHROW _ZdlPvRKSt9nothrow_t
#define DELETE_ARRAY_NOTHROW _ZdaPvRKSt9nothrow_t
#define DELETE_SIZED OPERATOR_NAME(_ZdlPv, )
#define DELETE_ARRAY_SIZED OPERATOR_NAME(_ZdaPv, )
#define DELETE_ALIGNED _ZdlPvSt11align_val_t
#define DELETE_ARRAY_ALIGNED _ZdaPvSt11align_val_t
#define DELETE_SIZED_ALIGNED OPERATOR_NAME(_ZdlPv, St11align_val_t)
#define DELETE_ARRAY_SIZED_ALIGNED OPERATOR_NAME(_ZdaPv, St11align_val_t)
#define DELETE_ALIGNED_NOTHROW _ZdlPvSt11align_val_tRKSt9nothrow_t
#define DELETE_ARRAY_ALIGNED_NOTHROW _ZdaPvSt11align_val_tRKSt9nothrow_t

MI_EXPORT void *NEW(size_t size);
MI_EXPORT void *NEW_ARRAY(size_t size);
MI_EXPORT void *NEW_NOTHROW(size_t size, const void *tag);
MI_EXPORT void *NEW_ARRAY_NOTHROW(size_t size, const void *tag);
MI_EXPORT void *NEW_ALIGNED(size_t size, size_t align);
MI_EXPORT void *NEW_ARRAY_ALIGNED(size_t size, size_t align);
MI_EXPORT void *NEW_ALIGNED_NOTHROW(size_t size, size_t align, const void *tag);
MI_EXPORT void *NEW_ARRAY_ALIGNED_NOTHROW(size_t size, size_t align, const void *tag);
MI_EXPORT void DELETE(void *p);
MI_EXPORT void DELETE_ARRAY(void *p);
MI_EXPORT void DELETE_NOTHROW(void *p, const void *tag);
MI_EXPORT void DELETE_ARRAY_NOTHROW(void *p, const void *tag);
MI_EXPORT void DELETE_SIZED(void *p, size_t size);
MI_EXPORT void DELETE_ARRAY_SIZED(void *p, size_t size);
MI_EXPORT void DELETE_ALIGNED(void *p, size_t align);
MI_EXPORT void DELETE_ARRAY_ALIGNED(void *p, size_t align);
MI_EXPORT void DELETE_SIZED_ALIGNED(void *p, size_t size, size_t align);
MI_EXPORT void DELETE_ARRAY_SIZED_ALIGNED(void *p, size_t size, size_t align);
MI_EXPORT void DELETE_ALIGNED_NOTHROW(void *p, size_t align, const void *tag);
MI_EXPORT void DELETE_ARRAY_ALIGNED_NOTHROW(void *p, size_t align, const void *tag);

void *
NEW(size_t size)
{
    void *p = fast_alloc(size);
    return likely(p != NULL) ? p : mi__new_failed(size, 0);
}

void *
NEW_ARRAY(size_t size)
{
    void *p = fast_alloc(size);
    return likely(p != NULL) ? p : mi__new_failed(size, 0);
}

static void *
new_nothrow(size_t size, const void *tag)
{
    void *p = mi__alloc(size);
    return likely(p != NULL) ? p : mi__new_failed_nothrow(size, 0, tag);
}

void *
NEW_NOTHROW(size_t size, const void *tag)
{
    return new_nothrow(size, tag);
}

void *
NEW_ARRAY_NOTHROW(size_t size, const void *tag)
{
    return new_nothrow(size, tag);
}

static void *
new_aligned(size_t size, size_t align)
{
    void *p = mi__alloc_aligned(size, align, 0, false);
    return likely(p != NULL) ? p : mi__new_failed(size, align);
}

void *
NEW_ALIGNED(size_t size, size_t align)
{
    return new_aligned(size, align);
}

void *
NEW_ARRAY_ALIGNED(size_t size, size_t align)
{
    return new_aligned(size, align);
}

static void *
new_aligned_nothrow(size_t size, size_t align, const void *tag)
{
    void *p = mi__alloc_aligned(size, align, 0, false);
    return likely(p != NULL) ? p : mi__new_failed_nothrow(size, align, tag);
}

void *
NEW_ALIGNED_NOTHROW(size_t size, size_t align, const void *tag)
{
    return new_aligned_nothrow(size, align, tag);
}

void *
NEW_ARRAY_ALIGNED_NOTHROW(size_t size, size_t align, const void *tag)
{
    return new_aligned_nothrow(size, align, tag);
}

void
DELETE(void *p)
{
    fast_free(p);
}

void
DELETE_ARRAY(void *p)
{
    fast_free(p);
}

void
DELETE_NOTHROW(void *p, const void *tag)
{
    (void)tag;
    mi__free(p);
}

void
DELETE_ARRAY_NOTHROW(void *p, const void *tag)
{
    (void)tag;
    mi__free(p);
}

void
DELETE_SIZED(void *p, size_t size)
{
    mi__free_sized(p, size, 0);
}

void
DELETE_ARRAY_SIZED(void *p, size_t size)
{
    mi__free_sized(p, size, 0);
}

void
DELETE_ALIGNED(void *p, size_t align)
{
    mi__free_sized(p, SIZE_MAX, align);
}

void
DELETE_ARRAY_ALIGNED(void *p, size_t align)
{
    mi__free_sized(p, SIZE_MAX, align);
}

void
DELETE_SIZED_ALIGNED(void *p, size_t size, size_t align)
{
    mi__free_sized(p, size, align);
}

void
DELETE_ARRAY_SIZED_ALIGNED(void *p, size_t size, size_t align)
{
    mi__free_sized(p, size, align);
}

void
DELETE_ALIGNED_NOTHROW(void *p, size_t align, const void *tag)
{
    (void)tag;
    mi__free_sized(p, SIZE_MAX, align);
}

void
DELETE_ARRAY_ALIGNED_NOTHROW(void *p, size_t align, const void *tag)
{
    (void)tag;
    mi__free_sized(p, SIZE_MAX, align);
}

#endif
