// expect: invalid-free: free\(0x[0-9a-f]+\): nothing is mapped there
// exit: 0
// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <sys/mman.h>

int
main(void)
{
    void *volatile p = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(p, 1 << 20);
    free(p);
    return 0;
}
