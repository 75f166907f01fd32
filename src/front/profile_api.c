// SPDX-License-Identifier: MIT
// profile_api.c — the profile for programs.
//
// Owns:        nothing
// Threads:     any
// Not here:    what these do → front/profile.c
#include <errno.h>
#include <mimalloc.h>

#include "front/profile.h"

_Static_assert((int)MI_PROFILE_REPORT == (int)PROFILE_REPORT && (int)MI_PROFILE_TEXT == (int)PROFILE_TEXT &&
                   (int)MI_PROFILE_FOLDED == (int)PROFILE_FOLDED,
               "both name the same forms");

static bool
is_form(mi_profile_form_t form)
{
    return (unsigned)form < PROFILE_FORMS;
}

bool
mi_profile_start(size_t rate)
{
    return mi__profile_start(rate);
}

void
mi_profile_stop(void)
{
    mi__profile_stop();
}

bool
mi_profile_is_active(void)
{
    return mi__profile_is_active();
}

void
mi_profile_reset(void)
{
    mi__profile_reset();
}

void
mi_profile_mark(void)
{
    mi__profile_mark();
}

int
mi_profile_dump(const char *path, mi_profile_form_t form)
{
    return is_form(form) ? mi__profile_dump(path, (profile_form_t)form) : EINVAL;
}

bool
mi_profile_write(mi_profile_form_t form, mi_profile_write_fun *write, void *arg)
{
    return is_form(form) && mi__profile_write((profile_form_t)form, write, arg);
}

void
mi_register_sample(mi_sample_fun *fn, void *arg)
{
    mi__profile_set_callback(fn, arg);
}
