// SPDX-License-Identifier: MIT
// stack.c — return addresses by frame pointers, checked by the unwinder.
//
// Owns:        see stack.h
// Threads:     `trusted` is a set of hashes, each written whole; a lost one is confirmed again. `known` has
//              states, see there
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

// Not pulled into a program that does without: a static one has nothing to find, and only those of C++ and
// its like are linked with an unwinder.
#pragma weak dlsym
#pragma weak _Unwind_Backtrace
#pragma weak _Unwind_GetIPInfo
#pragma weak _Unwind_GetCFA
#pragma weak _Unwind_GetGR

enum {
    TRUSTED = 1024,     // chains remembered
    STEP_MAX = 1 << 20, // bytes that one frame may have
    // Between main, or a thread's function, and the first of all frames libc has so many, and keeps no
    // frame pointers in them.
    ROOT_FRAMES = 3,
    RECORD = 2 * sizeof(uintptr_t), // a saved frame pointer and a return address
    KNOWN = 256,                    // stacks of the unwinder's remembered
    MISSES_MAX = 16,    // a thread that was so often on other stacks is not asked about its own any more
    FRAME_REGISTER = 6, // rbp, as tables of unwinders number it; where PLACES_KNOWN, that is x86-64
};

// A stack of frames without frame pointers: each return address, and how far below the thread's stack end
// it lies. Such a frame has one size for a return address, so that the innermost address at its place says
// where the next one must be, and so on: when all are there it is this stack again.
//
// States of `version`, as in front/hook.h: even, all belongs together; odd, it is being changed.
typedef struct known_t {
    // [atomic: any thread]
    _Atomic(uint64_t) version;
    _Atomic(size_t) count;
    _Atomic(uintptr_t) frames[STACK_FRAMES];
    _Atomic(uintptr_t) depths[STACK_FRAMES];
} known_t;

// What a thread knows about itself.
typedef struct own_stack_t {
    uintptr_t low; // the part of its stack that it has been on
    uintptr_t high;
    unsigned misses; // so often it was on another stack
    bool unwinding;  // the unwinder is at work, and may allocate or be interrupted
} own_stack_t;

typedef _Unwind_Reason_Code unwinder_t(_Unwind_Trace_Fn, void *);
typedef uintptr_t get_ip_t(struct _Unwind_Context *, int *);
typedef uintptr_t get_cfa_t(struct _Unwind_Context *);
typedef uintptr_t get_register_t(struct _Unwind_Context *, int);

static MI_THREAD_LOCAL own_stack_t own;
#define own OF_THREAD(own)
static _Atomic(unwinder_t *) unwinder;
// Set before `unwinder`.
static get_ip_t *get_ip;
static get_cfa_t *get_cfa;
static get_register_t *get_register;
static _Atomic(uint64_t) trusted[TRUSTED];
static known_t known[KNOWN];

// ---- the library's own code

#if MI_SHARED
extern const ElfW(Ehdr) __ehdr_start MI_HIDDEN; // of the linker
#else
// The section into which the library's code is gathered; absent where single objects are linked.
extern const char __start_mimalloc_text[] MI_WEAK MI_HIDDEN;
extern const char __stop_mimalloc_text[] MI_WEAK MI_HIDDEN;
#endif

#if MI_SHARED
static _Atomic(uintptr_t) code_start; // 0: not found yet
static _Atomic(uintptr_t) code_bytes;

static uintptr_t
find_code(void)
{
    uintptr_t base = (uintptr_t)&__ehdr_start;
    const ElfW(Phdr) *header = (const ElfW(Phdr) *)(base + __ehdr_start.e_phoff); // NOLINT
    size_t i = 0;
    while (i + 1 < __ehdr_start.e_phnum && (header[i].p_type != PT_LOAD || (header[i].p_flags & PF_X) == 0)) {
        i++;
    }
    atomic_set_relaxed(&code_bytes, header[i].p_memsz);
    // release: how many bytes; pairs with the acquire in is_ours.
    atomic_set_release(&code_start, base + header[i].p_vaddr);
    return base + header[i].p_vaddr;
}
#endif

static bool
is_ours(uintptr_t pc)
{
#if MI_SHARED
    uintptr_t start = atomic_get_acquire(&code_start); // pairs with the release in find_code
    start = likely(start != 0) ? start : find_code();
    return pc - start < atomic_get_relaxed(&code_bytes);
#else
    return pc > (uintptr_t)__start_mimalloc_text && pc <= (uintptr_t)__stop_mimalloc_text;
#endif
}

