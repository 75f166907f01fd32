// SPDX-License-Identifier: MIT
// options.c — the table of options, and how their values are read.
//
// Owns:        see options.h
// Threads:     see options.h
// Not here:    see options.h
#include "front/options.h"

#include <limits.h>

#include "base/bits.h"
#include "base/config.h"
#include "base/format.h"
#include "front/report.h"
#include "os/os.h"

enum {
    NAME_PREFIX = sizeof "MIMALLOC_" - 1,
    VALUE_MAX = 64,       // longer values are not looked at
    REGION_LOG2_MIN = 22, // one chunk of slices
    REGION_LOG2_MAX = sizeof(void *) == 8 ? 46 : 31,
    HELD_BYTES_MAX = 1 << 30,
};

#define AT(field) offsetof(conf_t, field)

// clang-format off
const option_t mi__options[] = {
    {"verbose", NULL, OPTION_SWITCH, NULL, 0, 1, 0, AT(verbose),
     "say at the start that the allocator is active, and what it does"},
    {"show_stats", NULL, OPTION_SWITCH, NULL, 0, 1, 0, AT(show_stats),
     "print statistics when the process ends"},
    {"show_errors", NULL, OPTION_SWITCH, NULL, 0, 1, 0, AT(show_errors),
     "print warnings and failed allocations, too; misuse is always reported"},
    {"errors", NULL, OPTION_CHOICE, "default|abort|report|ignore", 0, ERRORS_IGNORE, ERRORS_BY_KIND,
     AT(errors),
     "what follows a misuse; by default a double free or a pointer into a block aborts, others do not"},
    {"max_errors", NULL, OPTION_NUMBER, NULL, -1, INT_MAX, 32, AT(max_errors),
     "lines about errors that are printed at most; -1: all"},
    {"max_warnings", NULL, OPTION_NUMBER, NULL, -1, INT_MAX, 32, AT(max_warnings),
     "lines about warnings that are printed at most; -1: all"},
    {"purge_delay", "reset_delay", OPTION_NUMBER, NULL, -1, INT_MAX, 400, AT(purge_delay_ms),
     "milliseconds after which free memory goes back to the system; 0: at once, -1: never"},
    {"region_size", NULL, OPTION_POWER, NULL, REGION_LOG2_MIN, REGION_LOG2_MAX, 40, AT(region_bytes_log2),
     "address space to reserve at the start; it is halved until the system grants it"},
    {"held_size", NULL, OPTION_BYTES, NULL, 0, HELD_BYTES_MAX, 32 * 1024, AT(held_bytes),
     "bytes per size class that a thread may hold back of other threads' freed blocks"},
    {"deepbind", NULL, OPTION_SWITCH, "mask|keep", 0, 1, 0, AT(deepbind_keep),
     "whether dlopen honours RTLD_DEEPBIND, which gives a library another malloc than its program"},
};
// clang-format on
const size_t mi__options_count = sizeof mi__options / sizeof mi__options[0];

// Options of other versions that have no meaning in this design.
static const char *const without_effect[] = {
    "abandoned_page_purge",
    "abandoned_reclaim_on_free",
    "allow_large_os_pages",
    "allow_thp",
    "arena_eager_commit",
    "arena_is_numa_local",
    "arena_max_object_size",
    "arena_purge_mult",
    "arena_reserve",
    "deprecated_abandoned_page_purge",
    "deprecated_eager_commit",
    "deprecated_eager_commit_delay",
    "deprecated_max_segment_reclaim",
    "deprecated_page_reset",
    "deprecated_purge_extend_delay",
    "deprecated_segment_cache",
    "deprecated_segment_reset",
    "destroy_on_exit",
    "disable_redirect",
    "disallow_arena_alloc",
    "disallow_os_alloc",
    "eager_commit",
    "eager_commit_delay",
    "eager_region_commit",
    "generic_collect",
    "guarded_max",
    "guarded_min",
    "guarded_precise",
    "guarded_sample_rate",
    "guarded_sample_seed",
    "large_os_pages",
    "limit_os_alloc",
    "max_segment_reclaim",
    "max_vabits",
    "minimal_purge_size",
    "os_tag",
    "page_commit_on_demand",
    "page_cross_thread_max_reclaim",
    "page_full_retain",
    "page_max_candidates",
    "page_max_reclaim",
    "page_reclaim_on_free",
    "page_reset",
    "pagemap_commit",
    "purge_decommits",
    "purge_extend_delay",
    "reserve_huge_os_pages",
    "reserve_huge_os_pages_at",
    "reserve_os_memory",
    "reset_decommits",
    "retry_on_oom",
    "segment_cache",
    "segment_reset",
    "target_segments_per_thread",
    "use_numa_nodes",
    "visit_abandoned",
};

