// SPDX-License-Identifier: MIT
// string.h — of macOS: what the port needs of it, declared from the documented interface.
#ifndef MACOS_STRING_H
#define MACOS_STRING_H

#include <stddef.h>
int memcmp(const void *, const void *, size_t);
void *memcpy(void *, const void *, size_t);
void *memmove(void *, const void *, size_t);
void *memset(void *, int, size_t);
char *strchr(const char *, int);
int strcmp(const char *, const char *);
size_t strlen(const char *);
int strncmp(const char *, const char *, size_t);
size_t strnlen(const char *, size_t);
char *strrchr(const char *, int);
char *strstr(const char *, const char *);

#endif
