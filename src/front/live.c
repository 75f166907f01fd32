// SPDX-License-Identifier: MIT
// live.c — counting when it is due, answering requests, files for others to read.
//
// Owns:        see live.h
// Threads:     `busy` admits one
// Invariants:  see live.h
// Not here:    see live.h
#include "front/live.h"

#include "alloc/alloc.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "base/config.h"
#include "base/format.h"
#include "front/metrics.h"
#include "front/profile.h"
#include "front/report.h"
#include "front/tally.h"
#include "heap/registry.h"
#include "os/os.h"

enum {
    LIVE_MS = 1000,   // between two counts
    COST_SHARE = 100, // a count may take this share of the time
    PATH_MAX_CHARS = 1000,
};

static mi_live_t own_page = {.magic = "mi-live", .version = 1, .bytes = sizeof(mi_live_t)};
_Atomic(mi_live_t *) mi__live_page = &own_page;

static _Atomic(flag_t) busy;
static _Atomic(bool) wants_share; // [hint: may be stale] the page is to be a file
static _Atomic(int64_t) due_ms;   // [hint: may be stale] nothing is due before; INT64_MAX: never

// [lock: busy]
static int64_t count_due_ms = INT64_MAX;
static int64_t file_due_ms = INT64_MAX;
static census_t census_now; // not on the stack: threads may have small ones
static char shared_path[32];
static char metrics_path[PATH_MAX_CHARS];
static _Atomic(uint64_t) peak_bytes;

// ---- counting

static uint64_t
count_heaps(void)
{
    uint64_t count = 1;
    for (heap_t *heap = mi__heap_first_made(); heap != NULL; heap = heap->next_made) {
        count += mi__heap_is_live(heap);
    }
    return count;
}

static uint64_t
other_misuses(void)
{
    uint64_t count = 0;
    for (unsigned kind = 0; kind < MISUSE_COUNT; kind++) {
        bool named = kind == MISUSE_DOUBLE_FREE || kind == MISUSE_FREE_FOREIGN ||
                     kind == MISUSE_FREE_NO_BLOCK || kind == MISUSE_FREE_INTERIOR;
        count += named ? 0 : mi__report_misuses((misuse_t)kind);
    }
    return count;
}

static uint64_t
raise_peak(uint64_t bytes)
{
    uint64_t peak = atomic_get_relaxed(&peak_bytes);
    while (peak < bytes && !atomic_cas_weak_relaxed(&peak_bytes, &peak, bytes)) {
    }
    return peak > bytes ? peak : bytes;
}

void
mi__live_figures(mi_figures_t *figures, census_t *census)
{
    os_usage_t usage;
    os_calls_t calls;
    mi__os_usage(&usage);
    mi__os_calls(&calls);
    mi__census_take(census);
    const census_class_t *total = &census->total;
    uint64_t bytes = census->singleton_bytes;
    for (unsigned i = 0; i < CLASS_COUNT; i++) {
        bytes += census->classes[i].allocated * census->classes[i].block_size;
    }
    *figures = (mi_figures_t){
        .allocated_bytes = total->live_bytes,
        .allocated_blocks = total->live,
        .peak_allocated_bytes = raise_peak(total->live_bytes),
        .active_bytes = total->page_bytes,
        .pages = total->pages,
        .orphaned_pages = census->pages_orphaned,
        .resident_bytes = usage.resident_bytes,
        .committed_bytes = census->committed_bytes,
        .retained_bytes = census->reserved_bytes,
        .purgeable_bytes = census->purgeable_bytes,
        .metadata_bytes = census->metadata_bytes,
        .threads = census->threads,
        .heaps = count_heaps(),
        .allocation_count = total->allocated,
        .allocation_bytes = bytes,
        .free_count = total->allocated > total->live ? total->allocated - total->live : 0,
        .purged_bytes = census->purged_bytes,
        .reserve_call_count = calls.reserve,
        .commit_call_count = calls.commit,
        .purge_call_count = calls.purge,
        .double_free_count = mi__report_misuses(MISUSE_DOUBLE_FREE),
        .invalid_free_count = mi__report_misuses(MISUSE_FREE_FOREIGN) +
                              mi__report_misuses(MISUSE_FREE_NO_BLOCK) +
                              mi__report_misuses(MISUSE_FREE_INTERIOR),
        .other_misuse_count = other_misuses(),
        .failed_allocation_count = mi__report_failures(),
    };
}

