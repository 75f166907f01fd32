// SPDX-License-Identifier: MIT
// rust_names.c — Rust's mangled names of the form "v0" (RFC 2603), for people: without hashes of crates.
//
// The grammar is read by one function for each of its rules, which prints as it reads. A name may refer back
// to what came before it, so that short ones could stand for endless text: what is read and printed has
// bounds.
#include "rust_names.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 16384, STEPS_MAX = 20000, DEPTH_MAX = 128, CHARACTERS_MAX = 256 };

typedef struct rust_name_t {
    const char *name; // behind "_R"; what it refers back to is counted from here
    size_t at;
    size_t end;
    char text[TEXT_MAX];
    size_t length;
    unsigned steps;
    unsigned depth;
    uint64_t bound; // lifetimes that are named around here
    bool silent;
    bool bad;
} rust_name_t;

static void read_path(rust_name_t *rust, bool as_value);
static void read_type(rust_name_t *rust);
static void read_constant(rust_name_t *rust);

__attribute__((format(printf, 2, 3))) static void
put(rust_name_t *rust, const char *fmt, ...)
{
    if (rust->silent || rust->bad) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    int length = vsnprintf(rust->text + rust->length, TEXT_MAX - rust->length, fmt, args);
    va_end(args);
    rust->bad = length < 0 || (size_t)length >= TEXT_MAX - rust->length;
    rust->length += rust->bad ? 0 : (size_t)length;
}

static char
peek(const rust_name_t *rust)
{
    return rust->at < rust->end && !rust->bad ? rust->name[rust->at] : 0;
}

static char
next(rust_name_t *rust)
{
    char c = peek(rust);
    rust->bad = rust->bad || c == 0 || rust->steps++ > STEPS_MAX;
    rust->at += c != 0;
    return c;
}

static bool
take(rust_name_t *rust, char wanted)
{
    bool is = peek(rust) == wanted;
    rust->at += is;
    return is;
}

// ---- numbers and names

// "_" is 0, "0_" 1, and so on.
static uint64_t
read_base_62(rust_name_t *rust)
{
    uint64_t value = 0;
    for (bool any = false; !rust->bad; any = true) {
        char c = next(rust);
        if (c == '_') {
            return any ? value + 1 : 0;
        }
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'z' ? c - 'a' + 10
                    : c >= 'A' && c <= 'Z' ? c - 'A' + 36
                                           : -1;
        rust->bad = rust->bad || digit < 0 || value > (UINT64_MAX - 62) / 62;
        value = value * 62 + (uint64_t)digit;
    }
    return 0;
}

// What the letter begins, plus one; 0 where it is not there.
static uint64_t
read_optional(rust_name_t *rust, char letter)
{
    return take(rust, letter) ? read_base_62(rust) + 1 : 0;
}

static void
put_character(rust_name_t *rust, uint32_t c)
{
    if (c < 0x80) {
        put(rust, "%c", (char)c);
    } else if (c < 0x800) {
        put(rust, "%c%c", (char)(0xc0 | c >> 6), (char)(0x80 | (c & 63)));
    } else if (c < 0x10000) {
        put(rust, "%c%c%c", (char)(0xe0 | c >> 12), (char)(0x80 | (c >> 6 & 63)), (char)(0x80 | (c & 63)));
    } else {
        put(rust, "%c%c%c%c", (char)(0xf0 | (c >> 18 & 7)), (char)(0x80 | (c >> 12 & 63)),
            (char)(0x80 | (c >> 6 & 63)), (char)(0x80 | (c & 63)));
    }
}

