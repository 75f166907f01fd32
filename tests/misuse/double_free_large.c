// expect: (double|invalid)-free: free\(0x[0-9a-f]+\): .*(is free already|no block is now)
// exit: SIGABRT
// SPDX-License-Identifier: MIT
#include <stdlib.h>

int
main(void)
{
    void *volatile p = malloc(1 << 20);
    free(p);
    free(p);
    return 0;
}
