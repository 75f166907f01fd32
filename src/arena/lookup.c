// SPDX-License-Identifier: MIT
// lookup.c — a skip list of regions that only grows.
//
// State of a region that is being added, on each of its levels (prev and next: its neighbours there):
//   | # | state   | meaning                              | leaves by                               |
//   | K1 | alone  | nobody else knows it                 | → K2 the swap of prev's link on level 0 |
//   | K2 | listed | every search finds it                | → K3 the swap on a level above          |
//   | K3 | raised | searches that come from afar use it  | never                                   |
// A search goes along a level while the next region does not start behind the address, then down. A
// region that it stops at on its way is listed on the levels below, where nothing is ever taken away:
// what was listed before the search began is found.
//
// Owns:        the head of the list
// Threads:     any
// Invariants:  see lookup.h
// Not here:    see lookup.h
#include "arena/lookup.h"

#include "base/check.h"

// Stands before all regions.
static region_t head;

// [hint: may be stale] levels on which there are regions; a search that starts too low is slower.
static _Atomic(unsigned) levels = 1;

// The last region on the level, from `region` on, that starts at or before `at`; `*behind` is the one
// behind it, or NULL.
static inline region_t *
advance(region_t *region, unsigned level, const char *at, region_t **behind)
{
    for (;;) {
        // acquire: its fields and its lower links; pairs with the swap in link_at.
        region_t *next = atomic_get_acquire(&region->next[level]);
        if (next == NULL || (uintptr_t)next->start > (uintptr_t)at) {
            *behind = next;
            return region;
        }
        region = next;
    }
}

// K1 → K2 on level 0, K2 → K3 above, behind `prev` or a region that came behind it meanwhile.
static bool
link_at(region_t *region, unsigned level, region_t *prev)
{
    region_t *next;
    do {
        // What is judged here is what the swap compares with: a second look could see more.
        prev = advance(prev, level, region->start, &next);
        if ((prev != &head && prev->end > region->start) || (next != NULL && next->start < region->end)) {
            return false;
        }
        atomic_set_relaxed(&region->next[level], next);
        // release: the region's fields and lower links; pairs with the acquire in advance.
    } while (!atomic_cas_weak_release(&prev->next[level], &next, region));
    return true;
}

bool
mi__lookup_add(region_t *region, size_t number)
{
    region_t *before[LOOKUP_LEVELS];
    region_t *prev = &head;
    region_t *next;
    for (unsigned level = LOOKUP_LEVELS; level-- > 0;) {
        prev = advance(prev, level, region->start, &next);
        before[level] = prev;
    }
    if (!link_at(region, 0, before[0])) {
        return false;
    }
    for (unsigned level = 1; level < LOOKUP_LEVELS && number % 4 == 0; level++, number /= 4) {
        if (atomic_get_relaxed(&levels) <= level) {
            atomic_set_relaxed(&levels, level + 1);
        }
        bool linked = link_at(region, level, before[level]);
        ASSERT(linked);
        (void)linked;
    }
    return true;
}

static region_t *
last_from(const char *at)
{
    region_t *region = &head;
    region_t *next;
    for (unsigned level = atomic_get_relaxed(&levels); level-- > 0;) {
        region = advance(region, level, at, &next);
    }
    return region;
}

region_t *
mi__lookup_find(const void *p)
{
    region_t *region = last_from((const char *)p);
    return region != &head && (uintptr_t)p < (uintptr_t)region->end ? region : NULL;
}

bool
mi__lookup_any(const void *start, const void *end)
{
    const region_t *region = last_from((const char *)end - 1);
    return region != &head && (uintptr_t)region->end > (uintptr_t)start;
}
