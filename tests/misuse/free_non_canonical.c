// expect: invalid-free: free\(0xdead000000001230\): nothing is mapped there
// exit: 0
// SPDX-License-Identifier: MIT
#include <stdlib.h>

int
main(void)
{
    void *volatile p = (void *)0xDEAD000000001230;
    free(p);
    return 0;
}
