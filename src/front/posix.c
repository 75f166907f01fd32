// SPDX-License-Identifier: MIT
// posix.c — the mi_* functions that follow POSIX, other Unix systems and Windows.
//
// Owns:        nothing
// Threads:     any
// Not here:    the same names without mi_ → front/override.c
#include "front/posix.h"

#include <errno.h>
#include <string.h>

#include "mimalloc.h"

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "base/bits.h"
#include "base/check.h"
#include "os/os.h"

void *
mi__posix_overflow(size_t count, size_t size)
{
    size_t total;
    bool fits = mi__alloc_count(count, size, &total);
    ASSERT(!fits);
    return NULL;
}

void
mi_cfree(void *p)
{
    if (mi__is_block(p)) {
        fast_free(p);
    }
}

void *
mi__expand(void *p, size_t newsize)
{
    void *q = mi__realloc_in_place(p, newsize);
    if (q == NULL) {
        errno = ENOMEM;
    }
    return q;
}

size_t
mi_malloc_size(const void *p)
{
    return mi__usable_size(p, "mi_malloc_size");
}

size_t
mi_malloc_usable_size(const void *p)
{
    return mi__usable_size(p, "mi_malloc_usable_size");
}

size_t
mi_malloc_good_size(size_t size)
{
    return mi__good_size(size);
}

// ---- Aligned blocks

int
mi__posix_memalign(void **p, size_t alignment, size_t size)
{
    if (alignment % sizeof(void *) != 0 || !is_power_of_two(alignment)) {
        return EINVAL;
    }
    int saved = errno;
    void *q = mi__alloc_aligned(size, alignment, 0, false);
    if (q == NULL) {
        errno = saved;
        return ENOMEM;
    }
    *p = q;
    return 0;
}

static size_t
os_page_size(void)
{
    size_t size = mi__os_page_size();
    if (unlikely(size == 0)) {
        // No allocation has started the library yet.
        mi__os_init();
        size = mi__os_page_size();
    }
    return size;
}

void *
mi__valloc(size_t size)
{
    return mi__alloc_aligned(size, os_page_size(), 0, false);
}

void *
mi__pvalloc(size_t size)
{
    size_t page = os_page_size();
    if (size == 0) {
        size = 1;
    }
    // Rounding up might wrap to a small size; an impossible one fails by itself.
    size_t whole = size > PTRDIFF_MAX ? size : align_up(size, page);
    return mi__alloc_aligned(whole, page, 0, false);
}

int
mi_posix_memalign(void **p, size_t alignment, size_t size)
{
    return p == NULL ? EINVAL : mi__posix_memalign(p, alignment, size);
}

void *
mi_memalign(size_t alignment, size_t size)
{
    return mi__alloc_aligned(size, alignment, 0, false);
}

void *
mi_aligned_alloc(size_t alignment, size_t size)
{
    return mi__alloc_aligned(size, alignment, 0, false);
}

void *
mi_valloc(size_t size)
{
    return mi__valloc(size);
}

void *
mi_pvalloc(size_t size)
{
    return mi__pvalloc(size);
}

// ---- Arrays

void *
mi_reallocarray(void *p, size_t count, size_t size)
{
    size_t total;
    return mi__alloc_count(count, size, &total) ? mi__realloc(p, total, false) : NULL;
}

int
mi_reallocarr(void *p, size_t count, size_t size)
{
    if (p == NULL) {
        return EINVAL;
    }
    // The caller's pointer is of any type, so it is read and written as bytes.
    void *block;
    memcpy(&block, p, sizeof block);
    int saved = errno;
    size_t total;
    if (!mi__alloc_count(count, size, &total)) {
        errno = saved;
        return EOVERFLOW;
    }
    void *moved = NULL;
    if (total == 0) {
        fast_free(block);
    } else {
        moved = mi__realloc(block, total, false);
        if (moved == NULL) {
            errno = saved;
            return ENOMEM;
        }
    }
    memcpy(p, &moved, sizeof moved);
    return 0;
}

// ---- Frees that say what they free

void
mi_free_size(void *p, size_t size)
{
    mi__free_sized(p, size, 0);
}

void
mi_free_size_aligned(void *p, size_t size, size_t alignment)
{
    mi__free_sized(p, size, alignment);
}

void
mi_free_aligned(void *p, size_t alignment)
{
    mi__free_sized(p, SIZE_MAX, alignment);
}

// ---- Strings and the environment

static void *
copy_bytes(const void *from, size_t size)
{
    void *copy = fast_alloc(size);
    if (copy != NULL) {
        memcpy(copy, from, size);
    }
    return copy;
}

unsigned short *
mi_wcsdup(const unsigned short *s)
{
    if (s == NULL) {
        return NULL;
    }
    size_t length = 0;
    while (s[length] != 0) {
        length++;
    }
    return (unsigned short *)copy_bytes(s, (length + 1) * sizeof *s);
}

unsigned char *
mi_mbsdup(const unsigned char *s)
{
    return s == NULL ? NULL : (unsigned char *)copy_bytes(s, strlen((const char *)s) + 1);
}

int
mi_dupenv_s(char **buf, size_t *size, const char *name)
{
    if (buf == NULL || name == NULL) {
        return EINVAL;
    }
    *buf = NULL;
    if (size != NULL) {
        *size = 0;
    }
    const char *value = mi__os_getenv(name);
    if (value == NULL) {
        return 0;
    }
    size_t length = strlen(value) + 1;
    *buf = (char *)copy_bytes(value, length);
    if (*buf == NULL) {
        return ENOMEM;
    }
    if (size != NULL) {
        *size = length;
    }
    return 0;
}

int
mi_wdupenv_s(unsigned short **buf, size_t *size, const unsigned short *name)
{
    (void)name;
    if (buf != NULL) {
        *buf = NULL;
    }
    if (size != NULL) {
        *size = 0;
    }
    return EINVAL;
}
