// SPDX-License-Identifier: MIT
// cases.c — one violation at a time: `cases NAME SIZE [OFFSET]`.
//
// What table.py reads on standard output: "missed" when the program got to its end, "held" when what the
// case is about can't happen, "fault" when the access that is the mistake was refused. Whoever reports
// says so on standard error.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <alloca.h>
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MANY = 512, EXIT_NOT_HERE = 77 };

static size_t size;
static long offset; // the case's third word
static const char *verdict = "missed";
static char *expected_first; // where a fault is the refusal of the mistake
static char *expected_end;

static void
on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    char *at = info->si_addr;
    if (at >= expected_first && at < expected_end) {
        _exit(write(STDOUT_FILENO, "fault\n", 6) != 6);
    }
    (void)signal(number, SIG_DFL);
}

static void
expect_fault(char *first, size_t bytes)
{
    expected_first = first;
    expected_end = first + bytes;
}

static char *
get(size_t bytes)
{
    char *p = malloc(bytes);
    if (p != NULL) {
        memset(p, 'A', bytes);
    }
    return p;
}

// As many blocks of the size as make sense.
static size_t
many(void)
{
    return size <= 4096 ? MANY : 4;
}

static void
churn(size_t times)
{
    for (size_t i = 0; i < times; i++) {
        char *p = malloc(size);
        memset(p, 'B', 1);
        free(p);
    }
}

static void *
free_it(void *p)
{
    free(p);
    return NULL;
}

static void *
get_it(void *p)
{
    *(void **)p = get(size);
    return NULL;
}

static void
in_thread(void *(*run)(void *), void *arg)
{
    pthread_t thread;
    pthread_create(&thread, NULL, run, arg);
    pthread_join(thread, NULL);
}

// Goes on as a program would.
static void
go_on(void)
{
    char *blocks[MANY];
    for (size_t i = 0; i < many(); i++) {
        blocks[i] = get(size);
    }
    for (size_t i = 0; i < many(); i++) {
        free(blocks[i]);
    }
}

// ---- Double free

static void
double_free(void)
{
    char *p = get(size);
    free(p);
    free(p);
}

static void
double_free_after(void)
{
    char *blocks[4096];
    char *p = get(size);
    for (long i = 0; i < offset; i++) {
        blocks[i] = get(size);
    }
    free(p);
    for (long i = 0; i < offset; i++) {
        free(blocks[i]);
    }
    free(p);
}

static void
double_free_second_by_thread(void)
{
    char *p = get(size);
    free(p);
    in_thread(free_it, p);
    go_on();
}

static void
double_free_both_by_thread(void)
{
    char *p = get(size);
    in_thread(free_it, p);
    in_thread(free_it, p);
    go_on();
}

static void *
free_twice(void *p)
{
    free(p);
    free(p);
    return NULL;
}

static void
double_free_in_one_thread(void)
{
    char *p = get(size);
    in_thread(free_twice, p);
    go_on();
}

static void
double_free_thread_then_local(void)
{
    char *p = get(size);
    in_thread(free_it, p);
    free(p);
    go_on();
}

static void
double_free_overwritten(void)
{
    char *p = get(size);
    free(p);
    expect_fault(p, 16);
    memset(p, 'C', 16);
    free(p);
    go_on();
}

static void
double_free_aligned(void)
{
    char *p = memalign(offset, size);
    memset(p, 'A', size);
    free(p);
    free(p);
}

static void
double_free_after_realloc(void)
{
    char *p = get(size);
    char *other = get(size);
    char *moved = realloc(p, 40 * size);
    if (moved == p) {
        exit(EXIT_NOT_HERE);
    }
    free(p);
    free(moved);
    free(other);
    go_on();
}

static void
double_free_calloc(void)
{
    char *p = calloc(1, size);
    char *kept = calloc(1, size);
    free(p);
    free(kept);
    free(p);
    go_on();
}

// ---- Invalid free

static void
free_interior(void)
{
    char *p = get(size);
    free(p + offset);
    go_on();
}

static void
free_interior_aligned(void)
{
    char *p = memalign(4096, size);
    free(p + offset);
    go_on();
}

static char global[256];

static void
free_global(void)
{
    free(global + 64);
}

static void
forge(char *at)
{
    // Looks like a size in front of a block to those who keep one there.
    for (int i = 0; i < 16; i++) {
        ((size_t *)(void *)at)[i] = 0x41;
    }
}

static void
free_forged(void)
{
    forge(global);
    free(global + 64);
}

static void
free_forged_inside(void)
{
    char *p = get(size);
    forge(p);
    free(p + 64);
    go_on();
}

static void
free_stack(void)
{
    char local[256];
    forge(local);
    free(local + 64);
}

static void
free_alloca(void)
{
    char *p = alloca(256);
    memset(p, 0, 256);
    free(p + 64);
}

static void
free_mapped(void)
{
    char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    free(p + 4096);
}

static void
free_non_canonical(void)
{
    free((void *)(uintptr_t)0x4141414141414140);
}

