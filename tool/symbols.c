// SPDX-License-Identifier: MIT
// symbols.c — functions and lines by libdwfl, one session for each file.
#include "symbols.h"

#include <dwarf.h>
#include <elfutils/libdwelf.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rust_names.h"
#include "text.h"

// Of the C++ runtime.
char *__cxa_demangle(const char *mangled, char *buffer, size_t *length, int *status); // NOLINT

typedef struct file_t {
    char *path;
    char *build_id; // that it must have, or NULL
    Dwfl *dwfl;     // NULL: it cannot be used
    Dwfl_Module *module;
    bool opened;
    bool changed;
} file_t;

typedef struct range_t {
    uint64_t start;
    uint64_t end;
    uint64_t offset;
    size_t file;
} range_t;

struct symbols_t {
    file_t *files;
    size_t file_count;
    range_t *ranges;
    size_t range_count;
};

symbols_t *
symbols_new(void)
{
    return get_memory(1, sizeof(symbols_t));
}

void
symbols_free(symbols_t *symbols)
{
    for (size_t i = 0; i < symbols->file_count; i++) {
        if (symbols->files[i].dwfl != NULL) {
            dwfl_end(symbols->files[i].dwfl);
        }
        free(symbols->files[i].path);
        free(symbols->files[i].build_id);
    }
    free(symbols->files);
    free(symbols->ranges);
    free(symbols);
}

void
symbols_tell_changed(const symbols_t *symbols)
{
    const char *first = NULL;
    unsigned count = 0;
    for (size_t i = 0; i < symbols->file_count; i++) {
        first = first == NULL && symbols->files[i].changed ? symbols->files[i].path : first;
        count += symbols->files[i].changed;
    }
    const char *root = first != NULL && strncmp(first, "/proc/", 6) == 0 ? strstr(first, "/root/") : NULL;
    first = root != NULL ? root + strlen("/root") : first;
    if (count == 1) {
        fprintf(stderr, "mimalloc: %s is another file by now: no names of it\n", first);
    } else if (count > 1) {
        fprintf(stderr, "mimalloc: %s and %u more are other files by now: no names of these\n", first,
                count - 1);
    }
}

// ---- files

static size_t
find_file(symbols_t *symbols, const char *path, const char *build_id)
{
    for (size_t i = 0; i < symbols->file_count; i++) {
        if (strcmp(symbols->files[i].path, path) == 0) {
            return i;
        }
    }
    symbols->files = grow_memory(symbols->files, symbols->file_count + 1, sizeof *symbols->files);
    bool has_id = build_id != NULL && *build_id != 0;
    symbols->files[symbols->file_count] =
        (file_t){.path = strdup(path), .build_id = has_id ? strdup(build_id) : NULL};
    return symbols->file_count++;
}

static bool
has_build_id(file_t *file)
{
    const void *id;
    GElf_Addr bias;
    Elf *elf = dwfl_module_getelf(file->module, &bias);
    ssize_t length = elf == NULL ? -1 : dwelf_elf_gnu_build_id(elf, &id);
    bool same = length > 0 && strlen(file->build_id) == 2 * (size_t)length;
    for (ssize_t i = 0; same && i < length; i++) {
        char hex[3];
        snprintf(hex, sizeof hex, "%02x", ((const unsigned char *)id)[i]);
        same = strncmp(hex, file->build_id + 2 * i, 2) == 0;
    }
    return same;
}

// Makes a file ready at its first use; false when it cannot be used.
static bool
open_file(file_t *file)
{
    static char *no_folders = NULL;
    static const Dwfl_Callbacks calls = {.find_elf = dwfl_build_id_find_elf,
                                         .find_debuginfo = dwfl_standard_find_debuginfo,
                                         .debuginfo_path = &no_folders};
    if (file->opened) {
        return file->dwfl != NULL;
    }
    file->opened = true;
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return false;
    }
    file->dwfl = dwfl_begin(&calls);
    file->module = dwfl_report_elf(file->dwfl, file->path, file->path, fd, 0, true);
    dwfl_report_end(file->dwfl, NULL, NULL);
    file->changed = file->module != NULL && file->build_id != NULL && !has_build_id(file);
    if (file->module == NULL || file->changed) {
        if (file->module == NULL) {
            close(fd); // else it is the session's
        }
        dwfl_end(file->dwfl);
        file->dwfl = NULL;
    }
    return file->dwfl != NULL;
}

// The address, in the file's own terms, of what lies at an offset; or, with `from_first`, at a distance from
// the lowest address.
static bool
address_in_file(file_t *file, uint64_t at, bool from_first, uint64_t *address)
{
    GElf_Addr bias;
    GElf_Phdr load;
    size_t count = 0;
    Elf *elf = dwfl_module_getelf(file->module, &bias);
    if (elf == NULL || elf_getphdrnum(elf, &count) != 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t down = ~(uint64_t)4095;
        if (gelf_getphdr(elf, (int)i, &load) == NULL || load.p_type != PT_LOAD) {
            continue;
        }
        if (from_first) {
            *address = (load.p_vaddr & down) + at;
            return true;
        }
        if (at >= (load.p_offset & down) && at - (load.p_offset & down) < load.p_filesz + 4096) {
            *address = at - load.p_offset + load.p_vaddr;
            if ((load.p_flags & PF_X) != 0) {
                return true;
            }
        }
    }
    return false;
}

