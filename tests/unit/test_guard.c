// SPDX-License-Identifier: MIT
// test_guard.c — front/guard.c, front/account.c, os/os_posix_faults.c: a guarded block is a block like any
// other, and nothing but it can be touched (W1); each misuse is told with who allocated and who freed it; the
// program's own handler comes next.
#include "fresh.h"

#include "alloc/alloc.h"
#include "front/account.h"
#include "front/guard.h"
#include "front/report.h"
#include "front/sample.h"
#include "heap/registry.h"

enum { SLICE = SLICE_SIZE, TAKES = 2000 };

static void
start(void)
{
    mi__conf.purge_delay_ms = -1;
    mi__conf.region_bytes_log2 = 32;
    mi__sample_start();
    mi__sampling_set_rate(SAMPLER_GUARD, 1);
    mi__free(mi__alloc(1000));
}

static bool
is_guarded(const void *p)
{
    page_t *page = mi__page_of(p);
    return (page_owner(page) & OWNER_SAMPLED) != 0 && page->reserved == 1;
}

static char *
guarded(size_t size)
{
    for (int i = 0; i < TAKES; i++) {
        char *p = mi__alloc(size);
        check(p != NULL);
        if (is_guarded(p)) {
            return p;
        }
        mi__free(p);
    }
    check_failed(__FILE__, __LINE__, "no guarded block");
    return NULL;
}

static bool
is_at_end(const char *p)
{
    return ((uintptr_t)p & (SLICE - 1)) != 0;
}

// One whose end, or whose start, lies at a guard page.
static char *
guarded_at(size_t size, bool at_end)
{
    char *p = guarded(size);
    while (is_at_end(p) != at_end) {
        mi__free(p);
        p = guarded(size);
    }
    return p;
}

// ---- blocks

static void
a_guarded_block_is_a_block(void)
{
    static const size_t sizes[] = {0, 1, 15, 16, 100, 1000, 4096, 5000, 40000, 65536};
    start();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int side = 0; side < 8; side++) {
            char *p = guarded(sizes[i]);
            size_t usable = mi__usable_size(p, "test");
            check((uintptr_t)p % 16 == 0);
            check_equal(usable, align_up(size_max(sizes[i], 1), 16));
            check(is_zero(p, usable));
            memset(p, 0xff, usable);
            check(mi__heap_of(p) == &mi__subproc_main.main);
            mi__free(p);
            check(!is_readable(p) && !is_readable(p + usable - 1));
        }
    }
    check_equal(mi__guard_count() >= 80, true);
}

// W1, and both sides come as often.
static void
nothing_else_can_be_touched(void)
{
    start();
    int at_end = 0;
    for (int i = 0; i < 200; i++) {
        char *p = guarded(100);
        char *slice = (char *)((uintptr_t)p & ~(uintptr_t)(SLICE - 1));
        at_end += is_at_end(p);
        check(is_readable(p) && is_readable(p + 111));
        check(!is_readable(slice - 1) && !is_readable(slice + SLICE));
        check(is_at_end(p) ? p + 112 == slice + SLICE : p == slice);
        check(!is_readable(slice + SLICE / 2));
        mi__free(p);
    }
    check(at_end > 50 && at_end < 150);
}

static void *
aligned_to(size_t align, size_t size)
{
    for (int i = 0; i < TAKES; i++) {
        void *p = mi__alloc_aligned(size, align, 0, false);
        check((uintptr_t)p % align == 0);
        if (is_guarded(p)) {
            return p;
        }
        mi__free(p);
    }
    check_failed(__FILE__, __LINE__, "no guarded block");
    return NULL;
}

static void
alignment_holds(void)
{
    start();
    for (size_t align = 16; align <= SLICE; align *= 2) {
        for (int i = 0; i < 10; i++) {
            mi__free(aligned_to(align, align / 2 + 1));
            mi__free(aligned_to(align, size_min(3 * align, SLICE)));
        }
    }
}

static void
precision_costs_the_alignment(void)
{
    start();
    mi__conf.guarded_precise = true;
    for (int i = 0; i < 20; i++) {
        char *p = guarded_at(21, true);
        check_equal(mi__usable_size(p, "test"), 21);
        check(is_readable(p + 20) && !is_readable(p + 21));
        mi__free(p);
        char *q = mi__realloc(guarded(3), 5000, true);
        check(is_zero(q + 3, 4997));
        mi__free(q);
    }
}

// Blocks that live for ever leave room for others: the fuller, the seldomer.
static void
long_lives_do_not_end_it(void)
{
    start();
    for (int i = 0; i < 64; i++) {
        (void)guarded(50);
        if (mi__guard_count() > 28) {
            break;
        }
    }
    uint64_t before = mi__guard_count();
    for (int i = 0; i < 20000; i++) {
        mi__free(mi__alloc(50));
    }
    check(mi__guard_count() > before + 100);
}

static void
sizes_are_bounded(void)
{
    start();
    mi__conf.guarded_min = 100;
    mi__conf.guarded_max = 200;
    for (int i = 0; i < 300; i++) {
        char *small = mi__alloc(99);
        char *large = mi__alloc(201);
        check(!is_guarded(small) && !is_guarded(large));
        mi__free(small);
        mi__free(large);
    }
    mi__free(guarded(100));
    mi__free(guarded(200));
    mi__sampling_bound_guard(mi__thread_heap, 10, 20);
    mi__free(guarded(15));
    check(!is_guarded(mi__alloc(150)));
}

// ---- reports

static char said[64 * 1024];

