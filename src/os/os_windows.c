// SPDX-License-Identifier: MIT
// os_windows.c — the port to Windows 8 and later: memory, clock, environment, process.
//
// What the system reserves it gives back as a whole only, and what is decommitted loses its access; see
// mi__os_unreserve and mi__os_purge for what follows from that. Nothing here moves memory, and huge
// pages take a right that few users have: the port's answer to both is "no".
//
// Owns:        machine facts, a copy of the environment
// Threads:     facts are written at start-up only; of two copies one is kept
// Invariants:  L1 no function changes errno (no call here does)
//              L2 no function allocates by malloc
// Not here:    threads → os_windows_threads.c, addresses and files → os_windows_places.c
#include "os/os.h"

#include <windows.h>

#include <ntsecapi.h>
#include <psapi.h>
#include <stdlib.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "base/check.h"

enum {
    ALIGN_TRIES = 16,
    COMMIT_TRIES = 1000,        // a millisecond apart
    EMULATED_RESERVE_LOG2 = 34, // where each reserved page takes a byte
    NAME_CHARS = 64,
};

static size_t page_size;
static size_t granularity; // of reservations
static int64_t start_ms;
static DWORD main_thread;
static _Atomic(uint64_t) calls_reserve;
static _Atomic(uint64_t) calls_commit;
static _Atomic(uint64_t) calls_purge;
static char program_name[NAME_CHARS]; // [constant after init]

// ---- memory --------------------------------------------------------------------------------

static void
find_program_name(void)
{
    char path[MAX_PATH];
    DWORD length = GetModuleFileNameA(NULL, path, sizeof path);
    const char *name = path;
    for (DWORD i = 0; i < length; i++) {
        name = path[i] == '\\' ? &path[i + 1] : name;
    }
    for (size_t i = 0; i < NAME_CHARS - 1 && name < path + length; i++) {
        program_name[i] = *name++;
    }
}

void
mi__os_init(void)
{
    if (page_size == 0) {
        SYSTEM_INFO info;
        GetSystemInfo(&info);
        granularity = info.dwAllocationGranularity;
        main_thread = GetCurrentThreadId();
        start_ms = mi__os_clock_ms();
        find_program_name();
        page_size = info.dwPageSize;
    }
}

size_t
mi__os_page_size(void)
{
    return page_size;
}

static void *
reserve_at(void *place, size_t size)
{
    return VirtualAlloc(place, size, MEM_RESERVE, PAGE_NOACCESS);
}

void *
mi__os_reserve(size_t size, size_t align)
{
    ASSERT(is_power_of_two(align));
    atomic_add_relaxed(&calls_reserve, 1);
    if (align <= granularity) {
        return reserve_at(NULL, size);
    }
    if (size == 0 || align > SIZE_MAX - size) {
        return NULL;
    }
    // A reservation can't be cut. So a larger one shows where there is room, and the right part of that is
    // asked for once it is free again; another thread may be quicker.
    void *start = NULL;
    for (int i = 0; start == NULL && i < ALIGN_TRIES; i++) {
        void *room = reserve_at(NULL, size + align);
        if (room == NULL) {
            return NULL;
        }
        VirtualFree(room, 0, MEM_RELEASE);
        start = reserve_at((void *)align_up((uintptr_t)room, align), size); // NOLINT
    }
    return start;
}

size_t
mi__os_cheap_reserve(void)
{
    // Wine keeps a byte for each page that is reserved.
    bool emulated = GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_get_version") != NULL;
    return emulated ? (size_t)1 << EMULATED_RESERVE_LOG2 : SIZE_MAX;
}

// A part of a reservation keeps its addresses, without memory behind them: only a whole one can go.
void
mi__os_unreserve(void *start, size_t size)
{
    MEMORY_BASIC_INFORMATION at;
    char *end = (char *)start + size;
    bool whole = VirtualQuery(start, &at, sizeof at) != 0 && at.AllocationBase == start &&
                 (VirtualQuery(end - 1, &at, sizeof at) != 0 && at.AllocationBase == start) &&
                 (VirtualQuery(end, &at, sizeof at) == 0 || at.AllocationBase != start);
    if (whole) {
        VirtualFree(start, 0, MEM_RELEASE);
    } else {
        VirtualFree(start, size, MEM_DECOMMIT);
    }
}

bool
mi__os_commit(void *start, size_t size)
{
    atomic_add_relaxed(&calls_commit, 1);
    return VirtualAlloc(start, size, MEM_COMMIT, PAGE_READWRITE) != NULL;
}

// Only what is decommitted and committed again is sure to read as zero. What was given back for a moment may
// be in other hands when it is wanted again: then there is a wait, in which the system may grow its page
// file.
bool
mi__os_purge(void *start, size_t size)
{
    atomic_add_relaxed(&calls_purge, 1);
    if (!VirtualFree(start, size, MEM_DECOMMIT)) {
        return false;
    }
    for (int i = 0; i < COMMIT_TRIES; i++) {
        if (VirtualAlloc(start, size, MEM_COMMIT, PAGE_READWRITE) != NULL) {
            return true;
        }
        Sleep(1);
    }
    return false;
}

