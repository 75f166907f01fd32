// SPDX-License-Identifier: MIT
// os_linux.c — the port to Linux, for glibc and musl.
//
// Files are read and written by `syscall`: libc's open, read and write are cancellation points, and
// a thread must not be cancelled inside malloc; other preloaded libraries wrap them, too.
//
// Owns:        machine facts
// Threads:     facts are written at start-up only
// Invariants:  L1 no function changes errno
//              L2 no function allocates
// Not here:    access, environment, standard error, files → os_posix.c, what lies at an address →
//              os_linux_places.c, huge pages and NUMA → os_linux_numa.c, threads → os_linux_threads.c,
//              which memory → arena/
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "os/raw_calls.h"

// Older kernel headers, and musl's own, lack it.
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

enum {
    NONBLOCKING = 1, // GRND_NONBLOCK
    EMULATED_RESERVE_LOG2 = 30,
    RESIDENT_STEP = 512, // OS pages asked about in one call
    MOVE_FLAGS = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
};

enum { UNKNOWN, POSSIBLE, IMPOSSIBLE };

static size_t page_size;
static int64_t start_ms;
static _Atomic(bool) populate_unsupported;
static _Atomic(uint64_t) calls_reserve;
static _Atomic(uint64_t) calls_commit;
static _Atomic(uint64_t) calls_purge;
static _Atomic(int) moves; // whether mi__os_move can

// ---- memory --------------------------------------------------------------------------------

MI_START void
mi__os_init(void)
{
    int saved = errno;
    if (page_size == 0) {
        page_size = (size_t)getauxval(AT_PAGESZ);
        if (page_size == 0) {
            page_size = (size_t)sysconf(_SC_PAGESIZE);
        }
        start_ms = mi__os_clock_ms();
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
    // Without MAP_NORESERVE: nothing is charged while there is no access, and a commit is then
    // charged as the system's overcommit rules say, so that a malloc of too much fails cleanly.
    atomic_add_relaxed(&calls_reserve, 1);
    void *start = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) {
        return NULL;
    }
    // Debuggers write core files of what is reserved, too, unless they are told not to: a terabyte.
    madvise(start, size, MADV_DONTDUMP);
    return start;
}

MI_START size_t
mi__os_cheap_reserve(void)
{
    int saved = errno;
    // Processes without a vDSO are emulated ones: qemu-user before 8.1 keeps 24 bytes for each page
    // that is mapped, whatever its access, which makes a terabyte cost 6 GiB and many seconds.
    bool emulated = getauxval(AT_SYSINFO_EHDR) == 0;
    errno = saved;
    return emulated ? (size_t)1 << EMULATED_RESERVE_LOG2 : SIZE_MAX;
}

bool
mi__os_commit(void *start, size_t size)
{
    int saved = errno;
    atomic_add_relaxed(&calls_commit, 1);
    bool done = mprotect(start, size, PROT_READ | PROT_WRITE) == 0;
    if (done) {
        madvise(start, size, MADV_DODUMP);
    }
    errno = saved;
    return done;
}

bool
mi__os_purge(void *start, size_t size)
{
    int saved = errno;
    atomic_add_relaxed(&calls_purge, 1);
    bool done = madvise(start, size, MADV_DONTNEED) == 0;
    errno = saved;
    return done;
}

// Without MREMAP_DONTUNMAP the old place would be a hole for a moment, in which other threads' mmap may
// land. Kernels before 5.7 do not know it. qemu-user does it, but takes the old place for free to map all
// the same (seen with 7.2), so that what it says of the place afterwards is looked at.
static bool
can_move(void)
{
    int known = atomic_get_relaxed(&moves);
    if (known != UNKNOWN) {
        return known == POSSIBLE;
    }
    bool works = false;
    char *p = (char *)mmap(NULL, 2 * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p != MAP_FAILED) {
        unsigned char state;
        works = mremap(p, page_size, page_size, MOVE_FLAGS, p + page_size) != MAP_FAILED &&
                mincore(p, page_size, &state) == 0;
        munmap(p, 2 * page_size);
    }
    atomic_set_relaxed(&moves, works ? POSSIBLE : IMPOSSIBLE);
    return works;
}

bool
mi__os_move(void *from, void *to, size_t size)
{
    int saved = errno;
    // Kernels before 6.17 answer EFAULT when `from` is more than one mapping, which a block that has moved
    // and grown since may be.
    bool moved = can_move() && mremap(from, size, size, MOVE_FLAGS, to) != MAP_FAILED;
    errno = saved;
    return moved;
}

