// SPDX-License-Identifier: MIT
// stacks.h — a profile: stacks with figures, whatever it was read from.
#ifndef MI_TOOL_STACKS_H
#define MI_TOOL_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "timeline.h"

enum { STACKS_TYPES_MAX = 20 };

typedef struct frame_t {
    char *function; // or an address; never NULL
    char *file;     // NULL: not known
    char *module;   // NULL: not known
    unsigned line;
} frame_t;

typedef struct trace_t {
    size_t first; // of its frames in `ids`, the innermost first
    uint32_t depth;
    uint64_t hash;
    int64_t values[STACKS_TYPES_MAX];
} trace_t;

typedef struct value_type_t {
    char *name;
    char *unit; // "bytes", "count", "milliseconds"
} value_type_t;

typedef struct stacks_t {
    char *subject; // what it is of, for people
    value_type_t types[STACKS_TYPES_MAX];
    unsigned type_count;
    unsigned shown; // the type that is asked for
    frame_t *frames;
    size_t frame_count;
    uint32_t *frame_table; // by hash: numbers of frames, plus one
    size_t frame_room;     // of the table: a power of two
    uint32_t *ids;
    size_t id_count;
    trace_t *traces;
    size_t trace_count;
    uint32_t *trace_table;
    size_t trace_room;
    int64_t taken_ns; // since 1970
    int64_t duration_ns;
    int64_t period;       // bytes for one sample
    timeline_t *timeline; // of the process meanwhile; NULL: not known
} stacks_t;

stacks_t *stacks_new(void);
void stacks_free(stacks_t *stacks);

// Adds a type of figures; returns its number.
unsigned stacks_add_type(stacks_t *stacks, const char *name, const char *unit);
// The number of a type, or -1.
int stacks_find_type(const stacks_t *stacks, const char *name);

// The number of a frame, which is made when it is not there yet.
uint32_t stacks_frame(stacks_t *stacks, const char *function, const char *file, unsigned line,
                      const char *module);

// The stack with these frames, the innermost first; a new one has zeros for figures.
trace_t *stacks_trace(stacks_t *stacks, const uint32_t *ids, size_t depth);

// The innermost frame that is not the C++ library's; NULL where there is none.
const frame_t *stacks_own_frame(const stacks_t *stacks, const trace_t *trace);
bool stacks_is_library(const char *function);

int64_t stacks_total(const stacks_t *stacks, unsigned type);

// "function file:line" in a new string.
char *stacks_frame_text(const frame_t *frame);

// A profile with the figures of both: each type that both have comes twice, "before" and then itself.
stacks_t *stacks_diff(const stacks_t *before, const stacks_t *after);

#endif
