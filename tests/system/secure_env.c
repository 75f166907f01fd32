// SPDX-License-Identifier: MIT
// secure_env.c — used by secure_env.sh: says whether the system calls this process privileged.
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>

int
main(void)
{
    void *block = malloc(100);
    printf("secure %d\n", getauxval(AT_SECURE) != 0);
    free(block);
    return 0;
}
