// SPDX-License-Identifier: MIT
// deepbind_host.c — opens libplugin.so with RTLD_DEEPBIND and trades blocks with it.
//
//   deepbind_host lazy|now masked|kept
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
fail(const char *what)
{
    const char *why = dlerror();
    printf("%s: %s\n", what, why == NULL ? "wrong" : why);
    return 1;
}

// Opened by dlopen's arguments only: the loader knows where to look from who calls.
int
main(int count, char **args)
{
    int when = count > 1 && strcmp(args[1], "lazy") == 0 ? RTLD_LAZY : RTLD_NOW;
    int kept = count > 2 && strcmp(args[2], "kept") == 0;
    void *plugin = dlopen("libplugin.so", when | RTLD_DEEPBIND);
    if (plugin == NULL) {
        return fail("dlopen");
    }
    void (*give_back)(void *) = (void (*)(void *))dlsym(plugin, "plugin_free");
    void *(*get)(size_t) = (void *(*)(size_t))dlsym(plugin, "plugin_malloc");
    void *(*its_malloc)(void) = (void *(*)(void))dlsym(plugin, "plugin_address_of_malloc");
    int (*open_part)(int) = (int (*)(int))dlsym(plugin, "plugin_open_part");
    if (give_back == NULL || get == NULL || its_malloc == NULL || open_part == NULL) {
        return fail("dlsym");
    }
    // The flag on its own has a library find libc's malloc, and not the program's.
    int same = its_malloc() == (void *)malloc;
    if (kept) {
        return same ? fail("RTLD_DEEPBIND was masked") : !printf("kept\n");
    }
    if (!same) {
        // Without a preloaded library both are libc's.
        return fail("another malloc in the plug-in");
    }
    for (size_t size = 1; size < 1000000; size = size * 3 + 1) {
        give_back(malloc(size));
        free(get(size));
        free(realloc(get(size), size * 2));
    }
    if (open_part(when | RTLD_DEEPBIND) != 42) {
        return fail("the plug-in's own library");
    }
    if (dlopen("libno-such.so", when | RTLD_DEEPBIND) != NULL || dlerror() == NULL) {
        return fail("a library that is not there");
    }
    if (dlopen(NULL, RTLD_NOW) == NULL) {
        return fail("the program itself");
    }
    return dlclose(plugin) != 0 ? fail("dlclose") : !printf("masked\n");
}
