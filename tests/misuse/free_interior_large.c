// expect: invalid-free: free\(0x[0-9a-f]+\): .*(inside a block|no block is now)
// exit: SIGABRT
// SPDX-License-Identifier: MIT
#include <stdlib.h>

int
main(void)
{
    char *volatile p = malloc(8 << 20);
    free(p + (2 << 20));
    return 0;
}
