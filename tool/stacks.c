// SPDX-License-Identifier: MIT
// stacks.c — frames and stacks, each kept once.
#include "stacks.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

enum { ROOM_MIN = 1024 };

stacks_t *
stacks_new(void)
{
    stacks_t *stacks = get_memory(1, sizeof *stacks);
    stacks->frame_room = stacks->trace_room = ROOM_MIN;
    stacks->frame_table = get_memory(ROOM_MIN, sizeof *stacks->frame_table);
    stacks->trace_table = get_memory(ROOM_MIN, sizeof *stacks->trace_table);
    return stacks;
}

void
stacks_free(stacks_t *stacks)
{
    for (size_t i = 0; i < stacks->frame_count; i++) {
        free(stacks->frames[i].function);
        free(stacks->frames[i].file);
        free(stacks->frames[i].module);
    }
    for (unsigned i = 0; i < stacks->type_count; i++) {
        free(stacks->types[i].name);
        free(stacks->types[i].unit);
    }
    free(stacks->subject);
    free(stacks->timeline);
    free(stacks->frames);
    free(stacks->frame_table);
    free(stacks->ids);
    free(stacks->traces);
    free(stacks->trace_table);
    free(stacks);
}

unsigned
stacks_add_type(stacks_t *stacks, const char *name, const char *unit)
{
    if (stacks->type_count == STACKS_TYPES_MAX) {
        return STACKS_TYPES_MAX - 1;
    }
    stacks->types[stacks->type_count] = (value_type_t){strdup(name), strdup(unit)};
    return stacks->type_count++;
}

