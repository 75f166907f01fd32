// SPDX-License-Identifier: MIT
// ucontext.h — of macOS: what the port needs of it, declared from the documented interface.
#ifndef MACOS_SYS_UCONTEXT_H
#define MACOS_SYS_UCONTEXT_H

#include <stdint.h>
#if defined(__x86_64__)
struct state {
    uint64_t __rax, __rbx, __rcx, __rdx, __rdi, __rsi, __rbp, __rsp, __r8, __r9, __r10, __r11, __r12, __r13,
        __r14;
    uint64_t __r15, __rip, __rflags, __cs, __fs, __gs;
};
struct fault {
    uint16_t __trapno, __cpu;
    uint32_t __err;
    uint64_t __faultvaddr;
};
#else
struct state {
    uint64_t __x[29], __fp, __lr, __sp, __pc;
    uint32_t __cpsr, __pad;
};
struct fault {
    uint64_t __far;
    uint32_t __esr, __exception;
};
#define __darwin_arm_thread_state64_get_pc(ts) ((ts).__pc)
#define __darwin_arm_thread_state64_get_fp(ts) ((ts).__fp)
#endif
struct machine {
    struct fault __es;
    struct state __ss;
};
typedef struct {
    int uc_onstack;
    uint32_t uc_sigmask;
    void *uc_stack[3];
    void *uc_link;
    uint64_t uc_mcsize;
    struct machine *uc_mcontext;
} ucontext_t;

#endif
