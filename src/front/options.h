// SPDX-License-Identifier: MIT
// options.h — the options that users set by environment variables MIMALLOC_<NAME>, and programs by
// mi_option_set.
//
// One row of a table describes an option: the reference page, the messages about bad values and the
// settings themselves come from it. Names are matched in either case of letters. Options of other
// versions that have no meaning in this design are rows too: they keep the value that they were
// given, and nobody reads it.
//
// Owns:        the table, who set each option, the values without effect; it fills mi__conf
// Threads:     any. Of two that set an option at the same time one wins
// Invariants:  O1 the defaults of the table are those of base/config.c (tests/unit/test_options.c)
//              O2 what the program sets stays, whatever the environment says
// Not here:    mi_option_set and its like → front/options_api.c; what a setting does → its reader,
//              see base/config.h
#ifndef MI_FRONT_OPTIONS_H
#define MI_FRONT_OPTIONS_H

#include "base/config.h"
#include "base/format.h"

typedef enum option_kind_t {
    OPTION_SWITCH, // bool: on or off, or one of two words
    OPTION_NUMBER, // long: a decimal integer
    OPTION_CHOICE, // long: the index of a word
    OPTION_BYTES,  // long: a size such as 64K
    OPTION_POWER,  // long: a size, kept as the exponent of the power of two at or below it
} option_kind_t;

// Who gave an option the value that it has; a later one of these goes before an earlier one.
typedef enum option_origin_t {
    OPTION_BY_DEFAULT,
    OPTION_BY_PROGRAM_DEFAULT, // mi_option_set_default
    OPTION_BY_ENVIRONMENT,
    OPTION_BY_PROGRAM,
} option_origin_t;

#define OPTION_NO_EFFECT SIZE_MAX

typedef struct option_t {
    int number;         // mi_option_t
    const char *name;   // in lower case, without MIMALLOC_
    const char *legacy; // older names that do the same, separated by '|'; or NULL
    option_kind_t kind;
    const char *words; // of a choice, separated by '|', in the order of their values; or NULL
    setting_t min;     // of what is stored
    setting_t max;
    setting_t fallback; // what is stored when nobody sets the option
    size_t place;       // in conf_t, or OPTION_NO_EFFECT
    const char *help;   // NULL for one without effect
} option_t;

// The table, in the order of numbers.
extern MI_HIDDEN const option_t mi__options[];
extern MI_HIDDEN const size_t mi__options_count;

// Reads the environment into mi__conf, and warns about what is wrong there. Does nothing when that
// is done already, or when the environment cannot be read yet; so call it again later.
void mi__options_load(void);

// The row with this number, or NULL.
const option_t *mi__options_find(int number);

// The value that `option` has now, as it is stored, and who gave it.
setting_t mi__options_get(const option_t *option);
option_origin_t mi__options_origin(const option_t *option);

// Stores `value`, or the nearest one that the option may have; false, and nothing changes, when the
// option has its value from an origin that goes before this one.
bool mi__options_set(const option_t *option, setting_t value, option_origin_t origin);

// Appends the value as a user would write it, and the name as a variable.
void mi__options_put_value(text_t *text, const option_t *option, setting_t value);
void mi__options_put_name(text_t *text, const option_t *option);

#endif
