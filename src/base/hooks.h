// SPDX-License-Identifier: MIT
// hooks.h — the complete list of calls from lower layers up to `front`.
//
// Owns:        `mi__hooks`: defaults that work before start-up, replaced once by front/init.c
// Threads:     read by all; written during start-up only
// Not here:    what the hooks do → front/report.c, front/init.c
#ifndef MI_BASE_HOOKS_H
#define MI_BASE_HOOKS_H

#include "base/platform.h"

// What the caller did wrong; front/report.c has the texts, and what the process does then.
typedef enum misuse_t {
    MISUSE_FREE_FOREIGN,  // the pointer lies outside of every region
    MISUSE_FREE_NO_BLOCK, // inside a region, but in memory that holds no block
    MISUSE_FREE_INTERIOR, // inside a block, not at its start
    MISUSE_DOUBLE_FREE,   // the block is free already
    MISUSE_SIZE_MISMATCH, // a sized free names another size
    MISUSE_OVERFLOW,      // bytes behind the block's own were written to
    MISUSE_LATE_WRITE,    // bytes of a free block were written to
    MISUSE_COUNT,
} misuse_t;

struct sample_t;

typedef struct hooks_t {
    // Writes bytes to where messages go. Any thread, any time.
    void (*write_text)(const char *chars, size_t length);
    // Reports a misuse of `p` by the function `call` ("free", "realloc", …). Returns when the
    // process is to go on; the call is then without effect.
    void (*misuse)(misuse_t kind, const char *call, const void *p);
    // Called on the slow path's beat, and with `force` from mi_collect, when no lock is held:
    // deferred frees of runtimes.
    void (*deferred_free)(bool force);
    // An allocation of `size` bytes failed; `errnum` is what errno will be.
    void (*alloc_failed)(size_t size, int errnum);
    // The process holds `held_bytes`: more than the soft limit, or nothing more than that is allowed.
    // It may allocate and free.
    void (*memory_limit)(bool hard, size_t held_bytes);
    // A block is sampled (heap/samples.h): who samples it may give it a place, is told when it is in use,
    // and when it is freed. They may allocate and free; nothing that they allocate is sampled.
    void (*sample_place)(struct sample_t *sample);
    void (*sample_made)(struct sample_t *sample);
    void (*sample_gone)(struct sample_t *sample);
    // What is free inside of pages in use is to go back: all of it, or what stayed so since the last call.
    void (*trim_pages)(bool all);
} hooks_t;

extern MI_HIDDEN hooks_t mi__hooks;

// Defined by front/init.c where it is linked in: runs once, before the first region is reserved, in
// whichever thread allocates first, possibly before any constructor.
void mi__front_first_use(void);

#endif
