// SPDX-License-Identifier: MIT
// model.h — live blocks, and what the library has promised about each of them: its contents, alignment, room,
// heap, and that it overlaps no other.
#ifndef TESTS_FUZZ_MODEL_H
#define TESTS_FUZZ_MODEL_H

#include <mimalloc.h>
#include <pthread.h>

#include "fuzz.h"

enum {
    SLOTS = 64,
    HEAPS = 4, // first-class ones; a slot's heap −1 is the main one
};

typedef struct slot_t {
    pthread_mutex_t lock;
    uint8_t *p; // NULL while the slot is free
    size_t size;
    size_t align;
    size_t offset; // that is at a multiple of `align`
    int heap;
    uint8_t seed;
    bool zeroed; // allocated zeroed, and grown only by calls that zero
} slot_t;

typedef struct model_t {
    slot_t slots[SLOTS];
    mi_heap_t *heaps[HEAPS];
    bool shared; // by several threads: heaps stay, and nothing is counted
} model_t;

void model_start(model_t *model, bool shared);

// Does what the next few bytes of the input say.
void model_step(model_t *model, input_t *input);

// Frees all that is left, and expects the library to hold nothing more.
void model_end(model_t *model);

#endif
