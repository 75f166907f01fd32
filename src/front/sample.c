// SPDX-License-Identifier: MIT
// sample.c — hands samples on to those who take them.
//
// Owns:        see sample.h
// Threads:     see sample.h
// Not here:    see sample.h
#include "front/sample.h"

#include "base/hooks.h"
#include "front/guard.h"
#include "front/stack.h"

static _Atomic(const sample_profile_t *) profile;

// acquire: what `profile` leads to; pairs with the release in mi__sample_set_profile.
#define get_profile() atomic_get_acquire(&profile)

static bool
is_for(const sample_t *sample, unsigned sampler)
{
    return (sample->samplers & 1U << sampler) != 0;
}

static void
made(sample_t *sample)
{
    const sample_profile_t *to = get_profile();
    if (to != NULL && is_for(sample, SAMPLER_PROFILE)) {
        to->on_alloc(sample, sample->requested, sample->weight);
    }
}

static void
gone(sample_t *sample)
{
    const sample_profile_t *to = get_profile();
    if (to != NULL && is_for(sample, SAMPLER_PROFILE)) {
        to->on_free(sample);
    }
    mi__guard_gone(sample);
}

void
mi__sample_guard_some(void)
{
    mi__sampling_set_rate(SAMPLER_GUARD, (uint64_t)conf_get(guarded_sample_rate));
}

MI_START void
mi__sample_start(void)
{
    mi__hooks.sample_place = mi__guard_place;
    mi__hooks.sample_made = made;
    mi__hooks.sample_gone = gone;
}

MI_START void
mi__sample_start_guard(void)
{
    if (conf_get(guarded_sample_rate) != 0) {
        mi__stack_start_if_linked();
        mi__sample_guard_some();
    }
}

void
mi__sample_set_profile(const sample_profile_t *to, uint64_t mean_bytes)
{
    if (to != NULL) {
        // release: pairs with the acquire in get_profile.
        atomic_set_release(&profile, to);
    }
    mi__sampling_set_rate(SAMPLER_PROFILE, mean_bytes);
}
