// SPDX-License-Identifier: MIT
// test_os_places.c — os/os_linux_places.c: the own stack, what can be read, and where code lies.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "os/os.h"
#include "unit.h"

enum { ERRNO_MARK = 77 };

// From here down, so many KiB at a time: what is known grows with it.
__attribute__((noinline)) static bool
widens(uintptr_t *low, uintptr_t *high, unsigned depth)
{
    volatile char frame[20 * 1024];
    frame[0] = (char)depth;
    uintptr_t here = (uintptr_t)&frame[0];
    errno = ERRNO_MARK;
    bool holds = mi__os_stack_widen(here, low, high) && *low <= here && here < *high && errno == ERRNO_MARK &&
                 mi__os_is_readable((void *)(*high - sizeof(long)));
    return holds && (depth == 0 || widens(low, high, depth - 1)) && frame[0] == (char)depth;
}

static void *
stack_is_known(void *arg)
{
    uintptr_t low = 0;
    uintptr_t high = 0;
    static char elsewhere[64];
    bool *holds = (bool *)arg;
    *holds = !mi__os_stack_widen((uintptr_t)elsewhere, &low, &high) && high == 0 && widens(&low, &high, 0);
    uintptr_t before = low;
    uintptr_t top = high;
    *holds = *holds && !mi__os_stack_widen((uintptr_t)elsewhere, &low, &high) && low == before && high == top;
    *holds = *holds && widens(&low, &high, 10) && high == top && low <= before;
    // Beyond the guard of a thread's stack, or beyond what the first thread's may grow to.
    *holds = *holds && !mi__os_stack_widen(low - (256 << 20), &low, &high);
    return NULL;
}

static void
test_stack(void **state)
{
    (void)state;
    bool holds = false;
    stack_is_known(&holds);
    assert_true(holds);
    holds = false;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stack_is_known, &holds), 0);
    pthread_join(thread, NULL);
    assert_true(holds);
}

// A thread at the end of its stack asks about what lies below: the guard is never passed.
static void *
ends_at_the_guard(void *arg)
{
    uintptr_t low = 0;
    uintptr_t high = 0;
    bool *holds = (bool *)arg;
    *holds = mi__os_stack_widen((uintptr_t)&low, &low, &high);
    uintptr_t before = low;
    *holds = *holds && !mi__os_stack_widen(high - (128 << 10), &low, &high) && low == before;
    return NULL;
}

static void
test_guard(void **state)
{
    (void)state;
    bool holds = false;
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    assert_int_equal(pthread_attr_setstacksize(&attributes, 64 << 10), 0);
    assert_int_equal(pthread_create(&thread, &attributes, ends_at_the_guard, &holds), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    assert_true(holds);
}

static void
test_readable(void **state)
{
    (void)state;
    errno = ERRNO_MARK;
    assert_true(mi__os_is_readable(state));
    assert_false(mi__os_is_readable(NULL));
    assert_false(mi__os_is_readable((void *)(UINTPTR_MAX - 4095)));
    assert_int_equal(errno, ERRNO_MARK);
}

static void
test_module(void **state)
{
    (void)state;
    char name[256];
    uintptr_t offset = 0;
    Dl_info info;
    uintptr_t address = (uintptr_t)dlsym(RTLD_DEFAULT, "strtoul");
    assert_true(dladdr((void *)address, &info) != 0);
    errno = ERRNO_MARK;
    assert_true(mi__os_module(address, name, sizeof name, &offset));
    assert_non_null(strstr(name, "libc"));
    assert_int_equal(offset, address - (uintptr_t)info.dli_fbase);
    assert_true(mi__os_module((uintptr_t)test_module, name, sizeof name, &offset));
    assert_non_null(strstr(name, "test_os_places"));
    assert_false(mi__os_module((uintptr_t)&offset, name, sizeof name, &offset));
    assert_string_equal(name, "");
    assert_int_equal(errno, ERRNO_MARK);
}

int
main(void)
{
    mi__os_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stack),
        cmocka_unit_test(test_guard),
        cmocka_unit_test(test_readable),
        cmocka_unit_test(test_module),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
