// SPDX-License-Identifier: MIT
// stack.c — return addresses by frame pointers, checked by the unwinder.
//
// Owns:        see stack.h
// Threads:     `trusted` is a set of hashes, each written whole; a lost one is confirmed again
// Invariants:  see stack.h; S2 a chain is followed upwards only
// Not here:    see stack.h
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "front/stack.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <unwind.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "os/os.h"

// Not pulled into a static program, where there is nothing to find.
#pragma weak dlsym

enum {
    TRUSTED = 1024,     // chains remembered
    STEP_MAX = 1 << 20, // bytes that one frame may have
    // Between main, or a thread's function, and the first of all frames libc has so many, and keeps no
    // frame pointers in them.
    ROOT_FRAMES = 3,
    RECORD = 2 * sizeof(uintptr_t), // a saved frame pointer and a return address
};

// What a thread knows about itself.
typedef struct own_stack_t {
    uintptr_t low;
    uintptr_t high; // 0: not asked yet
    bool unwinding; // the unwinder is at work, and may allocate or be interrupted
} own_stack_t;

typedef _Unwind_Reason_Code unwinder_t(_Unwind_Trace_Fn, void *);
typedef uintptr_t get_ip_t(struct _Unwind_Context *, int *);

static MI_THREAD_LOCAL own_stack_t own;
static _Atomic(unwinder_t *) unwinder;
static get_ip_t *get_ip; // set before `unwinder`
static _Atomic(uint64_t) trusted[TRUSTED];

// ---- the library's own code

#if MI_SHARED
extern const ElfW(Ehdr) __ehdr_start MI_HIDDEN; // of the linker
#else
// The section into which the library's code is gathered; absent where single objects are linked.
extern const char __start_mimalloc_text[] MI_WEAK MI_HIDDEN;
extern const char __stop_mimalloc_text[] MI_WEAK MI_HIDDEN;
#endif

static bool
is_ours(uintptr_t pc)
{
#if MI_SHARED
    uintptr_t base = (uintptr_t)&__ehdr_start;
    const ElfW(Phdr) *header = (const ElfW(Phdr) *)(base + __ehdr_start.e_phoff); // NOLINT
    for (size_t i = 0; i < __ehdr_start.e_phnum; i++) {
        if (header[i].p_type == PT_LOAD && (header[i].p_flags & PF_X) != 0 &&
            pc - base - header[i].p_vaddr < header[i].p_memsz) {
            return true;
        }
    }
    return false;
#else
    return pc > (uintptr_t)__start_mimalloc_text && pc <= (uintptr_t)__stop_mimalloc_text;
#endif
}

// ---- frame pointers

// The mapping of a thread's stack does not change while the thread lives; the first thread's grows.
static const own_stack_t *
own_stack(void)
{
    if (own.high == 0 && !mi__os_stack_limits(&own.low, &own.high)) {
        own.low = own.high = 1;
    }
    return &own;
}

static bool
is_plausible_code(uintptr_t pc)
{
    return pc >= 4096 && (sizeof pc < 8 || pc >> 47 == 0);
}

// Appends the return addresses of the chain that starts at `frame`, on a stack whose end so far is `at`.
// Returns the number of frames now, and in `*last` where the last address was found.
static size_t
follow(uintptr_t frame, uintptr_t at, uintptr_t *frames, size_t count, size_t max, uintptr_t *last)
{
    const own_stack_t *stack = own_stack();
    uintptr_t page = mi__os_page_size();
    uintptr_t readable = UINTPTR_MAX; // the page found to be so last
    bool trimming = count == 0;
    while (FRAME_POINTERS && count < max && frame % RECORD == 0 && frame >= at && frame - at < STEP_MAX) {
        bool inside = frame >= stack->low && frame < stack->high && at >= stack->low;
        if (!inside && frame / page != readable) {
            if (!mi__os_is_readable((const void *)frame)) { // NOLINT(performance-no-int-to-ptr)
                break;
            }
            readable = frame / page;
        }
        const uintptr_t *record = (const uintptr_t *)frame; // NOLINT(performance-no-int-to-ptr)
        uintptr_t pc = code_address(record[1]);
        if (!is_plausible_code(pc)) {
            break;
        }
        trimming = trimming && is_ours(pc);
        if (!trimming) {
            frames[count++] = pc;
            *last = frame;
        }
        at = frame + 1;
        frame = record[0];
    }
    return count;
}

