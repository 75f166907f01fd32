// SPDX-License-Identifier: MIT
// preload.h — finding the library, and whether a program can be run under it.
#ifndef MI_TOOL_PRELOAD_H
#define MI_TOOL_PRELOAD_H

#include <limits.h>
#include <stdbool.h>

// The path of the library to preload: `given`, or, where that is NULL, beside the tool as in a build, or in
// the folder of libraries that belongs to it. Ends the tool where there is none.
const char *preload_library(const char *given);

// The file that `program` names, as a shell would find it; NULL where there is none.
const char *preload_find(const char *program, char path[PATH_MAX]);

typedef struct obstacle_t {
    const char *what;   // NULL: nothing is in the way
    const char *remedy; // what to do instead
    bool certain;       // it cannot work; else it may
} obstacle_t;

// What is in the way of running the file `path` with the library `library` (a path, or a bare name).
obstacle_t preload_obstacle(const char *path, const char *library);

// Ends the tool, with a line, where a program cannot be run with the library; says what may be in the way.
void preload_check(const char *program, const char *library);

// Makes the environment name the library, before what is preloaded already.
void preload_set(const char *library);

#endif
