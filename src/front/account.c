// SPDX-License-Identifier: MIT
// account.c — the buffer, and frames as text.
//
// Owns:        see account.h
// Threads:     see account.h
// Invariants:  see account.h
// Not here:    see account.h
#include "front/account.h"

#include <errno.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "base/format.h"
#include "os/os.h"

enum {
    ACCOUNT_BYTES = 16 * 1024,
    TRIES = 1000, // another report is waited for this often: after a fork its thread may be gone
};

// For debuggers and core dumps, by its name.
MI_EXPORT char mimalloc_abort_message[ACCOUNT_BYTES];

static size_t used;
static _Atomic(long) reporter; // the thread that is reporting; 0: none

bool
mi__account_begin(void)
{
    long me = mi__os_thread_id();
    long none = 0;
    // acquire: the other report is whole; pairs with the release in mi__account_end.
    for (int i = 0; !atomic_cas_strong_acquire(&reporter, &none, me); i++, none = 0) {
        if (none == me) {
            return false;
        }
        if (i == TRIES) {
            atomic_set_relaxed(&reporter, me);
            break;
        }
        mi__os_yield();
    }
    used = 0;
    return true;
}

static void
append(const char *chars, size_t length)
{
    length = size_min(length, sizeof mimalloc_abort_message - 1 - used);
    __builtin_memcpy(mimalloc_abort_message + used, chars, length);
    used += length;
    mimalloc_abort_message[used] = 0;
}

void
mi__account_put(const char *fmt, ...)
{
    text_t text;
    text_init(&text);
    va_list args;
    va_start(args, fmt);
    mi__format_va(&text, fmt, args);
    va_end(args);
    append(text.chars, text.length);
}

// Return addresses point behind the call.
static bool
find_module(uintptr_t frame, char *name, size_t size, uintptr_t *offset)
{
    return mi__os_module(frame - 1, name, size, offset);
}

void
mi__account_frames(const uintptr_t *frames, size_t count)
{
    int saved = errno;
    for (size_t i = 0; i < count; i++) {
        char name[256];
        uintptr_t offset;
        text_t text;
        text_init(&text);
        mi__format(&text, "    #%zu 0x%zx", i, (size_t)(frames[i] - 1));
        if (find_module(frames[i], name, sizeof name, &offset)) {
            mi__format(&text, " (%s+0x%zx)", name, (size_t)offset);
            size_t length = 0;
            const unsigned char *id = mi__os_build_id(frames[i] - 1 - offset, &length);
            for (size_t k = 0; id != NULL && k < length; k++) {
                mi__format(&text, k == 0 ? " (BuildId: %02x" : "%02x", id[k]);
            }
            mi__format(&text, id == NULL ? "" : ")");
        }
        mi__format(&text, "\n");
        append(text.chars, text.length);
    }
    if (count == 0) {
        mi__account_put("    (no stack)\n");
    }
    errno = saved;
}

void
mi__account_summary(const char *kind, const uintptr_t *frames, size_t count)
{
    char name[256];
    uintptr_t offset;
    if (count > 0 && find_module(frames[0], name, sizeof name, &offset)) {
        mi__account_put("SUMMARY: mimalloc: %s (%s+0x%zx)\n", kind, name, (size_t)offset);
    } else {
        mi__account_put("SUMMARY: mimalloc: %s\n", kind);
    }
}

const char *
mi__account_text(size_t *length)
{
    *length = used;
    return mimalloc_abort_message;
}

void
mi__account_end(void)
{
    // release: pairs with the acquire in mi__account_begin.
    atomic_set_release(&reporter, 0);
}
