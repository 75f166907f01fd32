// SPDX-License-Identifier: MIT
// types.h — of macOS: what the port needs of it, declared from the documented interface.
#ifndef MACOS_SYS_TYPES_H
#define MACOS_SYS_TYPES_H

#include <stddef.h>
#include <stdint.h>
typedef int32_t dev_t;
typedef uint64_t ino_t;
typedef int64_t off_t;
typedef int32_t pid_t;
typedef uint32_t uid_t;
typedef uint16_t mode_t;
typedef long ssize_t;
typedef long time_t;

#endif
