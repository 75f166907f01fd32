// SPDX-License-Identifier: MIT
// metrics.c — figures as OpenMetrics text.
//
// Owns:        nothing
// Threads:     see metrics.h
// Not here:    see metrics.h
#include "front/metrics.h"

#include <string.h>

#include "base/format.h"
#include "front/report.h"

enum { LINES_MAX = 400 }; // bytes of the longest lines that are put at once

typedef struct output_t {
    mi_output_fun *out;
    void *arg;
    text_t text;
} output_t;

static void
flush(output_t *output)
{
    mi__report_send(output->out, output->arg, output->text.chars, output->text.length);
    text_init(&output->text);
}

static void
make_room(output_t *output)
{
    if (output->text.length > sizeof output->text.chars - LINES_MAX) {
        flush(output);
    }
}

// One value of a family, which is `label` = `word` when there are several.
typedef struct sample_t {
    size_t at; // in mi_figures_t
    const char *word;
} sample_t;

typedef struct family_t {
    const char *name;
    const char *unit; // with which the name ends; or NULL
    const char *help;
    const char *label; // or NULL
    bool counts;       // it only grows
    unsigned count;
    sample_t samples[4];
} family_t;

#define AT(field) offsetof(mi_figures_t, field)
#define GAUGE(name, unit, help, field)                                                                       \
    {                                                                                                        \
        name, unit, help, NULL, false, 1,                                                                    \
        {                                                                                                    \
            {                                                                                                \
                AT(field), NULL                                                                              \
            }                                                                                                \
        }                                                                                                    \
    }
#define COUNTER(name, unit, help, field)                                                                     \
    {                                                                                                        \
        name, unit, help, NULL, true, 1,                                                                     \
        {                                                                                                    \
            {                                                                                                \
                AT(field), NULL                                                                              \
            }                                                                                                \
        }                                                                                                    \
    }

static const family_t families[] = {
    GAUGE("malloc_allocated_bytes", "bytes", "Bytes of live blocks.", allocated_bytes),
    GAUGE("malloc_allocated_blocks", NULL, "Live blocks.", allocated_blocks),
    GAUGE("malloc_peak_allocated_bytes", "bytes", "Highest malloc_allocated_bytes that was seen.",
          peak_allocated_bytes),
    GAUGE("malloc_active_bytes", "bytes", "Bytes of pages in use: live blocks and the room between them.",
          active_bytes),
    GAUGE("malloc_pages", NULL, "Pages: runs of memory with blocks of one size.", pages),
    GAUGE("malloc_orphaned_pages", NULL, "Pages of threads that have ended.", orphaned_pages),
    GAUGE("malloc_resident_bytes", "bytes", "Resident memory of the whole process.", resident_bytes),
    GAUGE("malloc_committed_bytes", "bytes", "Memory made accessible.", committed_bytes),
    GAUGE("malloc_retained_bytes", "bytes", "Address space reserved.", retained_bytes),
    GAUGE("malloc_purgeable_bytes", "bytes", "Free memory not yet given back to the system.",
          purgeable_bytes),
    GAUGE("malloc_metadata_bytes", "bytes", "Memory of the allocator's own.", metadata_bytes),
    GAUGE("malloc_threads", NULL, "Threads that have allocated and not ended.", threads),
    GAUGE("malloc_heaps", NULL, "Heaps, main ones included.", heaps),
    COUNTER("malloc_allocations", NULL, "Blocks allocated.", allocation_count),
    COUNTER("malloc_allocation_bytes", "bytes", "Bytes of blocks allocated.", allocation_bytes),
    COUNTER("malloc_frees", NULL, "Blocks freed.", free_count),
    COUNTER("malloc_purged_bytes", "bytes", "Memory given back to the system.", purged_bytes),
    {"malloc_os_calls",
     NULL,
     "Calls of the system for memory.",
     "call",
     true,
     3,
     {{AT(reserve_call_count), "mmap"},
      {AT(commit_call_count), "mprotect"},
      {AT(purge_call_count), "madvise"}}},
    {"malloc_errors",
     NULL,
     "Errors of the program, and allocations that failed.",
     "kind",
     true,
     4,
     {{AT(double_free_count), "double_free"},
      {AT(invalid_free_count), "invalid_free"},
      {AT(other_misuse_count), "other_misuse"},
      {AT(failed_allocation_count), "oom"}}},
};

