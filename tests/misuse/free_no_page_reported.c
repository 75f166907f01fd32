// expect: invalid-free: free\(0x[0-9a-f]+\): .*no block is now.*The call had no effect
// exit: 0
// env: MIMALLOC_ERRORS=report
// SPDX-License-Identifier: MIT
#include <stdlib.h>

int
main(void)
{
    char *volatile p = malloc(16);
    free(p + (1 << 20));
    return malloc(16) == NULL;
}
