// SPDX-License-Identifier: MIT
// test_stack.c — front/stack.c: exact stacks of code with and without frame pointers, and none that faults.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "front/stack.h"
#include "os/os.h"
#include "unit.h"

enum { ERRNO_MARK = 77, STACK_BYTES = 64 * 1024 };

#if defined(__clang__)
#define WITH_FRAMES __attribute__((noinline))
#define WITHOUT_FRAMES __attribute__((noinline))
#else
#define WITH_FRAMES __attribute__((noinline, optimize("no-omit-frame-pointer", "no-optimize-sibling-calls")))
#define WITHOUT_FRAMES __attribute__((noinline, optimize("omit-frame-pointer", "no-optimize-sibling-calls")))
#endif
#define RETURN_ADDRESS ((uintptr_t)__builtin_extract_return_addr(__builtin_return_address(0)))
#define KEEP_FRAME __asm__ volatile("" ::: "memory")

static uintptr_t wanted[STACK_FRAMES]; // from the second frame on
static uintptr_t frames[STACK_FRAMES];
static size_t count;

static WITH_FRAMES void
capture(void)
{
    errno = ERRNO_MARK;
    wanted[0] = RETURN_ADDRESS;
    count = mi__stack_capture(frames, STACK_FRAMES);
    KEEP_FRAME;
}

// ---- with frame pointers

static WITH_FRAMES void
with_inner(void)
{
    wanted[1] = RETURN_ADDRESS;
    capture();
    KEEP_FRAME;
}

static WITH_FRAMES void
with_outer(void)
{
    wanted[2] = RETURN_ADDRESS;
    with_inner();
    KEEP_FRAME;
}

static void
assert_wanted(size_t some)
{
    assert_true(count > some);
    assert_true(frames[0] - (uintptr_t)capture < 200);
    assert_memory_equal(frames + 1, wanted, some * sizeof wanted[0]);
    assert_int_equal(errno, ERRNO_MARK);
}

static void
test_with_frame_pointers(void **state)
{
    (void)state;
    // Asked about, remembered, and remembered still.
    for (int i = 0; i < 3; i++) {
        count = 0;
        with_outer();
        assert_wanted(3);
    }
}

// ---- without

static void (*volatile inner_call)(void) = capture;

static WITHOUT_FRAMES void
without_inner(void)
{
    wanted[1] = RETURN_ADDRESS;
    inner_call();
    KEEP_FRAME;
}

// What is kept over the call fills the registers, the frame pointer's too: with a chain of frames that is a
// lie.
static WITHOUT_FRAMES void
without_outer(void)
{
    _Alignas(16) uintptr_t lie[4];
    uintptr_t *a = lie, *b = lie, *c = lie, *d = lie, *e = lie, *f = lie;
    wanted[2] = RETURN_ADDRESS;
    lie[0] = (uintptr_t)&lie[2];
    lie[1] = lie[3] = (uintptr_t)without_inner + 1;
    lie[2] = 0;
    __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f)::"memory");
    without_inner();
    __asm__ volatile("" ::"r"(a), "r"(b), "r"(c), "r"(d), "r"(e), "r"(f) : "memory");
}

static void
test_without_frame_pointers(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        count = 0;
        without_outer();
        assert_wanted(3);
    }
}

// One chain of frame pointers, two stacks: the function in the middle is not in it.
static WITHOUT_FRAMES void
first_of_two(void)
{
    wanted[1] = RETURN_ADDRESS;
    inner_call();
    KEEP_FRAME;
}

static WITHOUT_FRAMES void
second_of_two(void)
{
    wanted[1] = RETURN_ADDRESS;
    inner_call();
    KEEP_FRAME;
}

static WITH_FRAMES void
call_both(int which)
{
    (which == 0 ? first_of_two : second_of_two)();
    KEEP_FRAME;
}

static void
test_mixed(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        call_both(i % 2);
        assert_wanted(2);
    }
}

// A frame of another size each time, and others that make up for it.
static WITHOUT_FRAMES void
varying(size_t size)
{
    volatile char *room = __builtin_alloca(size);
    wanted[1] = RETURN_ADDRESS;
    room[0] = 1;
    inner_call();
    room[size - 1] = 1;
}

static WITHOUT_FRAMES void
compensating(size_t size)
{
    volatile char *room = __builtin_alloca(4096 - size);
    wanted[2] = RETURN_ADDRESS;
    room[0] = 1;
    if (size % 512 == 0) {
        varying(size);
    } else {
        varying(size);
        KEEP_FRAME;
    }
    room[1] = 1;
}

static void
test_stacks_that_are_known_again(void **state)
{
    (void)state;
    for (int i = 0; i < 4000; i++) {
        compensating((size_t)(i * 7 % 31 + 1) * 64);
        assert_wanted(3);
    }
}

static WITH_FRAMES void *
in_thread(void *arg)
{
    (void)arg;
    wanted[2] = 0;
    with_inner();
    assert_wanted(2);
    without_outer();
    assert_wanted(3);
    return arg;
}

static void
test_other_threads(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, in_thread, NULL), 0);
        pthread_join(thread, NULL);
    }
}

static WITH_FRAMES void
deep(int depth)
{
    if (depth == 0) {
        capture();
    } else {
        deep(depth - 1);
    }
    KEEP_FRAME;
}

