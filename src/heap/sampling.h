// SPDX-License-Identifier: MIT
// sampling.h — which allocations are samples.
//
// Each allocation is a sample of each sampler with a chance that depends on its size alone. Nothing is
// drawn when it happens: for each class a thread heap knows after how many more blocks the next sample
// comes (a geometric distribution), and cuts `free` there. The allocation that is the sample finds
// `free` empty, and is on the slow path by itself. Since the distribution has no memory, one countdown
// serves all pages of a class, and blocks that were put on `free` but not taken change nothing.
//
// Owns:        sampling_t and thread_heap_t.sample_in; the rates
// Threads:     the thread of the heap; rates by any, others notice with their next rare work
// Invariants:  S1 sample_in is what may be granted before the next sample; it is not negative when
//                 malloc returns
// Not here:    what becomes of a sample → heap/samples.h
#ifndef MI_HEAP_SAMPLING_H
#define MI_HEAP_SAMPLING_H

#include "base/atomic.h"
#include "base/config.h"

enum {
    SAMPLER_PROFILE, // one sample in so many bytes: chance 1 − exp(−size / rate)
    SAMPLER_GUARD,   // one sample in so many allocations
    SAMPLER_COUNT,
};

#define SAMPLING_HIT (UINT32_C(1) << 31)

struct page_t;
struct thread_heap_t;

// Part of a thread heap. All zero: nothing drawn yet, nothing sampled.
typedef struct sampling_t {
    // [owner only]
    // Blocks before the next sample, counted from the last cut. Without SAMPLING_HIT no sample comes then
    // but another draw. 0: nothing drawn yet.
    uint32_t next[SAMPLER_COUNT][CLASS_COUNT];
    uint64_t rates[SAMPLER_COUNT]; // as they were when these were drawn
    uint64_t random;               // state of the generator; 0: not seeded
    double guard_mean;             // mean blocks between two samples, less what rounding adds
    bool own_guard_rate;           // set for this heap alone
    bool own_guard_bounds;
    size_t guard_min; // sizes that may be guarded, where they are set for this heap alone
    size_t guard_max;
} sampling_t;

// 0: the sampler takes nothing.
extern MI_HIDDEN _Atomic(uint64_t) mi__sampling_rates[SAMPLER_COUNT];

// Any thread. The calling thread's heap for malloc notices at once.
void mi__sampling_set_rate(unsigned sampler, uint64_t rate);

// Gives one heap of the calling thread a rate of its own for guarded blocks; with a seed that is not 0
// the samples that follow are the same each time.
void mi__sampling_set_guard(struct thread_heap_t *heap, uint64_t rate, uint64_t seed);

// Guards only sizes within these bounds in one heap of the calling thread.
void mi__sampling_bound_guard(struct thread_heap_t *heap, size_t least, size_t most);

// True when an allocation of so many bytes may be guarded.
bool mi__sampling_may_guard(const struct thread_heap_t *heap, size_t size);

// Takes notice of the rates.
void mi__sampling_renew(struct thread_heap_t *heap);

// The same where they have changed; on the beat of rare work, and when a heap changes hands.
void mi__sampling_look(struct thread_heap_t *heap);

// More blocks than sample_in were granted, the last of them to `page`, which serves or stands in and has
// just these `granted` on `free`: cuts it before the next sample. Returns the samplers (a bit each) whose
// sample the first block of `free` is, once it is taken.
unsigned mi__sampling_cut(struct thread_heap_t *heap, struct page_t *page, uint32_t granted);

// True when a singleton of so many bytes is a sample of the profile.
bool mi__sampling_takes_large(struct thread_heap_t *heap, size_t bytes);

// 64 bits of the heap's generator.
uint64_t mi__sampling_random(struct thread_heap_t *heap);

// For how many allocations of so many bytes a sample of the profile stands.
double mi__sampling_weight(const struct thread_heap_t *heap, size_t bytes);

// The number of failures before a success of chance 1/n is a draw of mean 1 times this, rounded down.
double mi__sampling_geometric_mean(uint64_t n);

// A draw from the exponential distribution of mean 1, from 64 random bits; and 1 − exp(−x), x ≥ 0.
double mi__sampling_exponential(uint64_t bits);
double mi__sampling_chance(double x);

#endif
