// SPDX-License-Identifier: MIT
// api.c — the mi_* functions, except for those that POSIX or C++ shaped.
//
// Owns:        the deferred-free function of the program
// Threads:     any
// Not here:    POSIX and Windows names → front/posix.c, C++ → front/new.c, malloc itself →
//              front/override.c, figures → front/stats_api.c, options → front/options_api.c
#include <stdlib.h>
#include <string.h>

#include "mimalloc.h"

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "base/atomic.h"
#include "front/deferred.h"
#include "front/init.h"
#include "front/posix.h"
#include "front/report.h"
#include "heap/census.h"
#include "heap/registry.h"
#include "os/os.h"

// ---- The standard functions

void *
mi_malloc(size_t size)
{
    return fast_alloc(size);
}

void *
mi_calloc(size_t count, size_t size)
{
    size_t total;
    if (unlikely(__builtin_mul_overflow(count, size, &total))) {
        return mi__posix_overflow(count, size);
    }
    return fast_alloc_zeroed(total);
}

void *
mi_realloc(void *p, size_t newsize)
{
    return mi__realloc(p, newsize, false);
}

void *
mi_expand(void *p, size_t newsize)
{
    return mi__realloc_in_place(p, newsize);
}

void
mi_free(void *p)
{
    fast_free(p);
}

static char *
copy_chars(const char *s, size_t length)
{
    char *copy = (char *)fast_alloc(length + 1);
    if (copy != NULL) {
        memcpy(copy, s, length);
        copy[length] = 0;
    }
    return copy;
}

char *
mi_strdup(const char *s)
{
    return s == NULL ? NULL : copy_chars(s, strlen(s));
}

char *
mi_strndup(const char *s, size_t n)
{
    return s == NULL ? NULL : copy_chars(s, strnlen(s, n));
}

char *
mi_realpath(const char *fname, char *resolved_name)
{
    if (resolved_name != NULL) {
        return mi__os_full_path(fname, resolved_name);
    }
    char buffer[OS_PATH_MAX];
    return mi__os_full_path(fname, buffer) == NULL ? NULL : copy_chars(buffer, strlen(buffer));
}

// ---- More of the same

void *
mi_malloc_small(size_t size)
{
    return fast_alloc(size);
}

void *
mi_zalloc_small(size_t size)
{
    return fast_alloc_zeroed(size);
}

void
mi_free_small(void *p)
{
    fast_free(p);
}

void
mi_free_small_nonnull(void *p)
{
    fast_free(p);
}

void
mi_free_small_local(void *p)
{
    fast_free(p);
}

void
mi_free_small_local_nonnull(void *p)
{
    fast_free(p);
}

void *
mi_zalloc(size_t size)
{
    return fast_alloc_zeroed(size);
}

void *
mi_mallocn(size_t count, size_t size)
{
    size_t total;
    return mi__alloc_count(count, size, &total) ? fast_alloc(total) : NULL;
}

void *
mi_reallocn(void *p, size_t count, size_t size)
{
    size_t total;
    return mi__alloc_count(count, size, &total) ? mi__realloc(p, total, false) : NULL;
}

void *
mi_reallocf(void *p, size_t newsize)
{
    void *q = mi__realloc(p, newsize, false);
    if (q == NULL) {
        fast_free(p);
    }
    return q;
}

size_t
mi_usable_size(const void *p)
{
    return mi__usable_size(p, "mi_usable_size");
}

size_t
mi_good_size(size_t size)
{
    return mi__good_size(size);
}

// ---- Aligned blocks

void *
mi_malloc_aligned(size_t size, size_t alignment)
{
    return mi__alloc_aligned(size, alignment, 0, false);
}

void *
mi_malloc_aligned_at(size_t size, size_t alignment, size_t offset)
{
    return mi__alloc_aligned(size, alignment, offset, false);
}

void *
mi_zalloc_aligned(size_t size, size_t alignment)
{
    return mi__alloc_aligned(size, alignment, 0, true);
}

void *
mi_zalloc_aligned_at(size_t size, size_t alignment, size_t offset)
{
    return mi__alloc_aligned(size, alignment, offset, true);
}

static void *
calloc_aligned_at(size_t count, size_t size, size_t alignment, size_t offset)
{
    size_t total;
    if (!mi__alloc_count(count, size, &total)) {
        return NULL;
    }
    return mi__alloc_aligned(total, alignment, offset, true);
}

void *
mi_calloc_aligned(size_t count, size_t size, size_t alignment)
{
    return calloc_aligned_at(count, size, alignment, 0);
}

void *
mi_calloc_aligned_at(size_t count, size_t size, size_t alignment, size_t offset)
{
    return calloc_aligned_at(count, size, alignment, offset);
}

void *
mi_realloc_aligned(void *p, size_t newsize, size_t alignment)
{
    return mi__realloc_aligned(p, newsize, alignment, 0, false);
}

void *
mi_realloc_aligned_at(void *p, size_t newsize, size_t alignment, size_t offset)
{
    return mi__realloc_aligned(p, newsize, alignment, offset, false);
}

// ---- Resizing blocks that are zero

