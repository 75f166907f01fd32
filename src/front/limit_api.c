// SPDX-License-Identifier: MIT
// limit_api.c — limits on memory, as the program and the environment set them.
//
// Owns:        the function of the program that is told
// Threads:     any
// Not here:    what a limit does → arena/limit.c
#include "front/limit_api.h"

#include <limits.h>

#include "mimalloc.h"

#include "arena/slices.h"
#include "base/bits.h"
#include "base/config.h"
#include "base/track.h"
#include "front/hook.h"
#include "front/options.h"
#include "front/report.h"
#include "os/os.h"

enum {
    REST_SHARE = 16, // of a group's limit, for what is not ours: stacks, code, tables of the kernel
    SOFT_SHARE = 8,  // below the hard limit, when a group has no soft one
};

static hook_t hook;

void
mi__limit_api_tell(bool hard, size_t held_bytes)
{
    void *arg;
    mi_memory_limit_fun *fun = (mi_memory_limit_fun *)mi__hook_get(&hook, &arg);
    if (fun != NULL) {
        unsigned depth = track_pause();
        fun(hard, held_bytes, (size_t)(hard ? conf_get(memory_limit) : conf_get(memory_soft_limit)), arg);
        track_resume(depth);
    }
}

static void
lower(mi_option_t number, setting_t to)
{
    const option_t *option = mi__options_find((int)number);
    setting_t set = mi__options_get(option);
    if (set == 0 || to < set) {
        (void)mi__options_set(option, to, OPTION_BY_ENVIRONMENT);
    }
}

void
mi__limit_api_read_group(void)
{
    size_t high;
    size_t max;
    mi__os_group_limits(&high, &max);
    if (max != SIZE_MAX) {
        max -= max / REST_SHARE;
        lower(mi_option_memory_limit, (setting_t)max);
        high = size_min(high, max - max / SOFT_SHARE);
    }
    if (high != SIZE_MAX) {
        lower(mi_option_memory_soft_limit, (setting_t)high);
    }
}

MI_START void
mi__limit_api_start(void)
{
    if (conf_get(memory_pressure)) {
        int fd = mi__os_pressure_open();
        if (fd < 0) {
            mi__message("warning: MIMALLOC_MEMORY_PRESSURE: the system tells nothing of memory pressure "
                        "(no memory.pressure, no /proc/pressure/memory)\n");
        } else {
            mi__os_pressure_close(fd);
        }
    }
}

void
mi_memory_limit_set(size_t soft, size_t hard)
{
    (void)mi__options_set(mi__options_find(mi_option_memory_soft_limit),
                          (setting_t)size_min(soft, PTRDIFF_MAX), OPTION_BY_PROGRAM);
    (void)mi__options_set(mi__options_find(mi_option_memory_limit), (setting_t)size_min(hard, PTRDIFF_MAX),
                          OPTION_BY_PROGRAM);
}

void
mi_memory_limit_get(size_t *soft, size_t *hard, size_t *held)
{
    slices_held_t now = mi__slices_held();
    if (soft != NULL) {
        *soft = (size_t)conf_get(memory_soft_limit);
    }
    if (hard != NULL) {
        *hard = (size_t)conf_get(memory_limit);
    }
    if (held != NULL) {
        *held = now.used_bytes + now.free_bytes;
    }
}

void
mi_register_memory_limit(mi_memory_limit_fun *fun, void *arg)
{
    mi__hook_set(&hook, (hook_fun_t *)fun, arg);
}
