// SPDX-License-Identifier: MIT
// undo.c — a log of all writes, so that the search can go back.
//
// Owns:        see undo.h
// Threads:     see undo.h
// Not here:    see undo.h
#include "undo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES = 1 << 17, ENTRY_BYTES = 24 };

static struct {
    void *at;
    size_t size;
    char old[ENTRY_BYTES];
} entries[ENTRIES];
static size_t used;

void
undo_note(void *p, size_t size)
{
    char *at = p;
    for (size_t done = 0; done < size; done += ENTRY_BYTES) {
        if (used == ENTRIES) {
            fprintf(stderr, "explore: too many writes\n");
            exit(2);
        }
        entries[used].at = at + done;
        entries[used].size = size - done < ENTRY_BYTES ? size - done : ENTRY_BYTES;
        memcpy(entries[used].old, at + done, entries[used].size);
        used++;
    }
}

size_t
undo_mark(void)
{
    return used;
}

void
undo_to(size_t mark)
{
    while (used > mark) {
        used--;
        memcpy(entries[used].at, entries[used].old, entries[used].size);
    }
}
