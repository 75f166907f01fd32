// SPDX-License-Identifier: MIT
// compare.c — mimalloc compare: one program under several allocators, in turn, and what differs.
//
// Means with 95% intervals by Student's t; two allocators are compared by Welch's t for unequal variances.
// The runs of one round follow each other, so that what disturbs the machine disturbs all of them.
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "arguments.h"
#include "html_page.h"
#include "preload.h"
#include "server_run.h"
#include "text.h"
#include "verbs.h"

static const char help[] =
    "Usage: mimalloc compare [OPTIONS] [--] PROGRAM [ARGUMENTS]\n"
    "Runs a program under this library and under others, in turn, and says which "
    "differences are real. Its output is\n"
    "dropped, and its input is empty.\n\n"
    "  -n, --runs=N       runs with each allocator, 2 to 1000 (10)\n"
    "  -w, --with=LIST    the others: names from glibc, jemalloc, tcmalloc, "
    "mimalloc2, tbbmalloc, or paths of\n"
    "                     libraries, with commas between; all that are installed "
    "unless given. The first is the one\n"
    "                     that this library is compared with\n"
    "      --library=FILE this library\n"
    "      --csv          each run as a line\n"
    "      --json\n"
    "  -o, --output=FILE  a page with plots (.html), complete in one file\n"
    "      --ready=PORT|URL  PROGRAM is a server: it is ready when this port or http:// address answers\n"
    "      --load=COMMAND    what is then run against it, by the shell; its time is the wall time. The "
    "server ends by SIGTERM\n"
    "  -h, --help\n\n"
    "Exit status: 0 done; 1 the program cannot be run so, or failed; 2 wrong use.\n\n"
    "Examples:\n"
    "  mimalloc compare -- python3 job.py\n"
    "  mimalloc compare -n 30 --with=glibc,jemalloc ./server --selftest\n"
    "  mimalloc compare --ready 7777 --load 'redis-benchmark -p 7777 -n 100000 -q' -o page.html -- "
    "redis-server --port 7777\n";

PAGE_FILE(compare_html, "compare.html");

enum { CANDIDATES_MAX = 16, RUNS_MAX = 1000 };

// What is measured of each run.
enum { WALL, USER, SYSTEM, PEAK, FINAL, FAULTS, SWITCHES, MEASURES };
static const struct {
    const char *name;
    const char *unit;
    const char *less; // what having less of it is
    const char *more;
} measures[MEASURES] = {
    {"wall", "s", "faster", "slower"},
    {"user", "s", "less user time", "more user time"},
    {"system", "s", "less system time", "more system time"},
    {"peak", "MiB", "less memory at the peak", "more memory at the peak"},
    {"final", "MiB", "less memory at the end", "more memory at the end"},
    {"faults", "", "fewer page faults", "more page faults"},
    {"switches", "", "fewer context switches", "more context switches"},
};

typedef struct candidate_t {
    const char *name;
    const char *library; // NULL: nothing is preloaded
    double runs[MEASURES][RUNS_MAX];
} candidate_t;

typedef struct comparison_t {
    candidate_t *candidates[CANDIDATES_MAX]; // this library, then those that it is compared with
    unsigned count;
    unsigned runs;
    char **program;
    server_load_t load;
} comparison_t;

// ---- the allocators

static const struct {
    const char *name;
    const char *file;
} known[] = {
    {"glibc", NULL},
    {"jemalloc", "libjemalloc.so.2"},
    {"tcmalloc", "libtcmalloc_minimal.so.4"},
    {"mimalloc2", "libmimalloc.so.2"},
    {"tbbmalloc", "libtbbmalloc_proxy.so.2"},
};

static char *
find_library(const char *file)
{
    static const char *const folders[] = {"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
                                          "/usr/lib64", "/usr/lib", "/usr/local/lib"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char *path = format_new("%s/%s", folders[i], file);
        if (access(path, R_OK) == 0) {
            return path;
        }
        free(path);
    }
    return NULL;
}

static void
add_candidate(comparison_t *comparison, const char *name, const char *library)
{
    if (comparison->count == CANDIDATES_MAX) {
        fail(EXIT_USAGE, "--with: %d allocators at most", CANDIDATES_MAX - 1);
    }
    candidate_t *candidate = get_memory(1, sizeof *candidate);
    candidate->name = name;
    candidate->library = library;
    comparison->candidates[comparison->count++] = candidate;
}

