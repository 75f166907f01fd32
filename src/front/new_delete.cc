// SPDX-License-Identifier: MIT
// new_delete.cc — the operators new and delete as an object of their own (mimalloc-new-delete.o).
//
// For static links: only C++ can throw there. The shared library has its own, in C.
//
// Owns:        nothing
// Threads:     any
// Not here:    the same for the shared library → front/override.c
#include "mimalloc-new-delete.h"
