// SPDX-License-Identifier: MIT
// map_page.h — the heap as a page for a browser, complete in one file.
#ifndef MI_TOOL_MAP_PAGE_H
#define MI_TOOL_MAP_PAGE_H

#include <stdio.h>

#include "model.h"

void map_page(model_t *model, FILE *to);

// One byte a slice of the region: 1 for a free one that still holds memory. To be freed.
unsigned char *map_dirty(const model_t *model, const region_model_t *region);

#endif
