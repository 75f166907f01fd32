// SPDX-License-Identifier: MIT
// pprof_file.c — profile.proto, read with every length checked, and written.
//
// Messages name each other by number and may come in any order: they are gathered first, then put together.
#include "pprof_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "front/pprof_fields.h"
#include "symbols.h"
#include "text.h"

enum { TYPES_MAX = STACKS_TYPES_MAX / 2, DEPTH_MAX = 4096 };
static const size_t bytes_max = (size_t)1 << 30; // of a file, without compression

typedef struct slice_t {
    const unsigned char *at;
    const unsigned char *end;
} slice_t;

typedef struct list_t {
    slice_t *messages;
    size_t count;
} list_t;

typedef struct location_t {
    uint64_t id;
    size_t first; // of its frames
    size_t count;
} location_t;

typedef struct function_t {
    uint64_t id;
    uint64_t name;
    uint64_t file;
} function_t;

typedef struct reader_t {
    const char *path;
    unsigned char *bytes;
    list_t lists[PROFILE_FIELDS_MAX];
    uint64_t numbers[PROFILE_FIELDS_MAX];
    char **strings;
    function_t *functions;
    location_t *locations;
    uint32_t *frames; // of locations
    size_t frame_count;
    symbols_t *symbols;
    stacks_t *stacks;
} reader_t;

static _Noreturn void
damaged(const reader_t *reader, const char *what)
{
    fail(EXIT_FAILED, "%s is damaged, or no profile of pprof's format: %s", reader->path, what);
}

// ---- protocol buffers

static uint64_t
read_varint(const reader_t *reader, slice_t *from)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (from->at == from->end) {
            damaged(reader, "a number is cut off");
        }
        unsigned char byte = *from->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    damaged(reader, "a number has too many bytes");
}

typedef struct field_t {
    unsigned number;
    bool is_bytes;
    uint64_t value;
    slice_t bytes;
} field_t;

// The next field of a message; false at its end.
static bool
next_field(const reader_t *reader, slice_t *from, field_t *field)
{
    if (from->at == from->end) {
        return false;
    }
    uint64_t key = read_varint(reader, from);
    *field = (field_t){.number = key >> 3 < PROFILE_FIELDS_MAX ? (unsigned)(key >> 3) : 0};
    uint64_t length = (key & 7) == FIXED64 ? 8 : (key & 7) == FIXED32 ? 4 : 0;
    if ((key & 7) == NUMBER) {
        field->value = read_varint(reader, from);
        return true;
    }
    if ((key & 7) == BYTES) {
        field->is_bytes = true;
        length = read_varint(reader, from);
    } else if (length == 0) {
        damaged(reader, "a field of a kind that there is not");
    }
    if (length > (uint64_t)(from->end - from->at)) {
        damaged(reader, "a field is longer than its message");
    }
    field->bytes = (slice_t){from->at, from->at + length};
    from->at += length;
    return true;
}

// Numbers by field; of messages without repeated ones.
static void
read_numbers(const reader_t *reader, slice_t message, uint64_t numbers[PROFILE_FIELDS_MAX])
{
    field_t field;
    memset(numbers, 0, PROFILE_FIELDS_MAX * sizeof *numbers);
    while (next_field(reader, &message, &field)) {
        if (!field.is_bytes) {
            numbers[field.number] = field.value;
        }
    }
}

// Repeated numbers, packed or one by one. Returns how many there are in all, of which `most` are kept.
static size_t
read_repeated(const reader_t *reader, const field_t *field, uint64_t *to, size_t count, size_t most)
{
    slice_t from = field->bytes;
    if (!field->is_bytes) {
        if (count < most) {
            to[count] = field->value;
        }
        return count + 1;
    }
    while (from.at != from.end) {
        uint64_t value = read_varint(reader, &from);
        if (count < most) {
            to[count] = value;
        }
        count++;
    }
    return count;
}

// ---- the file

static slice_t
read_file(reader_t *reader)
{
    struct stat about;
    gzFile file =
        stat(reader->path, &about) != 0 || S_ISDIR(about.st_mode) ? NULL : gzopen(reader->path, "rb");
    if (file == NULL) {
        fail(EXIT_FAILED, "%s cannot be read: %s", reader->path, strerror(errno != 0 ? errno : EISDIR));
    }
    size_t room = 1 << 16;
    size_t length = 0;
    int part;
    reader->bytes = get_memory(room, 1);
    while ((part = gzread(file, reader->bytes + length, (unsigned)(room - length))) > 0) {
        length += (size_t)part;
        if (length > bytes_max) {
            fail(EXIT_FAILED, "%s has more than 1 GiB: that is no profile", reader->path);
        }
        if (room - length < room / 4) {
            room *= 2;
            reader->bytes = grow_memory(reader->bytes, room, 1);
        }
    }
    int error;
    (void)gzerror(file, &error);
    gzclose(file);
    if (part < 0 || error != Z_OK) {
        fail(EXIT_FAILED, "%s is cut off or damaged: write the profile again, or copy it whole",
             reader->path);
    }
    return (slice_t){reader->bytes, reader->bytes + length};
}

