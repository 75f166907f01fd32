// SPDX-License-Identifier: MIT
// test_api_new.c — the mi_new functions where they succeed, and where no C++ runtime is there to throw.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api_test.h"

static void
test_success(void)
{
    for (size_t size = 0; size < 3000000; size = next_size(size) * 6 / 5) {
        void *p;
        EXPECT_SILENT(p = mi_new(size));
        EXPECT(p != NULL && is_aligned(p, 16) && mi_usable_size(p) >= size);
        mi_free(p);
        EXPECT_SILENT(p = mi_new_nothrow(size));
        EXPECT(p != NULL && is_aligned(p, 16) && mi_usable_size(p) >= size);
        fill(p, size, 1);
        EXPECT_SILENT(p = mi_new_realloc(p, size + 1000));
        EXPECT(is_filled(p, size, 1) && mi_usable_size(p) >= size + 1000);
        EXPECT_SILENT(p = mi_new_reallocn(p, size + 1, 2));
        EXPECT(is_filled(p, size, 1) && mi_usable_size(p) >= size * 2 + 2);
        mi_free(p);
        EXPECT_SILENT(p = mi_new_n(size, 3));
        EXPECT(p != NULL && mi_usable_size(p) >= size * 3);
        mi_free(p);
        for (size_t align = 1; align <= 1 << 17; align *= 8) {
            EXPECT_SILENT(p = mi_new_aligned(size, align));
            EXPECT(p != NULL && is_aligned(p, align) && mi_usable_size(p) >= size);
            mi_free(p);
            EXPECT_SILENT(p = mi_new_aligned_nothrow(size, align));
            EXPECT(p != NULL && is_aligned(p, align) && mi_usable_size(p) >= size);
            mi_free(p);
        }
    }
}

static void
test_nothrow(void)
{
    EXPECT_FAILS(mi_new_nothrow(opaque(SIZE_MAX)), ENOMEM);
    EXPECT_FAILS(mi_new_nothrow(opaque(PTRDIFF_SIZE)), ENOMEM);
    EXPECT_FAILS(mi_new_aligned_nothrow(opaque(SIZE_MAX), 64), ENOMEM);
    EXPECT_FAILS(mi_new_aligned_nothrow(10, opaque(3)), EINVAL);
}

#ifndef __cplusplus
static void *
new_plain(void)
{
    return mi_new(opaque(SIZE_MAX));
}
static void *
new_aligned(void)
{
    return mi_new_aligned(opaque(SIZE_MAX), 64);
}
static void *
new_misaligned(void)
{
    return mi_new_aligned(10, opaque(3));
}
static void *
new_array(void)
{
    return mi_new_n(opaque(SIZE_MAX / 2), 3);
}
static void *
new_realloc(void)
{
    return mi_new_realloc(NULL, opaque(SIZE_MAX));
}
static void *
new_reallocn(void)
{
    return mi_new_reallocn(NULL, opaque(SIZE_MAX / 2), 3);
}

// A C program has nobody to throw: it says why, and aborts.
static void
check_abort(void *(*failing)(void))
{
    int ends[2];
    EXPECT(pipe(ends) == 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        _exit(failing() == NULL ? 1 : 2);
    }
    close(ends[1]);
    char said[2000] = "";
    size_t length = 0;
    ssize_t got;
    while ((got = read(ends[0], said + length, sizeof said - 1 - length)) > 0) {
        length += (size_t)got;
    }
    close(ends[0]);
    int status = 0;
    EXPECT(waitpid(child, &status, 0) == child);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    // A sanitizer may bring a C++ runtime along: then it is that one that says it.
    EXPECT(strstr(said, "std::bad_alloc") != NULL);
}

static void
test_abort(void)
{
    check_abort(new_plain);
    check_abort(new_aligned);
    check_abort(new_misaligned);
    check_abort(new_array);
    check_abort(new_realloc);
    check_abort(new_reallocn);
}
#else
// In C++ they throw: test_api_cpp.cc.
static void
test_abort(void)
{
}
#endif

int
main(void)
{
    test_success();
    test_nothrow();
    test_abort();
    return API_DONE();
}
