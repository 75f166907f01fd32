// SPDX-License-Identifier: MIT
// undo.h — a log of all writes, so that the search can go back.
//
// Owns:        the log
// Threads:     one
// Not here:    what else a state has → memory.h, fiber.h
#ifndef CONCURRENT_UNDO_H
#define CONCURRENT_UNDO_H

#include <stddef.h>

// [p, p + size) is about to be written.
void undo_note(void *p, size_t size);

size_t undo_mark(void);
void undo_to(size_t mark);

#endif
