// SPDX-License-Identifier: MIT
// fake_arena.h — a few slices in place of the arena and the system, for scenarios of the heap layer.
//
// Slices are claimed one after the other, and never again once they are released; whoever touches
// them later is found out. To be included by one file of a program.
#ifndef TESTS_CONCURRENT_FAKE_ARENA_H
#define TESTS_CONCURRENT_FAKE_ARENA_H

#include "failed_check.h"

#include <string.h>

#include "alloc/fast.h"
#include "arena/meta.h"
#include "arena/purge.h"
#include "base/hooks.h"
#include "heap/registry.h"
#include "heap/siblings.h"
#include "os/os.h"

enum { SLICES = 8, BLOCK_SIZE = 4096 };

static char *slices;
static page_t *descriptors;
static _Atomic(unsigned) slices_claimed;
static bool released[SLICES];

region_first_t mi__region_first;

bool
mi__slices_claim(size_t count, size_t align, region_t *only, slice_run_t *run)
{
    (void)align;
    explore_expect(only == NULL, "no heap is bound to a region");
    unsigned slice = atomic_add_relaxed(&slices_claimed, (unsigned)count);
    explore_expect(slice + count <= SLICES, "the test has slices enough");
    *run = (slice_run_t){
        .descriptor = &descriptors[slice], .start = slices + (size_t)slice * SLICE_SIZE, .zero = true};
    return true;
}

uint32_t
mi__slices_place(const char *start)
{
    (void)start;
    return 0;
}

bool
mi__slices_claim_again(uint32_t place, size_t count, slice_run_t *run)
{
    (void)place;
    (void)count;
    (void)run;
    return false;
}

void
mi__slices_release(char *start, size_t count)
{
    size_t slice = (size_t)(start - slices) / SLICE_SIZE;
    for (size_t i = slice; i < slice + count; i++) {
        explore_expect(!released[i], "a page is released once");
        released[i] = true;
    }
    explore_retire(start, count * SLICE_SIZE);
    explore_retire(&descriptors[slice], count * sizeof(page_t));
}

bool
mi__slices_claim_behind(char *start, size_t count, size_t more, bool *zero)
{
    (void)zero;
    (void)start;
    (void)count;
    (void)more;
    return false;
}

page_t *
mi__region_descriptor(const void *p)
{
    return &descriptors[(size_t)((const char *)p - slices) / SLICE_SIZE];
}

bool
mi__region_reserves(const void *p)
{
    return (size_t)((const char *)p - slices) < (size_t)SLICES * SLICE_SIZE;
}

region_t *
mi__region_of(const void *p)
{
    static region_t region;
    (void)p;
    return &region;
}

// The memory reads as zero then: as if it had been written.
bool
mi__region_discard(void *start, size_t bytes)
{
    memset(start, 0, bytes);
    return true;
}

bool
mi__region_init(void)
{
    return true;
}

size_t
mi__purge_poll(bool force)
{
    (void)force;
    return 0;
}

void
mi__purge_after_fork(void)
{
}

void
mi__front_first_use(void)
{
}

static bool started;

void
mi__os_init(void)
{
    started = true;
}

void *
mi__meta_alloc(size_t size)
{
    explore_expect(started, "nothing is allocated before the start");
    return explore_alloc(size);
}

size_t
mi__os_page_size(void)
{
    return BLOCK_SIZE;
}

void
mi__os_thread_on_exit(void *arg)
{
    (void)arg;
}

bool
mi__os_thread_exit_init(void (*at_exit)(void *arg))
{
    (void)at_exit;
    return true;
}

void
mi__os_yield(void)
{
    explore_wait();
}

// Lays out the slices. For setup.
static void
fake_arena_init(void)
{
    char *pool = explore_alloc((size_t)(SLICES + 1) * SLICE_SIZE);
    slices = (char *)align_up((uintptr_t)pool, SLICE_SIZE);
    descriptors = explore_alloc(SLICES * sizeof(page_t));
    mi__region_first = (region_first_t){.base = (uintptr_t)slices,
                                        .descriptors = (uintptr_t)descriptors,
                                        .committed = (size_t)SLICES * SLICE_SIZE};
    static const char *const page_names[][3] = {
        {"page 0's thread_free", "page 0's pending_next", "page 0"},
        {"page 1's thread_free", "page 1's pending_next", "page 1"},
        {"page 2's thread_free", "page 2's pending_next", "page 2"},
    };
    for (unsigned i = 0; i < 3; i++) {
        explore_name(&descriptors[i].thread_free, 8, page_names[i][0]);
        explore_name(&descriptors[i].pending_next, 8, page_names[i][1]);
        explore_name(&descriptors[i], sizeof(page_t), page_names[i][2]);
    }
    for (unsigned i = 0; i < SLICES; i++) {
        explore_ordered(&descriptors[i].pending_next, 8);
    }
}

#endif
