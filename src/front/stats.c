// SPDX-License-Identifier: MIT
// stats.c — the statistics table.
//
// Owns:        nothing
// Threads:     any
// Not here:    see stats.h
#include "front/stats.h"

#include <mimalloc.h>

#include "base/format.h"
#include "front/report.h"
#include "front/tally.h"
#include "os/os.h"

enum {
    LINE_MAX_CHARS = 160, // room to leave in a text for one more line
    BYTES_CHARS = 16,
};

typedef struct table_t {
    void (*out)(const char *text, void *arg);
    void *arg;
    text_t text;
} table_t;

static void
flush(table_t *table)
{
    mi__report_send(table->out, table->arg, table->text.chars, table->text.length);
    text_init(&table->text);
}

static void
end_line(table_t *table)
{
    mi__format(&table->text, "\n");
    if (table->text.length > sizeof table->text.chars - LINE_MAX_CHARS) {
        flush(table);
    }
}

// A column with a byte count, to the right.
static void
put_bytes(table_t *table, int width, uint64_t bytes)
{
    text_t number;
    text_init(&number);
    mi__format_bytes(&number, (size_t)bytes);
    mi__format(&table->text, "%*s", width, number.chars);
}

// A block size, exactly: most are no whole number of KiB.
static void
put_block_size(table_t *table, size_t bytes)
{
    if (bytes % 1024 == 0) {
        mi__format(&table->text, "%8zu KiB", bytes / 1024);
    } else {
        mi__format(&table->text, "%10zu B", bytes);
    }
}

static void
put_count(table_t *table, int width, uint64_t count)
{
    mi__format(&table->text, "%*llu", width, (unsigned long long)count);
}

static void
put_class(table_t *table, const census_class_t *row)
{
    put_count(table, 14, row->allocated);
    put_count(table, 12, row->live);
    put_bytes(table, 13, row->live_bytes);
    put_count(table, 9, row->pages);
    put_bytes(table, 13, row->page_bytes);
    if (row->page_bytes > 0) {
        // By 1/100 of the pages, so that no product overflows.
        uint64_t percent = row->live_bytes / (row->page_bytes / 100 + 1);
        mi__format(&table->text, "%6u%%", (unsigned)percent);
    }
    end_line(table);
}

static void
put_classes(table_t *table, const census_t *census)
{
    mi__format(&table->text, "%12s%14s%12s%13s%9s%13s%7s", "block size", "allocated", "live", "live bytes",
               "pages", "page bytes", "used");
    end_line(table);
    for (size_t i = 0; i < CLASS_COUNT; i++) {
        const census_class_t *row = &census->classes[i];
        if (row->allocated != 0 || row->pages != 0) {
            put_block_size(table, row->block_size);
            put_class(table, row);
        }
    }
    if (census->classes[CLASS_COUNT].allocated != 0 || census->classes[CLASS_COUNT].pages != 0) {
        mi__format(&table->text, "%12s", "larger");
        put_class(table, &census->classes[CLASS_COUNT]);
    }
    mi__format(&table->text, "%12s", "all");
    put_class(table, &census->total);
}

static void
put_label(table_t *table, const char *label)
{
    mi__format(&table->text, "  %-20s", label);
}

static void
put_seconds(table_t *table, int64_t ms)
{
    mi__format(&table->text, "%*lld.%03d s", BYTES_CHARS - 6, (long long)(ms / 1000), (int)(ms % 1000));
    end_line(table);
}

// A memory figure on the left; its caller puts a process figure beside it.
static void
put_memory(table_t *table, const char *label, uint64_t bytes)
{
    put_label(table, label);
    put_bytes(table, BYTES_CHARS, bytes);
    mi__format(&table->text, "      ");
}

static void
put_figures(table_t *table, const census_t *census)
{
    os_usage_t usage;
    mi__os_usage(&usage);

    put_memory(table, "address space", census->reserved_bytes);
    put_label(table, "elapsed time");
    put_seconds(table, usage.elapsed_ms);
    put_memory(table, "committed", census->committed_bytes);
    put_label(table, "user time");
    put_seconds(table, usage.user_ms);
    put_memory(table, "free in it", census->free_bytes);
    put_label(table, "system time");
    put_seconds(table, usage.system_ms);
    put_memory(table, "purgeable", census->purgeable_bytes);
    put_label(table, "resident");
    put_bytes(table, BYTES_CHARS, usage.resident_bytes);
    end_line(table);
    put_memory(table, "purged", census->purged_bytes);
    put_label(table, "peak resident");
    put_bytes(table, BYTES_CHARS, usage.peak_resident_bytes);
    end_line(table);
    put_memory(table, "metadata", census->metadata_bytes);
    put_label(table, "page faults");
    put_count(table, BYTES_CHARS, usage.page_faults);
    end_line(table);
    put_label(table, "threads now");
    put_count(table, BYTES_CHARS, census->threads);
    mi__format(&table->text, "      ");
    put_label(table, "threads at peak");
    put_count(table, BYTES_CHARS, census->threads_peak);
    end_line(table);
}

static void
put_title(table_t *table, const char *of)
{
    mi__format(&table->text, "mimalloc %d.%d.%d: statistics of %s\"%.60s\" (pid %ld)\n\n",
               MI_MALLOC_VERSION / 10000, MI_MALLOC_VERSION / 100 % 100, MI_MALLOC_VERSION % 100, of,
               mi__os_program_name(), mi__os_process_id());
}

void
mi__stats_print(void (*out)(const char *text, void *arg), void *arg)
{
    census_t census;
    mi__tally_census(&census);
    table_t table = {.out = out, .arg = arg};
    text_init(&table.text);
    put_title(&table, "");
    put_classes(&table, &census);
    end_line(&table);
    put_figures(&table, &census);
    flush(&table);
}

void
mi__stats_print_part(const census_scope_t *scope, const char *of, void (*out)(const char *text, void *arg),
                     void *arg)
{
    census_t census;
    mi__census_take_part(&census, scope);
    table_t table = {.out = out, .arg = arg};
    text_init(&table.text);
    put_title(&table, of);
    put_classes(&table, &census);
    flush(&table);
}
