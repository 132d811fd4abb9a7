/* SPDX-License-Identifier: MIT */
/* Numbers, sizes and durations as text. All of it is independent of the locale. */
#include "proto/units.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

__extension__ typedef unsigned __int128 u128;

/* ---- the C locale --------------------------------------------------------------------------- */

/* glibc's "C" locale is a static object: this neither allocates nor fails. */
static locale_t c_locale(void)
{
    static _Atomic(locale_t) cached;
    locale_t locale = cached;
    if (!locale)
        cached = locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return locale;
}

/* ---- reading numbers ------------------------------------------------------------------------ */

#define MANTISSA_DIGITS 19    /* any so long number is below 2^64 */
#define DECIMAL_DIGITS  800   /* more than any double's midpoint has */
#define EXPONENT_LIMIT  99999 /* beyond every double, however long its digits */

/* A number as it was read: digits * 10^exponent, of which `mantissa` holds the first 19. */
struct decimal {
    bool is_negative;
    const char *digits; /* the first significant digit; a '.' may stand among them */
    size_t digits_span; /* bytes from there to the last digit */
    uint64_t mantissa;
    size_t digits_n; /* significant digits */
    int64_t exponent;
};

static const char *scan_exponent(const char *p, const char *end, int64_t *exponent)
{
    bool is_negative = false;
    int64_t value = 0;

    if (p < end && (*p == '+' || *p == '-'))
        is_negative = *p++ == '-';
    if (p == end)
        return NULL;
    for (; p < end; p++) {
        unsigned digit = (unsigned)(*p - '0');
        if (digit > 9)
            return NULL;
        if (value < EXPONENT_LIMIT)
            value = value * 10 + digit;
    }
    *exponent += is_negative ? -value : value;
    return p;
}

/* Splits the text; false if it is not of the form. */
static bool scan_decimal(const char *p, const char *end, struct decimal *d)
{
    bool has_point = false;
    size_t fraction_n = 0;
    const char *first = NULL, *behind = NULL;
    size_t seen_n = 0;

    *d = (struct decimal){0};
    if (p < end && (*p == '+' || *p == '-'))
        d->is_negative = *p++ == '-';
    for (; p < end; p++) {
        unsigned digit = (unsigned)(*p - '0');
        if (digit <= 9) {
            seen_n++;
            fraction_n += has_point;
            if (digit == 0 && !first)
                continue;
            if (!first)
                first = p;
            behind = p + 1;
            if (d->digits_n++ < MANTISSA_DIGITS)
                d->mantissa = d->mantissa * 10 + digit;
        } else if (*p == '.' && !has_point) {
            has_point = true;
        } else {
            break;
        }
    }
    if (seen_n == 0)
        return false;
    d->digits = first;
    d->digits_span = first ? (size_t)(behind - first) : 0;
    d->exponent = -(int64_t)fraction_n;
    if (p < end && (*p == 'e' || *p == 'E'))
        p = scan_exponent(p + 1, end, &d->exponent);
    return p == end;
}

/* value = quotient, plus something below 1 unless is_exact, times 2^shift; rounded to nearest, ties
 * to even. quotient has at least 54 bits and the result is a normal double. */
static double round_quotient(u128 quotient, bool is_exact, int shift)
{
    uint64_t high = (uint64_t)(quotient >> 64);
    int bits = high ? 128 - __builtin_clzll(high) : 64 - __builtin_clzll((uint64_t)quotient);
    int drop = bits - 53;
    uint64_t kept = (uint64_t)(quotient >> drop);
    u128 rest = quotient - ((u128)kept << drop);
    u128 half = (u128)1 << (drop - 1);

    if (rest > half || (rest == half && (!is_exact || (kept & 1))))
        kept++;
    return ldexp((double)kept, shift + drop);
}

/* mantissa * 10^exponent for a mantissa that a double may not hold, |exponent| <= 19. */
static double scale_exactly(uint64_t mantissa, int exponent)
{
    uint64_t power = 1;
    for (int i = exponent < 0 ? -exponent : exponent; i > 0; i--)
        power *= 10;
    if (exponent >= 0) {
        u128 product = (u128)mantissa * power;
        return product >> 64 || (uint64_t)product >> 55 ? round_quotient(product, true, 0)
                                                        : round_quotient(product << 10, true, -10);
    }
    u128 dividend = (u128)mantissa << 64;
    u128 quotient = dividend / power;
    return round_quotient(quotient, quotient * power == dividend, -64);
}

