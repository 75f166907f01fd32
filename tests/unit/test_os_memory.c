// SPDX-License-Identifier: MIT
// test_os_memory.c — the port: kinds of memory, huge pages and NUMA nodes, as this machine has them.
#include "fresh.h"

#include <sys/mman.h>

#include "os/os.h"

static char zeroed[100000];
static char with_contents[100000] = {1};

static char *
map(size_t size, int access, int flags, int fd)
{
    char *p = mmap(NULL, size, access, flags, fd, 0);
    check(p != MAP_FAILED);
    return p;
}

static void
private_memory_is_told_from_other(void)
{
    mi__os_init();
    errno = ERRNO_MARK;
    char local[100];
    char *block = malloc(100);
    char *large = malloc(10 * MIB);
    check(mi__os_is_private(block, 100));
    check(mi__os_is_private(large, 10 * MIB));
    check(mi__os_is_private(local, sizeof local));
    // Zeroed static memory begins in the last page of what is read from the program's file.
    check(mi__os_is_private(zeroed + 8192, sizeof zeroed - 8192));
    check(!mi__os_is_private(with_contents, sizeof with_contents));
    check(!mi__os_is_private("text", 4));
    char *p = map(4 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    check(mi__os_is_private(p, 4 * MIB));
    check(mprotect(p + MIB, MIB, PROT_READ | PROT_WRITE) == 0);
    check(mi__os_is_private(p, 4 * MIB));
    check(mi__os_is_private(p + MIB - 1, 2));
    char *shared = map(MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
    check(!mi__os_is_private(shared, MIB));
    check(!mi__os_is_private(shared + 4096, 1));
    check(munmap(p + 2 * MIB, MIB) == 0);
    check(!mi__os_is_private(p, 4 * MIB));
    check(!mi__os_is_private(p + 2 * MIB, 1));
    check(mi__os_is_private(p, 2 * MIB));
    check(mmap(p + 2 * MIB, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
    check(!mi__os_is_private(p, 2 * MIB + 1));
    check(mi__os_is_private(p, 2 * MIB));
    check(!mi__os_is_private(NULL, 4096));
    check(!mi__os_is_private((void *)(UINTPTR_MAX - 4095), 4095));
    check_equal(errno, ERRNO_MARK);
}

static void
huge_pages_are_mapped_or_refused(void)
{
    mi__os_init();
    errno = ERRNO_MARK;
    static const unsigned logs[] = {21, 30};
    for (size_t i = 0; i < 2; i++) {
        size_t size = (size_t)1 << logs[i];
        size_t space = address_space_bytes();
        char *p = mi__os_map_huge(size, logs[i], i == 0 ? -1 : 0);
        if (p == NULL) {
            fprintf(stderr, "no huge pages of %zu MiB\n", size / MIB);
            check_equal(address_space_bytes(), space);
            continue;
        }
        check(is_aligned(p, size));
        check(p[0] == 0 && p[size - 1] == 0);
        p[0] = p[size - 1] = 1;
        mi__os_unreserve(p, size);
        check(!is_readable(p));
    }
    // No machine has as many, nor pages of this size.
    check(mi__os_map_huge((size_t)1 << 45, 30, -1) == NULL);
    check(mi__os_map_huge(8192, 13, -1) == NULL);
    check_equal(errno, ERRNO_MARK);
}

static void *
ask_for_the_node(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        check(mi__os_numa_node() < mi__os_numa_nodes());
    }
    return NULL;
}

static void
the_node_is_one_of_the_nodes(void)
{
    mi__os_init();
    errno = ERRNO_MARK;
    unsigned nodes = mi__os_numa_nodes();
    check(nodes >= 1 && nodes < 1024);
    check_equal(mi__os_numa_nodes(), nodes);
    char args[4];
    (void)ask_for_the_node(NULL);
    check_equal(errno, ERRNO_MARK);
    run_threads(4, ask_for_the_node, args, 1);
}

// Whether a core file leaves out the mapping that begins at `start`.
static bool
is_left_out(const void *start)
{
    char line[1024];
    char flags[] = "VmFlags:";
    bool here = false;
    bool out = false;
    FILE *file = fopen("/proc/self/smaps", "r");
    check(file != NULL);
    while (fgets(line, sizeof line, file) != NULL) {
        uintptr_t from;
        uintptr_t to;
        if (sscanf(line, "%lx-%lx", &from, &to) == 2) {
            here = from <= (uintptr_t)start && (uintptr_t)start < to;
        } else if (here && strncmp(line, flags, sizeof flags - 1) == 0) {
            out = strstr(line, " dd") != NULL;
        }
    }
    check(fclose(file) == 0);
    return out;
}

static void
core_files_hold_what_is_committed(void)
{
    char *p = mi__os_reserve(4 * MIB, MIB);
    check(is_left_out(p) && is_left_out(p + 4 * MIB - 1));
    errno = ERRNO_MARK;
    check(mi__os_commit(p, MIB));
    check_equal(errno, ERRNO_MARK);
    check(!is_left_out(p) && !is_left_out(p + MIB - 1) && is_left_out(p + MIB));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(private_memory_is_told_from_other),
        fresh_test(huge_pages_are_mapped_or_refused),
        fresh_test(the_node_is_one_of_the_nodes),
        fresh_test(core_files_hold_what_is_committed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
