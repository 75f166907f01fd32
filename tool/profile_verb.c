// SPDX-License-Identifier: MIT
// profile_verb.c — mimalloc profile, leaks and diff: which stacks have the memory.
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

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

// Takes the options; what follows them begins at `optind`.
static request_t
read_options(int argc, char **argv, const char *help)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'},  {"type", required_argument, NULL, 't'},
        {"rows", required_argument, NULL, 'n'},    {"json", no_argument, NULL, 'j'},
        {"seconds", required_argument, NULL, 's'}, {"run", no_argument, NULL, 'R'},
        {"rate", required_argument, NULL, 'r'},    {"library", required_argument, NULL, 'b'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };
    request_t request = {.rows = 20};
    bool is_diff = strcmp(argv[0], "diff") == 0;
    int option;
    while ((option = getopt_long(argc, argv, is_diff ? "+o:t:n:h" : "+o:t:n:s:r:h", options, NULL)) != -1) {
        char *end = NULL;
        if (is_diff && strchr("sRrb", option) != NULL) {
            verb_usage(argv[0]);
        }
        switch (option) {
        case 'o':
            request.output = optarg;
            break;
        case 't':
            request.type = optarg;
            break;
        case 'n':
            request.rows = (unsigned)strtoul(optarg, &end, 10);
            if (*end != 0 || request.rows == 0) {
                fail(EXIT_USAGE, "--rows=%s: a number from 1 on is wanted", optarg);
            }
            break;
        case 'j':
            request.as_json = true;
            break;
        case 's':
            request.seconds = strtod(optarg, &end);
            if (*end != 0 || !(request.seconds >= 0.01 && request.seconds <= 1e7)) {
                fail(EXIT_USAGE, "--seconds=%s: a number from 0.01 on is wanted", optarg);
            }
            break;
        case 'R':
            request.run = true;
            break;
        case 'r':
            request.rate = optarg;
            break;
        case 'b':
            request.library = optarg;
            break;
        case 'h':
            verb_help(help);
        default:
            verb_usage(argv[0]);
        }
    }
    if (request.output != NULL && !is_output(request.output)) {
        fail(EXIT_USAGE, "--output=%s: the name must end in .html, .pb.gz, .folded, .json or .txt",
             request.output);
    }
    return request;
}

static int
show_one(int argc, char **argv, const char *help, bool is_leaks)
{
    request_t request = read_options(argc, argv, help);
    if (request.run ? optind == argc : argc - optind != 1) {
        fprintf(stderr, "mimalloc: %s needs one process, core file or .pb.gz, or --run and a program\n",
                argv[0]);
        verb_usage(argv[0]);
    }
    if (!request.run && (request.rate != NULL || request.library != NULL)) {
        fail(EXIT_USAGE, "--rate and --library are for --run");
    }
    stacks_t *stacks = request.run
                           ? profile_of_program(argv + optind, request.library, request.rate, request.seconds)
                           : profile_of(argv[optind], request.seconds);
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
    request_t request = read_options(argc, argv, diff_help);
    if (argc - optind != 2) {
        fputs("mimalloc: diff needs two profiles\n", stderr);
        verb_usage(argv[0]);
    }
    request.is_diff = true;
    request.by_stack = true;
    stacks_t *before = profile_of(argv[optind], 0);
    stacks_t *after = profile_of(argv[optind + 1], 0);
    stacks_t *both = stacks_diff(before, after);
    if (both->type_count == 0) {
        fail(EXIT_FAILED, "%s and %s have no type of figures in common", argv[optind], argv[optind + 1]);
    }
    stacks_free(before);
    stacks_free(after);
    show_type(both, request.type);
    return finish(both, &request);
}
