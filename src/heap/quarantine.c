// SPDX-License-Identifier: MIT
// quarantine.c — a ring of freed blocks.
//
// Owns:        see quarantine.h
// Threads:     see quarantine.h
// Invariants:  see quarantine.h
// Not here:    see quarantine.h
#include "heap/quarantine.h"

#include <string.h>

#include "arena/meta.h"
#include "base/hooks.h"
#include "page/blockmap.h"

typedef struct quarantine_t {
    uint32_t at;
    size_t bytes;                   // of all blocks
    char *block[QUARANTINE_BLOCKS]; // or NULL
} quarantine_t;

bool
mi__quarantine_drops(const thread_heap_t *heap, size_t size)
{
    return size >= QUARANTINE_DROP_MIN && heap->quarantine != NULL &&
           heap->quarantine->bytes > QUARANTINE_BYTES;
}

static void
leave(thread_heap_t *heap, char *block)
{
    page_t *page = block == NULL ? NULL : mi__page_of(block);
    if (page == NULL) {
        return;
    }
    if (heap->quarantine != NULL) {
        heap->quarantine->bytes -= page->block_size;
    }
    if (unlikely(!blockmap_let_go(page, blockmap_index(page, (size_t)(block - page->start))))) {
        mi__hooks.misuse(MISUSE_DOUBLE_FREE, "free", block);
        return;
    }
    mi__thread_heap_came_home(heap, page);
}

void
mi__quarantine_put(thread_heap_t *heap, page_t *page, size_t index)
{
    if (heap->quarantine == NULL) {
        heap->quarantine = (quarantine_t *)mi__meta_alloc(sizeof *heap->quarantine);
    }
    quarantine_t *quarantine = heap->quarantine;
    blockmap_hold(page, index);
    char *block = page->start + index * page->block_size;
    if (quarantine == NULL) { // no memory
        leave(heap, block);
        return;
    }
    quarantine->bytes += page->block_size;
    char *longest = quarantine->block[quarantine->at];
    quarantine->block[quarantine->at] = block;
    quarantine->at = (quarantine->at + 1) % QUARANTINE_BLOCKS;
    leave(heap, longest);
}

void
mi__quarantine_flush(thread_heap_t *heap)
{
    quarantine_t *quarantine = heap->quarantine;
    for (uint32_t i = 0; quarantine != NULL && i < QUARANTINE_BLOCKS; i++) {
        char *block = quarantine->block[i];
        quarantine->block[i] = NULL;
        leave(heap, block);
    }
}

void
mi__quarantine_forget(thread_heap_t *heap)
{
    if (heap->quarantine != NULL) {
        memset(heap->quarantine, 0, sizeof *heap->quarantine);
    }
}
