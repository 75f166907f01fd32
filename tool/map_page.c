// SPDX-License-Identifier: MIT
// map_page.c — the heap as a page for a browser: map.html with the figures put in.
//
// Heaps with more pages than CELLS_MAX are told in cells of several slices, so that the page stays small.
#include "map_page.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "html_page.h"
#include "site_reader.h"
#include "text.h"

enum {
    CELLS_MAX = 60000,
    CLASS_CLEAN = -1, // free, given back
    CLASS_DIRTY = -2, // free, not given back yet
    CLASS_MIXED = -3,
    CLASS_SAMPLED = -4,
};

PAGE_FILE(map_html, "map.html");

unsigned char *
map_dirty(const model_t *model, const region_model_t *region)
{
    const mi_descriptor_t *layout = &model->layout;
    unsigned char *dirty = get_memory(region->committed, 1);
    unsigned char *chunk = get_memory(1, layout->chunk_bytes);
    for (uint64_t i = 0; i < region->committed; i++) {
        if (i % 64 == 0 && !target_read(model->target, region->chunks + i / 64 * layout->chunk_bytes, chunk,
                                        layout->chunk_bytes)) {
            memset(chunk, 0, layout->chunk_bytes);
        }
        uint64_t used = word_in(chunk, layout->chunk_used);
        dirty[i] = (unsigned char)(word_in(chunk, layout->chunk_dirty) >> i % 64 & ~used >> i % 64 & 1);
    }
    free(chunk);
    return dirty;
}

// What a part of a region is told as.
typedef struct cell_t {
    uint64_t slice;
    uint64_t slices;
    uint64_t used; // slices in pages
    uint64_t live_bytes;
    uint64_t resident;
    uint64_t live;
    uint64_t reserved;
    int size_class;
    unsigned owner;
    unsigned site; // the first call site in it, plus one
} cell_t;

typedef struct cells_t {
    FILE *to;
    uint64_t step;
    cell_t cell;
    bool any;
    bool follows;
} cells_t;

static void
flush(cells_t *cells)
{
    const cell_t *cell = &cells->cell;
    if (cells->any) {
        fprintf(cells->to, "%s[%llu,%llu,%d,%u,%llu,%llu,%llu,%llu,%llu,%u]", cells->follows ? "," : "",
                (unsigned long long)cell->slice, (unsigned long long)cell->slices, cell->size_class,
                cell->owner, (unsigned long long)cell->used, (unsigned long long)cell->live_bytes / 1024,
                (unsigned long long)cell->resident / 1024, (unsigned long long)cell->live,
                (unsigned long long)cell->reserved, cell->site);
        cells->follows = true;
    }
    cells->any = false;
}

// Adds a piece to the cell that is being gathered, or begins the next one. Of free slices, equal neighbours
// become one cell; of pages, each has its own unless cells have several slices.
static void
add(cells_t *cells, const cell_t *piece)
{
    cell_t *cell = &cells->cell;
    bool same_step = cells->step > 1 && cell->slice / cells->step == piece->slice / cells->step;
    bool both_free = piece->size_class < 0 && cell->size_class == piece->size_class && cells->step == 1;
    if (!cells->any || !(same_step || both_free)) {
        flush(cells);
        *cell = *piece;
        cells->any = true;
        return;
    }
    // The class and owner of the larger part.
    if (piece->slices > cell->slices - piece->slices && piece->size_class != cell->size_class && same_step) {
        cell->size_class = cell->size_class == CLASS_CLEAN ? piece->size_class : CLASS_MIXED;
        cell->owner = piece->owner;
    } else if (cell->size_class < 0 && piece->size_class >= 0) {
        cell->size_class = piece->size_class;
        cell->owner = piece->owner;
    }
    cell->site = cell->site == 0 ? piece->site : cell->site;
    cell->slices += piece->slices;
    cell->used += piece->used;
    cell->live_bytes += piece->live_bytes;
    cell->resident += piece->resident;
    cell->live += piece->live;
    cell->reserved += piece->reserved;
}

static void
add_free(cells_t *cells, const unsigned char *dirty, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        cell_t piece = {.slice = i, .slices = 1, .size_class = dirty[i] != 0 ? CLASS_DIRTY : CLASS_CLEAN};
        add(cells, &piece);
    }
}

