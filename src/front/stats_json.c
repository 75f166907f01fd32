// SPDX-License-Identifier: MIT
// stats_json.c — statistics as JSON: written twice, the first time to see how long it is.
//
// Owns:        see stats_json.h
// Threads:     see stats_json.h
// Not here:    see stats_json.h
#include "front/stats_json.h"

#include <errno.h>
#include <string.h>

#include "alloc/alloc.h"
#include "base/bits.h"
#include "base/format.h"
#include "os/os.h"

typedef struct json_t {
    char *to; // NULL: only the length is wanted
    size_t length;
    bool member; // the next member or element comes after another one
} json_t;

typedef struct field_t {
    const char *name;
    size_t at; // in mi_stats_t
    bool is_count;
} field_t;

#define COUNT(name)                                                                                          \
    {                                                                                                        \
#name, offsetof(mi_stats_t, name), true                                                              \
    }
#define COUNTER(name)                                                                                        \
    {                                                                                                        \
#name, offsetof(mi_stats_t, name), false                                                             \
    }

static const field_t fields[] = {
    COUNT(pages),
    COUNT(reserved),
    COUNT(committed),
    COUNTER(reset),
    COUNTER(purged),
    COUNT(page_committed),
    COUNT(pages_abandoned),
    COUNT(threads),
    COUNT(malloc_normal),
    COUNT(malloc_huge),
    COUNT(malloc_requested),
    COUNTER(mmap_calls),
    COUNTER(commit_calls),
    COUNTER(reset_calls),
    COUNTER(purge_calls),
    COUNTER(arena_count),
    COUNTER(malloc_normal_count),
    COUNTER(malloc_huge_count),
    COUNTER(malloc_guarded_count),
    COUNTER(arena_rollback_count),
    COUNTER(arena_purges),
    COUNTER(pages_extended),
    COUNTER(pages_retire),
    COUNTER(page_searches),
    COUNTER(page_searches_count),
    COUNT(segments),
    COUNT(segments_abandoned),
    COUNT(segments_cache),
    COUNT(_segments_reserved),
    COUNT(heaps),
    COUNT(theaps),
    COUNTER(pages_reclaim_on_alloc),
    COUNTER(pages_reclaim_on_free),
    COUNTER(pages_reabandon_full),
    COUNTER(pages_unabandon_busy_wait),
    COUNTER(heaps_delete_wait),
};

// ---- writing

static void
put(json_t *json, const char *chars, size_t length)
{
    if (json->to != NULL) {
        memcpy(json->to + json->length, chars, length);
    }
    json->length += length;
}

// The start of a member (or of an element, without a name) on a line of its own.
static void
put_name(json_t *json, unsigned depth, const char *name)
{
    text_t text;
    text_init(&text);
    mi__format(&text, "%s\n%*s", json->member ? "," : "", (int)depth * 2, "");
    if (name != NULL) {
        mi__format(&text, "\"%s\": ", name);
    }
    put(json, text.chars, text.length);
    json->member = true;
}

static void
put_open(json_t *json, unsigned depth, const char *name, const char *bracket)
{
    put_name(json, depth, name);
    put(json, bracket, 1);
    json->member = false;
}

static void
put_close(json_t *json, unsigned depth, const char *bracket)
{
    text_t text;
    text_init(&text);
    mi__format(&text, "\n%*s%s", (int)depth * 2, "", bracket);
    put(json, text.chars, text.length);
    json->member = true;
}

static void
put_number(json_t *json, unsigned depth, const char *name, int64_t value)
{
    text_t text;
    text_init(&text);
    mi__format(&text, "%lld", (long long)value);
    put_name(json, depth, name);
    put(json, text.chars, text.length);
}

// ---- the parts

static void
put_count(json_t *json, unsigned depth, const char *name, const mi_stat_count_t *count, const char *more)
{
    text_t text;
    text_init(&text);
    mi__format(&text, "{\"total\": %lld, \"peak\": %lld, \"current\": %lld%s}", (long long)count->total,
               (long long)count->peak, (long long)count->current, more);
    put_name(json, depth, name);
    put(json, text.chars, text.length);
}

static void
put_process(json_t *json, const mi_stats_t *stats, const os_usage_t *usage)
{
    put_open(json, 1, "process", "{");
    put_number(json, 2, "elapsed_msecs", usage->elapsed_ms);
    put_number(json, 2, "user_msecs", usage->user_ms);
    put_number(json, 2, "system_msecs", usage->system_ms);
    put_number(json, 2, "page_faults", (int64_t)usage->page_faults);
    put_number(json, 2, "rss_current", (int64_t)usage->resident_bytes);
    put_number(json, 2, "rss_peak", (int64_t)usage->peak_resident_bytes);
    put_number(json, 2, "commit_current", stats->committed.current);
    put_number(json, 2, "commit_peak", stats->committed.peak);
    put_close(json, 1, "}");
}

