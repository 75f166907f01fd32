// SPDX-License-Identifier: MIT
// probes.h — static probes for tracers: otel_memory:alloc(address, size, weighted bytes) and :free(address).
//
// Each is one nop, beside a test of a counter that tracers raise while they look. In builds where
// <sys/sdt.h> is there.
//
// Owns:        the counters
// Threads:     any
// Not here:    when they are reached → front/profile.c
#ifndef MI_FRONT_PROBES_H
#define MI_FRONT_PROBES_H

#include "base/platform.h"

#if __has_include(<sys/sdt.h>)
#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>

// Found by these names by the notes that STAP_PROBE writes.
#define PROBE_COUNTER static volatile unsigned short __attribute__((used, section(".probes")))
PROBE_COUNTER otel_memory_alloc_semaphore;
PROBE_COUNTER otel_memory_free_semaphore;

static inline void
probe_alloc(void *p, uint64_t size, uint64_t weight_bytes)
{
    if (otel_memory_alloc_semaphore != 0) {
        STAP_PROBE3(otel_memory, alloc, p, size, weight_bytes);
    }
}

static inline void
probe_free(void *p)
{
    if (otel_memory_free_semaphore != 0) {
        STAP_PROBE1(otel_memory, free, p);
    }
}
#else
static inline void
probe_alloc(void *p, uint64_t size, uint64_t weight_bytes)
{
    (void)p;
    (void)size;
    (void)weight_bytes;
}

static inline void
probe_free(void *p)
{
    (void)p;
}
#endif

#endif
