// SPDX-License-Identifier: MIT
// shared_memory.c — a heap in memory of the program's own: here a mapping that a child process shares.
#include <mimalloc.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 16 << 20, NUMBERS = 100000 };

int
main(void)
{
    void *start = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) {
        return 1;
    }
    // Committed, not to be given back, zero, near to no node, and only for heaps that name it.
    mi_arena_id_t arena;
    if (!mi_manage_os_memory_ex(start, SIZE, true, true, true, -1, true, &arena)) {
        return 1;
    }
    mi_heap_t *heap = mi_heap_new_in_arena(arena);
    long *numbers = heap == NULL ? NULL : (long *)mi_heap_calloc(heap, NUMBERS, sizeof(long));
    if (numbers == NULL || !mi_arena_contains(arena, numbers)) {
        return 1;
    }
    pid_t child = fork();
    if (child == 0) {
        for (long i = 0; i < NUMBERS; i++) {
            numbers[i] = i;
        }
        _exit(0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        return 1;
    }
    printf("the child wrote %ld at %zu bytes into the arena\n", numbers[NUMBERS - 1],
           (size_t)((char *)numbers - (char *)start));
    return numbers[NUMBERS - 1] == NUMBERS - 1 ? 0 : 1;
}
