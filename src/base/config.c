// SPDX-License-Identifier: MIT
// config.c — the settings as they are when nobody sets them.
//
// Owns:        mi__conf
// Threads:     see config.h
// Not here:    names and texts of options → front/options.c
#include "base/config.h"

conf_t mi__conf = {
    .purge_delay_ms = 400,
    .allow_thp = THP_AS_SYSTEM,
    .metrics_interval = 15,
    .held_bytes = 4 * 1024,
    .guarded_sample_rate = 200000,
    .guarded_max = 64 * 1024,
    .errors = ERRORS_BY_KIND,
    .max_errors = 32,
    .max_warnings = 32,
    .profile_rate = 512 * 1024,
    .region_bytes_log2 = 40,
    .reserve_huge_pages_at = -1,
    .secure = MI_SECURE,
};
