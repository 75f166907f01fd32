// SPDX-License-Identifier: MIT
// heap_api.c — the mi_heap_* and mi_theap_* functions that allocate.
//
// Owns:        nothing
// Threads:     any
// Not here:    making, ending and asking about heaps → front/heap_manage.c, the same without a heap →
//              front/api.c
#include <stdlib.h>
#include <string.h>

#include "mimalloc.h"

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "front/heap_types.h"
#include "front/new.h"
#include "heap/siblings.h"
#include "os/os.h"

// The calling thread's part of the heap; NULL without memory for one.
static inline thread_heap_t *
part_of(mi_heap_t *heap)
{
    return mi__siblings_of(heap_of_public(heap));
}

static void *
allocate(thread_heap_t *part, size_t size, bool zeroed)
{
    if (unlikely(part == NULL)) {
        return mi__alloc_fail(size);
    }
    return zeroed ? fast_alloc_zeroed_in(part, size) : fast_alloc_in(part, size);
}

static void *
allocate_aligned(thread_heap_t *part, size_t size, size_t alignment, size_t offset, bool zeroed)
{
    return part == NULL ? mi__alloc_fail(size) : mi__alloc_aligned_in(part, size, alignment, offset, zeroed);
}

static void *
resize(thread_heap_t *part, void *p, size_t size, bool zeroed)
{
    return part == NULL ? mi__alloc_fail(size) : mi__realloc_in(part, p, size, zeroed);
}

static void *
resize_aligned(thread_heap_t *part, void *p, size_t size, size_t alignment, size_t offset, bool zeroed)
{
    return part == NULL ? mi__alloc_fail(size)
                        : mi__realloc_aligned_in(part, p, size, alignment, offset, zeroed);
}

// ---- Heaps

// For another heap than the last, a larger block, or a page that has none at hand.
MI_NOINLINE static void *
malloc_slow(mi_heap_t *heap, size_t size)
{
    return allocate(part_of(heap), size, false);
}

// Two instructions more than mi_malloc: what it hands on keeps its arguments where they are.
void *
mi_heap_malloc(mi_heap_t *heap, size_t size)
{
    thread_heap_t *last = mi__siblings_last;
    if (likely(siblings_is_of(last, heap_of_public(heap)) && size <= SMALL_MAX && !track_on())) {
        page_t *page = last->serving[serving_index_small(size)];
        if (likely(page->free != NULL)) {
            return page_pop(page, page->free);
        }
    }
    return malloc_slow(heap, size);
}

void *
mi_heap_zalloc(mi_heap_t *heap, size_t size)
{
    return allocate(part_of(heap), size, true);
}

void *
mi_heap_calloc(mi_heap_t *heap, size_t count, size_t size)
{
    size_t total;
    return mi__alloc_count(count, size, &total) ? allocate(part_of(heap), total, true) : NULL;
}

void *
mi_heap_mallocn(mi_heap_t *heap, size_t count, size_t size)
{
    size_t total;
    return mi__alloc_count(count, size, &total) ? allocate(part_of(heap), total, false) : NULL;
}

void *
mi_heap_malloc_small(mi_heap_t *heap, size_t size)
{
    return mi_heap_malloc(heap, size);
}

void *
mi_heap_zalloc_small(mi_heap_t *heap, size_t size)
{
    return allocate(part_of(heap), size, true);
}

void *
mi_heap_realloc(mi_heap_t *heap, void *p, size_t newsize)
{
    return resize(part_of(heap), p, newsize, false);
}

void *
mi_heap_reallocn(mi_heap_t *heap, void *p, size_t count, size_t size)
{
    size_t total;
    return mi__alloc_count(count, size, &total) ? resize(part_of(heap), p, total, false) : NULL;
}

void *
mi_heap_reallocf(mi_heap_t *heap, void *p, size_t newsize)
{
    void *q = resize(part_of(heap), p, newsize, false);
    if (q == NULL) {
        fast_free(p);
    }
    return q;
}

void *
mi_heap_rezalloc(mi_heap_t *heap, void *p, size_t newsize)
{
    return resize(part_of(heap), p, newsize, true);
}

void *
mi_heap_recalloc(mi_heap_t *heap, void *p, size_t newcount, size_t size)
{
    size_t total;
    return mi__alloc_count(newcount, size, &total) ? resize(part_of(heap), p, total, true) : NULL;
}

static char *
copy_chars(mi_heap_t *heap, const char *s, size_t length)
{
    char *copy = (char *)allocate(part_of(heap), length + 1, false);
    if (copy != NULL) {
        memcpy(copy, s, length);
        copy[length] = 0;
    }
    return copy;
}

char *
mi_heap_strdup(mi_heap_t *heap, const char *s)
{
    return s == NULL ? NULL : copy_chars(heap, s, strlen(s));
}

char *
mi_heap_strndup(mi_heap_t *heap, const char *s, size_t n)
{
    return s == NULL ? NULL : copy_chars(heap, s, strnlen(s, n));
}

char *
mi_heap_realpath(mi_heap_t *heap, const char *fname, char *resolved_name)
{
    if (resolved_name != NULL) {
        return mi__os_full_path(fname, resolved_name);
    }
    char buffer[OS_PATH_MAX];
    return mi__os_full_path(fname, buffer) == NULL ? NULL : copy_chars(heap, buffer, strlen(buffer));
}

// ---- Heaps, aligned

void *
mi_heap_malloc_aligned(mi_heap_t *heap, size_t size, size_t alignment)
{
    return allocate_aligned(part_of(heap), size, alignment, 0, false);
}

void *
mi_heap_malloc_aligned_at(mi_heap_t *heap, size_t size, size_t alignment, size_t offset)
{
    return allocate_aligned(part_of(heap), size, alignment, offset, false);
}

