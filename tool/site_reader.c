// SPDX-License-Identifier: MIT
// site_reader.c — lists of sites (docs/outside.md), and who holds the holes.
//
// Sites are never taken away, so that a look at a process that runs finds each of them whole.
#include "site_reader.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text.h"

enum { SITES_MAX = 1 << 17, DEPTH_MAX = 256, HEAD_MAX = 1024, SAMPLES_MAX = 1 << 22 };
enum { SAMPLES, BLOCK_BYTES, WEIGHT, SPACE, SUMS };

// The types of figures, in the order in which they are added.
enum {
    ALLOC_OBJECTS,
    ALLOC_SPACE,
    INUSE_OBJECTS,
    INUSE_SPACE,
    GROWTH_SPACE,
    PEAK_SPACE,
    HOLES_SPACE,
    LIFETIME
};

typedef struct site_model_t {
    uint64_t at;
    uint64_t allocated[SUMS];
    uint64_t freed[SUMS];
    uint64_t peak;
    uint64_t marked;
    uint64_t lifetime_ms;
    double holes;
    uint32_t on_map; // the number of its name, plus one
    uint32_t depth;
    uint64_t frames[DEPTH_MAX];
} site_model_t;

struct site_sums_t {
    site_model_t **sites; // by their addresses
    size_t count;
};

uint64_t
sites_rate(const model_t *model)
{
    uint64_t rate = 0;
    (void)target_read(model->target, (uintptr_t)model->layout.profile_rate, &rate, sizeof rate);
    return rate;
}

// ---- sites

static bool
knows_offsets(const mi_descriptor_t *layout)
{
    enum { ROOM = HEAD_MAX - 4 * sizeof(uint64_t) };
    return layout->site_next <= ROOM && layout->site_depth <= ROOM && layout->site_allocated <= ROOM &&
           layout->site_freed <= ROOM && layout->site_peak <= ROOM && layout->site_marked <= ROOM &&
           layout->site_lifetime <= ROOM && layout->site_frames <= HEAD_MAX &&
           layout->site_count <= SITES_MAX && layout->site_weight_shift < 32;
}

// The site at an address, and where the next one of its list is.
static site_model_t *
read_site(const model_t *model, uint64_t at, uint64_t *next)
{
    const mi_descriptor_t *layout = &model->layout;
    unsigned char head[HEAD_MAX] = {0};
    uint32_t depth;
    *next = 0;
    if (!target_read(model->target, at, head, layout->site_frames)) {
        return NULL;
    }
    *next = word_in(head, layout->site_next);
    memcpy(&depth, head + layout->site_depth, sizeof depth);
    site_model_t *site = get_memory(1, sizeof *site);
    site->at = at;
    site->depth = depth;
    site->peak = word_in(head, layout->site_peak);
    site->marked = word_in(head, layout->site_marked);
    site->lifetime_ms = word_in(head, layout->site_lifetime);
    memcpy(site->allocated, head + layout->site_allocated, sizeof site->allocated);
    memcpy(site->freed, head + layout->site_freed, sizeof site->freed);
    if (depth > DEPTH_MAX || site->allocated[SAMPLES] == 0 ||
        !target_read(model->target, at + layout->site_frames, site->frames, depth * sizeof(uint64_t))) {
        free(site);
        return NULL;
    }
    return site;
}

static int
by_address(const void *a, const void *b)
{
    uint64_t left = (*(site_model_t *const *)a)->at;
    uint64_t right = (*(site_model_t *const *)b)->at;
    return left < right ? -1 : left > right;
}

site_sums_t *
sites_sums(const model_t *model)
{
    const mi_descriptor_t *layout = &model->layout;
    site_sums_t *sums = get_memory(1, sizeof *sums);
    if (!knows_offsets(layout)) {
        return sums;
    }
    sums->sites = get_memory(SITES_MAX, sizeof(site_model_t *));
    uint64_t *lists = get_memory(layout->site_count, sizeof *lists);
    (void)target_read(model->target, (uintptr_t)layout->sites, lists, layout->site_count * sizeof *lists);
    size_t seen = 0;
    for (uint32_t i = 0; i < layout->site_count; i++) {
        for (uint64_t at = lists[i]; at != 0 && seen < SITES_MAX; seen++) {
            site_model_t *site = read_site(model, at, &at);
            if (site != NULL) {
                sums->sites[sums->count++] = site;
            }
        }
    }
    free(lists);
    qsort(sums->sites, sums->count, sizeof(site_model_t *), by_address);
    return sums;
}

void
sites_free_sums(site_sums_t *sums)
{
    for (size_t i = 0; sums != NULL && i < sums->count; i++) {
        free(sums->sites[i]);
    }
    if (sums != NULL) {
        free(sums->sites);
    }
    free(sums);
}

