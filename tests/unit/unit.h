// SPDX-License-Identifier: MIT
// unit.h — cmocka, after the headers that it needs.
#ifndef MI_TESTS_UNIT_H
#define MI_TESTS_UNIT_H

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#endif
