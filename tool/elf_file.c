// SPDX-License-Identifier: MIT
// elf_file.c — what a program or library tells about itself.
#include "elf_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mimalloc-descriptor.h>

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_NONE
#endif

typedef struct bytes_t {
    const char *start;
    uint64_t size;
} bytes_t;

// A part of the file, NULL where the file does not hold it.
static const void *
part(bytes_t file, uint64_t at, uint64_t size)
{
    return at <= file.size && size <= file.size - at ? file.start + at : NULL;
}

static const char *
string_at(bytes_t strings, uint64_t at)
{
    const char *text = part(strings, at, 1);
    return text != NULL && memchr(text, 0, strings.size - at) != NULL ? text : "";
}

static void
read_needed(bytes_t strings, const Elf64_Dyn *entries, uint64_t count, elf_file_t *about)
{
    for (uint64_t i = 0; i < count; i++) {
        if (entries[i].d_tag == DT_NEEDED) {
            const char *name = string_at(strings, entries[i].d_un.d_val);
            about->is_glibc = about->is_glibc || strcmp(name, "libc.so.6") == 0;
            about->is_musl =
                about->is_musl || strncmp(name, "libc.musl", 9) == 0 || strcmp(name, "libc.so") == 0;
            about->has_sanitizer = about->has_sanitizer || strncmp(name, "libasan", 7) == 0 ||
                                   strncmp(name, "libtsan", 7) == 0 || strncmp(name, "liblsan", 7) == 0 ||
                                   strncmp(name, "libclang_rt.asan", 16) == 0;
        }
    }
}

static void
read_symbols(bytes_t strings, const Elf64_Sym *symbols, uint64_t count, elf_file_t *about)
{
    for (uint64_t i = 0; i < count; i++) {
        const char *name = string_at(strings, symbols[i].st_name);
        bool defined = symbols[i].st_shndx != SHN_UNDEF && ELF64_ST_TYPE(symbols[i].st_info) != STT_OBJECT;
        about->has_malloc = about->has_malloc || (defined && strcmp(name, "malloc") == 0);
        about->has_sanitizer = about->has_sanitizer || strcmp(name, "__asan_init") == 0 ||
                               strcmp(name, "__tsan_init") == 0 || strcmp(name, "__lsan_init") == 0;
    }
}

static void
read_sections(bytes_t file, const Elf64_Ehdr *header, elf_file_t *about)
{
    uint64_t size = (uint64_t)header->e_shnum * sizeof(Elf64_Shdr);
    const Elf64_Shdr *sections = part(file, header->e_shoff, size);
    for (unsigned i = 0; sections != NULL && i < header->e_shnum; i++) {
        const Elf64_Shdr *at = &sections[i];
        bool has_strings =
            at->sh_type == SHT_DYNSYM || at->sh_type == SHT_SYMTAB || at->sh_type == SHT_DYNAMIC;
        const void *contents = part(file, at->sh_offset, at->sh_size);
        if (!has_strings || contents == NULL || at->sh_link >= header->e_shnum) {
            continue;
        }
        const Elf64_Shdr *link = &sections[at->sh_link];
        bytes_t strings = {part(file, link->sh_offset, link->sh_size), link->sh_size};
        if (strings.start == NULL) {
            continue;
        }
        if (at->sh_type == SHT_DYNAMIC) {
            read_needed(strings, contents, at->sh_size / sizeof(Elf64_Dyn), about);
        } else {
            read_symbols(strings, contents, at->sh_size / sizeof(Elf64_Sym), about);
        }
    }
}

static void
read_programs(bytes_t file, const Elf64_Ehdr *header, elf_file_t *about)
{
    const Elf64_Phdr *programs = part(file, header->e_phoff, (uint64_t)header->e_phnum * sizeof *programs);
    for (unsigned i = 0; programs != NULL && i < header->e_phnum; i++) {
        const Elf64_Phdr *at = &programs[i];
        const char *contents = part(file, at->p_offset, at->p_filesz);
        if (contents == NULL) {
            continue;
        }
        if (at->p_type == PT_INTERP && at->p_filesz > 1) {
            about->is_dynamic = true;
            snprintf(about->interpreter, sizeof about->interpreter, "%.*s", (int)at->p_filesz - 1, contents);
            about->is_musl = about->is_musl || strstr(about->interpreter, "ld-musl") != NULL;
        }
        if (at->p_type == PT_NOTE &&
            memmem(contents, at->p_filesz, MI_DESCRIPTOR_NOTE, sizeof MI_DESCRIPTOR_NOTE)) {
            about->has_mimalloc = true;
        }
    }
}

// The first line of a script, without "#!": its interpreter.
static void
read_script(bytes_t file, elf_file_t *about)
{
    uint64_t at = 2;
    size_t length = 0;
    while (at < file.size && file.start[at] == ' ') {
        at++;
    }
    while (at < file.size && file.start[at] > ' ' && length + 1 < sizeof about->interpreter) {
        about->interpreter[length++] = file.start[at++];
    }
}

bool
elf_file_read(const char *path, elf_file_t *about)
{
    struct stat status;
    *about = (elf_file_t){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0 || status.st_size == 0 || !S_ISREG(status.st_mode)) {
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    bytes_t file = {.size = (uint64_t)status.st_size};
    void *start = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (start == MAP_FAILED) {
        return false;
    }
    file.start = start;
    const Elf64_Ehdr *header = part(file, 0, sizeof *header);
    if (header != NULL && memcmp(header->e_ident, ELFMAG, SELFMAG) == 0) {
        about->is_elf = true;
        about->is_ours = header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_machine == MACHINE;
        about->is_program = header->e_type == ET_EXEC || header->e_type == ET_DYN;
        if (about->is_ours) {
            read_programs(file, header, about);
            read_sections(file, header, about);
        }
    } else if (file.size > 2 && memcmp(file.start, "#!", 2) == 0) {
        read_script(file, about);
    }
    munmap(start, file.size);
    return true;
}
