// SPDX-License-Identifier: MIT
// watch.c — memory inside of pages in use goes back without being asked.
//
// Owns:        see watch.h
// Threads:     see watch.h
// Not here:    see watch.h
#include "arena/watch.h"

#include "arena/purge.h"
#include "base/atomic.h"
#include "base/hooks.h"
#include "os/os.h"

enum {
    RETRY_MS = 10 * 1000, // when the system does not tell of pressure
    WANT_MS = 1000,       // between two looks for the helper
};

// [owner only] of the helper thread
static int pressure_fd = -1;
static int64_t open_again_ms;

static _Atomic(int64_t) cold_ms; // when pages are looked at next
static _Atomic(int64_t) want_ms; // and whether there is a helper

static void
start_listening(void)
{
    int64_t now_ms = mi__os_clock_ms();
    if (conf_get(memory_pressure) && pressure_fd < 0 && now_ms >= open_again_ms) {
        pressure_fd = mi__os_pressure_open();
        open_again_ms = now_ms + RETRY_MS;
    }
}

void
mi__watch_wait(int64_t ms)
{
    start_listening();
    if (pressure_fd < 0) {
        mi__os_sleep_ms(ms);
    } else if (mi__os_pressure_wait(&pressure_fd, ms)) {
        mi__hooks.trim_pages(true);
        (void)mi__purge_poll(true);
    }
}

// True for one thread when the time has come, which is then put off.
static bool
is_due(_Atomic(int64_t) *at, int64_t now_ms, int64_t again_ms)
{
    int64_t seen = atomic_get_relaxed(at);
    return now_ms >= seen && atomic_cas_weak_relaxed(at, &seen, now_ms + again_ms);
}

void
mi__watch_poll_now(void)
{
    int64_t now_ms = mi__os_clock_ms();
    int64_t delay_ms = conf_get(trim_delay_ms);
    if (delay_ms > 0 && is_due(&cold_ms, now_ms, delay_ms)) {
        mi__hooks.trim_pages(false);
    }
    if (is_due(&want_ms, now_ms, WANT_MS)) {
        mi__purge_want_helper();
    }
}

void
mi__watch_end(void)
{
    if (pressure_fd >= 0) {
        mi__os_pressure_close(pressure_fd);
        pressure_fd = -1;
    }
}
