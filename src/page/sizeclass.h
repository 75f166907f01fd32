// SPDX-License-Identifier: MIT
// sizeclass.h — from a size to its class, and what a class's blocks and pages measure.
//
// Classes are the multiples of 16 up to 128 bytes, then eight steps to each doubling: 144, 160, …
// 256, 288, … 64 KiB. A block above 128 bytes is thus at most 12.5% larger than asked. Rounding a
// size up to a multiple of a power of two A first gives a class whose block size is a multiple of A
// as well, so that aligned blocks need no room to spare.
//
// Owns:        nothing
// Threads:     pure functions and constant tables
// Invariants:  C1 block sizes are multiples of 16 and grow with the class
//              C2 sizeclass_of(size) is the least class whose blocks hold `size` bytes
// Not here:    which page serves a class → heap/thread_heap.h
#ifndef MI_PAGE_SIZECLASS_H
#define MI_PAGE_SIZECLASS_H

#include "base/bits.h"
#include "base/config.h"

enum {
    CLASS_AFTER_SMALL = CLASS_LINEAR_COUNT + ((10 - 7) << CLASS_STEPS_SHIFT)
}; // first class above SMALL_MAX

// The class of sizes above CLASS_LINEAR_MAX: eight steps between powers of two, by the top four
// bits of size − 1.
static inline size_t
sizeclass_of_large(size_t size)
{
    unsigned shift = highest_bit(size - 1) - CLASS_STEPS_SHIFT;
    return (((size_t)shift - (7 - CLASS_STEPS_SHIFT)) << CLASS_STEPS_SHIFT) + ((size - 1) >> shift);
}

// The class that serves `size`, at most BLOCK_MAX; size 0 is served as 1.
static inline unsigned
sizeclass_of(size_t size)
{
    if (size <= CLASS_LINEAR_MAX) {
        return size == 0 ? 0 : (unsigned)((size - 1) >> GRANULE_SHIFT);
    }
    return (unsigned)sizeclass_of_large(size);
}

// Bytes in a block of the class.
static inline size_t
sizeclass_block_size(unsigned class)
{
    if (class < CLASS_LINEAR_COUNT) {
        return (size_t)(class + 1) << GRANULE_SHIFT;
    }
    unsigned doubling = (class - CLASS_LINEAR_COUNT) >> CLASS_STEPS_SHIFT;
    size_t step = (class - CLASS_LINEAR_COUNT) & ((1U << CLASS_STEPS_SHIFT) - 1);
    return ((size_t)1 << (7 + doubling)) + ((step + 1) << (4 + doubling));
}

// Slices in a page of the class.
static inline size_t
sizeclass_page_slices(unsigned class)
{
    return sizeclass_block_size(class) <= SMALL_PAGE_BLOCK_MAX ? SMALL_PAGE_SLICES : MEDIUM_PAGE_SLICES;
}

#endif
