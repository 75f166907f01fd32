// SPDX-License-Identifier: MIT
// options.c — the table of options, and how their values are read.
//
// Owns:        see options.h
// Threads:     see options.h
// Not here:    see options.h
#include "front/options.h"

#include <limits.h>

#include "mimalloc.h"

#include "base/atomic.h"
#include "base/bits.h"
#include "base/config.h"
#include "front/profile.h"
#include "front/report.h"
#include "os/os.h"

enum {
    NAME_PREFIX = sizeof "MIMALLOC_" - 1,
    VALUE_MAX = 64,       // longer values are not looked at
    REGION_LOG2_MIN = 22, // one chunk of slices
    REGION_LOG2_MAX = sizeof(void *) == 8 ? 46 : 31,
    GIB = 1 << 30,
    HELD_BYTES_MAX = GIB,
    HUGE_PAGES_MAX = 1 << 14,
    NODES_MAX = 1023,
    NAME_MAX_CHARS = 48, // of an option; longer names are not compared for likeness
};

#define AT(field) offsetof(conf_t, field)
#define WITHOUT_EFFECT(name, legacy, kind, fallback)                                                         \
    {                                                                                                        \
        mi_option_##name, #name, legacy, kind, NULL, PTRDIFF_MIN, PTRDIFF_MAX, fallback, OPTION_NO_EFFECT,   \
            NULL                                                                                             \
    }

