// SPDX-License-Identifier: MIT
// os_linux_files.c — the part of the port to Linux that files for others need: one that is shared, and for
// profiles the code that is loaded, the list of mappings.
//
// Owns:        nothing
// Threads:     any; mi__os_each_module takes a lock of the loader's
// Invariants:  as in os_linux.c
// Not here:    new files → os_posix.c, what lies at an address → os_linux_places.c
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "os/os.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bits.h"
#include "os/raw_calls.h"

enum { TEXT_MAX = 4096, OWNER_ONLY = 0600 };

long
mi__os_raw_open(const char *path, int flags, unsigned mode)
{
    return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

long
mi__os_raw_write(int fd, const void *bytes, size_t length)
{
    return syscall(SYS_write, fd, bytes, length);
}

long
mi__os_raw_close(int fd)
{
    return syscall(SYS_close, fd);
}

long
mi__os_raw_unlink(const char *path)
{
    return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

long
mi__os_raw_rename(const char *from, const char *to)
{
    return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

void *
mi__os_share(const char *path, size_t bytes)
{
    int saved = errno;
    void *start = MAP_FAILED;
    int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    long fd = mi__os_raw_open(path, flags, OWNER_ONLY);
    if (fd < 0 && errno == EEXIST) {
        // A process that had this number died without an end; or the program that it ran before.
        mi__os_unlink(path);
        fd = mi__os_raw_open(path, flags, OWNER_ONLY);
    }
    if (fd >= 0) {
        // Not just a length: a full file system would kill the process when it writes.
        if (fallocate((int)fd, 0, 0, (off_t)bytes) == 0) {
            start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, 0);
        }
        if (start == MAP_FAILED) {
            mi__os_unlink(path);
        }
        mi__os_raw_close((int)fd);
    }
    errno = saved;
    return start == MAP_FAILED ? NULL : start;
}

void
mi__os_each_mapping(void (*each)(const char *text, size_t length, void *arg), void *arg)
{
    int saved = errno;
    char text[TEXT_MAX];
    long fd = mi__os_raw_open("/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
    for (long length = 1; fd >= 0 && length > 0;) {
        length = syscall(SYS_read, (int)fd, text, sizeof text);
        if (length > 0) {
            each(text, (size_t)length, arg);
        }
    }
    if (fd >= 0) {
        mi__os_raw_close((int)fd);
    }
    errno = saved;
}

// ---- modules

typedef struct visit_t {
    void (*each)(const os_module_t *module, void *arg);
    void *arg;
    bool past_main;
    char program[TEXT_MAX]; // the first module's file: it comes without a name
} visit_t;

// The build id among the notes of a segment; NULL when there is none.
static const unsigned char *
find_build_id(const char *at, size_t size, size_t align, size_t *length)
{
    while (size >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        __builtin_memcpy(&note, at, sizeof note);
        size_t name_size = align_up(note.n_namesz, align);
        size_t whole = sizeof note + name_size + align_up(note.n_descsz, align);
        if (whole > size) {
            break;
        }
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof "GNU" &&
            __builtin_memcmp(at + sizeof note, "GNU", sizeof "GNU") == 0) {
            *length = note.n_descsz;
            return (const unsigned char *)at + sizeof note + name_size;
        }
        at += whole;
        size -= whole;
    }
    return NULL;
}

const unsigned char *
mi__os_build_id(uintptr_t base, size_t *length)
{
    const ElfW(Ehdr) *file = (const ElfW(Ehdr) *)base; // NOLINT(performance-no-int-to-ptr)
    if (!mi__os_is_readable(file) || __builtin_memcmp(file->e_ident, ELFMAG, SELFMAG) != 0) {
        return NULL;
    }
    uintptr_t shift = file->e_type == ET_DYN ? base : 0;
    const ElfW(Phdr) *header =
        (const ElfW(Phdr) *)(base + file->e_phoff); // NOLINT(performance-no-int-to-ptr)
    const unsigned char *id = NULL;
    for (int i = 0; i < file->e_phnum && id == NULL; i++) {
        const char *notes = (const char *)(shift + header[i].p_vaddr); // NOLINT(performance-no-int-to-ptr)
        if (header[i].p_type == PT_NOTE && mi__os_is_readable(notes)) {
            id = find_build_id(notes, header[i].p_filesz, header[i].p_align == 8 ? 8 : 4, length);
        }
    }
    return id;
}

static int
visit(struct dl_phdr_info *info, size_t size, void *arg)
{
    visit_t *to = (visit_t *)arg;
    (void)size;
    bool is_main = !to->past_main;
    to->past_main = true;
    os_module_t module = {.path = is_main ? to->program : info->dlpi_name};
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_NOTE && module.build_id == NULL) {
            const char *notes = (const char *)(info->dlpi_addr + header->p_vaddr); // NOLINT
            module.build_id =
                find_build_id(notes, header->p_memsz, header->p_align == 8 ? 8 : 4, &module.build_id_length);
        }
    }
    uintptr_t page = mi__os_page_size();
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_LOAD && (header->p_flags & PF_X) != 0) {
            uintptr_t start = info->dlpi_addr + header->p_vaddr;
            module.start = start & ~(page - 1);
            module.end = align_up(start + header->p_memsz, page);
            module.file_offset = header->p_offset & ~(uint64_t)(page - 1);
            module.base = info->dlpi_addr;
            to->each(&module, to->arg);
        }
    }
    return 0;
}

void
mi__os_each_module(void (*each)(const os_module_t *module, void *arg), void *arg)
{
    int saved = errno;
    visit_t to = {.each = each, .arg = arg};
    long length = syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", to.program, sizeof to.program - 1);
    to.program[length < 0 ? 0 : length] = 0;
    dl_iterate_phdr(visit, &to);
    errno = saved;
}
