// SPDX-License-Identifier: MIT
// arguments.h — a verb's options by a table, and what stands beside them.
#ifndef MI_TOOL_ARGUMENTS_H
#define MI_TOOL_ARGUMENTS_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

// An option, which goes to the one of `flag` to `variable` that is not NULL.
typedef struct argument_t {
    const char *name;
    char letter; // 0: none
    int has;     // no_argument, required_argument, optional_argument
    bool *flag;
    const char **text; // "" where there is no value
    unsigned *whole;   // a number from `least` to `most` (0: no bound)
    double *number;
    const char *variable; // of the environment; without a value it is set to 1
    double least;
    double most;
} argument_t;

typedef struct arguments_t {
    const char *help;
    const argument_t *table;
    size_t count;
    const char *needs; // what must stand beside the options, for people
    int least;         // so many, to `most`
    int most;
    const bool
        *runs; // when this is true, the first that is no option begins a program with options of its own
} arguments_t;

// What stands beside the options, and a NULL. Wrong use and --help end the tool. `argv[0]` is the verb.
char **arguments_read(int argc, char **argv, const arguments_t *wanted);

#endif
