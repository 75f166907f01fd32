// SPDX-License-Identifier: MIT
// track.c — the one variable of tracking builds; no other build has this file.
//
// Owns:        see track.h
// Threads:     see track.h
// Not here:    see track.h
#include "base/track.h"

MI_THREAD_LOCAL unsigned mi__track_depth;
