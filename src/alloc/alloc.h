// SPDX-License-Identifier: MIT
// alloc.h — malloc, calloc, realloc and their like, under internal names.
//
// Every function sets errno to ENOMEM when it returns NULL for want of memory or because of an
// impossible size, and leaves errno alone when it succeeds.
//
// Owns:        nothing
// Threads:     any
// Not here:    the inline paths → alloc/fast.h, exported names → front/api.c, front/override.c
#ifndef MI_ALLOC_ALLOC_H
#define MI_ALLOC_ALLOC_H

#include "heap/thread_heap.h"

// The functions that end in `_in` take the thread heap to allocate from, one of the calling thread's
// own; the others use the one that malloc uses.

// A block of at least `size` bytes, aligned to 16 (to 1 granule). Size 0 gives a unique pointer.
// NULL when impossible.
MI_NODISCARD void *mi__alloc(size_t size);
// The same, all usable bytes zero.
MI_NODISCARD void *mi__alloc_zeroed(size_t size);

// An allocation of `size` bytes failed for want of memory: says so, and returns NULL.
void *mi__alloc_fail(size_t size);

// `*total = count * size`; false, with errno = ENOMEM, when that overflows.
MI_NODISCARD bool mi__alloc_count(size_t count, size_t size, size_t *total);

// A block like mi__alloc's where (p + offset) is a multiple of `align`, a power of two; zeroed when
// asked. NULL with errno = EINVAL when `align` is not a power of two, ENOMEM when there is no
// memory.
MI_NODISCARD void *mi__alloc_aligned(size_t size, size_t align, size_t offset, bool zeroed);
MI_NODISCARD void *mi__alloc_aligned_in(thread_heap_t *heap, size_t size, size_t align, size_t offset,
                                        bool zeroed);

// Changes the size of `p` (NULL: a new block). Size 0 gives a live block of the smallest size. On
// failure the old block stays as it is and NULL is returned. `zeroed`: the bytes past the old
// usable size are zero.
MI_NODISCARD void *mi__realloc(void *p, size_t size, bool zeroed);
MI_NODISCARD void *mi__realloc_aligned(void *p, size_t size, size_t align, size_t offset, bool zeroed);
// The same, where the block then belongs to the heap of `heap`, wherever it came from.
MI_NODISCARD void *mi__realloc_in(thread_heap_t *heap, void *p, size_t size, bool zeroed);
MI_NODISCARD void *mi__realloc_aligned_in(thread_heap_t *heap, void *p, size_t size, size_t align,
                                          size_t offset, bool zeroed);

// `p` when the block can hold `size` bytes where it is, else NULL; errno is not touched.
void *mi__realloc_in_place(void *p, size_t size);

// Frees `p`; NULL is fine, any thread. errno is preserved. `call` names the function for a report.
void mi__free(void *p);
// The same, where the caller also says what it asked for: the size (SIZE_MAX: not known) and
// alignment (0: not known).
void mi__free_sized(void *p, size_t size, size_t align);

// Bytes that the caller may use at `p`; 0 for NULL. A pointer that is not ours is reported under
// the name `call`, and 0.
size_t mi__usable_size(const void *p, const char *call);
// Usable size of a block that mi__alloc(size) would give, without allocating; `size` itself when it
// is impossible.
size_t mi__good_size(size_t size);
// True when `p` points to (or into) a live block of this library. Safe for any pointer; never
// reports.
bool mi__is_block(const void *p);

// Collects: drains what other threads freed, sends foreign blocks home, releases empty pages of the
// calling thread and of threads that ended; with `force` purges all free slices at once, else those
// whose time has come. Returns bytes given back to the system.
size_t mi__collect(bool force);

#endif
