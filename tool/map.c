// SPDX-License-Identifier: MIT
// map.c — mimalloc map: the heap of a process or core file, as text, as JSON, and as a page (map_page.c).
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "map_page.h"
#include "model.h"
#include "text.h"
#include "verbs.h"

static const char help[] =
    "Usage: mimalloc map [OPTIONS] PID|CORE\n"
    "Draws the heap of a process, or of a core file: what its memory is used for, and how full. The process "
    "is not\n"
    "stopped and does not notice.\n\n"
    "  -o, --output=FILE   a page for a browser, complete in one file\n"
    "  -w, --width=COLUMNS of the picture in text (64)\n"
    "      --json\n"
    "  -h, --help\n\n"
    "In the picture each letter is a part of the memory: a digit tells how many tenths of its pages are "
    "live, # that\n"
    "all is, \"-\" is free memory that was not given back yet, \".\" free memory that was.\n\n"
    "Exit status: 0 done; 1 there is no such process, no right to read it, or no libmimalloc in it; 2 wrong "
    "use.\n\n"
    "Examples:\n"
    "  mimalloc map $(pidof redis-server)\n"
    "  mimalloc map -o heap.html core.1234\n";

enum { ROWS_MAX = 24 };

static unsigned
percent(uint64_t part, uint64_t all)
{
    return all == 0 ? 0 : (unsigned)((double)part * 100 / (double)all + 0.5);
}

static void
print_figures(const model_t *model)
{
    bytes_text_t a;
    bytes_text_t b;
    const class_model_t *total = &model->total;
    printf("%-14s%12s in %llu blocks\n", "live", bytes_text(&a, total->live_bytes),
           (unsigned long long)total->live);
    printf("%-14s%12s in %llu pages, %u%% of it live\n", "pages", bytes_text(&a, total->page_bytes),
           (unsigned long long)total->pages, percent(total->live_bytes, total->page_bytes));
    if (model->knows_resident) {
        uint64_t room = total->resident > total->live_bytes ? total->resident - total->live_bytes : 0;
        printf("%-14s%12s of the pages; %s more than what is live\n", "resident",
               bytes_text(&a, total->resident), bytes_text(&b, room));
    }
    if (model->huge_bytes > 0) {
        printf("%-14s%12s of the heap\n", "huge pages", bytes_text(&a, model->huge_bytes));
    }
    if (model->sampled_bytes > 0) {
        printf("%-14s%12s of pages hold samples, which count where they were taken\n", "sampled",
               bytes_text(&a, model->sampled_bytes));
    }
    printf("%-14s%12s, %s of it not given back yet\n", "free slices", bytes_text(&a, model->free_bytes),
           bytes_text(&b, model->purgeable_bytes));
    printf("%-14s%12s of %s\n", "committed", bytes_text(&a, model->committed_bytes),
           bytes_text(&b, model->reserved_bytes));
}

static void
print_classes(const model_t *model)
{
    bytes_text_t a;
    bytes_text_t b;
    printf("\n%12s%12s%12s%10s%12s%7s", "block size", "live", "live bytes", "pages", "page bytes", "full");
    printf("%s\n", model->knows_resident ? "    resident  not live" : "");
    for (unsigned i = 0; i <= model->layout.class_count; i++) {
        const class_model_t *row = &model->classes[i];
        if (row->pages == 0) {
            continue;
        }
        char size[24] = "larger";
        if (row->block_size != 0) {
            snprintf(size, sizeof size, "%llu B", (unsigned long long)row->block_size);
        }
        printf("%12s%12llu%12s%10llu%12s%6u%%", size, (unsigned long long)row->live,
               bytes_text(&a, row->live_bytes), (unsigned long long)row->pages,
               bytes_text(&b, row->page_bytes), percent(row->live_bytes, row->page_bytes));
        if (model->knows_resident) {
            uint64_t more = row->resident > row->live_bytes ? row->resident - row->live_bytes : 0;
            printf("%12s%10s", bytes_text(&a, row->resident), bytes_text(&b, more));
        }
        putchar('\n');
    }
}

static void
print_owners(const model_t *model)
{
    bytes_text_t a;
    bytes_text_t b;
    owner_model_t ended = {0};
    unsigned ended_count = 0;
    printf("\n%12s%10s%12s%12s\n", "thread", "pages", "page bytes", "live bytes");
    for (size_t i = 0; i < model->owner_count; i++) {
        const owner_model_t *owner = &model->owners[i];
        if (i > 0 && owner->thread == 0) {
            ended.pages += owner->pages;
            ended.page_bytes += owner->page_bytes;
            ended.live_bytes += owner->live_bytes;
            ended_count++;
        } else if (owner->pages > 0) {
            char name[16] = "(large)";
            if (i > 0) {
                snprintf(name, sizeof name, "%u", owner->thread);
            }
            printf("%12s%10llu%12s%12s\n", name, (unsigned long long)owner->pages,
                   bytes_text(&a, owner->page_bytes), bytes_text(&b, owner->live_bytes));
        }
    }
    if (ended.pages > 0) {
        printf("%12s%10llu%12s%12s  of %u thread heaps\n", "(ended)", (unsigned long long)ended.pages,
               bytes_text(&a, ended.page_bytes), bytes_text(&b, ended.live_bytes), ended_count);
    }
}

