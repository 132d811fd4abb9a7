/* SPDX-License-Identifier: MIT */
/* Near the middle by the series x + x^3/3 + x^5/15 + … times the density; in the tails by the
 * continued fraction 1/(x + 1/(x + 2/(x + 3/(x + …)))) times the density (Abramowitz and Stegun,
 * 1964, 26.2.11 and 26.2.14). */
#include "worker/metrics/normal.h"

#include <math.h>

#include "shm/exact.h"

#define SQRT_2PI   0x1.40d931ff62706p+1
#define TAIL       3   /* beyond it, the fraction */
#define FRACTION_N 100 /* its terms */

static double density(double x)
{
    return exact_exp(-x * x / 2) / SQRT_2PI;
}

static double upper_tail(double x)
{
    double fraction = x;

    for (int i = FRACTION_N; i > 0; i--)
        fraction = x + i / fraction;
    return density(x) / fraction;
}

double normal_cdf(double x)
{
    double term = x, sum = x;

    if (x != x)
        return x;
    if (fabs(x) > TAIL)
        return x < 0 ? upper_tail(-x) : 1 - upper_tail(x);
    for (int k = 3; fabs(term) > 1e-18 * fabs(sum); k += 2) {
        term *= x * x / k;
        sum += term;
    }
    return 0.5 + sum * density(x);
}
