// SPDX-License-Identifier: MIT
// startup.c — what a preloaded library costs a program that does nothing: time and memory.
//
//   startup [--check] [--runs N] [--program PATH] LIBRARY...
//
// The first line of the table is the program without any library; each following one has a library
// preloaded. Runs are interleaved and medians are compared, so that a change in the machine's load
// hits all of them alike. Memory is read from a second, traced set of runs, at the moment the
// program has called exit and its memory is still there. --check: exit status 1 when the first
// library costs more than MAX_KIB or MAX_US over the bare program.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SUBJECTS = 16, MAX_RUNS = 100000, MEMORY_RUNS = 15, MAX_KIB = 300, MAX_US = 300 };

typedef struct subject_s {
    const char *library; // NULL: none
    char preload[4200];  // LD_PRELOAD=…
    char *envp[3];
    double *us;
    long rss[MEMORY_RUNS];
    long peak[MEMORY_RUNS];
    long dirty[MEMORY_RUNS];
} subject_t;

static void
fail(const char *what)
{
    fprintf(stderr, "startup: %s: %s\n", what, strerror(errno));
    exit(2);
}

static double
now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int
compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int
compare_long(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

static long
median_long(long *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_long);
    return values[count / 2];
}

static double
time_one(const subject_t *s, char *program)
{
    char *argv[] = {program, NULL};
    pid_t pid;
    int status;
    double start = now_us();
    int error = posix_spawn(&pid, program, NULL, NULL, argv, s->envp);
    if (error != 0) {
        errno = error;
        fail(program);
    }
    if (waitpid(pid, &status, 0) != pid) {
        fail("waitpid");
    }
    double us = now_us() - start;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "startup: %s failed with %s\n", program, s->library ? s->library : "no library");
        exit(2);
    }
    return us;
}

// The number of KiB behind `key` in a file of /proc/pid.
static long
read_kib(pid_t pid, const char *file, const char *key)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        fail(path);
    }
    long kib = -1;
    size_t length = strlen(key);
    while (kib < 0 && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, key, length) == 0 && line[length] == ':') {
            kib = atol(line + length + 1);
        }
    }
    fclose(f);
    if (kib < 0) {
        errno = ENOENT;
        fail(key);
    }
    return kib;
}

static void
measure_memory(subject_t *s, char *program, int run)
{
    char *argv[] = {program, NULL};
    pid_t pid = fork();
    if (pid < 0) {
        fail("fork");
    }
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        execve(program, argv, s->envp);
        _exit(127);
    }
    int status;
    // The first stop is the exec itself.
    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) {
        fail("tracing is not possible here");
    }
    if (ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_TRACEEXIT) != 0) {
        fail("ptrace");
    }
    for (;;) {
        ptrace(PTRACE_CONT, pid, NULL, NULL);
        if (waitpid(pid, &status, 0) != pid) {
            fail("waitpid");
        }
        if (!WIFSTOPPED(status)) {
            return;
        }
        if (status >> 8 == (SIGTRAP | (PTRACE_EVENT_EXIT << 8))) {
            s->rss[run] = read_kib(pid, "smaps_rollup", "Rss");
            s->dirty[run] = read_kib(pid, "smaps_rollup", "Private_Dirty");
            s->peak[run] = read_kib(pid, "status", "VmHWM");
        }
    }
}

int
main(int argc, char **argv)
{
    static subject_t subjects[MAX_SUBJECTS];
    static char true_path[] = "/bin/true", path_variable[] = "PATH=/usr/bin:/bin";
    char *program = true_path;
    size_t count = 1;
    long runs = 400;
    bool check = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--check") == 0) {
            check = true;
        } else if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc) {
            runs = atol(argv[++i]);
        } else if (strcmp(argv[i], "--program") == 0 && i + 1 < argc) {
            program = argv[++i];
        } else if (argv[i][0] != '-' && count < MAX_SUBJECTS) {
            subjects[count++].library = argv[i];
        } else {
            count = 1;
            break;
        }
    }
    if (count == 1 || runs < 1 || runs > MAX_RUNS) {
        fprintf(stderr, "usage: startup [--check] [--runs N] [--program PATH] LIBRARY...\n");
        return 2;
    }
    for (size_t k = 0; k < count; k++) {
        subject_t *s = &subjects[k];
        s->envp[0] = path_variable;
        if (s->library != NULL) {
            char absolute[4096];
            if (realpath(s->library, absolute) == NULL) {
                fail(s->library);
            }
            snprintf(s->preload, sizeof s->preload, "LD_PRELOAD=%s", absolute);
            s->envp[1] = s->preload;
        }
        s->us = malloc((size_t)runs * sizeof *s->us);
        if (s->us == NULL) {
            fail("malloc");
        }
        time_one(s, program); // brings the files into the page cache
    }
    for (long run = 0; run < runs; run++) {
        for (size_t k = 0; k < count; k++) {
            subjects[k].us[run] = time_one(&subjects[k], program);
        }
    }
    for (int run = 0; run < MEMORY_RUNS; run++) {
        for (size_t k = 0; k < count; k++) {
            measure_memory(&subjects[k], program, run);
        }
    }

    printf("%s, median of %ld runs\n", program, runs);
    printf("%10s%10s%10s%10s%10s%10s  %s\n", "us", "more", "rss KiB", "more", "peak KiB", "dirty KiB",
           "library");
    double more_us = 0;
    long more_kib = 0;
    double bare_us = 0;
    long bare_kib = 0;
    for (size_t k = 0; k < count; k++) {
        subject_t *s = &subjects[k];
        qsort(s->us, (size_t)runs, sizeof *s->us, compare_double);
        double us = s->us[runs / 2];
        long kib = median_long(s->rss, MEMORY_RUNS);
        if (k == 0) {
            bare_us = us;
            bare_kib = kib;
        } else if (k == 1) {
            more_us = us - bare_us;
            more_kib = kib - bare_kib;
        }
        printf("%10.0f%10.0f%10ld%10ld%10ld%10ld  %s\n", us, us - bare_us, kib, kib - bare_kib,
               median_long(s->peak, MEMORY_RUNS), median_long(s->dirty, MEMORY_RUNS),
               s->library ? s->library : "none");
    }
    if (check && (more_us > MAX_US || more_kib > MAX_KIB)) {
        printf("more than %d us or %d KiB: too much\n", MAX_US, MAX_KIB);
        return 1;
    }
    return 0;
}
