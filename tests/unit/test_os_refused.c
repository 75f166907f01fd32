// SPDX-License-Identifier: MIT
// test_os_refused.c — os/ where the system refuses a call: seccomp answers with an errno, the port falls
// back and keeps the caller's errno. Each in a child, since a filter stays.
#include "fresh.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "os/os.h"

enum { NO_ARGUMENT = 9 };

// From here on `call` fails; with an argument's number only where that has the value (of 32 bits).
static void
refuse(long call, unsigned argument, uint32_t value, int errnum)
{
    size_t at = argument == NO_ARGUMENT ? offsetof(struct seccomp_data, nr)
                                        : offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t);
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)at),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, argument == NO_ARGUMENT ? (uint32_t)call : value, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)errnum),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        fprintf(stderr, "no seccomp here\n");
        _exit(0);
    }
    errno = ERRNO_MARK;
}

// The port's way to open what it reads, and nobody else's here.
static void
refuse_files(int errnum)
{
    refuse(SYS_openat, 2, O_RDONLY | O_CLOEXEC, errnum);
}

// ---- files of the system

static void
on_mapping(const char *text, size_t length, void *arg)
{
    (void)text;
    *(size_t *)arg += length;
}

static void
without_proc(void)
{
    char name[64] = "as it was";
    uintptr_t offset = 0;
    size_t high;
    size_t max;
    size_t bytes = 0;
    os_usage_t usage;
    refuse_files(ENOENT);
    check_equal(mi__os_place(&offset, name, sizeof name), OS_PLACE_UNKNOWN);
    check(name[0] == 0);
    check(!mi__os_is_private(&usage, 1));
    check(!mi__os_module((uintptr_t)(void *)without_proc, name, sizeof name, &offset));
    check(name[0] == 0);
    mi__os_each_mapping(on_mapping, &bytes);
    check_equal(bytes, 0);
    mi__os_group_limits(&high, &max);
    check(high == SIZE_MAX && max == SIZE_MAX);
    check_equal(mi__os_numa_nodes(), 1);
    mi__os_usage(&usage);
    check_equal(usage.resident_bytes, 0);
    check(usage.peak_resident_bytes > 0);
    check_equal(errno, ERRNO_MARK);
}

static void
without_usage(void)
{
    os_usage_t usage;
    refuse(SYS_getrusage, NO_ARGUMENT, 0, EPERM);
    mi__os_usage(&usage);
    check(usage.resident_bytes > 0);
    check(usage.peak_resident_bytes == 0 && usage.user_ms == 0);
    check_equal(errno, ERRNO_MARK);
}

static void
without_the_processors_node(void)
{
    refuse(SYS_getcpu, NO_ARGUMENT, 0, ENOSYS);
    check_equal(mi__os_numa_node(), 0);
    check_equal(errno, ERRNO_MARK);
}

// ---- memory

static bool
moves(void)
{
    size_t size = mi__os_page_size();
    char *from = mi__os_reserve(2 * size, size);
    check(from != NULL && mi__os_commit(from, 2 * size));
    from[0] = 'x';
    errno = ERRNO_MARK;
    bool moved = mi__os_move(from, from + size, size);
    check_equal(errno, ERRNO_MARK);
    check_equal(moved ? from[size] : from[0], 'x');
    mi__os_unreserve(from, 2 * size);
    return moved;
}

static void
no_move_without_mremap(void)
{
    refuse(SYS_mremap, NO_ARGUMENT, 0, EINVAL);
    check(!moves());
    check(!moves()); // what it knows now
}

static void
no_move_where_the_old_place_is_lost(void)
{
    refuse(SYS_mincore, NO_ARGUMENT, 0, ENOMEM);
    check(!moves());
    check_equal(mi__os_resident(&misuses, 1), SIZE_MAX);
}

static void
no_move_without_memory_to_try_it(void)
{
    size_t size = mi__os_page_size();
    char *from = mi__os_reserve(2 * size, size);
    check(from != NULL && mi__os_commit(from, 2 * size));
    refuse(SYS_mmap, 1, (uint32_t)(2 * size), ENOMEM);
    check(!mi__os_move(from, from + size, size));
    check_equal(errno, ERRNO_MARK);
}

static void
no_populating_without_the_call(void)
{
    size_t size = mi__os_page_size();
    char *start = mi__os_reserve(size, size);
    check(start != NULL && mi__os_commit(start, size));
    refuse(SYS_madvise, NO_ARGUMENT, 0, EINVAL);
    mi__os_populate(start, size);
    mi__os_populate(start, size); // is not tried again
    check(!mi__os_purge(start, size));
    mi__os_advise_huge(start, size, true);
    check_equal(errno, ERRNO_MARK);
    check_equal(start[0], 0);
}

