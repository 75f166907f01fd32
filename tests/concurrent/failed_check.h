// SPDX-License-Identifier: MIT
// failed_check.h — a failed check of the library's own ends the execution, which is then told.
//
// For one source of a program.
#ifndef TESTS_CONCURRENT_FAILED_CHECK_H
#define TESTS_CONCURRENT_FAILED_CHECK_H

#include "explore.h"

#include "base/check.h"

void
mi__check_failed(const char *cond, const char *file, int line)
{
    (void)file;
    (void)line;
    explore_expect(false, cond);
    __builtin_unreachable();
}

#endif
