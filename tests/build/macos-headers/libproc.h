// SPDX-License-Identifier: MIT
// libproc.h — of macOS: what the port needs of it, declared from the documented interface.
#ifndef MACOS_LIBPROC_H
#define MACOS_LIBPROC_H

#include <stdint.h>
int proc_regionfilename(int, uint64_t, void *, uint32_t);

#endif
