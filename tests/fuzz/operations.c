// SPDX-License-Identifier: MIT
// operations.c — a program of calls, one after the other.
// args: --random 300
#include "model.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static model_t model;
    input_t input = {data, size};
    model_start(&model, false);
    while (input.left > 0) {
        model_step(&model, &input);
    }
    model_end(&model);
    return 0;
}
