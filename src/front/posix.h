// SPDX-License-Identifier: MIT
// posix.h — what the mi_* names and libc's own names of the same functions share.
//
// Owns:        nothing
// Threads:     any
// Not here:    aligned blocks in general → alloc/alloc.h
#ifndef MI_FRONT_POSIX_H
#define MI_FRONT_POSIX_H

#include "base/platform.h"

// For a product that overflows: reports it, sets errno to ENOMEM, and returns NULL.
MI_COLD void *mi__posix_overflow(size_t count, size_t size);

// posix_memalign: 0, EINVAL or ENOMEM; errno is never changed, `*p` only on success.
int mi__posix_memalign(void **p, size_t alignment, size_t size);

// A block at the start of an OS page; mi__pvalloc rounds the size up to whole OS pages, one at
// least. NULL with errno = ENOMEM.
MI_NODISCARD void *mi__valloc(size_t size);
MI_NODISCARD void *mi__pvalloc(size_t size);

#endif