// clang-format off
const option_t mi__options[] = {
    {mi_option_show_errors, "show_errors", NULL, OPTION_SWITCH, NULL, 0, 1, 0, AT(show_errors),
     "print warnings and failed allocations, too; misuse is always reported"},
    {mi_option_show_stats, "show_stats", NULL, OPTION_SWITCH, NULL, 0, 1, 0, AT(show_stats),
     "print statistics when the process ends"},
    {mi_option_verbose, "verbose", NULL, OPTION_SWITCH, NULL, 0, 1, 0, AT(verbose),
     "say at the start that the allocator is active, and what it does"},
    WITHOUT_EFFECT(deprecated_eager_commit, "eager_commit", OPTION_NUMBER, 1),
    WITHOUT_EFFECT(arena_eager_commit, "eager_region_commit", OPTION_NUMBER, 2),
    WITHOUT_EFFECT(purge_decommits, "reset_decommits|allow_decommit", OPTION_NUMBER, 1),
    {mi_option_allow_large_os_pages, "allow_large_os_pages", "large_os_pages", OPTION_SWITCH, NULL, 0, 1, 0,
     AT(allow_large_pages),
     "take memory from the system's pool of huge pages (vm.nr_hugepages) while that has some, 32 MiB or "
     "more at a time; it never goes back"},
    {mi_option_reserve_huge_os_pages, "reserve_huge_os_pages", NULL, OPTION_NUMBER, NULL, 0, HUGE_PAGES_MAX,
     0, AT(reserve_huge_pages),
     "GiB of huge pages to reserve at the start, in pages of 1 GiB or else of 2 MiB"},
    {mi_option_reserve_huge_os_pages_at, "reserve_huge_os_pages_at", NULL, OPTION_NUMBER, NULL, -1, NODES_MAX,
     -1, AT(reserve_huge_pages_at),
     "the NUMA node that these pages are to be near to; -1: all nodes in equal parts"},
    {mi_option_reserve_os_memory, "reserve_os_memory", NULL, OPTION_BYTES, NULL, 0, PTRDIFF_MAX / 2, 0,
     AT(reserve_os_bytes),
     "memory to reserve and commit at the start; it is used before other memory"},
    WITHOUT_EFFECT(deprecated_segment_cache, "segment_cache", OPTION_NUMBER, 0),
    WITHOUT_EFFECT(deprecated_page_reset, "page_reset", OPTION_NUMBER, 0),
    WITHOUT_EFFECT(deprecated_abandoned_page_purge,
                   "abandoned_page_purge|abandoned_page_reset|abandoned_page_decommit", OPTION_NUMBER, 0),
    WITHOUT_EFFECT(deprecated_segment_reset, "segment_reset", OPTION_NUMBER, 0),
    WITHOUT_EFFECT(deprecated_eager_commit_delay, "eager_commit_delay", OPTION_NUMBER, 1),
    {mi_option_purge_delay, "purge_delay", "reset_delay|decommit_delay", OPTION_NUMBER, NULL, -1, INT_MAX,
     400, AT(purge_delay_ms),
     "milliseconds after which free memory goes back to the system; 0: at once, -1: never (400 by "
     "measurement; mimalloc 3.4 has 1000)"},
    {mi_option_use_numa_nodes, "use_numa_nodes", NULL, OPTION_NUMBER, NULL, 0, NODES_MAX, 0, AT(numa_nodes),
     "NUMA nodes to tell apart; 0: as many as the machine has"},
    {mi_option_disallow_os_alloc, "disallow_os_alloc", "limit_os_alloc", OPTION_SWITCH, NULL, 0, 1, 0,
     AT(disallow_os_alloc),
     "take no more memory from the system than what the program hands over or has reserved"},
    WITHOUT_EFFECT(os_tag, NULL, OPTION_NUMBER, 100),
    {mi_option_max_errors, "max_errors", NULL, OPTION_NUMBER, NULL, -1, INT_MAX, 32, AT(max_errors),
     "lines about errors that are printed at most; -1: all"},
    {mi_option_max_warnings, "max_warnings", NULL, OPTION_NUMBER, NULL, -1, INT_MAX, 32, AT(max_warnings),
     "lines about warnings that are printed at most; -1: all"},
    WITHOUT_EFFECT(deprecated_max_segment_reclaim, "max_segment_reclaim", OPTION_NUMBER, 10),
    WITHOUT_EFFECT(destroy_on_exit, NULL, OPTION_NUMBER, 0),
    WITHOUT_EFFECT(arena_reserve, NULL, OPTION_BYTES, sizeof(void *) == 8 ? GIB : GIB / 8),
    WITHOUT_EFFECT(arena_purge_mult, NULL, OPTION_NUMBER, 1),
    WITHOUT_EFFECT(deprecated_purge_extend_delay, "purge_extend_delay|decommit_extend_delay",
                   OPTION_NUMBER, 1),
    WITHOUT_EFFECT(disallow_arena_alloc, NULL, OPTION_NUMBER, 0),
    WITHOUT_EFFECT(retry_on_oom, NULL, OPTION_NUMBER, 400),
    WITHOUT_EFFECT(visit_abandoned, NULL, OPTION_NUMBER, 0),
    {mi_option_guarded_min, "guarded_min", NULL, OPTION_NUMBER, NULL, 0, PTRDIFF_MAX, 0, AT(guarded_min),
     "bytes of the smallest allocation that may be guarded"},
    {mi_option_guarded_max, "guarded_max", NULL, OPTION_NUMBER, NULL, 0, PTRDIFF_MAX, BLOCK_MAX,
     AT(guarded_max),
     "bytes of the largest one; none above 64 KiB is guarded"},
    {mi_option_guarded_precise, "guarded_precise", NULL, OPTION_SWITCH, NULL, 0, 1, 0, AT(guarded_precise),
     "guard up to the last byte that was asked for, at the price of the block's alignment"},
    {mi_option_guarded_sample_rate, "guarded_sample_rate", NULL, OPTION_NUMBER, NULL, 0, PTRDIFF_MAX, 200000,
     AT(guarded_sample_rate), "one allocation in so many is guarded (docs/guarded.md); 0: none"},
    {mi_option_guarded_sample_seed, "guarded_sample_seed", NULL, OPTION_NUMBER, NULL, 0, PTRDIFF_MAX, 0,
     AT(guarded_sample_seed), "where the draws of samples start; 0: at random in each run"},
    WITHOUT_EFFECT(generic_collect, NULL, OPTION_NUMBER, 10000),
    WITHOUT_EFFECT(page_reclaim_on_free, "abandoned_reclaim_on_free", OPTION_NUMBER, 0),
    WITHOUT_EFFECT(page_full_retain, NULL, OPTION_NUMBER, 2),
    WITHOUT_EFFECT(page_max_candidates, NULL, OPTION_NUMBER, 4),
    WITHOUT_EFFECT(max_vabits, NULL, OPTION_NUMBER, 0),
    WITHOUT_EFFECT(pagemap_commit, NULL, OPTION_NUMBER, 0),
    WITHOUT_EFFECT(page_commit_on_demand, NULL, OPTION_NUMBER, 0),
    WITHOUT_EFFECT(page_max_reclaim, NULL, OPTION_NUMBER, -1),
    WITHOUT_EFFECT(page_cross_thread_max_reclaim, NULL, OPTION_NUMBER, 32),
    {mi_option_allow_thp, "allow_thp", NULL, OPTION_NUMBER, NULL, THP_NEVER, THP_EAGER, THP_AS_SYSTEM,
     AT(allow_thp),
     "transparent huge pages; 0: none, 1: as the system does, 2: asked for beyond the first 16 MiB, where "
     "what is touched at all takes 2 MiB"},
    {mi_option_minimal_purge_size, "minimal_purge_size", NULL, OPTION_BYTES, NULL, 0, CHUNK_BYTES, 0,
     AT(minimal_purge),
     "free memory goes back in ranges of this size, rounded down to a power of two, that are wholly free; 0: "
     "64 KiB, or 2 MiB where allow_thp is 2"},
    WITHOUT_EFFECT(arena_max_object_size, NULL, OPTION_BYTES,
                   (setting_t)GIB / 4 * (sizeof(void *) == 8 ? 8 : 1)),
    WITHOUT_EFFECT(arena_is_numa_local, NULL, OPTION_NUMBER, 0),

    // Options of this library.
    {mi_option_errors, "errors", NULL, OPTION_CHOICE, "default|abort|report|ignore", 0, ERRORS_IGNORE,
     ERRORS_BY_KIND, AT(errors),
     "what follows a misuse; by default a double free or a pointer into a block aborts, others do not"},
    {mi_option_region_size, "region_size", NULL, OPTION_POWER, NULL, REGION_LOG2_MIN, REGION_LOG2_MAX, 40,
     AT(region_bytes_log2),
     "address space to reserve at the start; it is halved until the system grants it"},
    {mi_option_held_size, "held_size", NULL, OPTION_BYTES, NULL, 0, HELD_BYTES_MAX, 4 * 1024, AT(held_bytes),
     "bytes per size class that a thread may hold back of other threads' freed blocks"},
    {mi_option_deepbind, "deepbind", NULL, OPTION_SWITCH, "mask|keep", 0, 1, 0, AT(deepbind_keep),
     "whether dlopen honours RTLD_DEEPBIND, which gives a library another malloc than its program"},
    WITHOUT_EFFECT(target_segments_per_thread, NULL, OPTION_NUMBER, 0),
    {mi_option_purge_thread, "purge_thread", NULL, OPTION_CHOICE, "auto|never|always", 0, PURGE_THREAD_ALWAYS,
     PURGE_THREAD_AUTO, AT(purge_thread),
     "whether a helper thread gives memory back while idle; auto: in processes that have threads anyway"},
    {mi_option_memory_limit, "memory_limit", NULL, OPTION_BYTES, NULL, 0, PTRDIFF_MAX, 0, AT(memory_limit),
     "bytes that the process may hold; what would exceed it fails with ENOMEM; 0: no limit"},
    {mi_option_memory_soft_limit, "memory_soft_limit", NULL, OPTION_BYTES, NULL, 0, PTRDIFF_MAX, 0,
     AT(memory_soft_limit), "bytes above which free memory is given back at once; 0: no limit"},
    {mi_option_cgroup_limit, "cgroup_limit", NULL, OPTION_SWITCH, NULL, 0, 1, 0, AT(group_limit),
     "lower both limits to those of the control group, version 1 or 2, when the process starts"},
    {mi_option_profile_rate, "profile_rate", "profile_sample_rate", OPTION_BYTES, NULL, 1, PTRDIFF_MAX,
     512 * 1024, AT(profile_rate), "bytes for which the profile takes one sample, in the mean"},
    {mi_option_profile_format, "profile_format", NULL, OPTION_CHOICE, "pprof|text|folded|report", 0,
     PROFILE_FORMS - 1, PROFILE_PPROF, AT(profile_format), "the form of the profile's files"},
    {mi_option_profile_alloc_interval, "profile_alloc_interval", NULL, OPTION_BYTES, NULL, 0, PTRDIFF_MAX, 0,
     AT(profile_alloc_interval), "bytes to allocate before the next file of the profile; 0: none for that"},
    {mi_option_profile_inuse_interval, "profile_inuse_interval", NULL, OPTION_BYTES, NULL, 0, PTRDIFF_MAX, 0,
     AT(profile_inuse_interval),
     "by how many bytes the memory in use exceeds its last peak before the next file of the profile; 0: none "
     "for that"},
    {mi_option_profile_time_interval, "profile_time_interval", NULL, OPTION_NUMBER, NULL, 0, INT_MAX, 0,
     AT(profile_time_interval), "seconds between two files of the profile, while it takes samples; 0: none"},
    {mi_option_profile_leaks, "profile_leaks", NULL, OPTION_SWITCH, NULL, 0, 1, 0, AT(profile_leaks),
     "profile, and say at the end which stacks hold memory"},
    {mi_option_trim_delay, "trim_delay", NULL, OPTION_NUMBER, NULL, 0, INT_MAX, 0, AT(trim_delay_ms),
     "milliseconds after which free OS pages inside of a page that nobody frees to go back; 0: only when "
     "asked to (mi_collect, malloc_trim)"},
    {mi_option_memory_pressure, "memory_pressure", NULL, OPTION_SWITCH, NULL, 0, 1, 0, AT(memory_pressure),
     "give everything free back when the system, or the control group, is short of memory; the helper "
     "thread listens"},
    {mi_option_live, "live", NULL, OPTION_SWITCH, NULL, 0, 1, 0, AT(live),
     "keep counters in /dev/shm/mimalloc.<pid>, for tools of the same user (docs/outside.md)"},
    {mi_option_metrics_interval, "metrics_interval", NULL, OPTION_NUMBER, NULL, 1, INT_MAX / 1000, 15,
     AT(metrics_interval), "seconds between two writings of the file that MIMALLOC_METRICS names"},
    {mi_option_metrics_classes, "metrics_classes", NULL, OPTION_SWITCH, NULL, 0, 1, 0, AT(metrics_classes),
     "metrics by size class, too: up to 160 lines more"},
    {mi_option_secure, "secure", NULL, OPTION_NUMBER, NULL, 0, SECURE_LEVEL_MAX, MI_SECURE, AT(secure),
     "level of hardening (docs/secure.md); 1: frees are exact, 2: and overflows seen, 3: and writes after "
     "free, 4: and large blocks guarded"},
};
// clang-format on
const size_t mi__options_count = sizeof mi__options / sizeof mi__options[0];

