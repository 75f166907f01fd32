// SPDX-License-Identifier: MIT
// stats_api.c — statistics and figures of the process, as programs ask for them.
//
// Owns:        nothing
// Threads:     any
// Not here:    the figures → front/tally.h, texts → front/stats.h, front/stats_json.h
#include <errno.h>

#include "mimalloc-stats.h"

#include "arena/purge.h"
#include "base/bits.h"
#include "base/format.h"
#include "front/heap_types.h"
#include "front/live.h"
#include "front/metrics.h"
#include "front/report.h"
#include "front/stats.h"
#include "front/stats_json.h"
#include "front/tally.h"
#include "os/os.h"

// ---- Statistics

static bool
is_of_this_version(const mi_stats_t *stats)
{
    return stats != NULL && stats->size == sizeof *stats && stats->version == MI_STAT_VERSION;
}

bool
mi_stats_get(mi_stats_t *stats)
{
    if (!is_of_this_version(stats)) {
        return false;
    }
    census_t census;
    mi__tally_take(stats, &census);
    return true;
}

char *
mi_stats_get_json(size_t buf_size, char *buf)
{
    mi_stats_t stats;
    census_t census;
    mi__tally_take(&stats, &census);
    return mi__stats_json(&stats, &census, buf_size, buf);
}

char *
mi_stats_as_json(mi_stats_t *stats, size_t buf_size, char *buf)
{
    if (!is_of_this_version(stats)) {
        errno = EINVAL;
        return NULL;
    }
    return mi__stats_json(stats, NULL, buf_size, buf);
}

size_t
mi_stats_get_bin_size(size_t bin)
{
    return mi__tally_bin_size(bin);
}

void
mi_stats_reset(void)
{
    mi__tally_reset();
}

void
mi_stats_merge(void)
{
    // The figures are always those of all threads.
}

void
mi_stats_print(void *ignored)
{
    (void)ignored;
    mi__stats_print(NULL, NULL);
}

void
mi_stats_print_out(mi_output_fun *out, void *arg)
{
    mi__stats_print(out, arg);
}

void
mi_thread_stats_print_out(mi_output_fun *out, void *arg)
{
    census_scope_t scope = {.thread = mi__thread_heap->main};
    mi__stats_print_part(&scope, "a thread of ", out, arg);
}

void
mi_metrics_print_out(mi_output_fun *out, void *arg)
{
    census_t census;
    mi_figures_t figures;
    mi__live_figures(&figures, &census);
    mi__metrics_print(&figures, conf_get(metrics_classes) ? census.classes : NULL, out, arg);
}

// ---- Of heaps and subprocesses

// NULL is the main heap.
static census_scope_t
scope_of_heap(const mi_heap_t *heap)
{
    return (census_scope_t){.heap = heap == NULL ? &mi__subproc_current()->main : heap_of_public(heap)};
}

static census_scope_t
scope_of_subproc(mi_subproc_id_t id)
{
    return (census_scope_t){.subproc = subproc_of_public(id)};
}

static bool
get_part(mi_stats_t *stats, const census_scope_t *scope)
{
    if (!is_of_this_version(stats)) {
        return false;
    }
    census_t census;
    mi__tally_take_part(stats, &census, scope);
    return true;
}

static char *
json_of_part(const census_scope_t *scope, size_t buf_size, char *buf)
{
    mi_stats_t stats;
    census_t census;
    mi__tally_take_part(&stats, &census, scope);
    return mi__stats_json(&stats, &census, buf_size, buf);
}

bool
mi_heap_stats_get(mi_heap_t *heap, mi_stats_t *stats)
{
    census_scope_t scope = scope_of_heap(heap);
    return get_part(stats, &scope);
}

char *
mi_heap_stats_get_json(mi_heap_t *heap, size_t buf_size, char *buf)
{
    census_scope_t scope = scope_of_heap(heap);
    return json_of_part(&scope, buf_size, buf);
}

void
mi_heap_stats_print_out(mi_heap_t *heap, mi_output_fun *out, void *arg)
{
    census_scope_t scope = scope_of_heap(heap);
    mi__stats_print_part(&scope, "a heap of ", out, arg);
}

void
mi_heap_stats_merge_to_subproc(mi_heap_t *heap)
{
    // The figures of a subprocess are always those of all its heaps.
    (void)heap;
}

bool
mi_theap_stats_get(mi_theap_t *theap, mi_stats_t *stats)
{
    census_scope_t scope = {.thread_heap = part_of_public(theap)};
    return theap != NULL && get_part(stats, &scope);
}

