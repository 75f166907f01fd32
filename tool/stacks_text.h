// SPDX-License-Identifier: MIT
// stacks_text.h — a profile as text: functions, stacks, folded stacks; and as JSON.
#ifndef MI_TOOL_STACKS_TEXT_H
#define MI_TOOL_STACKS_TEXT_H

#include <stdio.h>

#include "stacks.h"

// The functions that have most of the shown type.
void stacks_print_functions(const stacks_t *stacks, unsigned rows, FILE *to);

// The stacks that have most of it; of a diff those that changed most.
void stacks_print_traces(const stacks_t *stacks, bool is_diff, unsigned rows, FILE *to);

// What flamegraph.pl and speedscope read: "outermost;…;innermost value".
void stacks_print_folded(const stacks_t *stacks, FILE *to);

void stacks_print_json(const stacks_t *stacks, FILE *to);

#endif
