// SPDX-License-Identifier: MIT
// test_os_group.c — os/os_linux_group.c: limits of control groups of both versions, at any depth, and files
// that make no sense. Each case is a process with mounts of its own, where /sys/fs/cgroup and
// /proc/self/cgroup are the test's; without the right to mount there is nothing to test.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "in_child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "os/os.h"

enum { FILES_MAX = 6, NOT_HERE = 77, MIB = 1 << 20 };

typedef struct place_t {
    const char *name; // below /sys/fs/cgroup
    const char *text;
} place_t;

typedef struct case_t {
    const char *groups; // the text of /proc/self/cgroup; NULL: there is no such file
    place_t files[FILES_MAX];
    size_t high;
    size_t max;
    const char *pressure; // the file that is watched first
} case_t;

static const case_t *current;

static bool
write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    return fd >= 0 && close(fd) == 0 && done;
}

// With the folders on the way.
static bool
write_below(const char *root, const place_t *file)
{
    char path[2000];
    snprintf(path, sizeof path, "%s/%s", root, file->name);
    for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = 0;
        (void)mkdir(path, 0700);
        *at = '/';
    }
    return write_file(path, file->text);
}

static bool
mount_own(void)
{
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
        return false;
    }
    return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", "/sys/fs/cgroup", "tmpfs", 0, NULL) == 0;
}

static int
check_case(void)
{
    static const char groups[] = "/sys/fs/cgroup/the-groups";
    if (!mount_own()) {
        return NOT_HERE;
    }
    for (const place_t *file = current->files; file->name != NULL; file++) {
        if (!write_below("/sys/fs/cgroup", file)) {
            return 2;
        }
    }
    if (current->groups == NULL) {
        if (mount("none", "/proc", "tmpfs", 0, NULL) != 0) {
            return NOT_HERE;
        }
    } else if (!write_file(groups, current->groups) ||
               mount(groups, "/proc/self/cgroup", NULL, MS_BIND, NULL) != 0) {
        return NOT_HERE;
    }
    size_t high = 1, max = 1;
    char path[2000] = "";
    errno = 4321;
    mi__os_group_limits(&high, &max);
    bool known = mi__os_pressure_path(0, path, sizeof path);
    if (high != current->high || max != current->max) {
        fprintf(stderr, "%s: %zu and %zu instead of %zu and %zu\n", current->groups, high, max, current->high,
                current->max);
        return 3;
    }
    if (!known || strcmp(path, current->pressure) != 0) {
        fprintf(stderr, "%s: %s instead of %s\n", current->groups, path, current->pressure);
        return 4;
    }
    return errno == 4321 ? 0 : 5;
}

static char long_group[1200];
static char nearly_long_group[1012];

static const case_t cases[] = {
    {NULL, {{NULL, NULL}}, SIZE_MAX, SIZE_MAX, "/sys/fs/cgroup/memory.pressure"},
    {"0::/\n", {{NULL, NULL}}, SIZE_MAX, SIZE_MAX, "/sys/fs/cgroup//memory.pressure"},
    {"0::/a\n",
     {{"a/memory.max", "104857600\n"}, {"a/memory.high", "52428800\n"}},
     50 * MIB,
     100 * MIB,
     "/sys/fs/cgroup/a/memory.pressure"},
    // The least of those around it counts, and no newline is needed.
    {"0::/a/b/c",
     {{"a/memory.max", "300000000"},
      {"a/b/c/memory.max", "max\n"},
      {"memory.high", "200000000"},
      {"a/b/memory.high", "max"}},
     200000000,
     300000000,
     "/sys/fs/cgroup/a/b/c/memory.pressure"},
    // Version 2 beside version 1.
    {"2:cpu:/x\n0::/u\n",
     {{"unified/u/memory.max", "77\n"}, {"x/memory.max", "1\n"}},
     SIZE_MAX,
     77,
     "/sys/fs/cgroup/u/memory.pressure"},
    {"5:cpu,memory:/x/y\n1:name=systemd:/z\n",
     {{"memory/x/memory.limit_in_bytes", "1000000\n"},
      {"memory/x/y/memory.limit_in_bytes", "9223372036854771712\n"},
      {"memory/x/y/memory.soft_limit_in_bytes", "500000\n"}},
     500000,
     1000000,
     "/sys/fs/cgroup/memory.pressure"},
    // Numbers that are none, or too large for any.
    {"0::/a\n",
     {{"a/memory.max", "99999999999999999999999999\n"},
      {"a/memory.high", ""},
      {"memory.high", "-5"},
      {"memory.max", "12x"}},
     SIZE_MAX,
     12,
     "/sys/fs/cgroup/a/memory.pressure"},
    // Lines that end too early.
    {"0:\n0::/a\n", {{"a/memory.max", "7"}}, SIZE_MAX, SIZE_MAX, "/sys/fs/cgroup/a/memory.pressure"},
    {"nothing", {{NULL, NULL}}, SIZE_MAX, SIZE_MAX, "/sys/fs/cgroup/memory.pressure"},
    {"", {{NULL, NULL}}, SIZE_MAX, SIZE_MAX, "/sys/fs/cgroup/memory.pressure"},
    // Paths that are too long, for the group or for its files only.
    {long_group, {{"memory.max", "7"}}, SIZE_MAX, SIZE_MAX, "/sys/fs/cgroup"},
    {nearly_long_group, {{"memory.max", "7"}}, SIZE_MAX, 7, NULL},
};

static void
limits_are_the_least_of_all_groups(void **state)
{
    (void)state;
    memset(long_group, 'x', sizeof long_group - 1);
    memcpy(long_group, "0::/", 4);
    memset(nearly_long_group, 'x', sizeof nearly_long_group - 1);
    memcpy(nearly_long_group, "0::/", 4);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        case_t one = cases[i];
        char path[2000];
        if (one.pressure == NULL) {
            snprintf(path, sizeof path, "/sys/fs/cgroup%s", nearly_long_group + 3);
            one.pressure = path;
        }
        current = &one;
        int status = status_in_child(check_case);
        if (status == NOT_HERE) {
            print_message("no right to mount here\n");
            skip();
        }
        assert_int_equal(status, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_the_least_of_all_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
