// SPDX-License-Identifier: MIT
// operators_host.c — a C program that runs the checks of operators.cc out of a library that it opens.
#include <dlfcn.h>
#include <stdio.h>

int
main(int count, char **args)
{
    void *plugin = count > 1 ? dlopen(args[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    int (*run)(void) = plugin == NULL ? NULL : (int (*)(void))dlsym(plugin, "operators_run");
    if (run == NULL) {
        printf("%s\n", dlerror());
        return 1;
    }
    return run();
}
