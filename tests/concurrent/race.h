// SPDX-License-Identifier: MIT
// race.h — which accesses race: vector clocks, and who touched which memory when.
//
// Owns:        the clocks of the threads, the cells that describe 8 bytes of memory each
// Threads:     one
// Not here:    what orders threads → memory.c
#ifndef CONCURRENT_RACE_H
#define CONCURRENT_RACE_H

#include <stddef.h>
#include <stdint.h>

#include "fiber.h"

// What a thread knows of each thread's time.
typedef struct vector_t {
    uint16_t at[FIBERS];
} vector_t;

typedef enum access_t { PLAIN_READ, PLAIN_WRITE, ATOMIC_READ, ATOMIC_WRITE } access_t;

// A new scenario; a new search.
void race_reset(void);
void race_start(void);

vector_t *race_vector(unsigned thread);
void race_join(vector_t *into, const vector_t *from);

// An access of the running thread: fails when one that conflicts is not ordered before it.
void race_check(const char *at, size_t size, access_t access);
// The running thread has come to a point: until the next it may do a bounded number of accesses.
void race_at_point(void);
// A bit for each thread that has written to the place plainly.
unsigned race_writers(const char *at, size_t size);

// A pointer for the caller's use that goes with the 8 bytes around `at`, NULL at first; over all
// executions of a scenario.
void **race_slot(const void *at);

// The part of the state that is not in the undo log.
typedef struct race_saved_t {
    vector_t vectors[FIBERS];
    size_t retired;
} race_saved_t;
void race_save(race_saved_t *saved);
void race_restore(const race_saved_t *saved);

#endif
