// SPDX-License-Identifier: MIT
// states.h — the states that the search has been in.
//
// What the threads have read decides all that follows, so that a state need not be explored again,
// but for what slept then and does not sleep now.
//
// Owns:        the table of states
// Threads:     one
// Not here:    the search → explore.c, what makes a state → memory_signature in memory.h
#ifndef CONCURRENT_STATES_H
#define CONCURRENT_STATES_H

#include <stdint.h>

#include "fiber.h"

typedef struct state_t {
    uint64_t signature;    // 0: unused
    uint8_t least[FIBERS]; // of each thread, the oldest message that was explored; 255: none
} state_t;

void states_clear(void);
unsigned long states_count(void);

// The state with that signature; a new one has been explored nowhere.
state_t *states_find(uint64_t signature);

#endif
