// SPDX-License-Identifier: MIT
// errno.h — of macOS: what the port needs of it, declared from the documented interface.
#ifndef MACOS_ERRNO_H
#define MACOS_ERRNO_H

int *__error(void);
#define errno (*__error())
#define ENOENT 2
#define EINTR 4
#define EIO 5
#define EBADF 9
#define ENOMEM 12
#define EACCES 13
#define EFAULT 14
#define EEXIST 17
#define EINVAL 22
#define ENOSPC 28
#define ERANGE 34
#define EAGAIN 35
#define ENAMETOOLONG 63
#define EOVERFLOW 84

#endif