// One letter for each part of a region: of its pages the live share, or what its free memory is.
static void
print_picture(const model_t *model, const region_model_t *region, unsigned width)
{
    const mi_descriptor_t *layout = &model->layout;
    uint64_t cells = (uint64_t)width * ROWS_MAX;
    uint64_t step = (region->committed + cells - 1) / cells;
    uint64_t count = step == 0 ? 0 : (region->committed + step - 1) / step;
    uint64_t *live = get_memory(count, sizeof *live);
    uint64_t *used = get_memory(count, sizeof *used);
    unsigned char *dirty = map_dirty(model, region);
    for (size_t i = 0; i < model->page_count; i++) {
        const page_model_t *page = &model->pages[i];
        uint64_t first = (page->start - region->base) >> layout->slice_shift;
        if (page->start < region->base || first >= region->committed) {
            continue;
        }
        for (uint64_t k = 0; k < page->slices && first + k < region->committed; k++) {
            used[(first + k) / step]++;
            live[(first + k) / step] += page->live * page->block_size / page->slices;
        }
    }
    bytes_text_t bytes;
    printf("\n%#llx, %s a letter:\n", (unsigned long long)region->base,
           bytes_text(&bytes, step << layout->slice_shift));
    for (uint64_t i = 0; i < count; i++) {
        unsigned tenths = percent(live[i], used[i] << layout->slice_shift) / 10;
        bool holds = false;
        for (uint64_t k = i * step; k < (i + 1) * step && k < region->committed; k++) {
            holds = holds || dirty[k] != 0;
        }
        putchar(used[i] == 0 ? (holds ? '-' : '.') : tenths >= 10 ? '#' : (char)('0' + tenths));
        if (i % width == width - 1 || i + 1 == count) {
            putchar('\n');
        }
    }
    free(live);
    free(used);
    free(dirty);
}

static void
print_json(const model_t *model)
{
    json_t json = {.to = stdout};
    json_begin(&json, NULL, '{');
    json_number(&json, "live_bytes", model->total.live_bytes);
    json_number(&json, "live_blocks", model->total.live);
    json_number(&json, "page_bytes", model->total.page_bytes);
    json_number(&json, "pages", model->total.pages);
    json_number(&json, "free_bytes", model->free_bytes);
    json_number(&json, "purgeable_bytes", model->purgeable_bytes);
    json_number(&json, "committed_bytes", model->committed_bytes);
    json_number(&json, "reserved_bytes", model->reserved_bytes);
    json_number(&json, "sampled_bytes", model->sampled_bytes);
    json_number(&json, "huge_bytes", model->huge_bytes);
    json_begin(&json, "classes", '[');
    for (unsigned i = 0; i <= model->layout.class_count; i++) {
        const class_model_t *row = &model->classes[i];
        if (row->pages > 0) {
            json_begin(&json, NULL, '{');
            json_number(&json, "block_size", row->block_size);
            json_number(&json, "live", row->live);
            json_number(&json, "live_bytes", row->live_bytes);
            json_number(&json, "pages", row->pages);
            json_number(&json, "page_bytes", row->page_bytes);
            if (model->knows_resident) {
                json_number(&json, "resident_bytes", row->resident);
                json_number(&json, "not_live_bytes",
                            row->resident > row->live_bytes ? row->resident - row->live_bytes : 0);
            }
            json_end(&json, '}');
        }
    }
    json_end(&json, ']');
    json_begin(&json, "owners", '[');
    for (size_t i = 0; i < model->owner_count; i++) {
        const owner_model_t *owner = &model->owners[i];
        if (owner->pages > 0) {
            json_begin(&json, NULL, '{');
            json_text(&json, "kind",
                      i == 0               ? "large blocks"
                      : owner->thread == 0 ? "thread that has ended"
                                           : "thread");
            json_number(&json, "thread", owner->thread);
            json_number(&json, "pages", owner->pages);
            json_number(&json, "page_bytes", owner->page_bytes);
            json_number(&json, "live_bytes", owner->live_bytes);
            json_end(&json, '}');
        }
    }
    json_end(&json, ']');
    json_end(&json, '}');
}

int
verb_map(int argc, char **argv)
{
    const char *output = NULL;
    unsigned width = 64;
    bool as_json = false;
    const argument_t table[] = {{"output", 'o', required_argument, .text = &output},
                                {"width", 'w', required_argument, .whole = &width, .least = 1, .most = 1000},
                                {"json", 0, no_argument, .flag = &as_json}};
    const char *name =
        *arguments_read(argc, argv, &(arguments_t){help, table, 3, "one process or core file", 1, 1, NULL});
    target_t *target = target_open(name);
    if (target->cut) {
        fprintf(stderr, "mimalloc: %s is cut off: some of the heap may be missing\n", target->name);
    }
    model_t *model = model_read(target, true);
    if (output != NULL) {
        FILE *to = output_open(output);
        map_page(model, to);
        output_close(to, output);
    } else if (as_json) {
        print_json(model);
    } else {
        print_figures(model);
        print_classes(model);
        print_owners(model);
        for (size_t i = 0; i < model->region_count; i++) {
            print_picture(model, &model->regions[i], width);
        }
    }
    model_free(model);
    target_close(target);
    return EXIT_DONE;
}
