// SPDX-License-Identifier: MIT
// target.c — memory of another process by process_vm_readv, of a core file by its segments.
#include "target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <mimalloc-descriptor.h>

#include "text.h"

enum { HEADERS_MAX = 65536, NOTES_MAX = 1 << 16 };

static void
add_segment(target_t *target, target_segment_t segment)
{
    if ((target->segment_count & (target->segment_count + 1)) == 0) {
        target->segments =
            grow_memory(target->segments, 2 * target->segment_count + 2, sizeof *target->segments);
    }
    target->segments[target->segment_count++] = segment;
}

static void
add_file(target_t *target, uint64_t start, uint64_t end, uint64_t offset, const char *path)
{
    if ((target->file_count & (target->file_count + 1)) == 0) {
        target->files = grow_memory(target->files, 2 * target->file_count + 2, sizeof *target->files);
    }
    target->files[target->file_count++] = (target_file_t){start, end, offset, strdup(path)};
}

// ---- a process

// NULL: it is open; else what is in the way, with a %s for the process.
static const char *
open_process(target_t *target)
{
    char path[64];
    char *line = NULL;
    size_t room = 0;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)target->pid);
    FILE *maps = fopen(path, "re");
    if (maps == NULL) {
        return errno == ENOENT ? "there is no process %s"
                               : "process %s is another user's: run this as that user or as root";
    }
    while (getline(&line, &room, maps) > 0) {
        unsigned long from;
        unsigned long to;
        unsigned long offset;
        unsigned long inode;
        char rights[8];
        if (sscanf(line, "%lx-%lx %7s %lx %*s %lu", &from, &to, rights, &offset, &inode) == 5 &&
            rights[0] == 'r' && strstr(line, "[v") == NULL) {
            bool is_file = inode != 0;
            add_segment(target, (target_segment_t){.start = from,
                                                   .bytes = to - from,
                                                   .begins_file = is_file && offset == 0,
                                                   .is_data = is_file || rights[1] == 'w'});
            const char *name = strchr(line, '/');
            if (name != NULL && (rights[2] == 'x' || offset == 0)) {
                line[strcspn(line, "\n")] = 0;
                add_file(target, from, to, offset, name);
            }
        }
    }
    free(line);
    fclose(maps);
    if (target->segment_count > 0) {
        return NULL;
    }
    // Of another user's process, and of one that is about to end, the list is empty.
    struct stat about;
    snprintf(path, sizeof path, "/proc/%d", (int)target->pid);
    bool foreign = stat(path, &about) == 0 && geteuid() != 0 && about.st_uid != geteuid();
    return foreign ? "process %s is another user's: run this as that user or as root"
                   : "process %s has no memory: it has ended, or is part of the kernel";
}

target_t *
target_try_process(const char *pid)
{
    target_t *target = get_memory(1, sizeof *target);
    target->name = pid;
    target->pid = (pid_t)strtol(pid, NULL, 10);
    if (open_process(target) != NULL) {
        target_close(target);
        return NULL;
    }
    return target;
}

// ---- a core file

// The files that were mapped, by a note that Linux puts into core files: numbers of them and of a page,
// ranges, and then the names.
static void
read_core_files(target_t *target, const unsigned char *at, size_t bytes)
{
    uint64_t head[2];
    uint64_t entry[3];
    if (bytes < sizeof head) {
        return;
    }
    memcpy(head, at, sizeof head);
    if (head[0] > (bytes - sizeof head) / sizeof entry) {
        return;
    }
    const char *name = (const char *)at + sizeof head + head[0] * sizeof entry;
    const char *end = (const char *)at + bytes;
    for (uint64_t i = 0; i < head[0] && name < end && memchr(name, 0, (size_t)(end - name)) != NULL; i++) {
        memcpy(entry, at + sizeof head + i * sizeof entry, sizeof entry);
        add_file(target, entry[0], entry[1], entry[2] * head[1], name);
        name += strlen(name) + 1;
    }
}

