// expect: invalid-free: realloc\(0x[0-9a-f]+\): it lies on the stack
// exit: 0
// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>

int
main(void)
{
    char local[64];
    void *volatile p = local;
    return realloc(p, 100) != NULL;
}
