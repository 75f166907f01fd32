// SPDX-License-Identifier: MIT
// resident.h — what the system tells of the memory of a process's heap.
#ifndef MI_TOOL_RESIDENT_H
#define MI_TOOL_RESIDENT_H

#include "model.h"

// Of each page of the heap what is resident, and of each region what is in huge pages; of core files nothing.
void resident_read(model_t *model);

uint64_t resident_of_process(pid_t pid);

#endif