bool
mi__os_renew(void *start, size_t size)
{
    int saved = errno;
    atomic_add_relaxed(&calls_purge, 1);
    void *fresh = mmap(start, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    errno = saved;
    return fresh != MAP_FAILED;
}

size_t
mi__os_resident(void *start, size_t size)
{
    unsigned char states[RESIDENT_STEP]; // one an OS page
    int saved = errno;
    size_t resident = 0;
    for (size_t done = 0; done < size; done += RESIDENT_STEP * page_size) {
        size_t bytes = size_min(size - done, RESIDENT_STEP * page_size);
        if (mincore((char *)start + done, bytes, states) != 0) {
            errno = saved;
            return SIZE_MAX;
        }
        for (size_t i = 0; i < bytes / page_size; i++) {
            resident += states[i] & 1;
        }
    }
    errno = saved;
    return resident * page_size;
}

void
mi__os_advise_huge(void *start, size_t size, bool wanted)
{
    int saved = errno;
    madvise(start, size, wanted ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    errno = saved;
}

void
mi__os_populate(void *start, size_t size)
{
    if (atomic_get_relaxed(&populate_unsupported)) {
        return;
    }
    int saved = errno;
    // Kernels before 5.14 answer EINVAL. Any other failure is about this range only.
    if (madvise(start, size, MADV_POPULATE_WRITE) != 0 && (errno == EINVAL || errno == ENOSYS)) {
        atomic_set_relaxed(&populate_unsupported, true);
    }
    errno = saved;
}

// ---- clock and random numbers --------------------------------------------------------------

int64_t
mi__os_clock_ms(void)
{
    int saved = errno;
    struct timespec now = {0};
    if (clock_gettime(CLOCK_MONOTONIC_COARSE, &now) != 0) {
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    errno = saved;
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Where getrandom is missing or has no entropy yet: what the kernel gave the process at its start,
// spread by the moment.
static uint64_t
weak_random(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t x = (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 32 ^ (uintptr_t)&now;
    const uint64_t *seed = (const uint64_t *)getauxval(AT_RANDOM);
    if (seed != NULL) {
        uint64_t words[2];
        __builtin_memcpy(words, seed, sizeof words);
        x ^= words[0] + words[1];
    }
    for (int i = 0; i < 3; i++) {
        x ^= x >> 31;
        x *= UINT64_C(0x9e3779b97f4a7c15);
    }
    return x ^ x >> 29;
}

uint64_t
mi__os_random(void)
{
    int saved = errno;
    uint64_t x = 0;
    if (syscall(SYS_getrandom, &x, sizeof x, NONBLOCKING) != (long)sizeof x) {
        x = weak_random();
    }
    errno = saved;
    return x;
}

// ---- environment ---------------------------------------------------------------------------

MI_START char **
mi__os_raw_environ(void)
{
    return environ;
}

MI_START bool
mi__os_raw_has_more_rights(void)
{
    errno = 0;
    if (getauxval(AT_SECURE) != 0) {
        return true;
    }
    return errno != 0 && (getuid() != geteuid() || getgid() != getegid());
}

// ---- process -------------------------------------------------------------------------------

long
mi__os_thread_id(void)
{
    return syscall(SYS_gettid);
}

bool
mi__os_is_main_thread(void)
{
    return mi__os_thread_id() == mi__os_process_id();
}

const char *
mi__os_program_name(void)
{
    const char *name = program_invocation_short_name;
    return name == NULL || name[0] == 0 ? "?" : name;
}

// The second number of /proc/self/statm, in bytes; 0 when /proc is not there.
static size_t
resident_bytes(void)
{
    char text[128];
    long fd = syscall(SYS_openat, AT_FDCWD, "/proc/self/statm", O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) {
        return 0;
    }
    long length = syscall(SYS_read, (int)fd, text, sizeof text - 1);
    syscall(SYS_close, (int)fd);
    text[length < 0 ? 0 : length] = 0;
    const char *at = text;
    while (*at != 0 && *at != ' ') {
        at++;
    }
    size_t pages = 0;
    for (at += *at == ' '; *at >= '0' && *at <= '9'; at++) {
        pages = pages * 10 + (size_t)(*at - '0');
    }
    return pages * page_size;
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
    *usage = (os_usage_t){.elapsed_ms = mi__os_clock_ms() - start_ms};
    usage->resident_bytes = resident_bytes();
    if (getrusage(RUSAGE_SELF, &self) == 0) {
        usage->peak_resident_bytes = (size_t)self.ru_maxrss * 1024;
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
