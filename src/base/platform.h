// SPDX-License-Identifier: MIT
// platform.h — the only file that names compilers and processors.
//
// Owns:        nothing
// Threads:     macros and pure functions only
// Invariants:  P1 every other file spells attributes and machine instructions through these names
// Not here:    operating systems → os/, numbers → base/config.h
#ifndef MI_BASE_PLATFORM_H
#define MI_BASE_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if !defined(__GNUC__)
#error "a compiler with GNU C extensions is needed (gcc or clang)"
#endif

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define MI_NOINLINE __attribute__((noinline))
#define MI_COLD __attribute__((noinline, cold))
// Runs once, when a process starts: such functions lie together, beside the compiler's own constructors.
#define MI_START __attribute__((section(".text.startup")))
#define MI_NODISCARD __attribute__((warn_unused_result))
#define MI_ALIGNED(n) __attribute__((aligned(n)))
#define MI_FORMAT(fmt, args) __attribute__((format(printf, fmt, args)))
#define MI_WEAK __attribute__((weak))

// A symbol that programs may use; everything else is hidden by the build.
#define MI_EXPORT __attribute__((visibility("default")))

// Data shared between our files: reached directly, not through the global offset table.
#define MI_HIDDEN __attribute__((visibility("hidden")))

// Thread-local storage that is reached by one load from the thread pointer. A library that may be
// part of a dlopen'ed object on musl asks for another model (MI_TLS_MODEL).
#ifndef MI_TLS_MODEL
#define MI_TLS_MODEL "initial-exec"
#endif
#define MI_THREAD_LOCAL __thread __attribute__((tls_model(MI_TLS_MODEL)))

#if defined(__SANITIZE_THREAD__)
#define MI_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MI_TSAN 1
#endif
#endif
#ifndef MI_TSAN
#define MI_TSAN 0
#endif

// MI_JUMPS marks a function whose `MI_JUMP_TO f(…);` becomes a jump, so that f sees the caller's return
// address, in unoptimized and in instrumented builds, too.
#if defined(__clang__)
#define MI_JUMPS __attribute__((disable_sanitizer_instrumentation))
#define MI_JUMP_TO __attribute__((musttail)) return
#else
#define MI_JUMPS                                                                                             \
    __attribute__((optimize("O2", "omit-frame-pointer"), no_sanitize("address", "thread", "undefined")))
#define MI_JUMP_TO return
#endif

// Whether a frame pointer leads to the caller's, followed by a return address.
#if defined(__x86_64__) || defined(__aarch64__)
enum { FRAME_POINTERS = 1 };
#else
enum { FRAME_POINTERS = 0 };
#endif

// Whether a call leaves its return address right below the caller's frame.
#if defined(__x86_64__)
enum { PLACES_KNOWN = 1 };
#else
enum { PLACES_KNOWN = 0 };
#endif

// A return address as it is on the stack, less what the processor signed it with.
static inline uintptr_t
code_address(uintptr_t pc)
{
#if defined(__aarch64__)
    register uintptr_t link __asm__("x30") = pc;
    __asm__("hint #7" : "+r"(link)); // xpaclri
    return link;
#else
    return pc;
#endif
}

// A hint to the processor inside a loop that waits for another thread.
static inline void
cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("yield");
#else
    __asm__ volatile("" ::: "memory");
#endif
}

#endif