// ---- frame pointers

// What was readable of a thread's stack stays so while the thread lives.
static const own_stack_t *
own_stack(uintptr_t here)
{
    if ((here < own.low || here >= own.high) && own.misses < MISSES_MAX) {
        own.misses += !mi__os_stack_widen(here, &own.low, &own.high);
    }
    return &own;
}

static bool
is_plausible_code(uintptr_t pc)
{
    return pc >= 4096 && (sizeof pc < 8 || pc >> 47 == 0);
}

// Appends the return addresses of the chain that starts at `frame`, on a stack whose end so far is `at`.
// Returns the number of frames now, and in `*last` where the last record is; in `*first` that of the first.
static size_t
follow(uintptr_t frame, uintptr_t at, uintptr_t *frames, size_t count, size_t max, uintptr_t *first,
       uintptr_t *last)
{
    const own_stack_t *stack = own_stack(at);
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
            *first = count == 0 ? frame : *first;
            *last = frame;
            frames[count++] = pc;
        }
        at = frame + 1;
        frame = record[0];
    }
    return count;
}

size_t
mi__stack_from(uintptr_t pc, uintptr_t frame, uintptr_t *frames, size_t max)
{
    uintptr_t first = 0;
    uintptr_t last = 0;
    if (max == 0 || !is_plausible_code(pc)) {
        return 0;
    }
    frames[0] = pc + 1;
    // No function's frame is so near to address 0 that this could pass for its caller's.
    return follow(frame, frame, frames, 1, max, &first, &last);
}

// ---- the unwinder

typedef struct unwound_t {
    uintptr_t first; // what lies before this address is the unwinder's, and ours; 0: nothing does
    size_t count;
    size_t max;
    uintptr_t frames[STACK_FRAMES];
    uintptr_t places[STACK_FRAMES]; // of the addresses, where they lie right below the caller's frame
    uintptr_t frame_pointer;        // in the frame before
    bool varies;                    // some frame is found by its frame pointer, and may have any size
} unwound_t;

static _Unwind_Reason_Code
take_frame(struct _Unwind_Context *context, void *arg)
{
    unwound_t *to = (unwound_t *)arg;
    int exact = 0; // a signal came here: no call
    uintptr_t pc = code_address(get_ip(context, &exact));
    if (pc == 0 || to->count == to->max) {
        return _URC_END_OF_STACK;
    }
    if (pc == to->first) {
        to->first = 0;
    }
    if (to->first == 0 && (to->count > 0 || !is_ours(pc))) {
        if (PLACES_KNOWN) {
            uintptr_t end = get_cfa(context);
            to->varies = to->varies || (to->count > 0 && to->frame_pointer + RECORD == end);
            to->frame_pointer = get_register(context, FRAME_REGISTER);
            to->places[to->count] = end - sizeof(uintptr_t);
        }
        to->frames[to->count++] = pc + (exact != 0);
    }
    return _URC_NO_REASON;
}

static bool
start_with(unwinder_t *found, get_ip_t *ip, get_cfa_t *cfa, get_register_t *gr)
{
    if (found == NULL || ip == NULL || cfa == NULL || gr == NULL) {
        return false;
    }
    get_ip = ip;
    get_cfa = cfa;
    get_register = gr;
    // release: get_ip; pairs with the acquire in mi__stack_capture.
    atomic_set_release(&unwinder, found);
    return true;
}

// False when `library` (RTLD_DEFAULT: all that is loaded) has no unwinder.
static bool
start_in(void *library)
{
    return start_with(
        (unwinder_t *)dlsym(library, "_Unwind_Backtrace"), (get_ip_t *)dlsym(library, "_Unwind_GetIPInfo"),
        (get_cfa_t *)dlsym(library, "_Unwind_GetCFA"), (get_register_t *)dlsym(library, "_Unwind_GetGR"));
}

MI_START void
mi__stack_start_if_linked(void)
{
    if (atomic_get_relaxed(&unwinder) == NULL) {
        (void)start_with(_Unwind_Backtrace, _Unwind_GetIPInfo, _Unwind_GetCFA, _Unwind_GetGR);
    }
}

