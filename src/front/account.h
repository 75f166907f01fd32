// SPDX-License-Identifier: MIT
// account.h — a report of several lines about one error, with stacks.
//
// It is put together in one buffer, which stays, so that a core dump tells it as well, and is written
// with one call. Another thread's report is waited for.
//
// Owns:        mimalloc_abort_message
// Threads:     any, also in a signal handler; between begin and end one at a time
// Invariants:  N1 no function here allocates, or changes errno
// Not here:    which errors there are → front/report.c, front/guard.c; the stacks → front/stack.h
#ifndef MI_FRONT_ACCOUNT_H
#define MI_FRONT_ACCOUNT_H

#include "base/platform.h"

// False when this thread is in the middle of one already, and fails in there.
MI_NODISCARD bool mi__account_begin(void);

// Appends text, at most 999 characters at once.
void mi__account_put(const char *fmt, ...) MI_FORMAT(1, 2);

// Appends a line for each frame (return addresses): number, address, file and offset, build id.
void mi__account_frames(const uintptr_t *frames, size_t count);

// Appends the last line: what it was, and where by the first of `frames`.
void mi__account_summary(const char *kind, const uintptr_t *frames, size_t count);

// Hands out the text, which ends with a zero and stays until the next one begins; and ends it.
const char *mi__account_text(size_t *length);
void mi__account_end(void);

#endif
