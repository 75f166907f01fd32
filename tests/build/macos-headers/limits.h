// SPDX-License-Identifier: MIT
// limits.h — of macOS: what the port needs of it, declared from the documented interface.
#ifndef MACOS_LIMITS_H
#define MACOS_LIMITS_H

#include_next <limits.h>
#define PATH_MAX 1024
#define PTHREAD_DESTRUCTOR_ITERATIONS 4

#endif
