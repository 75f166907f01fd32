// expect: ^$
// exit: 0
// env: MIMALLOC_ERRORS=ignore
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
