// SPDX-License-Identifier: MIT
// target.h — memory of another process, or of a core file.
#ifndef MI_TOOL_TARGET_H
#define MI_TOOL_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

typedef struct target_segment_t {
    uint64_t start;
    uint64_t bytes;
    const unsigned char *contents; // in a core file; NULL in a process
    bool begins_file;              // an ELF header may stand here
    bool is_data;                  // writable, or has been
} target_segment_t;

// A file that is mapped.
typedef struct target_file_t {
    uint64_t start;
    uint64_t end;
    uint64_t offset;
    char *path;
} target_file_t;

typedef struct target_t {
    const char *name; // as the user gave it
    pid_t pid;        // 0: a core file
    target_segment_t *segments;
    size_t segment_count;
    target_file_t *files;
    size_t file_count;
    const unsigned char *core;
    size_t core_bytes;
    bool cut; // the core file is shorter than it says
} target_t;

// Opens a process by its number, or a core file by its path. Where there is no such thing: the end of the
// tool, with one line; or NULL.
target_t *target_open(const char *name);
target_t *target_try_process(const char *pid);
void target_close(target_t *target);

// False when not all of it can be read.
bool target_read(const target_t *target, uint64_t address, void *to, size_t bytes);

// Whether the process is still there; core files always are.
bool target_is_alive(const target_t *target);

// The address of the library's descriptor; 0 when there is none. `*why` then says why, for people.
uint64_t target_find_descriptor(const target_t *target, const char **why);

// The build id of the file whose first byte is mapped at `start`, in hexadecimal; NULL where it has none, or
// the core file does not hold it.
char *target_build_id(const target_t *target, uint64_t start);

// Writes a word of the process. False where that is not allowed.
bool target_write(const target_t *target, uint64_t address, const void *from, size_t bytes);

// The word at an offset in what was read.
static inline uint64_t
word_in(const void *bytes, uint64_t offset)
{
    uint64_t word;
    memcpy(&word, (const unsigned char *)bytes + offset, sizeof word);
    return word;
}

#endif