void
symbols_add(symbols_t *symbols, const char *path, const char *build_id, uint64_t start, uint64_t end,
            uint64_t offset)
{
    size_t file = find_file(symbols, path, build_id);
    symbols->ranges = grow_memory(symbols->ranges, symbols->range_count + 1, sizeof *symbols->ranges);
    symbols->ranges[symbols->range_count++] = (range_t){start, end, offset, file};
}

// Where the file of a mapping can be read: the process may see another tree of files, and its program or a
// library may have been replaced.
static char *
path_of(const target_t *target, const target_file_t *file, const char *program)
{
    static const char deleted[] = " (deleted)";
    size_t length = strlen(file->path);
    size_t end = strlen(deleted);
    bool is_deleted = length > end && strcmp(file->path + length - end, deleted) == 0;
    length -= is_deleted ? end : 0;
    char *path = target->pid == 0                   ? NULL
                 : strcmp(file->path, program) == 0 ? format_new("/proc/%d/exe", (int)target->pid)
                 : is_deleted ? format_new("/proc/%d/map_files/%llx-%llx", (int)target->pid,
                                           (unsigned long long)file->start, (unsigned long long)file->end)
                              : format_new("/proc/%d/root%s", (int)target->pid, file->path);
    if (path == NULL || access(path, R_OK) != 0) {
        free(path);
        path = strndup(file->path, length);
    }
    return path;
}

void
symbols_add_target(symbols_t *symbols, const target_t *target)
{
    char link[64];
    char program[4096];
    char *build_id = NULL;
    const char *whose = "";
    snprintf(link, sizeof link, "/proc/%d/exe", (int)target->pid);
    ssize_t length = target->pid == 0 ? 0 : readlink(link, program, sizeof program - 1);
    program[length < 0 ? 0 : length] = 0;
    // Of each file the first mapping comes first.
    for (size_t i = 0; i < target->file_count; i++) {
        const target_file_t *file = &target->files[i];
        if (strcmp(file->path, whose) != 0) {
            free(build_id);
            build_id = file->offset == 0 ? target_build_id(target, file->start) : NULL;
            whose = file->path;
        }
        char *path = path_of(target, file, program);
        symbols_add(symbols, path, build_id, file->start, file->end, file->offset);
        free(path);
    }
    free(build_id);
}

// ---- names

// Replaces each `from` in a new string, by what is not longer.
static void
replace(char *text, const char *from, const char *to)
{
    size_t length = strlen(from);
    for (char *at = text; (at = strstr(at, from)) != NULL;) {
        memcpy(at, to, strlen(to));
        at += strlen(to);
        memmove(at, at + length - strlen(to), strlen(at + length - strlen(to)) + 1);
    }
}

// For people: strings by their usual name.
static char *
demangle(const char *name)
{
    int status;
    char *plain = strncmp(name, "_Z", 2) == 0 ? __cxa_demangle(name, NULL, NULL, &status) : NULL;
    if (plain == NULL) {
        char *rust = rust_demangle(name);
        return rust != NULL ? rust : strdup(name);
    }
    replace(plain, "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >",
            "std::string");
    replace(plain, "(anonymous namespace)::", "");
    rust_unescape(plain);
    return plain;
}

typedef struct teller_t {
    symbols_each_t *each;
    void *arg;
    const char *module;
} teller_t;

static void
tell(const teller_t *to, const char *name, const char *source, unsigned line)
{
    place_t place = {.function = name, .file = source, .line = line, .module = to->module};
    to->each(&place, to->arg);
}

// What a function's description is completed by: what it was inlined from, or its declaration in a class.
static bool
follow(Dwarf_Die *die, unsigned attribute_name)
{
    Dwarf_Attribute attribute;
    return dwarf_attr(die, attribute_name, &attribute) != NULL && dwarf_formref_die(&attribute, die) != NULL;
}

// A function's name in a new string, NULL where there is none. The linker's, or else with the classes and
// namespaces that it is declared in.
static char *
name_of(Dwarf_Die die)
{
    Dwarf_Attribute attribute;
    const char *linkage = dwarf_formstring(
        dwarf_attr_integrate(&die, DW_AT_linkage_name, &attribute) != NULL ? &attribute : NULL);
    const char *last = dwarf_diename(&die);
    if (linkage != NULL || last == NULL) {
        return linkage == NULL ? NULL : demangle(linkage);
    }
    char *name = strdup(last);
    Dwarf_Die *scopes = NULL;
    (void)follow(&die, DW_AT_abstract_origin);
    (void)follow(&die, DW_AT_specification);
    int count = dwarf_getscopes_die(&die, &scopes);
    for (int i = 1; i < count; i++) {
        int tag = dwarf_tag(&scopes[i]);
        bool names = tag == DW_TAG_class_type || tag == DW_TAG_structure_type || tag == DW_TAG_namespace;
        const char *scope = names ? dwarf_diename(&scopes[i]) : NULL;
        if (scope != NULL) {
            char *longer = format_new("%s::%s", scope, name);
            free(name);
            name = longer;
        }
    }
    free(scopes);
    return name;
}

