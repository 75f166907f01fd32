// SPDX-License-Identifier: MIT
// dlfcn.h — of macOS: what the port needs of it, declared from the documented interface.
#ifndef MACOS_DLFCN_H
#define MACOS_DLFCN_H

typedef struct dl_info {
    const char *dli_fname;
    void *dli_fbase;
    const char *dli_sname;
    void *dli_saddr;
} Dl_info;
#define RTLD_DEFAULT ((void *)-2)
#define RTLD_NEXT ((void *)-1)
#define RTLD_LAZY 0x1
#define RTLD_NOW 0x2
#define RTLD_NOLOAD 0x10
int dlclose(void *);
int dladdr(const void *, Dl_info *);
void *dlsym(void *, const char *);
void *dlopen(const char *, int);

#endif