enum {
    COUNT = sizeof mi__options / sizeof mi__options[0],
    FIRST_OF_OURS = mi_option_errors,
};

_Static_assert(COUNT == _mi_option_last + _mi_option_ours_last - FIRST_OF_OURS, "each option has a row");

// Variables that are no options: one of other versions, and those whose value is a path (front/profile.c,
// front/live.c).
static const char other_variables[] = "disable_redirect";
static const char path_variables[] = "profile|metrics";

static _Atomic(uint8_t) origins[COUNT];  // option_origin_t
static _Atomic(setting_t) values[COUNT]; // of options without effect, once they are set

// ---- words

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

// Whether `text` up to its end, or to `end`, is `word`, in either case of letters; `word` ends at a
// zero or a '|'.
static bool
is_word(const char *text, char end, const char *word)
{
    while (*text != 0 && *text != end && *word != '|' && lower(*text) == *word) {
        text++;
        word++;
    }
    return (*text == 0 || *text == end) && (*word == 0 || *word == '|');
}

// The index of `text`, up to its end or to `end`, in `words`; -1 when it is none of them.
static setting_t
word_index(const char *words, const char *text, char end)
{
    for (setting_t index = 0;; index++) {
        if (is_word(text, end, words)) {
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
parse_number(const char *text, setting_t *value)
{
    bool negative = *text == '-';
    text += negative || *text == '+';
    if (*text == 0) {
        return false;
    }
    setting_t sum = 0;
    for (; *text != 0; text++) {
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(sum, 10L, &sum) ||
            __builtin_add_overflow(sum, (setting_t)(*text - '0'), &sum)) {
            return false;
        }
    }
    *value = negative ? -sum : sum;
    return true;
}

// Numbers may be given by the words of switches, too: an empty value is 1.
static bool
parse_switch_or_number(const char *text, setting_t *value)
{
    setting_t index = word_index("0|false|no|off||1|true|yes|on", text, 0);
    if (index >= 0) {
        *value = index >= 4;
        return true;
    }
    return parse_number(text, value);
}

static bool
parse_value(const option_t *option, const char *text, setting_t *value)
{
    size_t bytes = 0;
    if (__builtin_strlen(text) > VALUE_MAX) {
        return false;
    }
    if (option->words != NULL) {
        *value = word_index(option->words, text, 0);
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
        if (!mi__parse_size(text, &bytes) || bytes > PTRDIFF_MAX) {
            return false;
        }
        *value = (setting_t)bytes;
        break;
    case OPTION_POWER:
        if (!mi__parse_size(text, &bytes) || bytes == 0) {
            return false;
        }
        *value = (setting_t)highest_bit(bytes);
        break;
    default:
        if (!parse_switch_or_number(text, value)) {
            return false;
        }
    }
    return *value >= option->min && *value <= option->max;
}

// ---- settings

static size_t
row_of(const option_t *option)
{
    return (size_t)(option - mi__options);
}

MI_START const option_t *
mi__options_find(int number)
{
    int row = number < FIRST_OF_OURS ? number : number - FIRST_OF_OURS + _mi_option_last;
    bool known = (number >= 0 && number < _mi_option_last) || (number >= FIRST_OF_OURS && row < COUNT);
    return known ? &mi__options[row] : NULL;
}

MI_START option_origin_t
mi__options_origin(const option_t *option)
{
    return (option_origin_t)atomic_get_relaxed(&origins[row_of(option)]);
}

setting_t
mi__options_get(const option_t *option)
{
    if (option->place == OPTION_NO_EFFECT) {
        bool given = mi__options_origin(option) != OPTION_BY_DEFAULT;
        return given ? atomic_get_relaxed(&values[row_of(option)]) : option->fallback;
    }
    const char *at = (const char *)&mi__conf + option->place;
    return option->kind == OPTION_SWITCH ? HINT_GET(*(const bool *)(const void *)at)
                                         : HINT_GET(*(const setting_t *)(const void *)at);
}

bool
mi__options_set(const option_t *option, setting_t value, option_origin_t origin)
{
    if (origin < mi__options_origin(option)) {
        return false;
    }
    value = value < option->min ? option->min : value > option->max ? option->max : value;
    char *at = (char *)&mi__conf + option->place;
    if (option->place == OPTION_NO_EFFECT) {
        atomic_set_relaxed(&values[row_of(option)], value);
    } else if (option->kind == OPTION_SWITCH) {
        __atomic_store_n((bool *)(void *)at, value != 0, __ATOMIC_RELAXED);
    } else {
        __atomic_store_n((setting_t *)(void *)at, value, __ATOMIC_RELAXED);
    }
    atomic_set_relaxed(&origins[row_of(option)], (uint8_t)origin);
    return true;
}

static void
put_upper(text_t *text, const char *name)
{
    for (; *name != 0; name++) {
        mi__format(text, "%c", *name >= 'a' && *name <= 'z' ? *name - ('a' - 'A') : *name);
    }
}

void
mi__options_put_name(text_t *text, const option_t *option)
{
    mi__format(text, "MIMALLOC_");
    put_upper(text, option->name);
}

void
mi__options_put_value(text_t *text, const option_t *option, setting_t value)
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
        mi__format(text, "%lld", (long long)value);
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
        mi__options_put_value(text, option, option->min);
        mi__format(text, " to ");
        mi__options_put_value(text, option, option->max);
    }
}

