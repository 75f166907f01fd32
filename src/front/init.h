// SPDX-License-Identifier: MIT
// init.h — start-up and end of the library.
//
// There are two moments of start-up. The first allocation, which may come before any constructor,
// sets the hooks and reads the options, and asks nothing of libc that could allocate
// (mi__front_first_use, base/hooks.h). The constructor does the rest.
//
// Owns:        how far start-up has come
// Threads:     start-up and end run in one thread
// Not here:    the start of the heap → heap/registry.c
#ifndef MI_FRONT_INIT_H
#define MI_FRONT_INIT_H

#include "base/platform.h"

// Starts the library; does nothing when that is done. Called by a constructor.
void mi__process_init(void);

// Prints statistics when they are wanted; does nothing the second time. The library goes on to
// work. Called by a destructor, after the program's own exit functions.
void mi__process_done(void);

#endif
