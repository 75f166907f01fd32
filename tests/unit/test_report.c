// SPDX-License-Identifier: MIT
// test_report.c — front/report.c: where messages go, and what is said about each misuse. Each case runs in a
// child whose standard error is read here.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/config.h"
#include "front/report.h"
#include "os/os.h"
#include "unit.h"

enum { ERRNO_MARK = 77, WENT_ON = 0 };

static char said[1 << 18]; // what the child wrote to standard error
static long child_id;

// Runs `body` in a child; returns its exit status, or the negative number of the signal that ended it.
static int
outcome(void (*body)(void))
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fcntl(ends[1], F_SETPIPE_SZ, 1 << 18); // the child must not wait for us
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        dup2(ends[1], STDERR_FILENO);
        errno = ERRNO_MARK;
        body();
        _exit(errno == ERRNO_MARK ? WENT_ON : 99);
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t part;
    while ((part = read(ends[0], said + length, sizeof said - 1 - length)) > 0) {
        length += (size_t)part;
    }
    said[length] = 0;
    close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    child_id = child;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static size_t
count_lines(const char *part)
{
    size_t count = 0;
    for (const char *at = strstr(said, part); at != NULL; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

// ---- in the child: an output and an error handler that show, on standard error, that they were called

static void
show(const char *text, void *arg)
{
    dprintf(STDERR_FILENO, "%s[%s]", (const char *)arg, text);
    errno = 5;
}

static void
show_code(int errnum, void *arg)
{
    dprintf(STDERR_FILENO, "%s(%s)", (const char *)arg, strerrorname_np(errnum));
    errno = 5;
}

static char first[] = "first";
static char second[] = "second";

// ---- messages

static void
say_something(void)
{
    mi__message("answer %d\n", 42);
    mi__report_write("plain\n", 6);
}

static void
messages_go_to_standard_error(void **state)
{
    (void)state;
    assert_int_equal(outcome(say_something), WENT_ON);
    assert_string_equal(said, "mimalloc: answer 42\nplain\n");
}

static void
say_and_register(void)
{
    mi__message("one\n");
    mi__message("two\n");
    mi__report_set_output(show, first);
    mi__message("three\n");
    mi__report_set_output(show, second);
    mi__message("four\n");
    mi__report_set_output(NULL, NULL);
    mi__message("five\n");
    mi__report_set_output(show, first);
}

static void
the_first_output_gets_what_was_said_before(void **state)
{
    (void)state;
    assert_int_equal(outcome(say_and_register), WENT_ON);
    assert_string_equal(said, "mimalloc: one\nmimalloc: two\n"
                              "first[mimalloc: one\nmimalloc: two\n]"
                              "first[mimalloc: three\n]"
                              "second[mimalloc: four\n]"
                              "mimalloc: five\n");
}

static void
register_without_text(void)
{
    mi__report_set_output(NULL, NULL);
    mi__report_set_output(show, first);
}

static void
nothing_is_handed_over_when_nothing_was_said(void **state)
{
    (void)state;
    assert_int_equal(outcome(register_without_text), WENT_ON);
    assert_string_equal(said, "");
}

static void
say_much_and_register(void)
{
    for (int i = 0; i < 200; i++) {
        mi__message("%099d\n", i);
    }
    mi__report_set_output(show, first);
}

static void
what_was_not_kept_is_told(void **state)
{
    (void)state;
    // 200 lines of 110 bytes: 148 fit into 16 KiB.
    assert_int_equal(outcome(say_much_and_register), WENT_ON);
    assert_int_equal(count_lines("mimalloc: 000"), 200 + 148);
    assert_non_null(
        strstr(said, "first[mimalloc: 5720 more bytes, said before, went to standard error only\n]"));
}

static void
say_too_much_at_once(void)
{
    mi__message("%2000d\n", 1);
    char text[5000];
    memset(text, 'x', sizeof text);
    mi__report_write(text, sizeof text);
}

static void
a_long_message_is_marked_and_raw_text_is_whole(void **state)
{
    (void)state;
    assert_int_equal(outcome(say_too_much_at_once), WENT_ON);
    assert_int_equal(strlen(said), 999 + 5000);
    assert_memory_equal(said + 999 - 7, " [cut]\nx", 8);
}

static void
warn_often(void)
{
    mi__warning("unseen\n");
    mi__conf.show_errors = true;
    mi__conf.max_warnings = 2;
    for (int i = 0; i < 5; i++) {
        mi__warning("number %d\n", i);
    }
    mi__conf.max_warnings = -1;
    mi__warning("without end\n");
}

static void
warnings_are_shown_when_wanted_and_counted(void **state)
{
    (void)state;
    assert_int_equal(outcome(warn_often), WENT_ON);
    assert_string_equal(said, "mimalloc: warning: number 0\nmimalloc: warning: number 1\n"
                              "mimalloc: there are more; not shown because of MIMALLOC_MAX_WARNINGS=2\n"
                              "mimalloc: warning: without end\n");
}

// ---- errors without a misuse

static void
fail_some(void)
{
    mi__report_set_error(show_code, first);
    mi__report_alloc_failed(100, ENOMEM);
    mi__report_alloc_failed(SIZE_MAX, ENOMEM);
    mi__report_alloc_failed((size_t)PTRDIFF_MAX + 1, EINVAL);
    mi__report_alloc_failed(PTRDIFF_MAX, ENOMEM);
    mi__report_alloc_failed(24, EINVAL);
    mi__report_set_error(NULL, NULL);
    mi__report_alloc_failed(100, ENOMEM);
}

static void
the_handler_gets_one_code_for_each_failure(void **state)
{
    (void)state;
    assert_int_equal(outcome(fail_some), WENT_ON);
    assert_string_equal(said, "first(ENOMEM)first(EOVERFLOW)first(EOVERFLOW)first(ENOMEM)first(EINVAL)");
}

static void
fail_loudly(void)
{
    mi__conf.verbose = true;
    mi__report_alloc_failed(100, ENOMEM);
    mi__report_alloc_failed(24, EINVAL);
    mi__report_error(EFAULT, "page %d is damaged\n", 3);
    if (sizeof(size_t) == 8) {
        mi__report_alloc_failed(SIZE_MAX, ENOMEM);
    }
}

static void
failures_are_shown_when_wanted(void **state)
{
    (void)state;
    assert_int_equal(outcome(fail_loudly), WENT_ON);
    assert_non_null(strstr(said, "mimalloc: error: unable to allocate memory (100 bytes)\n"
                                 "mimalloc: error: an alignment is not a power of two (24 bytes wanted)\n"
                                 "mimalloc: error: page 3 is damaged\n"));
    if (sizeof(size_t) == 8) {
        assert_non_null(
            strstr(said, "mimalloc: error: allocation request is too large (18446744073709551615 bytes)\n"));
    }
}

// ---- functions of the program that call us back

static void
talk_back(const char *text, void *arg)
{
    show(text, arg);
    mi__message("nested\n");
}

static void
fail_back(int errnum, void *arg)
{
    show_code(errnum, arg);
    mi__report_alloc_failed(1, ENOMEM);
    mi__message("nested\n");
}

static void
use_nested_callbacks(void)
{
    mi__report_set_output(talk_back, first);
    mi__report_set_error(fail_back, second);
    mi__message("outer\n");
    mi__report_alloc_failed(1, ENOMEM);
    mi__message("after\n");
}

static void
callbacks_do_not_recurse(void **state)
{
    (void)state;
    assert_int_equal(outcome(use_nested_callbacks), WENT_ON);
    assert_string_equal(said, "first[mimalloc: outer\n]mimalloc: nested\n"
                              "second(ENOMEM)mimalloc: nested\n"
                              "first[mimalloc: after\n]mimalloc: nested\n");
}

static void *
say_many(void *unused)
{
    for (int i = 0; i < 50; i++) {
        mi__message("thread\n");
    }
    return unused;
}

static void
count_text(const char *text, void *arg)
{
    (void)arg;
    (void)text;
}

static void
register_while_threads_talk(void)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, say_many, NULL);
    }
    mi__report_set_output(count_text, NULL);
    mi__report_set_error(show_code, first);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
}