static void
complain(const option_t *option, const char *text)
{
    text_t line;
    text_init(&line);
    mi__format(&line, "warning: ");
    mi__options_put_name(&line, option);
    mi__format(&line, "=\"%.64s%s\" is not understood: ", text,
               __builtin_strlen(text) > VALUE_MAX ? "..." : "");
    put_accepted(&line, option);
    mi__format(&line, " is accepted; ");
    mi__options_put_value(&line, option, mi__options_get(option));
    mi__message("%s is used\n", line.chars);
}

// ---- the environment

static const option_t *
find(const char *name, bool legacy)
{
    for (size_t i = 0; i < COUNT; i++) {
        const char *wanted = legacy ? mi__options[i].legacy : mi__options[i].name;
        if (wanted != NULL && word_index(wanted, name, '=') >= 0) {
            return &mi__options[i];
        }
    }
    return NULL;
}

static void
read_entry(const char *entry, void *arg)
{
    const bool *legacy = (const bool *)arg;
    const char *name = entry + NAME_PREFIX;
    const char *equals = __builtin_strchr(name, '=');
    if (equals == NULL) {
        return;
    }
    const option_t *option = find(name, *legacy);
    setting_t value = 0;
    if (option == NULL) {
        return;
    }
    if (parse_value(option, equals + 1, &value)) {
        (void)mi__options_set(option, value, OPTION_BY_ENVIRONMENT);
    } else if (option->place != OPTION_NO_EFFECT) {
        complain(option, equals + 1);
    }
}

