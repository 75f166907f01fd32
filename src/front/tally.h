// SPDX-License-Identifier: MIT
// tally.h — the figures that programs see: the census since the last reset, and peaks.
//
// Owns:        what the figures were at the last reset, and the highest ones that were seen since
// Threads:     any, at any time; no locks, so that a fork leaves none held. A figure that is read
//              while another thread resets is of before or after that, each for itself
// Not here:    the counting → heap/census.h, texts → front/stats.h, front/stats_json.h
#ifndef MI_FRONT_TALLY_H
#define MI_FRONT_TALLY_H

#include "mimalloc-stats.h"

#include "heap/census.h"

// The census, where all that only grows counts from the last reset.
void mi__tally_census(census_t *census);

// All of `*stats`, its header included, and the census that it is made of.
void mi__tally_take(mi_stats_t *stats, census_t *census);

// The same of a part of the process, since its start whatever was reset; the highest values are
// those of now, and memory is not divided among parts: 0.
void mi__tally_take_part(mi_stats_t *stats, census_t *census, const census_scope_t *scope);

// Of the process's memory and nothing else, as mi__tally_take has it; or, when it is not the main
// subprocess's, nothing at all.
void mi__tally_take_memory(mi_stats_t *stats, bool is_main);

// Counts from now.
void mi__tally_reset(void);

// The largest block in a bin of mi_stats_t; 0 for MI_BIN_HUGE and beyond.
size_t mi__tally_bin_size(size_t bin);
// Bytes of a page of that bin; 0 where they differ.
size_t mi__tally_bin_page_size(size_t bin);

#endif
