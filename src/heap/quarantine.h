// SPDX-License-Identifier: MIT
// quarantine.h — freed blocks that wait before they may be handed out again: those of pages that check that
// nobody writes to them meanwhile (MIMALLOC_SECURE=3).
//
// A block that waits counts as used, so that its page stays; its map's `held` bit says that it is not live.
//
// Owns:        thread_heap_t.quarantine
// Threads:     the thread that the heap is bound to
// Invariants:  Q1 a block that waits lies in a page of the heap, with a map
// Not here:    what large blocks go through → page/away.h
#ifndef MI_HEAP_QUARANTINE_H
#define MI_HEAP_QUARANTINE_H

#include "heap/thread_heap.h"

enum {
    QUARANTINE_BLOCKS = 1024,       // that wait in a heap
    QUARANTINE_BYTES = 16 << 20,    // where more wait, those that come
    QUARANTINE_DROP_MIN = 8 * 1024, // and have this size give their memory back to the system meanwhile
};

// True where a block of `size` bytes that is about to wait gives its memory back.
bool mi__quarantine_drops(const thread_heap_t *heap, size_t size);

// Puts the live block `index` of the heap's `page` in; the one that has waited longest leaves.
void mi__quarantine_put(thread_heap_t *heap, page_t *page, size_t index);

// Lets all blocks leave.
void mi__quarantine_flush(thread_heap_t *heap);

// Forgets them: the heap's pages are gone.
void mi__quarantine_forget(thread_heap_t *heap);

#endif