static site_model_t *
find_site(const site_sums_t *sums, uint64_t at)
{
    site_model_t key = {.at = at};
    const site_model_t *wanted = &key;
    site_model_t **found =
        sums == NULL || sums->count == 0
            ? NULL
            : (site_model_t **)bsearch(&wanted, sums->sites, sums->count, sizeof(site_model_t *), by_address);
    return found == NULL ? NULL : *found;
}

// ---- samples

typedef void each_sample_t(const model_t *model, site_model_t *site, page_model_t *page, void *arg);

// Calls `each` for every sample that lives, with the page that its block would lie in.
static void
each_sample(const model_t *model, const site_sums_t *sums, each_sample_t *each, void *arg)
{
    const mi_descriptor_t *layout = &model->layout;
    uint64_t at = 0;
    (void)target_read(model->target, (uintptr_t)layout->samples, &at, sizeof at);
    for (unsigned i = 0; at != 0 && i < SAMPLES_MAX; i++) {
        uint64_t next = 0;
        uint64_t block = 0;
        uint64_t stands_for = 0;
        uint64_t of = 0;
        bool read =
            target_read(model->target, at + layout->sample_next, &next, sizeof next) &&
            target_read(model->target, at + layout->sample_block, &block, sizeof block) &&
            target_read(model->target, at + layout->sample_stands_for, &stands_for, sizeof stands_for) &&
            target_read(model->target, at + layout->sample_site, &of, sizeof of);
        site_model_t *site = read && block != 0 ? find_site(sums, of) : NULL;
        page_model_t *page = site == NULL ? NULL : model_page_of(model, stands_for != 0 ? stands_for : block);
        if (page != NULL) {
            each(model, site, page, arg);
        }
        at = next;
    }
}

// Free memory of a page is kept by all of its blocks in equal parts.
static void
add_hole(const model_t *model, site_model_t *site, page_model_t *page, void *arg)
{
    double unit = (double)(1U << model->layout.site_weight_shift);
    (void)arg;
    if (page->live > 0 && page->live + page->holed < page->reserved) {
        double free_bytes = (double)(page->reserved - page->live - page->holed) * (double)page->block_size;
        double weight = (double)site->allocated[WEIGHT] / (double)site->allocated[SAMPLES] / unit;
        site->holes += weight * free_bytes / page->live;
    }
}

// ---- the profile

typedef struct path_t {
    stacks_t *stacks;
    uint32_t ids[DEPTH_MAX * 4];
    size_t depth;
} path_t;

static void
add_place(const place_t *place, void *arg)
{
    path_t *path = arg;
    if (path->depth < sizeof path->ids / sizeof path->ids[0]) {
        path->ids[path->depth++] =
            stacks_frame(path->stacks, place->function, place->file, place->line, place->module);
    }
}

// Each address is looked up once.
typedef struct known_t {
    uint64_t address;
    size_t first;
    size_t count;
} known_t;

typedef struct names_t {
    symbols_t *symbols;
    known_t *known; // a hash table
    size_t room;
    size_t count;
    uint32_t *ids;
    size_t id_count;
} names_t;

