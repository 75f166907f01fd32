// SPDX-License-Identifier: MIT
// held.c — holding foreign blocks back, lending them, sending them home.
//
// Owns:        see held.h
// Threads:     see held.h
// Invariants:  see held.h
// Not here:    see held.h
#include "heap/held.h"

#include "arena/meta.h"
#include "base/check.h"
#include "heap/registry.h"

typedef struct held_list_t {
    block_t *first;
    uint32_t count;
} held_list_t;

typedef struct held_t {
    held_list_t lists[CLASS_COUNT];
    page_t *stand_ins[CLASS_COUNT];
} held_t;

static void
send_chain(page_t *page, block_t *first, block_t *last)
{
    owner_t *listed = mi__remote_push(page, first, last);
    if (listed != NULL) {
        mi__registry_tell(listed);
    }
}

// Sends a list home: neighbours from one page travel together.
static void
send_list(held_list_t *list)
{
    block_t *block = list->first;
    list->first = NULL;
    list->count = 0;
    while (block != NULL) {
        page_t *page = mi__page_of(block);
        block_t *first = block;
        block_t *last = block;
        block = block->next;
        while (block != NULL && mi__page_of(block) == page) {
            last = block;
            block = block->next;
        }
        send_chain(page, first, last);
    }
}

void
mi__held_free(thread_heap_t *heap, page_t *page, block_t *block)
{
    held_t *held = heap->held;
    if (unlikely(held == NULL)) {
        if (!thread_heap_is_none(heap)) {
            held = heap->held = mi__meta_alloc(sizeof *held);
        }
        if (held == NULL) {
            send_chain(page, block, block);
            return;
        }
    }
    held_list_t *list = &held->lists[page->class];
    block->next = list->first;
    list->first = block;
    list->count++;
    if ((size_t)list->count * page->block_size >= (size_t)mi__conf.held_bytes) {
        send_list(list);
    }
}

page_t *
mi__held_lend(thread_heap_t *heap, unsigned class, page_t *served)
{
    held_t *held = heap->held;
    if (held->lists[class].first == NULL) {
        return NULL;
    }
    page_t *stand_in = held->stand_ins[class];
    if (stand_in == NULL) {
        stand_in = mi__meta_alloc(sizeof *stand_in);
        if (stand_in == NULL) {
            return NULL;
        }
        stand_in->class = (uint16_t)class;
        stand_in->block_size = (uint32_t)sizeclass_block_size(class);
        stand_in->flags = PAGE_STAND_IN;
        held->stand_ins[class] = stand_in;
    }
    held_list_t *list = &held->lists[class];
    OWNER_SET(stand_in->free, list->first);
    thread_heap_grant(heap, class, list->count);
    stand_in->next = served;
    list->first = NULL;
    list->count = 0;
    mi__thread_heap_serve(heap, class, stand_in);
    return stand_in;
}

page_t *
mi__held_step_aside(thread_heap_t *heap, unsigned class, page_t *stand_in)
{
    page_t *stood_in = stand_in->next;
    held_list_t *list = &heap->held->lists[class];
    while (stand_in->free != NULL) {
        block_t *block = page_pop(stand_in, stand_in->free);
        block->next = list->first;
        list->first = block;
        list->count++;
        // They were granted, but nobody took them.
        OWNER_SET(heap->granted[class], heap->granted[class] - 1);
    }
    mi__thread_heap_serve(heap, class, stood_in);
    return stood_in;
}

void
mi__held_flush(thread_heap_t *heap)
{
    held_t *held = heap->held;
    if (held == NULL) {
        return;
    }
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        if (held->lists[class].first != NULL) {
            send_list(&held->lists[class]);
        }
    }
}
