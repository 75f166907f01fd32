// SPDX-License-Identifier: MIT
// purge.c — when free slices go back to the system.
//
// States of the helper thread:
//   | #  | helper | meaning         | leaves by                                            | order   | pairs with |
//   | H1 | NONE   | there is none   | → H2 start (any thread that finds one wanted)        | acquire | Q1         |
//   | H2 | RUNS   | it runs, or is  | → H1 done (the helper: no deadline stands, nothing   | seq_cst | Q2         |
//   |    |        | being started   |   is watched, little is held), Q1; then it looks     |         |            |
//   |    |        |                 |   again, and takes the step to H2 itself             |         |            |
//   |    |        |                 | → H3 rest (the helper: no deadline stands, but much  | seq_cst | Q2         |
//   |    |        |                 |   is held that may be freed), Q3; then it looks again|         |            |
//   |    |        |                 | → H1 fork, in the child; → H1 when none can be had   |         |            |
//   | H3 | RESTS  | it sleeps until | → H2 wake (who sets a deadline, or the helper, when  | relaxed |            |
//   |    |        | it is woken     |   its time is over: then on to H1)                   |         |            |
//   |    |        |                 | → H1 fork, in the child                              |         |            |
// Setting a deadline and ending race: a releaser sets the deadline and then looks for a helper (Q2); the
// helper sets NONE or RESTS and then looks for a deadline (Q1, Q3). Both have a sequentially consistent
// fence between the two, so that one of them sees the other.
//
// Owns:        see purge.h
// Threads:     see purge.h
// Invariants:  see purge.h
// Not here:    see purge.h
#include "arena/purge.h"

#include "arena/slices.h"
#include "arena/watch.h"
#include "base/bits.h"
#include "os/os.h"

enum {
    STEPS = 4,                      // ticks in a delay
    FLOOR_BYTES = 32 * 1024 * 1024, // may stay free and dirty, …
    USED_SHARE = 4,                 // … and so much of what is in use
    REST_SHARE = 4,                 // what is too much goes, and this share more, so that it is not little
    REGRET_MS = 1000,               // what is needed again so soon would better have stayed
    CREDIT_MS = 10 * 1000,          // so long it may stay
    RETRY_MS = 10 * 1000,           // when no thread can be had
    REST_BYTES = 4 * 1024 * 1024,   // who holds so much has a helper before it is freed, …
    REST_MS = 2000,                 // … if it was allocated no longer ago: a thread keeps a process alive
};
enum { NONE, RUNS, RESTS };

_Atomic(flag_t) mi__purge_wanted;

static _Atomic(int64_t) deadline_ms; // 0: nothing to purge
static _Atomic(flag_t) purging;
static _Atomic(uint64_t) purged_bytes;
static _Atomic(uint32_t) helper;
static _Atomic(int64_t) retry_ms; // no helper before that
static _Atomic(size_t) seen_off;  // bytes held when the last helper ended: a steady load starts no other

// [lock: purging]
static unsigned step;                       // ticks since the last marking; 0: nothing is marked
static int64_t excess_ms;                   // of the last purge by size
static _Atomic(int64_t) no_excess_until_ms; // [hint: may be stale] the last one found nothing
static size_t excess_bytes;                 // given back by size since …
static size_t excess_refilled;              // … so much had been claimed clean

// What may stay free beyond the limit: it was given back, and needed again at once.
static _Atomic(size_t) credit_bytes;
static _Atomic(int64_t) credit_until_ms;

// ---- by time -------------------------------------------------------------------------------

static void
set_deadline(setting_t in_ms)
{
    atomic_set_relaxed(&deadline_ms, mi__os_clock_ms() + in_ms);
    // Q2: pairs with Q1 in helper_main and Q3 in rest.
    atomic_thread_fence(memory_order_seq_cst);
    uint32_t state = atomic_get_relaxed(&helper);
    if (state == NONE) {
        // release: the deadline; pairs with the acquire in mi__purge_start_helper.
        atomic_set_release(&mi__purge_wanted, true);
    } else if (state == RESTS && atomic_cas_strong_relaxed(&helper, &state, RUNS)) {
        mi__os_wake(&helper);
    }
}

static setting_t
tick_ms(void)
{
    setting_t delay_ms = conf_get(purge_delay_ms);
    return delay_ms < STEPS ? 1 : delay_ms / STEPS;
}

void
mi__purge_schedule(void)
{
    // The slices were released before this. Of a release and a poll at the same time one sees the
    // other; pairs with the fence in tick.
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_get_relaxed(&deadline_ms) == 0 && conf_get(purge_delay_ms) > 0) {
        set_deadline(2 * tick_ms());
    }
}

