// SPDX-License-Identifier: MIT
// report.c — where messages go, and what is said about a misuse.
//
// Owns:        see report.h
// Threads:     `early` is filled by reserving places in it
// Invariants:  see report.h; E3 the bytes of `early` are complete when early_done equals early_used
// Not here:    see report.h
#include "front/report.h"

#include <errno.h>
#include <stdlib.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "base/config.h"
#include "base/format.h"
#include "base/track.h"
#include "front/account.h"
#include "front/guard.h"
#include "front/hook.h"
#include "front/stack.h"
#include "os/os.h"

// ---- where text and error codes go

enum {
    EARLY_BYTES = 16 * 1024,
    HAND_OVER_TRIES = 1000, // a writer is waited for this often: after a fork it may be gone
};

static hook_t output;
static hook_t handler;

static char early[EARLY_BYTES + 1];
static _Atomic(size_t) early_used; // may pass EARLY_BYTES: what did not fit
static _Atomic(size_t) early_done;
static _Atomic(flag_t) early_over;

static _Atomic(uint64_t) misuses[MISUSE_COUNT];
static _Atomic(uint64_t) failures;

// Set while a function of the program runs: what it causes must not call it again.
static MI_THREAD_LOCAL bool in_callback;
#define in_callback OF_THREAD(in_callback)

static void
keep_early(const char *text, size_t length)
{
    if (atomic_get_relaxed(&early_over)) {
        return;
    }
    size_t at = atomic_add_relaxed(&early_used, length);
    if (at <= EARLY_BYTES && length <= EARLY_BYTES - at) {
        __builtin_memcpy(early + at, text, length);
    }
    // release: the bytes; pairs with the acquire in hand_over_early.
    atomic_fetch_add_explicit(&early_done, length, memory_order_release);
}

// `text` ends with a zero.
static void
send_text(const char *text, size_t length)
{
    void *arg;
    report_output_t *to = (report_output_t *)mi__hook_get(&output, &arg);
    if (to == NULL || in_callback) {
        if (to == NULL) {
            keep_early(text, length);
        }
        mi__os_write_error(text, length);
        return;
    }
    int saved = errno;
    in_callback = true;
    unsigned depth = track_pause();
    to(text, arg);
    track_resume(depth);
    in_callback = false;
    errno = saved;
}

static void
hand_over_early(void)
{
    for (int i = 0; i < HAND_OVER_TRIES; i++) {
        // acquire: the bytes; pairs with the release in keep_early.
        if (atomic_get_acquire(&early_done) == atomic_get_relaxed(&early_used)) {
            break;
        }
        mi__os_yield();
    }
    // Text that did not fit left a gap of zeros, which ends the string.
    size_t length = __builtin_strlen(early);
    if (length > 0) {
        send_text(early, length);
    }
    size_t used = atomic_get_relaxed(&early_used);
    if (used > length) {
        mi__message("%zu more bytes, said before, went to standard error only\n", used - length);
    }
}

void
mi__report_set_output(report_output_t *fn, void *arg)
{
    mi__hook_set(&output, (hook_fun_t *)fn, arg);
    if (fn != NULL && !atomic_exchange_explicit(&early_over, true, memory_order_relaxed)) {
        hand_over_early();
    }
}

void
mi__report_set_error(report_error_t *fn, void *arg)
{
    mi__hook_set(&handler, (hook_fun_t *)fn, arg);
}

static void
tell_handler(int errnum)
{
    void *arg;
    report_error_t *to = (report_error_t *)mi__hook_get(&handler, &arg);
    if (to == NULL || in_callback) {
        return;
    }
    int saved = errno;
    in_callback = true;
    unsigned depth = track_pause();
    to(errnum, arg);
    track_resume(depth);
    in_callback = false;
    errno = saved;
}

// ---- messages

static void
send_line(text_t *text)
{
    if (text->cut) {
        static const char mark[] = " [cut]\n";
        __builtin_memcpy(text->chars + text->length - (sizeof mark - 1), mark, sizeof mark);
    }
    send_text(text->chars, text->length);
}

