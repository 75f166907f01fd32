// SPDX-License-Identifier: MIT
// test_os_process.c — os/os_posix.c, os/os_linux_threads.c on the running system: standard error,
// environment, exit of threads.
// What changes the process runs in a child.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "in_child.h"
#include "os/os.h"
#include "unit.h"

enum { ERRNO_MARK = 77 };

// ---- standard error ------------------------------------------------------------------------

static const char SAID[] = "said\n";

// Makes fd 2 the write end of a pipe; returns the read end.
static int
catch_stderr(void)
{
    int ends[2];
    if (pipe(ends) != 0 || dup2(ends[1], STDERR_FILENO) != STDERR_FILENO) {
        _exit(90);
    }
    close(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return ends[0];
}

static bool
came_once(int fd)
{
    char text[64];
    ssize_t length = read(fd, text, sizeof text);
    return length == (ssize_t)strlen(SAID) && memcmp(text, SAID, strlen(SAID)) == 0;
}

static int
write_to_open_stderr(void)
{
    int fd = catch_stderr();
    mi__os_keep_stderr();
    errno = ERRNO_MARK;
    mi__os_write_error(SAID, strlen(SAID));
    return came_once(fd) && errno == ERRNO_MARK ? 0 : 1;
}

static int
write_to_closed_stderr(void)
{
    int fd = catch_stderr();
    mi__os_keep_stderr();
    mi__os_keep_stderr();
    close(STDERR_FILENO);
    errno = ERRNO_MARK;
    mi__os_write_error(SAID, strlen(SAID));
    if (!came_once(fd) || errno != ERRNO_MARK) {
        return 1;
    }
    // One duplicate, high up, that a program started by exec does not inherit.
    if (fcntl(100, F_GETFD) != FD_CLOEXEC || fcntl(101, F_GETFD) != -1) {
        return 2;
    }
    return 0;
}

static int
write_without_a_duplicate(void)
{
    int fd = catch_stderr();
    close(STDERR_FILENO);
    errno = ERRNO_MARK;
    mi__os_write_error(SAID, strlen(SAID));
    mi__os_keep_stderr();
    mi__os_write_error(SAID, strlen(SAID));
    return errno == ERRNO_MARK && !came_once(fd) && fcntl(100, F_GETFD) == -1 ? 0 : 1;
}

static int
write_after_the_number_was_reused(void)
{
    int fd = catch_stderr();
    mi__os_keep_stderr();
    int other[2];
    if (pipe(other) != 0 || dup2(other[1], 100) != 100) {
        return 90;
    }
    close(STDERR_FILENO);
    fcntl(other[0], F_SETFL, O_NONBLOCK);
    mi__os_write_error(SAID, strlen(SAID));
    char c;
    return read(other[0], &c, 1) == -1 && !came_once(fd) ? 0 : 1;
}

static void
standard_error_is_kept_for_those_who_close_it(void **state)
{
    (void)state;
    assert_int_equal(status_in_child(write_to_open_stderr), 0);
    assert_int_equal(status_in_child(write_to_closed_stderr), 0);
    assert_int_equal(status_in_child(write_without_a_duplicate), 0);
    assert_int_equal(status_in_child(write_after_the_number_was_reused), 0);
}

// ---- environment ---------------------------------------------------------------------------

typedef struct seen_t {
    unsigned count;
    char last[64];
} seen_t;

static void
note_entry(const char *entry, void *arg)
{
    seen_t *seen = arg;
    seen->count++;
    snprintf(seen->last, sizeof seen->last, "%s", entry);
}

static void
variables_are_found_by_exact_name(void **state)
{
    (void)state;
    setenv("OS_TEST_NAME", "a=b", 1);
    setenv("OS_TEST_EMPTY", "", 1);
    assert_true(mi__os_env_ready());
    assert_string_equal(mi__os_getenv("OS_TEST_NAME"), "a=b");
    assert_string_equal(mi__os_getenv("OS_TEST_EMPTY"), "");
    assert_null(mi__os_getenv("OS_TEST"));
    assert_null(mi__os_getenv("os_test_name"));
    assert_null(mi__os_getenv("OS_TEST_NAME="));
    assert_null(mi__os_getenv("OS_TEST_NAME2"));
}

static void
variables_are_visited_by_prefix_in_either_case(void **state)
{
    (void)state;
    seen_t seen = {0};
    setenv("OS_TEST_NAME", "a=b", 1);
    setenv("OS_TEST_EMPTY", "", 1);
    mi__os_each_env("os_tESt_", note_entry, &seen);
    assert_int_equal(seen.count, 2);
    seen.count = 0;
    mi__os_each_env("OS_TEST_N", note_entry, &seen);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.last, "OS_TEST_NAME=a=b");
    setenv("os_odd_[", "1", 1);
    seen.count = 0;
    mi__os_each_env("OS_ODD_{", note_entry, &seen);
    assert_int_equal(seen.count, 0);
}

static int
look_before_start_up(void)
{
    seen_t seen = {0};
    environ = NULL;
    mi__os_each_env("", note_entry, &seen);
    return !mi__os_env_ready() && mi__os_getenv("PATH") == NULL && seen.count == 0 ? 0 : 1;
}