// How many letters must be changed, added or left out to make `name` (`length` letters) the word.
static size_t
distance(const char *name, size_t length, const char *word)
{
    size_t row[NAME_MAX_CHARS + 1];
    for (size_t i = 0; i <= length; i++) {
        row[i] = i;
    }
    for (size_t k = 0; word[k] != 0; k++) {
        size_t diagonal = row[0];
        row[0] = k + 1;
        for (size_t i = 0; i < length; i++) {
            size_t changed = diagonal + (lower(name[i]) != word[k]);
            diagonal = row[i + 1];
            row[i + 1] = size_min(changed, size_min(row[i], diagonal) + 1);
        }
    }
    return row[length];
}

// The option whose name is most like it, or NULL when none is.
static const option_t *
most_like(const char *name, size_t length)
{
    if (length > NAME_MAX_CHARS) {
        return NULL;
    }
    const option_t *best = NULL;
    size_t least = length / 3 + 1;
    for (size_t i = 0; i < COUNT; i++) {
        const option_t *option = &mi__options[i];
        size_t apart = distance(name, length, option->name);
        if (option->place != OPTION_NO_EFFECT && apart < least) {
            least = apart;
            best = option;
        }
    }
    return best;
}

static void
reject_name(const char *entry, size_t length)
{
    text_t line;
    text_init(&line);
    const option_t *meant = most_like(entry + NAME_PREFIX, length - NAME_PREFIX);
    mi__format(&line, "warning: there is no option %.*s%s", (int)size_min(length, (size_t)VALUE_MAX), entry,
               length > VALUE_MAX ? "..." : "");
    if (meant != NULL) {
        mi__format(&line, "; did you mean ");
        mi__options_put_name(&line, meant);
        mi__format(&line, "?");
    }
    mi__message("%s\n", line.chars);
}

