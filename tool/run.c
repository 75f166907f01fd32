// SPDX-License-Identifier: MIT
// run.c — mimalloc run: a program with the library preloaded, or a line that says why that cannot be.
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "preload.h"
#include "text.h"
#include "verbs.h"

static const char help[] =
    "Usage: mimalloc run [OPTIONS] [--] PROGRAM [ARGUMENTS]\n"
    "Runs a program, and what it starts, with libmimalloc in the place of its malloc.\n\n"
    "  -s, --stats          print statistics when it ends (MIMALLOC_SHOW_STATS=1)\n"
    "  -l, --limit=SIZE     let it hold this much memory at most (MIMALLOC_MEMORY_LIMIT)\n"
    "  -L, --live           keep counters that `mimalloc top` may read (MIMALLOC_LIVE=1)\n"
    "  -m, --metrics=FILE   write OpenMetrics to a file, %p is the process (MIMALLOC_METRICS)\n"
    "  -v, --verbose        say at the start that it is active (MIMALLOC_VERBOSE=1)\n"
    "  -p, --profile[=RATE] take samples, and write ./mimalloc.<pid>.<number>.pb.gz at the end "
    "(MIMALLOC_PROFILE)\n"
    "      --secure         use the hardened library\n"
    "      --library=FILE   use this library\n"
    "  -n, --dry-run        say what is in the way, and start nothing\n"
    "      --json           with --dry-run: as JSON\n"
    "  -h, --help\n\n"
    "Exit status: the program's; 1 it could not work; 126 or 127 it could not be started.\n\n"
    "Examples:\n"
    "  mimalloc run --stats -- redis-server --port 7777\n"
    "  mimalloc run --limit=2G python3 job.py\n"
    "  mimalloc run --dry-run ./server\n";

static void
report(const char *program, const char *path, const char *library, obstacle_t obstacle, bool as_json)
{
    if (as_json) {
        json_t json = {.to = stdout};
        json_begin(&json, NULL, '{');
        json_text(&json, "program", path);
        json_text(&json, "library", library);
        json_bool(&json, "works", !obstacle.certain);
        json_text(&json, "obstacle", obstacle.what);
        json_text(&json, "remedy", obstacle.remedy);
        json_end(&json, '}');
    } else if (obstacle.what == NULL) {
        printf("%s would run with %s\n", program, library);
    } else {
        printf("%s: %s; %s\n", program, obstacle.what, obstacle.remedy);
    }
}

int
verb_run(int argc, char **argv)
{
    static const struct option options[] = {
        {"stats", no_argument, NULL, 's'},   {"limit", required_argument, NULL, 'l'},
        {"live", no_argument, NULL, 'L'},    {"metrics", required_argument, NULL, 'm'},
        {"verbose", no_argument, NULL, 'v'}, {"profile", optional_argument, NULL, 'p'},
        {"secure", no_argument, NULL, 'S'},  {"library", required_argument, NULL, 'b'},
        {"dry-run", no_argument, NULL, 'n'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},    {NULL, 0, NULL, 0},
    };
    const char *given = NULL;
    bool secure = false;
    bool dry = false;
    bool as_json = false;
    int option;
    while ((option = getopt_long(argc, argv, "+sl:Lm:vp::nh", options, NULL)) != -1) {
        switch (option) {
        case 's':
            setenv("MIMALLOC_SHOW_STATS", "1", 1);
            break;
        case 'l':
            setenv("MIMALLOC_MEMORY_LIMIT", optarg, 1);
            break;
        case 'L':
            setenv("MIMALLOC_LIVE", "1", 1);
            break;
        case 'm':
            setenv("MIMALLOC_METRICS", optarg, 1);
            break;
        case 'v':
            setenv("MIMALLOC_VERBOSE", "1", 1);
            break;
        case 'p':
            setenv("MIMALLOC_PROFILE", "mimalloc", 1);
            if (optarg != NULL) {
                setenv("MIMALLOC_PROFILE_RATE", optarg, 1);
            }
            break;
        case 'S':
            secure = true;
            break;
        case 'b':
            given = optarg;
            break;
        case 'n':
            dry = true;
            break;
        case 'j':
            as_json = true;
            break;
        case 'h':
            verb_help(help);
        default:
            verb_usage(argv[0]);
        }
    }
    if (optind == argc) {
        fputs("mimalloc: run needs a program\n", stderr);
        verb_usage(argv[0]);
    }
    char path[PATH_MAX];
    const char *library = preload_library(given, secure);
    if (dry) {
        if (preload_find(argv[optind], path) == NULL) {
            fail(EXIT_NOT_FOUND, "%s: there is no such program", argv[optind]);
        }
        obstacle_t obstacle = preload_obstacle(path, library);
        report(argv[optind], path, library, obstacle, as_json);
        return obstacle.certain ? EXIT_FAILED : EXIT_DONE;
    }
    preload_check(argv[optind], library);
    preload_set(library);
    execvp(argv[optind], argv + optind);
    fail(EXIT_CANNOT_RUN, "%s cannot be started: %s", argv[optind], strerror(errno));
}