void
mi__stack_start(void)
{
    mi__stack_start_if_linked();
    unwinder_t *found = atomic_get_relaxed(&unwinder);
    if (found == NULL && dlsym != NULL && !start_in(RTLD_DEFAULT)) {
        // Not linked with: most programs in C do without it. Static links warn of dlopen by its name.
        void *(*open)(const char *, int) = (void *(*)(const char *, int))dlsym(RTLD_DEFAULT, "dlopen");
        void *library = open == NULL ? NULL : open("libgcc_s.so.1", RTLD_NOW | RTLD_LOCAL);
        if (library != NULL) {
            (void)start_in(library);
        }
    }
    found = atomic_get_relaxed(&unwinder);
    if (found != NULL) {
        // Older ones allocate when they are called first.
        unwound_t warm_up = {.max = STACK_FRAMES};
        (void)found(take_frame, &warm_up);
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

static known_t *
known_at(uintptr_t pc, uintptr_t depth)
{
    return &known[((pc ^ depth << 20) * UINT64_C(0x9e3779b97f4a7c15) >> 40) % KNOWN];
}

// Whether `entry` is the stack from `place` on, of which `end` is the end; fills `frames` then.
static size_t
recall(known_t *entry, uintptr_t place, uintptr_t end, uintptr_t *frames, size_t max)
{
    // acquire: what was remembered; pairs with the release of `version` in remember.
    uint64_t version = atomic_get_acquire(&entry->version);
    size_t count = size_min(atomic_get_relaxed(&entry->count), max);
    if (version % 2 != 0 || count == 0 || end - place != atomic_get_relaxed(&entry->depths[0])) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        // acquire: newer ones of these bring a newer version; pairs with the releases in remember.
        uintptr_t depth = atomic_get_acquire(&entry->depths[i]);
        if (depth > end - place || depth < sizeof(uintptr_t)) {
            return 0;
        }
        frames[i] = *(const uintptr_t *)(end - depth);            // NOLINT(performance-no-int-to-ptr)
        if (frames[i] != atomic_get_acquire(&entry->frames[i])) { // pairs with the release in remember
            return 0;
        }
    }
    return atomic_get_relaxed(&entry->version) == version ? count : 0;
}

static void
remember(known_t *entry, const unwound_t *full, uintptr_t place, uintptr_t end)
{
    for (size_t i = 0; i < full->count; i++) {
        uintptr_t at = full->places[i];
        if (at < place || at >= end || at % sizeof at != 0 ||
            *(const uintptr_t *)at != full->frames[i]) { // NOLINT(performance-no-int-to-ptr)
            return; // not where this processor's calls leave it, or a signal's
        }
    }
    uint64_t version = atomic_get_relaxed(&entry->version);
    // acquire: pairs with the release below.
    if (full->places[0] != place || version % 2 != 0 ||
        !atomic_cas_strong_acquire(&entry->version, &version, version + 1)) {
        return;
    }
    atomic_set_relaxed(&entry->count, full->count);
    for (size_t i = 0; i < full->count; i++) {
        // release: the odd version; pairs with the acquire in recall.
        atomic_set_release(&entry->frames[i], full->frames[i]);
        // release: the same; pairs with the acquire in recall.
        atomic_set_release(&entry->depths[i], end - full->places[i]);
    }
    atomic_set_release(&entry->version, version + 2); // pairs with the acquire in recall
}

size_t
mi__stack_capture(uintptr_t *frames, size_t max)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    uintptr_t first = here;
    uintptr_t last = here;
    size_t count = follow(here, here, frames, 0, max, &first, &last);
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
    first += sizeof first; // behind the frame pointer
    known_t *entry = known_at(count == 0 ? 0 : frames[0], own.high - first);
    unwound_t full; // two KiB, of which little is ever looked at
    full.first = code_address((uintptr_t)__builtin_return_address(0));
    full.count = 0;
    full.max = max;
    full.frame_pointer = 0;
    full.varies = false;
    size_t same = count == 0 ? 0 : recall(entry, first, own.high, full.frames, max);
    if (same > 0) {
        __builtin_memcpy(frames, full.frames, same * sizeof *frames);
        return same;
    }
    own.unwinding = true;
    unwind(take_frame, &full);
    own.unwinding = false;
    if (confirms(&full, frames, count)) {
        atomic_set_relaxed(place, hash);
        return count;
    }
    if (full.count > 0) {
        if (PLACES_KNOWN && !full.varies && count > 0 && full.frames[0] == frames[0]) {
            remember(entry, &full, first, own.high);
        }
        count = full.count;
        __builtin_memcpy(frames, full.frames, count * sizeof *frames);
    }
    return count;
}
