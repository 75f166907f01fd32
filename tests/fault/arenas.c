// SPDX-License-Identifier: MIT
// arenas.c — memory that is handed over or reserved, when the system refuses, and when a function of
// the program that commits does.
#include "fault.h"

#include <sys/mman.h>

static void
small_regions(void)
{
    mi_option_set(mi_option_region_size, 4 << 10);
}

static void
nothing_of_our_own(void)
{
    small_regions();
    mi_option_enable(mi_option_disallow_os_alloc);
}

static char *
map(size_t size, int access)
{
    void *p = mmap(NULL, size, access, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(p != MAP_FAILED);
    return p;
}

// Blocks of a few sizes, wherever they are.
static void
use(void)
{
    static const size_t sizes[] = {40, 2000, 30000, 70000, 1 << 20, 3 << 20};
    held_t held[60];
    for (size_t i = 0; i < 60; i++) {
        size_t size = sizes[i % 6];
        errno = 0;
        held[i] = hold(i % 2 == 0 ? mi_zalloc(size) : mi_malloc(size), size, 16, i % 2 == 0);
    }
    for (size_t i = 0; i < 60; i++) {
        drop(&held[i]);
    }
    mi_collect(true);
}

static void
check_id(bool made, mi_arena_id_t id, size_t most)
{
    size_t size = 0;
    MUST(made == (id != NULL));
    MUST((mi_arena_area(id, &size) != NULL) == made);
    MUST(made ? size <= most && size + (128 << 10) > most : size == 0);
}

static void
committed_memory(void)
{
    mi_arena_id_t id = &id;
    char *p = map(9 << 20, PROT_READ | PROT_WRITE);
    memset(p, 0x55, 9 << 20);
    bool made = mi_manage_os_memory_ex(p + 5000, 8 << 20, true, false, false, -1, false, &id);
    check_id(made, id, 8 << 20);
    use();
}

static void
reserved_memory(void)
{
    mi_arena_id_t id = &id;
    bool made =
        mi_manage_os_memory_ex(map(20 << 20, PROT_NONE), 20 << 20, false, false, true, -1, false, &id);
    check_id(made, id, 20 << 20);
    use();
    int error = mi_reserve_os_memory_ex(10 << 20, true, true, false, &id);
    MUST(error == (id == NULL ? ENOMEM : 0));
    check_id(error == 0, id, 10 << 20);
    use();
    error = mi_reserve_os_memory_ex(10 << 20, false, false, true, &id);
    MUST(error == (id == NULL ? ENOMEM : 0));
    error = mi_reserve_huge_os_pages_at_ex(1, -1, 1, true, &id);
    MUST(error == (id == NULL ? ENOMEM : 0));
    use();
    mi_arenas_print();
    mi_debug_show_arenas();
}

// The program's function fails as calls of the system do.
static bool
commit_or_not(bool commit, void *start, size_t size, bool *is_zero, void *arg)
{
    MUST(arg == NULL);
    *is_zero = false;
    return !fault_due() && mprotect(start, size, commit ? PROT_READ | PROT_WRITE : PROT_NONE) == 0;
}

static void
memory_with_a_function(void)
{
    mi_arena_id_t id = &id;
    char *p = map(12 << 20, PROT_NONE);
    bool made = mi_manage_memory(p, 12 << 20, false, false, false, -1, false, commit_or_not, NULL, &id);
    check_id(made, id, 12 << 20);
    use();
    use();
}

static const scenario_t scenarios[] = {
    {"committed memory", small_regions, committed_memory, 1},
    {"committed memory", small_regions, committed_memory, 4},
    {"reserved memory", small_regions, reserved_memory, 1},
    {"reserved memory, nothing else", nothing_of_our_own, reserved_memory, 1},
    {"memory with a function", small_regions, memory_with_a_function, 1},
    {"memory with a function", small_regions, memory_with_a_function, 4},
    {"memory with a function, nothing else", nothing_of_our_own, memory_with_a_function, 1},
};

int
main(int argc, char **argv)
{
    return run_all(scenarios, sizeof scenarios / sizeof scenarios[0], argc, argv);
}