void *
mi_heap_zalloc_aligned(mi_heap_t *heap, size_t size, size_t alignment)
{
    return allocate_aligned(part_of(heap), size, alignment, 0, true);
}

void *
mi_heap_zalloc_aligned_at(mi_heap_t *heap, size_t size, size_t alignment, size_t offset)
{
    return allocate_aligned(part_of(heap), size, alignment, offset, true);
}

void *
mi_heap_calloc_aligned(mi_heap_t *heap, size_t count, size_t size, size_t alignment)
{
    return mi_heap_calloc_aligned_at(heap, count, size, alignment, 0);
}

void *
mi_heap_calloc_aligned_at(mi_heap_t *heap, size_t count, size_t size, size_t alignment, size_t offset)
{
    size_t total;
    return mi__alloc_count(count, size, &total)
               ? allocate_aligned(part_of(heap), total, alignment, offset, true)
               : NULL;
}

void *
mi_heap_realloc_aligned(mi_heap_t *heap, void *p, size_t newsize, size_t alignment)
{
    return resize_aligned(part_of(heap), p, newsize, alignment, 0, false);
}

void *
mi_heap_realloc_aligned_at(mi_heap_t *heap, void *p, size_t newsize, size_t alignment, size_t offset)
{
    return resize_aligned(part_of(heap), p, newsize, alignment, offset, false);
}

void *
mi_heap_rezalloc_aligned(mi_heap_t *heap, void *p, size_t newsize, size_t alignment)
{
    return resize_aligned(part_of(heap), p, newsize, alignment, 0, true);
}

void *
mi_heap_rezalloc_aligned_at(mi_heap_t *heap, void *p, size_t newsize, size_t alignment, size_t offset)
{
    return resize_aligned(part_of(heap), p, newsize, alignment, offset, true);
}

void *
mi_heap_recalloc_aligned(mi_heap_t *heap, void *p, size_t newcount, size_t size, size_t alignment)
{
    return mi_heap_recalloc_aligned_at(heap, p, newcount, size, alignment, 0);
}

void *
mi_heap_recalloc_aligned_at(mi_heap_t *heap, void *p, size_t newcount, size_t size, size_t alignment,
                            size_t offset)
{
    size_t total;
    return mi__alloc_count(newcount, size, &total)
               ? resize_aligned(part_of(heap), p, total, alignment, offset, true)
               : NULL;
}

// ---- Heaps, as C++ wants it

// The new handler may end the thread's use of a heap: its part is looked up again each time.
void *
mi_heap_alloc_new(mi_heap_t *heap, size_t size)
{
    void *p;
    while (unlikely((p = mi_heap_malloc(heap, size)) == NULL)) {
        mi__new_call_handler(size);
    }
    return p;
}

void *
mi_heap_alloc_new_n(mi_heap_t *heap, size_t count, size_t size)
{
    size_t total;
    if (unlikely(!mi__alloc_count(count, size, &total))) {
        mi__new_throw(SIZE_MAX);
    }
    return mi_heap_alloc_new(heap, total);
}

// ---- Thread heaps

void *
mi_theap_malloc(mi_theap_t *theap, size_t size)
{
    return fast_alloc_in(part_of_public(theap), size);
}

void *
mi_theap_zalloc(mi_theap_t *theap, size_t size)
{
    return fast_alloc_zeroed_in(part_of_public(theap), size);
}

void *
mi_theap_calloc(mi_theap_t *theap, size_t count, size_t size)
{
    size_t total;
    return mi__alloc_count(count, size, &total) ? fast_alloc_zeroed_in(part_of_public(theap), total) : NULL;
}

void *
mi_theap_malloc_small(mi_theap_t *theap, size_t size)
{
    return fast_alloc_in(part_of_public(theap), size);
}

void *
mi_theap_zalloc_small(mi_theap_t *theap, size_t size)
{
    return fast_alloc_zeroed_in(part_of_public(theap), size);
}

void *
mi_theap_malloc_aligned(mi_theap_t *theap, size_t size, size_t alignment)
{
    return mi__alloc_aligned_in(part_of_public(theap), size, alignment, 0, false);
}

void *
mi_theap_zalloc_aligned(mi_theap_t *theap, size_t size, size_t alignment)
{
    return mi__alloc_aligned_in(part_of_public(theap), size, alignment, 0, true);
}

void *
mi_theap_realloc(mi_theap_t *theap, void *p, size_t newsize)
{
    return mi__realloc_in(part_of_public(theap), p, newsize, false);
}

void *
mi_theap_rezalloc(mi_theap_t *theap, void *p, size_t newsize)
{
    return mi__realloc_in(part_of_public(theap), p, newsize, true);
}

void *
mi_theap_umalloc(mi_theap_t *theap, size_t size, size_t *block_size)
{
    void *p = fast_alloc_in(part_of_public(theap), size);
    if (block_size != NULL) {
        *block_size = mi__usable_size(p, "mi_theap_umalloc");
    }
    return p;
}

void *
mi_theap_alloc_new_nothrow(mi_theap_t *theap, size_t size)
{
    return fast_alloc_in(part_of_public(theap), size);
}

void *
mi_theap_alloc_new(mi_theap_t *theap, size_t size)
{
    void *p;
    while (unlikely((p = fast_alloc_in(part_of_public(theap), size)) == NULL)) {
        mi__new_call_handler(size);
    }
    return p;
}

void *
mi_theap_alloc_new_n(mi_theap_t *theap, size_t count, size_t size)
{
    size_t total;
    if (unlikely(!mi__alloc_count(count, size, &total))) {
        mi__new_throw(SIZE_MAX);
    }
    return mi_theap_alloc_new(theap, total);
}
