// SPDX-License-Identifier: MIT
// test_os.c — os/os_linux.c against the running kernel: memory, limits, clock, what lies at an address.
// What changes the process runs in a child.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "in_child.h"
#include "os/os.h"
#include "unit.h"

enum { ERRNO_MARK = 77 };
static const size_t MIB = 1024 * 1024;

// ---- memory --------------------------------------------------------------------------------

static bool
is_mapped(const void *start, size_t size)
{
    unsigned char flags[64];
    assert_true(size / mi__os_page_size() <= sizeof flags);
    return mincore((void *)(uintptr_t)start, size, flags) == 0;
}

static void
page_size_is_the_machines(void **state)
{
    (void)state;
    assert_int_equal(mi__os_page_size(), sysconf(_SC_PAGESIZE));
    mi__os_init();
    assert_int_equal(mi__os_page_size(), sysconf(_SC_PAGESIZE));
}

static void
reservations_are_aligned_and_trimmed(void **state)
{
    (void)state;
    size_t page = mi__os_page_size();
    for (size_t align = page; align <= 64 * MIB; align *= 4) {
        char *start = mi__os_reserve(4 * page, align);
        assert_non_null(start);
        assert_int_equal((uintptr_t)start % align, 0);
        assert_true(is_mapped(start, 4 * page));
        mi__os_unreserve(start, 4 * page);
        assert_false(is_mapped(start, page));
    }
}

static void
impossible_reservations_fail(void **state)
{
    (void)state;
    size_t page = mi__os_page_size();
    errno = ERRNO_MARK;
    assert_null(mi__os_reserve(0, page));
    assert_null(mi__os_reserve(SIZE_MAX & ~(page - 1), page));
    assert_null(mi__os_reserve(SIZE_MAX & ~(page - 1), 64 * MIB));
    assert_null(mi__os_reserve(SIZE_MAX / 2 + 1, page));
    assert_int_equal(errno, ERRNO_MARK);
}

static void
committed_memory_is_zero_and_purged_memory_again(void **state)
{
    (void)state;
    size_t size = 16 * mi__os_page_size();
    errno = ERRNO_MARK;
    unsigned char *start = mi__os_reserve(2 * size, MIB);
    assert_non_null(start);
    assert_true(mi__os_commit(start, size));
    assert_true(mi__os_commit(start, size));
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(start[i], 0);
    }
    memset(start, 0xab, size);
    assert_true(mi__os_purge(start, size / 2));
    assert_int_equal(start[0], 0);
    assert_int_equal(start[size / 2 - 1], 0);
    assert_int_equal(start[size / 2], 0xab);
    mi__os_unreserve(start, 2 * size);
    assert_int_equal(errno, ERRNO_MARK);
}

static void
reserving_is_cheap_where_nothing_is_emulated(void **state)
{
    (void)state;
    errno = ERRNO_MARK;
    assert_int_equal(mi__os_cheap_reserve() == SIZE_MAX, getauxval(AT_SYSINFO_EHDR) != 0);
    assert_true(mi__os_cheap_reserve() >= 1024 * MIB);
    assert_int_equal(errno, ERRNO_MARK);
}

// ---- access: a read through the kernel answers EFAULT instead of a signal ----

static bool
is_readable(const void *at)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    bool readable = write(ends[1], at, 1) == 1;
    close(ends[0]);
    close(ends[1]);
    return readable;
}

static void
protection_takes_access_and_gives_it_back(void **state)
{
    (void)state;
    size_t page = mi__os_page_size();
    char *start = mi__os_reserve(2 * page, page);
    assert_non_null(start);
    assert_false(is_readable(start));
    assert_true(mi__os_commit(start, 2 * page));
    start[0] = 'x';
    assert_true(mi__os_protect(start, page));
    assert_false(is_readable(start));
    assert_true(is_readable(start + page));
    assert_true(mi__os_unprotect(start, page));
    assert_int_equal(start[0], 'x');
    mi__os_unreserve(start, 2 * page);
}

static void
calls_on_unmapped_memory_say_so(void **state)
{
    (void)state;
    size_t page = mi__os_page_size();
    char *start = mi__os_reserve(page, page);
    assert_non_null(start);
    mi__os_unreserve(start, page);
    errno = ERRNO_MARK;
    assert_false(mi__os_commit(start, page));
    assert_false(mi__os_purge(start, page));
    assert_false(mi__os_protect(start, page));
    assert_false(mi__os_unprotect(start, page));
    mi__os_populate(start, page);
    assert_int_equal(errno, ERRNO_MARK);
}