// Punycode (RFC 3492), with "_" before what tells the other characters and their places.
static void
put_punycode(rust_name_t *rust, const char *text, size_t length)
{
    uint32_t characters[CHARACTERS_MAX];
    const char *bar = memrchr(text, '_', length);
    size_t count = bar == NULL ? 0 : (size_t)(bar - text);
    const char *at = bar == NULL ? text : bar + 1;
    const char *end = text + length;
    uint64_t c = 128;
    uint64_t place = 0;
    uint64_t bias = 72;
    rust->bad = rust->bad || count >= CHARACTERS_MAX;
    for (size_t i = 0; i < count && !rust->bad; i++) {
        characters[i] = (unsigned char)text[i];
    }
    for (bool first = true; at < end && !rust->bad; first = false) {
        uint64_t before = place;
        uint64_t weight = 1;
        for (uint64_t k = 36;; k += 36) {
            int digit = at == end                  ? -1
                        : *at >= 'a' && *at <= 'z' ? *at - 'a'
                        : *at >= '0' && *at <= '9' ? *at - '0' + 26
                                                   : -1;
            uint64_t limit = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
            if (digit < 0 || weight > UINT32_MAX || count + 1 >= CHARACTERS_MAX) {
                rust->bad = true;
                return;
            }
            at++;
            place += (uint64_t)digit * weight;
            if ((uint64_t)digit < limit) {
                break;
            }
            weight *= 36 - limit;
        }
        count++;
        uint64_t delta = (place - before) / (first ? 700 : 2);
        delta += delta / count;
        for (bias = 0; delta > 455; bias += 36) {
            delta /= 35;
        }
        bias += 36 * delta / (delta + 38);
        c += place / count;
        place %= count;
        rust->bad = c > 0x10ffff;
        memmove(characters + place + 1, characters + place, (count - 1 - place) * sizeof characters[0]);
        characters[place++] = (uint32_t)c;
    }
    for (size_t i = 0; i < count && !rust->bad; i++) {
        put_character(rust, characters[i]);
    }
}

typedef struct part_t {
    const char *text;
    size_t length;
    uint64_t number; // to tell it from others of that name
    bool is_punycode;
} part_t;

static part_t
read_part(rust_name_t *rust, bool numbered)
{
    part_t part = {.number = numbered ? read_optional(rust, 's') : 0};
    part.is_punycode = take(rust, 'u');
    bool any = false;
    for (char c = peek(rust); c >= '0' && c <= '9' && !(any && part.length == 0); c = peek(rust)) {
        part.length = part.length * 10 + (size_t)(next(rust) - '0');
        any = true;
        rust->bad = rust->bad || part.length > rust->end;
    }
    (void)take(rust, '_');
    rust->bad = rust->bad || !any || part.length > rust->end - rust->at;
    if (rust->bad) {
        return (part_t){.text = ""};
    }
    part.text = rust->name + rust->at;
    rust->at += part.length;
    return part;
}

static void
put_part(rust_name_t *rust, const part_t *part)
{
    if (part->is_punycode) {
        put_punycode(rust, part->text, part->length);
    } else {
        put(rust, "%.*s", (int)part->length, part->text);
    }
}

// Goes on at an earlier place, and comes back.
static bool
read_back(rust_name_t *rust, bool read(rust_name_t *rust, bool argument), bool argument)
{
    size_t start = rust->at - 1; // of the letter
    uint64_t place = read_base_62(rust);
    size_t behind = rust->at;
    rust->bad = rust->bad || place >= start;
    // What is not printed needs no second reading.
    if (rust->bad || rust->silent) {
        return false;
    }
    rust->at = place;
    bool told = read(rust, argument);
    rust->at = behind;
    return told;
}

// ---- lifetimes

static void
put_lifetime(rust_name_t *rust, uint64_t number)
{
    if (number == 0) {
        put(rust, "'_");
    } else if (number > rust->bound) {
        rust->bad = true;
    } else if (rust->bound - number < 26) {
        put(rust, "'%c", (char)('a' + (rust->bound - number)));
    } else {
        put(rust, "'_%llu", (unsigned long long)(rust->bound - number));
    }
}