static void
gather(reader_t *reader, slice_t from)
{
    field_t field;
    while (next_field(reader, &from, &field)) {
        list_t *list = &reader->lists[field.number];
        if (!field.is_bytes) {
            reader->numbers[field.number] = field.value;
            continue;
        }
        if ((list->count & (list->count + 1)) == 0) {
            list->messages = grow_memory(list->messages, 2 * list->count + 2, sizeof *list->messages);
        }
        list->messages[list->count++] = field.bytes;
    }
    const list_t *strings = &reader->lists[PROFILE_STRING];
    reader->strings = get_memory(strings->count, sizeof *reader->strings);
    for (size_t i = 0; i < strings->count; i++) {
        slice_t text = strings->messages[i];
        reader->strings[i] = strndup((const char *)text.at, (size_t)(text.end - text.at));
    }
    if (strings->count == 0 || reader->strings[0][0] != 0) {
        damaged(reader, "it has no table of strings");
    }
}

static const char *
string_at(const reader_t *reader, uint64_t number)
{
    if (number >= reader->lists[PROFILE_STRING].count) {
        damaged(reader, "a string that is not there");
    }
    return reader->strings[number];
}

// ---- types, mappings, functions, locations

static void
read_types(reader_t *reader)
{
    const list_t *types = &reader->lists[PROFILE_SAMPLE_TYPE];
    uint64_t numbers[PROFILE_FIELDS_MAX];
    if (types->count == 0) {
        damaged(reader, "it has no types of figures");
    }
    for (size_t i = 0; i < types->count && i < TYPES_MAX; i++) {
        read_numbers(reader, types->messages[i], numbers);
        stacks_add_type(reader->stacks, string_at(reader, numbers[TYPE_NAME]),
                        string_at(reader, numbers[TYPE_UNIT]));
    }
    int shown = stacks_find_type(reader->stacks, string_at(reader, reader->numbers[PROFILE_DEFAULT_TYPE]));
    reader->stacks->shown = shown >= 0 ? (unsigned)shown : reader->stacks->type_count - 1;
}

static void
read_mappings(reader_t *reader)
{
    const list_t *mappings = &reader->lists[PROFILE_MAPPING];
    uint64_t numbers[PROFILE_FIELDS_MAX];
    reader->symbols = symbols_new();
    for (size_t i = 0; i < mappings->count; i++) {
        read_numbers(reader, mappings->messages[i], numbers);
        const char *path = string_at(reader, numbers[MAPPING_FILE]);
        if (*path == '/') {
            symbols_add(reader->symbols, path, string_at(reader, numbers[MAPPING_BUILD_ID]),
                        numbers[MAPPING_START], numbers[MAPPING_LIMIT], numbers[MAPPING_OFFSET]);
        }
    }
}