static void
registering_beside_messages_is_safe(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(outcome(register_while_threads_talk), WENT_ON);
    }
}

// ---- misuse

static misuse_t kind;
static const void *pointer;

static void
misuse(void)
{
    mi__report_misuse(kind, "free", pointer);
}

static void
expect_misuse(misuse_t which, const char *tag, const char *what, int wanted)
{
    char start[100];
    kind = which;
    pointer = (const void *)(uintptr_t)0x7f1230;
    assert_int_equal(outcome(misuse), wanted);
    snprintf(start, sizeof start, "==%ld==ERROR: mimalloc: %s: free(0x7f1230): ", child_id, tag);
    assert_memory_equal(said, start, strlen(start));
    assert_non_null(strstr(said, what));
    // What follows is the stack and the summary.
    snprintf(start, sizeof start, "\nSUMMARY: mimalloc: %s", tag);
    assert_non_null(strstr(said, start));
    assert_memory_equal(strchr(said, '\n') + 1, "    #0 0x", 9);
    assert_non_null(strstr(said, wanted < 0 ? "The process stops here" : "The call had no effect"));
}

static void
each_misuse_has_its_line(void **state)
{
    (void)state;
    expect_misuse(MISUSE_FREE_FOREIGN, "invalid-free", "nothing is mapped there", WENT_ON);
    expect_misuse(MISUSE_FREE_NO_BLOCK, "invalid-free", "where no block is now", -SIGABRT);
    expect_misuse(MISUSE_FREE_INTERIOR, "invalid-free", "inside a block, not at its start", -SIGABRT);
    expect_misuse(MISUSE_DOUBLE_FREE, "double-free", "the block is free already", -SIGABRT);
    expect_misuse(MISUSE_SIZE_MISMATCH, "size-mismatch", "the size or alignment given is not", WENT_ON);
}

