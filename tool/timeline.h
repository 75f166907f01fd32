// SPDX-License-Identifier: MIT
// timeline.h — what a process's heap held, moment by moment, while it was profiled.
#ifndef MI_TOOL_TIMELINE_H
#define MI_TOOL_TIMELINE_H

#include "target.h"
#include "text.h"

enum { TIMELINE_MAX = 240 };

typedef struct moment_t {
    double seconds; // since the first look
    uint64_t live_bytes;
    uint64_t page_bytes;
    uint64_t resident_bytes; // of the process
} moment_t;

typedef struct timeline_t {
    moment_t moments[TIMELINE_MAX];
    size_t count;
    double start;
    double pause; // between two looks; it doubles when there is no more room
    double next;
} timeline_t;

timeline_t *timeline_new(void);

// Looks at a process, if it is time to; false where it has no heap that can be read.
bool timeline_look(timeline_t *timeline, const target_t *target);

// The member "timeline", empty for NULL.
void timeline_print_json(const timeline_t *timeline, json_t *json);

// Seconds since some moment.
double timeline_now(void);

#endif
