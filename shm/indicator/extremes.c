/* SPDX-License-Identifier: MIT */
/* Greatest and least of the last n, where in the window they lie, and places between them.
 *
 * By doubling, as rolling.h says; two windows that overlap make the last step, since a value that
 * is seen twice is no greater. */
#include <float.h>
#include <math.h>

#include "shm/indicator/cpu.h"
#include "shm/indicator/rolling.h"
#include "shm/indicator/row.h"

/* ---- values --------------------------------------------------------------------------------- */

CPU_INLINE double further(bool is_max, double a, double b)
{
    if (is_max)
        return b > a ? b : a;
    return b < a ? b : a;
}

/* Windows twice as long, or four times; `to` may be `from`. */
CPU_INLINE void extremes_twice(bool is_max, const double *from, size_t size, size_t rows_n,
                               double *to)
{
    CPU_VECTORIZE
    for (size_t i = 0; i < rows_n; i++)
        to[i] = further(is_max, from[i], from[i + size]);
}

CPU_INLINE void extremes_four_times(bool is_max, const double *from, size_t size, size_t rows_n,
                                    double *to)
{
    CPU_VECTORIZE
    for (size_t i = 0; i < rows_n; i++) {
        double older = further(is_max, from[i], from[i + size]);
        double newer = further(is_max, from[i + 2 * size], from[i + 3 * size]);
        to[i] = further(is_max, older, newer);
    }
}

/* Zeros are made positive: which of two is taken depends on the order. */
CPU_INLINE void extremes_join(bool is_max, const double *older, const double *newer, size_t rows_n,
                              double *restrict out)
{
    for (size_t i = 0; i < rows_n; i++)
        out[i] = further(is_max, older[i], newer[i]) + 0.0;
}

CPU_INLINE void extremes(bool is_max, const struct rolling_chunk *c, const double *x,
                         double *restrict out)
{
    double *now = c->array[0];
    size_t n = c->n, size = 1;
    for (; 4 * size <= n; size *= 4) {
        extremes_four_times(is_max, x, size, c->base_n - (4 * size - 1), now);
        x = now;
    }
    if (2 * size <= n) {
        extremes_twice(is_max, x, size, c->base_n - (2 * size - 1), now);
        x = now;
        size *= 2;
    }
    extremes_join(is_max, x, x + (n - size), c->rows_n, out);
}

#define EXTREME_PARAMETERS (const struct rolling_chunk *c, const double *x, double *out)

CPU_INLINE void greatest_body EXTREME_PARAMETERS
{
    extremes(true, c, x, out);
}
CPU_VERSIONS(greatest, greatest_body, EXTREME_PARAMETERS, (c, x, out))

CPU_INLINE void least_body EXTREME_PARAMETERS
{
    extremes(false, c, x, out);
}
CPU_VERSIONS(least, least_body, EXTREME_PARAMETERS, (c, x, out))

static void chunk_of_extremes(const struct rolling_chunk *c, const void *ctx)
{
    const bool *is_max = ctx;
    const double *given = rolling_input(c, 0);
    const double *x = rolling_values(given, c->base_n, DBL_MAX, c->array[1]);
    double *out = c->span->out[0] + c->end;
    if (*is_max)
        greatest(c, x, out);
    else
        least(c, x, out);
    if (x != given)
        rolling_mark(given, c->rows_n, c->n, DBL_MAX, out);
}

static int each_extreme(const struct indicator_span *span, bool is_max)
{
    struct rolling_plan plan = {
        .n = (uint32_t)span->param[0], .arrays_n = 2, .make = chunk_of_extremes, .ctx = &is_max};
    return rolling_each_chunk(span, &plan);
}

static int advance_max(const struct indicator_span *span)
{
    return each_extreme(span, true);
}

static int advance_min(const struct indicator_span *span)
{
    return each_extreme(span, false);
}

/* ---- places --------------------------------------------------------------------------------- */

/* Of windows: the greatest value and the place of its last occurrence, counted from the window's
 * oldest value. */
struct place {
    double value, at;
};

struct places {
    double *value, *at;
};

CPU_INLINE struct place later(struct place older, struct place newer, double apart)
{
    bool is_newer = newer.value >= older.value;
    double at = is_newer ? newer.at : older.at, more = is_newer ? apart : 0.0;
    return (struct place){is_newer ? newer.value : older.value, at + more};
}

CPU_INLINE struct place place_at(struct places p, size_t i)
{
    return (struct place){p.value[i], p.at[i]};
}

/* Windows of one value, and of four, of sign * x. */
CPU_INLINE void places_of_one(double sign, const double *restrict x, size_t rows_n,
                              struct places to)
{
    double *restrict value = to.value, *restrict at = to.at;
    for (size_t i = 0; i < rows_n; i++) {
        value[i] = sign * x[i];
        at[i] = 0.0;
    }
}

