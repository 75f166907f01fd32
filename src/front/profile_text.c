// SPDX-License-Identifier: MIT
// profile_text.c — lines of text.
//
// Owns:        nothing
// Threads:     see profile_text.h
// Not here:    see profile_text.h
#include "front/profile_text.h"

#include "os/os.h"

enum {
    REPORTED = 20, // sites in a report
    NAME_MAX_CHARS = 200,
};

// ---- for jeprof, google-pprof and pprof

static void
put_counts(sink_t *sink, const site_use_t *use, const site_use_t *all)
{
    mi__sink_text(sink, "%6llu: %8llu [%6llu: %8llu] @", (unsigned long long)use->samples,
                  (unsigned long long)use->sample_bytes, (unsigned long long)all->samples,
                  (unsigned long long)all->sample_bytes);
}

static void
add_use(site_use_t *sum, const site_use_t *more)
{
    sum->samples += more->samples;
    sum->sample_bytes += more->sample_bytes;
    sum->weight += more->weight;
    sum->space += more->space;
}

static void
put_mappings(const char *text, size_t length, void *sink)
{
    mi__sink_put((sink_t *)sink, text, length);
}

void
mi__profile_text_heap(sink_t *sink, const profile_view_t *view)
{
    site_use_t use = {0};
    site_use_t all = {0};
    for (const site_t *site = mi__sites_first(); site != NULL; site = mi__sites_next(site)) {
        site_use_t site_use = mi__sites_use(site);
        site_use_t site_all = mi__sites_allocated(site);
        add_use(&use, &site_use);
        add_use(&all, &site_all);
    }
    mi__sink_text(sink, "heap profile: ");
    put_counts(sink, &use, &all);
    mi__sink_text(sink, " heap_v2/%llu\n", (unsigned long long)view->rate);
    for (const site_t *site = mi__sites_first(); site != NULL; site = mi__sites_next(site)) {
        use = mi__sites_use(site);
        all = mi__sites_allocated(site);
        // Bytes without a count are an error to some readers.
        if (all.samples == 0 || (use.samples == 0 && use.sample_bytes != 0)) {
            continue;
        }
        put_counts(sink, &use, &all);
        for (uint32_t i = 0; i < site->depth; i++) {
            // Readers take 1 off all but the first, where it would lead behind the call.
            mi__sink_text(sink, " 0x%zx", (size_t)site->frames[i] - (i == 0));
        }
        mi__sink_text(sink, "\n");
    }
    mi__sink_text(sink, "\nMAPPED_LIBRARIES:\n");
    mi__os_each_mapping(put_mappings, sink);
}

// ---- names

