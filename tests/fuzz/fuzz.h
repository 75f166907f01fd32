// SPDX-License-Identifier: MIT
// fuzz.h — what the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput, run by replay.c,
// by libFuzzer, or by AFL++ (tests/fuzz/run.sh).
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// The bytes of an input, read from the front; zeros when they are used up.
typedef struct input_t {
    const uint8_t *data;
    size_t left;
} input_t;

static inline uint64_t
take(input_t *input, unsigned bytes)
{
    uint64_t value = 0;
    for (; bytes > 0; bytes--) {
        uint8_t byte = 0;
        if (input->left > 0) {
            byte = *input->data++;
            input->left--;
        }
        value = value << 8 | byte;
    }
    return value;
}

// Ends the process: a fuzzer takes that for a finding, and keeps the input.
#define EXPECT(cond)                                                                                         \
    do {                                                                                                     \
        if (!(cond)) {                                                                                       \
            fprintf(stderr, "%s:%d: expected %s (errno %d)\n", __FILE__, __LINE__, #cond, errno);            \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

#endif
