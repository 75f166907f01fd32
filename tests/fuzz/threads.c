// SPDX-License-Identifier: MIT
// threads.c — programs of calls in several threads, over the same blocks.
// args: --random 60
#include "model.h"

enum { THREADS = 3 };

static model_t model;

static void *
run(void *arg)
{
    input_t *input = (input_t *)arg;
    while (input->left > 0) {
        model_step(&model, input);
    }
    return NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pthread_t threads[THREADS];
    input_t inputs[THREADS];
    model_start(&model, true);
    for (size_t i = 0; i < THREADS; i++) {
        size_t part = size / THREADS;
        inputs[i] = (input_t){data + i * part, part};
        EXPECT(pthread_create(&threads[i], NULL, run, &inputs[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    model.shared = false;
    model_end(&model);
    return 0;
}
