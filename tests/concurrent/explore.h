// SPDX-License-Identifier: MIT
// explore.h — runs a few threads in every order that matters, and with every value that a load may
// return.
//
// The library's own sources are compiled with -fsanitize=thread and linked with explore.c in place
// of the sanitizer's runtime, so that every access to memory arrives here. Threads are coroutines;
// each atomic operation on a word that threads share is a point at which another thread may go on.
// README.md says what is modelled, and what is not.
//
// Owns:        nothing
// Threads:     one; the explored ones are coroutines
// Not here:    the scenarios → test_*.c, proof that they find mistakes → mutants.py
#ifndef CONCURRENT_EXPLORE_H
#define CONCURRENT_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>

enum { EXPLORE_THREADS = 3 };

typedef struct scenario_t {
    const char *name;
    void (*setup)(void); // once, before any thread; what it writes is the start of every execution
    void (*threads[EXPLORE_THREADS])(void);
    void (*finish)(void); // after all threads of an execution have ended; sees everything
    // At most so many surprises in an execution: a thread that could go on stands back for another,
    // or a load does not return the newest value. 0: no bound. The second is for --long.
    unsigned bound;
    unsigned bound_long;
} scenario_t;

// Explores the scenarios as the arguments say, prints a line for each and a last one such as "3
// passed, 0 failed". Returns the program's exit status.
int explore_main(const scenario_t *scenarios, size_t count, int argc, char **argv);

// For setup. A name for the words of [p, p + size) in the printed interleaving.
void explore_name(const void *p, size_t size, const char *name);
// An atomic field whose accesses are promised to be ordered as if it were a plain one: checked for
// data races.
void explore_ordered(const void *p, size_t size);

// For setup and finish: runs `function` as thread `thread` (0 is the first).
void explore_as(unsigned thread, void (*function)(void));

// Zeroed memory, aligned to 128 bytes; the same addresses in every execution that allocates in the
// same order.
void *explore_alloc(size_t size);
// Nobody may touch [p, p + size) any more in this execution.
void explore_retire(const void *p, size_t size);
// The calling thread has nothing to do until somebody writes the word that it read last.
void explore_wait(void);
// The invariant that `text` names.
void explore_expect(bool holds, const char *text);

#endif
