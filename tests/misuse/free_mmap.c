// expect: invalid-free: free\(0x[0-9a-f]+\): it lies in memory that is not this allocator's
// exit: 0
// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <sys/mman.h>

int
main(void)
{
    void *volatile p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    free(p);
    return 0;
}
