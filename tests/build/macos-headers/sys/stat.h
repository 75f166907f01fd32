// SPDX-License-Identifier: MIT
// stat.h — of macOS: what the port needs of it, declared from the documented interface.
#ifndef MACOS_SYS_STAT_H
#define MACOS_SYS_STAT_H

#include <sys/types.h>
struct timespec {
    time_t tv_sec;
    long tv_nsec;
};
struct stat {
    dev_t st_dev;
    mode_t st_mode;
    uint16_t st_nlink;
    ino_t st_ino;
    char rest[128];
};
int fchmod(int, mode_t);
#if defined(__x86_64__)
int fstat(int, struct stat *) __asm("_fstat$INODE64");
#else
int fstat(int, struct stat *);
#endif

#endif
