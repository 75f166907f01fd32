// SPDX-License-Identifier: MIT
// check.h — the three kinds of checks on our own code.
//
//   ASSERT(cond)      our bug, constant time: on in debug builds (MI_DEBUG >= 1)
//   VERIFY(call)      our bug, walks a whole structure: on in full debug builds (MI_DEBUG >= 2)
//   static_assert     layouts and combinations of constants
// Bugs of the caller are not checked here: they are reported through mi__report_misuse
// (base/hooks.h) in every build.
//
// Owns:        nothing
// Threads:     any
// Not here:    reports about the caller's memory → front/report.c
#ifndef MI_BASE_CHECK_H
#define MI_BASE_CHECK_H

#include "base/platform.h"

#ifndef MI_DEBUG
#define MI_DEBUG 0
#endif

#define static_assert _Static_assert

// Prints the failed condition with one write and aborts.
_Noreturn MI_COLD void mi__check_failed(const char *cond, const char *file, int line);

#if MI_DEBUG >= 1
#define ASSERT(cond) (likely(cond) ? (void)0 : mi__check_failed(#cond, __FILE__, __LINE__))
#else
#define ASSERT(cond) ((void)sizeof(!(cond)))
#endif

#if MI_DEBUG >= 2
#define VERIFY(cond) ASSERT(cond)
#else
#define VERIFY(cond) ((void)sizeof(!(cond)))
#endif

#endif
