// SPDX-License-Identifier: MIT
// profile_verb.c — mimalloc profile, leaks and diff: which stacks have the memory.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "pprof_file.h"
#include "profile_source.h"
#include "stacks_page.h"
#include "stacks_text.h"
#include "text.h"
#include "verbs.h"

#define OPTIONS_HELP                                                                                         \
    "  -o, --output=FILE   by its ending: .html a page for a browser, complete in one file; .pb.gz for go "  \
    "tool pprof\n"                                                                                           \
    "                      and others, with names; .folded for flamegraph.pl and speedscope; .json; .txt\n"  \
    "  -t, --type=TYPE     inuse_space, inuse_objects, alloc_space, alloc_objects, growth_space, "           \
    "peak_space,\n"                                                                                          \
    "                      holes_space, lifetime\n"                                                          \
    "  -n, --rows=N        in text: functions or stacks (20)\n"                                              \
    "      --json\n"                                                                                         \
    "  -h, --help\n\n"
#define SOURCE_HELP                                                                                          \
    "  -s, --seconds=N     how long samples are taken of a process (10); of one that takes them already: "   \
    "none, unless\n"                                                                                         \
    "                      given\n"                                                                          \
    "      --run           run PROGRAM under the library, to its end or for --seconds\n"                     \
    "  -r, --rate=BYTES    with --run: one sample in so many (512K)\n"                                       \
    "      --library=FILE  with --run: this library\n"
#define EXIT_HELP                                                                                            \
    "Exit status: 0 done; 1 there is no such process or file, no right to read it, no libmimalloc in it, "   \
    "or no\n"                                                                                                \
    "profile; 2 wrong use.\n\n"

static const char profile_help[] =
    "Usage: mimalloc profile [OPTIONS] PID|CORE|FILE.pb.gz\n"
    "       mimalloc profile [OPTIONS] --run [--] PROGRAM [ARGUMENTS]\n"
    "Tells which calls hold the memory. A process is made to take samples for some seconds, and goes on; "
    "nothing has\n"
    "to be prepared. Names and lines come from debug information, where there is some (also by "
    "DEBUGINFOD_URLS).\n\n" SOURCE_HELP OPTIONS_HELP EXIT_HELP "Examples:\n"
    "  mimalloc profile --seconds 60 -o heap.html $(pidof server)\n"
    "  mimalloc profile --run -o job.html -- python3 job.py\n"
    "  mimalloc profile -t alloc_space /tmp/prof.1234.0001.pb.gz\n";

static const char leaks_help[] =
    "Usage: mimalloc leaks [OPTIONS] PID|CORE|FILE.pb.gz\n"
    "       mimalloc leaks [OPTIONS] --run [--] PROGRAM [ARGUMENTS]\n"
    "Tells what was allocated and still lives, by stack, largest first: of a process what it has allocated "
    "while samples\n"
    "were taken, of a program what it had not freed at its end.\n\n" SOURCE_HELP OPTIONS_HELP EXIT_HELP
    "Examples:\n"
    "  mimalloc leaks --run -r 16K -- ./program\n"
    "  mimalloc leaks --seconds 600 $(pidof server)\n";

static const char diff_help[] = "Usage: mimalloc diff [OPTIONS] BEFORE AFTER\n"
                                "Tells by how much stacks have grown or shrunk from one profile to another. "
                                "Each is a .pb.gz, a core file or a\n"
                                "process.\n\n" OPTIONS_HELP EXIT_HELP "Examples:\n"
                                "  mimalloc diff -o grown.html monday.pb.gz friday.pb.gz\n"
                                "  mimalloc diff warm.pb.gz $(pidof server)\n";

typedef struct request_t {
    const char *output;
    const char *type;
    const char *rate;
    const char *library;
    double seconds;
    unsigned rows;
    bool run;
    bool as_json;
    bool is_diff;
    bool by_stack;
} request_t;

static bool
ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

static bool
is_output(const char *path)
{
    static const char *const endings[] = {".html", ".pb.gz", ".folded", ".json", ".txt"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        if (ends_with(path, endings[i])) {
            return true;
        }
    }
    return false;
}

static void
print_text(const stacks_t *stacks, const request_t *request, FILE *to)
{
    if (request->by_stack) {
        stacks_print_traces(stacks, request->is_diff, request->rows, to);
    } else {
        stacks_print_functions(stacks, request->rows, to);
    }
}

