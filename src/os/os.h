// SPDX-License-Identifier: MIT
// os.h — the port: everything that the library asks of the operating system.
//
// The files of one system implement it (os_linux*.c); the build chooses. Sizes are in bytes; addresses
// and sizes of the memory calls are multiples of mi__os_page_size(). No call here allocates by
// malloc, none but mi__os_full_path changes errno.
//
// Owns:        machine facts (page size), read once
// Threads:     any, at any time after mi__os_init
// Not here:    which memory to ask for → arena/, when threads come and go → heap/registry.c
#ifndef MI_OS_OS_H
#define MI_OS_OS_H

#include "base/platform.h"

// Reads the facts of the machine. Called once, before anything else of this file.
void mi__os_init(void);

// Size of a page of the operating system in bytes: a power of two, 4 KiB to 64 KiB.
size_t mi__os_page_size(void);

// Reserves `size` bytes of address space, aligned to `align` (a power of two); not accessible, not
// charged. NULL when the system has no such range.
MI_NODISCARD void *mi__os_reserve(size_t size, size_t align);

// How much may be reserved in advance without a cost: SIZE_MAX, or less where every reserved page
// takes memory and time.
size_t mi__os_cheap_reserve(void);

// Gives back a reservation, or a part of one, for good.
void mi__os_unreserve(void *start, size_t size);

// Makes reserved memory readable and writable. It reads as zero where it was never committed
// before. Doing it twice is harmless. False when the system refuses (RLIMIT_DATA, strict
// overcommit, too many mappings); the memory is then unchanged.
MI_NODISCARD bool mi__os_commit(void *start, size_t size);

// Gives the physical memory of a committed range back; it reads as zero afterwards. False when the
// system refuses: the contents are then unspecified.
bool mi__os_purge(void *start, size_t size);

// Moves the physical memory of a committed range to another of the same size, in the place of what is
// there; `from` reads as zero afterwards. Each range that memory was moved to may stay a mapping of its
// own until it is renewed. False, with both ranges unchanged, where the system cannot.
MI_NODISCARD bool mi__os_move(void *from, void *to, size_t size);

// Gives memory back like mi__os_purge, and joins the range's mapping with its neighbours again. False:
// nothing may touch the range any more.
MI_NODISCARD bool mi__os_renew(void *start, size_t size);

// How much of a committed range holds physical memory, in bytes: a guess, since memory that the
// system has swapped out may count as none. SIZE_MAX where the system does not tell.
size_t mi__os_resident(void *start, size_t size);

// Takes all access from a range (guard space), or gives it back.
bool mi__os_protect(void *start, size_t size);
bool mi__os_unprotect(void *start, size_t size);

// Asks that the system backs a range by huge pages where it can, or that it does not.
void mi__os_advise_huge(void *start, size_t size, bool wanted);

// Faults in a committed range in one call, where the system can; otherwise does nothing.
void mi__os_populate(void *start, size_t size);

// Milliseconds on a clock that never runs backwards; cheap, accurate to about ten milliseconds.
int64_t mi__os_clock_ms(void);

// A 64-bit random number, unpredictable from outside the process where the system offers such; for
// layout, not for keys.
uint64_t mi__os_random(void);

// Writes to standard error, or to a duplicate of it made by mi__os_keep_stderr when the program has
// closed it.
void mi__os_write_error(const char *chars, size_t length);
void mi__os_keep_stderr(void);

// The value of an environment variable, by exact name or NULL; usable before libc is set up. Always
// NULL in a process that runs with more rights than its caller (set-user-id and the like).
const char *mi__os_getenv(const char *name);

// Calls `each` for every environment variable "NAME=value" that starts with `prefix`, in either
// case of letters; the same restrictions.
void mi__os_each_env(const char *prefix, void (*each)(const char *entry, void *arg), void *arg);

// True once the environment can be read: early calls, before the dynamic loader has set up libc,
// find it empty.
bool mi__os_env_ready(void);

long mi__os_process_id(void);
long mi__os_thread_id(void);
bool mi__os_is_main_thread(void);