// "for<'a, 'b> ", and how many these are.
static uint64_t
read_binder(rust_name_t *rust)
{
    uint64_t count = read_optional(rust, 'G');
    rust->bad = rust->bad || count > 256;
    for (uint64_t i = 0; i < count && !rust->bad; i++) {
        put(rust, i == 0 ? "for<" : ", ");
        rust->bound++;
        put_lifetime(rust, 1);
    }
    put(rust, count > 0 ? "> " : "");
    return rust->bad ? 0 : count;
}

// ---- paths

static void
read_arguments(rust_name_t *rust)
{
    for (bool follows = false; !rust->bad && !take(rust, 'E'); follows = true) {
        put(rust, follows ? ", " : "");
        if (take(rust, 'L')) {
            put_lifetime(rust, read_base_62(rust));
        } else if (take(rust, 'K')) {
            read_constant(rust);
        } else {
            read_type(rust);
        }
    }
}

// Where an impl stands is not told, but what it is of.
static void
skip_impl(rust_name_t *rust)
{
    bool silent = rust->silent;
    rust->silent = true;
    (void)read_optional(rust, 's');
    read_path(rust, false);
    rust->silent = silent;
}

static void
read_nested(rust_name_t *rust, bool as_value)
{
    char space = next(rust);
    read_path(rust, as_value);
    part_t part = read_part(rust, true);
    if (space >= 'A' && space <= 'Z') {
        const char *kind = space == 'C' ? "closure" : space == 'S' ? "shim" : NULL;
        put(rust, "::{");
        if (kind != NULL) {
            put(rust, "%s", kind);
        } else {
            put(rust, "%c", space);
        }
        put(rust, part.length > 0 ? ":" : "");
        put_part(rust, &part);
        put(rust, "#%llu}", (unsigned long long)part.number);
    } else if (part.length > 0) {
        put(rust, "::");
        put_part(rust, &part);
    }
}

// Returns whether "<…" was left open, for what follows it.
static bool
read_path_part(rust_name_t *rust, bool as_value, bool leave_open)
{
    part_t part;
    switch (next(rust)) {
    case 'C':
        part = read_part(rust, true);
        put_part(rust, &part);
        break;
    case 'N':
        read_nested(rust, as_value);
        break;
    case 'X':
    case 'M':
        rust->at--;
        bool has_trait = next(rust) == 'X';
        skip_impl(rust);
        put(rust, "<");
        read_type(rust);
        put(rust, has_trait ? " as " : "");
        if (has_trait) {
            read_path(rust, false);
        }
        put(rust, ">");
        break;
    case 'Y':
        put(rust, "<");
        read_type(rust);
        put(rust, " as ");
        read_path(rust, false);
        put(rust, ">");
        break;
    case 'I':
        read_path(rust, as_value);
        put(rust, as_value ? "::<" : "<");
        read_arguments(rust);
        put(rust, leave_open ? "" : ">");
        return leave_open;
    default:
        rust->bad = true;
    }
    return false;
}

static bool
read_any_path(rust_name_t *rust, bool as_value)
{
    read_path(rust, as_value);
    return false;
}

static void
read_path(rust_name_t *rust, bool as_value)
{
    rust->bad = rust->bad || ++rust->depth > DEPTH_MAX;
    if (take(rust, 'B')) {
        (void)read_back(rust, read_any_path, as_value);
    } else {
        (void)read_path_part(rust, as_value, false);
    }
    rust->depth--;
}

// ---- types

static const char *
basic_type(char letter)
{
    static const char *const names[26] = {
        "i8",   "bool", "char", "f64", "str", "f32", NULL,  "u8", "isize", "usize", NULL,  "i32", "u32",
        "i128", "u128", "_",    NULL,  NULL,  "i16", "u16", "()", "...",   NULL,    "i64", "u64", "!",
    };
    return letter >= 'a' && letter <= 'z' ? names[letter - 'a'] : NULL;
}

