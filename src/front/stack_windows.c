// SPDX-License-Identifier: MIT
// stack_windows.c — return addresses on Windows, where tables tell the frames of all code, and the system
// reads them.
//
// Frames of the library are among them.
//
// Owns:        nothing
// Threads:     any
// Invariants:  see stack.h
// Not here:    see stack.h
#include "front/stack.h"

#include <windows.h>

void
mi__stack_start_if_linked(void)
{
}

void
mi__stack_start(void)
{
}

size_t
mi__stack_capture(uintptr_t *frames, size_t max)
{
    return RtlCaptureStackBackTrace(1, (DWORD)max, (void **)frames, NULL);
}

size_t
mi__stack_from(uintptr_t pc, uintptr_t frame, uintptr_t *frames, size_t max)
{
    (void)frame;
    if (max > 0) {
        frames[0] = pc + 1;
    }
    return max > 0;
}
