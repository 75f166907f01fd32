// SPDX-License-Identifier: MIT
// memory.h — the memory model under the explored threads: what a load may return, and which
// accesses race.
//
// Owns:        the history of every shared atomic word, the log of all writes
// Threads:     one
// Not here:    who runs → explore.c
#ifndef CONCURRENT_MEMORY_H
#define CONCURRENT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The shared words that a step reads and writes: a bit each. Steps without a common word that one
// of them writes may change places.
typedef struct footprint_t {
    uint64_t reads;
    uint64_t writes;
} footprint_t;

#define FOOTPRINT_POOL (UINT64_C(1) << 63)
#define FOOTPRINT_FENCE (UINT64_C(1) << 62)
enum { WORDS_SHARED_MAX = 62 };

// A new scenario; before the threads start.
void memory_reset(void);
void memory_start(void);
// What every load of the execution read from, and in which order each word was written: executions
// with the same signature are the same for the threads.
uint64_t memory_signature(void);
// The order in which threads allocate is part of it.
void memory_note_alloc(void);

// All writes since a mark can be undone.
size_t memory_mark(void);
void memory_undo(size_t mark);

// The state in the course of an execution, to come back to. Coming back undoes the writes since.
size_t memory_save_size(void);
void memory_save(void *p);
void memory_restore(const void *p);

// Loads return the newest value only.
void memory_sequential(void);

// False while `thread` waits for somebody to write.
bool memory_is_ready(unsigned thread);
// The word that `thread` is about to load, when no shared word is written in that step; else 0. A
// step that turns out to write makes its load, known by the place in the program, a busy one.
uint64_t memory_pending_load(unsigned thread);
const void *memory_pending_pc(unsigned thread);
void memory_note_busy(const void *pc);
// The number of the newest message of the word that `thread` is about to load; 0 when what it reads
// is not in the history.
unsigned memory_fresh_message(unsigned thread);

void memory_print_trace(void);

// Given by explore.c. The running thread, from 1; 0 in setup and finish.
unsigned run_current(void);
bool run_is_stack(const void *p);
bool run_is_private(const void *p);
// Another thread may run before this returns.
void run_point(void);
// One of `options` values, newest first; and the oldest message that the load at hand need not
// skip.
unsigned run_choose(unsigned options);
unsigned run_least(void);
void run_touch(footprint_t touched);
// Ends the execution: an invariant is broken, or the search has to start again.
void run_fail(const char *text);
void run_again(void);

#endif
