// SPDX-License-Identifier: MIT
// sample.h — who takes samples: the profile, and guarded blocks.
//
// Owns:        which functions the profile has set
// Threads:     any
// Not here:    how samples are drawn → heap/sampling.h, records of them → heap/samples.h
#ifndef MI_FRONT_SAMPLE_H
#define MI_FRONT_SAMPLE_H

#include "heap/samples.h"

// Both may allocate and free, also sampled blocks: on_free may be called inside of either. A sample that
// ends has the `of_sampler[SAMPLER_PROFILE]` that on_alloc has put there. No lock is held.
typedef struct sample_profile_t {
    // `requested` bytes were allocated; this one stands for `weight` allocations of its size class.
    void (*on_alloc)(sample_t *sample, size_t requested, double weight);
    void (*on_free)(sample_t *sample);
} sample_profile_t;

// Fills the hooks, and starts what the options ask for; at start-up.
void mi__sample_start(void);

// Guards as many allocations as mi__conf says: when that has changed, and, in the constructor, for the first
// time. Before it stacks cannot be had.
void mi__sample_guard_some(void);
void mi__sample_start_guard(void);

// From now on one allocation in `mean_bytes` bytes goes to `profile` (constant, long-lived); with 0 none
// does, but those that were sampled are still told of when they are freed. Any thread; others follow
// on their next full slow path.
void mi__sample_set_profile(const sample_profile_t *profile, uint64_t mean_bytes);

#endif
