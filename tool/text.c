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

// ---- JSON

static void
put_string(const json_t *json, const char *text)
{
    fputc('"', json->to);
    for (; *text != 0; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            fprintf(json->to, "\\%c", c);
        } else if (c < ' ') {
            fprintf(json->to, "\\u%04x", c);
        } else {
            fputc(c, json->to);
        }
    }
    fputc('"', json->to);
}

static void
put_name(json_t *json, const char *name)
{
    if (json->depth > 0) {
        fprintf(json->to, "%s\n%*s", json->follows ? "," : "", (int)json->depth * 2, "");
    }
    if (name != NULL) {
        put_string(json, name);
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
        put_string(json, text);
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