// ---- words

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

// Whether `text` up to its end, or to `end`, is `word`, in either case of letters; `word` ends at a
// zero or a
// '|'.
static bool
is_word(const char *text, char end, const char *word)
{
    while (*text != 0 && *text != end && *word != '|' && lower(*text) == *word) {
        text++;
        word++;
    }
    return (*text == 0 || *text == end) && (*word == 0 || *word == '|');
}

// The index of `text` in `words`, -1 when it is none of them.
static long
word_index(const char *words, const char *text)
{
    for (long index = 0;; index++) {
        if (is_word(text, 0, words)) {
            return index;
        }
        while (*words != 0 && *words != '|') {
            words++;
        }
        if (*words++ == 0) {
            return -1;
        }
    }
}

// ---- values

static bool
parse_number(const char *text, long *value)
{
    bool negative = *text == '-';
    text += negative || *text == '+';
    if (*text == 0) {
        return false;
    }
    long sum = 0;
    for (; *text != 0; text++) {
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(sum, 10L, &sum) ||
            __builtin_add_overflow(sum, (long)(*text - '0'), &sum)) {
            return false;
        }
    }
    *value = negative ? -sum : sum;
    return true;
}

// Numbers may be given by the words of switches, too: an empty value is 1.
static bool
parse_switch_or_number(const char *text, long *value)
{
    long index = word_index("0|false|no|off||1|true|yes|on", text);
    if (index >= 0) {
        *value = index >= 4;
        return true;
    }
    return parse_number(text, value);
}

static bool
parse_value(const option_t *option, const char *text, long *value)
{
    size_t bytes = 0;
    if (__builtin_strlen(text) > VALUE_MAX) {
        return false;
    }
    if (option->words != NULL) {
        *value = word_index(option->words, text);
        return *value >= 0;
    }
    switch (option->kind) {
    case OPTION_SWITCH:
        if (!parse_switch_or_number(text, value)) {
            return false;
        }
        *value = *value != 0;
        return true;
    case OPTION_BYTES:
        if (!mi__parse_size(text, &bytes) || bytes > LONG_MAX) {
            return false;
        }
        *value = (long)bytes;
        break;
    case OPTION_POWER:
        if (!mi__parse_size(text, &bytes) || bytes == 0) {
            return false;
        }
        *value = (long)highest_bit(bytes);
        break;
    default:
        if (!parse_switch_or_number(text, value)) {
            return false;
        }
    }
    return *value >= option->min && *value <= option->max;
}

// ---- settings

long
mi__options_get(const option_t *option)
{
    const char *at = (const char *)&mi__conf + option->place;
    return option->kind == OPTION_SWITCH ? *(const bool *)(const void *)at : *(const long *)(const void *)at;
}

static void
set(const option_t *option, long value)
{
    char *at = (char *)&mi__conf + option->place;
    if (option->kind == OPTION_SWITCH) {
        *(bool *)(void *)at = value != 0;
    } else {
        *(long *)(void *)at = value;
    }
}