// Tools read the page while it is written: word by word, between two changes of `updates` (W1).
static void
refresh(mi_live_t *page)
{
    mi_figures_t figures;
    int64_t begun = mi__os_clock_ms();
    mi__live_figures(&figures, &census_now);
    int64_t ended = mi__os_clock_ms();
    HINT_SET(page->updates, page->updates + 1);
    // release: the odd number goes before the figures; pairs with the reader's second look at it.
    __atomic_thread_fence(__ATOMIC_RELEASE);
    const uint64_t *from = (const uint64_t *)(const void *)&figures;
    uint64_t *to = (uint64_t *)(void *)&page->figures;
    for (size_t i = 0; i < sizeof figures / sizeof *from; i++) {
        HINT_SET(to[i], from[i]);
    }
    HINT_SET(page->pid, (uint64_t)mi__os_process_id());
    HINT_SET(page->interval_ms, conf_get(live) ? LIVE_MS : 0);
    HINT_SET(page->updated_ms, (uint64_t)ended);
    HINT_SET(page->started_ms, page->started_ms == 0 ? (uint64_t)ended : page->started_ms);
    // release: the figures; pairs with the reader's first look at an even number.
    __atomic_store_n(&page->updates, page->updates + 1, __ATOMIC_RELEASE);
    int64_t pause = LIVE_MS > (ended - begun) * COST_SHARE ? LIVE_MS : (ended - begun) * COST_SHARE;
    count_due_ms = conf_get(live) ? ended + pause : INT64_MAX;
}

// ---- files

static void
share(void)
{
    text_t path;
    text_init(&path);
    mi__format(&path, "/dev/shm/mimalloc.%ld", mi__os_process_id());
    mi_live_t *page = (mi_live_t *)mi__os_share(path.chars, align_up(sizeof *page, mi__os_page_size()));
    if (page == NULL) {
        mi__warning("%s cannot be made: the live page stays in the process\n", path.chars);
        return;
    }
    __builtin_memcpy(shared_path, path.chars, path.length + 1);
    *page = (mi_live_t){.magic = "mi-live", .version = 1, .bytes = sizeof *page};
    // release: the page's header; pairs with the acquire in mi__live_poll.
    atomic_set_release(&mi__live_page, page);
}

// The path, with the number of the process for each %p in it, and `more` at its end.
static void
put_metrics_path(text_t *text, const char *more)
{
    text_init(text);
    for (const char *at = metrics_path; *at != 0; at++) {
        if (at[0] == '%' && at[1] == 'p') {
            mi__format(text, "%ld", mi__os_process_id());
            at++;
        } else {
            mi__format(text, "%c", *at);
        }
    }
    mi__format(text, "%s", more);
}

typedef struct metrics_file_t {
    int file;
    bool whole;
} metrics_file_t;

static void
write_piece(const char *text, void *arg)
{
    metrics_file_t *to = (metrics_file_t *)arg;
    to->whole = to->whole && mi__os_write(to->file, text, __builtin_strlen(text));
}

// Under another name first: who reads the file finds all of it.
static void
write_metrics(void)
{
    text_t path;
    text_t temporary;
    mi_figures_t figures;
    put_metrics_path(&path, "");
    put_metrics_path(&temporary, ".new");
    mi__os_unlink(temporary.chars); // of a run that was killed
    metrics_file_t to = {.file = mi__os_create(temporary.chars), .whole = !temporary.cut};
    if (to.file >= 0) {
        mi__live_figures(&figures, &census_now);
        mi__metrics_print(&figures, conf_get(metrics_classes) ? census_now.classes : NULL, write_piece, &to);
        to.whole = mi__os_publish(to.file, temporary.chars, path.chars, to.whole);
    }
    if (to.file < 0 || !to.whole) {
        mi__warning("metrics cannot be written to %s\n", path.chars);
    }
    file_due_ms = mi__os_clock_ms() + conf_get(metrics_interval) * 1000;
}

