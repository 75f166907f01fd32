// SPDX-License-Identifier: MIT
// sites.h — stacks that allocate, and what they allocated: the profile's table.
//
// A site is a stack together with a size class, so that all samples of a site stand for the same number
// of allocations. Sites are never taken away; there are SITES_MAX at most, and one without frames takes
// what comes after that. Nothing here locks: a site is found and counted from inside malloc.
//
// Owns:        every site; how many there are, and what did not fit
// Threads:     any. Sums may differ by what happens while they are read
// Invariants:  T1 a site's stack and class never change, and no other site has both
// Not here:    stacks → front/stack.h, who counts → front/profile.h, files → front/pprof.h
#ifndef MI_FRONT_SITES_H
#define MI_FRONT_SITES_H

#include "base/atomic.h"
#include "front/stack.h"

enum {
    SITES_MAX = 1 << 14,
    SITE_LISTS = 1 << 12,
    SITE_AGES = 24,         // the last age takes all that are older
    SITE_WEIGHT_SHIFT = 10, // weights are kept in so many bits behind the point
};

// Four ways to count the same samples.
typedef struct site_sum_t {
    // [atomic: any thread]
    _Atomic(uint64_t) samples;
    _Atomic(uint64_t) sample_bytes; // of their blocks
    _Atomic(uint64_t) weight;       // allocations that they stand for, << SITE_WEIGHT_SHIFT
    _Atomic(uint64_t) space;        // bytes that were asked for in these
} site_sum_t;

typedef struct site_t {
    // [constant after init]
    struct site_t *next; // in the same bucket
    uint64_t hash;
    uint32_t class; // continued beyond BLOCK_MAX: sizeclass_of_large
    uint32_t depth;
    // [atomic: any thread]
    site_sum_t allocated;
    site_sum_t freed;
    site_sum_t again; // in use without having been drawn, as of the last look: heap/series.h
    _Atomic(uint64_t) peak_space;
    _Atomic(uint64_t) marked_space;    // in use at the mark
    _Atomic(uint64_t) lifetime_ms;     // of the samples that were freed, added up
    _Atomic(uint32_t) ages[SITE_AGES]; // how many were freed before 2^i ms, and not before half of that
    _Atomic(uint64_t) holes;           // bytes of free memory that live blocks keep, as of the last survey
    // [constant after init]
    uintptr_t frames[];
} site_t;

// A sample as the sites count it.
typedef struct site_sample_t {
    size_t block_size;
    size_t requested;
    double weight;
    uint32_t times; // of so many, allocated one after the other, it is in use; 0: it is back in use
} site_sample_t;

// The site with this stack; one without frames when there is no room for another. NULL without memory.
site_t *mi__sites_find(const uintptr_t *frames, size_t depth, size_t block_size);

void mi__sites_alloc(site_t *site, const site_sample_t *sample);
void mi__sites_free(site_t *site, const site_sample_t *sample, int64_t age_ms);

// Looks for blocks that are in use again, and samples, without having been drawn. One caller at a time.
void mi__sites_look(void);

// What is in use: allocated less freed, and again.
typedef struct site_use_t {
    uint64_t samples;
    uint64_t sample_bytes;
    uint64_t weight;
    uint64_t space;
} site_use_t;
site_use_t mi__sites_use(const site_t *site);
site_use_t mi__sites_allocated(const site_t *site);

// All of them, for tools that read the process from outside.
extern MI_HIDDEN _Atomic(site_t *) mi__sites_lists[SITE_LISTS];

// The first site, and the one after; NULL at the end.
site_t *mi__sites_first(void);
site_t *mi__sites_next(const site_t *site);

// Forgets what is past, but not what is in use. Or marks what is in use: growth is counted from there.
void mi__sites_reset(void);
void mi__sites_mark(void);

// Samples whose stack found no place, frames of all sites, and sites.
uint64_t mi__sites_dropped(void);
size_t mi__sites_frames(void);
size_t mi__sites_count(void);

#endif
