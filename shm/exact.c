/* SPDX-License-Identifier: MIT */
/* Taylor series after a reduction by powers of two: log m = 2 atanh((m - 1) / (m + 1)) for m around
 * 1, e^r for |r| <= log(2) / 2. A power needs more digits of the logarithm than a double has, since
 * its exponent magnifies their error: there the logarithm is a sum of two doubles. */
#include "shm/exact.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define LN2_HIGH     0x1.62e42fee00000p-1 /* log(2) to 32 bits: a product with an exponent is exact */
#define LN2_LOW      0x1.a39ef35793c76p-33
#define LOG2_E       0x1.71547652b82fep+0
#define SQRT_HALF    0x1.6a09e667f3bcdp-1
#define EXP_OVERFLOW 710  /* e^x is infinite above it */
#define EXP_ZERO     -746 /* e^x rounds to 0 below it */

/* high + low, with |low| at most half an ulp of high. */
struct pair {
    double high, low;
};

static struct pair pair_sum(double a, double b)
{
    double high = a + b;
    double b_part = high - a;

    return (struct pair){high, (a - (high - b_part)) + (b - b_part)};
}

/* The upper 26 bits of a number of moderate size (Dekker, 1971). */
static double upper_half(double a)
{
    double scaled = a * 0x1.000000200p+27;

    return scaled - (scaled - a);
}

static struct pair pair_product(double a, double b)
{
    double a_high = upper_half(a), a_low = a - a_high;
    double b_high = upper_half(b), b_low = b - b_high;
    double high = a * b;

    return (struct pair){high, ((a_high * b_high - high) + a_high * b_low + a_low * b_high) +
                                   a_low * b_low};
}

/* x = 2^exponent * mantissa, the mantissa between sqrt(1/2) and sqrt(2); x is positive, finite. */
static double split(double x, double *ret_exponent)
{
    uint64_t bits;
    double subnormal_shift = 0, mantissa;

    if (x < 0x1p-1022) {
        x *= 0x1p+54;
        subnormal_shift = 54;
    }
    memcpy(&bits, &x, sizeof bits);
    *ret_exponent = (double)((int64_t)(bits >> 52) - 1022) - subnormal_shift;
    bits = (bits & UINT64_C(0x000fffffffffffff)) | UINT64_C(0x3fe0000000000000);
    memcpy(&mantissa, &bits, sizeof mantissa);
    if (mantissa < SQRT_HALF) {
        mantissa *= 2;
        *ret_exponent -= 1;
    }
    return mantissa;
}

/* atanh(s) / s - 1 for z = s^2 <= 0.0295. */
static double atanh_tail(double z)
{
    double z2 = z * z, z4 = z2 * z2;
    double low = (1.0 / 3 + z * (1.0 / 5)) + z2 * (1.0 / 7 + z * (1.0 / 9));
    double high = (1.0 / 11 + z * (1.0 / 13)) + z2 * (1.0 / 15 + z * (1.0 / 17));

    return z * (low + z4 * (high + z4 * (1.0 / 19 + z * (1.0 / 21))));
}

/* Of what has no logarithm, or a trivial one. */
static double log_special(double x)
{
    return x == 0 ? -INFINITY : x > 0 ? x : NAN;
}

double exact_log(double x)
{
    double exponent, f, s, tail;

    if (!(x > 0 && x < INFINITY))
        return log_special(x);
    f = split(x, &exponent) - 1;
    s = f / (2 + f);
    tail = atanh_tail(s * s);
    /* 2 s = f - s f: f is exact, and what is taken from it is small. */
    return exponent * LN2_HIGH + (f - (s * (f - 2 * tail) - exponent * LN2_LOW));
}

/* The logarithm to about 60 bits; x is positive and finite. */
static struct pair log_pair(double x)
{
    double exponent, mantissa = split(x, &exponent), f = mantissa - 1;
    struct pair divisor = pair_sum(mantissa, 1);
    double s = f / divisor.high;
    struct pair product = pair_product(s, divisor.high);
    double s_low = (((f - product.high) - product.low) - s * divisor.low) / divisor.high;
    struct pair sum = pair_sum(exponent * LN2_HIGH, 2 * s);
    double rest = sum.low + (2 * s_low + (2 * s * atanh_tail(s * s) + exponent * LN2_LOW));

    return pair_sum(sum.high, rest);
}

/* e^r - 1 - r for |r| <= 0.35. */
static double exp_tail(double r)
{
    double r2 = r * r, r4 = r2 * r2;
    double low = (1.0 / 2 + r * (1.0 / 6)) + r2 * (1.0 / 24 + r * (1.0 / 120));
    double middle = (1.0 / 720 + r * (1.0 / 5040)) + r2 * (1.0 / 40320 + r * (1.0 / 362880));
    double high =
        (1.0 / 3628800 + r * (1.0 / 39916800)) + r2 * (1.0 / 479001600 + r * (1.0 / 6227020800));

    return r2 * (low + r4 * (middle + r4 * high));
}

static double power_of_two(int exponent)
{
    uint64_t bits = (uint64_t)(exponent + 1023) << 52;
    double power;

    memcpy(&power, &bits, sizeof power);
    return power;
}

/* e^(x + low), low being small. */
static double exp_sum(double x, double low)
{
    if (x != x || x > EXP_OVERFLOW)
        return x != x ? NAN : INFINITY;
    if (x < EXP_ZERO)
        return 0;
    double n = floor(x * LOG2_E + 0.5);
    double r = x - n * LN2_HIGH;
    double r_low = low - n * LN2_LOW;
    struct pair reduced = pair_sum(r, r_low);
    double grown = 1 + (reduced.high + (exp_tail(reduced.high) + reduced.low));
    int half = (int)n / 2;

    return grown * power_of_two(half) * power_of_two((int)n - half);
}

double exact_exp(double x)
{
    return exp_sum(x, 0);
}

static double positive_pow(double x, double y)
{
    double rough = y * exact_log(x);

    if (!(fabs(rough) < 1000)) /* 0, infinite, or not a number */
        return exact_exp(rough);
    struct pair log_x = log_pair(x);
    struct pair product = pair_product(y, log_x.high);

    return exp_sum(product.high, product.low + y * log_x.low);
}

double exact_pow(double x, double y)
{
    if (x == 1 || y == 0)
        return 1;
    if (!(x < 0))
        return positive_pow(x, y);
    if (y != floor(y))
        return NAN;
    return fabs(fmod(y, 2)) == 1 ? -exact_pow(-x, y) : exact_pow(-x, y);
}