static void
free_away(void)
{
    char *p = get(size);
    free(p + offset);
    go_on();
}

static void
realloc_freed(void)
{
    char *p = get(size);
    free(p);
    (void)!realloc(p, 2 * size);
    go_on();
}

static void
realloc_interior(void)
{
    char *p = get(size);
    (void)!realloc(p + offset, 3 * size);
    go_on();
}

static void
realloc_stack(void)
{
    char local[256];
    forge(local);
    (void)!realloc(local + 64, 1000);
}

static void
usable_size_freed(void)
{
    char *p = get(size);
    free(p);
    expect_fault(p - 4096, size + 4096);
    verdict = malloc_usable_size(p) == 0 ? "held" : "missed";
}

static void
usable_size_interior(void)
{
    char *p = get(size);
    verdict = malloc_usable_size(p + offset) == 0 ? "held" : "missed";
}

// ---- Writes and reads out of bounds

static char *before;
static char *behind;

static char *
get_between(void)
{
    before = get(size);
    char *p = get(size);
    behind = get(size);
    return p;
}

static void
free_between(char *p)
{
    free(p);
    free(before);
    free(behind);
    go_on();
}

static void
overflow_byte(void)
{
    char *p = get_between();
    expect_fault(p + size, offset + 1);
    p[size + offset] = 'X';
    free_between(p);
}

static void
overflow_nul(void)
{
    char *p = get_between();
    expect_fault(p + size, 1);
    p[size] = 0;
    free_between(p);
}

static void
overflow_copy(void)
{
    char *p = get_between();
    expect_fault(p + size, offset);
    memset(p + size, 'X', offset);
    free_between(p);
}

static void
overflow_seen_by_realloc(void)
{
    char *p = get_between();
    expect_fault(p + size, 1);
    p[size] = 'X';
    p = realloc(p, 4 * size);
    free_between(p);
}

static void
overflow_string(void)
{
    char *p = malloc(size);
    expect_fault(p + size, 1);
    // The classic: no room for the end of the string.
    memset(global, 'S', size);
    global[size] = 0;
    strcpy(p, global);
    free(p);
    go_on();
}

static void
overflow_read(void)
{
    char *p = get_between();
    expect_fault(p + size, offset);
    volatile char sum = 0;
    for (long i = 0; i < offset; i++) {
        sum += p[size + i];
    }
    free_between(p);
}

static void
underflow_byte(void)
{
    char *p = get_between();
    expect_fault(p - offset, offset);
    p[-offset] = 'X';
    free_between(p);
}

static void
underflow_copy(void)
{
    char *p = get_between();
    expect_fault(p - offset, offset);
    memset(p - offset, 'X', offset);
    free_between(p);
}

// ---- After free

static void
write_after_free(void)
{
    char *p = get(size);
    char *kept = get(size);
    free(p);
    expect_fault(p, size);
    memset(p + offset, 'X', 8);
    // Each address comes back within so many.
    for (int i = 0; i < (size <= 4096 ? 20000 : 64); i++) {
        free(get(size));
    }
    go_on();
    free(kept);
}

// What was written is the address of something that an attacker wants: it must not be handed out.
static void
write_after_free_pointer(void)
{
    static _Alignas(64) char target[4096];
    char *blocks[MANY];
    for (size_t i = 0; i < many(); i++) {
        blocks[i] = get(size);
    }
    for (size_t i = 0; i < many(); i++) {
        free(blocks[i]);
    }
    expect_fault(blocks[0], size);
    for (size_t i = 0; i < many(); i++) {
        *(void **)(void *)blocks[i] = target + 64;
    }
    verdict = "held";
    for (size_t i = 0; i < 2 * many(); i++) {
        char *p = malloc(size);
        if (p >= target && p < target + sizeof target) {
            verdict = "missed";
        }
    }
}

static void
write_after_remote_free(void)
{
    char *p = get(size);
    in_thread(free_it, p);
    expect_fault(p, size);
    memset(p, 'X', 16);
    char *blocks[MANY];
    for (int i = 0; i < 8; i++) {
        for (size_t k = 0; k < many(); k++) {
            blocks[k] = malloc(size);
        }
        for (size_t k = 0; k < many(); k++) {
            free(blocks[k]);
        }
    }
}

static void
read_after_free(void)
{
    char *p = get(size);
    memset(p, 'S', size);
    free(p);
    expect_fault(p, size);
    verdict = "held";
    for (size_t i = 0; i < size; i++) {
        if (p[i] == 'S') {
            verdict = "missed";
        }
    }
}

static void
read_through_reuse(void)
{
    verdict = "held";
    char *blocks[MANY];
    for (size_t i = 0; i < many(); i++) {
        blocks[i] = malloc(size);
        memset(blocks[i], 'S', size);
    }
    for (size_t i = 0; i < many(); i++) {
        free(blocks[i]);
    }
    for (size_t i = 0; i < many(); i++) {
        char *p = malloc(size);
        if (memchr(p, 'S', size) != NULL) {
            verdict = "missed";
        }
    }
}