static void
judge_name(const char *entry, void *arg)
{
    (void)arg;
    const char *name = entry + NAME_PREFIX;
    const char *equals = __builtin_strchr(name, '=');
    if (equals == NULL) {
        return;
    }
    size_t length = (size_t)(equals - entry);
    const option_t *older = find(name, true);
    const option_t *option = older != NULL ? older : find(name, false);
    if (word_index(path_variables, name, '=') >= 0) {
        return;
    }
    if (option == NULL && word_index(other_variables, name, '=') < 0) {
        reject_name(entry, length);
    } else if (!conf_get(verbose)) {
        return;
    } else if (option == NULL || option->place == OPTION_NO_EFFECT) {
        mi__message("%.*s has no effect in this version\n", (int)length, entry);
    } else if (older != NULL) {
        text_t line;
        text_init(&line);
        mi__options_put_name(&line, option);
        mi__message("%.*s is the older name of %s\n", (int)length, entry, line.chars);
    }
}

MI_START void
mi__options_load(void)
{
    static _Atomic(flag_t) loaded;
    if (!mi__os_env_ready() || atomic_exchange_explicit(&loaded, true, memory_order_relaxed)) {
        return;
    }
    // Older names first, so that the newer one wins where both are set.
    bool legacy = true;
    mi__os_each_env("MIMALLOC_", read_entry, &legacy);
    legacy = false;
    mi__os_each_env("MIMALLOC_", read_entry, &legacy);
    // Last, since it depends on `verbose`.
    mi__os_each_env("MIMALLOC_", judge_name, NULL);
}
