// expect: invalid-free: free\(0x[0-9a-f]+\): .*(no block is now|not this allocator's)
// exit: 0
// env: MIMALLOC_ERRORS=report
// SPDX-License-Identifier: MIT
#include <stdlib.h>

int
main(void)
{
    // Far behind the first block, in address space that is reserved but not committed.
    char *volatile p = malloc(16);
    free(p + (1 << 30));
    return malloc(16) == NULL;
}
