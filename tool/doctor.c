// SPDX-License-Identifier: MIT
// doctor.c — mimalloc doctor: is it active here, why not, and the lines that make it so.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "elf_file.h"
#include "model.h"
#include "preload.h"
#include "text.h"
#include "verbs.h"

static const char help[] =
    "Usage: mimalloc doctor [OPTIONS] [PID|PROGRAM]\n"
    "Says whether libmimalloc serves a process, or can serve a program; if not, why not and what helps.\n"
    "Without either: the lines for a Dockerfile, systemd, Kubernetes, CMake and Cargo.\n\n"
    "      --library=FILE   the library to look at programs with\n"
    "      --json\n"
    "  -h, --help\n\n"
    "Exit status: 0 active, or nothing is in the way; 1 not active, or it cannot be; 2 wrong use.\n\n"
    "Examples:\n"
    "  mimalloc doctor $(pidof redis-server)\n"
    "  mimalloc doctor /usr/bin/python3\n"
    "  mimalloc doctor\n";

typedef struct finding_t {
    char *subject;
    bool active; // of a program: nothing certain is in the way
    const char *why;
    const char *remedy;
    char *library;  // that serves it; or NULL
    char *others;   // allocators that are there besides
    uint64_t bytes; // live
} finding_t;

// ---- a process

// All of a file in /proc, with a zero behind it; zeros inside stay. NULL where it cannot be read.
static char *
read_proc(const char *pid, const char *name, size_t *length)
{
    char *path = format_new("/proc/%s/%s", pid, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    free(path);
    if (file < 0) {
        return NULL;
    }
    size_t room = 1 << 16;
    char *text = get_memory(room, 1);
    *length = 0;
    ssize_t got;
    while ((got = read(file, text + *length, room - *length - 1)) > 0) {
        *length += (size_t)got;
        if (room - *length < 4096) {
            room *= 2;
            text = grow_memory(text, room, 1);
        }
    }
    text[*length] = 0;
    close(file);
    return text;
}

// The value of a variable in the environment that a process was started with, or NULL.
static const char *
variable_of(const char *environment, size_t length, const char *name)
{
    size_t size = strlen(name);
    for (const char *at = environment; environment != NULL && at < environment + length;
         at += strlen(at) + 1) {
        if (strncmp(at, name, size) == 0 && at[size] == '=') {
            return at + size + 1;
        }
    }
    return NULL;
}

static void
look_at_maps(const char *pid, finding_t *finding)
{
    static const char *const names[] = {"libjemalloc", "libtcmalloc", "libtbbmalloc",
                                        "libsnmalloc", "librpmalloc", "libasan",
                                        "libtsan",     "liblsan",     "libhardened_malloc"};
    size_t length;
    char *maps = read_proc(pid, "maps", &length);
    for (char *line = maps; line != NULL && *line != 0; line = strchr(line, '\n') + 1) {
        size_t size = strcspn(line, "\n");
        char *path = memchr(line, '/', size);
        if (path == NULL) {
            continue;
        }
        char *file = format_new("%.*s", (int)(size - (size_t)(path - line)), path);
        const char *base = strrchr(file, '/') + 1;
        for (size_t i = 0; i < sizeof names / sizeof names[0] && finding->others == NULL; i++) {
            if (strncmp(base, names[i], strlen(names[i])) == 0) {
                finding->others = strdup(base);
            }
        }
        if (strncmp(base, "libmimalloc", 11) == 0 && finding->library == NULL) {
            finding->library = strdup(file);
        }
        free(file);
    }
    free(maps);
}

static void
say_why_not(const char *pid, finding_t *finding)
{
    size_t length;
    char link[64];
    char program[PATH_MAX] = "";
    char *environment = read_proc(pid, "environ", &length);
    const char *preloads = variable_of(environment, length, "LD_PRELOAD");
    snprintf(link, sizeof link, "/proc/%s/exe", pid);
    ssize_t size = readlink(link, program, sizeof program - 1);
    program[size > 0 ? size : 0] = 0;
    obstacle_t obstacle = preload_obstacle(program, "libmimalloc.so.3");
    finding->why = "it was started without LD_PRELOAD, and is not linked with the library";
    finding->remedy = "start it again by `mimalloc run`, or with LD_PRELOAD=libmimalloc.so.3";
    if (finding->library != NULL) {
        elf_file_t about;
        bool ours = elf_file_read(finding->library, &about) && about.has_mimalloc;
        finding->why = ours ? "the library is loaded, but another malloc goes before it"
                            : "another implementation with the name libmimalloc is loaded";
        finding->remedy = ours ? "preload it before all others, or take the other one out of the link"
                               : "name this library by its path in LD_PRELOAD";
    } else if (obstacle.certain) {
        finding->why = obstacle.what;
        finding->remedy = obstacle.remedy;
    } else if (finding->others != NULL) {
        finding->why = "another allocator is loaded";
        finding->remedy = "take it out of LD_PRELOAD or of the link";
    } else if (environment == NULL) {
        finding->why = "it is not loaded, and the environment it was started with cannot be read";
        finding->remedy = "run this as the user of the process, or as root";
    } else if (preloads != NULL && strstr(preloads, "mimalloc") != NULL) {
        finding->why = "LD_PRELOAD names it, but the loader did not find it there, or it is set-user-id";
        finding->remedy =
            "use the bare name libmimalloc.so.3 where ldconfig knows it, else a full path that exists";
    }
}

static finding_t
look_at_process(const char *pid)
{
    const char *why;
    finding_t finding = {.subject = format_new("process %s", pid)};
    target_t *target = target_open(pid);
    look_at_maps(pid, &finding);
    uint64_t at = target_find_descriptor(target, &why);
    mi_descriptor_t layout;
    uint64_t regions = 0;
    if (at != 0 && target_read(target, at, &layout, sizeof layout)) {
        (void)target_read(target, (uintptr_t)layout.region_count, &regions, sizeof regions);
    }
    if (regions > 0) {
        model_t *model = model_read(target, false);
        finding.active = true;
        finding.bytes = model->total.live_bytes;
        model_free(model);
    } else {
        say_why_not(pid, &finding);
        if (at == 0 && finding.library != NULL && why != NULL && strstr(why, "trace") != NULL) {
            finding.why = "the library is loaded, but this user may not look whether it is asked for memory";
            finding.remedy = "run this as root, or set kernel.yama.ptrace_scope to 0";
        }
    }
    target_close(target);
    return finding;
}

// ---- a program

static finding_t
look_at_program(const char *name, const char *given)
{
    char path[PATH_MAX];
    finding_t finding = {.subject = strdup(name)};
    if (preload_find(name, path) == NULL) {
        fail(EXIT_FAILED, "%s: neither a process nor a program", name);
    }
    const char *library = preload_library(given);
    obstacle_t obstacle = preload_obstacle(path, library);
    finding.active = !obstacle.certain;
    finding.why = obstacle.what;
    finding.remedy = obstacle.remedy;
    finding.library = strdup(library);
    return finding;
}

// ---- what it says

static const struct {
    const char *where;
    const char *lines;
} recipes[] = {
    {"shell", "LD_PRELOAD=libmimalloc.so.3 PROGRAM"},
    {"Dockerfile", "COPY libmimalloc.so.3 /usr/local/lib/\nRUN ldconfig\nENV LD_PRELOAD=libmimalloc.so.3"},
    {"systemd: /etc/systemd/system/NAME.service.d/malloc.conf",
     "[Service]\nEnvironment=LD_PRELOAD=libmimalloc.so.3"},
    {"Kubernetes", "env:\n  - name: LD_PRELOAD\n    value: libmimalloc.so.3"},
    {"CMake", "find_package(mimalloc REQUIRED)\ntarget_link_libraries(PROGRAM PRIVATE mimalloc::mimalloc)"},
    {"Cargo.toml, and main.rs", "[dependencies]\nmimalloc = \"*\"\n\n#[global_allocator]\nstatic GLOBAL: "
                                "mimalloc::MiMalloc = mimalloc::MiMalloc;"},
};

static void
print_recipes(void)
{
    for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++) {
        printf("%s%s:\n", i > 0 ? "\n" : "", recipes[i].where);
        for (const char *line = recipes[i].lines; *line != 0;) {
            int length = (int)strcspn(line, "\n");
            printf("%s%.*s\n", length > 0 ? "    " : "", length, line);
            line += length + (line[length] == '\n');
        }
    }
}