/* strtod on the digits without point and leading zeros: never more than a small buffer. */
static int parse_slowly(const struct decimal *d, double *ret_magnitude)
{
    char text[DECIMAL_DIGITS + 32]; /* digits, one more for what is dropped, exponent */
    size_t n = 0, dropped_n = 0;
    bool drops_any = false;

    for (size_t i = 0; i < d->digits_span; i++) {
        char c = d->digits[i];
        if (c == '.')
            continue;
        if (n < DECIMAL_DIGITS) {
            text[n++] = c;
        } else {
            dropped_n++;
            drops_any |= c != '0';
        }
    }
    /* What was dropped only matters as "a little more". */
    int64_t exponent = d->exponent + (int64_t)dropped_n;
    if (drops_any) {
        text[n++] = '1';
        exponent--;
    }
    (void)snprintf(text + n, sizeof text - n, "e%lld", (long long)exponent);
    double value = strtod_l(text, NULL, c_locale());
    if (isinf(value))
        return -ERANGE;
    *ret_magnitude = value;
    return 0;
}

int f64_parse(const char *text, size_t n_bytes, double *ret_value)
{
    static const double power_of_ten[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                            1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                            1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct decimal d;
    double value;

    if (!scan_decimal(text, text + n_bytes, &d))
        return -EINVAL;
    if (d.mantissa == 0) {
        value = 0.0;
    } else if (d.digits_n <= MANTISSA_DIGITS && d.mantissa <= UINT64_C(1) << 53 &&
               d.exponent >= -22 && d.exponent <= 22) {
        value = (double)d.mantissa; /* both factors are exact: one rounding */
        value =
            d.exponent < 0 ? value / power_of_ten[-d.exponent] : value * power_of_ten[d.exponent];
    } else if (d.digits_n <= MANTISSA_DIGITS && d.exponent >= -19 && d.exponent <= 19) {
        value = scale_exactly(d.mantissa, (int)d.exponent);
    } else {
        int rc = parse_slowly(&d, &value);
        if (rc < 0)
            return rc;
    }
    *ret_value = d.is_negative ? -value : value;
    return 0;
}

/* ---- writing numbers ------------------------------------------------------------------------ */

/* Whole numbers below 1e15 without the printf machinery; NULL for all others. */
static const char *format_whole(double value, char out[static F64_BYTES])
{
    if (!(fabs(value) < 1e15) || value != (double)(int64_t)value ||
        (value == 0.0 && signbit(value)))
        return NULL;

    char digits[24];
    uint64_t rest = (uint64_t)(int64_t)fabs(value);
    size_t n = 0, at = 0;
    do
        digits[n++] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        out[at++] = '-';
    while (n > 0)
        out[at++] = digits[--n];
    out[at] = '\0';
    return out;
}

static void format_digits(double value, int digits, char out[static F64_BYTES])
{
    locale_t old = uselocale(c_locale());
    (void)snprintf(out, F64_BYTES, "%.*g", digits, value);
    (void)uselocale(old);
}

const char *f64_format(double value, char out[static F64_BYTES])
{
    out[0] = '\0';
    if (!isnan(value) && !format_whole(value, out))
        format_digits(value, 17, out);
    return out;
}

const char *f64_format_short(double value, char out[static F64_BYTES])
{
    out[0] = '\0';
    if (isnan(value) || format_whole(value, out))
        return out;
    for (int digits = 15; digits <= 17; digits++) {
        double again = 0;
        format_digits(value, digits, out);
        if (isinf(value) || (f64_parse(out, strlen(out), &again) == 0 && again == value))
            break;
    }
    return out;
}

/* ---- sizes and durations -------------------------------------------------------------------- */

struct unit {
    const char *name;
    int64_t factor;
};

/* A number and its unit's factor. A whole number is kept apart, since a double does not hold all.
 */
struct quantity {
    bool is_whole;
    uint64_t whole;
    double value;
    int64_t factor;
};

static int quantity_parse(const char *text, const struct unit *units, struct quantity *ret)
{
    size_t number_n = strspn(text, "0123456789.");
    const char *unit = text + number_n + strspn(text + number_n, " ");
    int rc = f64_parse(text, number_n, &ret->value);
    if (rc < 0)
        return rc;

    ret->is_whole = !memchr(text, '.', number_n);
    if (ret->is_whole) {
        errno = 0;
        ret->whole = strtoull(text, NULL, 10);
        if (errno == ERANGE)
            return -ERANGE;
    }
    for (; units->name; units++) {
        if (strcmp(units->name, unit) == 0) {
            ret->factor = units->factor;
            return 0;
        }
    }
    return -EINVAL;
}

static int quantity_times(const struct quantity *q, uint64_t most, uint64_t *ret)
{
    uint64_t product;
    if (q->is_whole) {
        if (__builtin_mul_overflow(q->whole, (uint64_t)q->factor, &product) || product > most)
            return -ERANGE;
    } else {
        double scaled = nearbyint(q->value * (double)q->factor);
        if (!(scaled < (double)most))
            return -ERANGE;
        product = (uint64_t)scaled;
    }
    *ret = product;
    return 0;
}

int bytes_parse(const char *text, uint64_t *ret_bytes)
{
    static const struct unit units[] = {
        {"", 1},
        {"B", 1},
        {"kB", 1000},
        {"KB", 1000},
        {"MB", 1000000},
        {"GB", 1000000000},
        {"TB", 1000000000000},
        {"KiB", 1 << 10},
        {"kiB", 1 << 10},
        {"MiB", 1 << 20},
        {"GiB", 1 << 30},
        {"TiB", INT64_C(1) << 40},
        {"K", 1 << 10},
        {"k", 1 << 10},
        {"M", 1 << 20},
        {"G", 1 << 30},
        {"T", INT64_C(1) << 40},
        {NULL, 0},
    };
    struct quantity q;
    int rc = quantity_parse(text, units, &q);
    return rc < 0 ? rc : quantity_times(&q, UINT64_MAX, ret_bytes);
}

int duration_parse(const char *text, int64_t *ret_ns)
{
    static const struct unit units[] = {
        {"", NS_PER_S},         {"ns", 1},
        {"us", 1000},           {"ms", 1000000},
        {"s", NS_PER_S},        {"m", 60 * NS_PER_S},
        {"min", 60 * NS_PER_S}, {"h", 3600 * NS_PER_S},
        {"d", NS_PER_DAY},      {NULL, 0},
    };
    struct quantity q;
    uint64_t ns;
    int rc = quantity_parse(text, units, &q);
    if (rc == 0)
        rc = quantity_times(&q, INT64_MAX, &ns);
    if (rc == 0)
        *ret_ns = (int64_t)ns;
    return rc;
}

const char *bytes_format(uint64_t bytes, char *out, size_t out_bytes)
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t i = 0;
    double value = (double)bytes;

    for (; value >= 1023.95 && i + 1 < sizeof names / sizeof names[0]; i++)
        value /= 1024;
    (void)snprintf(out, out_bytes, i == 0 ? "%.0f %s" : "%.1f %s", value, names[i]);
    return out;
}

