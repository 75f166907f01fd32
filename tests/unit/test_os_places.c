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

static void *
stack_limits_hold(void *arg)
{
    uintptr_t low = 0;
    uintptr_t high = 0;
    uintptr_t here = (uintptr_t)&low;
    errno = ERRNO_MARK;
    *(bool *)arg = mi__os_stack_limits(&low, &high) && low <= here && here < high && errno == ERRNO_MARK &&
                   mi__os_is_readable((void *)(high - sizeof(long))) && high - here < 64 << 20;
    return NULL;
}

static void
test_stack_limits(void **state)
{
    (void)state;
    bool holds = false;
    stack_limits_hold(&holds);
    assert_true(holds);
    holds = false;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stack_limits_hold, &holds), 0);
    pthread_join(thread, NULL);
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
        cmocka_unit_test(test_stack_limits),
        cmocka_unit_test(test_readable),
        cmocka_unit_test(test_module),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
