// expect: (double-free|invalid-free): realloc\(0x[0-9a-f]+\)
// exit: SIGABRT
// SPDX-License-Identifier: MIT
#include <stdlib.h>

int
main(void)
{
    void *volatile p = malloc(1 << 20);
    free(p);
    return realloc(p, 100) != NULL;
}
