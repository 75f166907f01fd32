// SPDX-License-Identifier: MIT
// stdio.h — of macOS: what the port needs of it, declared from the documented interface.
#ifndef MACOS_STDIO_H
#define MACOS_STDIO_H

int rename(const char *, const char *);

#endif
