// SPDX-License-Identifier: MIT
// os_macos.c — the port to macOS 10.12 and later: memory, clock, process.
//
// Written from the documented interface and compiled; run by nobody yet (record 52).
//
// Owns:        machine facts
// Threads:     facts are written at start-up only
// Invariants:  L1 no function changes errno
//              L2 no function allocates
// Not here:    environment, standard error, files, access → os_posix.c, threads → os_macos_threads.c,
//              addresses → os_macos_places.c, what there is not → os_absent.c
#include "os/os.h"

#include <crt_externs.h>
#include <errno.h>
#include <mach/mach.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "os/raw_calls.h"

enum {
    // What tools such as vmmap call it; given in the place of a file.
    TAG = VM_MAKE_TAG(VM_MEMORY_APPLICATION_SPECIFIC_1),
    RESIDENT_STEP = 512, // OS pages asked about in one call
};

static size_t page_size;
static int64_t start_ms;
static _Atomic(uint64_t) calls_reserve;
static _Atomic(uint64_t) calls_commit;
static _Atomic(uint64_t) calls_purge;

// ---- memory --------------------------------------------------------------------------------

void
mi__os_init(void)
{
    int saved = errno;
    if (page_size == 0) {
        start_ms = mi__os_clock_ms();
        page_size = (size_t)sysconf(_SC_PAGESIZE);
    }
    errno = saved;
}

size_t
mi__os_page_size(void)
{
    return page_size;
}

void *
mi__os_raw_reserve(size_t size)
{
    atomic_add_relaxed(&calls_reserve, 1);
    void *start = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, TAG, 0);
    return start == MAP_FAILED ? NULL : start;
}

size_t
mi__os_cheap_reserve(void)
{
    return SIZE_MAX;
}

bool
mi__os_commit(void *start, size_t size)
{
    atomic_add_relaxed(&calls_commit, 1);
    return mi__os_unprotect(start, size);
}

// No advice of madvise here both gives memory back and has it read as zero. A fresh mapping in the place of
// the old one does; the system joins neighbours that are alike, and has no limit to their number.
bool
mi__os_purge(void *start, size_t size)
{
    int saved = errno;
    atomic_add_relaxed(&calls_purge, 1);
    void *fresh = mmap(start, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON | MAP_FIXED, TAG, 0);
    errno = saved;
    return fresh != MAP_FAILED;
}

bool
mi__os_renew(void *start, size_t size)
{
    return mi__os_purge(start, size);
}

size_t
mi__os_resident(void *start, size_t size)
{
    char states[RESIDENT_STEP]; // one an OS page
    int saved = errno;
    size_t resident = 0;
    for (size_t done = 0; done < size; done += RESIDENT_STEP * page_size) {
        size_t bytes = size_min(size - done, RESIDENT_STEP * page_size);
        if (mincore((char *)start + done, bytes, states) != 0) {
            errno = saved;
            return SIZE_MAX;
        }
        for (size_t i = 0; i < bytes / page_size; i++) {
            resident += (states[i] & MINCORE_INCORE) != 0;
        }
    }
    errno = saved;
    return resident * page_size;
}

// ---- clock and random numbers --------------------------------------------------------------

int64_t
mi__os_clock_ms(void)
{
    return (int64_t)(clock_gettime_nsec_np(CLOCK_UPTIME_RAW) / 1000000);
}

uint64_t
mi__os_random(void)
{
    int saved = errno;
    uint64_t x = 0;
    if (getentropy(&x, sizeof x) != 0) {
        x = (clock_gettime_nsec_np(CLOCK_UPTIME_RAW) ^ (uintptr_t)&x) * UINT64_C(0x9e3779b97f4a7c15);
    }
    errno = saved;
    return x;
}

// ---- process -------------------------------------------------------------------------------

// Libraries have no name `environ`.
char **
mi__os_raw_environ(void)
{
    return *_NSGetEnviron();
}

bool
mi__os_raw_has_more_rights(void)
{
    return issetugid() != 0;
}

long
mi__os_thread_id(void)
{
    uint64_t id = 0;
    (void)pthread_threadid_np(NULL, &id);
    return (long)id;
}

bool
mi__os_is_main_thread(void)
{
    return pthread_main_np() != 0;
}

const char *
mi__os_program_name(void)
{
    const char *name = getprogname();
    return name == NULL || name[0] == 0 ? "?" : name;
}

static int64_t
to_ms(struct timeval time)
{
    return (int64_t)time.tv_sec * 1000 + time.tv_usec / 1000;
}

void
mi__os_usage(os_usage_t *usage)
{
    int saved = errno;
    struct rusage self;
    mach_task_basic_info_data_t task;
    mach_msg_type_number_t count = MACH_TASK_BASIC_INFO_COUNT;
    *usage = (os_usage_t){.elapsed_ms = mi__os_clock_ms() - start_ms};
    if (task_info(mach_task_self(), MACH_TASK_BASIC_INFO, (task_info_t)&task, &count) == KERN_SUCCESS) {
        usage->resident_bytes = task.resident_size;
        usage->peak_resident_bytes = task.resident_size_max;
    }
    if (getrusage(RUSAGE_SELF, &self) == 0) {
        usage->page_faults = (size_t)(self.ru_minflt + self.ru_majflt);
        usage->user_ms = to_ms(self.ru_utime);
        usage->system_ms = to_ms(self.ru_stime);
    }
    errno = saved;
}

void
mi__os_calls(os_calls_t *calls)
{
    calls->reserve = atomic_get_relaxed(&calls_reserve);
    calls->commit = atomic_get_relaxed(&calls_commit);
    calls->purge = atomic_get_relaxed(&calls_purge);
}