void
mi_theap_stats_merge_to_heap(mi_theap_t *theap)
{
    // Nor is there anything to do for a heap's.
    (void)theap;
}

bool
mi_subproc_stats_get(mi_subproc_id_t subproc, mi_stats_t *stats)
{
    census_scope_t scope = scope_of_subproc(subproc);
    return get_part(stats, &scope);
}

char *
mi_subproc_stats_get_json(mi_subproc_id_t subproc, size_t buf_size, char *buf)
{
    census_scope_t scope = scope_of_subproc(subproc);
    return json_of_part(&scope, buf_size, buf);
}

void
mi_subproc_stats_print_out(mi_subproc_id_t subproc, mi_output_fun *out, void *arg)
{
    census_scope_t scope = scope_of_subproc(subproc);
    mi__stats_print_part(&scope, "a subprocess of ", out, arg);
}

void
mi_subproc_heap_stats_print_out(mi_subproc_id_t id, mi_output_fun *out, void *arg)
{
    subproc_t *subproc = subproc_of_public(id);
    census_scope_t scope = {.heap = &subproc->main};
    mi__stats_print_part(&scope, "the main heap of ", out, arg);
    for (heap_t *heap = mi__heap_first_made(); heap != NULL; heap = heap->next_made) {
        if (mi__heap_is_live(heap) && heap->subproc == subproc) {
            scope.heap = heap;
            mi__stats_print_part(&scope, "a heap of ", out, arg);
        }
    }
}

bool
mi_subproc_stats_get_exclusive(mi_subproc_id_t subproc, mi_stats_t *stats)
{
    if (!is_of_this_version(stats)) {
        return false;
    }
    mi__tally_take_memory(stats, subproc_of_public(subproc) == &mi__subproc_main);
    return true;
}

// ---- Memory

void
mi_memory_get(mi_memory_t *memory, size_t size)
{
    os_usage_t usage;
    size_t free_bytes;
    mi_memory_t now = {
        .committed = mi__region_committed_bytes(),
        .in_pages = mi__slices_held().used_bytes,
        .metadata = mi__census_metadata_bytes(),
        .returned = mi__purge_total(),
    };
    mi__os_usage(&usage);
    now.resident = usage.resident_bytes;
    mi__slices_count(&free_bytes, &now.purgeable);
    memset(memory, 0, size);
    memcpy(memory, &now, size_min(size, sizeof now));
}

size_t
mi_memory_live(void)
{
    census_t census;
    mi__census_take(&census);
    return (size_t)census.total.live_bytes;
}

// ---- The process

static void
set_size(size_t *to, size_t value)
{
    if (to != NULL) {
        *to = value;
    }
}

void
mi_process_info(size_t *elapsed_msecs, size_t *user_msecs, size_t *system_msecs, size_t *current_rss,
                size_t *peak_rss, size_t *current_commit, size_t *peak_commit, size_t *page_faults)
{
    os_usage_t usage;
    mi__os_usage(&usage);
    // What was made accessible stays so; it is the contents that go back to the system.
    size_t committed = mi__region_committed_bytes();
    set_size(elapsed_msecs, (size_t)usage.elapsed_ms);
    set_size(user_msecs, (size_t)usage.user_ms);
    set_size(system_msecs, (size_t)usage.system_ms);
    set_size(current_rss, usage.resident_bytes);
    set_size(peak_rss, usage.peak_resident_bytes);
    set_size(current_commit, committed);
    set_size(peak_commit, committed);
    set_size(page_faults, usage.page_faults);
}

static void
print_process(mi_output_fun *out, void *arg)
{
    os_usage_t usage;
    mi__os_usage(&usage);
    text_t text;
    text_init(&text);
    mi__format(&text, "process: elapsed %lld ms, user %lld ms, system %lld ms, %zu page faults, resident ",
               (long long)usage.elapsed_ms, (long long)usage.user_ms, (long long)usage.system_ms,
               usage.page_faults);
    mi__format_bytes(&text, usage.resident_bytes);
    mi__format(&text, ", at the peak ");
    mi__format_bytes(&text, usage.peak_resident_bytes);
    mi__format(&text, "\n");
    mi__report_send(out, arg, text.chars, text.length);
}

void
mi_process_info_print(void)
{
    print_process(NULL, NULL);
}

void
mi_process_info_print_out(mi_output_fun *out, void *arg)
{
    print_process(out, arg);
}
