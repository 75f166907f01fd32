// SPDX-License-Identifier: MIT
// os_linux_places.c — what lies at an address, by the system's own list of mappings.
//
// Files are read by `syscall`, see os_linux.c.
//
// Owns:        nothing
// Threads:     any
// Invariants:  as in os_linux.c
// Not here:    see os.h
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

// The system keeps so much below the first thread's stack free of other mappings.
static const uintptr_t MAIN_STACK_ROOM = 128 << 20;

// Bytes of a stack that are asked about at a time.
static const uintptr_t WIDEN_MAX = 1 << 20;

typedef struct reader_t {
    int fd;
    size_t at;
    size_t length;
    char chars[1024];
} reader_t;

// The next character, 0 at the end.
static char
read_char(reader_t *reader)
{
    if (reader->at == reader->length) {
        long length = syscall(SYS_read, reader->fd, reader->chars, sizeof reader->chars);
        if (length <= 0) {
            return 0;
        }
        reader->at = 0;
        reader->length = (size_t)length;
    }
    return reader->chars[reader->at++];
}

static uintptr_t
read_hex(reader_t *reader)
{
    uintptr_t value = 0;
    for (char c = read_char(reader); c != 0 && c != '-' && c != ' '; c = read_char(reader)) {
        value = value << 4 | (uintptr_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return value;
}

typedef struct mapping_t {
    uintptr_t start;
    uintptr_t end;
    uintptr_t file_offset;
    bool shared;
    bool has_path; // a name that starts with '/': also memory that processes share
    bool of_file;  // also without a name behind a file's: the zeroed static data of a program looks like that
} mapping_t;

// Reads one line of /proc/self/maps, `start-end access offset device inode name`; false at the end.
// `name` stays as the line before left it when this mapping has none and continues a file's.
static bool
read_mapping(reader_t *reader, mapping_t *mapping, char *name, size_t size)
{
    mapping_t before = *mapping;
    mapping->start = read_hex(reader);
    mapping->end = read_hex(reader);
    bool readable = read_char(reader) == 'r';
    (void)read_char(reader);
    (void)read_char(reader);
    mapping->shared = read_char(reader) == 's';
    (void)read_char(reader);
    mapping->file_offset = read_hex(reader);
    char c = read_char(reader);
    for (int spaces = 0; c != 0 && c != '\n' && (spaces < 2 || c == ' '); c = read_char(reader)) {
        spaces += c == ' ';
    }
    bool has_name = c != 0 && c != '\n';
    mapping->has_path = c == '/';
    mapping->of_file = has_name ? c == '/' : before.of_file && before.end == mapping->start && readable;
    if (has_name || !mapping->of_file) {
        size_t length = 0;
        for (; c != 0 && c != '\n'; c = read_char(reader)) {
            if (length + 1 < size) {
                name[length++] = c;
            }
        }
        name[length] = 0;
    }
    return mapping->end != 0;
}

static bool
mapping_has(const mapping_t *mapping, const void *p)
{
    return (uintptr_t)p >= mapping->start && (uintptr_t)p < mapping->end;
}

static os_place_t
place_in(reader_t *reader, const void *p, char *name, size_t size)
{
    mapping_t mapping = {0};
    while (read_mapping(reader, &mapping, name, size)) {
        if (!mapping_has(&mapping, p)) {
            continue;
        }
        // Stacks of other threads than the main one have no name: look for our own frame.
        if (mapping_has(&mapping, &mapping)) {
            return OS_PLACE_STACK;
        }
        if (mapping.of_file) {
            return OS_PLACE_FILE;
        }
        return __builtin_strcmp(name, "[heap]") == 0 ? OS_PLACE_BREAK
               : name[0] == 0                        ? OS_PLACE_ANONYMOUS
                                                     : OS_PLACE_OTHER;
    }
    name[0] = 0;
    return OS_PLACE_NOTHING;
}

static bool
open_maps(reader_t *reader)
{
    reader->at = reader->length = 0;
    reader->fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
    return reader->fd >= 0;
}

os_place_t
mi__os_place(const void *p, char *name, size_t size)
{
    int saved = errno;
    os_place_t place = OS_PLACE_UNKNOWN;
    reader_t reader;
    name[0] = 0;
    if (open_maps(&reader)) {
        place = place_in(&reader, p, name, size);
        syscall(SYS_close, reader.fd);
    }
    errno = saved;
    return place;
}

bool
mi__os_is_private(const void *start, size_t size)
{
    int saved = errno;
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + size;
    reader_t reader;
    if (open_maps(&reader)) {
        mapping_t mapping = {0};
        char name[2];
        while (at < end && read_mapping(&reader, &mapping, name, sizeof name)) {
            if (mapping_has(&mapping, (const void *)at)) { // NOLINT(performance-no-int-to-ptr)
                if (mapping.shared || mapping.has_path) {
                    break;
                }
                at = mapping.end;
            }
        }
        syscall(SYS_close, reader.fd);
    }
    errno = saved;
    return at >= end;
}

bool
mi__os_module(uintptr_t address, char *name, size_t size, uintptr_t *offset)
{
    int saved = errno;
    reader_t reader;
    mapping_t mapping = {0};
    bool found = false;
    uintptr_t first = 0; // where the file began to be mapped
    name[0] = 0;
    if (open_maps(&reader)) {
        while (!found && read_mapping(&reader, &mapping, name, size)) {
            if (mapping.file_offset == 0 && mapping.has_path) {
                first = mapping.start;
            }
            found = address >= mapping.start && address < mapping.end && mapping.has_path;
        }
        syscall(SYS_close, reader.fd);
    }
    *offset = address - first;
    if (!found) {
        name[0] = 0;
    }
    errno = saved;
    return found;
}

bool
mi__os_is_readable(const void *p)
{
    int saved = errno;
    // The system reads the set before it looks at what is to be done with it, which is nothing it knows.
    bool faults = syscall(SYS_rt_sigprocmask, ~0, p, NULL, sizeof(uint64_t)) != 0 && errno == EFAULT;
    errno = saved;
    return p != NULL && !faults;
}

bool
mi__os_stack_widen(uintptr_t here, uintptr_t *low, uintptr_t *high)
{
    uintptr_t page = mi__os_page_size();
    uintptr_t from = *low;
    uintptr_t end;
    if (mi__os_is_main_thread()) {
        // The program's name is the last of what the system puts on the first stack.
        end = (getauxval(AT_EXECFN) + page) & ~(page - 1);
        from = end - MAIN_STACK_ROOM;
    } else {
        // Both libcs keep a thread's control block at the high end of its stack. The list of mappings would
        // tell the rest, but takes as long as a hundred of these questions.
        end = (uintptr_t)pthread_self();
        from = *high == 0 ? end & ~(page - 1) : from;
        while (here < from && from - here < WIDEN_MAX &&
               mi__os_is_readable((const void *)(from - page))) { // NOLINT
            from -= page;
        }
    }
    if (here < from || here >= end) {
        return false;
    }
    *low = from;
    *high = end;
    return true;
}
