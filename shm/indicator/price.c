/* SPDX-License-Identifier: MIT */
/* Prices of a bar and changes between two: each row by itself, in loops that compilers turn into
 * vector ones. */
#include "shm/indicator/cpu.h"
#include "shm/indicator/row.h"

#define NO_RANGE 1e-14 /* TA-Lib takes what is smaller for nothing */

/* advance_NAME(), which runs NAME() as compiled for the machine. */
#define KERNEL(name)                                                                               \
    CPU_VERSIONS(run_##name, name, (const struct indicator_span *s), (s))                          \
    static int advance_##name(const struct indicator_span *s)                                      \
    {                                                                                              \
        run_##name(s);                                                                             \
        return 0;                                                                                  \
    }

CPU_INLINE void avgprice(const struct indicator_span *s)
{
    const double *open = s->input[0], *high = s->input[1], *low = s->input[2], *close = s->input[3];
    double *restrict out = s->out[0];
    for (uint32_t i = 0; i < s->rows_n; i++)
        out[i] = (high[i] + low[i] + close[i] + open[i]) / 4.0;
}
KERNEL(avgprice)

CPU_INLINE void medprice(const struct indicator_span *s)
{
    const double *high = s->input[0], *low = s->input[1];
    double *restrict out = s->out[0];
    for (uint32_t i = 0; i < s->rows_n; i++)
        out[i] = (high[i] + low[i]) / 2.0;
}
KERNEL(medprice)

CPU_INLINE void typprice(const struct indicator_span *s)
{
    const double *high = s->input[0], *low = s->input[1], *close = s->input[2];
    double *restrict out = s->out[0];
    for (uint32_t i = 0; i < s->rows_n; i++)
        out[i] = (high[i] + low[i] + close[i]) / 3.0;
}
KERNEL(typprice)

CPU_INLINE void wclprice(const struct indicator_span *s)
{
    const double *high = s->input[0], *low = s->input[1], *close = s->input[2];
    double *restrict out = s->out[0];
    for (uint32_t i = 0; i < s->rows_n; i++)
        out[i] = (high[i] + low[i] + close[i] * 2.0) / 4.0;
}
KERNEL(wclprice)

/* 2 * typical price - other. */
CPU_INLINE void reflect(const struct indicator_span *s, const double *other, double *restrict out)
{
    const double *high = s->input[0], *low = s->input[1], *close = s->input[2];
    for (uint32_t i = 0; out && i < s->rows_n; i++)
        out[i] = 2.0 * ((high[i] + low[i] + close[i]) / 3.0) - other[i];
}

CPU_INLINE void pivot(const struct indicator_span *s)
{
    if (s->out[0])
        typprice(s);
    reflect(s, s->input[1], s->out[1]);
    reflect(s, s->input[0], s->out[2]);
}
KERNEL(pivot)

CPU_INLINE void bop(const struct indicator_span *s)
{
    const double *open = s->input[0], *high = s->input[1], *low = s->input[2], *close = s->input[3];
    double *restrict out = s->out[0];
    for (uint32_t i = 0; i < s->rows_n; i++) {
        double body = close[i] - open[i], range = high[i] - low[i];
        double none = body == body ? 0.0 : NAN;
        out[i] = range < NO_RANGE ? none : body / range;
    }
}
KERNEL(bop)

CPU_INLINE void trange(const struct indicator_span *s)
{
    const double *high = s->input[0], *low = s->input[1], *close = s->input[2];
    double *restrict out = s->out[0];
    for (uint32_t i = fill_before(s, 1, out); i < s->rows_n; i++) {
        const double *before = close + i - 1;
        double range = high[i] - low[i], up = fabs(high[i] - *before),
               down = fabs(low[i] - *before);
        range = up > range ? up : range;
        range = down > range ? down : range;
        out[i] = up + down == up + down ? range : NAN;
    }
}
KERNEL(trange)

CPU_INLINE void mom(const struct indicator_span *s)
{
    uint32_t n = lookback_n(s->param);
    const double *x = s->input[0];
    double *restrict out = s->out[0];
    for (uint32_t i = fill_before(s, n, out); i < s->rows_n; i++)
        out[i] = x[i] - x[(int64_t)i - n];
}
KERNEL(mom)

CPU_INLINE void roc(const struct indicator_span *s)
{
    uint32_t n = lookback_n(s->param);
    const double *x = s->input[0];
    double *restrict out = s->out[0];
    for (uint32_t i = fill_before(s, n, out); i < s->rows_n; i++) {
        double before = x[(int64_t)i - n];
        double none = x[i] == x[i] ? 0.0 : NAN;
        double change = (x[i] / before - 1.0) * 100.0;
        out[i] = before == 0.0 ? none : change;
    }
}
KERNEL(roc)

/* clang-format off */
static const struct indicator rows[] = {
    {.name = "avgprice", .cls = CLASS_STATELESS, .implied = "open high low close",
     .outputs_n = 1, .outputs = {"avgprice"}, .warm_up_text = "0",
     .formula = "(open + high + low + close) / 4", .source = TALIB, .advance = advance_avgprice},
    {.name = "bop", .cls = CLASS_STATELESS, .implied = "open high low close",
     .outputs_n = 1, .outputs = {"bop"}, .warm_up_text = "0",
     .formula = "balance of power: (close - open) / (high - low)",
     .edges = "0 where high - low is below 1e-14",
     .source = "Livshin 2001; " TALIB, .advance = advance_bop},
    {.name = "medprice", .cls = CLASS_STATELESS, .implied = "high low",
     .outputs_n = 1, .outputs = {"medprice"}, .warm_up_text = "0",
     .formula = "(high + low) / 2", .source = TALIB, .advance = advance_medprice},
    {.name = "mom", .cls = CLASS_STATELESS, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"mom"},
     .warm_up_text = "n", .formula = "x - x[n bars ago]", .source = TALIB,
     .lookback = lookback_n, .advance = advance_mom},
    {.name = "pivot", .cls = CLASS_STATELESS, .implied = "high low close",
     .outputs_n = 3, .outputs = {"p", "r1", "s1"}, .warm_up_text = "0",
     .formula = "of the bar itself, known at its close: p = (high + low + close) / 3; "
                "r1 = 2 * p - low; s1 = 2 * p - high. Levels of the bar before: shift(…,1)",
     .source = "floor traders' pivot points", .advance = advance_pivot},
    {.name = "roc", .cls = CLASS_STATELESS, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"roc"},
     .warm_up_text = "n", .formula = "(x / x[n bars ago] - 1) * 100",
     .edges = "0 where x[n bars ago] is 0", .source = TALIB,
     .lookback = lookback_n, .advance = advance_roc},
    {.name = "trange", .cls = CLASS_STATELESS, .implied = "high low close",
     .outputs_n = 1, .outputs = {"trange"}, .warm_up_text = "1",
     .formula = "greatest of high - low, |high - close before|, |low - close before|",
     .source = "Wilder 1978; " TALIB, .lookback = lookback_1, .advance = advance_trange},
    {.name = "typprice", .cls = CLASS_STATELESS, .implied = "high low close",
     .outputs_n = 1, .outputs = {"typprice"}, .warm_up_text = "0",
     .formula = "(high + low + close) / 3", .source = TALIB, .advance = advance_typprice},
    {.name = "wclprice", .cls = CLASS_STATELESS, .implied = "high low close",
     .outputs_n = 1, .outputs = {"wclprice"}, .warm_up_text = "0",
     .formula = "(high + low + 2 * close) / 4", .source = TALIB, .advance = advance_wclprice},
};
/* clang-format on */

const struct indicator_family family_price = INDICATOR_FAMILY("price", rows);
