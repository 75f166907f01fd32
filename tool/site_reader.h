// SPDX-License-Identifier: MIT
// site_reader.h — the profile in a process's memory, or a core file's: what its sampler has counted by stack.
#ifndef MI_TOOL_SITE_READER_H
#define MI_TOOL_SITE_READER_H

#include "model.h"
#include "stacks.h"
#include "symbols.h"

// Bytes for one sample; 0 while none are taken.
uint64_t sites_rate(const model_t *model);

// Reads all sites, with names; NULL when nothing was ever sampled. With `since`, which was read of the same
// process before, what was allocated is counted from there, and growth, too.
typedef struct site_sums_t site_sums_t;
stacks_t *sites_read(const model_t *model, symbols_t *symbols, const site_sums_t *since);

// What sites_read wants of an earlier look.
site_sums_t *sites_sums(const model_t *model);
void sites_free_sums(site_sums_t *sums);

// Names of call sites, for the pages that samples lie in: each page's `site` is the number of one, plus one.
typedef struct sites_on_map_t {
    char **names;
    size_t count;
} sites_on_map_t;
void sites_on_pages(model_t *model, symbols_t *symbols, sites_on_map_t *sites);

#endif