size_t
mi__stack_from(uintptr_t pc, uintptr_t frame, uintptr_t *frames, size_t max)
{
    uintptr_t last = 0;
    if (max == 0 || !is_plausible_code(pc)) {
        return 0;
    }
    frames[0] = pc + 1;
    // No function's frame is so near to address 0 that this could pass for its caller's.
    return follow(frame, frame, frames, 1, max, &last);
}

// ---- the unwinder

typedef struct unwound_t {
    uintptr_t first; // what lies before this address is the unwinder's, and ours; 0: nothing does
    size_t count;
    size_t max;
    uintptr_t frames[STACK_FRAMES];
} unwound_t;

static _Unwind_Reason_Code
take_frame(struct _Unwind_Context *context, void *arg)
{
    unwound_t *to = arg;
    int exact = 0; // a signal came here: no call
    uintptr_t pc = code_address(get_ip(context, &exact));
    if (pc == 0 || to->count == to->max) {
        return _URC_END_OF_STACK;
    }
    if (pc == to->first) {
        to->first = 0;
    }
    if (to->first == 0 && (to->count > 0 || !is_ours(pc))) {
        to->frames[to->count++] = pc + (exact != 0);
    }
    return _URC_NO_REASON;
}

void
mi__stack_start(void)
{
    if (atomic_get_relaxed(&unwinder) != NULL || dlsym == NULL) {
        return;
    }
    // Not linked with: most programs in C do without it.
    void *found = dlsym(RTLD_DEFAULT, "_Unwind_Backtrace");
    void *ip = dlsym(RTLD_DEFAULT, "_Unwind_GetIPInfo");
    if (found == NULL || ip == NULL) {
        // Static links warn of dlopen by its name.
        void *(*open)(const char *, int) = (void *(*)(const char *, int))dlsym(RTLD_DEFAULT, "dlopen");
        void *library = open == NULL ? NULL : open("libgcc_s.so.1", RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) {
            return;
        }
        found = dlsym(library, "_Unwind_Backtrace");
        ip = dlsym(library, "_Unwind_GetIPInfo");
    }
    if (found != NULL && ip != NULL) {
        unwound_t warm_up = {.max = STACK_FRAMES};
        get_ip = (get_ip_t *)ip;
        ((unwinder_t *)found)(take_frame, &warm_up);
        // release: get_ip; pairs with the acquire in mi__stack_capture.
        atomic_set_release(&unwinder, (unwinder_t *)found);
    }
}

// Whether the unwinder confirms a chain: frame pointers are lost near the root, and found beyond code
// that the unwinder knows nothing of.
static bool
confirms(const unwound_t *full, const uintptr_t *frames, size_t count)
{
    size_t common = size_min(full->count, count);
    size_t at_root = full->count < full->max ? ROOT_FRAMES : 0;
    return common > 0 && full->count - common <= at_root &&
           __builtin_memcmp(full->frames, frames, common * sizeof *frames) == 0;
}

size_t
mi__stack_capture(uintptr_t *frames, size_t max)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    uintptr_t last = here;
    size_t count = follow(here, here, frames, 0, max, &last);
    // acquire: get_ip; pairs with the release in mi__stack_start.
    unwinder_t *unwind = atomic_get_acquire(&unwinder);
    if (unwind == NULL || own.unwinding || here < own.low || here >= own.high) {
        return count;
    }
    // How far the last frame is from the stack's end tells a chain that ends at the root from one that
    // broke off at any other place.
    uint64_t hash = own.high - last + max;
    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ frames[i]) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    _Atomic(uint64_t) *place = &trusted[hash % TRUSTED];
    if (count > 0 && atomic_get_relaxed(place) == hash) {
        return count;
    }
    unwound_t full = {.first = code_address((uintptr_t)__builtin_return_address(0)), .max = max};
    own.unwinding = true;
    unwind(take_frame, &full);
    own.unwinding = false;
    if (confirms(&full, frames, count)) {
        atomic_set_relaxed(place, hash);
        return count;
    }
    if (full.count > 0) {
        count = full.count;
        __builtin_memcpy(frames, full.frames, count * sizeof *frames);
    }
    return count;
}
