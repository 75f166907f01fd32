// SPDX-License-Identifier: MIT
// stats_json.h — statistics as JSON.
//
// Owns:        nothing
// Threads:     any, at any time
// Not here:    the figures → front/tally.h, the table for people → front/stats.h
#ifndef MI_FRONT_STATS_JSON_H
#define MI_FRONT_STATS_JSON_H

#include "front/tally.h"

// `stats` and figures of the process; with `census` (may be NULL) also the size classes one by one.
// Into the `size` bytes at `buf`, or, when that is NULL, into a new block of its own. NULL with
// errno = ENOMEM, or ERANGE when it does not fit, and `buf` is then an empty string.
char *mi__stats_json(const mi_stats_t *stats, const census_t *census, size_t size, char *buf);

#endif
