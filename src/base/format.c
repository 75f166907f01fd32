// SPDX-License-Identifier: MIT
// format.c — text without allocation: a small printf, byte counts for people, and sizes read back.
//
// Owns:        nothing
// Threads:     see format.h
// Invariants:  F1, kept by `put`, the only function that writes into a text
// Not here:    where text goes → front/report.c
#include "base/format.h"

#include "base/bits.h"

typedef struct spec_t {
    bool left;
    bool zeros;
    size_t width;
    size_t precision; // SIZE_MAX: none given
    size_t bytes;     // of the integer argument
} spec_t;

static void
put(text_t *text, char c)
{
    if (text->length + 1 < sizeof text->chars) {
        text->chars[text->length++] = c;
        text->chars[text->length] = 0;
    } else {
        text->cut = true;
    }
}

static void
put_times(text_t *text, char c, size_t count)
{
    // A width may be absurd; the text is full long before.
    for (size_t i = 0; i < count && !text->cut; i++) {
        put(text, c);
    }
}

static void
put_padded(text_t *text, const spec_t *spec, const char *chars, size_t length)
{
    size_t padding = spec->width > length ? spec->width - length : 0;
    if (!spec->left) {
        put_times(text, ' ', padding);
    }
    for (size_t i = 0; i < length; i++) {
        put(text, chars[i]);
    }
    if (spec->left) {
        put_times(text, ' ', padding);
    }
}

static void
put_string(text_t *text, const spec_t *spec, const char *string)
{
    if (string == NULL) {
        string = "(null)";
    }
    size_t length = 0;
    while (length < spec->precision && string[length] != 0) {
        length++;
    }
    put_padded(text, spec, string, length);
}

// `prefix` (a sign or "0x") stands before zeros that pad, after spaces that do.
static void
put_number(text_t *text, const spec_t *spec, uint64_t value, unsigned base, const char *prefix)
{
    char digits[24];
    size_t count = 0;
    do {
        digits[sizeof digits - ++count] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    const char *first = digits + sizeof digits - count;

    size_t length = __builtin_strlen(prefix) + count;
    if (spec->zeros && !spec->left) {
        for (; *prefix != 0; prefix++) {
            put(text, *prefix);
        }
        put_times(text, '0', spec->width > length ? spec->width - length : 0);
        const spec_t bare = {0};
        put_padded(text, &bare, first, count);
        return;
    }
    char whole[32];
    size_t prefixed = 0;
    for (; *prefix != 0; prefix++) {
        whole[prefixed++] = *prefix;
    }
    __builtin_memcpy(whole + prefixed, first, count);
    put_padded(text, spec, whole, length);
}

static size_t
read_digits(const char **at)
{
    size_t value = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        value = size_min(value * 10 + (size_t)(**at - '0'), UINT16_MAX);
    }
    return value;
}

// Reads flags, width, precision and length behind a '%'; returns where the conversion stands.
static const char *
read_spec(const char *at, spec_t *spec, va_list *args)
{
    *spec = (spec_t){.precision = SIZE_MAX, .bytes = sizeof(int)};
    for (; *at == '-' || *at == '0'; at++) {
        spec->left = spec->left || *at == '-';
        spec->zeros = spec->zeros || *at == '0';
    }
    if (*at == '*') {
        int width = va_arg(*args, int);
        spec->left = spec->left || width < 0;
        spec->width = width < 0 ? -(size_t)width : (size_t)width;
        at++;
    } else {
        spec->width = read_digits(&at);
    }
    if (*at == '.') {
        at++;
        if (*at == '*') {
            int precision = va_arg(*args, int);
            spec->precision = precision < 0 ? SIZE_MAX : (size_t)precision;
            at++;
        } else {
            spec->precision = read_digits(&at);
        }
    }
    if (*at == 'z') {
        spec->bytes = sizeof(size_t);
        at++;
    } else if (*at == 'l') {
        spec->bytes = at[1] == 'l' ? sizeof(long long) : sizeof(long);
        at += at[1] == 'l' ? 2 : 1;
    }
    return at;
}

