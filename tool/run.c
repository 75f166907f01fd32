// SPDX-License-Identifier: MIT
// run.c — mimalloc run: a program with the library preloaded, or a line that says why that cannot be.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
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
    "      --secure[=N]     hardened, to level 1 or N (MIMALLOC_SECURE)\n"
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
    const char *given = NULL;
    const char *rate = NULL;
    bool dry = false;
    bool as_json = false;
    const bool runs = true;
    const argument_t table[] = {
        {"stats", 's', no_argument, .variable = "MIMALLOC_SHOW_STATS"},
        {"limit", 'l', required_argument, .variable = "MIMALLOC_MEMORY_LIMIT"},
        {"live", 'L', no_argument, .variable = "MIMALLOC_LIVE"},
        {"metrics", 'm', required_argument, .variable = "MIMALLOC_METRICS"},
        {"verbose", 'v', no_argument, .variable = "MIMALLOC_VERBOSE"},
        {"profile", 'p', optional_argument, .text = &rate},
        {"secure", 0, optional_argument, .variable = "MIMALLOC_SECURE"},
        {"library", 0, required_argument, .text = &given},
        {"dry-run", 'n', no_argument, .flag = &dry},
        {"json", 0, no_argument, .flag = &as_json},
    };
    char **program = arguments_read(argc, argv, &(arguments_t){help, table, 10, "a program", 1, 1, &runs});
    if (rate != NULL) {
        setenv("MIMALLOC_PROFILE", "mimalloc", 1);
    }
    if (rate != NULL && *rate != 0) {
        setenv("MIMALLOC_PROFILE_RATE", rate, 1);
    }
    char path[PATH_MAX];
    const char *library = preload_library(given);
    if (dry) {
        if (preload_find(program[0], path) == NULL) {
            fail(EXIT_NOT_FOUND, "%s: there is no such program", program[0]);
        }
        obstacle_t obstacle = preload_obstacle(path, library);
        report(program[0], path, library, obstacle, as_json);
        return obstacle.certain ? EXIT_FAILED : EXIT_DONE;
    }
    preload_check(program[0], library);
    preload_set(library);
    execvp(program[0], program);
    fail(EXIT_CANNOT_RUN, "%s cannot be started: %s", program[0], strerror(errno));
}