static void
put_fields(json_t *json, const mi_stats_t *stats)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const void *at = (const char *)stats + fields[i].at;
        if (fields[i].is_count) {
            put_count(json, 1, fields[i].name, (const mi_stat_count_t *)at, "");
        } else {
            put_number(json, 1, fields[i].name, ((const mi_stat_counter_t *)at)->total);
        }
    }
}

static void
put_bins(json_t *json, const char *name, const mi_stat_count_t *bins)
{
    put_open(json, 1, name, "[");
    for (size_t i = 0; i < MI_BIN_COUNT; i++) {
        text_t more;
        text_init(&more);
        mi__format(&more, ", \"block_size\": %zu, \"page_size\": %zu", mi__tally_bin_size(i),
                   mi__tally_bin_page_size(i));
        put_count(json, 2, NULL, &bins[i], more.chars);
    }
    put_close(json, 1, "]");
}

static void
put_chunk_bins(json_t *json, const mi_stats_t *stats)
{
    static const char letters[] = "SXMLH ";
    put_open(json, 1, "chunk_bins", "[");
    for (size_t i = 0; i < MI_CBIN_COUNT; i++) {
        text_t more;
        text_init(&more);
        mi__format(&more, ", \"bin\": \"%c\"", letters[i]);
        put_count(json, 2, NULL, &stats->chunk_bins[i], more.chars);
    }
    put_close(json, 1, "]");
}

// What mi_stats_t has no place for.
static void
put_census(json_t *json, const census_t *census)
{
    put_open(json, 1, "memory", "{");
    put_number(json, 2, "live", (int64_t)census->total.live_bytes);
    put_number(json, 2, "in_pages", (int64_t)census->total.page_bytes);
    put_number(json, 2, "committed", (int64_t)census->committed_bytes);
    put_number(json, 2, "free", (int64_t)census->free_bytes);
    put_number(json, 2, "purgeable", (int64_t)census->purgeable_bytes);
    put_number(json, 2, "metadata", (int64_t)census->metadata_bytes);
    put_number(json, 2, "returned", (int64_t)census->purged_bytes);
    put_close(json, 1, "}");
    put_open(json, 1, "size_classes", "[");
    for (unsigned i = 0; i <= CLASS_COUNT; i++) {
        const census_class_t *row = &census->classes[i];
        text_t text;
        text_init(&text);
        mi__format(&text, "{\"block_size\": %zu, \"allocated\": %llu, \"live\": %llu, \"live_bytes\": %llu, ",
                   row->block_size, (unsigned long long)row->allocated, (unsigned long long)row->live,
                   (unsigned long long)row->live_bytes);
        mi__format(&text, "\"pages_made\": %llu, \"pages\": %llu, \"page_bytes\": %llu}",
                   (unsigned long long)row->pages_made, (unsigned long long)row->pages,
                   (unsigned long long)row->page_bytes);
        put_name(json, 2, NULL);
        put(json, text.chars, text.length);
    }
    put_close(json, 1, "]");
}

static void
put_all(json_t *json, const mi_stats_t *stats, const census_t *census, const os_usage_t *usage)
{
    put(json, "{", 1);
    put_number(json, 1, "stat_version", MI_STAT_VERSION);
    put_number(json, 1, "mimalloc_version", MI_MALLOC_VERSION);
    put_process(json, stats, usage);
    put_fields(json, stats);
    put_bins(json, "malloc_bins", stats->malloc_bins);
    put_bins(json, "page_bins", stats->page_bins);
    put_chunk_bins(json, stats);
    if (census != NULL) {
        put_census(json, census);
    }
    put(json, "\n}\n", 4); // with the end of the string
}

char *
mi__stats_json(const mi_stats_t *stats, const census_t *census, size_t size, char *buf)
{
    os_usage_t usage;
    mi__os_usage(&usage);
    json_t json = {0};
    put_all(&json, stats, census, &usage);
    if (buf == NULL) {
        buf = (char *)mi__alloc(json.length);
        if (buf == NULL) {
            return NULL;
        }
    } else if (size < json.length) {
        if (size > 0) {
            *buf = 0;
        }
        errno = ERANGE;
        return NULL;
    }
    json = (json_t){.to = buf};
    put_all(&json, stats, census, &usage);
    return buf;
}
