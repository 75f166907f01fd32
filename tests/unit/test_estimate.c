// SPDX-License-Identifier: MIT
// test_estimate.c — front/estimate.c: what samples of classes are scaled with.
#include <string.h>

#include "front/estimate.h"
#include "unit.h"

enum { MANY = 6 };

static double factors[MANY];

static void
scale(const double *estimates, const uint64_t *samples, const double *known)
{
    memset(factors, 0, sizeof factors);
    mi__estimate_scale(estimates, samples, known, MANY, factors);
}

static void
assert_factors(const double *wanted)
{
    for (int i = 0; i < MANY; i++) {
        assert_true(factors[i] > wanted[i] - 1e-9 && factors[i] < wanted[i] + 1e-9);
    }
}

// Whatever is scaled adds up to what is known.
static void
assert_sum(const double *estimates, const double *known)
{
    double sum = 0;
    double wanted = 0;
    for (int i = 0; i < MANY; i++) {
        sum += factors[i] * estimates[i];
        wanted += known[i];
    }
    assert_true(sum > wanted - 1e-6 && sum < wanted + 1e-6);
}

static void
test_classes_with_enough_samples_stand_alone(void **state)
{
    (void)state;
    const double estimates[MANY] = {100, 200, 300, 400, 500, 600};
    const uint64_t samples[MANY] = {8, 9, 10, 11, 12, 1};
    const double known[MANY] = {110, 100, 300, 600, 250, 660};
    scale(estimates, samples, known);
    assert_factors((const double[MANY]){1.1, 0.5, 1, 1.5, 0.5, 1.1});
    assert_sum(estimates, known);
}

static void
test_others_are_taken_together(void **state)
{
    (void)state;
    const double estimates[MANY] = {100, 0, 100, 50, 0, 0};
    const uint64_t samples[MANY] = {4, 0, 4, 2, 0, 0};
    const double known[MANY] = {100, 40, 160, 60, 30, 110};
    // Three make a group; what is behind it, with too few, and singletons without a sample belong to it.
    scale(estimates, samples, known);
    assert_factors((const double[MANY]){2, 2, 2, 2, 2, 1});
    assert_sum(estimates, known);

    // One group, and another with what is behind it.
    const uint64_t more[MANY] = {8, 0, 8, 2, 0, 1};
    const double singletons[MANY] = {100, 0, 100, 50, 0, 220};
    scale(singletons, more, known);
    assert_factors((const double[MANY]){1, 290.0 / 150, 290.0 / 150, 290.0 / 150, 290.0 / 150, 0.5});
    assert_sum(singletons, known);
}

static void
test_nothing_to_scale(void **state)
{
    (void)state;
    const double none[MANY] = {0};
    const uint64_t no_samples[MANY] = {0};
    scale(none, no_samples, none);
    assert_factors((const double[MANY]){1, 1, 1, 1, 1, 1});
    // Not enough for one group; and what is known has shrunk below what was there before.
    const double estimates[MANY] = {0, 10, 0, 0, 0, 5};
    const uint64_t samples[MANY] = {0, 1, 0, 0, 0, 1};
    const double known[MANY] = {0, 5, 0, 5, 0, -3};
    scale(estimates, samples, known);
    assert_factors((const double[MANY]){1, 1, 1, 1, 1, 1});
    const double less[MANY] = {-100, 0, 0, 0, 0, 0};
    scale(estimates, samples, less);
    assert_factors((const double[MANY]){1, 1, 1, 1, 1, 1});
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes_with_enough_samples_stand_alone),
        cmocka_unit_test(test_others_are_taken_together),
        cmocka_unit_test(test_nothing_to_scale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
