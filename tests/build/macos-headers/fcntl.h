// SPDX-License-Identifier: MIT
// fcntl.h — of macOS: what the port needs of it, declared from the documented interface.
#ifndef MACOS_FCNTL_H
#define MACOS_FCNTL_H

#define O_RDONLY 0
#define O_WRONLY 1
#define O_RDWR 2
#define O_NOFOLLOW 0x100
#define O_CREAT 0x200
#define O_EXCL 0x800
#define O_CLOEXEC 0x1000000
#define F_DUPFD_CLOEXEC 67
int open(const char *, int, ...);
int fcntl(int, int, ...);

#endif