static void
what_was_touched_is_resident(void **state)
{
    (void)state;
    size_t page = mi__os_page_size();
    size_t size = 3000 * page;
    errno = ERRNO_MARK;
    char *start = mi__os_reserve(2 * size, page);
    assert_non_null(start);
    assert_true(mi__os_commit(start, size));
    assert_int_equal(mi__os_resident(start, size), 0);
    start[0] = 1;
    start[512 * page] = 1;
    start[2999 * page] = 1;
    assert_int_equal(mi__os_resident(start, size), 3 * page);
    assert_int_equal(mi__os_resident(start + page, size - 2 * page), page);
    assert_true(mi__os_purge(start, size));
    assert_int_equal(mi__os_resident(start, size), 0);
    mi__os_unreserve(start, 2 * size);
    assert_int_equal(mi__os_resident(start, size), SIZE_MAX);
    assert_int_equal(errno, ERRNO_MARK);
}

static size_t
mappings(void)
{
    FILE *file = fopen("/proc/self/maps", "r");
    size_t lines = 0;
    assert_non_null(file);
    for (int c = fgetc(file); c != EOF; c = fgetc(file)) {
        lines += c == '\n';
    }
    fclose(file);
    return lines;
}

static void
memory_moves_and_is_one_mapping_again_when_renewed(void **state)
{
    (void)state;
    size_t size = 1024 * 1024;
    char *start = mi__os_reserve(8 * size, size);
    assert_true(mi__os_commit(start, 8 * size));
    memset(start, 7, 2 * size);
    size_t before = mappings();
    errno = ERRNO_MARK;
    if (!mi__os_move(start, start + 4 * size, size)) {
        skip(); // a kernel before 5.7, or an emulated one
    }
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(start[i], 0);
        assert_int_equal(start[4 * size + i], 7);
    }
    assert_int_equal(start[size], 7);
    assert_int_equal(start[5 * size], 0);
    assert_true(mappings() > before);
    assert_true(mi__os_renew(start + 4 * size, size));
    assert_int_equal(mappings(), before);
    assert_int_equal(start[4 * size], 0);
    // Nothing there: nothing changes.
    mi__os_unreserve(start + 6 * size, 2 * size);
    assert_false(mi__os_move(start + 6 * size, start + size, size));
    assert_int_equal(start[size], 7);
    assert_int_equal(errno, ERRNO_MARK);
    mi__os_unreserve(start, 6 * size);
}

static void
populated_memory_is_resident_where_the_kernel_can(void **state)
{
    (void)state;
    size_t size = 16 * mi__os_page_size();
    char *start = mi__os_reserve(2 * size, mi__os_page_size());
    assert_non_null(start);
    assert_true(mi__os_commit(start, 2 * size));
    bool can = madvise(start + size, size, 23) == 0;
    errno = ERRNO_MARK;
    mi__os_populate(start, size);
    mi__os_populate(start, size);
    assert_int_equal(errno, ERRNO_MARK);
    unsigned char flags[16];
    assert_int_equal(mincore(start, size, flags), 0);
    for (size_t i = 0; i < 16; i++) {
        assert_int_equal(flags[i] & 1, can);
    }
    mi__os_unreserve(start, 2 * size);
}

static int
commit_under_a_limit(void)
{
    char *start = mi__os_reserve(256 * MIB, MIB);
    if (start == NULL) {
        return 1;
    }
    struct rlimit limit = {.rlim_cur = 1 * MIB, .rlim_max = RLIM_INFINITY};
    getrlimit(RLIMIT_DATA, &limit);
    limit.rlim_cur = 1 * MIB;
    if (setrlimit(RLIMIT_DATA, &limit) != 0) {
        return 2;
    }
    errno = ERRNO_MARK;
    if (mi__os_commit(start, 256 * MIB)) {
        return 3;
    }
    return errno == ERRNO_MARK ? 0 : 4;
}

static void
the_data_limit_refuses_a_commit(void **state)
{
    (void)state;
    assert_int_equal(status_in_child(commit_under_a_limit), 0);
}

