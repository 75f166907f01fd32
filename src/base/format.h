// SPDX-License-Identifier: MIT
// format.h — text without allocation, for messages that may be written from inside malloc.
//
// Owns:        nothing
// Threads:     any; a text_t belongs to its caller
// Invariants:  F1 `length < sizeof chars`, `chars[length] == 0`; text that does not fit is cut,
//                 `cut` set
// Not here:    where text goes → front/report.c
#ifndef MI_BASE_FORMAT_H
#define MI_BASE_FORMAT_H

#include <stdarg.h>

#include "base/platform.h"

typedef struct text_t {
    size_t length;
    bool cut;
    char chars[1000];
} text_t;

static inline void
text_init(text_t *text)
{
    text->length = 0;
    text->cut = false;
    text->chars[0] = 0;
}

// Appends to `text`. Understands %s %c %d %u %ld %lu %lld %llu %zd %zu %x %lx %llx %zx %p %%, a `-`
// flag, a `0` flag, a width (digits or `*`), and a precision for %s; anything else is copied as it
// stands.
void mi__format(text_t *text, const char *fmt, ...) MI_FORMAT(2, 3);
void mi__format_va(text_t *text, const char *fmt, va_list args) MI_FORMAT(2, 0);

// Appends a byte count for people: "512 B", "64.0 KiB", "1.5 GiB"; exact below 1 KiB, one decimal
// above.
void mi__format_bytes(text_t *text, size_t bytes);

// Reads a size such as "64", "512K", "2GiB" or "4mb": digits, then optionally K, M, G or T, then
// optionally "B" or "iB", letters in either case; powers of 1024. Returns false, and leaves
// `*bytes`, when the text is anything else or the value does not fit into a size_t.
bool mi__parse_size(const char *text, size_t *bytes);

#endif
