// SPDX-License-Identifier: MIT
// report.h — messages, and reports about what the program did wrong.
//
// Text goes to the function that the program registered, or to standard error. What is said before
// the first registration goes to standard error, is kept too, and is handed to that function when
// it comes.
//
// Owns:        where text and error codes go; the early text; how many lines were said
// Threads:     any, at any time, also before start-up; no locks, so that a fork leaves none held
// Invariants:  E1 no function here changes errno or allocates
//              E2 a message is written with one call; what does not fit into it is marked as cut
// Not here:    which misuses there are → base/hooks.h, settings → front/options.h, tables →
//              front/stats.h
#ifndef MI_FRONT_REPORT_H
#define MI_FRONT_REPORT_H

#include "base/hooks.h"

typedef void report_output_t(const char *text, void *arg);
typedef void report_error_t(int errnum, void *arg);

// Sends all further text to `output` (NULL: standard error). The first one also gets what was said
// so far.
void mi__report_set_output(report_output_t *output, void *arg);

// Calls `handler` for each error with EAGAIN (double free), EFAULT (damaged memory), EINVAL (a bad
// pointer, size or alignment), ENOMEM, or EOVERFLOW (a size that is too large). NULL: none is
// called.
void mi__report_set_error(report_error_t *handler, void *arg);

// Sends text of any length as it stands.
void mi__report_write(const char *chars, size_t length);

// Sends text, which ends with a zero, to `output`, or where all text goes when that is NULL.
void mi__report_send(report_output_t *output, void *arg, const char *chars, size_t length);

// Sends "mimalloc: " and the text of `fmt` (base/format.h); the text brings its newline. Always
// shown.
void mi__message(const char *fmt, ...) MI_FORMAT(1, 2);

// The same with "mimalloc: warning: "; shown on MIMALLOC_SHOW_ERRORS and MIMALLOC_VERBOSE, up to
// MIMALLOC_MAX_WARNINGS.
void mi__warning(const char *fmt, ...) MI_FORMAT(1, 2);

// An error that no misuse is behind: tells the error handler, and shows "mimalloc: error: " with
// the text on MIMALLOC_SHOW_ERRORS and MIMALLOC_VERBOSE, up to MIMALLOC_MAX_ERRORS.
void mi__report_error(int errnum, const char *fmt, ...) MI_FORMAT(2, 3);

// How often a misuse of the kind was found, and an allocation failed.
uint64_t mi__report_misuses(misuse_t kind);
uint64_t mi__report_failures(void);

// Whether the process stops after an error which `damages` memory or not: MIMALLOC_ERRORS.
bool mi__report_stops(bool damages);

// The hooks of base/hooks.h. A misuse is shown with stacks, up to MIMALLOC_MAX_ERRORS;
// MIMALLOC_ERRORS says what then.
void mi__report_misuse(misuse_t kind, const char *call, const void *p);
void mi__report_alloc_failed(size_t size, int errnum);

#endif
