// SPDX-License-Identifier: MIT
// resource.h — of macOS: what the port needs of it, declared from the documented interface.
#ifndef MACOS_SYS_RESOURCE_H
#define MACOS_SYS_RESOURCE_H

#include <sys/types.h>
struct timeval {
    time_t tv_sec;
    int32_t tv_usec;
};
struct rusage {
    struct timeval ru_utime;
    struct timeval ru_stime;
    long ru_maxrss;
    long ru_ixrss;
    long ru_idrss;
    long ru_isrss;
    long ru_minflt;
    long ru_majflt;
    long ru_rest[8];
};
#define RUSAGE_SELF 0
int getrusage(int, struct rusage *);

#endif
