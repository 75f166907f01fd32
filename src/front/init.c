// SPDX-License-Identifier: MIT
// init.c — start-up, fork and exit.
//
// Owns:        see init.h; it fills mi__hooks
// Threads:     see init.h
// Not here:    see init.h
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "front/init.h"

#include <mimalloc.h>

#include "alloc/alloc.h"
#include "base/bits.h"
#include "base/config.h"
#include "base/format.h"
#include "base/hooks.h"
#include "front/arena_api.h"
#include "front/deferred.h"
#include "front/guard.h"
#include "front/limit_api.h"
#include "front/live.h"
#include "front/options.h"
#include "front/override.h"
#include "front/profile.h"
#include "front/report.h"
#include "front/sample.h"
#include "front/stats.h"
#include "heap/registry.h"
#include "os/os.h"

// Constructors of this priority run before those without one. The destructor of the same runs after
// them.
#define FIRST_OF_ALL 101

// Rare work of this layer.
static void
on_beat(bool force)
{
    mi__live_poll();
    mi__deferred_call(force);
}

static void
after_fork(void)
{
    mi__registry_after_fork();
    mi__profile_after_fork();
    mi__live_after_fork();
    mi__guard_after_fork();
}

void
mi__front_first_use(void)
{
    static bool done;
    if (!done) {
        done = true;
        mi__hooks.write_text = mi__report_write;
        mi__hooks.misuse = mi__report_misuse;
        mi__hooks.alloc_failed = mi__report_alloc_failed;
        mi__hooks.deferred_free = on_beat;
        mi__hooks.memory_limit = mi__limit_api_tell;
        mi__hooks.trim_pages = mi__registry_trim;
        // Before the options: what the user asks for is done even when it costs.
        size_t cheap_log2 = highest_bit(mi__os_cheap_reserve());
        if (mi__options_origin(mi__options_find(mi_option_region_size)) == OPTION_BY_DEFAULT) {
            mi__conf.region_bytes_log2 = (setting_t)size_min((size_t)mi__conf.region_bytes_log2, cheap_log2);
        }
    }
    mi__options_load();
    static bool read;
    if (!read && mi__os_env_ready()) {
        read = true;
        if (mi__conf.group_limit) {
            mi__limit_api_read_group();
        }
        mi__sample_start();
        mi__profile_start_early();
    }
}

#if OVERRIDE_SEARCHES
#include <dlfcn.h>
#endif

// Whose malloc the program calls, NULL for ours. In a static link that is known from the link. In a
// shared one the name may lead to an entry of the program's own, so the answer is where a block
// comes from.
static const char *
malloc_provider(void)
{
#if OVERRIDE_SEARCHES && MI_OVERRIDE
    static Dl_info found;
    void *malloc_found = dlsym(RTLD_DEFAULT, "malloc");
    void *free_found = dlsym(RTLD_DEFAULT, "free");
    if (malloc_found == NULL || free_found == NULL) {
        return NULL;
    }
    void *block = ((void *(*)(size_t))malloc_found)(1);
    bool is_ours = block == NULL || mi__is_block(block);
    ((void (*)(void *))free_found)(block);
    if (is_ours) {
        return NULL;
    }
    return dladdr(malloc_found, &found) != 0 ? found.dli_fname : "another library";
#else
    return NULL;
#endif
}

static void
say_active(void)
{
    text_t text;
    text_init(&text);
    const char *provider = malloc_provider();
    mi__format(&text, "%s in \"%.60s\" (pid %ld, version %d.%d.%d)",
               provider == NULL ? "active" : "loaded, but not active,", mi__os_program_name(),
               mi__os_process_id(), MI_MALLOC_VERSION / 10000, MI_MALLOC_VERSION / 100 % 100,
               MI_MALLOC_VERSION % 100);
    if (provider != NULL) {
        mi__format(&text, ": malloc is that of %s", provider);
    } else if (!MI_OVERRIDE) {
        mi__format(&text, ": by mi_malloc and its like, malloc is another's");
    }
    mi__message("%s\n", text.chars);
}

__attribute__((constructor(FIRST_OF_ALL))) void
mi__process_init(void)
{
    static bool done;
    if (done) {
        return;
    }
    done = true;
    mi__os_init();
    // When nobody has allocated yet, or the environment could not be read then.
    mi__front_first_use();
    // No handler for the time before the fork: whatever it locked could be held by a caller of
    // fork.
    mi__os_after_fork(after_fork);
    mi__sample_start_guard();
    if (conf_get(verbose) || conf_get(show_stats) || conf_get(profile_leaks)) {
        mi__os_keep_stderr();
    }
    if (conf_get(verbose)) {
        say_active();
    }
    mi__arena_api_start();
    mi__profile_init();
    mi__limit_api_start();
    mi__live_start();
}

__attribute__((destructor(FIRST_OF_ALL))) void
mi__process_done(void)
{
    static bool done;
    if (done) {
        return;
    }
    done = true;
    mi__profile_done();
    if (conf_get(show_stats)) {
        mi__stats_print(NULL, NULL);
    }
    mi__live_end();
}