// ---- random numbers, threads

static void
random_numbers_all_the_same(void)
{
    refuse(SYS_getrandom, NO_ARGUMENT, 0, ENOSYS);
    uint64_t seen[16];
    for (size_t i = 0; i < 16; i++) {
        seen[i] = mi__os_random();
        for (size_t k = 0; k < i; k++) {
            check(seen[k] != seen[i]);
        }
    }
    check_equal(errno, ERRNO_MARK);
}

static void
never_run(void)
{
    check(false);
}

static void
no_thread_no_helper(void)
{
    sigset_t before;
    sigset_t after;
    sigprocmask(SIG_SETMASK, NULL, &before);
    refuse(SYS_clone, NO_ARGUMENT, 0, EAGAIN);
    refuse(SYS_clone3, NO_ARGUMENT, 0, EAGAIN);
    check(!mi__os_start_helper(never_run));
    check_equal(errno, ERRNO_MARK);
    sigprocmask(SIG_SETMASK, NULL, &after);
    check(memcmp(&before, &after, sizeof(uint64_t)) == 0); // what the kernel has of it
}

// ---- standard error, files

static int ends[2];

static void
empty_the_pipe(int number)
{
    char bytes[65536];
    (void)number;
    (void)!read(ends[0], bytes, sizeof bytes);
}

// A signal that comes before a byte is written: the write begins anew.
static void
interrupted_writes_go_on(void)
{
    static char text[70000];
    struct sigaction action = {.sa_handler = empty_the_pipe};
    check(pipe(ends) == 0 && fcntl(ends[1], F_SETPIPE_SZ, 65536) >= 65536);
    sigaction(SIGALRM, &action, NULL);
    memset(text, 'x', sizeof text);
    struct itimerval often = {{0, 20000}, {0, 20000}};
    for (int way = 0; way < 2; way++) {
        check(write(ends[1], text, 65536) == 65536);
        setitimer(ITIMER_REAL, &often, NULL);
        if (way == 0) {
            check(mi__os_write(ends[1], text, sizeof text));
        } else {
            check(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
            mi__os_write_error(text, sizeof text);
        }
        setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
        empty_the_pipe(0);
        empty_the_pipe(0);
        fcntl(ends[0], F_SETFL, 0);
    }
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN);
    errno = ERRNO_MARK;
    check(!mi__os_write(ends[1], text, 1));
    check_equal(errno, ERRNO_MARK);
}

static void
nothing_is_published_in_part(void)
{
    char folder[] = "/tmp/refusedXXXXXX";
    char from[64];
    char to[64];
    check(mkdtemp(folder) != NULL);
    snprintf(from, sizeof from, "%s/from", folder);
    snprintf(to, sizeof to, "%s/to", folder);
    errno = ERRNO_MARK;
    check(!mi__os_publish(-1, from, to, true)); // no such file
    int fd = mi__os_create(from);
    check(fd >= 0);
    check(!mi__os_publish(fd, from, to, false)); // not all of it was written
    check(access(from, F_OK) != 0);
    fd = mi__os_create(from);
    check(unlink(from) == 0);
    errno = ERRNO_MARK;
    check(!mi__os_publish(fd, from, to, true)); // somebody has taken it away
    check(access(to, F_OK) != 0);
    errno = ERRNO_MARK;
    check(mi__os_share(to, 0) == NULL); // no room for it
    check(access(to, F_OK) != 0);
    errno = ERRNO_MARK;
    check(mi__os_share("/no/such/folder/at/all", 4096) == NULL);
    check_equal(errno, ERRNO_MARK);
    check(rmdir(folder) == 0);
}

// ---- modules