static void
an_option_says_what_follows(void **state)
{
    (void)state;
    for (misuse_t i = 0; i < MISUSE_COUNT; i++) {
        kind = i;
        pointer = (const void *)(uintptr_t)0x7f1230;
        mi__conf.errors = ERRORS_ABORT;
        assert_int_equal(outcome(misuse), -SIGABRT);
        assert_int_equal(count_lines("==ERROR: mimalloc: "), 1);
        mi__conf.errors = ERRORS_REPORT;
        assert_int_equal(outcome(misuse), WENT_ON);
        assert_int_equal(count_lines("==ERROR: mimalloc: "), 1);
        mi__conf.errors = ERRORS_IGNORE;
        assert_int_equal(outcome(misuse), WENT_ON);
        assert_string_equal(said, "");
    }
    mi__conf.errors = ERRORS_BY_KIND;
}

static void
misuse_of_every_kind(void)
{
    mi__report_set_error(show_code, first);
    mi__conf.errors = ERRORS_IGNORE;
    for (misuse_t i = 0; i < MISUSE_COUNT; i++) {
        mi__report_misuse(i, "free", NULL);
    }
    mi__conf.errors = ERRORS_BY_KIND;
    mi__report_misuse(MISUSE_DOUBLE_FREE, "free", NULL);
}

static void
the_handler_hears_of_misuse_even_before_an_abort(void **state)
{
    (void)state;
    assert_int_equal(outcome(misuse_of_every_kind), -SIGABRT);
    assert_memory_equal(
        said,
        "first(EINVAL)first(EINVAL)first(EINVAL)first(EAGAIN)first(EINVAL)first(EFAULT)first(EFAULT)==", 93);
    assert_string_equal(said + strlen(said) - 13, "first(EAGAIN)");
}

static void
misuse_often(void)
{
    mi__conf.max_errors = 3;
    for (int i = 0; i < 10; i++) {
        mi__report_misuse(MISUSE_SIZE_MISMATCH, "free_sized", NULL);
    }
    mi__report_misuse(MISUSE_DOUBLE_FREE, "free", NULL);
}

static void
misuse_unseen(void)
{
    mi__conf.max_errors = 0;
    mi__report_misuse(MISUSE_SIZE_MISMATCH, "free_sized", NULL);
}

static void
misuse_without_end(void)
{
    mi__conf.max_errors = -1;
    for (int i = 0; i < 100; i++) {
        mi__report_misuse(MISUSE_SIZE_MISMATCH, "free_sized", NULL);
    }
}

