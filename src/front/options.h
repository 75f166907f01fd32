// SPDX-License-Identifier: MIT
// options.h — the options that users set by environment variables MIMALLOC_<NAME>.
//
// One row of a table describes an option: the reference page, the messages about bad values and the
// settings themselves come from it. Names are matched in either case of letters.
//
// Owns:        the table; it fills mi__conf
// Threads:     mi__options_load runs while the process has one thread in the library
// Invariants:  O1 the defaults of the table are those of base/config.c (tests/unit/test_options.c)
// Not here:    what a setting does → its reader, see base/config.h
#ifndef MI_FRONT_OPTIONS_H
#define MI_FRONT_OPTIONS_H

#include "base/platform.h"

typedef enum option_kind_t {
    OPTION_SWITCH, // bool: on or off, or one of two words
    OPTION_NUMBER, // long: a decimal integer
    OPTION_CHOICE, // long: the index of a word
    OPTION_BYTES,  // long: a size such as 64K
    OPTION_POWER,  // long: a size, kept as the exponent of the power of two at or below it
} option_kind_t;

typedef struct option_t {
    const char *name;   // in lower case, without MIMALLOC_
    const char *legacy; // an older name that does the same, or NULL
    option_kind_t kind;
    const char *words; // of a choice, separated by '|', in the order of their values; or NULL
    long min;          // of what is stored
    long max;
    long fallback; // what is stored when nobody sets the option
    size_t place;  // in conf_t
    const char *help;
} option_t;

// The table, in the order of the reference page.
extern MI_HIDDEN const option_t mi__options[];
extern MI_HIDDEN const size_t mi__options_count;

// Reads the environment into mi__conf, and warns about what is wrong there. Does nothing when that
// is done already, or when the environment cannot be read yet; so call it again later.
void mi__options_load(void);

// The value that `option` has now, as it is stored.
long mi__options_get(const option_t *option);

#endif
