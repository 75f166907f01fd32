// expect: invalid-free: free\(0x[0-9a-f]+\): it lies on the stack.*The process stops here
// exit: SIGABRT
// env: MIMALLOC_ERRORS=abort
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
