// SPDX-License-Identifier: MIT
// states.c — the states that the search has been in: a hash table that grows.
//
// Owns:        see states.h
// Threads:     see states.h
// Not here:    see states.h
#include "states.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOG2_FIRST = 12, LOG2_GROWTH = 2, STATES_MAX = 40000000 };

static state_t *states;
static unsigned states_log2;
static unsigned long states_used;

_Noreturn static void
give_up(void)
{
    fprintf(stderr, "explore: too many states\n");
    exit(2);
}

static state_t *
find(uint64_t signature)
{
    size_t slot = (size_t)(signature >> (64 - states_log2));
    while (states[slot].signature != 0 && states[slot].signature != signature) {
        slot = (slot + 1) & (((size_t)1 << states_log2) - 1);
    }
    return &states[slot];
}

static void
set_up(unsigned log2)
{
    states_log2 = log2;
    states_used = 0;
    states = calloc((size_t)1 << log2, sizeof *states);
    if (states == NULL) {
        give_up();
    }
}

static void
grow(void)
{
    state_t *old = states;
    size_t count = (size_t)1 << states_log2;
    set_up(states_log2 + LOG2_GROWTH);
    for (size_t i = 0; i < count; i++) {
        if (old[i].signature != 0) {
            *find(old[i].signature) = old[i];
            states_used++;
        }
    }
    free(old);
}

void
states_clear(void)
{
    free(states);
    set_up(LOG2_FIRST);
}

unsigned long
states_count(void)
{
    return states_used;
}

state_t *
states_find(uint64_t signature)
{
    signature += signature == 0;
    if (states_used > ((unsigned long)1 << states_log2) / 4 * 3) {
        grow();
    }
    state_t *state = find(signature);
    if (state->signature == 0) {
        if (++states_used > STATES_MAX) {
            give_up();
        }
        state->signature = signature;
        memset(state->least, 255, sizeof state->least);
    }
    return state;
}
