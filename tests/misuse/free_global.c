// expect: invalid-free: free\(0x[0-9a-f]+\): it lies in .*free_global: code or static data
// exit: 0
// SPDX-License-Identifier: MIT
#include <stdlib.h>

static char global[64];

int
main(void)
{
    void *volatile p = global;
    free(p);
    return 0;
}