static void
an_absent_environment_is_empty(void **state)
{
    (void)state;
    assert_int_equal(status_in_child(look_before_start_up), 0);
}

static const char AS_SET_USER_ID[] = "--as-set-user-id";

// What the copy of this program that runs set-user-id does.
static int
look_with_more_rights(void)
{
    seen_t seen = {0};
    if (geteuid() == getuid()) {
        return 50; // the file system ignores the bit
    }
    mi__os_each_env("OS_TEST_", note_entry, &seen);
    return mi__os_env_ready() && mi__os_getenv("OS_TEST_NAME") == NULL && seen.count == 0 ? 0 : 1;
}

static char set_user_id_path[64];

static int
run_set_user_id(void)
{
    setenv("OS_TEST_NAME", "x", 1);
    execl(set_user_id_path, set_user_id_path, AS_SET_USER_ID, (char *)NULL);
    return 50;
}

static bool
copy_self_set_user_id(const char *path)
{
    char buffer[65536];
    ssize_t length;
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    bool good = from >= 0 && to >= 0;
    while (good && (length = read(from, buffer, sizeof buffer)) > 0) {
        good = write(to, buffer, (size_t)length) == length;
    }
    good = good && fchown(to, 65534, 65534) == 0 && fchmod(to, 04755) == 0;
    close(from);
    close(to);
    return good;
}

static void
set_user_id_programs_see_no_environment(void **state)
{
    (void)state;
    if (getuid() != 0) {
        skip();
    }
    char folder[] = "/tmp/test_os.XXXXXX";
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chmod(folder, 0755), 0);
    snprintf(set_user_id_path, sizeof set_user_id_path, "%s/copy", folder);
    bool copied = copy_self_set_user_id(set_user_id_path);
    int status = copied ? status_in_child(run_set_user_id) : 50;
    unlink(set_user_id_path);
    rmdir(folder);
    if (status == 50) {
        skip();
    }
    assert_int_equal(status, 0);
}

// ---- threads -------------------------------------------------------------------------------

static MI_THREAD_LOCAL void *enter_again_with;

// A pthread_setspecific that may do what glibc's does for high keys: allocate, and so enter
// mi__os_thread_on_exit again. ThreadSanitizer needs the real one, even for threads that it does not know
// yet.
#if !MI_TSAN
int
pthread_setspecific(pthread_key_t key, const void *value)
{
    static int (*next)(pthread_key_t, const void *);
    if (next == NULL) {
        void *found = dlsym(RTLD_NEXT, "pthread_setspecific");
        memcpy(&next, &found, sizeof next);
    }
    if (enter_again_with != NULL) {
        void *arg = enter_again_with;
        enter_again_with = NULL;
        mi__os_thread_on_exit(arg);
    }
    return next(key, value);
}
#endif

static char trace[64]; // what happened, in order
static size_t traced;
static unsigned again_from_exit;

static void
note(char c)
{
    if (traced < sizeof trace - 1) {
        trace[traced++] = c;
        trace[traced] = 0;
    }
}

static void
at_thread_exit(void *arg)
{
    note(*(const char *)arg);
    if (again_from_exit > 0) {
        again_from_exit--;
        mi__os_thread_on_exit(arg);
    }
}

static pthread_key_t program_key;
static unsigned program_rounds;

// A destructor of the program that keeps itself armed for some rounds.
static void
program_destructor(void *value)
{
    note('p');
    if (--program_rounds > 0) {
        pthread_setspecific(program_key, value);
    }
}

