// SPDX-License-Identifier: MIT
// timeline.c — a process's heap over time. A look costs the process nothing, and the command never more than
// a twentieth of a processor.
#include "timeline.h"

#include <time.h>

#include "model.h"

static const double first_pause = 0.1;

static double
clock_now(clockid_t clock)
{
    struct timespec at;
    clock_gettime(clock, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

double
timeline_now(void)
{
    return clock_now(CLOCK_MONOTONIC);
}

timeline_t *
timeline_new(void)
{
    timeline_t *timeline = get_memory(1, sizeof *timeline);
    timeline->pause = first_pause;
    return timeline;
}

// Every second moment stays.
static void
thin(timeline_t *timeline)
{
    for (size_t i = 0; 2 * i < timeline->count; i++) {
        timeline->moments[i] = timeline->moments[2 * i];
    }
    timeline->count = (timeline->count + 1) / 2;
    timeline->pause *= 2;
}

bool
timeline_look(timeline_t *timeline, const target_t *target)
{
    enum { SHARE = 20 };
    const char *why;
    double start = timeline_now();
    double spent = clock_now(CLOCK_PROCESS_CPUTIME_ID);
    if (start < timeline->next) {
        return true;
    }
    model_t *model = model_try(target, false, &why);
    if (model == NULL) {
        return false;
    }
    if (timeline->count == TIMELINE_MAX) {
        thin(timeline);
    }
    timeline->start = timeline->count == 0 ? start : timeline->start;
    timeline->moments[timeline->count++] = (moment_t){.seconds = start - timeline->start,
                                                      .live_bytes = model->total.live_bytes,
                                                      .page_bytes = model->total.page_bytes,
                                                      .resident_bytes = model->resident_bytes};
    model_free(model);
    spent = clock_now(CLOCK_PROCESS_CPUTIME_ID) - spent;
    timeline->next = start + (SHARE * spent > timeline->pause ? SHARE * spent : timeline->pause);
    return true;
}

void
timeline_print_json(const timeline_t *timeline, json_t *json)
{
    json_begin(json, "timeline", '[');
    for (size_t i = 0; timeline != NULL && i < timeline->count; i++) {
        const moment_t *moment = &timeline->moments[i];
        json_begin(json, NULL, '{');
        json_real(json, "seconds", moment->seconds);
        json_number(json, "live_bytes", moment->live_bytes);
        json_number(json, "page_bytes", moment->page_bytes);
        json_number(json, "resident_bytes", moment->resident_bytes);
        json_end(json, '}');
    }
    json_end(json, ']');
}