static int
reserve_under_a_limit(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = 64 * MIB;
    if (setrlimit(RLIMIT_AS, &limit) != 0) {
        return 1;
    }
    errno = ERRNO_MARK;
    if (mi__os_reserve(128 * MIB, MIB) != NULL) {
        return 2;
    }
    return errno == ERRNO_MARK ? 0 : 3;
}

static void
the_address_space_limit_refuses_a_reservation(void **state)
{
    (void)state;
    assert_int_equal(status_in_child(reserve_under_a_limit), 0);
}

// ---- clock, random, process ----------------------------------------------------------------

static void
the_clock_goes_on(void **state)
{
    (void)state;
    int64_t before = mi__os_clock_ms();
    usleep(60 * 1000);
    int64_t after = mi__os_clock_ms();
    assert_true(after - before >= 40);
    assert_true(after - before < 60 * 1000);
}

static void
random_numbers_differ(void **state)
{
    (void)state;
    uint64_t seen[16];
    errno = ERRNO_MARK;
    for (size_t i = 0; i < 16; i++) {
        seen[i] = mi__os_random();
        for (size_t k = 0; k < i; k++) {
            assert_true(seen[i] != seen[k]);
        }
    }
    assert_int_equal(errno, ERRNO_MARK);
}

static void *
note_ids(void *arg)
{
    long *ids = arg;
    ids[0] = mi__os_thread_id();
    ids[1] = mi__os_is_main_thread();
    return NULL;
}

static void
ids_tell_process_and_thread(void **state)
{
    (void)state;
    long ids[2] = {0, 1};
    pthread_t thread;
    assert_int_equal(mi__os_process_id(), getpid());
    assert_int_equal(mi__os_thread_id(), getpid());
    assert_true(mi__os_is_main_thread());
    assert_int_equal(pthread_create(&thread, NULL, note_ids, ids), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(ids[0] != 0 && ids[0] != getpid());
    assert_false(ids[1]);
    mi__os_yield();
}

static void
usage_follows_what_the_process_does(void **state)
{
    (void)state;
    os_usage_t before;
    os_usage_t after;
    size_t size = 32 * MIB;
    errno = ERRNO_MARK;
    mi__os_usage(&before);
    char *start = mi__os_reserve(size, MIB);
    assert_non_null(start);
    assert_true(mi__os_commit(start, size));
    memset(start, 1, size);
    mi__os_usage(&after);
    assert_int_equal(errno, ERRNO_MARK);
    mi__os_unreserve(start, size);
    assert_true(before.resident_bytes > 0);
    assert_true(after.resident_bytes >= before.resident_bytes + size / 2);
    assert_true(after.peak_resident_bytes >= size);
    assert_true(after.page_faults > before.page_faults);
    assert_true(after.elapsed_ms >= before.elapsed_ms && before.elapsed_ms >= 0);
    assert_true(after.user_ms >= before.user_ms && after.system_ms >= before.system_ms);
}

// ---- what lies at an address ---------------------------------------------------------------

static char zeroed_data[256 * 1024];
static int written_data = 1;

static os_place_t
place(const void *p)
{
    char name[256];
    return mi__os_place(p, name, sizeof name);
}

static void
files_have_their_name(void **state)
{
    (void)state;
    char name[256];
    char self[256] = {0};
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    const void *of_this_program[] = {"text", &written_data, zeroed_data + sizeof zeroed_data / 2,
                                     (const void *)(uintptr_t)files_have_their_name};
    for (size_t i = 0; i < 4; i++) {
        errno = ERRNO_MARK;
        assert_int_equal(mi__os_place(of_this_program[i], name, sizeof name), OS_PLACE_FILE);
        assert_string_equal(name, self);
        assert_int_equal(errno, ERRNO_MARK);
    }
    char beginning[4];
    assert_int_equal(mi__os_place(&written_data, beginning, sizeof beginning), OS_PLACE_FILE);
    assert_memory_equal(beginning, self, 3);
    assert_int_equal(beginning[3], 0);
}

static void *
look_at_stacks(void *local_of_main)
{
    int local = 0;
    assert_int_equal(place(&local), OS_PLACE_STACK);
    assert_int_equal(place(local_of_main), OS_PLACE_OTHER);
    return NULL;
}

static void
memory_has_its_kind(void **state)
{
    (void)state;
    int local = 0;
    size_t page = mi__os_page_size();
    assert_int_equal(place(&local), OS_PLACE_STACK);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, look_at_stacks, &local), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);

    // With guards around, so that it is one mapping, behind no file's.
    char *anonymous = mi__os_reserve(3 * page, page);
    assert_non_null(anonymous);
    assert_true(mi__os_commit(anonymous + page, page));
    assert_int_equal(place(anonymous + page), OS_PLACE_ANONYMOUS);
    mi__os_unreserve(anonymous, 3 * page);
    assert_int_equal(place(anonymous + page), OS_PLACE_NOTHING);

    assert_int_equal(place(NULL), OS_PLACE_NOTHING);
    assert_int_equal(place((const void *)(UINTPTR_MAX / 2 + 4096)), OS_PLACE_NOTHING);
    char *top = sbrk((intptr_t)page);
    if (top != (void *)-1) {
        assert_int_equal(place(top), OS_PLACE_BREAK);
    }
}

