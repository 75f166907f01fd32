// SPDX-License-Identifier: MIT
// sched.h — of macOS: what the port needs of it, declared from the documented interface.
#ifndef MACOS_SCHED_H
#define MACOS_SCHED_H

int sched_yield(void);

#endif
