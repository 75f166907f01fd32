// SPDX-License-Identifier: MIT
// hooks.c — what the calls upwards do before `front` is set up, and in tests of the lower layers.
//
// Owns:        mi__hooks
// Threads:     see hooks.h
// Not here:    the real ones → front/init.c
#include "base/hooks.h"

#include <stdlib.h>
#include <unistd.h>

static void
write_to_stderr(const char *chars, size_t length)
{
    if (write(STDERR_FILENO, chars, (unsigned)length) < 0) {
        // Nowhere to say it.
    }
}

static void
abort_on_misuse(misuse_t kind, const char *call, const void *p)
{
    (void)kind;
    (void)call;
    (void)p;
    abort();
}

static void
no_deferred_free(bool force)
{
    (void)force;
}

static void
no_alloc_failed(size_t size, int errnum)
{
    (void)size;
    (void)errnum;
}

static void
no_memory_limit(bool hard, size_t held_bytes)
{
    (void)hard;
    (void)held_bytes;
}

static void
no_sample(struct sample_t *sample)
{
    (void)sample;
}

static void
no_trim_pages(bool all)
{
    (void)all;
}

hooks_t mi__hooks = {
    .write_text = write_to_stderr,
    .misuse = abort_on_misuse,
    .deferred_free = no_deferred_free,
    .alloc_failed = no_alloc_failed,
    .memory_limit = no_memory_limit,
    .sample_place = no_sample,
    .sample_made = no_sample,
    .sample_gone = no_sample,
    .trim_pages = no_trim_pages,
};
