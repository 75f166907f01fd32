// SPDX-License-Identifier: MIT
// os_absent.c — what Windows and macOS do not have, or not for everybody: the answer is "no".
//
// Owns:        nothing
// Threads:     any
// Not here:    see os.h
#include "os/os.h"

bool
mi__os_move(void *from, void *to, size_t size)
{
    (void)from;
    (void)to;
    (void)size;
    return false;
}

void
mi__os_advise_huge(void *start, size_t size, bool wanted)
{
    (void)start;
    (void)size;
    (void)wanted;
}

void
mi__os_populate(void *start, size_t size)
{
    (void)start;
    (void)size;
}

void *
mi__os_map_huge(size_t size, unsigned page_log2, int node)
{
    (void)size;
    (void)page_log2;
    (void)node;
    return NULL;
}

unsigned
mi__os_numa_nodes(void)
{
    return 1;
}

unsigned
mi__os_numa_node(void)
{
    return 0;
}

// Where Windows limits what a process may commit, a commit that it refuses fails cleanly.
void
mi__os_group_limits(size_t *high, size_t *max)
{
    *high = *max = SIZE_MAX;
}

int
mi__os_pressure_open(void)
{
    return -1;
}

bool
mi__os_pressure_wait(int *fd, int64_t ms) // NOLINT(readability-non-const-parameter) os.h
{
    (void)fd;
    mi__os_sleep_ms(ms);
    return false;
}

void
mi__os_pressure_close(int fd)
{
    (void)fd;
}

bool
mi__os_pressure_path(unsigned place, char *path, size_t size) // NOLINT(readability-non-const-parameter) os.h
{
    (void)place;
    (void)path;
    (void)size;
    return false;
}

void
mi__os_each_mapping(void (*each)(const char *text, size_t length, void *arg), void *arg)
{
    (void)each;
    (void)arg;
}

// Files of memory that others find by a path are Linux's.
void *
mi__os_share(const char *path, size_t bytes)
{
    (void)path;
    (void)bytes;
    return NULL;
}