bool
mi__os_renew(void *start, size_t size)
{
    return mi__os_purge(start, size);
}

size_t
mi__os_resident(void *start, size_t size)
{
    (void)start;
    (void)size;
    return SIZE_MAX;
}

static bool
set_access(void *start, size_t size, DWORD access)
{
    DWORD before;
    return VirtualProtect(start, size, access, &before) != 0;
}

bool
mi__os_protect(void *start, size_t size)
{
    return set_access(start, size, PAGE_NOACCESS);
}

bool
mi__os_unprotect(void *start, size_t size)
{
    return set_access(start, size, PAGE_READWRITE);
}

// ---- clock and random numbers --------------------------------------------------------------

int64_t
mi__os_clock_ms(void)
{
    return (int64_t)GetTickCount64();
}

// What the system counts from its own start year, in steps of 100 ns.
static int64_t
of_filetime(FILETIME time)
{
    return (int64_t)((uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime);
}

int64_t
mi__os_wall_ns(void)
{
    FILETIME now;
    GetSystemTimePreciseAsFileTime(&now);
    return (of_filetime(now) - INT64_C(116444736000000000)) * 100;
}

uint64_t
mi__os_random(void)
{
    uint64_t x;
    if (!RtlGenRandom(&x, sizeof x)) {
        LARGE_INTEGER now;
        QueryPerformanceCounter(&now);
        x = ((uint64_t)now.QuadPart ^ (uintptr_t)&x) * UINT64_C(0x9e3779b97f4a7c15);
    }
    return x;
}

// ---- standard error ------------------------------------------------------------------------

void
mi__os_write_error(const char *chars, size_t length)
{
    DWORD saved = GetLastError();
    HANDLE file = GetStdHandle(STD_ERROR_HANDLE);
    while (length > 0) {
        DWORD done = 0;
        if (!WriteFile(file, chars, (DWORD)size_min(length, INT32_MAX), &done, NULL) || done == 0) {
            break;
        }
        chars += done;
        length -= done;
    }
    SetLastError(saved);
}

// Closed descriptors of the C runtime are not the system's handle.
void
mi__os_keep_stderr(void)
{
}

// ---- environment ---------------------------------------------------------------------------

bool
mi__os_env_ready(void)
{
    return true;
}

// All entries, one after the other, with an empty one at the end: as they are when they are asked for first.
static const char *
environment(void)
{
    static _Atomic(const char *) kept;
    // acquire: the text; pairs with the release below.
    const char *entries = atomic_get_acquire(&kept);
    if (entries == NULL) {
        const char *none = NULL;
        entries = GetEnvironmentStringsA();
        // acq_rel: pairs with the acquires.
        if (entries != NULL && !atomic_cas_strong_acq_rel(&kept, &none, entries)) {
            FreeEnvironmentStringsA((char *)(uintptr_t)entries);
            entries = none;
        }
    }
    return entries == NULL ? "" : entries;
}

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

// As the C runtime has it: what the program sets later is seen.
const char *
mi__os_getenv(const char *name)
{
    return getenv(name);
}

// Names are told apart without regard to case.
static bool
starts_with(const char *text, const char *prefix)
{
    for (; *prefix != 0; text++, prefix++) {
        if (lower(*text) != lower(*prefix)) {
            return false;
        }
    }
    return true;
}

void
mi__os_each_env(const char *prefix, void (*each)(const char *entry, void *arg), void *arg)
{
    for (const char *entry = environment(); *entry != 0; entry += __builtin_strlen(entry) + 1) {
        if (starts_with(entry, prefix)) {
            each(entry, arg);
        }
    }
}

// ---- process -------------------------------------------------------------------------------

long
mi__os_process_id(void)
{
    return (long)GetCurrentProcessId();
}

long
mi__os_thread_id(void)
{
    return (long)GetCurrentThreadId();
}

bool
mi__os_is_main_thread(void)
{
    return GetCurrentThreadId() == main_thread;
}

const char *
mi__os_program_name(void)
{
    return program_name[0] == 0 ? "?" : program_name;
}

void
mi__os_usage(os_usage_t *usage)
{
    PROCESS_MEMORY_COUNTERS memory;
    FILETIME made;
    FILETIME ended;
    FILETIME system;
    FILETIME user;
    *usage = (os_usage_t){.elapsed_ms = mi__os_clock_ms() - start_ms};
    if (GetProcessMemoryInfo(GetCurrentProcess(), &memory, sizeof memory)) {
        usage->resident_bytes = memory.WorkingSetSize;
        usage->peak_resident_bytes = memory.PeakWorkingSetSize;
        usage->page_faults = memory.PageFaultCount;
    }
    if (GetProcessTimes(GetCurrentProcess(), &made, &ended, &system, &user)) {
        usage->user_ms = of_filetime(user) / 10000;
        usage->system_ms = of_filetime(system) / 10000;
    }
}

void
mi__os_calls(os_calls_t *calls)
{
    calls->reserve = atomic_get_relaxed(&calls_reserve);
    calls->commit = atomic_get_relaxed(&calls_commit);
    calls->purge = atomic_get_relaxed(&calls_purge);
}