static uint64_t
unsigned_argument(const spec_t *spec, va_list *args)
{
    return spec->bytes == sizeof(unsigned) ? va_arg(*args, unsigned) : va_arg(*args, uint64_t);
}

static void
put_signed(text_t *text, const spec_t *spec, va_list *args)
{
    int64_t value = spec->bytes == sizeof(int) ? va_arg(*args, int) : va_arg(*args, int64_t);
    uint64_t size = value < 0 ? -(uint64_t)value : (uint64_t)value;
    put_number(text, spec, size, 10, value < 0 ? "-" : "");
}

// False when the conversion is not one of ours.
static bool
put_argument(text_t *text, char conversion, const spec_t *spec, va_list *args)
{
    switch (conversion) {
    case 's':
        put_string(text, spec, va_arg(*args, const char *));
        return true;
    case 'c': {
        char c = (char)va_arg(*args, int);
        put_padded(text, spec, &c, 1);
        return true;
    }
    case 'd':
        put_signed(text, spec, args);
        return true;
    case 'u':
        put_number(text, spec, unsigned_argument(spec, args), 10, "");
        return true;
    case 'x':
        put_number(text, spec, unsigned_argument(spec, args), 16, "");
        return true;
    case 'p':
        put_number(text, spec, (uintptr_t)va_arg(*args, void *), 16, "0x");
        return true;
    case '%':
        put(text, '%');
        return true;
    default:
        return false;
    }
}

// Passing a va_list parameter's address on is not portable (it may be an array type), a copy's is.
static void
format_all(text_t *text, const char *fmt, va_list *args)
{
    while (*fmt != 0) {
        if (*fmt != '%') {
            put(text, *fmt++);
            continue;
        }
        spec_t spec;
        const char *end = read_spec(fmt + 1, &spec, args);
        if (put_argument(text, *end, &spec, args)) {
            fmt = end + 1;
            continue;
        }
        while (fmt < end) {
            put(text, *fmt++);
        }
    }
}

void
mi__format_va(text_t *text, const char *fmt, va_list args)
{
    va_list copy;
    va_copy(copy, args);
    format_all(text, fmt, &copy);
    va_end(copy);
}

void
mi__format(text_t *text, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    mi__format_va(text, fmt, args);
    va_end(args);
}

void
mi__format_bytes(text_t *text, size_t bytes)
{
    static const char units[] = "KMGTPE";
    if (bytes < 1024) {
        mi__format(text, "%zu B", bytes);
        return;
    }
    // Tenths are rounded down, so that "1024.0 KiB" cannot appear and no figure is overstated.
    unsigned unit = highest_bit(bytes) / 10;
    unsigned shift = 10 * unit;
    size_t whole = bytes >> shift;
    size_t tenths = ((bytes >> (shift - 10)) & 1023) * 10 / 1024;
    mi__format(text, "%zu.%zu %ciB", whole, tenths, units[unit - 1]);
}

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool
mi__parse_size(const char *text, size_t *bytes)
{
    if (*text < '0' || *text > '9') {
        return false;
    }
    size_t value = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        if (__builtin_mul_overflow(value, (size_t)10, &value) ||
            __builtin_add_overflow(value, (size_t)(*text - '0'), &value)) {
            return false;
        }
    }
    static const char units[] = "kmgt";
    unsigned shift = 0;
    for (unsigned i = 0; units[i] != 0; i++) {
        if (lower(*text) == units[i]) {
            shift = 10 * (i + 1);
        }
    }
    text += shift != 0;
    if (shift != 0 && lower(text[0]) == 'i' && lower(text[1]) == 'b') {
        text += 2;
    } else if (lower(text[0]) == 'b') {
        text += 1;
    }
    size_t unit = shift < 8 * sizeof(size_t) ? (size_t)1 << shift : 0;
    if (*text != 0 || (unit == 0 && value != 0) || (unit != 0 && value > SIZE_MAX / unit)) {
        return false;
    }
    *bytes = value << (unit == 0 ? 0 : shift);
    return true;
}
