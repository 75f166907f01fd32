// SPDX-License-Identifier: MIT
// preload.c — finding the library, and whether a program can be run under it.
#include "preload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "elf_file.h"
#include "text.h"

#ifndef MI_TOOL_LIBDIR
#define MI_TOOL_LIBDIR "/usr/local/lib"
#endif

static const char *
absolute(const char *path)
{
    char *found = realpath(path, NULL);
    return found != NULL ? found : path;
}

const char *
preload_library(const char *given)
{
    static const char *const folders[] = {"..", ".", "../lib", MI_TOOL_LIBDIR, "/usr/local/lib"};
    if (given != NULL) {
        elf_file_t about;
        if (!elf_file_read(given, &about) || !about.is_elf) {
            fail(EXIT_USAGE, "%s is no library%s%s", given, errno != 0 ? ": " : "",
                 errno != 0 ? strerror(errno) : "");
        }
        return absolute(given);
    }
    char own[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    own[length > 0 ? length : 0] = 0;
    char *slash = strrchr(own, '/');
    if (slash != NULL) {
        *slash = 0;
    }
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        bool fixed = folders[i][0] == '/';
        char *path = format_new("%s%s%s/libmimalloc.so.3", fixed ? "" : own, fixed ? "" : "/", folders[i]);
        if (access(path, R_OK) == 0) {
            return absolute(path);
        }
        free(path);
    }
    fail(EXIT_FAILED,
         "libmimalloc.so.3 is neither beside this tool nor in %s: install it, or name it by --library=FILE",
         MI_TOOL_LIBDIR);
}

const char *
preload_find(const char *program, char path[PATH_MAX])
{
    if (strchr(program, '/') != NULL) {
        return access(program, F_OK) == 0 && realpath(program, path) != NULL ? path : NULL;
    }
    const char *folders = getenv("PATH");
    folders = folders == NULL ? "/usr/bin:/bin" : folders;
    while (*folders != 0) {
        size_t length = strcspn(folders, ":");
        char *candidate = format_new("%.*s/%s", (int)length, length == 0 ? "." : folders, program);
        struct stat about;
        bool found = access(candidate, X_OK) == 0 && stat(candidate, &about) == 0 && S_ISREG(about.st_mode) &&
                     realpath(candidate, path) != NULL;
        free(candidate);
        if (found) {
            return path;
        }
        folders += length + (folders[length] == ':');
    }
    return NULL;
}

// The program is run with other rights than its caller's: the loader then ignores LD_PRELOAD.
static bool
changes_rights(const char *path)
{
    struct stat about;
    char capabilities[64];
    return (stat(path, &about) == 0 && (((about.st_mode & S_ISUID) != 0 && about.st_uid != geteuid()) ||
                                        ((about.st_mode & S_ISGID) != 0 && about.st_gid != getegid()))) ||
           (geteuid() != 0 && getxattr(path, "security.capability", capabilities, sizeof capabilities) > 0);
}

obstacle_t
preload_obstacle(const char *path, const char *library)
{
    elf_file_t program;
    elf_file_t ours = {.is_glibc = true};
    if (strchr(library, '/') != NULL) {
        (void)elf_file_read(library, &ours);
    }
    if (!elf_file_read(path, &program)) {
        return (obstacle_t){"it cannot be read", "look at its rights", false};
    }
    if (!program.is_elf) {
        char found[PATH_MAX];
        const char *interpreter =
            program.interpreter[0] == 0 ? NULL : preload_find(program.interpreter, found);
        if (interpreter == NULL) {
            return (obstacle_t){0};
        }
        elf_file_t behind;
        return elf_file_read(interpreter, &behind) && behind.is_elf ? preload_obstacle(interpreter, library)
                                                                    : (obstacle_t){0};
    }
    if (!program.is_ours) {
        return (obstacle_t){"it is for another kind of machine than this library",
                            "build the library for that one, and name it by --library=FILE", true};
    }
    if (program.has_mimalloc) {
        return (obstacle_t){"libmimalloc is linked into it already", "run it as it is", false};
    }
    if (!program.is_dynamic) {
        return (obstacle_t){"it is linked statically, so that nothing can be preloaded",
                            "link mimalloc.o into it, before all libraries", true};
    }
    if (program.has_sanitizer) {
        return (obstacle_t){"it is built with a sanitizer, which brings its own malloc",
                            "build it without, or use MIMALLOC_ERRORS and the secure library instead", true};
    }
    if ((program.is_musl && !ours.is_musl) || (program.is_glibc && ours.is_musl)) {
        return (obstacle_t){"it runs on another libc than this library",
                            "build the library with the compiler of that libc, and name it by --library=FILE",
                            true};
    }
    if (changes_rights(path)) {
        return (obstacle_t){"it runs with more rights than its caller, so that the loader ignores preloads",
                            "link the library into it, or run it as the user that it changes to", true};
    }
    if (program.has_malloc) {
        return (obstacle_t){"it has a malloc of its own, which goes before a preloaded one",
                            "build it with its system malloc (as redis: make MALLOC=libc)", true};
    }
    return (obstacle_t){0};
}

void
preload_check(const char *program, const char *library)
{
    char path[PATH_MAX];
    if (preload_find(program, path) == NULL) {
        fail(EXIT_NOT_FOUND, "%s: there is no such program", program);
    }
    obstacle_t obstacle = preload_obstacle(path, library);
    if (obstacle.certain) {
        fail(EXIT_FAILED, "%s: %s; %s", program, obstacle.what, obstacle.remedy);
    }
    if (obstacle.what != NULL) {
        fprintf(stderr, "mimalloc: %s: %s; %s\n", program, obstacle.what, obstacle.remedy);
    }
}

void
preload_set(const char *library)
{
    const char *others = getenv("LD_PRELOAD");
    bool any = others != NULL && *others != 0;
    if (any && strstr(others, library) != NULL) {
        return;
    }
    char *value = format_new("%s%s%s", library, any ? ":" : "", any ? others : "");
    setenv("LD_PRELOAD", value, 1);
    free(value);
}
