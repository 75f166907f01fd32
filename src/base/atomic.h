// SPDX-License-Identifier: MIT
// atomic.h — atomic operations with the memory order in their names.
//
// An ordered operation (anything but relaxed) carries a comment that names its partner.
// Fields that their owner writes on the fast path, and that others may look at as a hint, are plain
// fields written with OWNER_SET and read by others with HINT_GET: plain moves in a normal build,
// relaxed atomics under ThreadSanitizer, so that the tool sees the code's claim that staleness is
// harmless. HOT_GET is HINT_GET for the places where the compiler must be free to compare with
// memory: an atomic load always takes a register.
//
// Owns:        nothing
// Threads:     any
// Not here:    the protocols → page/remote.c, arena/slices.c, heap/registry.c
#ifndef MI_BASE_ATOMIC_H
#define MI_BASE_ATOMIC_H

#include <stdatomic.h>

#include "base/platform.h"

// A bool that is exchanged: not every processor can do that with a byte (RISC-V).
typedef uint32_t flag_t;

#define atomic_get_relaxed(p) atomic_load_explicit((p), memory_order_relaxed)
#define atomic_get_acquire(p) atomic_load_explicit((p), memory_order_acquire)
#define atomic_set_relaxed(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)
#define atomic_set_release(p, v) atomic_store_explicit((p), (v), memory_order_release)
#define atomic_add_relaxed(p, v) atomic_fetch_add_explicit((p), (v), memory_order_relaxed)
#define atomic_sub_relaxed(p, v) atomic_fetch_sub_explicit((p), (v), memory_order_relaxed)
#define atomic_or_relaxed(p, v) atomic_fetch_or_explicit((p), (v), memory_order_relaxed)
#define atomic_and_relaxed(p, v) atomic_fetch_and_explicit((p), (v), memory_order_relaxed)
#define atomic_or_acq_rel(p, v) atomic_fetch_or_explicit((p), (v), memory_order_acq_rel)
#define atomic_and_release(p, v) atomic_fetch_and_explicit((p), (v), memory_order_release)
#define atomic_exchange_acquire(p, v) atomic_exchange_explicit((p), (v), memory_order_acquire)
#define atomic_exchange_acq_rel(p, v) atomic_exchange_explicit((p), (v), memory_order_acq_rel)
#define atomic_cas_weak_relaxed(p, expected, desired)                                                        \
    atomic_compare_exchange_weak_explicit((p), (expected), (desired), memory_order_relaxed,                  \
                                          memory_order_relaxed)
#define atomic_cas_weak_release(p, expected, desired)                                                        \
    atomic_compare_exchange_weak_explicit((p), (expected), (desired), memory_order_release,                  \
                                          memory_order_relaxed)
#define atomic_cas_weak_acquire(p, expected, desired)                                                        \
    atomic_compare_exchange_weak_explicit((p), (expected), (desired), memory_order_acquire,                  \
                                          memory_order_relaxed)
#define atomic_cas_weak_acq_rel(p, expected, desired)                                                        \
    atomic_compare_exchange_weak_explicit((p), (expected), (desired), memory_order_acq_rel,                  \
                                          memory_order_acquire)
#define atomic_cas_strong_relaxed(p, expected, desired)                                                      \
    atomic_compare_exchange_strong_explicit((p), (expected), (desired), memory_order_relaxed,                \
                                            memory_order_relaxed)
#define atomic_cas_strong_acquire(p, expected, desired)                                                      \
    atomic_compare_exchange_strong_explicit((p), (expected), (desired), memory_order_acquire,                \
                                            memory_order_relaxed)
#define atomic_cas_strong_acq_rel(p, expected, desired)                                                      \
    atomic_compare_exchange_strong_explicit((p), (expected), (desired), memory_order_acq_rel,                \
                                            memory_order_acquire)

#if MI_TSAN
#define OWNER_SET(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)
#else
#define OWNER_SET(field, value) ((field) = (value))
#endif
#if MI_TSAN
#define HOT_GET(field) HINT_GET(field)
#else
#define HOT_GET(field) (field)
#endif
#define HINT_GET(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define HINT_SET(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)

#endif