static void
read_core_notes(target_t *target, uint64_t at, uint64_t bytes)
{
    uint64_t end = bytes < target->core_bytes - at ? at + bytes : target->core_bytes;
    while (at < end && end - at >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr note;
        memcpy(&note, target->core + at, sizeof note);
        uint64_t contents = at + sizeof note + ((uint64_t)note.n_namesz + 3) / 4 * 4;
        if (contents > end || note.n_descsz > end - contents) {
            return;
        }
        if (note.n_type == NT_FILE) {
            read_core_files(target, target->core + contents, note.n_descsz);
        }
        at = contents + ((uint64_t)note.n_descsz + 3) / 4 * 4;
    }
}

static void
open_core(target_t *target)
{
    int file = open(target->name, O_RDONLY | O_CLOEXEC);
    struct stat about;
    if (file < 0 || fstat(file, &about) != 0) {
        fail(EXIT_FAILED, "%s: %s; a process number or a core file is wanted", target->name, strerror(errno));
    }
    target->core_bytes = (size_t)about.st_size;
    const unsigned char *core = MAP_FAILED;
    if (S_ISREG(about.st_mode) && about.st_size > 0) {
        core = mmap(NULL, target->core_bytes, PROT_READ, MAP_PRIVATE, file, 0);
    }
    close(file);
    const Elf64_Ehdr *header = (const void *)core;
    if (core == MAP_FAILED || target->core_bytes < sizeof *header ||
        memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_type != ET_CORE) {
        fail(EXIT_FAILED, "%s is not a core file", target->name);
    }
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB) {
        fail(EXIT_FAILED, "%s is a core file of another kind of machine: use the mimalloc tool of that one",
             target->name);
    }
    target->core = core;
    size_t end = header->e_phoff + (size_t)header->e_phnum * sizeof(Elf64_Phdr);
    if (header->e_phnum == PN_XNUM || header->e_phoff > target->core_bytes || end > target->core_bytes) {
        fail(EXIT_FAILED, "%s is cut off within its table of segments: copy it again, or raise ulimit -c",
             target->name);
    }
    for (unsigned i = 0; i < header->e_phnum; i++) {
        Elf64_Phdr load;
        memcpy(&load, core + header->e_phoff + i * sizeof load, sizeof load);
        if (load.p_type == PT_NOTE && load.p_offset < target->core_bytes) {
            read_core_notes(target, load.p_offset, load.p_filesz);
        }
        if (load.p_type != PT_LOAD || load.p_filesz == 0) {
            continue;
        }
        size_t there = load.p_offset < target->core_bytes ? target->core_bytes - load.p_offset : 0;
        size_t bytes = load.p_filesz < there ? load.p_filesz : there;
        target->cut = target->cut || bytes < load.p_filesz;
        bool is_elf = bytes > SELFMAG && memcmp(core + load.p_offset, ELFMAG, SELFMAG) == 0;
        if (bytes > 0) {
            add_segment(target, (target_segment_t){.start = load.p_vaddr,
                                                   .bytes = bytes,
                                                   .contents = core + load.p_offset,
                                                   .begins_file = is_elf,
                                                   .is_data = true});
        }
    }
}

// `fmt` has one %s.
static _Noreturn void
fail_with(const char *fmt, const char *name)
{
    const char *mark = strstr(fmt, "%s");
    fail(EXIT_FAILED, "%.*s%s%s", (int)(mark - fmt), fmt, name, mark + 2);
}

target_t *
target_open(const char *name)
{
    target_t *target = get_memory(1, sizeof *target);
    target->name = name;
    char *end;
    errno = 0;
    long pid = strtol(name, &end, 10);
    if (*name != 0 && *end == 0) {
        if (errno != 0 || pid <= 0 || pid > INT32_MAX) {
            fail(EXIT_FAILED, "%s is not the number of a process", name);
        }
        target->pid = (pid_t)pid;
        const char *why = open_process(target);
        if (why != NULL) {
            fail_with(why, name);
        }
    } else {
        open_core(target);
    }
    return target;
}

