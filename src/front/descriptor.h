// SPDX-License-Identifier: MIT
// descriptor.h — where everything is, for tools that read the process from outside.
//
// Owns:        nothing
// Threads:     any
// Not here:    the structure itself → mimalloc-descriptor.h
#ifndef MI_FRONT_DESCRIPTOR_H
#define MI_FRONT_DESCRIPTOR_H

#include <mimalloc-descriptor.h>

#endif
