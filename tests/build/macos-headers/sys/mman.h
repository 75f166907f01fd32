// SPDX-License-Identifier: MIT
// mman.h — of macOS: what the port needs of it, declared from the documented interface.
#ifndef MACOS_SYS_MMAN_H
#define MACOS_SYS_MMAN_H

#include <sys/types.h>
#define PROT_NONE 0
#define PROT_READ 1
#define PROT_WRITE 2
#define MAP_PRIVATE 0x0002
#define MAP_FIXED 0x0010
#define MAP_NORESERVE 0x0040
#define MAP_ANON 0x1000
#define MAP_FAILED ((void *)-1)
#define MINCORE_INCORE 0x1
int mincore(const void *, size_t, char *);
void *mmap(void *, size_t, int, int, int, off_t);
int mprotect(void *, size_t, int);
int munmap(void *, size_t);

#endif