void
target_close(target_t *target)
{
    if (target->core != NULL) {
        munmap((void *)(uintptr_t)target->core, target->core_bytes);
    }
    for (size_t i = 0; i < target->file_count; i++) {
        free(target->files[i].path);
    }
    free(target->files);
    free(target->segments);
    free(target);
}

// ---- reading

bool
target_read(const target_t *target, uint64_t address, void *to, size_t bytes)
{
    if (target->pid != 0) {
        struct iovec here = {to, bytes};
        struct iovec there = {(void *)(uintptr_t)address, bytes};
        return process_vm_readv(target->pid, &here, 1, &there, 1, 0) == (ssize_t)bytes;
    }
    char *at = to;
    size_t low = 0;
    size_t high = target->segment_count; // segments are in the order of their addresses
    while (bytes > 0) {
        while (low < high) {
            size_t middle = (low + high) / 2;
            if (target->segments[middle].start <= address) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        const target_segment_t *segment = low > 0 ? &target->segments[low - 1] : NULL;
        if (segment == NULL || address - segment->start >= segment->bytes) {
            return false;
        }
        size_t part = segment->bytes - (address - segment->start);
        part = part < bytes ? part : bytes;
        memcpy(at, segment->contents + (address - segment->start), part);
        at += part;
        address += part;
        bytes -= part;
        high = target->segment_count;
    }
    return true;
}

bool
target_write(const target_t *target, uint64_t address, const void *from, size_t bytes)
{
    struct iovec here = {(void *)(uintptr_t)from, bytes};
    struct iovec there = {(void *)(uintptr_t)address, bytes};
    return target->pid != 0 && process_vm_writev(target->pid, &here, 1, &there, 1, 0) == (ssize_t)bytes;
}

bool
target_is_alive(const target_t *target)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)target->pid);
    char c;
    int file = target->pid == 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    bool alive = target->pid == 0 || (file >= 0 && read(file, &c, 1) == 1);
    if (file >= 0) {
        close(file);
    }
    return alive;
}

// ---- the descriptor

typedef struct note_t {
    const char *owner; // with its NUL
    uint32_t type;
    uint64_t address; // of its contents, when found
    uint32_t bytes;
} note_t;

static bool
find_in_notes(const target_t *target, uint64_t start, size_t bytes, note_t *wanted)
{
    char notes[NOTES_MAX];
    if (bytes > sizeof notes || !target_read(target, start, notes, bytes)) {
        return false;
    }
    size_t at = 0;
    while (at + sizeof(Elf64_Nhdr) <= bytes) {
        Elf64_Nhdr note;
        memcpy(&note, notes + at, sizeof note);
        at += sizeof note;
        size_t contents = at + ((size_t)note.n_namesz + 3) / 4 * 4;
        if (contents + note.n_descsz > bytes) {
            return false;
        }
        if (note.n_type == wanted->type && note.n_namesz == strlen(wanted->owner) + 1 &&
            memcmp(notes + at, wanted->owner, note.n_namesz) == 0) {
            wanted->address = start + contents;
            wanted->bytes = note.n_descsz;
            return true;
        }
        at = contents + ((size_t)note.n_descsz + 3) / 4 * 4;
    }
    return false;
}

