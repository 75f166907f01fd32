// SPDX-License-Identifier: MIT
// profile.c — samples in, dumps out.
//
// Owns:        see profile.h
// Threads:     see profile.h
// Invariants:  see profile.h
// Not here:    see profile.h
#include "front/profile.h"

#include <errno.h>

#include "base/bits.h"
#include "base/config.h"
#include "front/estimate.h"
#include "front/hook.h"
#include "front/pprof.h"
#include "front/probes.h"
#include "front/profile_text.h"
#include "front/report.h"
#include "front/sample.h"
#include "front/sites.h"
#include "front/stack.h"
#include "os/os.h"

enum { SECOND_MS = 1000, BASE_MAX = 900 };

static const char *const endings[PROFILE_FORMS] = {"pb.gz", "heap", "folded", "txt"};

static char base[BASE_MAX]; // of the names of files; "": none are written unasked
static _Atomic(bool) active;
static _Atomic(bool) by_environment; // the unwinder and the end of the process are seen to
static _Atomic(uint64_t) rate;
static _Atomic(uint32_t) sequence;
static _Atomic(flag_t) base_is_bad; // said so already
static int64_t started_ms;
static hook_t callback;

// In bytes, by estimate; since the start, and when the last dump was made.
static _Atomic(uint64_t) allocated;
static _Atomic(uint64_t) freed;
static _Atomic(uint64_t) dumped_allocated;
static _Atomic(uint64_t) dumped_use;
static _Atomic(int64_t) dumped_ms;

// What a dump needs, for one at a time.
static _Atomic(flag_t) dumping;
static sink_t sink;
static profile_view_t view;

// ---- dumps

static void
wait_for_dumps(void)
{
    // acquire: what the last one left in `sink` and `view`; pairs with the release in end_dump.
    while (atomic_exchange_acquire(&dumping, true)) {
        while (atomic_get_relaxed(&dumping)) {
            mi__os_yield();
        }
    }
}

static void
end_dump(void)
{
    atomic_set_release(&dumping, false); // pairs with the acquires in wait_for_dumps and dump_when_due
}

static bool
write_form(profile_form_t form, sink_write_t *write, void *arg, bool symbols)
{
    view.rate = atomic_get_relaxed(&rate);
    view.taken_ns = mi__os_wall_ns();
    view.duration_ns = (mi__os_clock_ms() - started_ms) * 1000000;
    view.symbols = symbols;
    mi__sites_look();
    mi__estimate_factors(&view);
    mi__sink_start(&sink, write, arg, form == PROFILE_PPROF);
    bool enough = true;
    switch (form) {
    case PROFILE_TEXT:
        mi__profile_text_heap(&sink, &view);
        break;
    case PROFILE_FOLDED:
        mi__profile_text_folded(&sink, &view);
        break;
    case PROFILE_REPORT:
        mi__profile_text_report(&sink, &view);
        break;
    default:
        mi__estimate_holes();
        enough = mi__pprof_write(&sink, &view);
    }
    return mi__sink_end(&sink) && enough;
}

bool
mi__profile_write(profile_form_t form, sink_write_t *write, void *arg)
{
    wait_for_dumps();
    bool done = write_form(form, write, arg, true);
    end_dump();
    return done;
}

static bool
write_file(const void *bytes, size_t length, void *fd)
{
    return mi__os_write(*(int *)fd, bytes, length);
}

static int
dump_to(const char *path, profile_form_t form, bool symbols)
{
    int fd = mi__os_create(path);
    if (fd < 0) {
        return -fd;
    }
    bool done = write_form(form, write_file, &fd, symbols);
    mi__os_close(fd);
    return done ? 0 : EIO;
}

