// SPDX-License-Identifier: MIT
// profile.h — the sampling heap profiler: which stacks hold the memory.
//
// One allocation in so many bytes is sampled (heap/sampling.h) and counted at its stack's site. A dump
// multiplies: a sample stands for as many allocations as its chance says; and, since the allocator knows
// the blocks of each class exactly, the estimates of neighbouring classes are scaled to add up to that.
//
// Owns:        whether the profile is on, its rate, base and numbering, what was dumped when
// Threads:     any. Of dumps one is written at a time; those that nobody waits for are skipped meanwhile
// Invariants:  D1 nothing here allocates by malloc, save mi__profile_start and mi__profile_init
// Not here:    which allocations → front/sample.h, sums → front/sites.h, forms → front/pprof.h and
//              front/profile_text.h
#ifndef MI_FRONT_PROFILE_H
#define MI_FRONT_PROFILE_H

#include "front/sink.h"

typedef enum profile_form_t {
    PROFILE_PPROF,
    PROFILE_TEXT,
    PROFILE_FOLDED,
    PROFILE_REPORT,
    PROFILE_FORMS,
} profile_form_t;

// Starts as the environment says: once, as soon as it can be read. Then what must wait for the loader.
void mi__profile_start_early(void);
void mi__profile_init(void);

// One sample in `rate` bytes from now on; 0: as the options say. May allocate. False when this build takes
// no samples.
bool mi__profile_start(uint64_t rate);
// No more samples. Frees of those that there are still count.
void mi__profile_stop(void);
bool mi__profile_is_active(void);

// See mi_profile_reset and mi_profile_mark.
void mi__profile_reset(void);
void mi__profile_mark(void);

// Writes the profile. False when `write` has said so, or there is no memory.
bool mi__profile_write(profile_form_t form, sink_write_t *write, void *arg);
// To a new file; to the next one of the base when `path` is NULL. 0, or an errno.
int mi__profile_dump(const char *path, profile_form_t form);

// Calls `fn`, NULL for none, with each sample of the profile and when it is freed.
typedef void profile_sample_t(bool freed, void *p, size_t size, size_t weight_bytes, void *arg);
void mi__profile_set_callback(profile_sample_t *fn, void *arg);

// In the child of a fork, and at the end of the process.
void mi__profile_after_fork(void);
void mi__profile_done(void);

#endif
