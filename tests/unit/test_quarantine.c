// SPDX-License-Identifier: MIT
// test_quarantine.c — heap/quarantine.c: freed blocks that wait.
#include "fresh.h"

#include "alloc/alloc.h"
#include "heap/quarantine.h"
#include "heap/registry.h"
#include "heap/walk.h"
#include "page/blockmap.h"

enum { MANY = 3 * QUARANTINE_BLOCKS };
static char *blocks[MANY];

static void
start(void)
{
    mi__conf.secure = SECURE_REUSE;
    mi__conf.purge_delay_ms = -1;
    mi__conf.region_bytes_log2 = 32;
    mi__hooks.misuse = record_misuse;
}

static size_t
index_in(const page_t *page, const char *p)
{
    return blockmap_index(page, (size_t)(p - page->start));
}

static void
blocks_leave_in_turn(void)
{
    start();
    for (size_t i = 0; i < MANY; i++) {
        blocks[i] = mi__alloc(100 + i % 400);
    }
    for (size_t i = 0; i < MANY; i++) {
        page_t *page = mi__page_of(blocks[i]);
        uint32_t used = page->used;
        page_t *leaves = i < QUARANTINE_BLOCKS ? NULL : mi__page_of(blocks[i - QUARANTINE_BLOCKS]);
        mi__free(blocks[i]);
        // It waits, and counts as used; nobody may free it.
        check(page->used == used - (leaves == page) && !mi__is_block(blocks[i]));
        if (i >= QUARANTINE_BLOCKS && mi__page_of(blocks[i - QUARANTINE_BLOCKS]) != NULL) {
            const blockmap_t *map = leaves->map;
            size_t index = index_in(leaves, blocks[i - QUARANTINE_BLOCKS]);
            check((map->word[index / 64].free & blockmap_bit(map, index)) != 0);
        }
        check_equal(misuses.count, 0);
    }
    mi__free(blocks[MANY - 1]);
    check(misused(1, MISUSE_DOUBLE_FREE, "free", blocks[MANY - 1]));
    walk_fault_t fault;
    check(mi__walk_check(&mi__subproc_main.main, &fault));
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
}

static void *
free_all(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < MANY; i++) {
        mi__free(blocks[i]);
    }
    return NULL;
}

// Each thread has its own, which is empty when it has ended.
static void *
come_and_go(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < MANY; i++) {
        mi__free(mi__alloc(1 + i * 20));
    }
    check(mi__thread_heap->quarantine != NULL);
    return NULL;
}

static void
threads_leave_nothing_behind(void)
{
    start();
    run_thread(come_and_go, NULL);
    for (size_t i = 0; i < MANY; i++) {
        blocks[i] = mi__alloc(1 + i * 20);
    }
    run_thread(free_all, NULL); // others' frees don't wait
    (void)mi__collect(true);
    check_equal(slices_in_use(), 0);
    check_equal(misuses.count, 0);
}

// What waits takes little memory, also where blocks are large.
static void
memory_is_bounded(void)
{
    start();
    size_t before = status_bytes("RssAnon");
    for (size_t size = QUARANTINE_DROP_MIN; size < 65536; size += 4000) {
        for (size_t i = 0; i < MANY; i++) {
            char *p = mi__alloc(size);
            fill(p, size, 1);
            mi__free(p);
        }
        check(status_bytes("RssAnon") < before + QUARANTINE_BYTES + 16 * MIB);
    }
    check_equal(misuses.count, 0);
}

// Blocks are emptied by the system only while much waits.
static void
few_blocks_stay_resident(void)
{
    start();
    enum { SIZE = 32000, FEW = 100 };
    check(!mi__quarantine_drops(mi__thread_heap, SIZE));
    for (size_t i = 0; i < FEW; i++) {
        blocks[i] = mi__alloc(SIZE);
        fill(blocks[i], SIZE, 1);
    }
    size_t before = status_bytes("RssAnon");
    for (size_t i = 0; i < FEW; i++) {
        mi__free(blocks[i]);
    }
    check(status_bytes("RssAnon") + MIB > before);
    for (size_t i = 0; i < QUARANTINE_BLOCKS; i++) {
        check(!mi__quarantine_drops(mi__thread_heap, QUARANTINE_DROP_MIN - 1));
        mi__free(mi__alloc(SIZE));
    }
    check(mi__quarantine_drops(mi__thread_heap, QUARANTINE_DROP_MIN));
    mi__quarantine_flush(mi__thread_heap);
    check(!mi__quarantine_drops(mi__thread_heap, SIZE));
    check_equal(misuses.count, 0);
}

static void
what_is_forgotten_stays(void)
{
    start();
    char *p = mi__alloc(1000);
    page_t *page = mi__page_of(p);
    uint32_t used = page->used;
    mi__free(p);
    mi__quarantine_forget(mi__thread_heap);
    mi__quarantine_flush(mi__thread_heap);
    check(page->used == used && !mi__is_block(p));
    mi__quarantine_forget((thread_heap_t *)(uintptr_t)&mi__thread_heap_none);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(blocks_leave_in_turn),    fresh_test(threads_leave_nothing_behind),
        fresh_test(memory_is_bounded),       fresh_test(few_blocks_stay_resident),
        fresh_test(what_is_forgotten_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
