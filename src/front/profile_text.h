// SPDX-License-Identifier: MIT
// profile_text.h — the profile as text: for jeprof and its like, for flame graphs, for people.
//
// Owns:        nothing
// Threads:     one at a time: profile.c sees to it
// Not here:    protocol buffers → front/pprof.h, sums → front/sites.h
#ifndef MI_FRONT_PROFILE_TEXT_H
#define MI_FRONT_PROFILE_TEXT_H

#include "front/pprof.h"

// The form of gperftools with jemalloc's way to count: samples as they were taken, a line for each site.
// Bytes are those of blocks, so that readers find the chances that were used.
void mi__profile_text_heap(sink_t *sink, const profile_view_t *view);

// A line for each site in use: names from the root on with ';' between, and the bytes.
void mi__profile_text_folded(sink_t *sink, const profile_view_t *view);

// The sites that hold most, with names and lifetimes.
void mi__profile_text_report(sink_t *sink, const profile_view_t *view);

#endif
