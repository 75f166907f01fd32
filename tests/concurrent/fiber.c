// SPDX-License-Identifier: MIT
// fiber.c — coroutines: a stack and thread-local variables each, and a switch in a few lines of assembly.
//
// Owns:        see fiber.h
// Threads:     see fiber.h
// Not here:    see fiber.h
#define _GNU_SOURCE // dl_iterate_phdr
#include "fiber.h"

#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { STACK_BYTES = 64 * 1024, LOCALS_BYTES = 512 };

// Saves the callee's registers and the stack pointer, and takes over those of another coroutine.
void fiber_switch(void **save, void *load) __attribute__((visibility("hidden")));

#if defined(__x86_64__)
enum { SAVED_WORDS = 8, ENTRY_WORD = 6 };
__asm__(".text\n.globl fiber_switch\n.hidden fiber_switch\n.type fiber_switch,@function\n"
        "fiber_switch:\n"
        "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
        "  movq %rsp, (%rdi)\n  movq %rsi, %rsp\n"
        "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n  ret\n"
        ".size fiber_switch, . - fiber_switch\n");
#elif defined(__aarch64__)
enum { SAVED_WORDS = 20, ENTRY_WORD = 11 };
__asm__(".text\n.globl fiber_switch\n.hidden fiber_switch\n.type fiber_switch,@function\n"
        "fiber_switch:\n"
        "  sub sp, sp, #160\n"
        "  stp x19, x20, [sp]\n  stp x21, x22, [sp, #16]\n  stp x23, x24, [sp, #32]\n"
        "  stp x25, x26, [sp, #48]\n  stp x27, x28, [sp, #64]\n  stp x29, x30, [sp, #80]\n"
        "  stp d8, d9, [sp, #96]\n  stp d10, d11, [sp, #112]\n  stp d12, d13, [sp, #128]\n"
        "  stp d14, d15, [sp, #144]\n"
        "  mov x9, sp\n  str x9, [x0]\n  mov sp, x1\n"
        "  ldp x19, x20, [sp]\n  ldp x21, x22, [sp, #16]\n  ldp x23, x24, [sp, #32]\n"
        "  ldp x25, x26, [sp, #48]\n  ldp x27, x28, [sp, #64]\n  ldp x29, x30, [sp, #80]\n"
        "  ldp d8, d9, [sp, #96]\n  ldp d10, d11, [sp, #112]\n  ldp d12, d13, [sp, #128]\n"
        "  ldp d14, d15, [sp, #144]\n"
        "  add sp, sp, #160\n  ret\n"
        ".size fiber_switch, . - fiber_switch\n");
#else
#error "the coroutines need a few lines of assembly for this processor"
#endif

typedef struct fiber_t {
    void *sp;
    void (*function)(void);
    bool ended;
    char own[LOCALS_BYTES]; // its thread-local variables, while another runs
} fiber_t;

static fiber_t fibers[FIBERS];
static char *stacks;
static void *outside_sp;
static unsigned running;
static bool inside;
// The program's thread-local variables, as they are now and as they were at first.
static char *locals;
static size_t locals_size;
static char locals_at_first[LOCALS_BYTES];

static char *
stack_end(unsigned index)
{
    return stacks + (size_t)(index + 1) * STACK_BYTES;
}

// The first object is the program itself.
static int
find_locals(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    (void)arg;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_TLS) {
            locals = info->dlpi_tls_data;
            locals_size = info->dlpi_phdr[i].p_memsz;
        }
    }
    return 1;
}

void
fiber_init(void)
{
    dl_iterate_phdr(find_locals, NULL);
    if (locals_size > LOCALS_BYTES) {
        fprintf(stderr, "explore: too many thread-local variables\n");
        exit(2);
    }
    memcpy(locals_at_first, locals, locals_size);
    stacks = mmap(NULL, FIBERS * STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stacks == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
}

void
fiber_reset(void)
{
    memcpy(locals, locals_at_first, locals_size);
    for (unsigned i = 0; i < FIBERS; i++) {
        fibers[i].ended = true;
        memcpy(fibers[i].own, locals_at_first, locals_size);
    }
}

static void
swap_locals(unsigned from, unsigned to)
{
    if (from != to) {
        memcpy(fibers[from].own, locals, locals_size);
        memcpy(locals, fibers[to].own, locals_size);
    }
}

void
explore_as(unsigned thread, void (*function)(void))
{
    swap_locals(0, thread + 1);
    function();
    swap_locals(thread + 1, 0);
}

static void
fiber_main(void)
{
    fibers[running].function();
    fibers[running].ended = true;
    fiber_leave();
    abort();
}

void
fiber_start(unsigned index, void (*function)(void))
{
    void **sp = (void **)(void *)stack_end(index) - SAVED_WORDS;
    memset(sp, 0, SAVED_WORDS * sizeof *sp);
    sp[ENTRY_WORD] = (void *)(uintptr_t)fiber_main;
    fibers[index].sp = sp;
    fibers[index].function = function;
    fibers[index].ended = function == NULL;
}

bool
fiber_has_ended(unsigned index)
{
    return fibers[index].ended;
}

void
fiber_run(unsigned index)
{
    swap_locals(0, index);
    running = index;
    inside = true;
    fiber_switch(&outside_sp, fibers[index].sp);
    inside = false;
    running = 0;
    swap_locals(index, 0);
}

void
fiber_leave(void)
{
    fiber_switch(&fibers[running].sp, outside_sp);
}

bool
fiber_is_running(void)
{
    return inside;
}

unsigned
fiber_running(void)
{
    return running;
}

bool
fiber_is_stack(const void *p)
{
    return (const char *)p >= stacks && (const char *)p < stack_end(FIBERS - 1);
}

bool
fiber_is_private(const void *p)
{
    return (size_t)((const char *)p - locals) < locals_size || p == (const void *)&errno;
}

// Only what is in use of a stack is kept.
static size_t
stack_used(unsigned index)
{
    return fibers[index].ended ? 0 : (size_t)(stack_end(index) - (char *)fibers[index].sp);
}

size_t
fiber_save_size(void)
{
    size_t size = sizeof fibers + locals_size;
    for (unsigned i = 1; i < FIBERS; i++) {
        size += stack_used(i);
    }
    return size;
}

void
fiber_save(void *p)
{
    char *to = p;
    memcpy(to, fibers, sizeof fibers);
    to += sizeof fibers;
    memcpy(to, locals, locals_size);
    to += locals_size;
    for (unsigned i = 1; i < FIBERS; i++) {
        size_t used = stack_used(i);
        memcpy(to, stack_end(i) - used, used);
        to += used;
    }
}

void
fiber_restore(const void *p)
{
    const char *from = p;
    memcpy(fibers, from, sizeof fibers);
    from += sizeof fibers;
    memcpy(locals, from, locals_size);
    from += locals_size;
    for (unsigned i = 1; i < FIBERS; i++) {
        size_t used = stack_used(i);
        memcpy(stack_end(i) - used, from, used);
        from += used;
    }
}
