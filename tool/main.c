// SPDX-License-Identifier: MIT
// main.c — mimalloc VERB …
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mimalloc.h>

#include "text.h"
#include "verbs.h"

static const struct {
    const char *name;
    verb_fun_t *call;
    const char *what;
} verbs[] = {
    {"run", verb_run, "run a program with the library"},
    {"doctor", verb_doctor, "say whether the library is active, and if not, why not"},
    {"top", verb_top, "watch the heaps of processes"},
    {"map", verb_map, "draw the heap of a process or core file"},
    {"profile", verb_profile, "tell which calls hold the memory of a process or program"},
    {"leaks", verb_leaks, "tell what was allocated and still lives, by stack"},
    {"diff", verb_diff, "compare two profiles"},
    {"explain", verb_explain, "put functions and lines into a report of the library"},
    {"metrics", verb_metrics, "print a process's figures as OpenMetrics, or serve them"},
    {"compare", verb_compare, "time a program with this library and with others"},
};

static void
print_help(FILE *to)
{
    fputs("Usage: mimalloc VERB [OPTIONS] …\n\n", to);
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        fprintf(to, "  %-10s %s\n", verbs[i].name, verbs[i].what);
    }
    fputs("\n`mimalloc VERB --help` has the options of a verb, and examples.\n"
          "Exit status: 0 done; 1 it could not be done; 2 wrong use. `run` has its program's.\n",
          to);
}

int
main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verb, verbs[i].name) == 0) {
            return verbs[i].call(argc - 1, argv + 1);
        }
    }
    if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0 || strcmp(verb, "help") == 0) {
        print_help(stdout);
        return EXIT_DONE;
    }
    if (strcmp(verb, "--version") == 0) {
        printf("mimalloc %d.%d.%d\n", MI_MALLOC_VERSION / 10000, MI_MALLOC_VERSION / 100 % 100,
               MI_MALLOC_VERSION % 100);
        return EXIT_DONE;
    }
    if (argc > 1) {
        fprintf(stderr, "mimalloc: there is no verb %s\n", verb);
    }
    print_help(stderr);
    return EXIT_USAGE;
}
