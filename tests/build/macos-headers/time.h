// SPDX-License-Identifier: MIT
// time.h — of macOS: what the port needs of it, declared from the documented interface.
#ifndef MACOS_TIME_H
#define MACOS_TIME_H

#include <sys/stat.h>
typedef enum { CLOCK_REALTIME = 0, CLOCK_UPTIME_RAW = 8 } clockid_t;
int clock_gettime(clockid_t, struct timespec *);
uint64_t clock_gettime_nsec_np(clockid_t);
int nanosleep(const struct timespec *, struct timespec *);

#endif
