// SPDX-License-Identifier: MIT
// os_windows_places.c — the part of the port to Windows about what lies at an address, faults, and files.
//
// Owns:        who looks at faults
// Threads:     any
// Invariants:  as in os_windows.c; functions of the C runtime may change errno, which is then put back
// Not here:    see os.h
#include "os/os.h"

#include <windows.h>

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <psapi.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/bits.h"

enum { MODULES_MAX = 512, OWNER_ONLY = _S_IREAD | _S_IWRITE };

static os_fault_fun_t *look;

// ---- addresses -----------------------------------------------------------------------------

static bool
ask(const void *p, MEMORY_BASIC_INFORMATION *at)
{
    return VirtualQuery(p, at, sizeof *at) != 0;
}

os_place_t
mi__os_place(const void *p, char *name, size_t size)
{
    MEMORY_BASIC_INFORMATION at;
    name[0] = 0;
    if (!ask(p, &at)) {
        return OS_PLACE_UNKNOWN;
    }
    if (at.State == MEM_FREE) {
        return OS_PLACE_NOTHING;
    }
    uintptr_t low = 0;
    uintptr_t high = 0;
    if (mi__os_stack_widen((uintptr_t)p, &low, &high)) {
        return OS_PLACE_STACK;
    }
    if (at.Type == MEM_PRIVATE) {
        return OS_PLACE_ANONYMOUS;
    }
    name[GetModuleFileNameA((HMODULE)at.AllocationBase, name, (DWORD)size - 1)] = 0;
    return at.Type == MEM_IMAGE ? OS_PLACE_FILE : OS_PLACE_OTHER;
}

bool
mi__os_is_private(const void *start, size_t size)
{
    MEMORY_BASIC_INFORMATION at;
    const char *end = (const char *)start + size;
    for (const char *p = (const char *)start; p < end; p = (const char *)at.BaseAddress + at.RegionSize) {
        if (!ask(p, &at) || at.State == MEM_FREE || at.Type != MEM_PRIVATE) {
            return false;
        }
    }
    return true;
}

bool
mi__os_is_readable(const void *p)
{
    MEMORY_BASIC_INFORMATION at;
    return ask(p, &at) && at.State == MEM_COMMIT && (at.Protect & (PAGE_NOACCESS | PAGE_GUARD)) == 0;
}

bool
mi__os_stack_widen(uintptr_t here, uintptr_t *low, uintptr_t *high)
{
    ULONG_PTR from;
    ULONG_PTR end;
    GetCurrentThreadStackLimits(&from, &end);
    if (here < from || here >= end) {
        return false;
    }
    *low = from;
    *high = end;
    return true;
}

bool
mi__os_module(uintptr_t address, char *name, size_t size, uintptr_t *offset)
{
    bool found = mi__os_place((const void *)address, name, size) == OS_PLACE_FILE; // NOLINT
    MEMORY_BASIC_INFORMATION at;
    *offset = found && ask((const void *)address, &at) ? address - (uintptr_t)at.AllocationBase : 0; // NOLINT
    if (!found) {
        name[0] = 0;
    }
    return found;
}

const unsigned char *
mi__os_build_id(uintptr_t base, size_t *length)
{
    (void)base;
    (void)length;
    return NULL;
}

void
mi__os_symbol(uintptr_t address, os_symbol_t *symbol)
{
    (void)address;
    *symbol = (os_symbol_t){0};
}

void
mi__os_each_module(void (*each)(const os_module_t *module, void *arg), void *arg)
{
    HMODULE modules[MODULES_MAX];
    DWORD bytes = 0;
    if (!EnumProcessModules(GetCurrentProcess(), modules, sizeof modules, &bytes)) {
        return;
    }
    for (size_t i = 0; i < size_min(bytes, sizeof modules) / sizeof modules[0]; i++) {
        MODULEINFO info;
        char path[MAX_PATH];
        path[GetModuleFileNameA(modules[i], path, sizeof path - 1)] = 0;
        if (GetModuleInformation(GetCurrentProcess(), modules[i], &info, sizeof info)) {
            uintptr_t base = (uintptr_t)info.lpBaseOfDll;
            os_module_t module = {
                .start = base, .end = base + info.SizeOfImage, .base = base, .path = path, .build_id = NULL};
            each(&module, arg);
        }
    }
}

// ---- faults --------------------------------------------------------------------------------

// What is not ours is looked at by the handlers that the program has.
static LONG NTAPI
on_fault(EXCEPTION_POINTERS *what)
{
    const EXCEPTION_RECORD *record = what->ExceptionRecord;
    if (record->ExceptionCode != EXCEPTION_ACCESS_VIOLATION || record->NumberParameters < 2) {
        return EXCEPTION_CONTINUE_SEARCH;
    }
    os_fault_t fault = {
        .address = (const void *)record->ExceptionInformation[1],
        .access = record->ExceptionInformation[0] == 1 ? "write" : "read",
        .pc = (uintptr_t)record->ExceptionAddress,
    };
    return look(&fault) ? EXCEPTION_CONTINUE_EXECUTION : EXCEPTION_CONTINUE_SEARCH;
}

void
mi__os_on_fault(os_fault_fun_t *fun)
{
    look = fun;
    AddVectoredExceptionHandler(1, on_fault);
}

// ---- files ---------------------------------------------------------------------------------

// The C runtime sets errno. Buffers of its programs have the size that it names.
char *
mi__os_full_path(const char *path, char resolved[OS_PATH_MAX])
{
    if (_access(path, 0) != 0) {
        return NULL;
    }
    return _fullpath(resolved, path, _MAX_PATH);
}

int
mi__os_create(const char *path)
{
    int saved = errno;
    int fd = _open(path, _O_WRONLY | _O_CREAT | _O_EXCL | _O_BINARY | _O_NOINHERIT, OWNER_ONLY);
    int result = fd < 0 ? -errno : fd;
    errno = saved;
    return result;
}

bool
mi__os_write(int fd, const void *bytes, size_t length)
{
    int saved = errno;
    const char *from = (const char *)bytes;
    while (length > 0) {
        int done = _write(fd, from, (unsigned)size_min(length, INT32_MAX));
        if (done <= 0) {
            break;
        }
        from += done;
        length -= (size_t)done;
    }
    errno = saved;
    return length == 0;
}

void
mi__os_close(int fd)
{
    int saved = errno;
    (void)_close(fd);
    errno = saved;
}

void
mi__os_unlink(const char *path)
{
    DeleteFileA(path);
}

bool
mi__os_publish(int fd, const char *temporary, const char *path, bool whole)
{
    mi__os_close(fd);
    whole = whole && MoveFileExA(temporary, path, MOVEFILE_REPLACE_EXISTING);
    if (!whole) {
        mi__os_unlink(temporary);
    }
    return whole;
}