// What a child says that does `act`, and how it ends: a signal as a negative number.
static int
ends(void (*body)(void))
{
    int pipe_ends[2];
    check(pipe(pipe_ends) == 0);
    fflush(NULL);
    pid_t child = fork();
    check(child >= 0);
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        dup2(pipe_ends[1], STDERR_FILENO);
        body();
        _exit(0);
    }
    close(pipe_ends[1]);
    size_t length = 0;
    for (ssize_t part; (part = read(pipe_ends[0], said + length, sizeof said - 1 - length)) > 0;) {
        length += (size_t)part;
    }
    said[length] = 0;
    close(pipe_ends[0]);
    int status;
    check(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void
expect(const char *text)
{
    if (strstr(said, text) == NULL) {
        fprintf(stderr, "not said: %s\n%s\n", text, said);
        check_failed(__FILE__, __LINE__, "said");
    }
}

static void
touch_after_free(void)
{
    volatile char *p = guarded_at(40, true);
    mi__free((void *)(uintptr_t)p);
    p[3] = 1;
}

static void
write_behind(void)
{
    volatile char *p = guarded_at(48, true);
    p[50] = 1;
}

static void
read_before(void)
{
    volatile char *p = guarded_at(40, false);
    (void)p[-5];
}

static void
write_into_the_slack(void)
{
    volatile char *p = guarded_at(40, false);
    p[70] = 1;
    mi__free((void *)(uintptr_t)p);
}

static void
free_twice(void)
{
    mi__hooks.misuse = mi__report_misuse;
    char *p = guarded_at(40, true);
    mi__free(p);
    mi__free(p);
}

static void
each_misuse_is_told(void)
{
    start();
    check_equal(ends(touch_after_free), -SIGSEGV);
    expect("ERROR: mimalloc: use-after-free: ");
    expect("3 bytes inside a block of 40 bytes that was freed");
    expect("freed by thread ");
    expect("allocated by thread ");
    expect("    #0 0x");
    expect("test_guard+0x");
    expect("\nSUMMARY: mimalloc: use-after-free (");
    check_equal(ends(write_behind), -SIGSEGV);
    expect("buffer-overflow: ");
    expect("2 bytes after the end of a block of 48 bytes.");
    check(strstr(said, "freed by") == NULL);
    check_equal(ends(read_before), -SIGSEGV);
    expect("buffer-underflow: ");
    expect("5 bytes before a block of 40 bytes.");
    check_equal(ends(write_into_the_slack), -SIGABRT);
    expect("buffer-overflow: free(");
    expect("30 bytes after the end of a block of 40 bytes.");
    check_equal(ends(free_twice), -SIGABRT);
    expect("double-free: free(");
    expect("freed by thread ");
}

// ---- going on

static void
go_on(void)
{
    mi__conf.errors = ERRORS_REPORT;
    touch_after_free();
    write_behind();
    for (int i = 0; i < 200; i++) {
        char *p = guarded(48);
        check(is_zero(p, 48));
        char *slice = (char *)((uintptr_t)p & ~(uintptr_t)(SLICE - 1));
        check(!is_readable(slice - 1) && !is_readable(slice + SLICE));
        mi__free(p);
    }
}

static void
the_process_may_go_on(void)
{
    start();
    check_equal(ends(go_on), 0);
    expect("use-after-free");
    expect("buffer-overflow");
}

static void
own_handler(int number)
{
    (void)number;
    _exit(42);
}

static void
own_handler_with_info(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    _exit(info->si_addr != NULL ? 43 : 44);
}

static void
with_a_handler(void)
{
    signal(SIGSEGV, own_handler);
    touch_after_free();
}

static void
with_a_better_one(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO};
    action.sa_sigaction = own_handler_with_info;
    sigaction(SIGSEGV, &action, NULL);
    touch_after_free();
}

static void
fault_elsewhere(void)
{
    mi__free(guarded(40));
    volatile uintptr_t nowhere = 8;
    *(volatile int *)nowhere = 1; // NOLINT(performance-no-int-to-ptr)
}

static void
be_sent_a_signal(void)
{
    mi__free(guarded(40));
    raise(SIGSEGV);
}

static void
the_programs_handler_comes_next(void)
{
    mi__conf.purge_delay_ms = -1;
    mi__sampling_set_rate(SAMPLER_GUARD, 1);
    check_equal(ends(with_a_handler), 42);
    expect("use-after-free");
    check_equal(ends(with_a_better_one), 43);
    expect("use-after-free");
    check_equal(ends(fault_elsewhere), -SIGSEGV);
    check(said[0] == 0);
    check_equal(ends(be_sent_a_signal), -SIGSEGV);
    check(said[0] == 0);
}

// ---- the account

static void
what_does_not_fit_is_cut(void)
{
    check(mi__account_begin());
    check(!mi__account_begin());
    for (int i = 0; i < 1000; i++) {
        mi__account_put("%s", "0123456789012345678901234567890123456789\n");
    }
    size_t length;
    const char *text = mi__account_text(&length);
    check(length < 20000 && strlen(text) == length);
    mi__account_end();
    check(mi__account_begin());
    (void)mi__account_text(&length);
    check_equal(length, 0);
    mi__account_end();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(a_guarded_block_is_a_block),
        fresh_test(nothing_else_can_be_touched),
        fresh_test(alignment_holds),
        fresh_test(precision_costs_the_alignment),
        fresh_test(long_lives_do_not_end_it),
        fresh_test(sizes_are_bounded),
        fresh_test(each_misuse_is_told),
        fresh_test(the_process_may_go_on),
        fresh_test(the_programs_handler_comes_next),
        fresh_test(what_does_not_fit_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
