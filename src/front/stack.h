// SPDX-License-Identifier: MIT
// stack.h — who called: the return addresses on a thread's stack, innermost first.
//
// Frame pointers come first: a few loads a frame. The process's unwinder judges each chain of them once:
// what it confirms is trusted from then on, what it does not agree with it walks itself. The stacks that
// it has walked are known again by the places of their return addresses. So the stacks are right for code
// without frame pointers, too. Frames of the library itself are left out: the first address is that of the
// program's call.
//
// A chain is followed within the thread's own stack, or, on any other (signal stacks, coroutines), from
// page to page that the system says is readable; the unwinder, which asks nobody, stays on the own stack.
//
// Owns:        the unwinder's address, what it has confirmed and found, each thread's stack limits
// Threads:     any; no locks of ours. The unwinder may take the loader's lock (glibc before 2.35, musl): a
//              caller of mi__stack_capture holds no lock that a thread inside of dlopen could wait for
// Invariants:  S1 no call here but mi__stack_start allocates; none faults
// Not here:    what lies at an address → os/os.h
#ifndef MI_FRONT_STACK_H
#define MI_FRONT_STACK_H

#include "base/platform.h"

enum { STACK_FRAMES = 64 }; // at most, of one stack

// Finds the unwinder and has it do what it does at its first use, which may allocate: not from inside
// malloc. Without this call frame pointers alone are followed.
void mi__stack_start(void);

// The same for the unwinder that the process was linked with, as programs in C++ are: looks for nothing,
// loads nothing, and its first use is that of the first stack.
void mi__stack_start_if_linked(void);

// The stack of the calling thread: up to `max` (at most STACK_FRAMES) return addresses, less those in the
// library. Returns how many.
size_t mi__stack_capture(uintptr_t *frames, size_t max);

// The same by frame pointers alone, from the registers that a signal handler was given: `pc` comes first,
// counted up by one, so that it looks like a return address. Async-signal-safe.
size_t mi__stack_from(uintptr_t pc, uintptr_t frame, uintptr_t *frames, size_t max);

#endif
