// SPDX-License-Identifier: MIT
// api_test.h — what the tests of the public interface share; for C and C++.
//
// A test goes on after a failed expectation, so that one run tells all; API_DONE gives the exit
// status.
#ifndef TESTS_API_API_TEST_H
#define TESTS_API_API_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <limits.h>
#include <mimalloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int api_failures;
static long api_checks;

static inline void
api_expect(int holds, const char *what, const char *file, int line)
{
    __atomic_fetch_add(&api_checks, 1, __ATOMIC_RELAXED);
    if (!holds && __atomic_fetch_add(&api_failures, 1, __ATOMIC_RELAXED) < 50) {
        fprintf(stderr, "%s:%d: expected %s (errno %d)\n", file, line, what, errno);
    }
}

#define EXPECT(cond) api_expect((cond) ? 1 : 0, #cond, __FILE__, __LINE__)

// The call gives NULL and sets errno to `code`.
#define EXPECT_FAILS(call, code)                                                                             \
    do {                                                                                                     \
        errno = 0;                                                                                           \
        void *api_p = (void *)(call);                                                                        \
        api_expect(api_p == NULL && errno == (code), "NULL and " #code " of " #call, __FILE__, __LINE__);    \
    } while (0)

// The call leaves errno alone.
#define EXPECT_SILENT(statement)                                                                             \
    do {                                                                                                     \
        errno = 4321;                                                                                        \
        statement;                                                                                           \
        api_expect(errno == 4321, "errno untouched by " #statement, __FILE__, __LINE__);                     \
    } while (0)

#define API_DONE() (printf("%ld checks, %d failed\n", api_checks, api_failures), api_failures != 0)

// The compiler must not know these: it would warn, or answer itself.
static volatile size_t api_opaque;

static inline size_t
opaque(size_t size)
{
    api_opaque = size;
    return api_opaque;
}

// Sanitizers keep memory of their own for each byte of ours.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define API_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define API_SANITIZED 1
#endif
#endif
#ifndef API_SANITIZED
#define API_SANITIZED 0
#endif

// On Windows paths have a drive before them, and other slashes.
#if defined(_WIN32)
#define API_WINDOWS 1
#else
#define API_WINDOWS 0
#endif

static inline int
is_path(const char *found, const char *path)
{
    found += API_WINDOWS && found[0] != 0 ? 2 : 0;
    while (*path != 0 && (*found == *path || (API_WINDOWS && *found == '\\' && *path == '/'))) {
        found++;
        path++;
    }
    found += API_WINDOWS && *found == '\\'; // which stays when it was there
    return *found == *path;
}

#define PTRDIFF_SIZE ((size_t)PTRDIFF_MAX)

static inline int
is_aligned(const void *p, size_t align)
{
    return ((uintptr_t)p & (align - 1)) == 0;
}

// These reach past the size that was asked for, to the usable size: the compiler must not see whence.
#define API_OUT_OF_LINE static __attribute__((noinline, unused))

API_OUT_OF_LINE int
is_all(const void *p, size_t size, unsigned char byte)
{
    const unsigned char *bytes = (const unsigned char *)p;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != byte) {
            return 0;
        }
    }
    return 1;
}

// All bytes of the block that may be used.
API_OUT_OF_LINE void
soil(void *p)
{
    memset(p, 0xff, mi_usable_size(p));
}

// A pattern that tells where in the block a byte belongs.
API_OUT_OF_LINE void
fill(void *p, size_t size, unsigned seed)
{
    unsigned char *bytes = (unsigned char *)p;
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (unsigned char)(i * 31 + (i >> 8) + seed);
    }
}

API_OUT_OF_LINE int
is_filled(const void *p, size_t size, unsigned seed)
{
    const unsigned char *bytes = (const unsigned char *)p;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != (unsigned char)(i * 31 + (i >> 8) + seed)) {
            return 0;
        }
    }
    return 1;
}

// All sizes up to 2 KiB, then a dozen of each doubling up to 32 MiB.
static inline size_t
next_size(size_t size)
{
    if (size < 2048) {
        return size + 1;
    }
    size_t step = 1;
    while (step * 24 < size) {
        step *= 2;
    }
    return size + step - (size & 1);
}

#define SIZE_SWEEP_END ((size_t)32 << 20)

#endif
