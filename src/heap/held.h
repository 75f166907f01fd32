// SPDX-License-Identifier: MIT
// held.h — blocks of other threads' pages that this thread has freed and holds back for a while.
//
// They go home in chains, one atomic operation a chain, or serve the thread's own allocations: a
// stand-in page with the chain as its `free` list takes the serving page's place. The block still
// belongs to its page, and is foreign again when it is freed.
//
// Owns:        thread_heap_t.held
// Threads:     the thread of the heap
// Invariants:  L1 a held block is not counted by anyone as free: its page's `used` still has it
//              L2 at most `held_bytes` of a class are held, and eight times that of all; what is
//                 lent is apart
// Not here:    the push itself → page/remote.h
#ifndef MI_HEAP_HELD_H
#define MI_HEAP_HELD_H

#include "heap/thread_heap.h"

typedef struct held_list_t {
    block_t *first;
    uint32_t count;
} held_list_t;

typedef struct held_t {
    held_list_t lists[CLASS_COUNT];
    page_t *stand_ins[CLASS_COUNT];
    size_t bytes; // in all lists
} held_t;

// Takes a freed block of a page that another thread owns, for the thread's main `heap`. Works for the
// heap of threads that have none, too.
void mi__held_free(thread_heap_t *heap, page_t *page, block_t *block);

// Lends the held blocks of `class`: returns the stand-in that now serves in front of `served`
// (which may be none), or NULL when nothing is held. `heap->held` is not NULL.
page_t *mi__held_lend(thread_heap_t *heap, unsigned class, page_t *served);

// Holds a block again that was lent, and that nobody has taken.
void mi__held_keep(thread_heap_t *heap, unsigned class, block_t *block);

// Ends the service of a stand-in: blocks left in it are held again. Returns the page behind it,
// which serves again.
page_t *mi__held_step_aside(thread_heap_t *heap, unsigned class, page_t *stand_in);

// Blocks of `class` that the heap holds back, and of those it lends the ones that nobody has taken
// yet. Any thread; a guess (never a fault) while the thread works.
void mi__held_count(const thread_heap_t *heap, unsigned class, size_t *held, size_t *lent);

// Calls `each` for the blocks that mi__held_count counts. Any thread; a guess likewise.
void mi__held_visit(const thread_heap_t *heap, void (*each)(block_t *block, void *arg), void *arg);

// Sends all held blocks home.
void mi__held_flush(thread_heap_t *heap);

#endif
