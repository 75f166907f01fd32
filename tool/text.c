// SPDX-License-Identifier: MIT
// text.c — what the verbs say.
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void
fail(int status, const char *fmt, ...)
{
    va_list args;
    fflush(stdout);
    fputs("mimalloc: ", stderr);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    exit(status);
}

const char *
bytes_text(bytes_text_t *text, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    unsigned unit = 0;
    while (value >= 1024 && unit < 6) {
        value /= 1024;
        unit++;
    }
    snprintf(text->chars, sizeof text->chars, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return text->chars;
}

FILE *
output_open(const char *path)
{
    FILE *to = fopen(path, "we");
    if (to == NULL) {
        fail(EXIT_FAILED, "%s cannot be written: %s", path, strerror(errno));
    }
    return to;
}

void
output_close(FILE *to, const char *path)
{
    bool whole = ferror(to) == 0;
    if (fclose(to) != 0 || !whole) {
        fail(EXIT_FAILED, "%s cannot be written: %s", path, strerror(errno));
    }
}

// ---- JSON

// Bytes of the character of UTF-8 that begins here; 0 where none does.
static unsigned
utf8_length(const unsigned char *at)
{
    unsigned length = *at < 0x80 ? 1 : *at < 0xc2 ? 0 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : *at < 0xf5 ? 4 : 0;
    for (unsigned i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

// Names come from foreign files, and may stand in a page: no byte of them ends the script there.
void
json_string(FILE *to, const char *text)
{
    fputc('"', to);
    for (const unsigned char *at = (const unsigned char *)text; *at != 0;) {
        unsigned length = utf8_length(at);
        if (length == 0) {
            fputc('?', to);
        } else if (*at == '"' || *at == '\\') {
            fprintf(to, "\\%c", *at);
        } else if (*at < ' ' || *at == '<') {
            fprintf(to, "\\u%04x", *at);
        } else {
            fwrite(at, 1, length, to);
        }
        at += length == 0 ? 1 : length;
    }
    fputc('"', to);
}

static void
put_name(json_t *json, const char *name)
{
    if (json->depth > 0) {
        fprintf(json->to, "%s\n%*s", json->follows ? "," : "", (int)json->depth * 2, "");
    }
    if (name != NULL) {
        json_string(json->to, name);
        fputs(": ", json->to);
    }
    json->follows = true;
}

void
json_begin(json_t *json, const char *name, char bracket)
{
    put_name(json, name);
    fputc(bracket, json->to);
    json->depth++;
    json->follows = false;
}

void
json_end(json_t *json, char bracket)
{
    json->depth--;
    fprintf(json->to, "\n%*s%c", (int)json->depth * 2, "", bracket);
    json->follows = true;
    if (json->depth == 0) {
        fputc('\n', json->to);
    }
}

void
json_number(json_t *json, const char *name, uint64_t value)
{
    put_name(json, name);
    fprintf(json->to, "%llu", (unsigned long long)value);
}

void
json_signed(json_t *json, const char *name, int64_t value)
{
    put_name(json, name);
    fprintf(json->to, "%lld", (long long)value);
}

void
json_real(json_t *json, const char *name, double value)
{
    put_name(json, name);
    fprintf(json->to, "%.6g", value);
}

void
json_bool(json_t *json, const char *name, bool value)
{
    put_name(json, name);
    fputs(value ? "true" : "false", json->to);
}

void
json_text(json_t *json, const char *name, const char *text)
{
    put_name(json, name);
    if (text == NULL) {
        fputs("null", json->to);
    } else {
        json_string(json->to, text);
    }
}

// ---- memory

void *
get_memory(size_t count, size_t size)
{
    void *p = calloc(count > 0 ? count : 1, size);
    if (p == NULL) {
        fail(EXIT_FAILED, "no memory for %zu times %zu bytes", count, size);
    }
    return p;
}

void *
grow_memory(void *old, size_t count, size_t size)
{
    void *p = reallocarray(old, count, size);
    if (p == NULL) {
        fail(EXIT_FAILED, "no memory for %zu times %zu bytes", count, size);
    }
    return p;
}

char *
format_new(const char *fmt, ...)
{
    char *text;
    va_list args;
    va_start(args, fmt);
    int length = vasprintf(&text, fmt, args);
    va_end(args);
    if (length < 0) {
        fail(EXIT_FAILED, "no memory");
    }
    return text;
}
