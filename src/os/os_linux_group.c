// SPDX-License-Identifier: MIT
// os_linux_group.c — the part of the port to Linux that reads the limits of control groups.
//
// Owns:        nothing
// Threads:     any
// Invariants:  L1 no function changes errno
//              L2 no function allocates
// Not here:    everything else → os/os_linux.c
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bits.h"

enum { TEXT_MAX = 4096, PATH_MAX_CHARS = 1024 };

// The beginning of a file, as a string; false when it can't be read.
static bool
read_text(const char *path, char *text, size_t size)
{
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    long length = syscall(SYS_read, (int)fd, text, size - 1);
    syscall(SYS_close, (int)fd);
    text[length < 0 ? 0 : length] = 0;
    return length > 0;
}

static bool
append(char *path, const char *more, size_t length)
{
    size_t had = strlen(path);
    if (had + length >= PATH_MAX_CHARS) {
        return false;
    }
    memcpy(path + had, more, length);
    path[had + length] = 0;
    return true;
}

// Lowers `*limit` to the number in the file `name` of the folder `path`; "max" is none.
static void
lower_to_file(const char *path, const char *name, size_t *limit)
{
    char file[PATH_MAX_CHARS] = "";
    char text[64];
    if (!append(file, path, strlen(path)) || !append(file, name, strlen(name)) ||
        !read_text(file, text, sizeof text) || text[0] < '0' || text[0] > '9') {
        return;
    }
    size_t value = 0;
    for (const char *at = text; *at >= '0' && *at <= '9'; at++) {
        value = value > SIZE_MAX / 10 - 1 ? SIZE_MAX : value * 10 + (size_t)(*at - '0');
    }
    // Version 1 has no word for "none" but a number near the largest.
    if (value < SIZE_MAX / 4) {
        *limit = size_min(*limit, value);
    }
}

// The limits of a group and of all those around it, up to the one that is mounted at `root`.
static void
lower_to_groups(const char *root, const char *group, size_t length, bool second, size_t *high, size_t *max)
{
    char path[PATH_MAX_CHARS] = "";
    size_t start = strlen(root);
    if (!append(path, root, start) || !append(path, group, length)) {
        return;
    }
    for (;;) {
        lower_to_file(path, second ? "/memory.high" : "/memory.soft_limit_in_bytes", high);
        lower_to_file(path, second ? "/memory.max" : "/memory.limit_in_bytes", max);
        char *last = strrchr(path + start, '/');
        if (last == NULL) {
            return;
        }
        *last = 0;
    }
}

// True when the controllers of a line of /proc/self/cgroup, up to the colon, hold "memory".
static bool
names_memory(const char *list, const char *end)
{
    static const char memory[] = "memory";
    size_t length = sizeof memory - 1;
    for (const char *at = list; at + length <= end; at++) {
        if (memcmp(at, memory, length) == 0) {
            return true;
        }
    }
    return false;
}

// The path of the group in version 2, a line without controllers; NULL when there is none.
static char *
second_group(char *text)
{
    for (char *line = text; line != NULL && *line != 0;) {
        char *end = strchr(line, '\n');
        if (strncmp(line, "0::", 3) == 0) {
            if (end != NULL) {
                *end = 0;
            }
            return line + 3;
        }
        line = end == NULL ? NULL : end + 1;
    }
    return NULL;
}

bool
mi__os_pressure_path(unsigned place, char *path, size_t size)
{
    static const char *const roots[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/proc/pressure"};
    if (size < PATH_MAX_CHARS || place >= sizeof roots / sizeof roots[0]) {
        return false;
    }
    int saved = errno;
    char text[TEXT_MAX];
    char *group = place < 2 && read_text("/proc/self/cgroup", text, sizeof text) ? second_group(text) : NULL;
    const char *name = place < 2 ? "/memory.pressure" : "/memory";
    *path = 0;
    // Where there is no such group there is no such file.
    (void)(append(path, roots[place], strlen(roots[place])) &&
           (group == NULL || append(path, group, strlen(group))) && append(path, name, strlen(name)));
    errno = saved;
    return true;
}

void
mi__os_group_limits(size_t *high, size_t *max)
{
    int saved = errno;
    char text[TEXT_MAX];
    *high = *max = SIZE_MAX;
    const char *line = read_text("/proc/self/cgroup", text, sizeof text) ? text : NULL;
    while (line != NULL && *line != 0) {
        // number:controllers:path
        const char *list = strchr(line, ':');
        const char *colon = list == NULL ? NULL : strchr(list + 1, ':');
        if (colon == NULL) {
            break;
        }
        const char *end = strchrnul(colon, '\n');
        size_t length = (size_t)(end - colon) - 1;
        if (colon == list + 1) {
            lower_to_groups("/sys/fs/cgroup", colon + 1, length, true, high, max);
            lower_to_groups("/sys/fs/cgroup/unified", colon + 1, length, true, high, max);
        } else if (names_memory(list + 1, colon)) {
            lower_to_groups("/sys/fs/cgroup/memory", colon + 1, length, false, high, max);
        }
        line = *end == 0 ? NULL : end + 1;
    }
    errno = saved;
}