void *
mi_rezalloc(void *p, size_t newsize)
{
    return mi__realloc(p, newsize, true);
}

void *
mi_recalloc(void *p, size_t newcount, size_t size)
{
    size_t total;
    return mi__alloc_count(newcount, size, &total) ? mi__realloc(p, total, true) : NULL;
}

void *
mi_rezalloc_aligned(void *p, size_t newsize, size_t alignment)
{
    return mi__realloc_aligned(p, newsize, alignment, 0, true);
}

void *
mi_rezalloc_aligned_at(void *p, size_t newsize, size_t alignment, size_t offset)
{
    return mi__realloc_aligned(p, newsize, alignment, offset, true);
}

static void *
recalloc_aligned_at(void *p, size_t newcount, size_t size, size_t alignment, size_t offset)
{
    size_t total;
    if (!mi__alloc_count(newcount, size, &total)) {
        return NULL;
    }
    return mi__realloc_aligned(p, total, alignment, offset, true);
}

void *
mi_recalloc_aligned(void *p, size_t newcount, size_t size, size_t alignment)
{
    return recalloc_aligned_at(p, newcount, size, alignment, 0);
}

void *
mi_recalloc_aligned_at(void *p, size_t newcount, size_t size, size_t alignment, size_t offset)
{
    return recalloc_aligned_at(p, newcount, size, alignment, offset);
}

void *
mi_aligned_recalloc(void *p, size_t newcount, size_t size, size_t alignment)
{
    return recalloc_aligned_at(p, newcount, size, alignment, 0);
}

void *
mi_aligned_offset_recalloc(void *p, size_t newcount, size_t size, size_t alignment, size_t offset)
{
    return recalloc_aligned_at(p, newcount, size, alignment, offset);
}

// ---- Functions that also tell block sizes

static void *
tell_size(void *p, size_t *block_size)
{
    if (block_size != NULL) {
        *block_size = mi__usable_size(p, "mi_umalloc");
    }
    return p;
}

void *
mi_umalloc(size_t size, size_t *block_size)
{
    return tell_size(fast_alloc(size), block_size);
}

void *
mi_uzalloc(size_t size, size_t *block_size)
{
    return tell_size(fast_alloc_zeroed(size), block_size);
}

void *
mi_ucalloc(size_t count, size_t size, size_t *block_size)
{
    size_t total;
    void *p = mi__alloc_count(count, size, &total) ? fast_alloc_zeroed(total) : NULL;
    return tell_size(p, block_size);
}

void *
mi_urealloc(void *p, size_t newsize, size_t *block_size_pre, size_t *block_size_post)
{
    if (block_size_pre != NULL) {
        *block_size_pre = mi__usable_size(p, "mi_urealloc");
    }
    return tell_size(mi__realloc(p, newsize, false), block_size_post);
}

void
mi_ufree(void *p, size_t *block_size)
{
    if (block_size != NULL) {
        *block_size = mi__usable_size(p, "mi_ufree");
    }
    fast_free(p);
}

void *
mi_umalloc_aligned(size_t size, size_t alignment, size_t *block_size)
{
    return tell_size(mi__alloc_aligned(size, alignment, 0, false), block_size);
}

void *
mi_uzalloc_aligned(size_t size, size_t alignment, size_t *block_size)
{
    return tell_size(mi__alloc_aligned(size, alignment, 0, true), block_size);
}

void *
mi_umalloc_small(size_t size, size_t *block_size)
{
    return tell_size(fast_alloc(size), block_size);
}

void *
mi_uzalloc_small(size_t size, size_t *block_size)
{
    return tell_size(fast_alloc_zeroed(size), block_size);
}

// ---- The process and its threads

int
mi_version(void)
{
    return MI_MALLOC_VERSION;
}

void
mi_collect(bool force)
{
    (void)mi__collect(force);
}

void
mi_collect_reduce(size_t target_thread_owned)
{
    census_t census;
    census_scope_t scope = {.thread = mi__thread_heap->main};
    mi__census_take_part(&census, &scope);
    if (census.total.page_bytes > target_thread_owned) {
        (void)mi__collect(true);
    }
}

bool
mi_is_in_heap_region(const void *p)
{
    return mi__region_of(p) != NULL;
}

bool
mi_is_redirected(void)
{
    return false;
}

void
mi_register_deferred_free(mi_deferred_free_fun *fun, void *arg)
{
    mi__deferred_set(fun, arg);
}

void
mi_register_output(mi_output_fun *out, void *arg)
{
    mi__report_set_output(out, arg);
}

void
mi_register_error(mi_error_fun *fun, void *arg)
{
    mi__report_set_error(fun, arg);
}

void
mi_thread_init(void)
{
    if (thread_heap_is_none(mi__thread_heap)) {
        // Out of memory: the first allocation tries again, and says so.
        (void)!mi__registry_bind();
    }
}

void
mi_thread_done(void)
{
    mi__registry_leave();
}

void
mi_thread_set_in_threadpool(void)
{
    // Pages of a thread that ends are handed over as a whole: there is no eagerness to restrain.
}

void
mi_process_init(void)
{
    mi__process_init();
}

void
mi_process_done(void)
{
    mi__process_done();
}
