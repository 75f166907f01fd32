// SPDX-License-Identifier: MIT
// sites.c — a hash table that only grows.
//
// Owns:        see sites.h
// Threads:     a site is written before it is linked to its bucket, which is then seen whole or not
// Invariants:  see sites.h
// Not here:    see sites.h
#include "front/sites.h"

#include "arena/meta.h"
#include "base/bits.h"
#include "heap/series.h"

_Atomic(site_t *) mi__sites_lists[SITE_LISTS];
static _Atomic(size_t) sites;
static _Atomic(size_t) all_frames;
static _Atomic(uint64_t) dropped;

static uint64_t
hash_of(const uintptr_t *frames, size_t depth, uint32_t class)
{
    uint64_t hash = class + 1;
    for (size_t i = 0; i < depth; i++) {
        hash = (hash ^ frames[i]) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return hash;
}

static bool
is_site(const site_t *site, uint64_t hash, const uintptr_t *frames, size_t depth, uint32_t class)
{
    return site->hash == hash && site->class == class && site->depth == depth &&
           __builtin_memcmp(site->frames, frames, depth * sizeof *frames) == 0;
}

static site_t *
new_site(uint64_t hash, const uintptr_t *frames, size_t depth, uint32_t class)
{
    site_t *site = (site_t *)mi__meta_alloc(sizeof *site + depth * sizeof *frames);
    if (site != NULL) {
        site->hash = hash;
        site->class = class;
        site->depth = (uint32_t)depth;
        __builtin_memcpy(site->frames, frames, depth * sizeof *frames);
    }
    return site;
}

// NULL when there are too many, or no memory. A site that came too late is lost; that is rare.
static site_t *
find_or_add(const uintptr_t *frames, size_t depth, uint32_t class)
{
    uint64_t hash = hash_of(frames, depth, class);
    _Atomic(site_t *) *bucket = &mi__sites_lists[hash % SITE_LISTS];
    site_t *made = NULL;
    // acquire: the sites' fields; pairs with the release below.
    site_t *first = atomic_get_acquire(bucket);
    do {
        for (site_t *site = first; site != NULL; site = site->next) {
            if (is_site(site, hash, frames, depth, class)) {
                return site;
            }
        }
        if (made == NULL) {
            if (depth > 0 && atomic_get_relaxed(&sites) >= SITES_MAX) {
                return NULL;
            }
            made = new_site(hash, frames, depth, class);
            if (made == NULL) {
                return NULL;
            }
        }
        made->next = first;
        // acq_rel: the new site's fields, or what another thread has added; pairs with the acquire above.
    } while (!atomic_cas_weak_acq_rel(bucket, &first, made));
    atomic_add_relaxed(&sites, 1);
    atomic_add_relaxed(&all_frames, depth);
    return made;
}

site_t *
mi__sites_find(const uintptr_t *frames, size_t depth, size_t block_size)
{
    uint32_t class =
        block_size <= CLASS_LINEAR_MAX ? sizeclass_of(block_size) : (uint32_t)sizeclass_of_large(block_size);
    site_t *site = find_or_add(frames, depth, class);
    if (site == NULL) {
        atomic_add_relaxed(&dropped, 1);
        site = find_or_add(frames, 0, class);
    }
    return site;
}

// ---- counting

static void
add(site_sum_t *sum, const site_sample_t *sample, uint64_t times)
{
    double scale = 1 << SITE_WEIGHT_SHIFT;
    atomic_add_relaxed(&sum->samples, times);
    atomic_add_relaxed(&sum->sample_bytes, times * sample->block_size);
    atomic_add_relaxed(&sum->weight, times * (uint64_t)(sample->weight * scale + 0.5));
    atomic_add_relaxed(&sum->space, times * (uint64_t)(sample->weight * (double)sample->requested + 0.5));
}

static uint64_t
in_use(const _Atomic(uint64_t) *a, const _Atomic(uint64_t) *b, const _Atomic(uint64_t) *again)
{
    // A free may be seen before its allocation.
    uint64_t from = atomic_get_relaxed(a);
    uint64_t taken = atomic_get_relaxed(b);
    return (from > taken ? from - taken : 0) + atomic_get_relaxed(again);
}

site_use_t
mi__sites_use(const site_t *site)
{
    return (site_use_t){
        .samples = in_use(&site->allocated.samples, &site->freed.samples, &site->again.samples),
        .sample_bytes =
            in_use(&site->allocated.sample_bytes, &site->freed.sample_bytes, &site->again.sample_bytes),
        .weight = in_use(&site->allocated.weight, &site->freed.weight, &site->again.weight),
        .space = in_use(&site->allocated.space, &site->freed.space, &site->again.space),
    };
}

site_use_t
mi__sites_allocated(const site_t *site)
{
    return (site_use_t){
        .samples = atomic_get_relaxed(&site->allocated.samples),
        .sample_bytes = atomic_get_relaxed(&site->allocated.sample_bytes),
        .weight = atomic_get_relaxed(&site->allocated.weight),
        .space = atomic_get_relaxed(&site->allocated.space),
    };
}

void
mi__sites_alloc(site_t *site, const site_sample_t *sample)
{
    // Back in use: what was freed is not, unless that has been forgotten.
    bool is_back = sample->times == 0 && atomic_get_relaxed(&site->freed.samples) > 0;
    uint64_t times = is_back || sample->times > 0 ? sample->times : 1;
    if (unlikely(times != 1)) {
        add(&site->freed, sample, times - 1);
    }
    add(&site->allocated, sample, times);
    uint64_t use = in_use(&site->allocated.space, &site->freed.space, &site->again.space);
    uint64_t peak = atomic_get_relaxed(&site->peak_space);
    while (use > peak && !atomic_cas_weak_relaxed(&site->peak_space, &peak, use)) {
    }
}

void
mi__sites_free(site_t *site, const site_sample_t *sample, int64_t age_ms)
{
    add(&site->freed, sample, 1);
    size_t age = age_ms <= 0 ? 0 : highest_bit((size_t)age_ms) + 1;
    atomic_add_relaxed(&site->ages[size_min(age, SITE_AGES - 1)], sample->times);
    atomic_add_relaxed(&site->lifetime_ms, age_ms <= 0 ? 0 : sample->times * (uint64_t)age_ms);
}

// As one sample of the site in the mean.
static void
add_again(void *of_sampler)
{
    site_t *site = (site_t *)of_sampler;
    site_use_t all = mi__sites_allocated(site);
    if (all.samples > 0) {
        atomic_add_relaxed(&site->again.samples, 1);
        atomic_add_relaxed(&site->again.sample_bytes, all.sample_bytes / all.samples);
        atomic_add_relaxed(&site->again.weight, all.weight / all.samples);
        atomic_add_relaxed(&site->again.space, all.space / all.samples);
    }
}

void
mi__sites_look(void)
{
    for (site_t *site = mi__sites_first(); site != NULL; site = mi__sites_next(site)) {
        atomic_set_relaxed(&site->again.samples, 0);
        atomic_set_relaxed(&site->again.sample_bytes, 0);
        atomic_set_relaxed(&site->again.weight, 0);
        atomic_set_relaxed(&site->again.space, 0);
    }
    mi__series_each_in_use(add_again);
}

// ---- all of them

static site_t *
first_from(size_t bucket)
{
    site_t *site = NULL;
    while (bucket < SITE_LISTS && site == NULL) {
        // acquire: the site's fields; pairs with the acq_rel in find_or_add.
        site = atomic_get_acquire(&mi__sites_lists[bucket++]);
    }
    return site;
}

site_t *
mi__sites_first(void)
{
    return first_from(0);
}

site_t *
mi__sites_next(const site_t *site)
{
    return site->next != NULL ? site->next : first_from(site->hash % SITE_LISTS + 1);
}

static void
forget(_Atomic(uint64_t) *a, _Atomic(uint64_t) *b)
{
    uint64_t past = atomic_get_relaxed(b);
    atomic_sub_relaxed(a, past);
    atomic_sub_relaxed(b, past);
}

void
mi__sites_reset(void)
{
    for (site_t *site = mi__sites_first(); site != NULL; site = mi__sites_next(site)) {
        forget(&site->allocated.samples, &site->freed.samples);
        forget(&site->allocated.sample_bytes, &site->freed.sample_bytes);
        forget(&site->allocated.weight, &site->freed.weight);
        forget(&site->allocated.space, &site->freed.space);
        atomic_set_relaxed(&site->peak_space, mi__sites_use(site).space);
        atomic_set_relaxed(&site->marked_space, 0);
        atomic_set_relaxed(&site->lifetime_ms, 0);
        for (size_t i = 0; i < SITE_AGES; i++) {
            atomic_set_relaxed(&site->ages[i], 0);
        }
    }
    atomic_set_relaxed(&dropped, 0);
}

void
mi__sites_mark(void)
{
    for (site_t *site = mi__sites_first(); site != NULL; site = mi__sites_next(site)) {
        atomic_set_relaxed(&site->marked_space, mi__sites_use(site).space);
    }
}

uint64_t
mi__sites_dropped(void)
{
    return atomic_get_relaxed(&dropped);
}

size_t
mi__sites_frames(void)
{
    return atomic_get_relaxed(&all_frames);
}

size_t
mi__sites_count(void)
{
    return atomic_get_relaxed(&sites);
}
