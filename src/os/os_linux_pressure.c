// SPDX-License-Identifier: MIT
// os_linux_pressure.c — the part of the port to Linux that hears of memory pressure.
//
// Owns:        what the descriptor is, to tell it from one of the program's
// Threads:     one at a time
// Invariants:  L1 no function changes errno
//              L2 no function allocates
// Not here:    everything else → os/os_linux.c
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { KEPT_FD_MIN = 100, PATH_MAX_CHARS = 1024 }; // as in os_linux.c, os_linux_group.c

static dev_t kept_dev;
static ino_t kept_ino;

// Tasks waited for memory for 100 ms within 2 s: windows of 2 s are those that need no rights.
static const char trigger[] = "some 100000 2000000";

int
mi__os_pressure_open(void)
{
    int saved = errno;
    int kept = -1;
    char path[PATH_MAX_CHARS];
    for (unsigned place = 0; kept < 0 && mi__os_pressure_path(place, path, sizeof path); place++) {
        long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_NONBLOCK | O_CLOEXEC, 0);
        if (fd < 0) {
            continue;
        }
        struct stat file;
        if (syscall(SYS_write, (int)fd, trigger, sizeof trigger) == (long)sizeof trigger &&
            fstat((int)fd, &file) == 0) {
            kept_dev = file.st_dev;
            kept_ino = file.st_ino;
            kept = fcntl((int)fd, F_DUPFD_CLOEXEC, KEPT_FD_MIN);
        }
        syscall(SYS_close, (int)fd);
    }
    errno = saved;
    return kept;
}

// False when the program has closed the descriptor, as daemons do with all, and perhaps opened another
// file under the number.
static bool
is_ours(int fd)
{
    struct stat now;
    return fstat(fd, &now) == 0 && now.st_dev == kept_dev && now.st_ino == kept_ino;
}

bool
mi__os_pressure_wait(int *fd, int64_t ms)
{
    int saved = errno;
    struct pollfd wanted = {.fd = *fd, .events = POLLPRI};
    bool pressed = poll(&wanted, 1, (int)ms) == 1 && (wanted.revents & POLLPRI) != 0 && is_ours(*fd);
    if (wanted.revents != 0 && !pressed) {
        mi__os_pressure_close(*fd);
        *fd = -1;
        mi__os_sleep_ms(ms);
    }
    errno = saved;
    return pressed;
}

void
mi__os_pressure_close(int fd)
{
    int saved = errno;
    if (is_ours(fd)) {
        syscall(SYS_close, fd);
    }
    errno = saved;
}
