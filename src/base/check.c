// SPDX-License-Identifier: MIT
// check.c — what happens when our own code is wrong.
//
// Owns:        nothing
// Threads:     any
// Not here:    reports about the caller's memory → front/report.c
#include "base/check.h"

#include <stdlib.h>

#include "base/format.h"
#include "base/hooks.h"

void
mi__check_failed(const char *cond, const char *file, int line)
{
    text_t text;
    text_init(&text);
    mi__format(&text, "mimalloc: internal error: %s does not hold at %s:%d\n", cond, file, line);
    mi__hooks.write_text(text.chars, text.length);
    abort();
}