static void
put_cells(const model_t *model, const region_model_t *region, size_t *page, FILE *to)
{
    const mi_descriptor_t *layout = &model->layout;
    uint64_t step = 1;
    while (model->page_count / step > CELLS_MAX || region->committed / step > 16ULL * CELLS_MAX) {
        step *= 2;
    }
    cells_t cells = {.to = to, .step = step};
    unsigned char *dirty = map_dirty(model, region);
    uint64_t at = 0;
    uint64_t end = region->base + (region->committed << layout->slice_shift);
    for (; *page < model->page_count && model->pages[*page].start < end; (*page)++) {
        const page_model_t *p = &model->pages[*page];
        uint64_t slice = (p->start - region->base) >> layout->slice_shift;
        if (p->start < region->base || slice < at || slice + p->slices > region->committed) {
            continue;
        }
        add_free(&cells, dirty, at, slice);
        cell_t piece = {.slice = slice,
                        .slices = p->slices,
                        .used = p->slices,
                        .live_bytes = p->live * p->block_size,
                        .resident = p->resident == UINT64_MAX ? 0 : p->resident,
                        .live = p->live,
                        .reserved = p->reserved,
                        .size_class = p->sampled ? CLASS_SAMPLED : p->size_class,
                        .owner = p->owner,
                        .site = p->site};
        add(&cells, &piece);
        at = slice + p->slices;
    }
    add_free(&cells, dirty, at, region->committed);
    flush(&cells);
    free(dirty);
}

static void
put_data(const model_t *model, const sites_on_map_t *sites, FILE *to)
{
    const mi_descriptor_t *layout = &model->layout;
    char when[64];
    time_t now = time(NULL);
    struct tm local;
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", localtime_r(&now, &local));
    json_t json = {.to = to};
    json_begin(&json, NULL, '{');
    char *subject = format_new("%s%s", model->target->pid != 0 ? "process " : "", model->target->name);
    json_text(&json, "subject", subject);
    free(subject);
    json_text(&json, "when", when);
    json_number(&json, "slice", 1ULL << layout->slice_shift);
    json_bool(&json, "resident", model->knows_resident);
    json_number(&json, "free", model->free_bytes);
    json_number(&json, "purgeable", model->purgeable_bytes);
    json_number(&json, "committed", model->committed_bytes);
    json_number(&json, "reserved", model->reserved_bytes);
    json_begin(&json, "classes", '[');
    for (unsigned i = 0; i <= layout->class_count; i++) {
        const class_model_t *row = &model->classes[i];
        fprintf(to, "%s[%llu,%llu,%llu,%llu,%llu,%llu]", i > 0 ? "," : "",
                (unsigned long long)row->block_size, (unsigned long long)row->live,
                (unsigned long long)row->live_bytes, (unsigned long long)row->pages,
                (unsigned long long)row->page_bytes, (unsigned long long)row->resident);
    }
    json_end(&json, ']');
    json_begin(&json, "owners", '[');
    for (size_t i = 0; i < model->owner_count; i++) {
        fprintf(to, "%s%u", i > 0 ? "," : "", model->owners[i].thread);
    }
    json_end(&json, ']');
    json_number(&json, "huge", model->huge_bytes);
    json_bool(&json, "knows_huge", model->knows_huge);
    json_begin(&json, "sites", '[');
    for (size_t i = 0; i < sites->count; i++) {
        json_text(&json, NULL, sites->names[i]);
    }
    json_end(&json, ']');
    json_begin(&json, "regions", '[');
    size_t page = 0;
    for (size_t i = 0; i < model->region_count; i++) {
        const region_model_t *region = &model->regions[i];
        fprintf(to, "%s{\"base\":\"%#llx\",\"slices\":%llu,\"cells\":[", i > 0 ? "," : "",
                (unsigned long long)region->base, (unsigned long long)region->committed);
        put_cells(model, region, &page, to);
        fputs("],\"huge\":[", to);
        for (size_t k = 0; k < region->huge_count; k++) {
            fprintf(to, "%s[%llu,%llu]", k > 0 ? "," : "", (unsigned long long)region->huge[k].first,
                    (unsigned long long)region->huge[k].count);
        }
        fputs("]}", to);
    }
    json_end(&json, ']');
    json_end(&json, '}');
}

typedef struct map_t {
    const model_t *model;
    sites_on_map_t sites;
} map_t;

static void
put_map(const void *arg, FILE *to)
{
    const map_t *map = arg;
    put_data(map->model, &map->sites, to);
}

void
map_page(model_t *model, FILE *to)
{
    map_t map = {.model = model};
    symbols_t *symbols = symbols_new();
    symbols_add_target(symbols, model->target);
    sites_on_pages(model, symbols, &map.sites);
    page_write(map_html, put_map, &map, to);
    for (size_t i = 0; i < map.sites.count; i++) {
        free(map.sites.names[i]);
    }
    free(map.sites.names);
    symbols_tell_changed(symbols);
    symbols_free(symbols);
}
