// SPDX-License-Identifier: MIT
// pthread.h — of macOS: what the port needs of it, declared from the documented interface.
#ifndef MACOS_PTHREAD_H
#define MACOS_PTHREAD_H

#include <limits.h>
#include <signal.h>
#include <sys/types.h>
typedef struct _opaque_pthread_t *pthread_t;
typedef unsigned long pthread_key_t;
typedef struct {
    long __sig;
    char __opaque[56];
} pthread_attr_t;
typedef struct {
    long __sig;
    char __opaque[8];
} pthread_once_t;
#define PTHREAD_ONCE_INIT                                                                                    \
    {                                                                                                        \
        0x30B1BCBA,                                                                                          \
        {                                                                                                    \
            0                                                                                                \
        }                                                                                                    \
    }
#define PTHREAD_CREATE_DETACHED 2
#define PTHREAD_CANCEL_DISABLE 0
int pthread_atfork(void (*)(void), void (*)(void), void (*)(void));
int pthread_attr_destroy(pthread_attr_t *);
int pthread_attr_init(pthread_attr_t *);
int pthread_attr_setdetachstate(pthread_attr_t *, int);
int pthread_attr_setstacksize(pthread_attr_t *, size_t);
int pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
void *pthread_get_stackaddr_np(pthread_t);
size_t pthread_get_stacksize_np(pthread_t);
void *pthread_getspecific(pthread_key_t);
int pthread_is_threaded_np(void);
int pthread_key_create(pthread_key_t *, void (*)(void *));
int pthread_main_np(void);
int pthread_once(pthread_once_t *, void (*)(void));
pthread_t pthread_self(void);
int pthread_setcancelstate(int, int *);
int pthread_setname_np(const char *);
int pthread_setspecific(pthread_key_t, const void *);
int pthread_sigmask(int, const sigset_t *, sigset_t *);
int pthread_threadid_np(pthread_t, uint64_t *);

#endif