static void
add_named(comparison_t *comparison, const char *name)
{
    if (strchr(name, '/') != NULL) {
        add_candidate(comparison, name, preload_library(name));
        return;
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(name, known[i].name) == 0) {
            char *path = known[i].file == NULL ? NULL : find_library(known[i].file);
            if (known[i].file != NULL && path == NULL) {
                fail(EXIT_FAILED, "--with=%s: %s is not installed", name, known[i].file);
            }
            add_candidate(comparison, name, path);
            return;
        }
    }
    fail(EXIT_USAGE, "--with=%s: no such allocator; name its library with a path", name);
}

static void
add_installed(comparison_t *comparison)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        char *path = known[i].file == NULL ? NULL : find_library(known[i].file);
        if (known[i].file == NULL || path != NULL) {
            add_candidate(comparison, known[i].name, path);
        }
    }
}

// ---- runs

static double
seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static _Noreturn void
become(char **program, const char *library)
{
    int null = open("/dev/null", O_RDWR);
    if (null >= 0) {
        dup2(null, 0);
        dup2(null, 1);
    }
    if (library != NULL) {
        setenv("LD_PRELOAD", library, 1);
    } else {
        unsetenv("LD_PRELOAD");
    }
    execvp(program[0], program);
    fprintf(stderr, "mimalloc: %s cannot be started: %s\n", program[0], strerror(errno));
    _exit(EXIT_NOT_FOUND);
}

