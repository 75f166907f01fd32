// SPDX-License-Identifier: MIT
// text.h — what the verbs say: bytes for people, JSON, and errors in one line.
#ifndef MI_TOOL_TEXT_H
#define MI_TOOL_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

// Exit codes, besides those of the programs that `run` starts.
enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1, // the thing itself: a process that is gone, no right to read it, no libmimalloc in it
    EXIT_USAGE = 2,
    EXIT_CANNOT_RUN = 126,
    EXIT_NOT_FOUND = 127,
};

// "mimalloc: " and the text to standard error, and the end of the tool.
_Noreturn void fail(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// "12.5 MiB" in `buffer`, which is returned; good for one line of output.
typedef struct bytes_text_t {
    char chars[24];
} bytes_text_t;
const char *bytes_text(bytes_text_t *text, uint64_t bytes);

// A file to write, and its end: where that fails the tool ends, with a line.
FILE *output_open(const char *path);
void output_close(FILE *to, const char *path);

// ---- JSON, to a stream

typedef struct json_t {
    FILE *to;
    unsigned depth;
    bool follows; // the next member comes after another one
} json_t;

void json_begin(json_t *json, const char *name, char bracket); // '{' or '['; `name` NULL in an array
void json_end(json_t *json, char bracket);
void json_number(json_t *json, const char *name, uint64_t value);
void json_signed(json_t *json, const char *name, int64_t value);
void json_real(json_t *json, const char *name, double value);
void json_bool(json_t *json, const char *name, bool value);
void json_text(json_t *json, const char *name, const char *text);

// A string with its quotes.
void json_string(FILE *to, const char *text);

// Memory, or the end of the tool.
void *get_memory(size_t count, size_t size);
void *grow_memory(void *old, size_t count, size_t size);
char *format_new(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
