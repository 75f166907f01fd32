// SPDX-License-Identifier: MIT
// os_posix_faults.c — faults in memory: somebody of ours looks first, the program's own handler next.
//
// Owns:        the program's handlers as they were
// Threads:     any
// Invariants:  as in os_posix.c
// Not here:    see os.h
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "os/os.h"

#include <errno.h>
#include <signal.h>
#include <sys/ucontext.h>
#include <unistd.h>

static const int signals[] = {SIGSEGV, SIGBUS};
enum { SIGNALS = sizeof signals / sizeof signals[0], WRITE_FAULT = 2 };

static struct sigaction before[SIGNALS]; // [constant after init]
static os_fault_fun_t *look;

// What the processor knows of a fault.
static void
read_context(const void *context, os_fault_t *fault)
{
#if defined(__APPLE__) && defined(__x86_64__)
    const ucontext_t *at = (const ucontext_t *)context;
    fault->pc = at->uc_mcontext->__ss.__rip;
    fault->frame = at->uc_mcontext->__ss.__rbp;
    fault->access = (at->uc_mcontext->__es.__err & WRITE_FAULT) != 0 ? "write" : "read";
#elif defined(__APPLE__)
    const ucontext_t *at = (const ucontext_t *)context;
    fault->pc = (uintptr_t)__darwin_arm_thread_state64_get_pc(at->uc_mcontext->__ss);
    fault->frame = (uintptr_t)__darwin_arm_thread_state64_get_fp(at->uc_mcontext->__ss);
    fault->access = "access";
#elif defined(__x86_64__)
    const ucontext_t *at = (const ucontext_t *)context;
    fault->pc = (uintptr_t)at->uc_mcontext.gregs[REG_RIP];
    fault->frame = (uintptr_t)at->uc_mcontext.gregs[REG_RBP];
    fault->access = ((uint64_t)at->uc_mcontext.gregs[REG_ERR] & WRITE_FAULT) != 0 ? "write" : "read";
#elif defined(__aarch64__)
    const ucontext_t *at = (const ucontext_t *)context;
    fault->pc = (uintptr_t)at->uc_mcontext.pc;
    fault->frame = (uintptr_t)at->uc_mcontext.regs[29];
    fault->access = "access";
#else
    (void)context;
    fault->access = "access";
#endif
}

// As the system would have done without us. After the default action is set, what faulted does it again.
static void
pass_on(int number, siginfo_t *info, void *context)
{
    const struct sigaction *to = &before[number == signals[0] ? 0 : 1];
    if ((to->sa_flags & SA_SIGINFO) != 0) {
        to->sa_sigaction(number, info, context);
    } else if (to->sa_handler != SIG_DFL && to->sa_handler != SIG_IGN) {
        to->sa_handler(number);
    } else if (info->si_code > 0 || to->sa_handler == SIG_DFL) {
        struct sigaction by_default = {0};
        by_default.sa_handler = SIG_DFL;
        (void)sigaction(number, &by_default, NULL);
        if (info->si_code <= 0) {
            (void)raise(number);
        }
    }
}

static void
on_fault(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    os_fault_t fault = {.address = info->si_addr};
    bool goes_on = false;
    if (info->si_code > 0) {
        read_context(context, &fault);
        goes_on = look(&fault);
    }
    if (!goes_on) {
        pass_on(number, info, context);
    }
    errno = saved;
}

void
mi__os_on_fault(os_fault_fun_t *fun)
{
    int saved = errno;
    look = fun;
    for (int i = 0; i < SIGNALS; i++) {
        struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
        action.sa_sigaction = on_fault;
        // What was there before is kept first: a fault may come at once.
        if (sigaction(signals[i], NULL, &before[i]) == 0) {
            (void)sigaction(signals[i], &action, NULL);
        }
    }
    errno = saved;
}