// The next file of the base that is not there yet: one may be of an earlier process of the same number.
static int
dump_next(profile_form_t form, bool symbols)
{
    int error = EEXIST;
    text_t path;
    while (error == EEXIST) {
        text_init(&path);
        mi__format(&path, "%s.%ld.%04u.%s", base, mi__os_process_id(),
                   (unsigned)atomic_add_relaxed(&sequence, 1) + 1, endings[form]);
        error = path.cut ? ENAMETOOLONG : dump_to(path.chars, form, symbols);
    }
    if (error != 0 && !atomic_exchange_explicit(&base_is_bad, true, memory_order_relaxed)) {
        mi__message("warning: no profile can be written to %s: %s (error %d)\n", path.chars,
                    error == ENOENT   ? "there is no such folder"
                    : error == EACCES ? "no permission"
                    : error == ENOSPC ? "the disk is full"
                                      : "the system refuses",
                    error);
    }
    return error;
}

int
mi__profile_dump(const char *path, profile_form_t form)
{
    if (path == NULL && base[0] == 0) {
        return EINVAL;
    }
    wait_for_dumps();
    int error = path != NULL ? dump_to(path, form, true) : dump_next(form, true);
    end_dump();
    return error;
}

// ---- samples

static bool
is_past(_Atomic(uint64_t) *last, uint64_t now, uint64_t interval)
{
    uint64_t before = atomic_get_relaxed(last);
    return interval != 0 && now > before && now - before >= interval &&
           atomic_compare_exchange_strong_explicit(last, &before, now, memory_order_relaxed,
                                                   memory_order_relaxed);
}

static void
dump_when_due(int64_t now_ms)
{
    if (base[0] == 0) {
        return;
    }
    uint64_t all = atomic_get_relaxed(&allocated);
    uint64_t gone = atomic_get_relaxed(&freed);
    int64_t last_ms = atomic_get_relaxed(&dumped_ms);
    int64_t interval_ms = conf_get(profile_time_interval) * SECOND_MS;
    bool due = is_past(&dumped_allocated, all, (uint64_t)conf_get(profile_alloc_interval));
    due |= is_past(&dumped_use, all > gone ? all - gone : 0, (uint64_t)conf_get(profile_inuse_interval));
    due |= interval_ms != 0 && now_ms - last_ms >= interval_ms &&
           atomic_compare_exchange_strong_explicit(&dumped_ms, &last_ms, now_ms, memory_order_relaxed,
                                                   memory_order_relaxed);
    // Not while another one is written: maybe by the call that this one is inside of.
    if (due && !atomic_exchange_acquire(&dumping, true)) { // pairs with the release in end_dump
        // From inside malloc the loader must not be asked for names.
        (void)dump_next((profile_form_t)conf_get(profile_format), false);
        end_dump();
    }
}

static void
tell(bool is_freed, const sample_t *sample, size_t weight_bytes)
{
    void *block = atomic_get_relaxed(&sample->block);
    if (is_freed) {
        probe_free(block);
    } else {
        probe_alloc(block, sample->requested, weight_bytes);
    }
    void *arg;
    // Most programs have none.
    bool is_set = atomic_get_relaxed(&callback.function) != NULL;
    profile_sample_t *fn = is_set ? (profile_sample_t *)mi__hook_get(&callback, &arg) : NULL;
    if (fn != NULL) {
        fn(is_freed, block, sample->requested, weight_bytes, arg);
    }
}

static site_sample_t
counted(const sample_t *sample)
{
    return (site_sample_t){sample->block_size, sample->requested, sample->weight, sample->times};
}

static void
on_alloc(sample_t *sample, size_t requested, double weight)
{
    site_t *site = (site_t *)sample->of_sampler[SAMPLER_PROFILE];
    if (site == NULL) {
        uintptr_t frames[STACK_FRAMES];
        size_t depth = mi__stack_capture(frames, STACK_FRAMES);
        site = mi__sites_find(frames, depth, sample->block_size);
    }
    site_sample_t one = counted(sample);
    int64_t now_ms = mi__os_clock_ms();
    uint64_t space = (uint64_t)(weight * (double)requested + 0.5);
    if (site != NULL) {
        mi__sites_alloc(site, &one);
    }
    sample->made_ms = now_ms;
    OWNER_SET(sample->of_sampler[SAMPLER_PROFILE], (void *)site);
    atomic_add_relaxed(&allocated, space * sample->times);
    atomic_add_relaxed(&freed, space * (sample->times - UINT64_C(1)));
    if (sample->times > 0) {
        tell(false, sample, space * sample->times);
        dump_when_due(now_ms);
    }
}

