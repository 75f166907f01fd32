// SPDX-License-Identifier: MIT
// live.h — the live page: counters that tools read from outside, and what they ask of the process; the
// metrics file.
//
// The counters are a census (heap/census.h): made when a tool asks for it, and with MIMALLOC_LIVE every
// second, but never so often that it takes more than a hundredth of the time. Nothing is counted elsewhere.
//
// Owns:        the live page, its file, the metrics file
// Threads:     any. One at a time does the work, the others pass by
// Invariants:  W1 `updates` is odd while `figures` are written
// Not here:    the layout → mimalloc-descriptor.h, texts → front/metrics.h
#ifndef MI_FRONT_LIVE_H
#define MI_FRONT_LIVE_H

#include <mimalloc-descriptor.h>

#include "heap/census.h"

extern MI_HIDDEN _Atomic(mi_live_t *) mi__live_page;

// Once, in the constructor: what the environment asks for.
void mi__live_start(void);

// The process ends.
void mi__live_end(void);

// Does what tools have asked for, and what is due. On the beat; may collect.
void mi__live_poll(void);

// In the child of a fork, which has no share in its parent's page.
void mi__live_after_fork(void);

// Counts, since the start of the process; `*census` is what the figures are made of.
void mi__live_figures(mi_figures_t *figures, census_t *census);

#endif
