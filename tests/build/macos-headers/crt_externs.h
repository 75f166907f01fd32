// SPDX-License-Identifier: MIT
// crt_externs.h — of macOS: what the port needs of it, declared from the documented interface.
#ifndef MACOS_CRT_EXTERNS_H
#define MACOS_CRT_EXTERNS_H

char ***_NSGetEnviron(void);

#endif