void
mi__report_write(const char *chars, size_t length)
{
    text_t text;
    while (length > 0) {
        size_t part = size_min(length, sizeof text.chars - 1);
        __builtin_memcpy(text.chars, chars, part);
        text.chars[part] = 0;
        send_text(text.chars, part);
        chars += part;
        length -= part;
    }
}

void
mi__report_send(report_output_t *to, void *arg, const char *chars, size_t length)
{
    if (to == NULL) {
        mi__report_write(chars, length);
    } else if (length > 0) {
        to(chars, arg);
    }
}

static void
say(const char *prefix, const char *fmt, va_list args)
{
    text_t text;
    text_init(&text);
    mi__format(&text, "mimalloc: %s", prefix);
    mi__format_va(&text, fmt, args);
    send_line(&text);
}

void
mi__message(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say("", fmt, args);
    va_end(args);
}

// Counts one more line of a kind; false when there were `max` already. The last one says that it is
// the last.
static bool
may_say(_Atomic(setting_t) *said, setting_t max, const char *option)
{
    if (max < 0) {
        return true;
    }
    if (atomic_get_relaxed(said) > max) {
        return false; // also keeps the count from wrapping
    }
    setting_t before = atomic_add_relaxed(said, 1);
    if (before == max && max > 0) {
        mi__message("there are more; not shown because of %s=%ld\n", option, (long)max);
    }
    return before < max;
}

static bool
may_say_error(void)
{
    static _Atomic(setting_t) said;
    return may_say(&said, conf_get(max_errors), "MIMALLOC_MAX_ERRORS");
}

static bool
details_wanted(void)
{
    return conf_get(show_errors) || conf_get(verbose);
}

void
mi__warning(const char *fmt, ...)
{
    static _Atomic(setting_t) said;
    if (!details_wanted() || !may_say(&said, conf_get(max_warnings), "MIMALLOC_MAX_WARNINGS")) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    say("warning: ", fmt, args);
    va_end(args);
}

void
mi__report_error(int errnum, const char *fmt, ...)
{
    if (details_wanted() && may_say_error()) {
        va_list args;
        va_start(args, fmt);
        say("error: ", fmt, args);
        va_end(args);
    }
    tell_handler(errnum);
}

void
mi__report_alloc_failed(size_t size, int errnum)
{
    atomic_add_relaxed(&failures, 1);
    if (size > PTRDIFF_MAX) {
        mi__report_error(EOVERFLOW, "allocation request is too large (%zu bytes)\n", size);
    } else if (errnum == EINVAL) {
        mi__report_error(EINVAL, "an alignment is not a power of two (%zu bytes wanted)\n", size);
    } else {
        mi__report_error(errnum, "unable to allocate memory (%zu bytes)\n", size);
    }
}

uint64_t
mi__report_misuses(misuse_t kind)
{
    return atomic_get_relaxed(&misuses[kind]);
}

uint64_t
mi__report_failures(void)
{
    return atomic_get_relaxed(&failures);
}

// ---- misuse

typedef struct misuse_text_t {
    const char *tag;
    const char *what; // NULL: say what lies at the address
    const char *hint;
    int errnum;
    bool damages; // going on would, under other allocators, have damaged memory: the default is to stop
} misuse_text_t;

static const misuse_text_t misuse_texts[MISUSE_COUNT] = {
    [MISUSE_FREE_FOREIGN] = {"invalid-free", NULL, NULL, EINVAL, false},
    [MISUSE_FREE_NO_BLOCK] = {"invalid-free", "it points into the allocator's memory, where no block is now",
                              "It was freed before, or computed wrongly", EINVAL, true},
    [MISUSE_FREE_INTERIOR] = {"invalid-free", "it points inside a block, not at its start",
                              "Pass the pointer that malloc returned", EINVAL, true},
    [MISUSE_DOUBLE_FREE] = {"double-free", "the block is free already",
                            "Look for a second owner of it, or for a pointer that is not cleared", EAGAIN,
                            true},
    [MISUSE_SIZE_MISMATCH] = {"size-mismatch",
                              "the size or alignment given is not the one that the block was allocated with",
                              "Look for a delete of another type than the new", EINVAL, false},
    [MISUSE_OVERFLOW] = {"buffer-overflow", "bytes behind the block's own were written to",
                         "Look for an index or a length that is too large", EFAULT, true},
    [MISUSE_LATE_WRITE] = {"use-after-free", "bytes of the block were written to while it was free",
                           "Look for a pointer that was kept beyond the free", EFAULT, true},
};

