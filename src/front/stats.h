// SPDX-License-Identifier: MIT
// stats.h — statistics of the whole process as a table for people.
//
// Owns:        nothing
// Threads:     any, at any time
// Not here:    the figures → front/tally.h, mallinfo and its like → front/glibc_control.c
#ifndef MI_FRONT_STATS_H
#define MI_FRONT_STATS_H

#include "heap/census.h"

// Prints one row for each size class in use, then memory and process figures. `out` gets whole
// lines, several in one call; NULL: they go where messages go (front/report.h).
void mi__stats_print(void (*out)(const char *text, void *arg), void *arg);

// The rows of a part of the process; `of` is what the title calls it, such as "a heap of ".
void mi__stats_print_part(const census_scope_t *scope, const char *of,
                          void (*out)(const char *text, void *arg), void *arg);

#endif
