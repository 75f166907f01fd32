// SPDX-License-Identifier: MIT
// estimate.h — from samples to what they stand for.
//
// A sample counts as 1/chance allocations. That is right in the mean, and off by chance: the blocks of a
// class that were sampled stand for some more, or fewer, than there are. The census knows how many there
// are. So neighbouring classes are taken together until a group has enough samples, and the group's
// estimates are scaled to add up to what the census says (ratio estimation, post-stratification).
// Memory that was in use before the profile started is not the profile's: it is taken off, and where it is
// much, or samples were not taken all the time, what is in use is not scaled.
//
// Owns:        what the census said when the profile started
// Threads:     one at a time: profile.c sees to it
// Not here:    the chance → heap/sampling.h, the census → heap/census.h
#ifndef MI_FRONT_ESTIMATE_H
#define MI_FRONT_ESTIMATE_H

#include "front/pprof.h"

// Samples are taken from now on; or from now on no more; or what is past has been forgotten.
void mi__estimate_start(uint64_t rate);
void mi__estimate_stop(void);
void mi__estimate_reset(void);

// Fills the factors.
void mi__estimate_factors(profile_view_t *view);

// For a group's samples and what they are to add up to, `known`: fills the factors of `count` classes. Of
// the last of them, singletons, there are few, and they are kept apart.
void mi__estimate_scale(const double *estimates, const uint64_t *samples, const double *known, size_t count,
                        double *factors);

// For each site the bytes of free memory in pages that its blocks keep in use. A page's free memory is kept
// by all of its blocks in equal parts.
void mi__estimate_holes(void);

#endif
