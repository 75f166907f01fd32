// SPDX-License-Identifier: MIT
// arena_api.h — arenas: memory that the program hands over, or has reserved.
//
// Owns:        nothing
// Threads:     any
// Not here:    what such memory is → arena/given.h; the contracts → include/mimalloc.h
#ifndef MI_FRONT_ARENA_API_H
#define MI_FRONT_ARENA_API_H

#include "base/platform.h"

// Reserves what the options ask for; says so where it can't be had. Called once, at start-up.
void mi__arena_api_start(void);

#endif