static int
by_id(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void
read_functions(reader_t *reader)
{
    const list_t *functions = &reader->lists[PROFILE_FUNCTION];
    uint64_t numbers[PROFILE_FIELDS_MAX];
    reader->functions = get_memory(functions->count, sizeof *reader->functions);
    for (size_t i = 0; i < functions->count; i++) {
        read_numbers(reader, functions->messages[i], numbers);
        reader->functions[i] =
            (function_t){numbers[FUNCTION_ID], numbers[FUNCTION_NAME], numbers[FUNCTION_FILE]};
    }
    qsort(reader->functions, functions->count, sizeof *reader->functions, by_id);
}

static void
add_frame(reader_t *reader, const char *function, const char *file, unsigned line, const char *module)
{
    if ((reader->frame_count & (reader->frame_count + 1)) == 0) {
        reader->frames = grow_memory(reader->frames, 2 * reader->frame_count + 2, sizeof *reader->frames);
    }
    reader->frames[reader->frame_count++] = stacks_frame(reader->stacks, function, file, line, module);
}

static void
add_place(const place_t *place, void *arg)
{
    add_frame(arg, place->function, place->file, place->line, place->module);
}

static void
add_line(reader_t *reader, slice_t message)
{
    uint64_t numbers[PROFILE_FIELDS_MAX];
    read_numbers(reader, message, numbers);
    const function_t *function =
        bsearch(&numbers[LINE_FUNCTION], reader->functions, reader->lists[PROFILE_FUNCTION].count,
                sizeof *reader->functions, by_id);
    if (function == NULL) {
        damaged(reader, "a function that is not there");
    }
    const char *file = string_at(reader, function->file);
    add_frame(reader, string_at(reader, function->name), *file == 0 ? NULL : file,
              (unsigned)numbers[LINE_LINE], NULL);
}

static void
read_locations(reader_t *reader)
{
    const list_t *locations = &reader->lists[PROFILE_LOCATION];
    reader->locations = get_memory(locations->count, sizeof *reader->locations);
    for (size_t i = 0; i < locations->count; i++) {
        location_t *location = &reader->locations[i];
        slice_t message = locations->messages[i];
        uint64_t address = 0;
        field_t field;
        location->first = reader->frame_count;
        while (next_field(reader, &message, &field)) {
            if (field.number == LOCATION_LINE && field.is_bytes) {
                add_line(reader, field.bytes);
            } else if (field.number == LOCATION_ID) {
                location->id = field.value;
            } else if (field.number == LOCATION_ADDRESS) {
                address = field.value;
            }
        }
        if (reader->frame_count == location->first) {
            symbols_at(reader->symbols, address, add_place, reader);
        }
        location->count = reader->frame_count - location->first;
    }
    qsort(reader->locations, locations->count, sizeof *reader->locations, by_id);
}

// ---- samples

static void
read_sample(reader_t *reader, slice_t message)
{
    static uint64_t places[DEPTH_MAX];
    static uint32_t ids[DEPTH_MAX];
    uint64_t values[TYPES_MAX];
    size_t place_count = 0;
    size_t value_count = 0;
    field_t field;
    while (next_field(reader, &message, &field)) {
        if (field.number == SAMPLE_LOCATION) {
            place_count = read_repeated(reader, &field, places, place_count, DEPTH_MAX);
        } else if (field.number == SAMPLE_VALUE) {
            value_count = read_repeated(reader, &field, values, value_count, TYPES_MAX);
        }
    }
    if (value_count != reader->lists[PROFILE_SAMPLE_TYPE].count) {
        damaged(reader, "a sample has another number of figures than there are types");
    }
    size_t depth = 0;
    for (size_t i = 0; i < place_count && i < DEPTH_MAX; i++) {
        const location_t *location = bsearch(&places[i], reader->locations,
                                             reader->lists[PROFILE_LOCATION].count, sizeof *location, by_id);
        if (location == NULL) {
            damaged(reader, "a location that is not there");
        }
        for (size_t k = 0; k < location->count && depth < DEPTH_MAX; k++) {
            ids[depth++] = reader->frames[location->first + k];
        }
    }
    trace_t *trace = stacks_trace(reader->stacks, ids, depth);
    for (unsigned i = 0; i < reader->stacks->type_count; i++) {
        trace->values[i] += (int64_t)values[i];
    }
}

stacks_t *
pprof_read(const char *path)
{
    reader_t reader = {.path = path, .stacks = stacks_new()};
    gather(&reader, read_file(&reader));
    read_types(&reader);
    read_mappings(&reader);
    read_functions(&reader);
    read_locations(&reader);
    for (size_t i = 0; i < reader.lists[PROFILE_SAMPLE].count; i++) {
        read_sample(&reader, reader.lists[PROFILE_SAMPLE].messages[i]);
    }
    const char *slash = strrchr(path, '/');
    reader.stacks->subject = strdup(slash == NULL ? path : slash + 1);
    reader.stacks->taken_ns = (int64_t)reader.numbers[PROFILE_TIME];
    reader.stacks->duration_ns = (int64_t)reader.numbers[PROFILE_DURATION];
    reader.stacks->period = (int64_t)reader.numbers[PROFILE_PERIOD];
    symbols_tell_changed(reader.symbols);
    symbols_free(reader.symbols);
    for (size_t i = 0; i < reader.lists[PROFILE_STRING].count; i++) {
        free(reader.strings[i]);
    }
    for (unsigned i = 0; i < PROFILE_FIELDS_MAX; i++) {
        free(reader.lists[i].messages);
    }
    free(reader.strings);
    free(reader.functions);
    free(reader.locations);
    free(reader.frames);
    free(reader.bytes);
    return reader.stacks;
}

// ---- writing

typedef struct message_t {
    unsigned char *bytes;
    size_t length;
    size_t room;
} message_t;

static void
put_bytes(message_t *to, const void *bytes, size_t length)
{
    if (to->room - to->length < length) {
        to->room = 2 * to->room + length + 64;
        to->bytes = grow_memory(to->bytes, to->room, 1);
    }
    memcpy(to->bytes + to->length, bytes, length);
    to->length += length;
}

static void
put_varint(message_t *to, uint64_t value)
{
    unsigned char bytes[10];
    size_t length = 0;
    for (; value >= 0x80; value >>= 7) {
        bytes[length++] = (unsigned char)(value | 0x80);
    }
    bytes[length++] = (unsigned char)value;
    put_bytes(to, bytes, length);
}

static void
put_number(message_t *to, unsigned field, uint64_t value)
{
    put_varint(to, field << 3 | NUMBER);
    put_varint(to, value);
}

static void
put_field(message_t *to, unsigned field, const void *bytes, size_t length)
{
    put_varint(to, field << 3 | BYTES);
    put_varint(to, length);
    put_bytes(to, bytes, length);
}

// Appends the inner message and empties it.
static void
put_message(message_t *to, unsigned field, message_t *inner)
{
    put_field(to, field, inner->bytes, inner->length);
    inner->length = 0;
}

// Returns the number of the string.
static uint64_t
put_string(message_t *to, uint64_t *count, const char *text)
{
    put_field(to, PROFILE_STRING, text, strlen(text));
    return (*count)++;
}

static void
put_frames(message_t *to, const stacks_t *stacks, uint64_t *strings)
{
    message_t inner = {0};
    message_t line = {0};
    for (size_t i = 0; i < stacks->frame_count; i++) {
        const frame_t *frame = &stacks->frames[i];
        put_number(&inner, FUNCTION_ID, i + 1);
        put_number(&inner, FUNCTION_NAME, put_string(to, strings, frame->function));
        if (frame->file != NULL) {
            put_number(&inner, FUNCTION_FILE, put_string(to, strings, frame->file));
        }
        put_message(to, PROFILE_FUNCTION, &inner);
        put_number(&line, LINE_FUNCTION, i + 1);
        put_number(&line, LINE_LINE, frame->line);
        put_number(&inner, LOCATION_ID, i + 1);
        put_message(&inner, LOCATION_LINE, &line);
        put_message(to, PROFILE_LOCATION, &inner);
    }
    free(inner.bytes);
    free(line.bytes);
}

static void
put_traces(message_t *to, const stacks_t *stacks)
{
    message_t inner = {0};
    message_t list = {0};
    for (size_t i = 0; i < stacks->trace_count; i++) {
        const trace_t *trace = &stacks->traces[i];
        for (uint32_t k = 0; k < trace->depth; k++) {
            put_varint(&list, stacks->ids[trace->first + k] + 1);
        }
        put_message(&inner, SAMPLE_LOCATION, &list);
        for (unsigned type = 0; type < stacks->type_count; type++) {
            put_varint(&list, (uint64_t)trace->values[type]);
        }
        put_message(&inner, SAMPLE_VALUE, &list);
        put_message(to, PROFILE_SAMPLE, &inner);
    }
    free(inner.bytes);
    free(list.bytes);
}

bool
pprof_write(const stacks_t *stacks, const char *path)
{
    message_t all = {0};
    message_t type = {0};
    uint64_t strings = 0;
    (void)put_string(&all, &strings, "");
    for (unsigned i = 0; i < stacks->type_count; i++) {
        uint64_t name = put_string(&all, &strings, stacks->types[i].name);
        put_number(&type, TYPE_NAME, name);
        put_number(&type, TYPE_UNIT, put_string(&all, &strings, stacks->types[i].unit));
        put_message(&all, PROFILE_SAMPLE_TYPE, &type);
        if (i == stacks->shown) {
            put_number(&all, PROFILE_DEFAULT_TYPE, name);
        }
    }
    put_frames(&all, stacks, &strings);
    put_traces(&all, stacks);
    put_number(&all, PROFILE_TIME, (uint64_t)stacks->taken_ns);
    put_number(&all, PROFILE_DURATION, (uint64_t)stacks->duration_ns);
    put_number(&all, PROFILE_PERIOD, (uint64_t)stacks->period);
    gzFile file = gzopen(path, "wb");
    bool done = file != NULL && gzfwrite(all.bytes, 1, all.length, file) == all.length;
    done = file != NULL && gzclose(file) == Z_OK && done;
    free(all.bytes);
    free(type.bytes);
    return done;
}
