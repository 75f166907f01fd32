// SPDX-License-Identifier: MIT
// profile_source.c — starting and stopping a process's sampler, and reading what it has counted.
#include "profile_source.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pprof_file.h"
#include "preload.h"
#include "site_reader.h"
#include "text.h"

enum { READY_SECONDS = 10 };

static volatile sig_atomic_t interrupted;

static void
on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

// ---- a process

// Until then, or ^C, or the end of the process.
static void
wait_until(const target_t *target, double end, timeline_t *timeline)
{
    while (timeline_now() < end && !interrupted && target_is_alive(target)) {
        (void)timeline_look(timeline, target);
        double left = end - timeline_now();
        long pause = (long)((left < 0.05 ? left < 0 ? 0 : left : 0.05) * 1e9);
        nanosleep(&(struct timespec){.tv_nsec = pause}, NULL);
    }
}

// The request stays where the process sees it when it allocates the next time.
static void
ask(const model_t *model, uint32_t request, double until)
{
    mi_live_t live;
    bool wants = request == MI_LIVE_START_PROFILE;
    (void)model_ask(model, request, &live);
    while (wants && sites_rate(model) == 0 && timeline_now() < until && !interrupted &&
           target_is_alive(model->target)) {
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
}

static stacks_t *
read_target(const target_t *target, symbols_t *symbols, const site_sums_t *since)
{
    model_t *model = model_read(target, false);
    stacks_t *stacks = sites_read(model, symbols, since);
    model_free(model);
    return stacks;
}

static stacks_t *
profile_of_process(const char *name, double seconds)
{
    target_t *target = target_open(name);
    model_t *model = model_read(target, false);
    symbols_t *symbols = symbols_new();
    symbols_add_target(symbols, target);
    bool starts = sites_rate(model) == 0;
    bool waits = starts || seconds > 0;
    timeline_t *timeline = timeline_new();
    double end = timeline_now() + (seconds > 0 ? seconds : PROFILE_SECONDS);
    site_sums_t *since = waits ? sites_sums(model) : NULL;
    struct sigaction old;
    sigaction(SIGINT, &(struct sigaction){.sa_handler = on_interrupt}, &old);
    if (starts) {
        ask(model, MI_LIVE_START_PROFILE, end);
    }
    if (waits) {
        wait_until(target, end, timeline);
    }
    bool idle = starts && sites_rate(model) == 0;
    bool alive = target_is_alive(target);
    stacks_t *stacks = alive ? read_target(target, symbols, since) : NULL;
    if (starts && alive) {
        ask(model, MI_LIVE_STOP_PROFILE, 0);
    }
    sigaction(SIGINT, &old, NULL);
    if (!alive) {
        fail(EXIT_FAILED,
             "process %s ended while it was profiled: give it fewer seconds, or start it with --run", name);
    }
    if (stacks == NULL) {
        fail(EXIT_FAILED, "process %s %s", name,
             idle ? "did not allocate, so that it took no samples: give it more --seconds"
                  : "took no sample: it allocated too little; give it more --seconds, or a lower "
                    "MIMALLOC_PROFILE_RATE");
    }
    stacks->timeline = timeline;
    sites_free_sums(since);
    symbols_tell_changed(symbols);
    symbols_free(symbols);
    model_free(model);
    target_close(target);
    return stacks;
}

// ---- a core file

static bool
is_elf(const char *path)
{
    char magic[SELFMAG] = {0};
    int file = open(path, O_RDONLY | O_CLOEXEC);
    bool is = file >= 0 && read(file, magic, SELFMAG) == SELFMAG && memcmp(magic, ELFMAG, SELFMAG) == 0;
    if (file >= 0) {
        close(file);
    }
    return is;
}

static stacks_t *
profile_of_core(const char *name)
{
    target_t *target = target_open(name);
    if (target->cut) {
        fprintf(stderr, "mimalloc: %s is cut off: some of the profile may be missing\n", name);
    }
    symbols_t *symbols = symbols_new();
    symbols_add_target(symbols, target);
    stacks_t *stacks = read_target(target, symbols, NULL);
    if (stacks == NULL) {
        fail(EXIT_FAILED,
             "%s has no profile: nothing was sampled in that process; run it with MIMALLOC_PROFILE", name);
    }
    symbols_tell_changed(symbols);
    symbols_free(symbols);
    target_close(target);
    return stacks;
}

stacks_t *
profile_of(const char *name, double seconds)
{
    return *name != 0 && name[strspn(name, "0123456789")] == 0 ? profile_of_process(name, seconds)
           : is_elf(name)                                      ? profile_of_core(name)
                                                               : pprof_read(name);
}

// ---- a program

static _Noreturn void
become(char **program, const char *library, const char *rate, const char *base)
{
    preload_set(library);
    setenv("MIMALLOC_PROFILE", base, 1);
    setenv("MIMALLOC_PROFILE_FORMAT", "pprof", 1);
    if (rate != NULL) {
        setenv("MIMALLOC_PROFILE_RATE", rate, 1);
    }
    execvp(program[0], program);
    fprintf(stderr, "mimalloc: %s cannot be started: %s\n", program[0], strerror(errno));
    _exit(EXIT_CANNOT_RUN);
}

// The file that the program itself has written, or else the largest of those that it started; in the folder
// nothing stays. NULL where there is none. `*others`: how many more there were.
static stacks_t *
read_folder(const char *folder, pid_t child, unsigned *others)
{
    char *best = NULL;
    off_t most = -1;
    char *own = format_new("p.%d.", (int)child);
    *others = 0;
    for (unsigned pass = 0; pass < 2; pass++) {
        DIR *files = opendir(folder);
        struct dirent *entry;
        while (files != NULL && (entry = readdir(files)) != NULL) {
            struct stat about;
            char *path = format_new("%s/%s", folder, entry->d_name);
            if (stat(path, &about) != 0 || !S_ISREG(about.st_mode)) {
                free(path);
                continue;
            }
            off_t rank = strncmp(entry->d_name, own, strlen(own)) == 0 ? INT64_MAX : about.st_size;
            if (pass == 0 && rank > most) {
                free(best);
                best = strdup(path);
                most = rank;
            }
            *others += pass == 0;
            if (pass == 1 && (best == NULL || strcmp(path, best) != 0)) {
                unlink(path);
            }
            free(path);
        }
        if (files != NULL) {
            closedir(files);
        }
    }
    *others -= *others > 0;
    stacks_t *stacks = best == NULL ? NULL : pprof_read(best);
    if (best != NULL) {
        unlink(best);
    }
    rmdir(folder);
    free(best);
    free(own);
    return stacks;
}

// Until the child is the program and takes samples; not for ever, since it may never do that.
static void
wait_for_library(const char *pid)
{
    bool has = false;
    for (double end = timeline_now() + READY_SECONDS; !has && timeline_now() < end;) {
        const char *why;
        target_t *target = target_try_process(pid);
        model_t *model = target == NULL ? NULL : model_try(target, false, &why);
        has = model != NULL && sites_rate(model) != 0;
        if (model != NULL) {
            model_free(model);
        }
        if (target == NULL) {
            return;
        }
        target_close(target);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
}

// False where there is no such child. It becomes the program first, and may never have our heap.
static bool
wait_for_end(pid_t child, int *status, timeline_t *timeline)
{
    char pid[24];
    target_t *target = NULL;
    pid_t ended;
    snprintf(pid, sizeof pid, "%d", (int)child);
    while ((ended = waitpid(child, status, WNOHANG)) == 0) {
        target = target == NULL ? target_try_process(pid) : target;
        if (target != NULL && !timeline_look(timeline, target)) {
            target_close(target);
            target = NULL;
        }
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    if (target != NULL) {
        target_close(target);
    }
    return ended == child;
}

stacks_t *
profile_of_program(char **program, const char *given, const char *rate, double seconds)
{
    const char *temporary = getenv("TMPDIR");
    char *folder = format_new("%s/mimalloc-profile-XXXXXX", temporary == NULL ? "/tmp" : temporary);
    const char *library = preload_library(given);
    preload_check(program[0], library);
    if (mkdtemp(folder) == NULL) {
        fail(EXIT_FAILED, "%s cannot be made: %s", folder, strerror(errno));
    }
    char *base = format_new("%s/p", folder);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        become(program, library, rate, base);
    }
    // The program decides what ^C does.
    signal(SIGINT, SIG_IGN);
    stacks_t *stacks = NULL;
    if (seconds > 0) {
        char *name = format_new("%d", (int)child);
        wait_for_library(name);
        stacks = profile_of_process(name, seconds);
        free(name);
    }
    int status = 0;
    unsigned others;
    timeline_t *timeline = timeline_new();
    if (child < 0 || !wait_for_end(child, &status, timeline)) {
        fail(EXIT_FAILED, "%s cannot be started: %s", program[0], strerror(errno));
    }
    stacks_t *of_file = read_folder(folder, child, &others);
    if (WIFSIGNALED(status)) {
        fprintf(stderr, "mimalloc: %s was ended by signal %d (%s)\n", program[0], WTERMSIG(status),
                strsignal(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) != 0) {
        fprintf(stderr, "mimalloc: %s ended with status %d\n", program[0], WEXITSTATUS(status));
    }
    if (stacks == NULL && of_file == NULL) {
        fail(EXIT_FAILED, "%s left no profile: a program that a signal ends writes none; give --seconds",
             program[0]);
    }
    if (others > 0) {
        fprintf(stderr, "mimalloc: %u processes more have allocated: this is the profile of one\n", others);
    }
    if (stacks != NULL && of_file != NULL) {
        stacks_free(of_file);
    }
    stacks = stacks != NULL ? stacks : of_file;
    if (stacks->timeline == NULL) {
        stacks->timeline = timeline;
    } else {
        free(timeline);
    }
    free(stacks->subject);
    stacks->subject = strdup(program[0]);
    free(folder);
    free(base);
    return stacks;
}
