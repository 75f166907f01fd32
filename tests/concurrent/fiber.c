// SPDX-License-Identifier: MIT
// fiber.c — coroutines: a stack each, and a switch in a few lines of assembly.
//
// Owns:        see fiber.h
// Threads:     see fiber.h
// Not here:    see fiber.h
#include "fiber.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { STACK_BYTES = 64 * 1024, PRIVATES = 4 };

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
    void *own[PRIVATES]; // its copies of the private variables
} fiber_t;

static fiber_t fibers[FIBERS];
static char *stacks;
static void *outside_sp;
static unsigned running;
static bool inside;
static void **privates[PRIVATES];
static unsigned privates_used;

static char *
stack_end(unsigned index)
{
    return stacks + (size_t)(index + 1) * STACK_BYTES;
}

void
fiber_init(void)
{
    stacks = mmap(NULL, FIBERS * STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stacks == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
}

void
fiber_reset(void)
{
    privates_used = 0;
    for (unsigned i = 0; i < FIBERS; i++) {
        fibers[i].ended = true;
    }
}

void
explore_private(void **p)
{
    if (privates_used == PRIVATES) {
        fprintf(stderr, "explore: too many private variables\n");
        exit(2);
    }
    for (unsigned i = 0; i < FIBERS; i++) {
        fibers[i].own[privates_used] = *p;
    }
    privates[privates_used++] = p;
}

static void
swap_private(unsigned from, unsigned to)
{
    for (unsigned i = 0; from != to && i < privates_used; i++) {
        fibers[from].own[i] = *privates[i];
        *privates[i] = fibers[to].own[i];
    }
}

void
explore_as(unsigned thread, void (*function)(void))
{
    swap_private(0, thread + 1);
    function();
    swap_private(thread + 1, 0);
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
    swap_private(0, index);
    running = index;
    inside = true;
    fiber_switch(&outside_sp, fibers[index].sp);
    inside = false;
    running = 0;
    swap_private(index, 0);
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
    for (unsigned i = 0; i < privates_used; i++) {
        if (p == privates[i]) {
            return true;
        }
    }
    return false;
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
    size_t size = sizeof fibers + PRIVATES * sizeof(void *);
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
    for (unsigned i = 0; i < privates_used; i++) {
        memcpy(to + i * sizeof(void *), privates[i], sizeof(void *));
    }
    to += PRIVATES * sizeof(void *);
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
    for (unsigned i = 0; i < privates_used; i++) {
        memcpy(privates[i], from + i * sizeof(void *), sizeof(void *));
    }
    from += PRIVATES * sizeof(void *);
    for (unsigned i = 1; i < FIBERS; i++) {
        size_t used = stack_used(i);
        memcpy(stack_end(i) - used, from, used);
        from += used;
    }
}
