// SPDX-License-Identifier: MIT
// options_api.c — mi_option_get, mi_option_set and their like, and the list of options as text.
//
// Owns:        nothing
// Threads:     any
// Not here:    the table and the environment → front/options.c
#include <limits.h>

#include "mimalloc.h"

#include "arena/purge.h"
#include "base/bits.h"
#include "base/config.h"
#include "front/options.h"
#include "front/report.h"
#include "front/sample.h"
#include "os/os.h"

enum { KIB_LOG2 = 10 };

// The row of an option, with the environment read; NULL when there is none of that number.
static const option_t *
row(mi_option_t option)
{
    mi__options_load();
    return mi__options_find((int)option);
}

// ---- what is stored, and what programs see: sizes are in KiB for them

static setting_t
stored_to_program(const option_t *option, setting_t stored)
{
    if (option->kind == OPTION_BYTES) {
        return stored / 1024 + (stored % 1024 != 0);
    }
    if (option->kind == OPTION_POWER) {
        return stored < KIB_LOG2 ? 1 : (setting_t)1 << (stored - KIB_LOG2);
    }
    return stored;
}

static setting_t
program_to_stored(const option_t *option, setting_t value)
{
    if (option->kind == OPTION_BYTES) {
        return value > PTRDIFF_MAX / 1024 ? PTRDIFF_MAX : value < 0 ? 0 : value * 1024;
    }
    if (option->kind == OPTION_POWER) {
        return value <= 0 ? 0 : (setting_t)highest_bit((size_t)value) + KIB_LOG2;
    }
    if (option->kind == OPTION_SWITCH) {
        return value != 0;
    }
    return value;
}

// ---- reading

static long
get(mi_option_t option)
{
    const option_t *at = row(option);
    setting_t value = at == NULL ? 0 : stored_to_program(at, mi__options_get(at));
    return value > LONG_MAX ? LONG_MAX : (long)value;
}

long
mi_option_get(mi_option_t option)
{
    return get(option);
}

long
mi_option_get_clamp(mi_option_t option, long min, long max)
{
    long value = get(option);
    return value < min ? min : value > max ? max : value;
}

size_t
mi_option_get_size(mi_option_t option)
{
    const option_t *at = row(option);
    setting_t stored = at == NULL ? 0 : mi__options_get(at);
    if (stored < 0) {
        return 0;
    }
    return at != NULL && at->kind == OPTION_POWER ? (size_t)1 << stored : (size_t)stored;
}

bool
mi_option_is_enabled(mi_option_t option)
{
    return get(option) != 0;
}

// ---- setting

// What must happen at once; other settings are read where they are needed.
static void
act(mi_option_t option)
{
    if (option == mi_option_purge_delay) {
        mi__purge_delay_changed();
    } else if ((option == mi_option_show_stats || option == mi_option_verbose) && get(option) != 0) {
        mi__os_keep_stderr();
    } else if (option == mi_option_guarded_sample_rate) {
        mi__sample_guard_some();
    }
}

static void
set(mi_option_t option, setting_t value, option_origin_t origin)
{
    const option_t *at = row(option);
    if (at != NULL && mi__options_set(at, program_to_stored(at, value), origin)) {
        act(option);
    }
}

void
mi_option_set(mi_option_t option, long value)
{
    set(option, value, OPTION_BY_PROGRAM);
}

void
mi_option_set_default(mi_option_t option, long value)
{
    set(option, value, OPTION_BY_PROGRAM_DEFAULT);
}

void
mi_option_set_enabled(mi_option_t option, bool enable)
{
    set(option, enable, OPTION_BY_PROGRAM);
}

void
mi_option_set_enabled_default(mi_option_t option, bool enable)
{
    set(option, enable, OPTION_BY_PROGRAM_DEFAULT);
}

void
mi_option_enable(mi_option_t option)
{
    set(option, 1, OPTION_BY_PROGRAM);
}

void
mi_option_disable(mi_option_t option)
{
    set(option, 0, OPTION_BY_PROGRAM);
}

// ---- as text

static void
put_option(text_t *line, const option_t *option)
{
    static const char *const origins[] = {
        [OPTION_BY_DEFAULT] = "by default",
        [OPTION_BY_PROGRAM_DEFAULT] = "by the program, as a default",
        [OPTION_BY_ENVIRONMENT] = "by the environment",
        [OPTION_BY_PROGRAM] = "by the program",
    };
    text_init(line);
    mi__options_put_name(line, option);
    mi__format(line, "=");
    mi__options_put_value(line, option, mi__options_get(option));
    mi__format(line, " (%s%s)\n", origins[mi__options_origin(option)],
               option->place == OPTION_NO_EFFECT ? "; it has no effect in this version" : "");
}

static void
print(mi_output_fun *out, void *arg)
{
    mi__options_load();
    text_t line;
    text_init(&line);
    mi__format(&line, "mimalloc %d.%d.%d: options\n", MI_MALLOC_VERSION / 10000,
               MI_MALLOC_VERSION / 100 % 100, MI_MALLOC_VERSION % 100);
    mi__report_send(out, arg, line.chars, line.length);
    for (size_t i = 0; i < mi__options_count; i++) {
        const option_t *option = &mi__options[i];
        if (option->place != OPTION_NO_EFFECT || mi__options_origin(option) != OPTION_BY_DEFAULT) {
            put_option(&line, option);
            mi__report_send(out, arg, line.chars, line.length);
        }
    }
}

void
mi_options_print_out(mi_output_fun *out, void *arg)
{
    print(out, arg);
}

void
mi_options_print(void)
{
    print(NULL, NULL);
}