CPU_INLINE struct place place_of_two(double sign, const double *x)
{
    return later((struct place){sign * x[0], 0.0}, (struct place){sign * x[1], 0.0}, 1.0);
}

CPU_INLINE void places_of_four(double sign, const double *restrict x, size_t rows_n,
                               struct places to)
{
    double *restrict value = to.value, *restrict at = to.at;
    for (size_t i = 0; i < rows_n; i++) {
        struct place p = later(place_of_two(sign, x + i), place_of_two(sign, x + i + 2), 2.0);
        value[i] = p.value;
        at[i] = p.at;
    }
}

CPU_INLINE void places_twice(struct places p, size_t size, size_t rows_n)
{
    double *value = p.value, *at = p.at, apart = (double)size;
    CPU_VECTORIZE
    for (size_t i = 0; i < rows_n; i++) {
        struct place twice = later(place_at(p, i), place_at(p, i + size), apart);
        value[i] = twice.value;
        at[i] = twice.at;
    }
}

/* Of the greatest sign * x: 100 * (n - bars since) / n, n being the rows that are looked back. */
CPU_INLINE void aroon_body(const struct rolling_chunk *c, double sign, const double *x,
                           double *restrict out)
{
    struct places p = {c->array[0], c->array[1]};
    size_t size = c->n < 4 ? 1 : 4;
    double factor = 100.0 / (c->n - 1.0);
    if (size == 1)
        places_of_one(sign, x, c->base_n, p);
    else
        places_of_four(sign, x, c->base_n - 3, p);
    for (; 2 * size <= c->n; size *= 2)
        places_twice(p, size, c->base_n - (2 * size - 1));
    size_t apart = c->n - size;
    for (size_t i = 0; i < c->rows_n; i++)
        out[i] = factor * later(place_at(p, i), place_at(p, i + apart), (double)apart).at;
}
CPU_VERSIONS(aroon, aroon_body,
             (const struct rolling_chunk *c, double sign, const double *x, double *out),
             (c, sign, x, out))

/* Both outputs are NaN where either input is not finite. */
static void chunk_of_aroon(const struct rolling_chunk *c, const void *ctx)
{
    (void)ctx;
    for (unsigned o = 0; o < 2; o++) {
        const double *given = rolling_input(c, !o);
        const double *x = rolling_values(given, c->base_n, DBL_MAX, c->array[2]);
        double *out = c->span->out[o] ? c->span->out[o] + c->end : NULL;
        if (out)
            aroon(c, o == 0 ? -1.0 : 1.0, x, out);
    }
    for (unsigned k = 0; k < 4; k++) {
        const double *given = rolling_input(c, k % 2);
        double *out = c->span->out[k / 2];
        if (out && rolling_values(given, c->base_n, DBL_MAX, c->array[2]) != given)
            rolling_mark(given, c->rows_n, c->n, DBL_MAX, out + c->end);
    }
}

/* The bar n rows ago counts too. */
static int advance_aroon(const struct indicator_span *span)
{
    struct rolling_plan plan = {
        .n = (uint32_t)span->param[0] + 1, .arrays_n = 3, .make = chunk_of_aroon};
    return rolling_each_chunk(span, &plan);
}

/* ---- ranges --------------------------------------------------------------------------------- */

static int advance_percent_of_range(const struct indicator_span *s)
{
    const double *x = s->input[0], *low = s->input[1], *high = s->input[2];
    double *restrict out = s->out[0];
    for (size_t i = 0; i < s->rows_n; i++) {
        double range = high[i] - low[i];
        double place = (x[i] - low[i]) / (range / 100.0); /* in this order, as TA-Lib */
        double none = x[i] == x[i] ? 0.0 : NAN;
        out[i] = range == 0.0 ? none : place;
    }
    return 0;
}

static int advance_defined_with(const struct indicator_span *s)
{
    const double *x = s->input[0], *y = s->input[1];
    double *restrict out = s->out[0];
    for (size_t i = 0; i < s->rows_n; i++)
        out[i] = y[i] == y[i] ? x[i] : NAN;
    return 0;
}

#define FAST_K "percent_of_range(close,min(low,k),max(high,k))"
#define RSI_K  "percent_of_range(rsi(x,n),min(rsi(x,n),k),max(rsi(x,n),k))"
#define SLOW_K "sma(" FAST_K ",slowk)"
#define FLAT   "0 where high and low of all bars are equal"

