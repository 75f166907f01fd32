// expect: (double-free|invalid-free): free\(0x[0-9a-f]+\)
// exit: SIGABRT
// SPDX-License-Identifier: MIT
#include <malloc.h>
#include <stdlib.h>

int
main(void)
{
    // All blocks of the page but one stay free; the last one's free releases the page.
    void *blocks[64];
    for (int i = 0; i < 64; i++) {
        blocks[i] = malloc(40000);
    }
    for (int i = 0; i < 64; i++) {
        free(blocks[i]);
    }
    malloc_trim(0);
    void *volatile last = blocks[63];
    free(last);
    return 0;
}
