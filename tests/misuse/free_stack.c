// expect: invalid-free: free\(0x[0-9a-f]+\): it lies on the stack
// exit: 0
// SPDX-License-Identifier: MIT
#include <stdlib.h>

int
main(void)
{
    char local[64];
    void *volatile p = local;
    free(p);
    return 0;
}
