// SPDX-License-Identifier: MIT
// race.c — which accesses race: vector clocks, and who touched which memory when.
//
// Owns:        see race.h
// Threads:     see race.h
// Not here:    see race.h
#include "race.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "trace.h"
#include "undo.h"

enum {
    CELLS_LOG2 = 13,
    CELLS = 1 << CELLS_LOG2,
    CELL_BYTES = 8,
    PART_BYTES = 2, // accesses of one byte are rare, and never two to neighbours
    RETIRED = 32,
    RETIRE_CHECKED = 256,  // the first bytes of what is retired are checked for races with earlier accesses
    ACCESSES_MAX = 100000, // by one thread between two points; more are taken for an endless loop
};

typedef struct part_t {
    uint16_t write_time; // 0: none in this search
    uint8_t writer;
    uint16_t read_times[FIBERS];
    uint16_t atomic_write_times[FIBERS];
} part_t;

typedef struct cell_t {
    uintptr_t key; // address / 8; 0: unused
    void *slot;
    unsigned long search; // the one that `parts` are of
    part_t parts[CELL_BYTES / PART_BYTES];
} cell_t;

static cell_t cells[CELLS];
static unsigned cells_used;
static unsigned long search;
static vector_t vectors[FIBERS];
static unsigned accesses;

static struct {
    const char *start;
    size_t size;
} retired[RETIRED];
static size_t retired_used;

void
race_reset(void)
{
    memset(cells, 0, sizeof cells);
    cells_used = 0;
    retired_used = 0;
    accesses = 0;
}

void
race_start(void)
{
    search++;
    retired_used = 0;
    memset(vectors, 0, sizeof vectors);
    for (unsigned i = 1; i < FIBERS; i++) {
        vectors[i].at[i] = 1;
    }
}

vector_t *
race_vector(unsigned thread)
{
    return &vectors[thread];
}

void
race_join(vector_t *into, const vector_t *from)
{
    for (unsigned i = 0; i < FIBERS; i++) {
        into->at[i] = into->at[i] > from->at[i] ? into->at[i] : from->at[i];
    }
}

static cell_t *
cell_of(const void *at)
{
    uintptr_t key = (uintptr_t)at / CELL_BYTES;
    size_t slot = (size_t)((uint64_t)key * UINT64_C(0x9E3779B97F4A7C15) >> (64 - CELLS_LOG2));
    while (cells[slot].key != key) {
        if (cells[slot].key == 0) {
            if (++cells_used > CELLS / 4 * 3) {
                fprintf(stderr, "explore: too many words of memory\n");
                exit(2);
            }
            cells[slot].key = key;
            break;
        }
        slot = (slot + 1) % CELLS;
    }
    cell_t *cell = &cells[slot];
    if (cell->search != search) {
        cell->search = search;
        memset(cell->parts, 0, sizeof cell->parts);
    }
    return cell;
}

static part_t *
part_of(const char *at)
{
    return &cell_of(at)->parts[(uintptr_t)at % CELL_BYTES / PART_BYTES];
}

void **
race_slot(const void *at)
{
    return &cell_of(at)->slot;
}

static bool
unordered(const uint16_t *times, unsigned thread)
{
    for (unsigned i = 1; i < FIBERS; i++) {
        if (i != thread && times[i] > vectors[thread].at[i]) {
            return true;
        }
    }
    return false;
}

static void
fail_at(const char *text, const void *at)
{
    char place[100];
    trace_place(place, sizeof place, at);
    char message[200];
    snprintf(message, sizeof message, "%s (%s, by thread %u)", text, place, fiber_running());
    run_fail(message);
}

static void
check_part(part_t *part, unsigned thread, access_t access, const char *at)
{
    const vector_t *vector = &vectors[thread];
    bool race = part->writer != thread && part->write_time > vector->at[part->writer];
    if (access == PLAIN_READ || access == PLAIN_WRITE) {
        race = race || unordered(part->atomic_write_times, thread);
    }
    if (access == PLAIN_WRITE || access == ATOMIC_WRITE) {
        race = race || unordered(part->read_times, thread);
    }
    if (race) {
        fail_at("data race", at);
    }
    uint16_t now = vector->at[thread];
    if (access == PLAIN_READ && part->read_times[thread] != now) {
        undo_note(part, sizeof *part);
        part->read_times[thread] = now;
    } else if (access == PLAIN_WRITE && (part->write_time != now || part->writer != thread)) {
        undo_note(part, sizeof *part);
        part->write_time = now;
        part->writer = (uint8_t)thread;
    } else if (access == ATOMIC_WRITE && part->atomic_write_times[thread] != now) {
        undo_note(part, sizeof *part);
        part->atomic_write_times[thread] = now;
    }
}

static void
check_parts(const char *at, size_t size, access_t access)
{
    for (const char *p = at; p < at + size; p += PART_BYTES - (uintptr_t)p % PART_BYTES) {
        check_part(part_of(p), fiber_running(), access, p);
    }
}

void
race_check(const char *at, size_t size, access_t access)
{
    for (size_t i = 0; i < retired_used; i++) {
        if (at + size > retired[i].start && at < retired[i].start + retired[i].size) {
            fail_at("touched after its release", at);
        }
    }
    if (++accesses > ACCESSES_MAX) {
        run_fail("an endless loop");
    }
    // Setup and finish are alone.
    if (fiber_running() != 0) {
        check_parts(at, size, access);
    }
}

void
race_at_point(void)
{
    accesses = 0;
}

unsigned
race_writers(const char *at, size_t size)
{
    unsigned writers = 0;
    for (const char *p = at; p < at + size; p += PART_BYTES) {
        const part_t *part = part_of(p);
        writers |= part->write_time != 0 ? 1U << part->writer : 0;
    }
    return writers;
}

void
explore_retire(const void *p, size_t size)
{
    if (retired_used == RETIRED) {
        fprintf(stderr, "explore: too many releases\n");
        exit(2);
    }
    if (fiber_running() != 0) {
        check_parts(p, size < RETIRE_CHECKED ? size : RETIRE_CHECKED, PLAIN_WRITE);
    }
    memory_touch_range(p, size);
    retired[retired_used].start = p;
    retired[retired_used].size = size;
    retired_used++;
}

void
race_save(race_saved_t *saved)
{
    memcpy(saved->vectors, vectors, sizeof vectors);
    saved->retired = retired_used;
}

void
race_restore(const race_saved_t *saved)
{
    memcpy(vectors, saved->vectors, sizeof vectors);
    retired_used = saved->retired;
    accesses = 0;
}
