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
#include "base/hooks.h"
#include "heap/registry.h"

enum {
    CHAIN_SLOTS = 8, // pages whose chains are kept open while a list is sent
    ALL_SHARE = 8,   // all classes together may hold this many times what one may
};

static void
send_chain(page_t *page, block_t *first, block_t *last, uint32_t count)
{
    owner_t *listed = mi__remote_push(page, first, last, count);
    if (listed != NULL) {
        mi__registry_tell(listed);
    }
}

static void
hold(held_t *held, unsigned class, block_t *block)
{
    held_list_t *list = &held->lists[class];
    block->next = list->first;
    OWNER_SET(list->first, block);
    OWNER_SET(list->count, list->count + 1);
    held->bytes += sizeclass_block_size(class);
}

static block_t *
take_list(held_t *held, unsigned class)
{
    held_list_t *list = &held->lists[class];
    block_t *first = list->first;
    held->bytes -= list->count * sizeclass_block_size(class);
    OWNER_SET(list->first, NULL);
    OWNER_SET(list->count, 0);
    return first;
}

// Blocks of one page on their way home.
typedef struct chain_t {
    page_t *page;
    block_t *first;
    block_t *last;
    uint32_t count;
} chain_t;

static void
send_slot(chain_t *chain)
{
    if (chain->page != NULL) {
        send_chain(chain->page, chain->first, chain->last, chain->count);
        chain->page = NULL;
    }
}

// Sends a list home, sorted into chains by page: a list often mixes the blocks of a few pages.
static void
send_list(held_t *held, unsigned class)
{
    chain_t chains[CHAIN_SLOTS] = {0};
    block_t *block = take_list(held, class);
    while (block != NULL) {
        block_t *next = block->next;
        page_t *page = mi__page_of(block);
        chain_t *chain = &chains[((uintptr_t)page >> DESCRIPTOR_SHIFT) % CHAIN_SLOTS];
        if (chain->page != page) {
            send_slot(chain);
            *chain = (chain_t){.page = page, .last = block};
        }
        block->next = chain->first;
        chain->first = block;
        chain->count++;
        block = next;
    }
    for (unsigned i = 0; i < CHAIN_SLOTS; i++) {
        send_slot(&chains[i]);
    }
}

// It is the one that was freed last, where it went before.
MI_COLD static void
report_twice(const block_t *block)
{
    mi__hooks.misuse(MISUSE_DOUBLE_FREE, "free", block);
}

void
mi__held_free(thread_heap_t *heap, page_t *page, block_t *block)
{
    held_t *held = heap->held;
    // Blocks of first-class heaps go home at once: those heaps may be destroyed.
    const thread_heap_t *owner = page_thread_heap(page_owner(page));
    if (unlikely(HINT_GET(owner->main) != owner)) {
        send_chain(page, block, block, 1);
        return;
    }
    if (unlikely(held == NULL)) {
        if (!thread_heap_is_none(heap)) {
            held = (held_t *)mi__meta_alloc(sizeof *held);
            OWNER_SET(heap->held, held);
        }
        if (held == NULL) {
            if (unlikely(mi__remote_first(page) == block)) {
                report_twice(block);
            } else {
                send_chain(page, block, block, 1);
            }
            return;
        }
    }
    if (unlikely(held->lists[page->class].first == block)) {
        report_twice(block);
        return;
    }
    hold(held, page->class, block);
    if ((size_t)held->lists[page->class].count * page->block_size >= (size_t)conf_get(held_bytes)) {
        send_list(held, page->class);
    } else if (held->bytes >= ALL_SHARE * (size_t)conf_get(held_bytes)) {
        mi__held_flush(heap);
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
        stand_in = (page_t *)mi__meta_alloc(sizeof *stand_in);
        if (stand_in == NULL) {
            return NULL;
        }
        stand_in->class = (uint16_t) class;
        stand_in->block_size = (uint32_t)sizeclass_block_size(class);
        stand_in->flags = PAGE_STAND_IN;
        OWNER_SET(held->stand_ins[class], stand_in);
    }
    (void)thread_heap_grant(heap, class, held->lists[class].count);
    OWNER_SET(stand_in->free, take_list(held, class));
    stand_in->next = served;
    mi__thread_heap_serve(heap, class, stand_in);
    return stand_in;
}

void
mi__held_keep(thread_heap_t *heap, unsigned class, block_t *block)
{
    hold(heap->held, class, block);
}

page_t *
mi__held_step_aside(thread_heap_t *heap, unsigned class, page_t *stand_in)
{
    page_t *stood_in = stand_in->next;
    while (stand_in->free != NULL) {
        hold(heap->held, class, page_pop(stand_in, stand_in->free));
        thread_heap_ungrant(heap, class, 1);
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
    for (unsigned i = 0; i < CLASS_COUNT; i++) {
        if (held->lists[i].first != NULL) {
            send_list(held, i);
        }
    }
}

// Calls `each`, if any, for the blocks of a list, and counts them. Follows a link only while it points
// into a page, like mi__page_blocks_free.
__attribute__((no_sanitize("thread"))) static size_t
visit_list(const block_t *block, size_t most, void (*each)(block_t *block, void *arg), void *arg)
{
    size_t count = 0;
    while (block != NULL && count < most && mi__page_of(block) != NULL) {
        count++;
        const block_t *next = *(const block_t *const volatile *)&block->next;
        if (each != NULL) {
            each((block_t *)(uintptr_t)block, arg); // NOLINT(performance-no-int-to-ptr): drops const
        }
        block = next;
    }
    return count;
}

// What is lent was held before, all at once.
static size_t
visit_lent(const page_t *stand_in, void (*each)(block_t *block, void *arg), void *arg)
{
    if (stand_in == NULL) {
        return 0;
    }
    size_t most = (size_t)conf_get(held_bytes) / stand_in->block_size + 1;
    return visit_list(HINT_GET(stand_in->free), most, each, arg);
}

void
mi__held_count(const thread_heap_t *heap, unsigned class, size_t *held, size_t *lent)
{
    const held_t *of_heap = HINT_GET(heap->held);
    *held = 0;
    *lent = 0;
    if (of_heap != NULL) {
        *held = HINT_GET(of_heap->lists[class].count);
        *lent = visit_lent(HINT_GET(of_heap->stand_ins[class]), NULL, NULL);
    }
}

void
mi__held_visit(const thread_heap_t *heap, void (*each)(block_t *block, void *arg), void *arg)
{
    const held_t *of_heap = HINT_GET(heap->held);
    for (unsigned i = 0; of_heap != NULL && i < CLASS_COUNT; i++) {
        const held_list_t *list = &of_heap->lists[i];
        (void)visit_list(HINT_GET(list->first), HINT_GET(list->count), each, arg);
        (void)visit_lent(HINT_GET(of_heap->stand_ins[i]), each, arg);
    }
}