int
stacks_find_type(const stacks_t *stacks, const char *name)
{
    for (unsigned i = 0; i < stacks->type_count; i++) {
        if (strcmp(stacks->types[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

// ---- hashing

static uint64_t
hash_bytes(uint64_t hash, const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
    }
    return hash ^ hash >> 29;
}

static uint64_t
hash_frame(const frame_t *frame)
{
    const char *file = frame->file == NULL ? "" : frame->file;
    uint64_t hash = hash_bytes(frame->line, frame->function, strlen(frame->function));
    return hash_bytes(hash, file, strlen(file));
}

static bool
is_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
is_frame(const frame_t *a, const frame_t *b)
{
    return a->line == b->line && is_text(a->function, b->function) && is_text(a->file, b->file) &&
           is_text(a->module, b->module);
}

// Puts number after number into a table of twice the room.
static uint32_t *
new_table(const uint32_t *old, size_t room, uint64_t (*hash)(const stacks_t *, uint32_t), const stacks_t *of)
{
    uint32_t *table = get_memory(2 * room, sizeof *table);
    for (size_t i = 0; i < room; i++) {
        if (old[i] != 0) {
            size_t at = hash(of, old[i] - 1) & (2 * room - 1);
            while (table[at] != 0) {
                at = (at + 1) & (2 * room - 1);
            }
            table[at] = old[i];
        }
    }
    return table;
}

static uint64_t
frame_hash_at(const stacks_t *stacks, uint32_t number)
{
    return hash_frame(&stacks->frames[number]);
}

static uint64_t
trace_hash_at(const stacks_t *stacks, uint32_t number)
{
    return stacks->traces[number].hash;
}

static char *
copy(const char *text)
{
    return text == NULL ? NULL : strdup(text);
}

uint32_t
stacks_frame(stacks_t *stacks, const char *function, const char *file, unsigned line, const char *module)
{
    frame_t wanted = {(char *)(uintptr_t)function, (char *)(uintptr_t)file, (char *)(uintptr_t)module, line};
    size_t at = hash_frame(&wanted) & (stacks->frame_room - 1);
    for (; stacks->frame_table[at] != 0; at = (at + 1) & (stacks->frame_room - 1)) {
        if (is_frame(&stacks->frames[stacks->frame_table[at] - 1], &wanted)) {
            return stacks->frame_table[at] - 1;
        }
    }
    if ((stacks->frame_count & (stacks->frame_count + 1)) == 0) {
        stacks->frames = grow_memory(stacks->frames, 2 * stacks->frame_count + 2, sizeof *stacks->frames);
    }
    stacks->frames[stacks->frame_count] = (frame_t){strdup(function), copy(file), copy(module), line};
    stacks->frame_table[at] = (uint32_t)++stacks->frame_count;
    if (stacks->frame_count * 2 > stacks->frame_room) {
        uint32_t *table = new_table(stacks->frame_table, stacks->frame_room, frame_hash_at, stacks);
        free(stacks->frame_table);
        stacks->frame_table = table;
        stacks->frame_room *= 2;
    }
    return (uint32_t)stacks->frame_count - 1;
}

trace_t *
stacks_trace(stacks_t *stacks, const uint32_t *ids, size_t depth)
{
    uint64_t hash = hash_bytes(depth, ids, depth * sizeof *ids);
    size_t at = hash & (stacks->trace_room - 1);
    for (; stacks->trace_table[at] != 0; at = (at + 1) & (stacks->trace_room - 1)) {
        trace_t *trace = &stacks->traces[stacks->trace_table[at] - 1];
        if (trace->hash == hash && trace->depth == depth &&
            memcmp(stacks->ids + trace->first, ids, depth * sizeof *ids) == 0) {
            return trace;
        }
    }
    if ((stacks->trace_count & (stacks->trace_count + 1)) == 0) {
        stacks->traces = grow_memory(stacks->traces, 2 * stacks->trace_count + 2, sizeof *stacks->traces);
    }
    stacks->ids = grow_memory(stacks->ids, stacks->id_count + depth + 1, sizeof *stacks->ids);
    memcpy(stacks->ids + stacks->id_count, ids, depth * sizeof *ids);
    stacks->traces[stacks->trace_count] =
        (trace_t){.first = stacks->id_count, .depth = (uint32_t)depth, .hash = hash};
    stacks->id_count += depth;
    stacks->trace_table[at] = (uint32_t)++stacks->trace_count;
    if (stacks->trace_count * 2 > stacks->trace_room) {
        uint32_t *table = new_table(stacks->trace_table, stacks->trace_room, trace_hash_at, stacks);
        free(stacks->trace_table);
        stacks->trace_table = table;
        stacks->trace_room *= 2;
    }
    return &stacks->traces[stacks->trace_count - 1];
}

// ---- figures

int64_t
stacks_total(const stacks_t *stacks, unsigned type)
{
    int64_t total = 0;
    for (size_t i = 0; i < stacks->trace_count; i++) {
        total += stacks->traces[i].values[type];
    }
    return total;
}

// Whose function it is stands before its arguments; in C++ also behind the type that it returns.
bool
stacks_is_library(const char *function)
{
    static const char *const parts[] = {"std::", "__gnu_cxx::"};
    static const char *const rust[] = {"alloc::", "core::", "hashbrown::"};
    const char *name = function + strspn(function, "<");
    size_t length = strcspn(name, "(<");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (memmem(name, length, parts[i], strlen(parts[i])) != NULL) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof rust / sizeof rust[0]; i++) {
        if (strncmp(name, rust[i], strlen(rust[i])) == 0) {
            return true;
        }
    }
    return false;
}

const frame_t *
stacks_own_frame(const stacks_t *stacks, const trace_t *trace)
{
    for (uint32_t k = 0; k < trace->depth; k++) {
        const frame_t *frame = &stacks->frames[stacks->ids[trace->first + k]];
        if (!stacks_is_library(frame->function)) {
            return frame;
        }
    }
    return trace->depth == 0 ? NULL : &stacks->frames[stacks->ids[trace->first]];
}

char *
stacks_frame_text(const frame_t *frame)
{
    return frame->file == NULL ? strdup(frame->function)
           : frame->line == 0  ? format_new("%s %s", frame->function, frame->file)
                               : format_new("%s %s:%u", frame->function, frame->file, frame->line);
}

static void
add_all(stacks_t *to, const stacks_t *from, unsigned side)
{
    uint32_t *ids = get_memory(from->id_count + 1, sizeof *ids);
    for (size_t i = 0; i < from->trace_count; i++) {
        const trace_t *trace = &from->traces[i];
        for (uint32_t k = 0; k < trace->depth; k++) {
            const frame_t *frame = &from->frames[from->ids[trace->first + k]];
            ids[k] = stacks_frame(to, frame->function, frame->file, frame->line, frame->module);
        }
        trace_t *sum = stacks_trace(to, ids, trace->depth);
        for (unsigned type = 0; type < to->type_count; type += 2) {
            int number = stacks_find_type(from, to->types[type + 1].name);
            sum->values[type + side] += trace->values[number];
        }
    }
    free(ids);
}

stacks_t *
stacks_diff(const stacks_t *before, const stacks_t *after)
{
    stacks_t *both = stacks_new();
    for (unsigned i = 0; i < after->type_count && both->type_count + 2 <= STACKS_TYPES_MAX; i++) {
        const value_type_t *type = &after->types[i];
        if (stacks_find_type(before, type->name) >= 0) {
            both->shown = i == after->shown ? both->type_count + 1 : both->shown;
            char *name = format_new("before %s", type->name);
            stacks_add_type(both, name, type->unit);
            stacks_add_type(both, type->name, type->unit);
            free(name);
        }
    }
    both->subject = format_new("%s → %s", before->subject, after->subject);
    both->taken_ns = after->taken_ns;
    both->period = after->period;
    add_all(both, before, 0);
    add_all(both, after, 1);
    return both;
}
