// SPDX-License-Identifier: MIT
// in_child.h — runs a part of a test in a child, where it may change the process.
#ifndef MI_TESTS_UNIT_IN_CHILD_H
#define MI_TESTS_UNIT_IN_CHILD_H

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

// The exit status of `body`, run in a child.
static int
status_in_child(int (*body)(void))
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(body());
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#endif