static void
put_foreign(text_t *text, const void *p)
{
    char name[256];
    if ((uintptr_t)p < mi__os_page_size()) {
        mi__format(text, "a small number, not an address. Look for an overwritten pointer");
        return;
    }
    switch (mi__os_place(p, name, sizeof name)) {
    case OS_PLACE_NOTHING:
        mi__format(text, "nothing is mapped there. The pointer is stale or was overwritten");
        break;
    case OS_PLACE_STACK:
        mi__format(text, "it lies on the stack of this thread. A local variable needs no free");
        break;
    case OS_PLACE_BREAK:
        mi__format(text,
                   "it lies in [heap], which is libc's own. The block comes from another malloc: look for a "
                   "library that is loaded with RTLD_DEEPBIND or brings an allocator");
        break;
    case OS_PLACE_FILE:
        mi__format(text, "it lies in %s: code or static data, which needs no free", name);
        break;
    case OS_PLACE_ANONYMOUS:
        mi__format(text,
                   "it lies in memory that is not this allocator's. It comes from mmap, another malloc or "
                   "another thread's stack");
        break;
    case OS_PLACE_OTHER:
        mi__format(text, "it lies in %s, which is not this allocator's", name);
        break;
    case OS_PLACE_UNKNOWN:
        mi__format(text, "it lies outside of this allocator's memory");
        break;
    }
}

bool
mi__report_stops(bool damages)
{
    errors_t mode = (errors_t)conf_get(errors);
    return mode == ERRORS_ABORT || (mode == ERRORS_BY_KIND && damages);
}

static void
put_first_line(const misuse_text_t *about, const char *call, const void *p, bool stop)
{
    text_t text;
    text_init(&text);
    mi__format(&text, "==%ld==ERROR: mimalloc: %s: %s(%p): ", mi__os_process_id(), about->tag, call, p);
    if (about->what == NULL) {
        put_foreign(&text, p);
    } else {
        mi__format(&text, "%s. %s", about->what, about->hint);
    }
    mi__account_put("%s. %s\n", text.chars,
                    stop ? "The process stops here (MIMALLOC_ERRORS=report goes on)"
                         : "The call had no effect");
}

static void
tell_misuse(const misuse_text_t *about, const char *call, const void *p, bool stop)
{
    uintptr_t frames[STACK_FRAMES];
    size_t count = mi__stack_capture(frames, STACK_FRAMES);
    if (!mi__account_begin()) {
        return;
    }
    put_first_line(about, call, p, stop);
    mi__account_frames(frames, count);
    mi__guard_tell(p);
    mi__account_summary(about->tag, frames, count);
    size_t length;
    const char *text = mi__account_text(&length);
    send_text(text, length);
    mi__account_end();
}

void
mi__report_misuse(misuse_t kind, const char *call, const void *p)
{
    kind = kind == MISUSE_FREE_NO_BLOCK && mi__guard_was_freed(p) ? MISUSE_DOUBLE_FREE : kind;
    atomic_add_relaxed(&misuses[kind], 1);
    const misuse_text_t *about = &misuse_texts[kind];
    bool stop = mi__report_stops(about->damages);
    // What is said before an end is shown however much there was.
    if (stop || (conf_get(errors) != ERRORS_IGNORE && may_say_error())) {
        tell_misuse(about, call, p, stop);
    }
    tell_handler(about->errnum);
    if (stop) {
        abort();
    }
}