// Another number for it, which is had without asking the system and stays the same in the child of a fork.
uintptr_t mi__os_thread_self(void);

// Resources that the process has used, from the system itself; 0 where it does not tell.
typedef struct os_usage_t {
    size_t resident_bytes;
    size_t peak_resident_bytes;
    size_t page_faults; // minor and major
    int64_t user_ms;
    int64_t system_ms;
    int64_t elapsed_ms; // since mi__os_init
} os_usage_t;
void mi__os_usage(os_usage_t *usage);

// How often the system was asked for address space, to make memory accessible, to take memory back.
typedef struct os_calls_t {
    uint64_t reserve;
    uint64_t commit;
    uint64_t purge;
} os_calls_t;
void mi__os_calls(os_calls_t *calls);

// The name of the running program without its folder; "?" where the system does not tell.
// Long-lived.
const char *mi__os_program_name(void);

// What lies at an address, as the system sees it. For reports: slow.
typedef enum os_place_t {
    OS_PLACE_UNKNOWN,   // the system does not tell
    OS_PLACE_NOTHING,   // nothing is mapped there
    OS_PLACE_STACK,     // the stack of the calling thread
    OS_PLACE_BREAK,     // the heap that libc's malloc grows
    OS_PLACE_FILE,      // a mapped file: code or static data of a program or library
    OS_PLACE_ANONYMOUS, // memory without a name
    OS_PLACE_OTHER,     // memory with a name that is no file's
} os_place_t;
// Fills `name` (`size` bytes, cut to fit) with the file's path or the memory's name; "" when it has
// none.
os_place_t mi__os_place(const void *p, char *name, size_t size);

// True when all of the range is private memory without a file behind it: only that reads as zero when
// it was purged. False also where the system does not tell. Slow.
bool mi__os_is_private(const void *start, size_t size);

// Widens [*low, *high), the part of the calling thread's own stack that is known to be readable (zeros:
// none yet), down to `here`. False, and no change, when that is on another stack, or too far below.
bool mi__os_stack_widen(uintptr_t here, uintptr_t *low, uintptr_t *high);

// Whether the word at `p` can be read; asks the system. Async-signal-safe.
bool mi__os_is_readable(const void *p);

// A fault in memory: where, and by which instruction.
typedef struct os_fault_t {
    const void *address;
    const char *access; // "read", "write", or "access" where the processor does not tell
    uintptr_t pc;
    uintptr_t frame; // the frame pointer, for mi__stack_from
} os_fault_t;
// True when what faulted may be done again; else the program's own handler is called, or what the system
// does by default is done.
typedef bool os_fault_fun_t(const os_fault_t *fault);
// Calls `fun` for faults from now on, in the thread that faults, in a signal handler. A handler that the
// program sets later goes before. Called once.
void mi__os_on_fault(os_fault_fun_t *fun);

// The file that an address of code lies in, and how far behind the file's first mapping: what addr2line
// takes. False, and `name` is "", when it is in no file. Async-signal-safe; slow.
bool mi__os_module(uintptr_t address, char *name, size_t size, uintptr_t *offset);

// The build id of the file that is mapped at `base`; NULL when it has none. Async-signal-safe.
const unsigned char *mi__os_build_id(uintptr_t base, size_t *length);

// What the loader knows of an address of code: `file` is NULL when it knows nothing, `function` when it knows
// no name. Takes a lock of the loader's.
typedef struct os_symbol_t {
    const char *file;
    const char *function;
    uintptr_t base; // of the file
} os_symbol_t;
void mi__os_symbol(uintptr_t address, os_symbol_t *symbol);

// The path without links and dots, in `resolved`; or NULL, and errno is set: the one function here that does.
enum { OS_PATH_MAX = 4096 };
char *mi__os_full_path(const char *path, char resolved[OS_PATH_MAX]);

// Makes a file that was not there, which only its user may read. Returns its descriptor, or −errno; it
// follows no symbolic link at the end of the path.
int mi__os_create(const char *path);
bool mi__os_write(int fd, const void *bytes, size_t length);
void mi__os_close(int fd);