const char *duration_format(int64_t ns, char *out, size_t out_bytes)
{
    const char *sign = ns < 0 ? "-" : "";
    uint64_t left = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    uint64_t s = (left + NS_PER_S / 2) / NS_PER_S;

    if (left < 1000)
        (void)snprintf(out, out_bytes, "%s%llu ns", sign, (unsigned long long)left);
    else if (left < 999500)
        (void)snprintf(out, out_bytes, "%s%.0f us", sign, (double)left / 1e3);
    else if (left < 999500000)
        (void)snprintf(out, out_bytes, "%s%.0f ms", sign, (double)left / 1e6);
    else if (left < 59950000000)
        (void)snprintf(out, out_bytes, "%s%.1f s", sign, (double)left / 1e9);
    else if (s < 3600)
        (void)snprintf(out, out_bytes, "%s%llu m %02llu s", sign, (unsigned long long)s / 60,
                       (unsigned long long)s % 60);
    else if (s < 86400)
        (void)snprintf(out, out_bytes, "%s%llu h %02llu m", sign, (unsigned long long)s / 3600,
                       (unsigned long long)s / 60 % 60);
    else
        (void)snprintf(out, out_bytes, "%s%llu d %02llu h", sign, (unsigned long long)s / 86400,
                       (unsigned long long)s / 3600 % 24);
    return out;
}

int64_t mono_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail with this clock */
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}