/* clang-format off */
static const struct indicator rows[] = {
    {.name = "aroon", .cls = CLASS_ROLLING, .implied = "high low",
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 2, .outputs = {"down", "up"},
     .warm_up_text = "n",
     .formula = "100 * (n - bars since the least low, or the greatest high, of the last n + 1) / n",
     .edges = "of equal ones the latest counts; 100 where all are equal",
     .source = "Chande 1995; " TALIB, .lookback = lookback_n, .advance = advance_aroon},
    {.name = "aroonosc", .cls = CLASS_ROLLING, .implied = "high low",
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"aroonosc"},
     .warm_up_text = "n", .formula = "aroon(n).up - aroon(n).down",
     .edges = "0 where all bars are equal",
     .source = "Chande 1995; " TALIB, .made_of = {"aroon(n).up-aroon(n).down"}},
    {.name = "defined_with", .cls = CLASS_STATELESS, .series_args_n = 2,
     .outputs_n = 1, .outputs = {"defined_with"}, .warm_up_text = "0",
     .formula = "x where y is defined", .source = "what several outputs need to begin together",
     .advance = advance_defined_with},
    {.name = "donchian", .cls = CLASS_ROLLING, .implied = "high low",
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 2, .outputs = {"upper", "lower"},
     .warm_up_text = "n - 1", .formula = "upper = max(high,n); lower = min(low,n)",
     .source = "Donchian 1960; Tulip Indicators", .made_of = {"max(high,n)", "min(low,n)"}},
    {.name = "max", .cls = CLASS_ROLLING, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"max"},
     .warm_up_text = "n - 1", .formula = "greatest of the last n", .source = TALIB,
     .lookback = rolling_lookback, .advance = advance_max},
    {.name = "midpoint", .cls = CLASS_ROLLING, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"midpoint"},
     .warm_up_text = "n - 1", .formula = "(max(x,n) + min(x,n)) / 2", .source = TALIB,
     .made_of = {"(max(x,n)+min(x,n))/2"}},
    {.name = "midprice", .cls = CLASS_ROLLING, .implied = "high low",
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"midprice"},
     .warm_up_text = "n - 1", .formula = "(max(high,n) + min(low,n)) / 2", .source = TALIB,
     .made_of = {"(max(high,n)+min(low,n))/2"}},
    {.name = "min", .cls = CLASS_ROLLING, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"min"},
     .warm_up_text = "n - 1", .formula = "least of the last n", .source = TALIB,
     .lookback = rolling_lookback, .advance = advance_min},
    {.name = "percent_of_range", .cls = CLASS_STATELESS, .series_args_n = 3,
     .outputs_n = 1, .outputs = {"percent_of_range"}, .warm_up_text = "0",
     .formula = "100 * (x - low) / (high - low), of x, low and high",
     .edges = "0 where high and low are equal", .source = "what stochastics are made of",
     .advance = advance_percent_of_range},
    {.name = "stoch", .cls = CLASS_ROLLING, .implied = "high low close",
     .params_n = 3, .params = {PERIOD("k", 1), PERIOD("slowk", 1), PERIOD("slowd", 1)},
     .outputs_n = 2, .outputs = {"k", "d"}, .warm_up_text = "k + slowk + slowd - 3",
     .formula = "k = sma of 100 * (close - min(low,k)) / (max(high,k) - min(low,k)) over slowk "
                "bars; d = sma of k over slowd bars; both begin together",
     .edges = FLAT, .source = "Lane; " TALIB,
     .made_of = {"defined_with(" SLOW_K ",sma(" SLOW_K ",slowd))", "sma(" SLOW_K ",slowd)"}},
    {.name = "stochf", .cls = CLASS_ROLLING, .implied = "high low close",
     .params_n = 2, .params = {PERIOD("k", 1), PERIOD("d", 1)},
     .outputs_n = 2, .outputs = {"k", "d"}, .warm_up_text = "k + d - 2",
     .formula = "k = 100 * (close - min(low,k)) / (max(high,k) - min(low,k)); d = sma of k over d "
                "bars; both begin together",
     .edges = FLAT, .source = "Lane; " TALIB,
     .made_of = {"defined_with(" FAST_K ",sma(" FAST_K ",d))", "sma(" FAST_K ",d)"}},
    {.name = "stochrsi", .cls = CLASS_RECURSIVE, .series_args_n = 1,
     .params_n = 3, .params = {PERIOD("n", 2), PERIOD("k", 1), PERIOD("d", 1)},
     .outputs_n = 2, .outputs = {"k", "d"}, .warm_up_text = "n + k + d - 2",
     .formula = "r = rsi(x,n); k = 100 * (r - min(r,k)) / (max(r,k) - min(r,k)); d = sma of k over "
                "d bars; both begin together",
     .edges = "0 where the last k of rsi(x,n) are equal", .source = "Chande and Kroll 1994; " TALIB,
     .made_of = {"defined_with(" RSI_K ",sma(" RSI_K ",d))", "sma(" RSI_K ",d)"}},
    {.name = "willr", .cls = CLASS_ROLLING, .implied = "high low close",
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"willr"},
     .warm_up_text = "n - 1",
     .formula = "-100 * (max(high,n) - close) / (max(high,n) - min(low,n))",
     .edges = FLAT, .source = "Williams; " TALIB,
     .made_of = {"0-percent_of_range(close,max(high,n),min(low,n))"}},
};
/* clang-format on */

const struct indicator_family family_extremes = INDICATOR_FAMILY("extremes", rows);