static const char *
file_of(const char *path)
{
    const char *slash = __builtin_strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

// The function's name where the loader knows it, else its file and the address there.
static void
put_name(sink_t *sink, const profile_view_t *view, uintptr_t frame, bool with_place)
{
    os_symbol_t symbol = {0};
    uintptr_t address = frame - 1;
    if (view->symbols) {
        mi__os_symbol(address, &symbol);
    }
    if (symbol.file == NULL) {
        mi__sink_text(sink, "0x%zx", (size_t)address);
        return;
    }
    size_t offset = address - symbol.base;
    if (symbol.function != NULL) {
        mi__sink_text(sink, "%.*s", (int)NAME_MAX_CHARS, symbol.function);
    }
    if (symbol.function == NULL || with_place) {
        const char *form = symbol.function == NULL ? "%.*s+0x%zx" : " (%.*s+0x%zx)";
        mi__sink_text(sink, form, (int)NAME_MAX_CHARS, file_of(symbol.file), offset);
    }
}

// ---- for flame graphs

void
mi__profile_text_folded(sink_t *sink, const profile_view_t *view)
{
    for (const site_t *site = mi__sites_first(); site != NULL; site = mi__sites_next(site)) {
        site_use_t use = mi__sites_use(site);
        if (use.samples == 0) {
            continue;
        }
        if (site->depth == 0) {
            mi__sink_text(sink, "[unknown]");
        }
        for (uint32_t i = site->depth; i > 0; i--) {
            put_name(sink, view, site->frames[i - 1], false);
            mi__sink_text(sink, i == 1 ? "" : ";");
        }
        mi__sink_text(sink, " %llu\n", (unsigned long long)view_use(view, site, use.space));
    }
}

// ---- for people

static void
put_bytes(sink_t *sink, double bytes)
{
    text_t text;
    text_init(&text);
    mi__format_bytes(&text, (size_t)bytes);
    mi__sink_put(sink, text.chars, text.length);
}

// The share of a site's blocks that were freed before so many milliseconds, in steps of sixteen times.
static void
put_ages(sink_t *sink, const site_t *site, uint64_t freed)
{
    uint64_t sum = 0;
    mi__sink_text(sink, "  freed after");
    for (size_t i = 0; i < SITE_AGES; i++) {
        sum += atomic_get_relaxed(&site->ages[i]);
        if (i % 4 == 0) {
            mi__sink_text(sink, " %zu ms: %llu%%,", (size_t)1 << i, (unsigned long long)(100 * sum / freed));
        }
    }
    mi__sink_text(sink, " %llu ms in the mean\n",
                  (unsigned long long)(atomic_get_relaxed(&site->lifetime_ms) / freed));
}

static void
put_site(sink_t *sink, const profile_view_t *view, const site_t *site)
{
    site_use_t use = mi__sites_use(site);
    double count = view_use(view, site, use.weight);
    double space = view_use(view, site, use.space);
    mi__sink_text(sink, "about ");
    put_bytes(sink, space);
    mi__sink_text(sink, " in %llu blocks of ", (unsigned long long)view_count(count));
    put_bytes(sink, count > 0 ? space / count * (1 << SITE_WEIGHT_SHIFT) : 0);
    mi__sink_text(sink, " (%llu samples), allocated at\n", (unsigned long long)use.samples);
    for (uint32_t i = 0; i < site->depth; i++) {
        mi__sink_text(sink, "    #%u ", i);
        put_name(sink, view, site->frames[i], true);
        mi__sink_text(sink, "\n");
    }
    uint64_t freed = atomic_get_relaxed(&site->freed.samples);
    if (freed > 0) {
        put_ages(sink, site, freed);
    }
}

// The sites in use, by their space: the next one after `before`, which had `space`; NULL at the end.
static const site_t *
next_largest(const profile_view_t *view, const site_t *before, double space)
{
    const site_t *best = NULL;
    double best_space = 0;
    for (const site_t *site = mi__sites_first(); site != NULL; site = mi__sites_next(site)) {
        double own = view_use(view, site, mi__sites_use(site).space);
        bool after = before == NULL || own < space || (own == space && site > before);
        if (after && own > 0 && (best == NULL || own > best_space || (own == best_space && site < best))) {
            best = site;
            best_space = own;
        }
    }
    return best;
}

void
mi__profile_text_report(sink_t *sink, const profile_view_t *view)
{
    double space = 0;
    double count = 0;
    size_t sites = 0;
    for (const site_t *site = mi__sites_first(); site != NULL; site = mi__sites_next(site)) {
        site_use_t use = mi__sites_use(site);
        space += view_use(view, site, use.space);
        count += view_use(view, site, use.weight);
        sites += use.samples > 0;
    }
    mi__sink_text(sink, "about ");
    put_bytes(sink, space);
    mi__sink_text(sink, " in %llu blocks of %zu kinds are in use; one sample in ",
                  (unsigned long long)view_count(count), sites);
    put_bytes(sink, (double)view->rate);
    mi__sink_text(sink, "\n");
    const site_t *site = NULL;
    for (size_t i = 0; i < REPORTED; i++) {
        site = next_largest(view, site, site == NULL ? 0 : view_use(view, site, mi__sites_use(site).space));
        if (site == NULL) {
            break;
        }
        put_site(sink, view, site);
    }
    if (sites > REPORTED) {
        mi__sink_text(sink, "and %zu more\n", sites - REPORTED);
    }
}
