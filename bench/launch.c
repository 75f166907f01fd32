// SPDX-License-Identifier: MIT
// launch.c — runs a program under a preloaded allocator and writes down what it used.
//
//   launch REPORT LIBRARY PROGRAM [ARGUMENT...]
//
// REPORT is a file: a line with the program's process id as soon as it runs, and one with its time, memory
// and page faults, those of its children included, when it has ended. LIBRARY is preloaded into the program,
// "" for none. It is a C program because a process starts its life with the peak memory of its parent, and a
// small parent leaves no trace. The exit status is the program's; when the launcher is killed, the program
// is too.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void
fail(const char *what)
{
    dprintf(STDERR_FILENO, "launch: %s: %s\n", what, strerror(errno));
    exit(126);
}

static long
now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static long
micros(struct timeval t)
{
    return (long)t.tv_sec * 1000000 + (long)t.tv_usec;
}

int
main(int argc, char **argv)
{
    if (argc < 4) {
        dprintf(STDERR_FILENO, "usage: launch REPORT LIBRARY PROGRAM [ARGUMENT...]\n");
        return 126;
    }
    int report = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (report < 0) {
        fail(argv[1]);
    }
    pid_t parent = getpid();
    long start = now_us();
    pid_t pid = fork();
    if (pid < 0) {
        fail("fork");
    }
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent || (argv[2][0] != '\0' && setenv("LD_PRELOAD", argv[2], 1) != 0)) {
            _exit(126);
        }
        execvp(argv[3], argv + 3);
        fail(argv[3]);
    }
    dprintf(report, "pid=%d\n", (int)pid);
    // Ctrl-C is for the program; the report of how it ended is wanted all the same.
    signal(SIGINT, SIG_IGN);
    int status;
    struct rusage usage;
    while (wait4(pid, &status, 0, &usage) != pid) {
        if (errno != EINTR) {
            fail("wait4");
        }
    }
    dprintf(report, "wall_us=%ld user_us=%ld system_us=%ld peak_kib=%ld faults=%ld\n", now_us() - start,
            micros(usage.ru_utime), micros(usage.ru_stime), usage.ru_maxrss,
            usage.ru_minflt + usage.ru_majflt);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
