// SPDX-License-Identifier: MIT
// gathered.h — text of the library, gathered by a function for mi_register_output and its like.
#ifndef TESTS_API_GATHERED_H
#define TESTS_API_GATHERED_H

#include "api_test.h"

typedef struct gathered_t {
    size_t length;
    char text[65536];
} gathered_t;

static gathered_t said;

static void
gather(const char *msg, void *arg)
{
    gathered_t *to = (gathered_t *)arg;
    size_t length = strlen(msg);
    EXPECT(to->length + length < sizeof to->text);
    memcpy(to->text + to->length, msg, length + 1);
    to->length += length;
}

#endif
