// SPDX-License-Identifier: MIT
// metrics.h — figures as OpenMetrics text. The command-line tool makes its own of the same file.
//
// Owns:        nothing
// Threads:     any
// Not here:    the figures → front/live.h
#ifndef MI_FRONT_METRICS_H
#define MI_FRONT_METRICS_H

#include <mimalloc-descriptor.h>

#include "heap/census.h"

// Hands the text to `out` in pieces of whole lines; by size class, too, unless `classes` (CLASS_COUNT + 1)
// is NULL.
void mi__metrics_print(const mi_figures_t *figures, const census_class_t *classes, mi_output_fun *out,
                       void *arg);

#endif