static void
read_function(rust_name_t *rust)
{
    uint64_t bound = read_binder(rust);
    put(rust, take(rust, 'U') ? "unsafe " : "");
    if (take(rust, 'K')) {
        part_t abi = take(rust, 'C') ? (part_t){.text = "C", .length = 1} : read_part(rust, false);
        put(rust, "extern \"");
        for (size_t i = 0; i < abi.length; i++) {
            put(rust, "%c", abi.text[i] == '_' ? '-' : abi.text[i]);
        }
        put(rust, "\" ");
    }
    put(rust, "fn(");
    for (bool follows = false; !rust->bad && !take(rust, 'E'); follows = true) {
        put(rust, follows ? ", " : "");
        read_type(rust);
    }
    put(rust, ")");
    if (!take(rust, 'u')) {
        put(rust, " -> ");
        read_type(rust);
    }
    rust->bound -= bound;
}

static bool
read_trait(rust_name_t *rust, bool unused)
{
    (void)unused;
    return take(rust, 'B') ? read_back(rust, read_trait, false) : read_path_part(rust, false, true);
}

static void
read_dyn(rust_name_t *rust)
{
    put(rust, "dyn ");
    uint64_t bound = read_binder(rust);
    for (bool follows = false; !rust->bad && !take(rust, 'E'); follows = true) {
        put(rust, follows ? " + " : "");
        bool open = read_trait(rust, false);
        while (take(rust, 'p')) {
            put(rust, open ? ", " : "<");
            open = true;
            part_t part = read_part(rust, false);
            put_part(rust, &part);
            put(rust, " = ");
            read_type(rust);
        }
        put(rust, open ? ">" : "");
    }
    rust->bound -= bound;
    if (!take(rust, 'L')) {
        rust->bad = true;
        return;
    }
    uint64_t lifetime = read_base_62(rust);
    if (lifetime != 0) {
        put(rust, " + ");
        put_lifetime(rust, lifetime);
    }
}

static void
read_tuple(rust_name_t *rust)
{
    unsigned count = 0;
    put(rust, "(");
    for (; !rust->bad && !take(rust, 'E'); count++) {
        put(rust, count > 0 ? ", " : "");
        read_type(rust);
    }
    put(rust, count == 1 ? ",)" : ")");
}

static void
read_reference(rust_name_t *rust, bool is_mutable)
{
    put(rust, "&");
    if (take(rust, 'L')) {
        uint64_t lifetime = read_base_62(rust);
        if (lifetime != 0) {
            put_lifetime(rust, lifetime);
            put(rust, " ");
        }
    }
    put(rust, is_mutable ? "mut " : "");
    read_type(rust);
}

static bool
read_any_type(rust_name_t *rust, bool unused)
{
    (void)unused;
    read_type(rust);
    return false;
}

static void
read_type(rust_name_t *rust)
{
    char letter = next(rust);
    const char *basic = basic_type(letter);
    rust->bad = rust->bad || ++rust->depth > DEPTH_MAX;
    switch (basic != NULL ? 0 : letter) {
    case 0:
        put(rust, "%s", basic == NULL ? "" : basic);
        break;
    case 'A':
    case 'S':
        put(rust, "[");
        read_type(rust);
        if (letter == 'A') {
            put(rust, "; ");
            read_constant(rust);
        }
        put(rust, "]");
        break;
    case 'T':
        read_tuple(rust);
        break;
    case 'R':
    case 'Q':
        read_reference(rust, letter == 'Q');
        break;
    case 'P':
    case 'O':
        put(rust, letter == 'P' ? "*const " : "*mut ");
        read_type(rust);
        break;
    case 'F':
        read_function(rust);
        break;
    case 'D':
        read_dyn(rust);
        break;
    case 'B':
        (void)read_back(rust, read_any_type, false);
        break;
    default:
        rust->at--;
        read_path(rust, false);
    }
    rust->depth--;
}

// ---- constants