static known_t *
find_known(names_t *names, uint64_t address)
{
    size_t at = (address * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (names->room - 1);
    while (names->known[at].address != 0 && names->known[at].address != address) {
        at = (at + 1) & (names->room - 1);
    }
    return &names->known[at];
}

static void
add_address(names_t *names, path_t *path, uint64_t address)
{
    known_t *known = find_known(names, address);
    if (known->address == 0) {
        path_t here = {.stacks = path->stacks};
        symbols_at(names->symbols, address, add_place, &here);
        names->ids = grow_memory(names->ids, names->id_count + here.depth + 1, sizeof *names->ids);
        memcpy(names->ids + names->id_count, here.ids, here.depth * sizeof *names->ids);
        *known = (known_t){address, names->id_count, here.depth};
        names->id_count += here.depth;
        names->count++;
    }
    for (size_t i = 0; i < known->count && path->depth < sizeof path->ids / sizeof path->ids[0]; i++) {
        path->ids[path->depth++] = names->ids[known->first + i];
    }
}

static uint64_t
less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static void
add_figures(const model_t *model, const site_model_t *site, const site_model_t *since, trace_t *trace)
{
    static const site_model_t nothing;
    const site_model_t *before = since == NULL ? &nothing : since;
    double unit = (double)(1U << model->layout.site_weight_shift);
    uint64_t in_use = less(site->allocated[SPACE], site->freed[SPACE]);
    uint64_t marked = since == NULL ? site->marked : less(since->allocated[SPACE], since->freed[SPACE]);
    double lifetime =
        site->freed[SAMPLES] == 0 ? 0 : (double)site->lifetime_ms / (double)site->freed[SAMPLES];
    int64_t *values = trace->values;
    values[ALLOC_OBJECTS] +=
        (int64_t)((double)less(site->allocated[WEIGHT], before->allocated[WEIGHT]) / unit + 0.5);
    values[ALLOC_SPACE] += (int64_t)less(site->allocated[SPACE], before->allocated[SPACE]);
    values[INUSE_OBJECTS] +=
        (int64_t)((double)less(site->allocated[WEIGHT], site->freed[WEIGHT]) / unit + 0.5);
    values[INUSE_SPACE] += (int64_t)in_use;
    values[GROWTH_SPACE] += (int64_t)in_use - (int64_t)marked;
    values[PEAK_SPACE] += (int64_t)site->peak;
    values[HOLES_SPACE] += (int64_t)site->holes;
    values[LIFETIME] += (int64_t)(lifetime * (double)site->freed[WEIGHT] / unit);
}

static stacks_t *
new_stacks(const model_t *model)
{
    static const char *const types[][2] = {
        {"alloc_objects", "count"}, {"alloc_space", "bytes"},     {"inuse_objects", "count"},
        {"inuse_space", "bytes"},   {"growth_space", "bytes"},    {"peak_space", "bytes"},
        {"holes_space", "bytes"},   {"lifetime", "milliseconds"},
    };
    struct timespec now;
    stacks_t *stacks = stacks_new();
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        stacks_add_type(stacks, types[i][0], types[i][1]);
    }
    stacks->shown = INUSE_SPACE;
    stacks->period = (int64_t)sites_rate(model);
    stacks->subject = format_new("%s%s", model->target->pid != 0 ? "process " : "", model->target->name);
    clock_gettime(CLOCK_REALTIME, &now);
    stacks->taken_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    return stacks;
}

stacks_t *
sites_read(const model_t *model, symbols_t *symbols, const site_sums_t *since)
{
    site_sums_t *sums = sites_sums(model);
    if (sums->count == 0) {
        sites_free_sums(sums);
        return NULL;
    }
    each_sample(model, sums, add_hole, NULL);
    stacks_t *stacks = new_stacks(model);
    size_t frames = 0;
    for (size_t i = 0; i < sums->count; i++) {
        frames += sums->sites[i]->depth;
    }
    names_t names = {.symbols = symbols, .room = 1024};
    while (names.room < 2 * frames) {
        names.room *= 2;
    }
    names.known = get_memory(names.room, sizeof *names.known);
    for (size_t i = 0; i < sums->count; i++) {
        const site_model_t *site = sums->sites[i];
        path_t path = {.stacks = stacks};
        for (uint32_t k = 0; k < site->depth; k++) {
            // Return addresses point behind the call.
            add_address(&names, &path, site->frames[k] - 1);
        }
        if (site->depth == 0) {
            path.ids[path.depth++] = stacks_frame(stacks, "(too many stacks)", NULL, 0, NULL);
        }
        add_figures(model, site, find_site(since, site->at), stacks_trace(stacks, path.ids, path.depth));
    }
    free(names.known);
    free(names.ids);
    sites_free_sums(sums);
    return stacks;
}

// ---- on the map

static void
mark_page(const model_t *model, site_model_t *site, page_model_t *page, void *arg)
{
    (void)model;
    (void)arg;
    (void)page;
    site->on_map = UINT32_MAX;
}

// The first place that is not the C++ library's.
static void
keep_name(const place_t *place, void *arg)
{
    char **name = arg;
    if (*name == NULL && !stacks_is_library(place->function)) {
        frame_t frame = {(char *)(uintptr_t)place->function, (char *)(uintptr_t)place->file, NULL,
                         place->line};
        *name = stacks_frame_text(&frame);
    }
}

static void
number_page(const model_t *model, site_model_t *site, page_model_t *page, void *arg)
{
    (void)model;
    (void)arg;
    page->site = site->on_map;
}

void
sites_on_pages(model_t *model, symbols_t *symbols, sites_on_map_t *sites)
{
    site_sums_t *sums = sites_sums(model);
    *sites = (sites_on_map_t){0};
    each_sample(model, sums, mark_page, NULL);
    sites->names = get_memory(sums->count, sizeof(char *));
    for (size_t i = 0; i < sums->count; i++) {
        site_model_t *site = sums->sites[i];
        char *name = NULL;
        for (uint32_t k = 0; site->on_map != 0 && k < site->depth && name == NULL; k++) {
            symbols_at(symbols, site->frames[k] - 1, keep_name, &name);
        }
        if (name != NULL) {
            sites->names[sites->count++] = name;
        }
        site->on_map = name == NULL ? 0 : (uint32_t)sites->count;
    }
    each_sample(model, sums, number_page, NULL);
    sites_free_sums(sums);
}
