// SPDX-License-Identifier: MIT
// guard.h — guarded blocks: one allocation in many lies alone between guard pages, cannot be touched any
// more once it is freed, and remembers who allocated and who freed it.
//
// States of a slot:
//   | #  | state | may be touched | leaves by                                             | order   | pairs with |
//   | U1 | EMPTY | no             | → U2 taken (any thread, under the lock)               | relaxed |            |
//   | U2 | TAKEN | its block      | → U3 freed (whoever frees the block)                  | release | the handler |
//   | U3 | FREED | no             | → U2 the slot freed longest ago is taken, when none is EMPTY |  |            |
// The handler of faults reads slots without the lock: what it tells of a slot that changes meanwhile may be
// mixed.
//
// Owns:        the slots and their slices
// Threads:     any
// Invariants:  W1 of a slot nothing but the OS pages of its block can be touched, and these only in U2
// Not here:    which allocations are guarded → heap/sampling.h; the handler → os/os.h
#ifndef MI_FRONT_GUARD_H
#define MI_FRONT_GUARD_H

#include "heap/samples.h"

// For the hooks: finds a slot for a sample of SAMPLER_GUARD, or takes that mark off it; and takes the slot
// back when the block is freed.
void mi__guard_place(sample_t *sample);
void mi__guard_gone(sample_t *sample);

// Guarded blocks so far.
uint64_t mi__guard_count(void);

// True when `p` lies in a block that was guarded and is freed.
bool mi__guard_was_freed(const void *p);

// Adds to a report what is known about the guarded block at or around `p`; nothing when there is none.
void mi__guard_tell(const void *p);

// In the child of a fork.
void mi__guard_after_fork(void);

#endif