static void
run_thread(void *(*body)(void *))
{
    pthread_t thread;
    traced = 0;
    trace[0] = 0;
    assert_int_equal(pthread_create(&thread, NULL, body, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void *
arm_once(void *unused)
{
    mi__os_thread_on_exit((void *)(uintptr_t) "a");
    return unused;
}

static void *
arm_twice(void *unused)
{
    mi__os_thread_on_exit((void *)(uintptr_t) "a");
    mi__os_thread_on_exit((void *)(uintptr_t) "b");
    return unused;
}

static void *
arm_nested(void *unused)
{
    enter_again_with = (void *)(uintptr_t) "n";
    mi__os_thread_on_exit((void *)(uintptr_t) "a");
    return unused;
}

static void *
arm_beside_the_program(void *unused)
{
    mi__os_thread_on_exit((void *)(uintptr_t) "a");
    pthread_setspecific(program_key, trace);
    return unused;
}

static void *
arm_nothing(void *unused)
{
    return unused;
}

static void
the_end_of_a_thread_is_told_once(void **state)
{
    (void)state;
    run_thread(arm_nothing);
    assert_string_equal(trace, "");
    run_thread(arm_once);
    assert_string_equal(trace, "a");
    run_thread(arm_twice);
    assert_string_equal(trace, "b");
    errno = ERRNO_MARK;
    mi__os_thread_on_exit(trace);
    assert_int_equal(errno, ERRNO_MARK);
}

static void
an_allocation_inside_of_arming_is_harmless(void **state)
{
    (void)state;
    if (MI_TSAN) {
        skip();
    }
    run_thread(arm_nested);
    assert_string_equal(trace, "n");
}

static void
destructors_of_the_program_come_first(void **state)
{
    (void)state;
    program_rounds = MI_TSAN ? 1 : 2;
    run_thread(arm_beside_the_program);
    assert_string_equal(trace, MI_TSAN ? "pa" : "ppa");
}

static void
arming_from_inside_the_end_runs_again(void **state)
{
    (void)state;
    if (MI_TSAN) {
        skip(); // the tool ends the thread in the last round, before us
    }
    again_from_exit = 1;
    run_thread(arm_once);
    assert_string_equal(trace, "aa");
    // The system stops after four rounds; what is armed in the last one is dropped, not looped on.
    again_from_exit = 100;
    run_thread(arm_once);
    assert_string_equal(trace, "aa");
    again_from_exit = 0;
}

static int
find_no_key(void)
{
    pthread_key_t key;
    while (pthread_key_create(&key, NULL) == 0) {
    }
    if (mi__os_thread_exit_init(at_thread_exit)) {
        return 1;
    }
    mi__os_thread_on_exit(trace);
    return 0;
}

static void
without_a_free_key_nothing_breaks(void **state)
{
    (void)state;
    assert_int_equal(status_in_child(find_no_key), 0);
}

// Before any test, since the keys of this process can't be given back to a state where none is made.
static int
set_up_threads(void **state)
{
    (void)state;
    without_a_free_key_nothing_breaks(NULL);
    assert_true(mi__os_thread_exit_init(at_thread_exit));
    assert_true(mi__os_thread_exit_init(at_thread_exit));
    assert_int_equal(pthread_key_create(&program_key, program_destructor), 0);
    return 0;
}

// ---- memory pressure

static void
places_of_pressure_are_those_of_the_group_and_of_the_machine(void **state)
{
    (void)state;
    char path[1024];
    char group[1024] = "";
    FILE *file = fopen("/proc/self/cgroup", "r");
    for (char line[1024]; file != NULL && fgets(line, sizeof line, file) != NULL;) {
        (void)sscanf(line, "0::%1000s", group);
    }
    if (file != NULL) {
        fclose(file);
    }
    char expected[2048];
    snprintf(expected, sizeof expected, "/sys/fs/cgroup%s/memory.pressure", group);
    assert_true(mi__os_pressure_path(0, path, sizeof path));
    assert_string_equal(path, expected);
    snprintf(expected, sizeof expected, "/sys/fs/cgroup/unified%s/memory.pressure", group);
    assert_true(mi__os_pressure_path(1, path, sizeof path));
    assert_string_equal(path, expected);
    assert_true(mi__os_pressure_path(2, path, sizeof path));
    assert_string_equal(path, "/proc/pressure/memory");
    assert_false(mi__os_pressure_path(3, path, sizeof path));
    assert_false(mi__os_pressure_path(0, path, 10));
}

static void
pressure_is_waited_for(void **state)
{
    (void)state;
    errno = 77;
    int fd = mi__os_pressure_open();
    assert_int_equal(errno, 77);
    if (fd < 0) {
        skip();
    }
    assert_true(fd >= 100);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    int64_t begin_ms = mi__os_clock_ms();
    int waited = fd;
    bool pressed = mi__os_pressure_wait(&waited, 60);
    assert_true(pressed || mi__os_clock_ms() - begin_ms >= 40);
    assert_int_equal(waited, fd);
    // The program closes all descriptors, and opens a file of its own under the number.
    int other = open("/dev/null", O_RDONLY);
    assert_int_equal(dup2(other, fd), fd);
    mi__os_pressure_close(fd);
    assert_true(fcntl(fd, F_GETFD) >= 0);
    close(fd);
    assert_false(mi__os_pressure_wait(&waited, 5));
    assert_int_equal(waited, -1);
    assert_int_equal(errno, 77);
    close(other);
    // And when nobody has interfered, it is closed.
    fd = mi__os_pressure_open();
    assert_true(fd >= 0);
    mi__os_pressure_close(fd);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

int
main(int argc, char **argv)
{
    mi__os_init();
    if (argc > 1 && strcmp(argv[1], AS_SET_USER_ID) == 0) {
        _exit(look_with_more_rights()); // no leak check: it can't look at such a process
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(standard_error_is_kept_for_those_who_close_it),
        cmocka_unit_test(variables_are_found_by_exact_name),
        cmocka_unit_test(variables_are_visited_by_prefix_in_either_case),
        cmocka_unit_test(an_absent_environment_is_empty),
        cmocka_unit_test(set_user_id_programs_see_no_environment),
        cmocka_unit_test(the_end_of_a_thread_is_told_once),
        cmocka_unit_test(an_allocation_inside_of_arming_is_harmless),
        cmocka_unit_test(destructors_of_the_program_come_first),
        cmocka_unit_test(arming_from_inside_the_end_runs_again),
        cmocka_unit_test(places_of_pressure_are_those_of_the_group_and_of_the_machine),
        cmocka_unit_test(pressure_is_waited_for),
    };
    return cmocka_run_group_tests(tests, set_up_threads, NULL);
}
