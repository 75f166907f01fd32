// SPDX-License-Identifier: MIT
// symbols.h — from addresses to functions and lines, by elfutils: symbol tables, debug information beside the
// file or apart from it, and debuginfod where DEBUGINFOD_URLS is set.
#ifndef MI_TOOL_SYMBOLS_H
#define MI_TOOL_SYMBOLS_H

#include <stdint.h>

#include "target.h"

typedef struct symbols_t symbols_t;

// Where an address lies. A file that is not known is NULL, and a line 0.
typedef struct place_t {
    const char *function; // demangled; where it has no name, its module and how far in it
    const char *file;
    unsigned line;
    const char *module; // the last part of the path
} place_t;
typedef void symbols_each_t(const place_t *place, void *arg);

symbols_t *symbols_new(void);
void symbols_free(symbols_t *symbols);

// The bytes [start, end) are those of a file from an offset on. With a build id, in hexadecimal, that is not
// the file's, its symbols are not used.
void symbols_add(symbols_t *symbols, const char *path, const char *build_id, uint64_t start, uint64_t end,
                 uint64_t offset);

// All files that are mapped in a target.
void symbols_add_target(symbols_t *symbols, const target_t *target);

// Calls `each` for the function at an address and those that it was inlined into, the innermost first; at
// least once.
void symbols_at(symbols_t *symbols, uint64_t address, symbols_each_t *each, void *arg);

// The same for a place in a file, by its distance from where the file's first byte is mapped.
// False when the file is not there, or another one by its build id.
bool symbols_in_file(symbols_t *symbols, const char *path, const char *build_id, uint64_t distance,
                     symbols_each_t *each, void *arg);

// Says in one line whose symbols were not used since they are other files by now.
void symbols_tell_changed(const symbols_t *symbols);

#endif
