// SPDX-License-Identifier: MIT
// profile_source.h — a profile from whatever has one: a process, a core file, a file of pprof's format, or a
// program that is run for it.
#ifndef MI_TOOL_PROFILE_SOURCE_H
#define MI_TOOL_PROFILE_SOURCE_H

#include "stacks.h"

enum { PROFILE_SECONDS = 10 };

// Of a process by its number, a core file, or a .pb.gz. A process that takes no samples is made to for so
// many seconds (PROFILE_SECONDS when they are 0), and then no more; one that does is read at once, or after
// `seconds`.
// Where there is no profile: the end of the tool, with one line.
stacks_t *profile_of(const char *name, double seconds);

// Runs a program under the library to its end, or reads its profile after `seconds` where they are not 0.
stacks_t *profile_of_program(char **program, const char *library, const char *rate, double seconds);

#endif
