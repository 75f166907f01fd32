// SPDX-License-Identifier: MIT
// deepbind_plugin.c — the library that deepbind_host.c opens, and (PART) the one that it opens itself.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

#ifdef PART
int
part_answer(void)
{
    return 42;
}
#else
void *
plugin_malloc(size_t size)
{
    return malloc(size);
}

void
plugin_free(void *p)
{
    free(p);
}

void *
plugin_address_of_malloc(void)
{
    return (void *)malloc;
}

int
plugin_open_part(int mode)
{
    void *part = dlopen("libpart.so", mode);
    int (*answer)(void) = part == NULL ? NULL : (int (*)(void))dlsym(part, "part_answer");
    return answer == NULL ? -1 : answer();
}
#endif
