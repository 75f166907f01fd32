// SPDX-License-Identifier: MIT
// raw_calls.h — what os_posix*.c ask of the system in another way on each.
//
// libc's open, read and write are cancellation points, and a thread must not be cancelled inside malloc;
// other preloaded libraries wrap them, too. Linux is called by number; macOS keeps its numbers to itself.
//
// Owns:        nothing
// Threads:     any. All may change errno
// Not here:    the bodies → os_linux*.c, os_macos*.c; who calls → os_posix.c, os_posix_threads.c
#ifndef MI_OS_RAW_CALLS_H
#define MI_OS_RAW_CALLS_H

#include "base/platform.h"

// A mapping without access, which may be larger than memory; NULL when there is none.
void *mi__os_raw_reserve(size_t size);

long mi__os_raw_open(const char *path, int flags, unsigned mode);
long mi__os_raw_write(int fd, const void *bytes, size_t length);
long mi__os_raw_close(int fd);
long mi__os_raw_unlink(const char *path);
long mi__os_raw_rename(const char *from, const char *to);

// The environment, however little it may be trusted.
char **mi__os_raw_environ(void);

// Whether the process has more rights than its caller.
bool mi__os_raw_has_more_rights(void);

void mi__os_raw_name_thread(const char *name);

#endif