static unsigned
number_of(Dwarf_Die *die, unsigned attribute_name)
{
    Dwarf_Attribute attribute;
    Dwarf_Word value = 0;
    bool has = dwarf_attr(die, attribute_name, &attribute) != NULL;
    return has && dwarf_formudata(&attribute, &value) == 0 ? (unsigned)value : 0;
}

// The functions around an address as debug information has them; false when it has none there.
static bool
tell_scopes(file_t *file, uint64_t address, const char *source, unsigned line, const teller_t *to)
{
    Dwarf_Addr bias;
    Dwarf_Die unit_copy;
    Dwarf_Die *unit = dwfl_module_addrdie(file->module, address, &bias);
    Dwarf_Die *found = NULL;
    Dwarf_Die *scopes = NULL;
    if (unit == NULL || dwarf_getscopes(unit, address - bias, &found) <= 0) {
        return false;
    }
    // By what holds them in the code, not by where their sources stand.
    int count = dwarf_getscopes_die(&found[0], &scopes);
    free(found);
    bool told = false;
    Dwarf_Files *sources = NULL;
    size_t source_count = 0;
    if (dwarf_diecu(unit, &unit_copy, NULL, NULL) == NULL ||
        dwarf_getsrcfiles(&unit_copy, &sources, &source_count) != 0) {
        source_count = 0;
    }
    for (int i = 0; i < count; i++) {
        int tag = dwarf_tag(&scopes[i]);
        if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram) {
            continue;
        }
        char *name = name_of(scopes[i]);
        tell(to, name == NULL ? "(no name)" : name, source, line);
        free(name);
        told = true;
        if (tag == DW_TAG_subprogram) {
            break;
        }
        unsigned number = number_of(&scopes[i], DW_AT_call_file);
        source = number < source_count ? dwarf_filesrc(sources, number, NULL, NULL) : NULL;
        line = number_of(&scopes[i], DW_AT_call_line);
    }
    free(scopes);
    return told;
}

static void
tell_at(file_t *file, uint64_t address, uint64_t offset, const teller_t *to)
{
    int line = 0;
    Dwfl_Line *found = dwfl_module_getsrc(file->module, address);
    const char *source = found == NULL ? NULL : dwfl_lineinfo(found, NULL, &line, NULL, NULL, NULL);
    // Where no function is described, the line may be that of what comes before.
    if (tell_scopes(file, address, source, (unsigned)line, to)) {
        return;
    }
    const char *symbol = dwfl_module_addrname(file->module, address);
    char *name =
        symbol != NULL ? demangle(symbol) : format_new("%s+%#llx", to->module, (unsigned long long)offset);
    tell(to, name, NULL, 0);
    free(name);
}

static const char *
last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

void
symbols_at(symbols_t *symbols, uint64_t address, symbols_each_t *each, void *arg)
{
    teller_t to = {.each = each, .arg = arg};
    for (size_t i = 0; i < symbols->range_count; i++) {
        const range_t *range = &symbols->ranges[i];
        if (address < range->start || address >= range->end) {
            continue;
        }
        file_t *file = &symbols->files[range->file];
        uint64_t offset = address - range->start + range->offset;
        uint64_t inside;
        char module[4096];
        char program[4096];
        // A process's own program goes by a name that says nothing.
        ssize_t length = readlink(file->path, program, sizeof program - 1);
        program[length < 0 || strncmp(file->path, "/proc/", 6) != 0 ? 0 : length] = 0;
        snprintf(module, sizeof module, "%s", last_part(program[0] != 0 ? program : file->path));
        to.module = module;
        if (open_file(file) && address_in_file(file, offset, false, &inside)) {
            tell_at(file, inside, offset, &to);
            return;
        }
        char *name = format_new("%s+%#llx", module, (unsigned long long)offset);
        tell(&to, name, NULL, 0);
        free(name);
        return;
    }
    char name[24];
    snprintf(name, sizeof name, "%#llx", (unsigned long long)address);
    tell(&to, name, NULL, 0);
}

bool
symbols_in_file(symbols_t *symbols, const char *path, const char *build_id, uint64_t distance,
                symbols_each_t *each, void *arg)
{
    size_t number = find_file(symbols, path, build_id);
    file_t *file = &symbols->files[number];
    teller_t to = {.each = each, .arg = arg, .module = last_part(path)};
    uint64_t inside;
    if (!open_file(file) || !address_in_file(file, distance, true, &inside)) {
        return false;
    }
    tell_at(file, inside, distance, &to);
    return true;
}
