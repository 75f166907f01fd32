// SPDX-License-Identifier: MIT
// limit_api.h — limits on memory, as the program and the environment set them.
//
// Owns:        nothing
// Threads:     any
// Not here:    what a limit does → arena/limit.h
#ifndef MI_FRONT_LIMIT_API_H
#define MI_FRONT_LIMIT_API_H

#include "base/platform.h"

// The hook for arena/limit.c: tells the program.
void mi__limit_api_tell(bool hard, size_t held_bytes);

// Says when the system tells nothing of memory pressure although the program is to hear of it.
void mi__limit_api_start(void);

// Lowers the limits to those of the process's control groups. At start-up.
void mi__limit_api_read_group(void);

#endif
