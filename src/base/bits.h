// SPDX-License-Identifier: MIT
// bits.h — alignment and bit arithmetic.
//
// Owns:        nothing
// Threads:     pure functions
// Not here:    atomic bitmaps → arena/slices.c
#ifndef MI_BASE_BITS_H
#define MI_BASE_BITS_H

#include "base/platform.h"

static inline bool
is_power_of_two(size_t x)
{
    return x != 0 && (x & (x - 1)) == 0;
}

// `x` rounded to a multiple of the power of two `align`; align_up wraps past SIZE_MAX, the caller
// checks.
static inline size_t
align_up(size_t x, size_t align)
{
    return (x + align - 1) & ~(align - 1);
}

static inline size_t
align_down(size_t x, size_t align)
{
    return x & ~(align - 1);
}

static inline size_t
divide_up(size_t x, size_t by)
{
    return x / by + (x % by != 0);
}

// Index of the highest set bit; `x` is not 0.
static inline unsigned
highest_bit(uint64_t x)
{
    return 63U ^ (unsigned)__builtin_clzll(x);
}

// Index of the lowest set bit; `x` is not 0.
static inline unsigned
lowest_bit(uint64_t x)
{
    return (unsigned)__builtin_ctzll(x);
}

// How many bits are set, by sums side by side: where the processor need not have an instruction for it,
// gcc's builtin calls a function of libgcc.
static inline size_t
bit_count(uint64_t x)
{
    x -= x >> 1 & UINT64_C(0x5555555555555555);
    x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
    x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (size_t)(x * UINT64_C(0x0101010101010101) >> 56);
}

// The lowest `count` bits set; `count` is at most 64.
static inline uint64_t
low_mask(unsigned count)
{
    return count >= 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
}

static inline size_t
size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t
size_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

#endif
