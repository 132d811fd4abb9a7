/* SPDX-License-Identifier: MIT */
/* Windows of the last n rows, by doubling.
 *
 * What a window comes to is merged from what its parts come to: windows of 1 row make those of 2,
 * these those of 4 and so on, and the binary digits of n say which of them make a window of n. All
 * windows of a chunk of rows are made side by side, one pass over an array for each merge:
 *
 *     size 2:  w[i] = merge(w[i], w[i+1])      n = 6 = 2 + 4:  a[i] = w2[i]
 *     size 4:  w[i] = merge(w[i], w[i+2])                      a[i] = merge(a[i], w4[i+2])
 *
 * So a row costs some log2(n) merges. Each is a fixed tree over the window's own rows: the bytes do
 * not depend on how rows were cut, nothing has to be carried from one span to the next, nothing is
 * subtracted again, rounding errors grow with log2(n) alone, and what is not finite harms no window
 * that it is not in. Merges work on means and on what is centred at them (Chan, Golub and LeVeque
 * 1983), so a constant has no deviation and no slope at all, whatever its level. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shm/indicator/indicator.h"

#define ROLLING_ARRAYS_MAX 13
/* What is greater counts as not finite where squares or products are made. */
#define ROLLING_VALUE_MAX 1e140

/* A run of windows. Window i ends at row `end` + i of the span; its oldest value is at i of each
 * array. */
struct rolling_chunk {
    const struct indicator_span *span;
    uint32_t n;      /* values in a window */
    uint32_t rows_n; /* windows */
    uint32_t base_n; /* rows_n + n - 1: values that they are made of */
    uint32_t end;
    double *array[ROLLING_ARRAYS_MAX]; /* [base_n], aligned to 64; scratch */
};

struct rolling_plan {
    uint32_t n;    /* values in a window */
    uint32_t back; /* rows that a value looks back itself */
    unsigned arrays_n;
    void (*make)(const struct rolling_chunk *chunk, const void *ctx);
    const void *ctx;
};

/* Makes all windows of a span, chunk by chunk; rows before n - 1 + back are NaN. 0 or -ENOMEM. */
int rolling_each_chunk(const struct indicator_span *span, const struct rolling_plan *plan);

/* Input k where the first window begins. */
static inline const double *rolling_input(const struct rolling_chunk *c, unsigned k)
{
    return c->span->input[k] + ((int64_t)c->end - (c->n - 1));
}

/* x, or where it holds what is not finite or beyond the limit: scratch, with zeros for such. */
const double *rolling_values(const double *x, uint32_t rows_n, double limit, double *scratch);

/* NaN where a window of n values holds one of x that is not finite or beyond the limit. x[rows_n +
 * n - 1], out[rows_n]. */
void rolling_mark(const double *x, uint32_t rows_n, uint32_t n, double limit, double *out);

/* Of the last n of input 0, n being the first parameter, into output 0; NaN where one of them is
 * not finite. All 0 or -ENOMEM. */

/* mean * mean_factor + moment * moment_factor, where moment is the total of (x - mean) * (place -
 * mean place): what straight lines and linear weights come to. */
int rolling_lines(const struct indicator_span *span, double mean_factor, double moment_factor);
/* Mean squared distance from the mean, and its root. */
int rolling_variances(const struct indicator_span *span);
int rolling_deviations(const struct indicator_span *span);

/* n - 1, n being the first parameter. */
uint32_t rolling_lookback(const double *param);
