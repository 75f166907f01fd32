// SPDX-License-Identifier: MIT
// track.h — what Valgrind and AddressSanitizer are told about memory; nothing in a build without them.
//
// The build option MI_TRACK chooses. Every function below is empty, and track_on() is constant, when
// it is TRACK_NONE: the compiler then drops the code behind `if (track_on())`.
//
// A function that allocates calls itself again inside of `track_on()`, with a larger size: the depth
// tells the call from outside, which the tool is to hear of, from those that it leads to.
//
// Owns:        `mi__track_depth`
// Threads:     any
// Not here:    the room around a block → page/cell.h, what calls these → alloc/tracked.h
#ifndef MI_BASE_TRACK_H
#define MI_BASE_TRACK_H

#include "base/platform.h"

#define TRACK_NONE 0
#define TRACK_VALGRIND 1
#define TRACK_ASAN 2

#ifndef MI_TRACK
#define MI_TRACK TRACK_NONE
#endif

enum { TRACKING = MI_TRACK != TRACK_NONE };

#if MI_TRACK == TRACK_VALGRIND
#include <valgrind/memcheck.h>
#elif MI_TRACK == TRACK_ASAN
// Of the sanitizer's runtime: NULL in a program without one. The library itself is not instrumented.
MI_WEAK void __asan_poison_memory_region(const volatile void *p, size_t size);
MI_WEAK void __asan_unpoison_memory_region(const volatile void *p, size_t size);
MI_WEAK void __lsan_register_root_region(const void *p, size_t size);
#endif

// How deep the calling thread is in functions that are tracked.
extern MI_HIDDEN MI_THREAD_LOCAL unsigned mi__track_depth;

// True in a tracking build, for the call from outside. No function: what is behind it is dropped without
// optimization, too.
#define track_on() (TRACKING && mi__track_depth == 0)

// Around calls of functions of the program from inside of ours: their calls come from outside again.
static inline unsigned
track_pause(void)
{
    unsigned depth = 0;
    if (TRACKING) {
        depth = mi__track_depth;
        mi__track_depth = 0;
    }
    return depth;
}

static inline void
track_resume(unsigned depth)
{
    if (TRACKING) {
        mi__track_depth = depth;
    }
}

// Nobody may touch it; the library itself may once it has called track_show.
static inline void
track_close(const void *p, size_t size)
{
#if MI_TRACK == TRACK_VALGRIND
    VALGRIND_MAKE_MEM_NOACCESS(p, size);
#elif MI_TRACK == TRACK_ASAN
    if (__asan_poison_memory_region != NULL) {
        __asan_poison_memory_region(p, size);
    }
#endif
    (void)p;
    (void)size;
}

// The library may read and write it. Nothing to say to AddressSanitizer, which watches only code
// that was compiled with it, and functions of libc that it replaces: memset and memcpy.
static inline void
track_show(const void *p, size_t size)
{
#if MI_TRACK == TRACK_VALGRIND
    VALGRIND_MAKE_MEM_DEFINED(p, size);
#endif
    (void)p;
    (void)size;
}

// Everybody may write it: also memset.
static inline void
track_open(const void *p, size_t size)
{
#if MI_TRACK == TRACK_VALGRIND
    VALGRIND_MAKE_MEM_UNDEFINED(p, size);
#elif MI_TRACK == TRACK_ASAN
    if (__asan_unpoison_memory_region != NULL) {
        __asan_unpoison_memory_region(p, size);
    }
#endif
    (void)p;
    (void)size;
}

// `p` is a block of `size` bytes from now on, and is none any more.
static inline void
track_give(const void *p, size_t size, bool zeroed)
{
#if MI_TRACK == TRACK_VALGRIND
    VALGRIND_MALLOCLIKE_BLOCK(p, size, 0, zeroed);
#else
    (void)zeroed;
    track_open(p, size);
#endif
}

static inline void
track_take(const void *p, size_t size)
{
#if MI_TRACK == TRACK_VALGRIND
    VALGRIND_FREELIKE_BLOCK(p, 0);
    (void)size;
#else
    track_close(p, size);
#endif
}

// `p`, which is no block, was freed. True when the tool has reported it.
static inline bool
track_wrong_free(const void *p)
{
#if MI_TRACK == TRACK_VALGRIND
    VALGRIND_FREELIKE_BLOCK(p, 0);
    return RUNNING_ON_VALGRIND != 0;
#else
    (void)p;
    return false;
#endif
}

// Memory where blocks of other mallocs may be referred to: the search for leaks is to look there.
static inline void
track_root(const void *p, size_t size)
{
#if MI_TRACK == TRACK_ASAN
    if (__lsan_register_root_region != NULL) {
        __lsan_register_root_region(p, size);
    }
#endif
    (void)p;
    (void)size;
}

#endif
