// SPDX-License-Identifier: MIT
// side_by_side.c — runs a program under a preloaded allocator and under the system's, and compares.
//
//   side_by_side <library> <shell command> [runs]
//
// The first run shows the program's output and the allocator's statistics. The measured runs are silent and
// take turns, so that a change in the machine's mood meets both; the table has the medians. It is a C program
// because a small parent leaves no trace in its child's peak memory.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RUNS_DEFAULT = 3, RUNS_MAX = 99, FIGURES = 4 };

typedef struct figure_t {
    const char *name;
    const char *unit;
    int decimals;
} figure_t;

static const figure_t figures[FIGURES] = {
    {"time", "s", 3},
    {"processor time", "s", 3},
    {"peak memory", "MiB", 1},
    {"page faults", "", 0},
};

static double
seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

// Runs `command` once, with `library` preloaded unless that is NULL. Fills `result` with one value for each
// figure. Ends the tool when the program fails.
static void
run_once(const char *command, const char *library, bool shown, double result[FIGURES])
{
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    pid_t child = fork();
    if (child == 0) {
        if (library != NULL) {
            setenv("LD_PRELOAD", library, 1);
        } else {
            unsetenv("LD_PRELOAD");
        }
        if (shown) {
            setenv("MIMALLOC_SHOW_STATS", "1", 1);
        } else {
            int null = open("/dev/null", O_RDWR);
            dup2(null, STDIN_FILENO);
            dup2(null, STDOUT_FILENO);
            dup2(null, STDERR_FILENO);
        }
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    struct rusage usage;
    if (child < 0 || wait4(child, &status, 0, &usage) < 0) {
        fprintf(stderr, "side_by_side: %s\n", strerror(errno));
        exit(2);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        fprintf(stderr, "side_by_side: the program ended with %d %s\n", code,
                library != NULL ? "under mimalloc" : "under the system's malloc");
        exit(code);
    }
    result[0] = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    result[1] = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    result[2] = (double)usage.ru_maxrss / 1024;
    result[3] = (double)(usage.ru_minflt + usage.ru_majflt);
}

static int
compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double
median(double runs[RUNS_MAX][FIGURES], int count, int figure)
{
    double sorted[RUNS_MAX];
    for (int i = 0; i < count; i++) {
        sorted[i] = runs[i][figure];
    }
    qsort(sorted, (size_t)count, sizeof sorted[0], compare_doubles);
    return count % 2 != 0 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

int
main(int argc, char **argv)
{
    int runs = argc > 3 ? atoi(argv[3]) : RUNS_DEFAULT;
    if (argc < 3 || runs < 1 || runs > RUNS_MAX) {
        fprintf(stderr, "usage: side_by_side <library> <shell command> [runs]\n");
        return 2;
    }
    char *library = realpath(argv[1], NULL);
    if (library == NULL) {
        fprintf(stderr, "side_by_side: %s: %s\n", argv[1], strerror(errno));
        return 2;
    }

    static double ours[RUNS_MAX][FIGURES], system_own[RUNS_MAX][FIGURES];
    printf("$ %s\n", argv[2]);
    fflush(stdout);
    run_once(argv[2], library, true, ours[0]);
    for (int i = 0; i < runs; i++) {
        run_once(argv[2], NULL, false, system_own[i]);
        run_once(argv[2], library, false, ours[i]);
    }

    printf("\n%-22s%14s%14s%12s\n", "", "mimalloc", "system", "difference");
    for (int i = 0; i < FIGURES; i++) {
        double a = median(ours, runs, i), b = median(system_own, runs, i);
        char name[32];
        snprintf(name, sizeof name, "%s%s%s", figures[i].name, *figures[i].unit ? ", " : "", figures[i].unit);
        printf("%-22s%14.*f%14.*f", name, figures[i].decimals, a, figures[i].decimals, b);
        if (b > 0) {
            printf("%+11.1f%%", (a - b) / b * 100);
        }
        putchar('\n');
    }
    printf("(medians of %d runs each, taking turns)\n", runs);
    free(library);
    return 0;
}