void
mi__purge_delay_changed(void)
{
    setting_t delay_ms = conf_get(purge_delay_ms);
    // What was released under the old delay may have no deadline at all.
    atomic_set_relaxed(&deadline_ms, 0);
    if (delay_ms > 0) {
        set_deadline(2 * tick_ms());
    } else if (delay_ms == 0) {
        (void)mi__purge_poll(true);
    }
}

static size_t
tick(void)
{
    // The deadline goes first: what is released from here on sets the next one.
    atomic_set_relaxed(&deadline_ms, 0);
    atomic_thread_fence(memory_order_seq_cst); // pairs with the fence in mi__purge_schedule
    size_t bytes = 0;
    bool left = true;
    if (step > 0 && step < STEPS) {
        bytes = mi__slices_purge_part(STEPS + 1 - step);
        step++;
    } else {
        bytes = mi__slices_purge(false, &left);
        step = left;
    }
    if (left && atomic_get_relaxed(&deadline_ms) == 0) {
        set_deadline(tick_ms());
    }
    return bytes;
}

static size_t
purge_all(void)
{
    atomic_set_relaxed(&deadline_ms, 0);
    atomic_thread_fence(memory_order_seq_cst); // pairs with the fence in mi__purge_schedule
    bool left;
    size_t bytes = mi__slices_purge(true, &left);
    step = 0;
    if (left) {
        mi__purge_schedule();
    }
    return bytes;
}

static bool
start_purging(void)
{
    // acquire: pairs with the release in stop_purging; one purge at a time is enough, a second would find
    // nothing.
    return !atomic_get_relaxed(&purging) && !atomic_exchange_acquire(&purging, true);
}

static void
stop_purging(void)
{
    // release: what the lock protects; pairs with the acquire in start_purging.
    atomic_set_release(&purging, false);
}

size_t
mi__purge_poll(bool force)
{
    int64_t deadline = atomic_get_relaxed(&deadline_ms);
    if (!force && (deadline == 0 || mi__os_clock_ms() < deadline)) {
        return 0;
    }
    if (!start_purging()) {
        return 0;
    }
    size_t bytes = force ? purge_all() : tick();
    mi__purge_count(bytes);
    stop_purging();
    return bytes;
}

// ---- by size -------------------------------------------------------------------------------

// What has been given back by size lately, and was claimed again at once, is let stay for a while. A helper
// gives it back in any case; without one it is no more than what is in use, and goes when that goes.
static size_t
credit(int64_t now_ms, const slices_held_t *held)
{
    size_t bytes = now_ms < atomic_get_relaxed(&credit_until_ms) ? atomic_get_relaxed(&credit_bytes) : 0;
    return atomic_get_relaxed(&helper) == RUNS ? bytes : size_min(bytes, held->used_bytes);
}

static void
learn(int64_t now_ms, const slices_held_t *held)
{
    if (now_ms - excess_ms > REGRET_MS) {
        excess_bytes = 0;
    }
    if (excess_bytes == 0) {
        excess_refilled = held->refilled_bytes;
    }
    size_t again = size_min(excess_bytes, held->refilled_bytes - excess_refilled);
    if (again > credit(now_ms, held)) {
        atomic_set_relaxed(&credit_bytes, again);
        atomic_set_relaxed(&credit_until_ms, now_ms + CREDIT_MS);
    }
}

static void
purge_excess(size_t limit, const slices_held_t *held)
{
    int64_t now_ms = mi__os_clock_ms();
    if (held->free_bytes <= limit + credit(now_ms, held) ||
        now_ms < atomic_get_relaxed(&no_excess_until_ms) || !start_purging()) {
        return;
    }
    learn(now_ms, held);
    limit += credit(now_ms, held);
    if (held->free_bytes > limit) {
        size_t bytes = mi__slices_purge_bytes(held->free_bytes - limit + limit / REST_SHARE, false);
        mi__purge_count(bytes);
        // Memory that was handed over may not be given back.
        atomic_set_relaxed(&no_excess_until_ms, bytes == 0 ? now_ms + tick_ms() : 0);
        excess_bytes += bytes;
        excess_ms = now_ms;
    }
    stop_purging();
}

void
mi__purge_released(void)
{
    mi__purge_schedule();
    slices_held_t held = mi__slices_held();
    size_t limit = FLOOR_BYTES + held.used_bytes / USED_SHARE;
    if (unlikely(held.free_bytes > limit) && conf_get(purge_delay_ms) > 0) {
        purge_excess(limit, &held);
    }
}

// ---- the helper thread ---------------------------------------------------------------------

static bool
become_helper(void)
{
    uint32_t none = NONE;
    // acquire: pairs with Q1.
    return atomic_cas_strong_acquire(&helper, &none, RUNS);
}

