// SPDX-License-Identifier: MIT
// platform.h — the only file that names compilers, processors, and kinds of object files.
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
#if defined(__MACH__)
#define MI_START
#else
#define MI_START __attribute__((section(".text.startup")))
#endif
#define MI_NODISCARD __attribute__((warn_unused_result))
#define MI_ALIGNED(n) __attribute__((aligned(n)))
#if defined(_WIN32) && !defined(__clang__)
#define MI_FORMAT(fmt, args) __attribute__((format(gnu_printf, fmt, args)))
#else
#define MI_FORMAT(fmt, args) __attribute__((format(printf, fmt, args)))
#endif
#define MI_WEAK __attribute__((weak))
// Whether a reference may be to nothing, and is NULL then, without a word to the linker.
#if defined(__MACH__)
#define WEAK_REFERENCES 0
#else
#define WEAK_REFERENCES 1
#endif

// MI_EXPORT marks a symbol that programs may use; everything else is hidden by the build. MI_HIDDEN marks
// data that our files share: reached directly, not through the global offset table.
#if !defined(_WIN32)
#define MI_EXPORT __attribute__((visibility("default")))
#define MI_HIDDEN __attribute__((visibility("hidden")))
#else
#define MI_EXPORT __declspec(dllexport)
#define MI_HIDDEN
#endif

// What only assembly outside of functions names: seen also by a compiler that optimizes as a whole.
#if defined(__GNUC__) && !defined(__clang__)
#define MI_FOR_ASM __attribute__((externally_visible))
#else
#define MI_FOR_ASM
#endif

// Thread-local storage that is reached by one load from the thread pointer. A library that may be
// part of a dlopen'ed object on musl asks for another model (MI_TLS_MODEL).
#ifndef MI_TLS_MODEL
#define MI_TLS_MODEL "initial-exec"
#endif

// Each such variable x is followed by `#define x OF_THREAD(x)`; one that files share is declared as x_mine.
#if defined(__ELF__)
#define MI_THREAD_LOCAL __thread __attribute__((tls_model(MI_TLS_MODEL)))
#define OF_THREAD(x) (x)
#elif defined(__MACH__)
// What the system has there allocates by malloc. See os_macos_threads.c, which owns the copies.
#define MI_THREAD_LOCAL __attribute__((section("__DATA,__mi_thread")))
#define OF_THREAD(x) (*(__typeof__(x) *)mi__os_of_thread((uintptr_t) & (x)))
extern uintptr_t mi__os_of_thread(uintptr_t original);
#elif defined(__x86_64__)
// What gcc makes of __thread there allocates, and is gone before the thread's end is told. So the variables
// stand in what the system copies for each new thread, and a copy is found as the system's rules have it.
#define MI_THREAD_LOCAL __attribute__((section(".tls$MI")))
#define OF_THREAD(x) (*(__typeof__(x) *)mi__of_thread((uintptr_t) & (x)))

extern unsigned long _tls_index;    // of the C runtime: which of a thread's copies is this module's
extern const uintptr_t _tls_used[]; // and where the original starts, first of all

static inline uintptr_t
mi__of_thread(uintptr_t original)
{
    const uintptr_t *copies;
    __asm__("movq %%gs:0x58, %0" : "=r"(copies));
    return copies[_tls_index] + (original - _tls_used[0]);
}
#else
#error "no thread-local storage for Windows on this processor yet"
#endif

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

// Where the stack is. Of no use but to be compared: a function that asks needs no frame for it.
static inline uintptr_t
stack_place(void)
{
#if defined(__x86_64__)
    uintptr_t place;
    __asm__("movq %%rsp, %0" : "=r"(place));
    return place;
#else
    return (uintptr_t)__builtin_frame_address(0);
#endif
}

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
