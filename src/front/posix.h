// SPDX-License-Identifier: MIT
// posix.h — the parts of POSIX allocation that mi_* names and libc's own names share.
//
// Owns:        nothing
// Threads:     any
// Not here:    aligned blocks in general → alloc/alloc.h
#ifndef MI_FRONT_POSIX_H
#define MI_FRONT_POSIX_H

#include "base/platform.h"

// posix_memalign: 0, EINVAL or ENOMEM; errno is never changed, `*p` only on success.
int mi__posix_memalign(void **p, size_t alignment, size_t size);

// A block at the start of an OS page; mi__pvalloc rounds the size up to whole OS pages, one at
// least. NULL with errno = ENOMEM.
MI_NODISCARD void *mi__valloc(size_t size);
MI_NODISCARD void *mi__pvalloc(size_t size);

#endif