// Nanoseconds since 1970.
int64_t mi__os_wall_ns(void);

// Calls `each` for piece after piece of the system's list of the process's mappings.
void mi__os_each_mapping(void (*each)(const char *text, size_t length, void *arg), void *arg);

// A piece of code that is loaded: an executable segment of the program or of a library.
typedef struct os_module_t {
    uintptr_t start;
    uintptr_t end;
    uintptr_t base; // what was added to the file's addresses
    uint64_t file_offset;
    const char *path;
    const unsigned char *build_id; // NULL when it has none
    size_t build_id_length;
} os_module_t;

// Calls `each` for every one, the program's first. Takes a lock of the loader's, which protects them
// meanwhile: the caller holds no lock that a thread inside of dlopen could wait for.
void mi__os_each_module(void (*each)(const os_module_t *module, void *arg), void *arg);

// Maps `size` bytes in huge pages of 2^page_log2 bytes each, of which `size` is a multiple: accessible
// and zero, near to the NUMA node `node` where that is not negative and the node has room. NULL when
// the system has not as many such pages. Given back by mi__os_unreserve, page by page.
MI_NODISCARD void *mi__os_map_huge(size_t size, unsigned page_log2, int node);

// NUMA nodes of the machine, at least 1, and the one where the calling thread runs just now.
unsigned mi__os_numa_nodes(void);
unsigned mi__os_numa_node(void);

// Asks that `at_exit(arg)` runs when the calling thread ends, after its TLS destructors where the
// system has such an order. At most one per thread; a later call replaces `arg`. `arg` is not NULL.
// Also keeps working when called again from inside `at_exit` itself (as often as the system
// allows). Some systems allocate in here: the caller must be able to serve that already.
void mi__os_thread_on_exit(void *arg);
// Sets the function for all threads; called once at start-up. False when the system has no key
// left.
bool mi__os_thread_exit_init(void (*at_exit)(void *arg));

// The memory limits of the control groups that the process is in: the lowest; SIZE_MAX where there is
// none.
void mi__os_group_limits(size_t *high, size_t *max);

// Has the system tell when it, or the process's control group, is short of memory. A descriptor for
// mi__os_pressure_wait; −1 where it does not tell. For one thread at a time.
int mi__os_pressure_open(void);

// Sleeps for so long, or until there is such pressure: true. `*fd` becomes −1 when it tells no more.
bool mi__os_pressure_wait(int *fd, int64_t ms);
void mi__os_pressure_close(int fd);

// Where the system may tell of pressure: the first place, the next …; false when there is no other.
bool mi__os_pressure_path(unsigned place, char *path, size_t size);

// A new file of `bytes` zeros that only the user may open, mapped for reading and writing, in the place of
// one with that name that is the user's own. NULL when it cannot be had.
MI_NODISCARD void *mi__os_share(const char *path, size_t bytes);

// Removes a file.
void mi__os_unlink(const char *path);

// Closes a file that was made under the name `temporary`, and gives it the name `path` at once as a whole,
// for all to read; or, where `whole` is false or that fails, removes it. False: there is no new file.
bool mi__os_publish(int fd, const char *temporary, const char *path, bool whole);

// Calls `fun` in each child of a fork from now on, where the system has such. Called once.
void mi__os_after_fork(void (*fun)(void));

// Lets other threads run for a moment; sleeps.
void mi__os_yield(void);
void mi__os_sleep_ms(int64_t ms);

// Sleeps while `*word` is `value`, for `ms` at most, until another thread wakes it; may return without that.
// Of threads that sleep on the word one is woken.
void mi__os_wait(_Atomic(uint32_t) *word, uint32_t value, int64_t ms);
void mi__os_wake(_Atomic(uint32_t) *word);

// True when the process has no thread but the calling one; also when the system does not tell.
bool mi__os_is_single_threaded(void);

// Runs `body` in a thread of its own that takes no signals, has a small stack and is waited for by
// nobody. May call malloc. False when no thread can be had.
MI_NODISCARD bool mi__os_start_helper(void (*body)(void));

#endif
