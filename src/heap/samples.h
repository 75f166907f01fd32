// SPDX-License-Identifier: MIT
// samples.h — blocks that are samples: a record for each, and where they lie.
//
// A sampled block up to BLOCK_MAX lies apart, where its free leaves the straight path by itself: in a
// page of its class that holds nothing else and has no owner (the store), or where one of the samplers
// puts it. The block of an ordinary page that malloc would have returned is kept for it and goes home
// with it: its page, heap and thread are the sample's, statistics count it, and pages stay as full as
// they would be. A sampled singleton is a singleton with a mark.
//
// Owns:        sample_t; the table of samples; pages with OWNER_SAMPLED and a block size
// Threads:     any. The table and the store have a lock, which is held for a few steps. A signal handler that
//              interrupts these finds mi__samples_are_locked: it must not wait
// Invariants:  R1 a block is in the table from before the program gets it until its free begins
//              R2 a page of the store has no blocks on `free`, P1 of page.h holds
// Not here:    which allocations are samples → heap/sampling.h, who takes them → front/sample.h
#ifndef MI_HEAP_SAMPLES_H
#define MI_HEAP_SAMPLES_H

#include "heap/heap.h"

typedef struct sample_t {
    // [constant while the sample lives]
    _Atomic(void *) block;      // what the program has; NULL: a record not in use
    _Atomic(void *) stands_for; // the block that is kept for it; NULL for a singleton
    size_t requested;           // bytes that were asked for, rounded up to their alignment
    size_t block_size;          // bytes of a block of its class, or of the singleton
    size_t usable;              // bytes that the program may use
    double weight;              // allocations of this size that it stands for, when it is in use
    uint32_t times;    // so often it was allocated, one after the other; 0: counted before (heap/series.h)
    uint64_t random;   // for whatever is to be chosen
    unsigned samplers; // a bit for each
    unsigned class;    // CLASS_COUNT for a singleton
    bool placed;       // by a sampler, not in the store
    // [the samplers'] whatever they want to keep with it
    void *of_sampler[SAMPLER_COUNT];
    int64_t made_ms; // of the profile: when it was allocated
    // [constant after init]
    struct sample_t *next_made;
    // [lock: of the table]
    struct sample_t *next;
} sample_t;

// Makes a sample of `block`, which was allocated from `heap` for `size` bytes. Returns the block for the
// program: `block` itself when there is no place for it. `*zero` tells whether all of it but its first
// word is zero.
MI_NODISCARD block_t *mi__samples_make(thread_heap_t *heap, block_t *block, size_t size, unsigned samplers,
                                       bool *zero);
// A record for a block of `requested` bytes; NULL when there is no memory, or when the thread is inside
// one of the samplers' functions, or of the table: what is allocated there is not sampled.
MI_NODISCARD sample_t *mi__samples_new(unsigned samplers, size_t requested);

// The same for a singleton, which stays where it is; `sample` is a new record.
void mi__samples_mark(sample_t *sample, page_t *page);

// The same for one that has been in use for a while, with the owner word `word`. When another thread frees it
// meanwhile nothing comes of it.
void mi__samples_mark_late(sample_t *sample, page_t *page, uintptr_t word);

// True in a signal handler that has interrupted its thread at work on the table. No sample can begin, end or
// be looked up then.
bool mi__samples_are_locked(void);

// Ends the sample at `block`: tells the samplers, and lets its place go. False when there is none.
// `*stands_for` is the block to free then. Not while the table is locked.
MI_NODISCARD bool mi__samples_end(void *block, void **stands_for);

// Ends all samples of a heap that is about to be destroyed.
void mi__samples_end_heap(const heap_t *heap);

// The block for which a sample stands, or the singleton itself; NULL when there is no sample there, or the
// table is locked.
void *mi__samples_stands_for(const void *block);

// The heap that the block at `p`, in `page`, belongs to.
heap_t *mi__samples_heap_of(page_t *page, const void *p);

// The list of all records, for tools that read the process from outside.
extern MI_HIDDEN _Atomic(sample_t *) mi__samples_all;

// All records ever made; those with a block are samples now. For walks: a guess while others work.
sample_t *mi__samples_first(void);

// True for pages that hold samples apart: what they stand for is counted elsewhere.
static inline bool
samples_are_in(const page_t *page, uintptr_t owner_word)
{
    return (owner_word & OWNER_SAMPLED) != 0 && HINT_GET(page->block_size) != 0;
}

// In the child of a fork.
void mi__samples_after_fork(void);

#endif
