// SPDX-License-Identifier: MIT
// tsan.c — the functions that the compiler calls for every access to memory, under
// -fsanitize=thread.
//
// Owns:        nothing
// Threads:     any of the explored ones
// Not here:    what an access does → memory.c
#include <stdint.h>
#include <string.h>

#include "memory.h"

void *explore_memset(void *p, int c, size_t size);

void *
explore_memset(void *p, int c, size_t size)
{
    memory_write(p, size);
    return memset(p, c, size);
}

#define PLAIN(size)                                                                                          \
    void __tsan_read##size(void *p);                                                                         \
    void __tsan_write##size(void *p);                                                                        \
    void __tsan_unaligned_read##size(void *p);                                                               \
    void __tsan_unaligned_write##size(void *p);                                                              \
    void __tsan_read##size(void *p)                                                                          \
    {                                                                                                        \
        memory_read(p, size);                                                                                \
    }                                                                                                        \
    void __tsan_write##size(void *p)                                                                         \
    {                                                                                                        \
        memory_write(p, size);                                                                               \
    }                                                                                                        \
    void __tsan_unaligned_read##size(void *p)                                                                \
    {                                                                                                        \
        memory_read(p, size);                                                                                \
    }                                                                                                        \
    void __tsan_unaligned_write##size(void *p)                                                               \
    {                                                                                                        \
        memory_write(p, size);                                                                               \
    }

PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

#define RETURN_ADDRESS __builtin_return_address(0)

#define RMW(type, bits, name, kind)                                                                          \
    type __tsan_atomic##bits##_##name(volatile type *p, type value, int order);                              \
    type __tsan_atomic##bits##_##name(volatile type *p, type value, int order)                               \
    {                                                                                                        \
        operation_t op = {.action = (kind),                                                                  \
                          .order = order,                                                                    \
                          .at = (char *)(uintptr_t)p,                                                        \
                          .size = sizeof(type),                                                              \
                          .operand = (uint64_t)value,                                                        \
                          .pc = RETURN_ADDRESS};                                                             \
        return (type)memory_act(&op);                                                                        \
    }

#define COMPARE(type, bits, name)                                                                            \
    int __tsan_atomic##bits##_##name(volatile type *p, type *expected, type desired, int order, int failed); \
    int __tsan_atomic##bits##_##name(volatile type *p, type *expected, type desired, int order, int failed)  \
    {                                                                                                        \
        operation_t op = {.action = CAS,                                                                     \
                          .order = order,                                                                    \
                          .order_failed = failed,                                                            \
                          .at = (char *)(uintptr_t)p,                                                        \
                          .size = sizeof(type),                                                              \
                          .operand = (uint64_t)desired,                                                      \
                          .expected = (uint64_t)*expected,                                                   \
                          .pc = RETURN_ADDRESS};                                                             \
        *expected = (type)memory_act(&op);                                                                   \
        return op.done;                                                                                      \
    }

#define ATOMICS(type, bits)                                                                                  \
    type __tsan_atomic##bits##_load(const volatile type *p, int order);                                      \
    type __tsan_atomic##bits##_load(const volatile type *p, int order)                                       \
    {                                                                                                        \
        operation_t op = {.action = LOAD,                                                                    \
                          .order = order,                                                                    \
                          .at = (char *)(uintptr_t)p,                                                        \
                          .size = sizeof(type),                                                              \
                          .pc = RETURN_ADDRESS};                                                             \
        return (type)memory_act(&op);                                                                        \
    }                                                                                                        \
    void __tsan_atomic##bits##_store(volatile type *p, type value, int order);                               \
    void __tsan_atomic##bits##_store(volatile type *p, type value, int order)                                \
    {                                                                                                        \
        operation_t op = {.action = STORE,                                                                   \
                          .order = order,                                                                    \
                          .at = (char *)(uintptr_t)p,                                                        \
                          .size = sizeof(type),                                                              \
                          .operand = (uint64_t)value,                                                        \
                          .pc = RETURN_ADDRESS};                                                             \
        (void)memory_act(&op);                                                                               \
    }                                                                                                        \
    type __tsan_atomic##bits##_compare_exchange_val(volatile type *p, type expected, type desired,           \
                                                    int order, int failed);                                  \
    type __tsan_atomic##bits##_compare_exchange_val(volatile type *p, type expected, type desired,           \
                                                    int order, int failed)                                   \
    {                                                                                                        \
        operation_t op = {.action = CAS,                                                                     \
                          .order = order,                                                                    \
                          .order_failed = failed,                                                            \
                          .at = (char *)(uintptr_t)p,                                                        \
                          .size = sizeof(type),                                                              \
                          .operand = (uint64_t)desired,                                                      \
                          .expected = (uint64_t)expected,                                                    \
                          .pc = RETURN_ADDRESS};                                                             \
        return (type)memory_act(&op);                                                                        \
    }                                                                                                        \
    COMPARE(type, bits, compare_exchange_strong)                                                             \
    COMPARE(type, bits, compare_exchange_weak)                                                               \
    RMW(type, bits, exchange, EXCHANGE)                                                                      \
    RMW(type, bits, fetch_add, ADD)                                                                          \
    RMW(type, bits, fetch_sub, SUB)                                                                          \
    RMW(type, bits, fetch_and, AND)                                                                          \
    RMW(type, bits, fetch_or, OR)                                                                            \
    RMW(type, bits, fetch_xor, XOR)                                                                          \
    RMW(type, bits, fetch_nand, NAND)

ATOMICS(uint8_t, 8)
ATOMICS(uint16_t, 16)
ATOMICS(uint32_t, 32)
ATOMICS(uint64_t, 64)

void __tsan_init(void);
void __tsan_func_entry(void *pc);
void __tsan_func_exit(void);
void __tsan_read_range(void *p, size_t size);
void __tsan_write_range(void *p, size_t size);
// Orders a thread and its signal handlers, of which there are none here.
void __tsan_atomic_signal_fence(int order);
void
__tsan_atomic_signal_fence(int order)
{
    (void)order;
}

void __tsan_atomic_thread_fence(int order);

void
__tsan_init(void)
{
}

void
__tsan_func_entry(void *pc)
{
    (void)pc;
}

void
__tsan_func_exit(void)
{
}

void
__tsan_read_range(void *p, size_t size)
{
    memory_read(p, size);
}

void
__tsan_write_range(void *p, size_t size)
{
    memory_write(p, size);
}

void
__tsan_atomic_thread_fence(int order)
{
    memory_fence(order, RETURN_ADDRESS);
}
