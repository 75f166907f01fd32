// SPDX-License-Identifier: MIT
// arguments.c — a verb's options, by getopt_long.
#include "arguments.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

enum { FIRST_LONG = 256, OPTIONS_MAX = 32 }; // getopt's number for a row of the table, from FIRST_LONG on

static _Noreturn void
end_with_usage(const char *verb)
{
    fprintf(stderr, "Try `mimalloc %s --help`.\n", verb);
    exit(EXIT_USAGE);
}

static void
take_number(const argument_t *row, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    bool fits = end != text && *end == 0 && value >= row->least && (row->most == 0 || value <= row->most);
    if (row->whole != NULL && fits) {
        fits = value <= 4e9 && value == (unsigned)value;
    }
    if (!fits && row->most == 0) {
        fail(EXIT_USAGE, "--%s=%s: a number from %g on is wanted", row->name, text, row->least);
    }
    if (!fits) {
        fail(EXIT_USAGE, "--%s=%s: a number from %g to %g is wanted", row->name, text, row->least, row->most);
    }
    if (row->whole != NULL) {
        *row->whole = (unsigned)value;
    } else {
        *row->number = value;
    }
}

static void
take(const argument_t *row, const char *value)
{
    if (row->variable != NULL) {
        setenv(row->variable, value == NULL ? "1" : value, 1);
    } else if (row->flag != NULL) {
        *row->flag = true;
    } else if (row->text != NULL) {
        *row->text = value == NULL ? "" : value;
    } else {
        take_number(row, value);
    }
}

// What getopt wants of the table, and --help. Operands come in their place, as option 1.
static void
describe(const arguments_t *wanted, struct option *options, char *letters)
{
    *letters++ = '-';
    for (size_t i = 0; i < wanted->count; i++) {
        const argument_t *row = &wanted->table[i];
        options[i] = (struct option){row->name, row->has, NULL, FIRST_LONG + (int)i};
        if (row->letter != 0) {
            *letters++ = row->letter;
            memset(letters, ':', (size_t)row->has); // required_argument is 1, optional_argument 2
            letters += row->has;
        }
    }
    options[wanted->count] = (struct option){"help", no_argument, NULL, 'h'};
    options[wanted->count + 1] = (struct option){0};
    *letters++ = 'h';
    *letters = 0;
}

char **
arguments_read(int argc, char **argv, const arguments_t *wanted)
{
    struct option options[OPTIONS_MAX + 2];
    char letters[3 * OPTIONS_MAX + 3];
    char **operands = get_memory((size_t)argc + 1, sizeof *operands);
    int count = 0;
    int option = 0;
    describe(wanted, options, letters);
    while ((option = getopt_long(argc, argv, letters, options, NULL)) != -1) {
        if (option == 1 && wanted->runs != NULL && *wanted->runs) {
            optind--;
            break;
        }
        if (option == 1) {
            operands[count++] = optarg;
            continue;
        }
        if (option == 'h') {
            fputs(wanted->help, stdout);
            exit(EXIT_DONE);
        }
        const argument_t *row = option >= FIRST_LONG ? &wanted->table[option - FIRST_LONG] : NULL;
        for (size_t i = 0; row == NULL && i < wanted->count; i++) {
            row = wanted->table[i].letter == option ? &wanted->table[i] : NULL;
        }
        if (row == NULL) {
            end_with_usage(argv[0]);
        }
        take(row, optarg);
    }
    while (optind < argc) {
        operands[count++] = argv[optind++];
    }
    bool program = wanted->runs != NULL && *wanted->runs;
    if (count < wanted->least || (!program && count > wanted->most)) {
        fprintf(stderr, "mimalloc: %s needs %s\n", argv[0], wanted->needs);
        end_with_usage(argv[0]);
    }
    return operands;
}