static void
write_output(const stacks_t *stacks, const request_t *request)
{
    const char *path = request->output;
    if (ends_with(path, ".pb.gz")) {
        if (!pprof_write(stacks, path)) {
            fail(EXIT_FAILED, "%s cannot be written: %s", path, strerror(errno));
        }
        return;
    }
    FILE *to = output_open(path);
    if (ends_with(path, ".html")) {
        stacks_page(stacks, request->is_diff, to);
    } else if (ends_with(path, ".folded")) {
        stacks_print_folded(stacks, to);
    } else if (ends_with(path, ".json")) {
        stacks_print_json(stacks, to);
    } else {
        print_text(stacks, request, to);
    }
    output_close(to, path);
}

static int
finish(stacks_t *stacks, const request_t *request)
{
    if (request->output != NULL) {
        write_output(stacks, request);
    } else if (request->as_json) {
        stacks_print_json(stacks, stdout);
    } else {
        print_text(stacks, request, stdout);
    }
    stacks_free(stacks);
    return EXIT_DONE;
}

static void
show_type(stacks_t *stacks, const char *wanted)
{
    int type = wanted == NULL ? -1 : stacks_find_type(stacks, wanted);
    if (wanted != NULL && type < 0) {
        fail(EXIT_FAILED, "%s has no figures of the type %s", stacks->subject, wanted);
    }
    stacks->shown = type < 0 ? stacks->shown : (unsigned)type;
}

// Takes the options, and what stands beside them. Of two profiles none is taken anew.
static request_t
read_options(int argc, char **argv, const char *help, char ***operands)
{
    request_t request = {.rows = 20, .is_diff = strcmp(argv[0], "diff") == 0};
    const argument_t table[] = {
        {"output", 'o', required_argument, .text = &request.output},
        {"type", 't', required_argument, .text = &request.type},
        {"rows", 'n', required_argument, .whole = &request.rows, .least = 1},
        {"json", 0, no_argument, .flag = &request.as_json},
        {"seconds", 's', required_argument, .number = &request.seconds, .least = 0.01, .most = 1e7},
        {"run", 0, no_argument, .flag = &request.run},
        {"rate", 'r', required_argument, .text = &request.rate},
        {"library", 0, required_argument, .text = &request.library},
    };
    arguments_t wanted = {help, table,       8, "one process, core file or .pb.gz, or --run and a program", 1,
                          1,    &request.run};
    if (request.is_diff) {
        wanted = (arguments_t){help, table, 4, "two profiles", 2, 2, NULL};
    }
    *operands = arguments_read(argc, argv, &wanted);
    if (request.output != NULL && !is_output(request.output)) {
        fail(EXIT_USAGE, "--output=%s: the name must end in .html, .pb.gz, .folded, .json or .txt",
             request.output);
    }
    return request;
}

static int
show_one(int argc, char **argv, const char *help, bool is_leaks)
{
    char **operands;
    request_t request = read_options(argc, argv, help, &operands);
    if (!request.run && (request.rate != NULL || request.library != NULL)) {
        fail(EXIT_USAGE, "--rate and --library are for --run");
    }
    stacks_t *stacks = request.run
                           ? profile_of_program(operands, request.library, request.rate, request.seconds)
                           : profile_of(operands[0], request.seconds);
    if (is_leaks) {
        request.by_stack = true;
        show_type(stacks, "inuse_space");
    }
    show_type(stacks, request.type);
    return finish(stacks, &request);
}

int
verb_profile(int argc, char **argv)
{
    return show_one(argc, argv, profile_help, false);
}

int
verb_leaks(int argc, char **argv)
{
    return show_one(argc, argv, leaks_help, true);
}

int
verb_diff(int argc, char **argv)
{
    char **operands;
    request_t request = read_options(argc, argv, diff_help, &operands);
    request.by_stack = true;
    stacks_t *before = profile_of(operands[0], 0);
    stacks_t *after = profile_of(operands[1], 0);
    stacks_t *both = stacks_diff(before, after);
    if (both->type_count == 0) {
        fail(EXIT_FAILED, "%s and %s have no type of figures in common", operands[0], operands[1]);
    }
    stacks_free(before);
    stacks_free(after);
    show_type(both, request.type);
    return finish(both, &request);
}
