// SPDX-License-Identifier: MIT
// pprof_file.h — profiles in pprof's format: protocol buffers, compressed by gzip or not.
#ifndef MI_TOOL_PPROF_FILE_H
#define MI_TOOL_PPROF_FILE_H

#include <stdio.h>

#include "stacks.h"

// Reads a file; addresses without names get those of the files that were mapped, where these are still there.
// Where it cannot be read: the end of the tool, with one line.
stacks_t *pprof_read(const char *path);

// Writes one with names and lines. False when that does not succeed; errno says why.
bool pprof_write(const stacks_t *stacks, const char *path);

#endif
