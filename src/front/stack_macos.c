// SPDX-License-Identifier: MIT
// stack_macos.c — return addresses on macOS, where all code keeps frame pointers.
//
// Owns:        nothing
// Threads:     any
// Invariants:  see stack.h
// Not here:    see stack.h
#include "front/stack.h"

#include "os/os.h"

enum { RECORD = 2 * sizeof(uintptr_t) }; // a saved frame pointer and a return address

#if MI_SHARED
// Of the linker: the library's code.
extern const char first_code[] __asm("section$start$__TEXT$__text");
extern const char end_of_code[] __asm("section$end$__TEXT$__text");
#else
// In a program's own code the library's is not told from it.
static const char first_code[1];
#define end_of_code first_code
#endif

void
mi__stack_start_if_linked(void)
{
}

void
mi__stack_start(void)
{
}

// Appends the return addresses of the chain that starts at `frame`, as far as it is on this thread's stack.
static size_t
follow(uintptr_t frame, uintptr_t *frames, size_t count, size_t max)
{
    uintptr_t low = 0;
    uintptr_t high = 0;
    bool trimming = count == 0;
    if (!mi__os_stack_widen(frame, &low, &high)) {
        return count;
    }
    while (count < max && frame % sizeof frame == 0 && frame >= low && frame < high - RECORD) {
        const uintptr_t *record = (const uintptr_t *)frame; // NOLINT(performance-no-int-to-ptr)
        uintptr_t pc = code_address(record[1]);
        if (pc == 0) {
            break;
        }
        trimming = trimming && pc > (uintptr_t)first_code && pc <= (uintptr_t)end_of_code;
        if (!trimming) {
            frames[count++] = pc;
        }
        low = frame + 1; // upwards only
        frame = record[0];
    }
    return count;
}

size_t
mi__stack_capture(uintptr_t *frames, size_t max)
{
    return follow((uintptr_t)__builtin_frame_address(0), frames, 0, max);
}

size_t
mi__stack_from(uintptr_t pc, uintptr_t frame, uintptr_t *frames, size_t max)
{
    if (max == 0) {
        return 0;
    }
    frames[0] = pc + 1;
    return follow(frame, frames, 1, max);
}
