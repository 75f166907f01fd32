// SPDX-License-Identifier: MIT
// trace.h — what an execution has done so far, for people to read.
//
// Owns:        the events of this execution, the names of places
// Threads:     one
// Not here:    what the events mean → memory.c
#ifndef CONCURRENT_TRACE_H
#define CONCURRENT_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct event_t {
    unsigned thread;
    const char *what;
    const void *at; // NULL: a fence
    const void *pc;
    uint64_t read;
    uint64_t written;
    unsigned stale; // messages that are newer than what was read
    bool reads;
    bool writes;
} event_t;

// Forgets all names and events.
void trace_reset(void);

void trace_add(const event_t *event);
// The number of events, and going back to an earlier one.
size_t trace_length(void);
void trace_cut(size_t length);
void trace_print(void);

// Writes the name of an address, or the address.
void trace_place(char *text, size_t size, const void *at);

#endif
