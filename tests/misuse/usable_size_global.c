// expect: invalid-free: malloc_usable_size\(0x[0-9a-f]+\): it lies in
// exit: 0
// SPDX-License-Identifier: MIT
#include <malloc.h>

static char global[64];

int
main(void)
{
    void *volatile p = global;
    return malloc_usable_size(p) != 0;
}
