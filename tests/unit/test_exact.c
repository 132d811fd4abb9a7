/* SPDX-License-Identifier: MIT */
/* Promise: logarithm, exponential, power and the normal law have the same bits on every machine and
 * are as exact as said; selection finds what sorting would. */
#include <criterion/criterion.h>

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shm/exact.h"
#include "worker/metrics/normal.h"
#include "worker/metrics/order.h"

static bool is_near(double got, double expected, double tolerance)
{
    if (isnan(got) || isnan(expected))
        return isnan(got) && isnan(expected);
    return fabs(got - expected) <= tolerance * fabs(expected);
}

/* ---- logarithm, exponential, power ---------------------------------------------------------- */

static double random_between(double low, double high)
{
    static uint64_t state = UINT64_C(88172645463325252);
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return low + (high - low) * (double)(state >> 11) * 0x1p-53;
}

static double ulps_off(double found, long double expected)
{
    double ulp = nextafter(fabs((double)expected), INFINITY) - fabs((double)expected);

    return (double)(fabsl(found - expected) / ulp);
}

Test(exact, results_are_within_an_ulp_of_long_double_ones)
{
    for (int i = 0; i < 200000; i++) {
        double exponent = random_between(-700, 700), base = random_between(0.5, 2);
        double near_one = random_between(0.95, 1.05), power = random_between(-500, 500);
        double scaled = ldexp(base, (int)exponent);

        cr_assert(ulps_off(exact_exp(exponent), expl(exponent)) < 1, "exp(%a)", exponent);
        cr_assert(ulps_off(exact_log(scaled), logl(scaled)) < 1, "log(%a)", scaled);
        cr_assert(ulps_off(exact_log(near_one), logl(near_one)) < 1, "log(%a)", near_one);
        cr_assert(ulps_off(exact_pow(near_one, power), powl(near_one, power)) < 1, "pow(%a, %a)",
                  near_one, power);
    }
}

static bool is_same_or_near(double got, double expected)
{
    return got == expected || is_near(got, expected, 1e-15);
}

Test(exact, special_values_are_those_of_the_c_library)
{
    static const double values[] = {0,    1,     -1,  INFINITY, NAN,     2,     -2,
                                    3,    0.5,   -3,  5e-324,   1.7e308, -0.25, 1e-310,
                                    1000, -1000, 709, 710,      -744,    -746};
    const size_t n = sizeof values / sizeof values[0];

    for (size_t i = 0; i < n; i++) {
        double x = values[i];

        cr_expect(is_same_or_near(exact_log(x), log(x)), "log(%g): %g", x, exact_log(x));
        cr_expect(is_same_or_near(exact_exp(x), exp(x)), "exp(%g): %g", x, exact_exp(x));
        for (size_t k = 0; k < n; k++)
            cr_expect(is_same_or_near(exact_pow(x, values[k]), pow(x, values[k])),
                      "pow(%g, %g): %g", x, values[k], exact_pow(x, values[k]));
    }
}

/* The digest of a run rests on these bits: no CPU, compiler or C library may change them. */
Test(exact, bits_are_the_same_everywhere)
{
    uint64_t mixed = 0;

    for (int i = 1; i <= 20000; i++) {
        double x = i * 0x1p-10, y = i * 0x1p-9 - 20;
        double found[] = {exact_log(x), exact_exp(y), exact_pow(x, y / 4)};

        for (size_t k = 0; k < sizeof found / sizeof found[0]; k++) {
            uint64_t bits;
            memcpy(&bits, &found[k], sizeof bits);
            mixed = mixed * UINT64_C(0x9e3779b97f4a7c15) + bits;
        }
    }
    cr_expect_eq(mixed, UINT64_C(0xb0099c34536bf20a), "%llx", (unsigned long long)mixed);
}

/* ---- the normal law, order ------------------------------------------------------------------ */

Test(exact, normal_law_is_that_of_the_error_function)
{
    for (int i = -3700; i <= 3700; i++) {
        double x = i * 0.01, got = normal_cdf(x);
        double expected = (double)(erfcl(-(long double)x / sqrtl(2)) / 2);

        cr_assert(fabs(got - expected) < 4e-16, "%g: %.17g, %.17g", x, got, expected);
        cr_assert(x > -3 || is_near(got, expected, 1e-12), "%g: %.17g, %.17g", x, got, expected);
    }
    cr_expect(isnan(normal_cdf(NAN)));
    cr_expect_eq(normal_cdf(INFINITY), 1);
    cr_expect_eq(normal_cdf(-INFINITY), 0);
}

static int compare_f64(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

Test(exact, selection_finds_what_sorting_would)
{
    static double x[300], sorted[300];

    for (int round = 0; round < 3000; round++) {
        size_t n = 1 + (size_t)random_between(0, 299.99);
        size_t k = (size_t)random_between(0, (double)n - 0.01);
        double step = round % 3 == 0 ? 1 : round % 3 == 1 ? 40 : 1e6; /* many ties, few, none */

        for (size_t i = 0; i < n; i++)
            x[i] = sorted[i] = floor(random_between(-5, 5) * step);
        qsort(sorted, n, sizeof *sorted, compare_f64);
        order_select(x, n, k);
        cr_assert_eq(x[k], sorted[k]);
        for (size_t i = 0; i < n; i++)
            cr_assert(i < k ? x[i] <= x[k] : x[i] >= x[k]);
    }
}

Test(exact, quantiles_are_linear_between_neighbours)
{
    double x[] = {4, 1, 3, 2};

    cr_expect_eq(order_at(x, 4, 0), 1);
    cr_expect_eq(order_at(x, 4, 1.5), 2.5);
    cr_expect_eq(order_at(x, 4, 3), 4);
    cr_expect_eq(order_at(x, 1, 0), x[0]);
    cr_expect(isnan(order_at(x, 0, 0)));
}
