// SPDX-License-Identifier: MIT
// lookup.h — from an address to its region, where that is not the first one.
//
// The regions in the order of their addresses, linked on several levels: all of them on level 0,
// every fourth on the next, and so on (a skip list). Regions are added, never taken away, so that
// nobody waits for anybody, and whoever has found a region may keep it.
//
// Owns:        region_t.next of every region
// Threads:     any; lock-free
// Invariants:  K1 on each level regions stand in the order of their addresses, and do not overlap
//              K2 a region on one level is on all levels below it
// Not here:    the first region, which the fast path knows → arena/region.h
#ifndef MI_ARENA_LOOKUP_H
#define MI_ARENA_LOOKUP_H

#include "arena/region.h"

// Adds a region whose fields are set. `number` is the region's own; the levels it stands on follow
// from it. False, and nothing is changed, when it overlaps with one that is there.
MI_NODISCARD bool mi__lookup_add(region_t *region, size_t number);

// The region in which `p` lies, or NULL.
region_t *mi__lookup_find(const void *p);

// Whether a region lies anywhere in [start, end).
bool mi__lookup_any(const void *start, const void *end);

#endif