static int
look_without_files(void)
{
    struct rlimit none = {0, 0};
    char name[16] = "x";
    setrlimit(RLIMIT_NOFILE, &none);
    errno = ERRNO_MARK;
    os_usage_t usage;
    mi__os_usage(&usage);
    return mi__os_place(name, name, sizeof name) == OS_PLACE_UNKNOWN && name[0] == 0 && errno == ERRNO_MARK &&
                   usage.resident_bytes == 0
               ? 0
               : 1;
}

static void
without_a_descriptor_nothing_is_known(void **state)
{
    (void)state;
    assert_int_equal(status_in_child(look_without_files), 0);
}

static sigset_t helper_mask;
static char helper_name[32];
static _Atomic(bool) helper_was_there;

static void
look_around(void)
{
    pthread_sigmask(SIG_SETMASK, NULL, &helper_mask);
    prctl(PR_GET_NAME, helper_name, 0, 0, 0);
    helper_was_there = true;
}

static int
help(void)
{
    bool single = mi__os_is_single_threaded();
    errno = ERRNO_MARK;
    int64_t before = mi__os_clock_ms();
    if (!single || !mi__os_start_helper(look_around)) {
        return 1;
    }
    while (!helper_was_there) {
        mi__os_sleep_ms(1);
    }
    sigset_t own;
    pthread_sigmask(SIG_SETMASK, NULL, &own);
    mi__os_sleep_ms(50);
    bool fine = sigismember(&helper_mask, SIGTERM) == 1 && sigismember(&helper_mask, SIGPROF) == 1 &&
                sigismember(&own, SIGTERM) == 0 && strcmp(helper_name, "mimalloc-purge") == 0;
    return fine && mi__os_clock_ms() >= before + 40 && errno == ERRNO_MARK ? 0 : 2;
}

static void
a_helper_takes_no_signals(void **state)
{
    (void)state;
    assert_int_equal(status_in_child(help), 0);
}

static void
the_program_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(mi__os_program_name(), program_invocation_short_name);
    char *before = program_invocation_short_name;
    program_invocation_short_name = NULL;
    assert_string_equal(mi__os_program_name(), "?");
    program_invocation_short_name = before;
}

int
main(void)
{
    mi__os_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_size_is_the_machines),
        cmocka_unit_test(reservations_are_aligned_and_trimmed),
        cmocka_unit_test(reserving_is_cheap_where_nothing_is_emulated),
        cmocka_unit_test(impossible_reservations_fail),
        cmocka_unit_test(committed_memory_is_zero_and_purged_memory_again),
        cmocka_unit_test(protection_takes_access_and_gives_it_back),
        cmocka_unit_test(calls_on_unmapped_memory_say_so),
        cmocka_unit_test(what_was_touched_is_resident),
        cmocka_unit_test(memory_moves_and_is_one_mapping_again_when_renewed),
        cmocka_unit_test(populated_memory_is_resident_where_the_kernel_can),
        cmocka_unit_test(the_data_limit_refuses_a_commit),
        cmocka_unit_test(the_address_space_limit_refuses_a_reservation),
        cmocka_unit_test(the_clock_goes_on),
        cmocka_unit_test(random_numbers_differ),
        cmocka_unit_test(ids_tell_process_and_thread),
        cmocka_unit_test(usage_follows_what_the_process_does),
        cmocka_unit_test(files_have_their_name),
        cmocka_unit_test(memory_has_its_kind),
        cmocka_unit_test(without_a_descriptor_nothing_is_known),
        cmocka_unit_test(a_helper_takes_no_signals),
        cmocka_unit_test(the_program_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
