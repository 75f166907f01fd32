// SPDX-License-Identifier: MIT
// memory.h — the memory model under the explored threads: what a load may return, and which
// accesses race.
//
// Owns:        the history of every shared atomic word, the views of the threads
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

// Plain accesses.
void memory_read(const void *p, size_t size);
void memory_write(void *p, size_t size);
// The step that runs has to do with all of [p, p + size).
void memory_touch_range(const void *p, size_t size);

typedef enum action_t { LOAD, STORE, EXCHANGE, ADD, SUB, AND, OR, XOR, NAND, CAS } action_t;

// An atomic operation; orders are the compiler's, such as __ATOMIC_ACQUIRE.
typedef struct operation_t {
    action_t action;
    int order;
    int order_failed;
    char *at;
    size_t size;
    uint64_t operand;
    uint64_t expected;
    bool done;      // CAS: the comparison held
    const void *pc; // where it is in the program
} operation_t;

// Does it, and returns the old value.
uint64_t memory_act(operation_t *op);
void memory_fence(int order, const void *pc);

// Given by explore.c. One of `options` values, newest first; and the oldest message that the load
// at hand need not skip.
unsigned run_choose(unsigned options);
unsigned run_least(void);
// The step that runs touches these words.
void run_touch(footprint_t touched);
// Ends the execution: an invariant is broken, or the search has to start again.
void run_fail(const char *text);
void run_again(void);

#endif