static void
build_ids_of_made_up_files(void)
{
    static struct {
        Elf64_Ehdr file;
        Elf64_Phdr header[3];
        char notes[64];
    } made;
    static const unsigned char id[4] = {1, 2, 3, 4};
    size_t length = 0;
    uintptr_t base = (uintptr_t)&made;
    check(mi__os_build_id(4096, &length) == NULL); // nothing can be read there
    check(mi__os_build_id(base, &length) == NULL); // no such file
    memcpy(made.file.e_ident, ELFMAG, SELFMAG);
    made.file.e_type = ET_EXEC; // addresses as they are
    made.file.e_phoff = offsetof(__typeof__(made), header);
    made.file.e_phnum = 3;
    made.header[0] = (Elf64_Phdr){.p_type = PT_LOAD};
    made.header[1] = (Elf64_Phdr){.p_type = PT_NOTE, .p_vaddr = 4096, .p_filesz = 64};
    made.header[2] =
        (Elf64_Phdr){.p_type = PT_NOTE, .p_vaddr = (uintptr_t)made.notes, .p_filesz = 0, .p_align = 4};
    check(mi__os_build_id(base, &length) == NULL); // no note
    Elf64_Nhdr other = {.n_namesz = 4, .n_descsz = 0, .n_type = NT_GNU_BUILD_ID};
    memcpy(made.notes, &other, sizeof other);
    memcpy(made.notes + sizeof other, "Xen", 4);
    made.header[2].p_filesz = 16;
    check(mi__os_build_id(base, &length) == NULL); // somebody else's
    Elf64_Nhdr ours = {.n_namesz = 4, .n_descsz = sizeof id, .n_type = NT_GNU_BUILD_ID};
    memcpy(made.notes + 16, &ours, sizeof ours);
    memcpy(made.notes + 32 - 4, "GNU", 4);
    memcpy(made.notes + 32, id, sizeof id);
    made.header[2].p_filesz = 34;
    check(mi__os_build_id(base, &length) == NULL); // cut off
    made.header[2].p_filesz = 36;
    const unsigned char *found = mi__os_build_id(base, &length);
    check(found == (const unsigned char *)made.notes + 32 && length == sizeof id);
    ours.n_namesz = 8;
    memcpy(made.notes + 16, &ours, sizeof ours);
    check(mi__os_build_id(base, &length) == NULL); // a longer name
}

static void
no_symbol_where_there_is_no_module(void)
{
    os_symbol_t symbol;
    errno = ERRNO_MARK;
    mi__os_symbol(4096, &symbol);
    check(symbol.file == NULL && symbol.function == NULL && symbol.base == 0);
    check_equal(errno, ERRNO_MARK);
}

static void
a_program_without_a_name(void)
{
    program_invocation_short_name = "";
    check(strcmp(mi__os_program_name(), "?") == 0);
    program_invocation_short_name = NULL;
    check(strcmp(mi__os_program_name(), "?") == 0);
}

// ---- faults that are somebody else's

static _Atomic(int) handled;

static bool
not_ours(const os_fault_t *fault)
{
    (void)fault;
    handled += 100;
    return false;
}

static void
count_one(int number)
{
    (void)number;
    handled++;
}

static void
faults_go_to_who_was_there_before(void)
{
    struct sigaction plain = {.sa_handler = count_one};
    sigaction(SIGSEGV, &plain, NULL);
    signal(SIGBUS, SIG_IGN);
    mi__os_on_fault(not_ours);
    check(raise(SIGSEGV) == 0);
    check_equal(handled, 1); // what was sent is no fault
    check(raise(SIGBUS) == 0);
    check_equal(handled, 1);
}

static void
send_one(void)
{
    mi__os_on_fault(not_ours);
    (void)raise(SIGSEGV);
}

static void
fault_once(void)
{
    mi__os_on_fault(not_ours);
    *(volatile char *)4096 = 1; // NOLINT(performance-no-int-to-ptr)
}

static void
fault_where_it_is_ignored(void)
{
    signal(SIGSEGV, SIG_IGN);
    fault_once();
}

static void
others_end_the_process(void **state)
{
    (void)state;
    void (*const bodies[])(void) = {send_one, fault_once, fault_where_it_is_ignored};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        int status = status_of_child(bodies[i]);
        // A sanitizer's own handler says more, and exits.
        assert_true(SANITIZED || (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV));
    }
}

int
main(void)
{
    mi__os_init();
    const struct CMUnitTest tests[] = {
        fresh_test(without_proc),
        fresh_test(without_usage),
        fresh_test(without_the_processors_node),
        fresh_test(no_move_without_mremap),
        fresh_test(no_move_where_the_old_place_is_lost),
        fresh_test(no_move_without_memory_to_try_it),
        fresh_test(no_populating_without_the_call),
        fresh_test(random_numbers_all_the_same),
        fresh_test(no_thread_no_helper),
        fresh_test(interrupted_writes_go_on),
        fresh_test(nothing_is_published_in_part),
        fresh_test(build_ids_of_made_up_files),
        fresh_test(no_symbol_where_there_is_no_module),
        fresh_test(a_program_without_a_name),
        fresh_test(faults_go_to_who_was_there_before),
        cmocka_unit_test(others_end_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
