// SPDX-License-Identifier: MIT
// stdlib.h — of macOS: what the port needs of it, declared from the documented interface.
#ifndef MACOS_STDLIB_H
#define MACOS_STDLIB_H

#include <stddef.h>
_Noreturn void abort(void);
int atexit(void (*)(void));
const char *getprogname(void);
char *realpath(const char *, char *);

#endif
