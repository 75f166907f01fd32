// SPDX-License-Identifier: MIT
// stacks_page.h — a profile as a page for a browser: the calls as nested boxes, functions, and stacks.
#ifndef MI_TOOL_STACKS_PAGE_H
#define MI_TOOL_STACKS_PAGE_H

#include <stdio.h>

#include "stacks.h"

// With `is_diff` the types are pairs, as stacks_diff makes them.
void stacks_page(const stacks_t *stacks, bool is_diff, FILE *to);

#endif
