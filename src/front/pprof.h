// SPDX-License-Identifier: MIT
// pprof.h — the profile as pprof's profile.proto.
//
// Sample types: Go's four, then growth since the mark, peak, memory kept from being returned, and
// lifetimes. Values are estimates of all allocations, not counts of samples.
//
// Owns:        nothing
// Threads:     one at a time: profile.c sees to it
// Not here:    gzip → front/sink.h, other forms → front/profile_text.h, sums → front/sites.h
#ifndef MI_FRONT_PPROF_H
#define MI_FRONT_PPROF_H

#include "base/config.h"
#include "front/sink.h"
#include "front/sites.h"

// What a profile in any form needs to know, beside the sites.
typedef struct profile_view_t {
    uint64_t rate; // bytes for one sample, in the mean
    int64_t taken_ns;
    int64_t duration_ns;
    bool symbols; // names may be asked of the loader
    // What the estimates of a class are multiplied with, so that they add up to what the allocator knows
    // exactly; the last is that of singletons.
    double use_factors[CLASS_COUNT + 1];
    double allocated_factors[CLASS_COUNT + 1];
} profile_view_t;

static inline size_t
view_class(const site_t *site)
{
    return site->class < CLASS_COUNT ? site->class : CLASS_COUNT;
}

// A weight or a number of bytes of `site` in use, or allocated.
static inline double
view_use(const profile_view_t *view, const site_t *site, uint64_t value)
{
    return (double)value * view->use_factors[view_class(site)];
}

static inline double
view_allocated(const profile_view_t *view, const site_t *site, uint64_t value)
{
    return (double)value * view->allocated_factors[view_class(site)];
}

// The number of allocations behind a weight.
static inline int64_t
view_count(double weight)
{
    return (int64_t)(weight / (1 << SITE_WEIGHT_SHIFT) + 0.5);
}

// False when there is no memory to tell the addresses apart with; `sink` is untouched then.
bool mi__pprof_write(sink_t *sink, const profile_view_t *view);

#endif
