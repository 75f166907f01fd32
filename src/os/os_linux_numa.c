// SPDX-License-Identifier: MIT
// os_linux_numa.c — huge pages, and memory near to a processor.
//
// By raw system calls: there need be no libnuma.
//
// Owns:        the number of nodes, read once
// Threads:     any
// Invariants:  as in os_linux.c
// Not here:    see os.h
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomic.h"

enum {
    PAGE_LOG2_SHIFT = 26, // MAP_HUGE_SHIFT
    PREFER = 1,           // MPOL_PREFERRED: other nodes serve when this one is full
    NODES_MAX = 1024,
    WORD_BITS = 8 * sizeof(unsigned long),
};

static _Atomic(unsigned) node_count; // 0: not known yet

void *
mi__os_map_huge(size_t size, unsigned page_log2, int node)
{
    int saved = errno;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | (int)(page_log2 << PAGE_LOG2_SHIFT);
    // Without MAP_NORESERVE: the system sets the pages aside now, or refuses.
    void *start = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (start == MAP_FAILED) {
        errno = saved;
        return NULL;
    }
    if (node >= 0 && node < NODES_MAX) {
        unsigned long nodes[NODES_MAX / WORD_BITS] = {0};
        nodes[(unsigned)node / WORD_BITS] = 1UL << ((unsigned)node % WORD_BITS);
        // A wish: memory of another node is better than none. The kernel looks at one bit less.
        (void)!syscall(SYS_mbind, start, size, PREFER, nodes, NODES_MAX + 1UL, 0);
    }
    errno = saved;
    return start;
}

// The highest number in a list such as "0-3,8", plus one; 1 where there is no such file.
static unsigned
read_node_count(void)
{
    char text[256];
    long fd = syscall(SYS_openat, AT_FDCWD, "/sys/devices/system/node/online", O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) {
        return 1;
    }
    long length = syscall(SYS_read, (int)fd, text, sizeof text);
    syscall(SYS_close, (int)fd);
    unsigned highest = 0;
    unsigned number = 0;
    for (long i = 0; i < length; i++) {
        number = text[i] >= '0' && text[i] <= '9' ? number * 10 + (unsigned)(text[i] - '0') : 0;
        highest = number > highest ? number : highest;
    }
    return highest < NODES_MAX ? highest + 1 : 1;
}

unsigned
mi__os_numa_nodes(void)
{
    unsigned count = atomic_get_relaxed(&node_count);
    if (count == 0) {
        int saved = errno;
        count = read_node_count();
        atomic_set_relaxed(&node_count, count);
        errno = saved;
    }
    return count;
}

unsigned
mi__os_numa_node(void)
{
    int saved = errno;
    unsigned node = 0;
    if (syscall(SYS_getcpu, NULL, &node, NULL) != 0) {
        node = 0;
    }
    errno = saved;
    return node;
}