static void
run_once(const comparison_t *comparison, candidate_t *candidate, unsigned run)
{
    struct timespec begun;
    struct timespec ended;
    struct rusage usage;
    int status;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    pid_t child = fork();
    if (child == 0) {
        become(comparison->program, candidate->library);
    }
    bool is_server = comparison->load.ready != NULL;
    server_figures_t server = {0};
    if (child > 0 && is_server) {
        server = server_run(child, &comparison->load, candidate->name);
    }
    if (child < 0 || wait4(child, &status, 0, &usage) != child) {
        fail(EXIT_FAILED, "%s cannot be started: %s", comparison->program[0], strerror(errno));
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    if (!is_server && WIFSIGNALED(status)) {
        fail(EXIT_FAILED, "%s under %s was ended by signal %d (%s)", comparison->program[0], candidate->name,
             WTERMSIG(status), strsignal(WTERMSIG(status)));
    }
    if (!is_server && WEXITSTATUS(status) != 0) {
        fail(EXIT_FAILED, "%s under %s ended with status %d: it must end with 0", comparison->program[0],
             candidate->name, WEXITSTATUS(status));
    }
    candidate->runs[FINAL][run] = server.final;
    candidate->runs[WALL][run] =
        is_server ? server.seconds
                  : (double)(ended.tv_sec - begun.tv_sec) + (double)(ended.tv_nsec - begun.tv_nsec) / 1e9;
    candidate->runs[USER][run] = seconds_of(usage.ru_utime);
    candidate->runs[SYSTEM][run] = seconds_of(usage.ru_stime);
    candidate->runs[PEAK][run] = (double)usage.ru_maxrss / 1024;
    candidate->runs[FAULTS][run] = (double)(usage.ru_minflt + usage.ru_majflt);
    candidate->runs[SWITCHES][run] = (double)(usage.ru_nvcsw + usage.ru_nivcsw);
}

// One round more than is counted: the first one fills the caches of the system.
static void
run_all(const comparison_t *comparison)
{
    bool shows = isatty(STDERR_FILENO) != 0;
    for (unsigned round = 0; round <= comparison->runs; round++) {
        for (unsigned i = 0; i < comparison->count; i++) {
            // Another one begins each round.
            candidate_t *candidate = comparison->candidates[(i + round) % comparison->count];
            if (shows) {
                fprintf(stderr, "\rround %u of %u: %-20s", round, comparison->runs, candidate->name);
            }
            run_once(comparison, candidate, round == 0 ? 0 : round - 1);
        }
    }
    if (shows) {
        fprintf(stderr, "\r%-50s\r", "");
    }
}

// ---- statistics

typedef struct mean_t {
    double mean;
    double variance; // of the mean
    double half;     // of the 95% interval
} mean_t;

// Two-sided 95% quantile of Student's t: a table for few degrees, then an expansion of the normal quantile.
static double
t_quantile(double degrees)
{
    static const double few[] = {12.706, 4.303, 3.182, 2.776};
    if (degrees < 5) {
        unsigned below = degrees < 1 ? 0 : (unsigned)degrees - 1;
        return few[below < 4 ? below : 3];
    }
    double z = 1.959964;
    double z3 = z * z * z;
    double z5 = z3 * z * z;
    return z + (z3 + z) / (4 * degrees) + (5 * z5 + 16 * z3 + 3 * z) / (96 * degrees * degrees);
}

static mean_t
mean_of(const double *runs, unsigned count)
{
    mean_t mean = {0};
    double squares = 0;
    for (unsigned i = 0; i < count; i++) {
        mean.mean += runs[i] / count;
    }
    for (unsigned i = 0; i < count; i++) {
        squares += (runs[i] - mean.mean) * (runs[i] - mean.mean);
    }
    mean.variance = squares / (count - 1) / count;
    mean.half = t_quantile(count - 1) * sqrt(mean.variance);
    return mean;
}

// By how much of `base` this one is more, and half the 95% interval of that.
typedef struct difference_t {
    double share;
    double half;
    bool real;
} difference_t;

static difference_t
difference_of(mean_t own, mean_t base, unsigned count)
{
    double variance = own.variance + base.variance;
    double degrees = variance == 0 ? 1000
                                   : variance * variance * (count - 1) /
                                         (own.variance * own.variance + base.variance * base.variance);
    double half = t_quantile(degrees) * sqrt(variance);
    double distance = own.mean - base.mean;
    bool any = base.mean != 0;
    return (difference_t){.share = any ? distance / base.mean : 0,
                          .half = any ? half / base.mean : 0,
                          .real = any && fabs(distance) > half};
}

// ---- what it says

static void
print_table(const comparison_t *comparison)
{
    printf("%-20s", "");
    bool is_server = comparison->load.ready != NULL;
    for (unsigned m = 0; m < MEASURES; m++) {
        if (m == FINAL && !is_server) {
            continue;
        }
        printf("%11s%s%-3s%7s", measures[m].name, measures[m].unit[0] != 0 ? " " : "", measures[m].unit, "");
    }
    putchar('\n');
    for (unsigned i = 0; i < comparison->count; i++) {
        printf("%-20.20s", comparison->candidates[i]->name);
        for (unsigned m = 0; m < MEASURES; m++) {
            if (m == FINAL && !is_server) {
                continue;
            }
            mean_t mean = mean_of(comparison->candidates[i]->runs[m], comparison->runs);
            int places = mean.mean >= 1000 ? 0 : mean.mean >= 10 ? 1 : 3;
            printf("%12.*f ± %-7.*f", places, mean.mean, places, mean.half);
        }
        putchar('\n');
    }
    putchar('\n');
}

static void
print_verdicts(const comparison_t *comparison)
{
    const candidate_t *own = comparison->candidates[0];
    for (unsigned i = 1; i < comparison->count; i++) {
        const candidate_t *other = comparison->candidates[i];
        bool any = false;
        printf("%s against %s: ", own->name, other->name);
        for (unsigned m = 0; m < MEASURES; m++) {
            difference_t difference =
                difference_of(mean_of(own->runs[m], comparison->runs),
                              mean_of(other->runs[m], comparison->runs), comparison->runs);
            if (difference.real && m != SWITCHES && m != FAULTS) {
                const char *word = difference.share < 0 ? measures[m].less : measures[m].more;
                printf("%s%.1f%% %s (± %.1f)", any ? ", " : "", fabs(difference.share) * 100, word,
                       difference.half * 100);
                any = true;
            }
        }
        printf("%s\n", any ? "" : "no difference that these runs can tell");
    }
}

static void
print_csv(const comparison_t *comparison)
{
    printf("allocator,run");
    for (unsigned m = 0; m < MEASURES; m++) {
        printf(",%s", measures[m].name);
    }
    putchar('\n');
    for (unsigned run = 0; run < comparison->runs; run++) {
        for (unsigned i = 0; i < comparison->count; i++) {
            printf("%s,%u", comparison->candidates[i]->name, run + 1);
            for (unsigned m = 0; m < MEASURES; m++) {
                printf(",%.6g", comparison->candidates[i]->runs[m][run]);
            }
            putchar('\n');
        }
    }
}

static void
put_json(const void *arg, FILE *to)
{
    const comparison_t *comparison = arg;
    json_t json = {.to = to};
    json_begin(&json, NULL, '{');
    json_text(&json, "program", comparison->program[0]);
    json_number(&json, "runs", comparison->runs);
    json_begin(&json, "measures", '[');
    for (unsigned m = 0; m < MEASURES; m++) {
        json_begin(&json, NULL, '{');
        json_text(&json, "name", measures[m].name);
        json_text(&json, "unit", measures[m].unit);
        json_text(&json, "less", measures[m].less);
        json_text(&json, "more", measures[m].more);
        json_end(&json, '}');
    }
    json_end(&json, ']');
    json_begin(&json, "allocators", '[');
    for (unsigned i = 0; i < comparison->count; i++) {
        const candidate_t *candidate = comparison->candidates[i];
        json_begin(&json, NULL, '{');
        json_text(&json, "name", candidate->name);
        json_text(&json, "library", candidate->library);
        for (unsigned m = 0; m < MEASURES; m++) {
            mean_t mean = mean_of(candidate->runs[m], comparison->runs);
            mean_t own = mean_of(comparison->candidates[0]->runs[m], comparison->runs);
            difference_t difference = difference_of(own, mean, comparison->runs);
            json_begin(&json, measures[m].name, '{');
            json_real(&json, "mean", mean.mean);
            json_real(&json, "half_interval", mean.half);
            json_begin(&json, "runs", '[');
            for (unsigned run = 0; run < comparison->runs; run++) {
                json_real(&json, NULL, candidate->runs[m][run]);
            }
            json_end(&json, ']');
            if (i > 0) {
                json_real(&json, "first_is_more_by", difference.share);
                json_real(&json, "half_interval_of_that", difference.half);
                json_bool(&json, "differs", difference.real);
            }
            json_end(&json, '}');
        }
        json_end(&json, '}');
    }
    json_end(&json, ']');
    json_end(&json, '}');
}

static void
print_json(const comparison_t *comparison)
{
    put_json(comparison, stdout);
}

int
verb_compare(int argc, char **argv)
{
    comparison_t comparison = {.runs = 10};
    const char *given = NULL;
    const char *output = NULL;
    const char *with = NULL;
    bool as_csv = false;
    bool as_json = false;
    const bool runs = true;
    const argument_t table[] = {
        {"runs", 'n', required_argument, .whole = &comparison.runs, .least = 2, .most = RUNS_MAX},
        {"with", 'w', required_argument, .text = &with},
        {"library", 0, required_argument, .text = &given},
        {"output", 'o', required_argument, .text = &output},
        {"ready", 0, required_argument, .text = &comparison.load.ready},
        {"load", 0, required_argument, .text = &comparison.load.load},
        {"csv", 0, no_argument, .flag = &as_csv},
        {"json", 0, no_argument, .flag = &as_json},
    };
    comparison.program = arguments_read(argc, argv, &(arguments_t){help, table, 8, "a program", 1, 1, &runs});
    char path[PATH_MAX];
    const char *program = comparison.program[0];
    if (preload_find(program, path) == NULL) {
        fail(EXIT_FAILED, "%s: there is no such program", program);
    }
    add_candidate(&comparison, "mimalloc", preload_library(given));
    obstacle_t obstacle = preload_obstacle(path, comparison.candidates[0]->library);
    if (obstacle.what != NULL) {
        fail(EXIT_FAILED, "%s: %s; %s", program, obstacle.what, obstacle.remedy);
    }
    if (with == NULL) {
        add_installed(&comparison);
    }
    for (char *rest = with == NULL ? NULL : strdup(with), *name;
         rest != NULL && (name = strsep(&rest, ",")) != NULL;) {
        add_named(&comparison, name);
    }
    server_check(&comparison.load);
    run_all(&comparison);
    if (output != NULL) {
        FILE *to = output_open(output);
        page_write(compare_html, put_json, &comparison, to);
        output_close(to, output);
    }
    if (as_json) {
        print_json(&comparison);
    } else if (as_csv) {
        print_csv(&comparison);
    } else {
        print_table(&comparison);
        print_verdicts(&comparison);
    }
    return EXIT_DONE;
}