static void
lines_are_limited_but_not_the_last(void **state)
{
    (void)state;
    assert_int_equal(outcome(misuse_often), -SIGABRT);
    assert_int_equal(count_lines("size-mismatch: free_sized(0x0)"), 3);
    assert_int_equal(count_lines("there are more; not shown because of MIMALLOC_MAX_ERRORS=3"), 1);
    assert_int_equal(count_lines("double-free: free"), 1);
    assert_int_equal(outcome(misuse_unseen), WENT_ON);
    assert_string_equal(said, "");
    assert_int_equal(outcome(misuse_without_end), WENT_ON);
    assert_int_equal(count_lines("size-mismatch: free_sized"), 100);
}

// ---- foreign pointers

static char global[64];

static void
expect_foreign(const void *p, const char *what)
{
    kind = MISUSE_FREE_FOREIGN;
    pointer = p;
    assert_int_equal(outcome(misuse), WENT_ON);
    if (strstr(said, what) == NULL) {
        fail_msg("\"%s\" is not in: %s", what, said);
    }
}

static void
foreign_pointers_are_placed(void **state)
{
    (void)state;
    int local = 0;
    size_t page = mi__os_page_size();
    expect_foreign(&local, "on the stack of this thread");
    expect_foreign(global, "test_report: code or static data");
    expect_foreign("text", "test_report: code or static data");
    expect_foreign((const void *)(uintptr_t)42, "a small number, not an address");
    expect_foreign((const void *)(UINTPTR_MAX / 2 + 4096), "nothing is mapped there");
    char *memory = mi__os_reserve(3 * page, page);
    assert_non_null(memory);
    assert_true(mi__os_commit(memory + page, page));
    expect_foreign(memory + page, "memory that is not this allocator's");
    mi__os_unreserve(memory, 3 * page);
    char *top = sbrk((intptr_t)page);
    if (top != (void *)-1) {
        expect_foreign(top, "[heap], which is libc's own");
    }
}

// The stack of the main thread has a name, and is not this thread's.
static void *
misuse_stack_of_main(void *local_of_main)
{
    mi__report_misuse(MISUSE_FREE_FOREIGN, "free", local_of_main);
    return NULL;
}

static void
misuse_beside_main(void)
{
    int local = 0;
    pthread_t thread;
    pthread_create(&thread, NULL, misuse_stack_of_main, &local);
    pthread_join(thread, NULL);
}

static void
misuse_without_files(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_NOFILE, &none);
    mi__report_misuse(MISUSE_FREE_FOREIGN, "free", global);
}

static void
what_cannot_be_placed_is_said_so(void **state)
{
    (void)state;
    assert_int_equal(outcome(misuse_beside_main), WENT_ON);
    assert_non_null(strstr(said, "it lies in [stack], which is not this allocator's"));
    assert_int_equal(outcome(misuse_without_files), WENT_ON);
    assert_non_null(strstr(said, "it lies outside of this allocator's memory"));
}

int
main(void)
{
    mi__os_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_go_to_standard_error),
        cmocka_unit_test(the_first_output_gets_what_was_said_before),
        cmocka_unit_test(nothing_is_handed_over_when_nothing_was_said),
        cmocka_unit_test(what_was_not_kept_is_told),
        cmocka_unit_test(a_long_message_is_marked_and_raw_text_is_whole),
        cmocka_unit_test(warnings_are_shown_when_wanted_and_counted),
        cmocka_unit_test(the_handler_gets_one_code_for_each_failure),
        cmocka_unit_test(failures_are_shown_when_wanted),
        cmocka_unit_test(callbacks_do_not_recurse),
        cmocka_unit_test(registering_beside_messages_is_safe),
        cmocka_unit_test(each_misuse_has_its_line),
        cmocka_unit_test(an_option_says_what_follows),
        cmocka_unit_test(the_handler_hears_of_misuse_even_before_an_abort),
        cmocka_unit_test(lines_are_limited_but_not_the_last),
        cmocka_unit_test(foreign_pointers_are_placed),
        cmocka_unit_test(what_cannot_be_placed_is_said_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
