// expect: invalid-free: free\(0x[0-9a-f]+\): it points into the allocator's memory, where no block is now
// exit: SIGABRT
// SPDX-License-Identifier: MIT
#include <stdlib.h>

int
main(void)
{
    // Behind the first block, in memory that is committed but was never given out.
    char *volatile p = malloc(16);
    free(p + (1 << 20));
    return 0;
}