static bool
read_any_constant(rust_name_t *rust, bool unused)
{
    (void)unused;
    read_constant(rust);
    return false;
}

static void
put_value(rust_name_t *rust, char type, uint64_t value)
{
    if (type == 'b') {
        rust->bad = rust->bad || value > 1;
        put(rust, "%s", value != 0 ? "true" : "false");
    } else if (type == 'c') {
        put(rust, "'");
        put_character(rust, (uint32_t)value);
        put(rust, "'");
    } else {
        put(rust, "%llu", (unsigned long long)value);
    }
}

// Numbers, truth values and characters. Others are told as "{…}" by nobody: the name stays as it is.
static void
read_constant(rust_name_t *rust)
{
    char type = next(rust);
    if (type == 'B') {
        (void)read_back(rust, read_any_constant, false);
        return;
    }
    if (type == 'p') {
        put(rust, "_");
        return;
    }
    rust->bad = rust->bad || type == 0 || strchr("abchijlmnostxy", type) == NULL;
    put(rust, take(rust, 'n') ? "-" : "");
    size_t start = rust->at;
    uint64_t value = 0;
    for (char c = next(rust); c != '_' && !rust->bad; c = next(rust)) {
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        rust->bad = rust->bad || digit < 0;
        value = value << 4 | (uint64_t)digit;
    }
    int digits = rust->bad ? 0 : (int)(rust->at - start - 1);
    if (digits > 16) {
        put(rust, "0x%.*s", digits, rust->name + start);
    } else {
        put_value(rust, type, value);
    }
}

char *
rust_demangle(const char *mangled)
{
    if (strncmp(mangled, "_R", 2) != 0 || mangled[2] < 'A' || mangled[2] > 'Z') {
        return NULL;
    }
    // Behind a "." stands what a compiler has added.
    rust_name_t rust = {.name = mangled + 2, .end = strcspn(mangled + 2, ".$")};
    read_path(&rust, true);
    if (rust.at < rust.end) {
        rust.silent = true; // the crate that it was made for
        read_path(&rust, false);
    }
    return rust.bad || rust.at != rust.end ? NULL : strdup(rust.text);
}

// ---- older names

// The character that "$…$" stands for, at `name`, and its length; 0: none.
static char
escaped(const char *name, size_t *length)
{
    static const struct {
        const char *text;
        char character;
    } escapes[] = {{"$LT$", '<'}, {"$GT$", '>'}, {"$LP$", '('}, {"$RP$", ')'},
                   {"$RF$", '&'}, {"$BP$", '*'}, {"$SP$", '@'}, {"$C$", ','}};
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        *length = strlen(escapes[i].text);
        if (strncmp(name, escapes[i].text, *length) == 0) {
            return escapes[i].character;
        }
    }
    char *end;
    unsigned long code = strncmp(name, "$u", 2) == 0 ? strtoul(name + 2, &end, 16) : 0;
    bool is = code >= ' ' && code < 0x7f && *end == '$';
    *length = is ? (size_t)(end + 1 - name) : 0;
    return is ? (char)code : 0;
}

void
rust_unescape(char *name)
{
    enum { HASH = 19 };
    size_t length = strlen(name);
    if (length <= HASH || strncmp(name + length - HASH, "::h", 3) != 0 ||
        strspn(name + length - HASH + 3, "0123456789abcdef") != HASH - 3) {
        return;
    }
    name[length - HASH] = 0;
    char *to = name;
    for (const char *at = name; *at != 0;) {
        bool begins = at == name || at[-1] == ':';
        size_t taken;
        char character = escaped(at, &taken);
        if (character != 0) {
            *to++ = character;
            at += taken;
        } else if (strncmp(at, "..", 2) == 0) {
            *to++ = ':';
            *to++ = ':';
            at += 2;
        } else if (begins && strncmp(at, "_$", 2) == 0) {
            at++;
        } else {
            *to++ = *at++;
        }
    }
    *to = 0;
}
