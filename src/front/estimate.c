// SPDX-License-Identifier: MIT
// estimate.c — factors by size class, and who holds the holes.
//
// Owns:        see estimate.h
// Threads:     see estimate.h
// Not here:    see estimate.h
#include "front/estimate.h"

#include "base/bits.h"
#include "heap/census.h"
#include "heap/samples.h"

enum {
    CLASSES = CLASS_COUNT + 1,
    GROUP_SAMPLES = 8, // fewer tell too little about a group
};

static census_t census;
static double allocated_before[CLASSES]; // bytes, when the profile started
static double live_before[CLASSES];
static bool live_is_known; // in use before was little, and samples were taken ever since

static double
allocated_bytes(size_t class)
{
    return class == CLASS_COUNT
               ? (double)census.singleton_bytes
               : (double)census.classes[class].allocated * (double)census.classes[class].block_size;
}

static void
take_before(bool keep_live)
{
    mi__census_take(&census);
    for (size_t i = 0; i < CLASSES; i++) {
        double live = (double)census.classes[i].live_bytes;
        allocated_before[i] = allocated_bytes(i) - (keep_live ? live - live_before[i] : 0);
        live_before[i] = keep_live ? live_before[i] : live;
    }
}

void
mi__estimate_start(uint64_t rate)
{
    take_before(false);
    live_is_known = census.total.live_bytes <= rate && mi__sites_count() == 0;
}

void
mi__estimate_stop(void)
{
    live_is_known = false;
}

void
mi__estimate_reset(void)
{
    take_before(true);
}

static void
fill(double *factors, size_t from, size_t to, double known, double estimate)
{
    for (; from < to; from++) {
        factors[from] = estimate > 0 && known > 0 ? known / estimate : 1;
    }
}

void
mi__estimate_scale(const double *estimates, const uint64_t *samples, const double *known, size_t count,
                   double *factors)
{
    size_t singletons = count - 1;
    size_t from = 0; // of the last group that is whole, whose sums these are
    size_t end = 0;
    double estimate = 0;
    double sum = 0;
    // And of the one behind it, which is not.
    double next_estimate = 0;
    double next_sum = 0;
    uint64_t next_samples = 0;
    for (size_t i = 0; i < singletons; i++) {
        next_estimate += estimates[i];
        next_sum += known[i];
        next_samples += samples[i];
        if (next_samples >= GROUP_SAMPLES) {
            from = end;
            end = i + 1;
            estimate = next_estimate;
            sum = next_sum;
            fill(factors, from, end, sum, estimate);
            next_estimate = next_sum = 0;
            next_samples = 0;
        }
    }
    // Singletons that no sample tells of are the last group's, too.
    bool some = samples[singletons] > 0;
    fill(factors, singletons, count, known[singletons], estimates[singletons]);
    fill(factors, from, singletons, sum + next_sum + (some ? 0 : known[singletons]),
         estimate + next_estimate);
}

void
mi__estimate_factors(profile_view_t *view)
{
    double use[CLASSES] = {0};
    double all[CLASSES] = {0};
    uint64_t use_samples[CLASSES] = {0};
    uint64_t all_samples[CLASSES] = {0};
    double scale = 1 << SITE_WEIGHT_SHIFT;
    for (const site_t *site = mi__sites_first(); site != NULL; site = mi__sites_next(site)) {
        size_t class = view_class(site);
        site_use_t in_use = mi__sites_use(site);
        site_use_t ever = mi__sites_allocated(site);
        double size = ever.samples == 0 ? 0 : (double)ever.sample_bytes / (double)ever.samples / scale;
        use[class] += size * (double)in_use.weight;
        all[class] += size * (double)ever.weight;
        use_samples[class] += in_use.samples;
        all_samples[class] += ever.samples;
    }
    double known[CLASSES];
    mi__census_take(&census);
    for (size_t i = 0; i < CLASSES; i++) {
        known[i] = allocated_bytes(i) - allocated_before[i];
    }
    mi__estimate_scale(all, all_samples, known, CLASSES, view->allocated_factors);
    for (size_t i = 0; i < CLASSES; i++) {
        known[i] = live_is_known ? (double)census.classes[i].live_bytes - live_before[i] : 0;
    }
    mi__estimate_scale(use, use_samples, known, CLASSES, view->use_factors);
}

void
mi__estimate_holes(void)
{
    for (site_t *site = mi__sites_first(); site != NULL; site = mi__sites_next(site)) {
        atomic_set_relaxed(&site->holes, 0);
    }
    for (sample_t *sample = mi__samples_first(); sample != NULL; sample = sample->next_made) {
        site_t *site = (site_t *)HINT_GET(sample->of_sampler[SAMPLER_PROFILE]);
        const void *block = atomic_get_relaxed(&sample->stands_for);
        if (site == NULL || block == NULL) {
            continue;
        }
        page_t *page = mi__page_of(block);
        uint32_t used = HINT_GET(page->used) - (HINT_GET(page->flags) & PAGE_PINNED);
        uint32_t capacity = HINT_GET(page->capacity);
        if (used > 0 && used < capacity) {
            double free_bytes = (double)(capacity - used) * (double)HINT_GET(page->block_size);
            site_use_t all = mi__sites_allocated(site);
            double weight = (double)all.weight / (double)all.samples / (1 << SITE_WEIGHT_SHIFT);
            atomic_add_relaxed(&site->holes, (uint64_t)(weight * free_bytes / used));
        }
    }
}
