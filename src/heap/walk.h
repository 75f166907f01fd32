// SPDX-License-Identifier: MIT
// walk.h — visits the pages and live blocks of a heap, and checks that they are whole.
//
// A block is live when it is neither on a list of its page, nor held back or lent by a thread that
// freed it (heap/held.h), nor above the page's `capacity`.
//
// Owns:        nothing
// Threads:     any. While other threads allocate and free in the heap, what is told about their
//              pages may be out of date, and the check may find fault with a page that changes
//              under it; nothing is followed out of the heap's own memory
// Not here:    counting the whole process → heap/census.h
#ifndef MI_HEAP_WALK_H
#define MI_HEAP_WALK_H

#include "heap/heap.h"

typedef enum walk_which_t {
    WALK_ALL,
    WALK_ORPHANS, // pages whose thread has ended
} walk_which_t;

typedef struct walk_page_t {
    char *start;
    size_t bytes;      // of address space
    size_t block_size; // usable bytes of each block
    size_t live;       // blocks
} walk_page_t;

// Called once for each page with `block` NULL, then, where asked for, for each of its live blocks.
// Returns false to end the walk. It must not allocate from the heap or free into it.
typedef bool walk_fun_t(const walk_page_t *page, void *block, void *arg);

// Visits the pages of `heap`; false when the function ended it, or when there is no memory for it.
bool mi__walk(const heap_t *heap, walk_which_t which, bool blocks, walk_fun_t *each, void *arg);

typedef struct walk_fault_t {
    walk_page_t page;
    const char *what; // a constant text
} walk_fault_t;

// True when every page of the heap is whole; else `*fault` tells the first that is not.
bool mi__walk_check(const heap_t *heap, walk_fault_t *fault);

#endif
