// expect: invalid-free: free\(0x10\): a small number, not an address
// exit: 0
// SPDX-License-Identifier: MIT
#include <stdlib.h>

int
main(void)
{
    void *volatile p = (void *)0x10;
    free(p);
    return 0;
}
