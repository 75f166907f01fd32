// expect: (double|invalid)-free: free\(0x[0-9a-f]+\): .*(is free already|no block is now)
// exit: SIGABRT
// SPDX-License-Identifier: MIT
#include <malloc.h>
#include <stdlib.h>

int
main(void)
{
    char *volatile p = malloc(8 << 20);
    free(p);
    malloc_trim(0);
    free(p + (2 << 20));
    return 0;
}
