// SPDX-License-Identifier: MIT
// unistd.h — of macOS: what the port needs of it, declared from the documented interface.
#ifndef MACOS_UNISTD_H
#define MACOS_UNISTD_H

#include <sys/types.h>
#define STDERR_FILENO 2
#define _SC_PAGESIZE 29
int close(int);
pid_t getpid(void);
int issetugid(void);
long sysconf(int);
int unlink(const char *);
ssize_t write(int, const void *, size_t);

#endif
