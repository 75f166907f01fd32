// SPDX-License-Identifier: MIT
// stats_api.c — statistics and figures of the process, as programs ask for them.
//
// Owns:        nothing
// Threads:     any
// Not here:    the figures → front/tally.h, texts → front/stats.h, front/stats_json.h
#include <errno.h>

#include "mimalloc-stats.h"

#include "base/format.h"
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
    mi__stats_print_thread(out, arg);
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