// In the notes of the file whose first byte is mapped at `start`.
static bool
find_in_elf(const target_t *target, uint64_t start, note_t *wanted)
{
    Elf64_Ehdr header;
    Elf64_Phdr program;
    uint64_t base = 0;
    bool based = false;
    if (!target_read(target, start, &header, sizeof header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof program) {
        return false;
    }
    for (unsigned i = 0; i < header.e_phnum; i++) {
        if (!target_read(target, start + header.e_phoff + i * sizeof program, &program, sizeof program)) {
            return false;
        }
        if (program.p_type == PT_LOAD && !based) {
            base = start - program.p_vaddr;
            based = true;
        }
        // The first PT_LOAD may come behind the notes: those of programs without it are not ours.
        if (program.p_type == PT_NOTE) {
            uint64_t guess = based ? base : start - (header.e_type == ET_DYN ? 0 : start);
            if (find_in_notes(target, guess + program.p_vaddr, program.p_memsz, wanted)) {
                return true;
            }
        }
    }
    return false;
}

char *
target_build_id(const target_t *target, uint64_t start)
{
    enum { BYTES_MAX = 64 };
    unsigned char id[BYTES_MAX];
    note_t note = {.owner = "GNU", .type = NT_GNU_BUILD_ID};
    if (!find_in_elf(target, start, &note) || note.bytes > BYTES_MAX ||
        !target_read(target, note.address, id, note.bytes)) {
        return NULL;
    }
    char *text = get_memory(2 * (size_t)note.bytes + 1, 1);
    for (uint32_t i = 0; i < note.bytes; i++) {
        snprintf(text + 2 * (size_t)i, 3, "%02x", id[i]);
    }
    return text;
}

// Whether a descriptor of this process, not a copy of one, stands at an address.
static bool
is_descriptor(const target_t *target, uint64_t at)
{
    mi_descriptor_t descriptor;
    return target_read(target, at, &descriptor, sizeof descriptor) &&
           memcmp(descriptor.magic, MI_DESCRIPTOR_NOTE, 8) == 0 && (uintptr_t)descriptor.self == at;
}

static uint64_t
search(const target_t *target, const target_segment_t *segment)
{
    enum { SEARCH_MAX = 1 << 26 };
    if (!segment->is_data || segment->bytes > SEARCH_MAX) {
        return 0;
    }
    char *memory = get_memory(segment->bytes, 1);
    uint64_t found = 0;
    if (target_read(target, segment->start, memory, segment->bytes)) {
        for (size_t i = 0; i + sizeof(mi_descriptor_t) <= segment->bytes && found == 0; i += 8) {
            if (memcmp(memory + i, MI_DESCRIPTOR_NOTE, 8) == 0 && is_descriptor(target, segment->start + i)) {
                found = segment->start + i;
            }
        }
    }
    free(memory);
    return found;
}

uint64_t
target_find_descriptor(const target_t *target, const char **why)
{
    char byte;
    *why = NULL;
    if (target->pid != 0 && !target_read(target, target->segments[0].start, &byte, 1) && errno == EPERM) {
        *why = "this user may not trace it: run this as root, or set kernel.yama.ptrace_scope to 0";
        return 0;
    }
    for (size_t i = 0; i < target->segment_count; i++) {
        note_t note = {.owner = MI_DESCRIPTOR_NOTE, .type = MI_DESCRIPTOR_NOTE_TYPE};
        int32_t distance;
        if (target->segments[i].begins_file && find_in_elf(target, target->segments[i].start, &note) &&
            note.bytes == sizeof distance && target_read(target, note.address, &distance, sizeof distance) &&
            is_descriptor(target, note.address + (uint64_t)(int64_t)distance)) {
            return note.address + (uint64_t)(int64_t)distance;
        }
    }
    // A core file without the first pages of libraries has no notes.
    for (size_t i = 0; i < target->segment_count && target->pid == 0; i++) {
        uint64_t found = search(target, &target->segments[i]);
        if (found != 0) {
            return found;
        }
    }
    *why = !target_is_alive(target) ? "it has ended"
           : target->cut            ? "the file is cut off: copy it again, or raise ulimit -c"
                         : "it has no libmimalloc: start it with `mimalloc run`, and see `mimalloc doctor`";
    return 0;
}
