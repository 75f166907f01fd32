// SPDX-License-Identifier: MIT
// which.c — whose malloc a program has: the same source for every way to link it (see README.md).
#include <mimalloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
main(void)
{
    char *ours = mi_strdup("by mi_strdup");
    char *text = strdup("by strdup");
    if (ours == NULL || text == NULL) {
        return 1;
    }
    // A block of another malloc is none of the library's: its size is 0.
    printf("mimalloc %d serves mi_malloc and %s\n", mi_version(),
           mi_usable_size(text) > 0 ? "malloc" : "leaves malloc to libc");
    mi_free(ours);
    free(text);
    return 0;
}