// ---- the beat

static void
answer(mi_live_t *page, uint32_t request)
{
    if ((request & MI_LIVE_RESET_PEAKS) != 0) {
        atomic_set_relaxed(&peak_bytes, 0);
        mi__tally_reset();
    }
    if ((request & MI_LIVE_START_PROFILE) != 0) {
        (void)mi__profile_start(0);
    }
    if ((request & MI_LIVE_DUMP_PROFILE) != 0) {
        (void)mi__profile_dump(NULL, (profile_form_t)conf_get(profile_format));
    }
    if ((request & MI_LIVE_STOP_PROFILE) != 0) {
        mi__profile_stop();
    }
    if ((request & MI_LIVE_PURGE) != 0) {
        (void)mi__collect(true);
    }
    refresh(page);
    // release: what was done; pairs with a reader's look at `answers`.
    __atomic_store_n(&page->answers, page->answers + 1, __ATOMIC_RELEASE);
}

static void
work(mi_live_t *page, int64_t now)
{
    if (atomic_get_relaxed(&wants_share)) {
        atomic_set_relaxed(&wants_share, false);
        share();
        page = atomic_get_relaxed(&mi__live_page);
        count_due_ms = now;
    }
    uint32_t request = __atomic_exchange_n(&page->request, 0, __ATOMIC_RELAXED);
    if (request != 0) {
        answer(page, request);
    } else if (now >= count_due_ms) {
        refresh(page);
    }
    if (now >= file_due_ms) {
        write_metrics();
    }
    atomic_set_relaxed(&due_ms, count_due_ms < file_due_ms ? count_due_ms : file_due_ms);
}

void
mi__live_poll(void)
{
    // acquire: the page's header; pairs with the release in share.
    mi_live_t *page = atomic_get_acquire(&mi__live_page);
    int64_t due = atomic_get_relaxed(&due_ms);
    bool idle = HINT_GET(page->request) == 0 && due == INT64_MAX;
    if (likely(idle)) {
        return;
    }
    int64_t now = mi__os_clock_ms();
    if (HINT_GET(page->request) == 0 && now < due) {
        return;
    }
    // acquire: what the last one left; pairs with the release below. A census or a collection that comes by
    // here again passes.
    if (!atomic_exchange_acquire(&busy, true)) {
        work(page, now);
        atomic_set_release(&busy, false); // pairs with the acquire above
    }
}

MI_START void
mi__live_start(void)
{
    const char *path = mi__os_getenv("MIMALLOC_METRICS");
    if (path != NULL && *path != 0) {
        size_t length = __builtin_strlen(path);
        if (length >= PATH_MAX_CHARS - 32) {
            mi__message("warning: MIMALLOC_METRICS is not understood: the path is too long\n");
        } else {
            __builtin_memcpy(metrics_path, path, length + 1);
            file_due_ms = 0;
        }
    }
    atomic_set_relaxed(&wants_share, conf_get(live));
    atomic_set_relaxed(&due_ms, conf_get(live) || file_due_ms == 0 ? 0 : INT64_MAX);
}

MI_START void
mi__live_end(void)
{
    // acquire: pairs with the release in mi__live_poll.
    if (!atomic_exchange_acquire(&busy, true)) {
        if (metrics_path[0] != 0) {
            write_metrics();
        }
        if (shared_path[0] != 0) {
            mi__os_unlink(shared_path);
        }
        // `busy` stays: nothing is done any more.
    }
}

void
mi__live_after_fork(void)
{
    atomic_set_relaxed(&mi__live_page, &own_page);
    atomic_set_relaxed(&busy, false);
    own_page.request = 0;
    shared_path[0] = 0;
    if (__builtin_strstr(metrics_path, "%p") == NULL) {
        // The file is the parent's.
        metrics_path[0] = 0;
        file_due_ms = INT64_MAX;
    }
    atomic_set_relaxed(&wants_share, conf_get(live));
    atomic_set_relaxed(&due_ms, conf_get(live) ? 0 : file_due_ms);
}
