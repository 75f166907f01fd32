// SPDX-License-Identifier: MIT
// os_posix.c — the part of the ports to Linux and macOS that is the same: reserved memory and access to it,
// standard error, environment, files, symbols.
//
// Owns:        the duplicate of standard error
// Threads:     the duplicate is written at start-up only
// Invariants:  L1 no function but mi__os_full_path changes errno
//              L2 no function allocates
// Not here:    threads → os_posix_threads.c, faults → os_posix_faults.c, how each is called → raw_calls.h,
//              everything else → os_linux*.c, os_macos*.c
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "os/os.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/check.h"
#include "os/raw_calls.h"

enum {
    KEPT_FD_MIN = 100, // far above what programs count on to be the next free descriptor
    OWNER_ONLY = 0600,
    FOR_ALL = 0644,
};

_Static_assert(OS_PATH_MAX >= PATH_MAX, "what realpath writes has room");

// ---- memory --------------------------------------------------------------------------------

void *
mi__os_reserve(size_t size, size_t align)
{
    int saved = errno;
    ASSERT(is_power_of_two(align));
    // mmap aligns to a page by itself; for more, ask for what the worst case cuts off.
    size_t spare = align > mi__os_page_size() ? align - mi__os_page_size() : 0;
    if (size == 0 || spare > SIZE_MAX - size) {
        return NULL;
    }
    char *start = (char *)mi__os_raw_reserve(size + spare);
    if (start == NULL) {
        errno = saved;
        return NULL;
    }
    size_t before = (size_t)(-(uintptr_t)start & (align - 1));
    if (before > 0) {
        munmap(start, before);
    }
    if (spare > before) {
        munmap(start + before + size, spare - before);
    }
    errno = saved;
    return start + before;
}

void
mi__os_unreserve(void *start, size_t size)
{
    int saved = errno;
    munmap(start, size);
    errno = saved;
}

static bool
set_access(void *start, size_t size, int access)
{
    int saved = errno;
    bool done = mprotect(start, size, access) == 0;
    errno = saved;
    return done;
}

bool
mi__os_protect(void *start, size_t size)
{
    return set_access(start, size, PROT_NONE);
}

bool
mi__os_unprotect(void *start, size_t size)
{
    return set_access(start, size, PROT_READ | PROT_WRITE);
}

// ---- standard error ------------------------------------------------------------------------

static int kept_fd = -1;
static dev_t kept_dev;
static ino_t kept_ino;

static bool
write_all(int fd, const char *chars, size_t length)
{
    while (length > 0) {
        long done = mi__os_raw_write(fd, chars, length);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return false;
        }
        chars += done;
        length -= (size_t)done;
    }
    return true;
}

// False when the program has closed our duplicate (as daemons do with every descriptor) and perhaps
// opened a file of its own under the number.
static bool
kept_fd_is_ours(void)
{
    struct stat now;
    return kept_fd >= 0 && fstat(kept_fd, &now) == 0 && now.st_dev == kept_dev && now.st_ino == kept_ino;
}

void
mi__os_write_error(const char *chars, size_t length)
{
    int saved = errno;
    if (!write_all(STDERR_FILENO, chars, length) && errno == EBADF && kept_fd_is_ours()) {
        write_all(kept_fd, chars, length);
    }
    errno = saved;
}

void
mi__os_keep_stderr(void)
{
    int saved = errno;
    struct stat now;
    if (kept_fd < 0 && fstat(STDERR_FILENO, &now) == 0) {
        kept_dev = now.st_dev;
        kept_ino = now.st_ino;
        kept_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, KEPT_FD_MIN);
    }
    errno = saved;
}

// ---- environment ---------------------------------------------------------------------------

MI_START bool
mi__os_env_ready(void)
{
    return mi__os_raw_environ() != NULL;
}

// The environment that may be used; NULL when there is none.
MI_START static char **
trusted_environ(void)
{
    int saved = errno;
    char **entries = mi__os_raw_has_more_rights() ? NULL : mi__os_raw_environ();
    errno = saved;
    return entries;
}

MI_START const char *
mi__os_getenv(const char *name)
{
    size_t length = __builtin_strlen(name);
    char **entries = trusted_environ();
    for (size_t i = 0; entries != NULL && entries[i] != NULL; i++) {
        if (__builtin_strncmp(entries[i], name, length) == 0 && entries[i][length] == '=') {
            return entries[i] + length + 1;
        }
    }
    return NULL;
}

static bool
starts_with_any_case(const char *text, const char *prefix)
{
    for (; *prefix != 0; text++, prefix++) {
        // ASCII only: the locale is the program's affair.
        unsigned a = (unsigned char)*text;
        unsigned b = (unsigned char)*prefix;
        a += a - 'A' < 26 ? 32 : 0;
        b += b - 'A' < 26 ? 32 : 0;
        if (a != b) {
            return false;
        }
    }
    return true;
}

MI_START void
mi__os_each_env(const char *prefix, void (*each)(const char *entry, void *arg), void *arg)
{
    char **entries = trusted_environ();
    for (size_t i = 0; entries != NULL && entries[i] != NULL; i++) {
        if (starts_with_any_case(entries[i], prefix)) {
            each(entries[i], arg);
        }
    }
}

long
mi__os_process_id(void)
{
    return getpid();
}

// ---- files ---------------------------------------------------------------------------------

// With a buffer of the caller's: libc's own block may come from another malloc.
char *
mi__os_full_path(const char *path, char resolved[OS_PATH_MAX])
{
    return realpath(path, resolved);
}

int
mi__os_create(const char *path)
{
    int saved = errno;
    long fd = mi__os_raw_open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, OWNER_ONLY);
    int result = fd < 0 ? -errno : (int)fd;
    errno = saved;
    return result;
}

bool
mi__os_write(int fd, const void *bytes, size_t length)
{
    int saved = errno;
    bool whole = write_all(fd, (const char *)bytes, length);
    errno = saved;
    return whole;
}

void
mi__os_close(int fd)
{
    int saved = errno;
    mi__os_raw_close(fd);
    errno = saved;
}

void
mi__os_unlink(const char *path)
{
    int saved = errno;
    mi__os_raw_unlink(path);
    errno = saved;
}

bool
mi__os_publish(int fd, const char *temporary, const char *path, bool whole)
{
    int saved = errno;
    whole = whole && fchmod(fd, FOR_ALL) == 0;
    whole = mi__os_raw_close(fd) == 0 && whole;
    whole = whole && mi__os_raw_rename(temporary, path) == 0;
    if (!whole) {
        mi__os_unlink(temporary);
    }
    errno = saved;
    return whole;
}

int64_t
mi__os_wall_ns(void)
{
    int saved = errno;
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    errno = saved;
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// ---- addresses -----------------------------------------------------------------------------

void
mi__os_symbol(uintptr_t address, os_symbol_t *symbol)
{
    int saved = errno;
    Dl_info info;
    *symbol = (os_symbol_t){0};
    if (dladdr((void *)address, &info) != 0) { // NOLINT(performance-no-int-to-ptr)
        symbol->file = info.dli_fname;
        symbol->function = info.dli_sname;
        symbol->base = (uintptr_t)info.dli_fbase;
    }
    errno = saved;
}
