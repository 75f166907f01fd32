// SPDX-License-Identifier: MIT
// signal.h — of macOS: what the port needs of it, declared from the documented interface.
#ifndef MACOS_SIGNAL_H
#define MACOS_SIGNAL_H

#include <sys/types.h>
#define SIGBUS 10
#define SIGSEGV 11
#define SA_ONSTACK 0x0001
#define SA_SIGINFO 0x0040
#define SIG_SETMASK 3
#define SIG_DFL ((void (*)(int))0)
#define SIG_IGN ((void (*)(int))1)
typedef uint32_t sigset_t;
typedef struct __siginfo {
    int si_signo;
    int si_errno;
    int si_code;
    pid_t si_pid;
    uid_t si_uid;
    int si_status;
    void *si_addr;
} siginfo_t;
union __sigaction_u {
    void (*__sa_handler)(int);
    void (*__sa_sigaction)(int, siginfo_t *, void *);
};
struct sigaction {
    union __sigaction_u __sigaction_u;
    sigset_t sa_mask;
    int sa_flags;
};
#define sa_handler __sigaction_u.__sa_handler
#define sa_sigaction __sigaction_u.__sa_sigaction
int raise(int);
int sigaction(int, const struct sigaction *, struct sigaction *);
int sigfillset(sigset_t *);

#endif