static bool
may_have_helper(void)
{
    setting_t mode = conf_get(purge_thread);
    return mode == PURGE_THREAD_ALWAYS || (mode == PURGE_THREAD_AUTO && !mi__os_is_single_threaded());
}

// In use or free: what has just been released is still backed, and keeps the helper from ending before the
// deadline for it is set.
static size_t
held_bytes(void)
{
    slices_held_t held = mi__slices_held();
    return held.used_bytes + held.free_bytes;
}

static bool
much_is_held(size_t beyond)
{
    return held_bytes() >= beyond + REST_BYTES && conf_get(purge_delay_ms) > 0;
}

// Sleeps until something is to be purged; false when the helper had better end, after a while in any case.
static bool
rest(void)
{
    if (!much_is_held(0) || !may_have_helper()) {
        return false;
    }
    // Q3, seq_cst: pairs with Q2 in set_deadline.
    atomic_store_explicit(&helper, RESTS, memory_order_seq_cst);
    atomic_thread_fence(memory_order_seq_cst); // pairs with the fence in set_deadline
    int64_t left_ms = REST_MS;
    int64_t end_ms = mi__os_clock_ms() + left_ms;
    while (atomic_get_relaxed(&deadline_ms) == 0 && atomic_get_relaxed(&helper) == RESTS && left_ms > 0) {
        mi__os_wait(&helper, RESTS, left_ms);
        left_ms = end_ms - mi__os_clock_ms();
    }
    uint32_t rests = RESTS;
    (void)atomic_cas_strong_relaxed(&helper, &rests, RUNS);
    return left_ms > 0;
}

static void
purge_while_due(void)
{
    int64_t deadline = atomic_get_relaxed(&deadline_ms);
    while (deadline != 0 || mi__watch_is_on()) {
        // A deadline that is set meanwhile wakes nobody, and is two ticks ahead at least.
        int64_t left_ms = deadline == 0 ? 2 * tick_ms() : deadline - mi__os_clock_ms();
        // The clock is coarse: a little later, so that the tick is due then.
        mi__watch_wait(left_ms < 0 ? 1 : left_ms + 1);
        (void)mi__purge_poll(false);
        mi__watch_poll();
        deadline = atomic_get_relaxed(&deadline_ms);
    }
}

static void
helper_main(void)
{
    do {
        do {
            purge_while_due();
        } while (rest());
        mi__watch_end();
        atomic_set_relaxed(&seen_off, held_bytes());
        // Q1, seq_cst: pairs with Q2 in set_deadline, and with the acquire in become_helper.
        atomic_store_explicit(&helper, NONE, memory_order_seq_cst);
        atomic_thread_fence(memory_order_seq_cst); // pairs with the fence in set_deadline
    } while (atomic_get_relaxed(&deadline_ms) != 0 && become_helper());
}

void
mi__purge_want_helper(void)
{
    if (atomic_get_relaxed(&helper) == NONE &&
        (mi__watch_is_on() || much_is_held(atomic_get_relaxed(&seen_off)))) {
        atomic_set_relaxed(&mi__purge_wanted, true);
    }
}

void
mi__purge_start_helper(void)
{
    // acquire: the deadline; pairs with the release in set_deadline. One thread is enough.
    if (!atomic_exchange_acquire(&mi__purge_wanted, false)) {
        return;
    }
    bool to_purge = atomic_get_relaxed(&deadline_ms) != 0 && conf_get(purge_delay_ms) > 0;
    if ((!to_purge && !mi__watch_is_on() && !much_is_held(0)) || !may_have_helper()) {
        return;
    }
    int64_t now_ms = mi__os_clock_ms();
    if (now_ms < atomic_get_relaxed(&retry_ms) || !become_helper()) {
        return;
    }
    if (!mi__os_start_helper(helper_main)) {
        atomic_set_relaxed(&retry_ms, now_ms + RETRY_MS);
        // release: pairs with the acquire in become_helper.
        atomic_set_release(&helper, NONE);
    }
}

// ---- counts and fork -----------------------------------------------------------------------

void
mi__purge_count(size_t bytes)
{
    atomic_add_relaxed(&purged_bytes, (uint64_t)bytes);
}

uint64_t
mi__purge_total(void)
{
    return atomic_get_relaxed(&purged_bytes);
}

void
mi__purge_after_fork(void)
{
    atomic_set_relaxed(&purging, false);
    atomic_set_relaxed(&helper, NONE);
    mi__watch_end();
    if (atomic_get_relaxed(&deadline_ms) != 0 || mi__watch_is_on()) {
        atomic_set_relaxed(&mi__purge_wanted, true);
    }
}
