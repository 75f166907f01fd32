// SPDX-License-Identifier: MIT
// elf_file.h — what a program or library tells about itself: how it is linked, and whose malloc it has.
#ifndef MI_TOOL_ELF_FILE_H
#define MI_TOOL_ELF_FILE_H

#include <stdbool.h>

typedef struct elf_file_t {
    bool is_elf;
    bool is_ours;    // of this kind of machine
    bool is_program; // it can be run, or is a library
    bool is_dynamic; // has a loader, or is a library
    bool is_musl;    // by its loader, or by what it needs
    bool is_glibc;
    bool has_malloc;       // defines malloc itself
    bool has_sanitizer;    // AddressSanitizer or one of its kin
    bool has_mimalloc;     // our note: linked into it, or the library itself
    char interpreter[128]; // of a script, else of the program
} elf_file_t;

// False when the file cannot be read; errno says why.
bool elf_file_read(const char *path, elf_file_t *about);

#endif