static void
on_free(sample_t *sample)
{
    site_t *site = (site_t *)sample->of_sampler[SAMPLER_PROFILE];
    site_sample_t one = counted(sample);
    uint64_t space = (uint64_t)(sample->weight * (double)sample->requested + 0.5);
    if (sample->times > 0) {
        tell(true, sample, space * sample->times);
    }
    if (site != NULL) {
        mi__sites_free(site, &one, mi__os_clock_ms() - sample->made_ms);
    }
    atomic_add_relaxed(&freed, space);
    OWNER_SET(sample->of_sampler[SAMPLER_PROFILE], NULL);
}

void
mi__profile_set_callback(profile_sample_t *fn, void *arg)
{
    mi__hook_set(&callback, (hook_fun_t *)fn, arg);
}

// ---- on and off

static bool
start(uint64_t wanted)
{
    static const sample_profile_t profile = {on_alloc, on_free};
    wanted = wanted != 0 ? wanted : (uint64_t)conf_get(profile_rate);
    wait_for_dumps();
    if (!atomic_get_relaxed(&active)) {
        started_ms = mi__os_clock_ms();
        atomic_set_relaxed(&dumped_ms, started_ms);
        mi__estimate_start(wanted);
    }
    atomic_set_relaxed(&rate, wanted);
    mi__sample_set_profile(&profile, wanted);
    bool taken = atomic_get_relaxed(&mi__sampling_rates[SAMPLER_PROFILE]) != 0;
    atomic_set_relaxed(&active, taken);
    end_dump();
    return taken; // whatever another thread has done since
}

bool
mi__profile_start(uint64_t wanted)
{
    mi__stack_start();
    return start(wanted);
}

MI_START void
mi__profile_start_early(void)
{
    // A copy: programs overwrite their environment.
    const char *given = mi__os_getenv("MIMALLOC_PROFILE");
    if (given != NULL && __builtin_strlen(given) < sizeof base) {
        __builtin_memcpy(base, given, __builtin_strlen(given));
    } else if (given != NULL) {
        mi__message("warning: MIMALLOC_PROFILE is too long\n");
    }
    if (base[0] != 0 || conf_get(profile_leaks)) {
        atomic_set_relaxed(&by_environment, start(0));
    }
}

MI_START void
mi__profile_init(void)
{
    if (atomic_get_relaxed(&by_environment)) {
        mi__stack_start();
    }
}

void
mi__profile_stop(void)
{
    wait_for_dumps();
    mi__sample_set_profile(NULL, 0);
    mi__estimate_stop();
    atomic_set_relaxed(&active, false);
    end_dump();
}

bool
mi__profile_is_active(void)
{
    return atomic_get_relaxed(&active);
}

void
mi__profile_reset(void)
{
    wait_for_dumps();
    mi__sites_reset();
    mi__estimate_reset();
    started_ms = mi__os_clock_ms();
    end_dump();
}

void
mi__profile_mark(void)
{
    wait_for_dumps();
    mi__sites_look();
    mi__sites_mark();
    end_dump();
}

// ---- fork and exit

void
mi__profile_after_fork(void)
{
    atomic_set_relaxed(&dumping, false); // a thread that is not here may have been at it
    atomic_set_relaxed(&sequence, 0);
    if (mi__profile_is_active()) {
        mi__profile_reset();
    }
}

static bool
write_to_error(const void *bytes, size_t length, void *arg)
{
    (void)arg;
    mi__report_write((const char *)bytes, length);
    return true;
}

MI_START void
mi__profile_done(void)
{
    if (!atomic_get_relaxed(&by_environment)) {
        return;
    }
    wait_for_dumps();
    if (conf_get(profile_leaks)) {
        mi__message("not freed at the end:\n");
        (void)write_form(PROFILE_REPORT, write_to_error, NULL, true);
    }
    if (base[0] != 0) {
        (void)dump_next((profile_form_t)conf_get(profile_format), true);
    }
    end_dump();
}