static void
read_remotely_freed(void)
{
    char *p;
    in_thread(get_it, &p);
    memset(p, 'S', size);
    free(p);
    expect_fault(p, size);
    verdict = memchr(p, 'S', size) != NULL ? "missed" : "held";
}

// ---- Blocks of no size

static void
zero_read(void)
{
    char *p = malloc(0);
    expect_fault(p, 16);
    volatile char c = p[offset];
    (void)c;
    free(p);
}

static void
zero_write(void)
{
    char *p = malloc(0);
    expect_fault(p, 16);
    p[offset] = 'X';
    free(p);
    go_on();
}

// ---- What the caller says about the block

static void *
function(const char *name)
{
    void *found = dlsym(RTLD_DEFAULT, name);
    if (found == NULL) {
        exit(EXIT_NOT_HERE);
    }
    return found;
}

static void
free_sized_wrong(void)
{
    ((void (*)(void *, size_t))function("free_sized"))(get(size), size + offset);
    go_on();
}

static void
free_aligned_sized_wrong(void)
{
    char *p = memalign(64, size);
    ((void (*)(void *, size_t, size_t))function("free_aligned_sized"))(p, offset, size);
    go_on();
}

static void
delete_sized_wrong(void)
{
    char *p = ((void *(*)(size_t))function("_Znwm"))(size);
    ((void (*)(void *, size_t))function("_ZdlPvm"))(p, size + offset);
    go_on();
}

static void
delete_aligned_wrong(void)
{
    char *p;
    char *q = ((void *(*)(size_t))function("_Znwm"))(size);
    do {
        p = ((void *(*)(size_t))function("_Znwm"))(size);
    } while ((uintptr_t)p % (uintptr_t)offset == 0);
    ((void (*)(void *, size_t))function("_ZdlPvSt11align_val_t"))(p, offset);
    free(q);
    go_on();
}

// ---- Sizes that nobody has

static void
hold_if(int refused)
{
    verdict = refused && errno == ENOMEM ? "held" : "missed";
}

static void
impossible_malloc(void)
{
    errno = 0;
    hold_if(malloc(size) == NULL);
}

static void
impossible_calloc(void)
{
    errno = 0;
    hold_if(calloc(size, offset) == NULL);
}

static void
impossible_realloc(void)
{
    char *p = get(64);
    errno = 0;
    hold_if(realloc(p, size) == NULL && p[63] == 'A');
}

static void
impossible_memalign(void)
{
    errno = 0;
    hold_if(memalign((size_t)1 << offset, size) == NULL);
}

static void
impossible_pvalloc(void)
{
    errno = 0;
    hold_if(pvalloc(size) == NULL);
}

#define CASE(name)                                                                                           \
    {                                                                                                        \
#name, name                                                                                          \
    }
static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    CASE(double_free),
    CASE(double_free_after),
    CASE(double_free_second_by_thread),
    CASE(double_free_both_by_thread),
    CASE(double_free_in_one_thread),
    CASE(double_free_thread_then_local),
    CASE(double_free_overwritten),
    CASE(double_free_aligned),
    CASE(double_free_after_realloc),
    CASE(double_free_calloc),
    CASE(free_interior),
    CASE(free_interior_aligned),
    CASE(free_global),
    CASE(free_forged),
    CASE(free_forged_inside),
    CASE(free_stack),
    CASE(free_alloca),
    CASE(free_mapped),
    CASE(free_non_canonical),
    CASE(free_away),
    CASE(realloc_freed),
    CASE(realloc_interior),
    CASE(realloc_stack),
    CASE(usable_size_freed),
    CASE(usable_size_interior),
    CASE(overflow_byte),
    CASE(overflow_nul),
    CASE(overflow_copy),
    CASE(overflow_seen_by_realloc),
    CASE(overflow_string),
    CASE(overflow_read),
    CASE(underflow_byte),
    CASE(underflow_copy),
    CASE(write_after_free),
    CASE(write_after_free_pointer),
    CASE(write_after_remote_free),
    CASE(read_after_free),
    CASE(read_through_reuse),
    CASE(read_remotely_freed),
    CASE(zero_read),
    CASE(zero_write),
    CASE(free_sized_wrong),
    CASE(free_aligned_sized_wrong),
    CASE(delete_sized_wrong),
    CASE(delete_aligned_wrong),
    CASE(impossible_malloc),
    CASE(impossible_calloc),
    CASE(impossible_realloc),
    CASE(impossible_memalign),
    CASE(impossible_pvalloc),
};

int
main(int argc, char **argv)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    alarm(8);
    size = argc > 2 ? strtoul(argv[2], NULL, 0) : 0;
    offset = argc > 3 ? strtol(argv[3], NULL, 0) : 0;
    for (size_t i = 0; argc > 1 && i < sizeof cases / sizeof *cases; i++) {
        if (strcmp(cases[i].name, argv[1]) == 0) {
            cases[i].run();
            printf("%s\n", verdict);
            return 0;
        }
    }
    fprintf(stderr, "cases: no case %s\n", argc > 1 ? argv[1] : "");
    return 2;
}