static void
print_json(const finding_t *finding)
{
    json_t json = {.to = stdout};
    json_begin(&json, NULL, '{');
    if (finding != NULL) {
        json_text(&json, "subject", finding->subject);
        json_bool(&json, "active", finding->active);
        json_text(&json, "why", finding->why);
        json_text(&json, "remedy", finding->remedy);
        json_text(&json, "library", finding->library);
        json_text(&json, "other_allocator", finding->others);
        json_number(&json, "allocated_bytes", finding->bytes);
    }
    json_begin(&json, "recipes", '{');
    for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++) {
        json_text(&json, recipes[i].where, recipes[i].lines);
    }
    json_end(&json, '}');
    json_end(&json, '}');
}

static void
print_finding(const finding_t *finding, bool is_process)
{
    bytes_text_t bytes;
    if (is_process && finding->active) {
        printf("%s: active, %s allocated%s%s\n", finding->subject, bytes_text(&bytes, finding->bytes),
               finding->library != NULL ? ", by " : "", finding->library != NULL ? finding->library : "");
    } else if (finding->active) {
        printf("%s: %s\n", finding->subject, finding->why == NULL ? "nothing is in the way" : finding->why);
    } else {
        printf("%s: not active: %s%s%s%s\n", finding->subject, finding->why,
               finding->others != NULL ? " (" : "", finding->others != NULL ? finding->others : "",
               finding->others != NULL ? ")" : "");
    }
    if (finding->remedy != NULL) {
        printf("  what helps: %s\n", finding->remedy);
    }
}

int
verb_doctor(int argc, char **argv)
{
    const char *given = NULL;
    bool as_json = false;
    const argument_t table[] = {{"library", 0, required_argument, .text = &given},
                                {"json", 0, no_argument, .flag = &as_json}};
    const char *name =
        *arguments_read(argc, argv, &(arguments_t){help, table, 2, "one process or program", 0, 1, NULL});
    if (name == NULL) {
        as_json ? print_json(NULL) : print_recipes();
        return EXIT_DONE;
    }
    bool is_process = name[strspn(name, "0123456789")] == 0;
    finding_t finding = is_process ? look_at_process(name) : look_at_program(name, given);
    as_json ? print_json(&finding) : print_finding(&finding, is_process);
    bool active = finding.active;
    free(finding.subject);
    free(finding.library);
    free(finding.others);
    return active ? EXIT_DONE : EXIT_FAILED;
}