static void
test_no_more_than_fit(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        deep(200);
        assert_int_equal(count, STACK_FRAMES);
        for (int k = 2; k < STACK_FRAMES; k++) {
            assert_int_equal(frames[k], frames[2]);
        }
    }
    uintptr_t few[3] = {0};
    assert_int_equal(mi__stack_capture(few, 2), 2);
    assert_int_equal(few[2], 0);
    assert_int_equal(mi__stack_capture(few, 0), 0);
}

// ---- other stacks than the thread's own

static void *
new_stack(void)
{
    // Nothing can be read behind it.
    char *stack = mmap(NULL, 2 * STACK_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(stack, MAP_FAILED);
    assert_int_equal(mprotect(stack, STACK_BYTES, PROT_READ | PROT_WRITE), 0);
    return stack;
}

static WITH_FRAMES void
on_signal(int signal)
{
    (void)signal;
    with_outer();
}

static void
test_signal_stack(void **state)
{
    (void)state;
    stack_t stack = {.ss_sp = new_stack(), .ss_size = STACK_BYTES};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    assert_int_equal(sigaltstack(&stack, NULL), 0);
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    raise(SIGUSR1);
    assert_wanted(FRAME_POINTERS ? 3 : 0);
    stack.ss_flags = SS_DISABLE;
    assert_int_equal(sigaltstack(&stack, NULL), 0);
    // On the thread's own stack the unwinder knows the interrupted function.
    action.sa_flags = 0;
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    raise(SIGUSR1);
    assert_wanted(3);
    munmap(stack.ss_sp, 2 * STACK_BYTES);
}

static ucontext_t back;

static WITH_FRAMES void
in_coroutine(void)
{
    with_outer();
    assert_wanted(FRAME_POINTERS ? 3 : 0);
    // A chain that leads out of the stack, to where nothing can be read.
    without_outer();
}

static void
test_coroutine(void **state)
{
    (void)state;
    char *stack = new_stack();
    for (size_t cut = 0; cut < 256; cut += 16) {
        ucontext_t there;
        assert_int_equal(getcontext(&there), 0);
        there.uc_stack.ss_sp = stack;
        there.uc_stack.ss_size = STACK_BYTES - cut;
        there.uc_link = &back;
        makecontext(&there, in_coroutine, 0);
        assert_int_equal(swapcontext(&back, &there), 0);
    }
    munmap(stack, 2 * STACK_BYTES);
}

// ---- from a handler's registers

static void
test_from_registers(void **state)
{
    (void)state;
    char *stack = new_stack();
    uintptr_t *end = (uintptr_t *)(void *)(stack + STACK_BYTES);
    uintptr_t found[STACK_FRAMES];
    uintptr_t code = (uintptr_t)capture;
    if (!FRAME_POINTERS) {
        return;
    }
    // Two frames; the second one's caller would lie where nothing can be read.
    uintptr_t *frame = end - 8;
    frame[0] = (uintptr_t)(end - 2);
    frame[1] = code + 1;
    end[-2] = (uintptr_t)end;
    end[-1] = code + 2;
    assert_int_equal(mi__stack_from(code, (uintptr_t)frame, found, STACK_FRAMES), 3);
    assert_int_equal(found[0], code + 1);
    assert_int_equal(found[1], code + 1);
    assert_int_equal(found[2], code + 2);
    assert_int_equal(mi__stack_from(code, (uintptr_t)frame, found, 2), 2);
    // Frames that are none.
    const uintptr_t bad[] = {
        0, 8, (uintptr_t)end, (uintptr_t)frame + 8, UINTPTR_MAX - 15, (uintptr_t)1 << 60};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(mi__stack_from(code, bad[i], found, STACK_FRAMES), 1);
    }
    frame[0] = (uintptr_t)frame; // not upwards
    assert_int_equal(mi__stack_from(code, (uintptr_t)frame, found, STACK_FRAMES), 2);
    frame[1] = 12; // no code
    assert_int_equal(mi__stack_from(code, (uintptr_t)frame, found, STACK_FRAMES), 1);
    assert_int_equal(mi__stack_from(0, (uintptr_t)frame, found, STACK_FRAMES), 0);
    munmap(stack, 2 * STACK_BYTES);
}

static void
test_nothing_is_allocated(void **state)
{
    (void)state;
    size_t before = mallinfo2().uordblks;
    without_outer();
    with_outer();
    deep(100);
    assert_int_equal(mallinfo2().uordblks, before);
}

int
main(void)
{
    mi__os_init();
    // Without the unwinder: what frame pointers say, and no fault.
    with_outer();
    assert_wanted(FRAME_POINTERS ? 3 : 0);
    without_outer();
    mi__stack_start();
    mi__stack_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_with_frame_pointers),
        cmocka_unit_test(test_without_frame_pointers),
        cmocka_unit_test(test_mixed),
        cmocka_unit_test(test_stacks_that_are_known_again),
        cmocka_unit_test(test_other_threads),
        cmocka_unit_test(test_no_more_than_fit),
        cmocka_unit_test(test_signal_stack),
        cmocka_unit_test(test_coroutine),
        cmocka_unit_test(test_from_registers),
        cmocka_unit_test(test_nothing_is_allocated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