static void
put_upper(text_t *text, const char *name)
{
    for (; *name != 0; name++) {
        mi__format(text, "%c", *name >= 'a' && *name <= 'z' ? *name - ('a' - 'A') : *name);
    }
}

static void
put_value(text_t *text, const option_t *option, long value)
{
    if (option->words != NULL) {
        const char *word = option->words;
        for (; value > 0; word++) {
            value -= *word == '|';
        }
        for (; *word != 0 && *word != '|'; word++) {
            mi__format(text, "%c", *word);
        }
    } else if (option->kind == OPTION_BYTES) {
        mi__format_bytes(text, (size_t)value);
    } else if (option->kind == OPTION_POWER && (size_t)value < 8 * sizeof(size_t)) {
        mi__format_bytes(text, (size_t)1 << value);
    } else {
        mi__format(text, "%ld", value);
    }
}

static void
put_accepted(text_t *text, const option_t *option)
{
    if (option->words != NULL) {
        mi__format(text, "one of %s", option->words);
    } else if (option->kind == OPTION_SWITCH) {
        mi__format(text, "0, off, no, false or 1, on, yes, true");
    } else {
        mi__format(text, option->kind == OPTION_NUMBER ? "an integer from " : "a size from ");
        put_value(text, option, option->min);
        mi__format(text, " to ");
        put_value(text, option, option->max);
    }
}

static void
complain(const option_t *option, const char *text)
{
    text_t line;
    text_init(&line);
    mi__format(&line, "warning: MIMALLOC_");
    put_upper(&line, option->name);
    mi__format(&line, "=\"%.64s\" is not understood: ", text);
    put_accepted(&line, option);
    mi__format(&line, " is accepted; ");
    put_value(&line, option, mi__options_get(option));
    mi__message("%s is used\n", line.chars);
}

// ---- the environment

static const option_t *
find(const char *name, bool legacy)
{
    for (size_t i = 0; i < mi__options_count; i++) {
        const char *wanted = legacy ? mi__options[i].legacy : mi__options[i].name;
        if (wanted != NULL && is_word(name, '=', wanted)) {
            return &mi__options[i];
        }
    }
    return NULL;
}

static bool
is_without_effect(const char *name)
{
    for (size_t i = 0; i < sizeof without_effect / sizeof without_effect[0]; i++) {
        if (is_word(name, '=', without_effect[i])) {
            return true;
        }
    }
    return false;
}

static void
read_entry(const char *entry, void *arg)
{
    const bool *legacy = arg;
    const char *name = entry + NAME_PREFIX;
    const char *equals = __builtin_strchr(name, '=');
    if (equals == NULL) {
        return;
    }
    const option_t *option = find(name, *legacy);
    long value = 0;
    if (option == NULL) {
        return;
    }
    if (parse_value(option, equals + 1, &value)) {
        set(option, value);
    } else {
        complain(option, equals + 1);
    }
}

static void
judge_name(const char *entry, void *arg)
{
    (void)arg;
    const char *name = entry + NAME_PREFIX;
    const char *equals = __builtin_strchr(name, '=');
    if (equals == NULL || find(name, false) != NULL || find(name, true) != NULL) {
        return;
    }
    int length = equals - entry > VALUE_MAX ? VALUE_MAX : (int)(equals - entry);
    if (!is_without_effect(name)) {
        mi__message("warning: there is no option %.*s\n", length, entry);
    } else if (mi__conf.verbose) {
        mi__message("%.*s has no effect in this version\n", length, entry);
    }
}

void
mi__options_load(void)
{
    static bool loaded;
    if (loaded || !mi__os_env_ready()) {
        return;
    }
    loaded = true;
    // Older names first, so that the newer one wins where both are set.
    mi__os_each_env("MIMALLOC_", read_entry, &(bool){true});
    mi__os_each_env("MIMALLOC_", read_entry, &(bool){false});
    // Last, since it depends on `verbose`.
    mi__os_each_env("MIMALLOC_", judge_name, NULL);
}
