/* SPDX-License-Identifier: MIT */
/* Distance of the typical price from its mean in mean distances. */
#include <math.h>
#include <string.h>

#include "shm/indicator/cpu.h"
#include "shm/indicator/rolling.h"
#include "shm/indicator/row.h"

CPU_INLINE void typical_body(const double *high, const double *low, const double *close,
                             size_t rows_n, double *restrict out)
{
    for (size_t i = 0; i < rows_n; i++)
        out[i] = (high[i] + low[i] + close[i]) / 3.0;
}
CPU_VERSIONS(make_typical, typical_body,
             (const double *high, const double *low, const double *close, size_t rows_n,
              double *out),
             (high, low, close, rows_n, out))

/* Distances from the mean have to be added up anew for each row. */
CPU_INLINE void cci_plain(const double *typical, size_t n, size_t rows_n, double *out)
{
    for (size_t i = 0; i < rows_n; i++, typical++) {
        double last = typical[n - 1], mean = 0.0, distance = 0.0;
        for (size_t k = 0; k < n - 1; k++)
            mean += typical[k] - last;
        mean = last + mean / (double)n;
        for (size_t k = 0; k < n; k++)
            distance += fabs(typical[k] - mean);
        double index = (last - mean) / (0.015 * (distance / (double)n));
        out[i] = index - index == 0.0 ? index : 0.0;
    }
}

#define WIDE 4u /* vectors side by side */

/* Totals of the windows of `wide` times 4 rows: of values less the window's last one, so that a
 * constant has no distance at all; then of distances from the mean. */
CPU_INLINE void distances(const double *typical, size_t n, uint32_t wide, double *out)
{
    cpu_four mean[WIDE], distance[WIDE] = {0}, last[WIDE];
    for (uint32_t v = 0; v < wide; v++) {
        last[v] = CPU_FOUR_AT(typical + n - 1 + 4 * v);
        mean[v] = last[v] * 0.0; /* not 0 where it is not finite */
    }
    for (size_t k = 0; k < n - 1; k++) {
        for (uint32_t v = 0; v < wide; v++)
            mean[v] += CPU_FOUR_AT(typical + k + 4 * v) - last[v];
    }
    for (uint32_t v = 0; v < wide; v++)
        mean[v] = last[v] + mean[v] / (double)n;
    for (size_t k = 0; k < n; k++) {
        for (uint32_t v = 0; v < wide; v++)
            distance[v] += CPU_ABS(CPU_FOUR_AT(typical + k + 4 * v) - mean[v]);
    }
    for (uint32_t v = 0; v < wide; v++) {
        cpu_four index = (last[v] - mean[v]) / (0.015 * (distance[v] / (double)n));
        cpu_four_bits is_one = index * 0.0 == 0.0;
        *(cpu_four *)(out + 4 * v) = (cpu_four)(is_one & (cpu_four_bits)index);
    }
}

/* Rows go side by side. Behind `typical` are three values more. */
CPU_INLINE void cci_wide(const double *typical, size_t n, size_t rows_n, double *out)
{
    size_t i = 0;
    for (; i + 4 * WIDE <= rows_n; i += 4 * WIDE)
        distances(typical + i, n, WIDE, out + i);
    for (; i < rows_n; i += 4) {
        double four[4];
        distances(typical + i, n, 1, four);
        for (size_t k = 0; k < 4 && i + k < rows_n; k++)
            out[i + k] = four[k];
    }
}
CPU_TWINS(make_cci, cci_plain, cci_wide,
          (const double *typical, size_t n, size_t rows_n, double *out), (typical, n, rows_n, out))

static void chunk_of_cci(const struct rolling_chunk *c, const void *ctx)
{
    double *given = c->array[0], *out = c->span->out[0] + c->end;
    (void)ctx;
    make_typical(rolling_input(c, 0), rolling_input(c, 1), rolling_input(c, 2), c->base_n, given);
    const double *typical = rolling_values(given, c->base_n, ROLLING_VALUE_MAX, c->array[1]);
    for (uint32_t a = 0; a < 2; a++)
        memset(c->array[a] + c->base_n, 0, 3 * sizeof(double));
    make_cci(typical, c->n, c->rows_n, out);
    if (typical != given)
        rolling_mark(given, c->rows_n, c->n, ROLLING_VALUE_MAX, out);
}

static int advance_cci(const struct indicator_span *span)
{
    struct rolling_plan plan = {.n = (uint32_t)span->param[0], .arrays_n = 2, .make = chunk_of_cci};
    return rolling_each_chunk(span, &plan);
}

/* clang-format off */
static const struct indicator rows[] = {
    {.name = "cci", .cls = CLASS_ROLLING, .implied = "high low close",
     .params_n = 1, .params = {PERIOD("n", 2)}, .outputs_n = 1, .outputs = {"cci"},
     .warm_up_text = "n - 1",
     .formula = "(p - mean) / (0.015 * mean of |p - mean|), p = typprice(), both over the last n",
     .edges = "0 where all n are equal; prices beyond 1e140 count as not finite",
     .source = "Lambert 1980; " TALIB, .lookback = rolling_lookback, .advance = advance_cci},
};
/* clang-format on */

const struct indicator_family family_cci = INDICATOR_FAMILY("commodity channel index", rows);
