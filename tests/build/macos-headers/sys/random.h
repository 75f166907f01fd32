// SPDX-License-Identifier: MIT
// random.h — of macOS: what the port needs of it, declared from the documented interface.
#ifndef MACOS_SYS_RANDOM_H
#define MACOS_SYS_RANDOM_H

#include <stddef.h>
int getentropy(void *, size_t);

#endif
