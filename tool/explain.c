// SPDX-License-Identifier: MIT
// explain.c — mimalloc explain: the frames of an error report by function and line.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "symbols.h"
#include "text.h"
#include "verbs.h"

static const char help[] =
    "Usage: mimalloc explain [OPTIONS] FILE|-\n"
    "Prints a report of the library, or a log that has some, with functions and lines in the place of "
    "addresses. The\n"
    "programs and libraries must be those of the report; their debug information may lie apart from them\n"
    "(DEBUGINFOD_URLS).\n\n"
    "      --json\n"
    "  -h, --help\n\n"
    "Exit status: 0 done; 1 the file cannot be read, or has no frames; 2 wrong use.\n\n"
    "Examples:\n"
    "  ./server 2>errors.log; mimalloc explain errors.log\n"
    "  journalctl -u server | mimalloc explain -\n";

// "… #0 0x55d0c0de (/path/of/file+0x1234) (BuildId: 00ff…)"
typedef struct report_frame_t {
    size_t start; // of the '#', in the line
    unsigned long number;
    char *path;
    uint64_t distance;
    char *build_id; // NULL: none
} report_frame_t;

static bool
read_frame(const char *line, report_frame_t *frame)
{
    for (const char *at = strchr(line, '#'); at != NULL; at = strchr(at + 1, '#')) {
        char *end;
        frame->number = strtoul(at + 1, &end, 10);
        if (end == at + 1 || strncmp(end, " 0x", 3) != 0) {
            continue;
        }
        (void)strtoull(end + 1, &end, 16);
        const char *path = strncmp(end, " (/", 3) == 0 ? end + 2 : NULL;
        const char *close = path == NULL ? NULL : strstr(path, ") (BuildId: ");
        close = close != NULL || path == NULL ? close : strrchr(path, ')');
        const char *plus = close == NULL ? NULL : memrchr(path, '+', (size_t)(close - path));
        if (plus == NULL || strncmp(plus, "+0x", 3) != 0) {
            continue;
        }
        frame->start = (size_t)(at - line);
        frame->path = strndup(path, (size_t)(plus - path));
        frame->distance = strtoull(plus + 1, NULL, 16);
        const char *id = strncmp(close, ") (BuildId: ", 12) == 0 ? close + 12 : NULL;
        frame->build_id = id == NULL ? NULL : strndup(id, strspn(id, "0123456789abcdef"));
        return true;
    }
    return false;
}

typedef struct output_t {
    const report_frame_t *frame;
    const char *line;
    json_t *json; // NULL: text
} output_t;

static void
put_place(const place_t *place, void *arg)
{
    const output_t *to = arg;
    if (to->json != NULL) {
        json_begin(to->json, NULL, '{');
        json_text(to->json, "function", place->function);
        json_text(to->json, "file", place->file);
        json_number(to->json, "line", place->line);
        json_end(to->json, '}');
        return;
    }
    printf("%.*s#%lu %s", (int)to->frame->start, to->line, to->frame->number, place->function);
    if (place->file != NULL) {
        printf(place->line > 0 ? " %s:%u" : " %s", place->file, place->line);
    }
    printf(" (%s)\n", place->module);
}

// Without a name the line stays as it is.
static void
explain_line(symbols_t *symbols, const char *line, const report_frame_t *frame, json_t *json)
{
    output_t to = {frame, line, json};
    if (json != NULL) {
        json_begin(json, NULL, '{');
        json_text(json, "text", line);
        json_begin(json, "places", '[');
    }
    bool named = frame != NULL &&
                 symbols_in_file(symbols, frame->path, frame->build_id, frame->distance, put_place, &to);
    if (json != NULL) {
        json_end(json, ']');
        json_end(json, '}');
    } else if (!named) {
        printf("%s\n", line);
    }
}

static size_t
explain(FILE *from, symbols_t *symbols, json_t *json)
{
    char *line = NULL;
    size_t room = 0;
    size_t frames = 0;
    ssize_t length;
    while ((length = getline(&line, &room, from)) >= 0) {
        report_frame_t frame;
        line[length > 0 && line[length - 1] == '\n' ? length - 1 : length] = 0;
        bool is_frame = read_frame(line, &frame);
        explain_line(symbols, line, is_frame ? &frame : NULL, json);
        if (is_frame) {
            free(frame.path);
            free(frame.build_id);
        }
        frames += is_frame;
    }
    free(line);
    return frames;
}

int
verb_explain(int argc, char **argv)
{
    bool as_json = false;
    const argument_t table[] = {{"json", 0, no_argument, .flag = &as_json}};
    const char *name =
        *arguments_read(argc, argv, &(arguments_t){help, table, 1, "one file, or -", 1, 1, NULL});
    FILE *from = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
    if (from == NULL) {
        fail(EXIT_FAILED, "%s cannot be read: %s", name, strerror(errno));
    }
    symbols_t *symbols = symbols_new();
    json_t json = {.to = stdout};
    if (as_json) {
        json_begin(&json, NULL, '[');
    }
    size_t frames = explain(from, symbols, as_json ? &json : NULL);
    if (as_json) {
        json_end(&json, ']');
    }
    symbols_tell_changed(symbols);
    bool failed = ferror(from) != 0;
    if (from != stdin) {
        fclose(from);
    }
    symbols_free(symbols);
    if (failed) {
        fail(EXIT_FAILED, "%s cannot be read: %s", name, strerror(errno));
    }
    if (frames == 0) {
        fail(EXIT_FAILED, "%s has no frames of a report: lines like \"#0 0x55d0c0de (/path+0x1234)\"", name);
    }
    return EXIT_DONE;
}