static void
put_head(output_t *output, const char *name, const char *type, const char *unit, const char *help)
{
    make_room(output);
    mi__format(&output->text, "# TYPE %s %s\n", name, type);
    if (unit != NULL) {
        mi__format(&output->text, "# UNIT %s %s\n", name, unit);
    }
    mi__format(&output->text, "# HELP %s %s\n", name, help);
}

static void
put_family(output_t *output, const mi_figures_t *figures, const family_t *family)
{
    put_head(output, family->name, family->counts ? "counter" : "gauge", family->unit, family->help);
    for (unsigned i = 0; i < family->count; i++) {
        const sample_t *sample = &family->samples[i];
        uint64_t value;
        memcpy(&value, (const char *)figures + sample->at, sizeof value);
        if (value == UINT64_MAX) {
            continue; // not known, see the command-line tool
        }
        mi__format(&output->text, "%s%s", family->name, family->counts ? "_total" : "");
        if (family->label != NULL) {
            mi__format(&output->text, "{%s=\"%s\"}", family->label, sample->word);
        }
        mi__format(&output->text, " %llu\n", (unsigned long long)value);
    }
}

static void
put_ratio(output_t *output, const mi_figures_t *figures)
{
    static const char name[] = "malloc_fragmentation_ratio";
    uint64_t live = figures->allocated_bytes;
    uint64_t whole = live == 0 ? 1 : figures->active_bytes / live;
    uint64_t rest = live == 0 ? 0 : figures->active_bytes % live;
    // By 1/1000 of the live bytes, so that no product overflows.
    uint64_t parts = live < 1000000 ? rest * 1000 / (live + (live == 0)) : rest / (live / 1000);
    put_head(output, name, "gauge", "ratio", "Active bytes for each allocated byte.");
    mi__format(&output->text, "%s %llu.%03llu\n", name, (unsigned long long)whole,
               (unsigned long long)(parts > 999 ? 999 : parts));
}

static void
put_classes(output_t *output, const census_class_t *classes, const char *name, const char *help, size_t at)
{
    put_head(output, name, "gauge", "bytes", help);
    for (unsigned i = 0; i <= CLASS_COUNT; i++) {
        uint64_t value;
        memcpy(&value, (const char *)&classes[i] + at, sizeof value);
        if (classes[i].pages != 0) {
            make_room(output);
            mi__format(&output->text, "%s{size=\"", name);
            mi__format(&output->text, i < CLASS_COUNT ? "%zu" : "larger", classes[i].block_size);
            mi__format(&output->text, "\"} %llu\n", (unsigned long long)value);
        }
    }
}

void
mi__metrics_print(const mi_figures_t *figures, const census_class_t *classes, mi_output_fun *out, void *arg)
{
    output_t output = {.out = out, .arg = arg};
    text_init(&output.text);
    // Not of the type info: node_exporter reads an older form, which knows only gauges and counters.
    put_head(&output, "malloc_build_info", "gauge", NULL, "The allocator.");
    mi__format(&output.text, "malloc_build_info{allocator=\"mimalloc\",version=\"%d.%d.%d\",mode=\"%s\"} 1\n",
               MI_MALLOC_VERSION / 10000, MI_MALLOC_VERSION / 100 % 100, MI_MALLOC_VERSION % 100,
               MI_SECURE < 0   ? "unknown"
               : MI_SECURE > 0 ? "secure"
               : MI_DEBUG > 0  ? "debug"
                               : "release");
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        put_family(&output, figures, &families[i]);
    }
    put_ratio(&output, figures);
    if (classes != NULL) {
        put_classes(&output, classes, "malloc_class_allocated_bytes", "Live bytes by block size.",
                    offsetof(census_class_t, live_bytes));
        put_classes(&output, classes, "malloc_class_active_bytes", "Bytes of pages by block size.",
                    offsetof(census_class_t, page_bytes));
    }
    mi__format(&output.text, "# EOF\n");
    flush(&output);
}
