/* SPDX-License-Identifier: MIT */
#include "shm/indicator/comoments.h"

#include <math.h>

#include "shm/indicator/cpu.h"
#include "shm/indicator/rolling.h"

/* Of a window: means, and totals of (x - mean x)^2 and of (x - mean x) * (y - mean y). */
struct comoments {
    double x, y, xx, xy;
};

/* Values, side by side. */
struct pair {
    const double *x, *y;
};

/* The same of windows: [i] for those that begin at value i. */
struct columns {
    double *x, *y, *xx, *xy;
};

enum { DOUBLING = 0, SO_FAR = 4, VALUES_X = 8, VALUES_Y, FLAGS, ARRAYS_N };

static struct columns columns_at(const struct rolling_chunk *c, unsigned first)
{
    double *const *a = c->array + first;
    return (struct columns){a[0], a[1], a[2], a[3]};
}

/* ---- merges --------------------------------------------------------------------------------- */

CPU_INLINE struct comoments comoments_at(struct columns c, size_t i)
{
    return (struct comoments){c.x[i], c.y[i], c.xx[i], c.xy[i]};
}

/* `share` of the newer one in both, and what a product of steps counts. */
CPU_INLINE struct comoments join(struct comoments older, struct comoments newer, double share,
                                 double factor)
{
    double x = newer.x - older.x, y = newer.y - older.y;
    return (struct comoments){
        older.x + x * share,
        older.y + y * share,
        (older.xx + newer.xx) + x * x * factor,
        (older.xy + newer.xy) + x * y * factor,
    };
}

CPU_INLINE struct comoments of_one(struct pair p, size_t i)
{
    return (struct comoments){.x = p.x[i], .y = p.y[i]};
}

CPU_INLINE struct comoments of_two(struct pair p, size_t i)
{
    return join(of_one(p, i), of_one(p, i + 1), 0.5, 0.5);
}

/* 1, 2 or 3 values. */
CPU_INLINE struct comoments of_few(struct pair p, uint32_t n, size_t i)
{
    if (n == 1)
        return of_one(p, i);
    if (n == 2)
        return of_two(p, i);
    return join(of_one(p, i), of_two(p, i + 1), 2.0 / 3.0, 2.0 / 3.0);
}

CPU_INLINE void put(struct columns c, size_t i, struct comoments m)
{
    c.x[i] = m.x;
    c.y[i] = m.y;
    c.xx[i] = m.xx;
    c.xy[i] = m.xy;
}

CPU_INLINE void make_fours(struct pair p, size_t rows_n, struct columns to)
{
    CPU_VECTORIZE
    for (size_t i = 0; i < rows_n; i++)
        put(to, i, join(of_two(p, i), of_two(p, i + 2), 0.5, 1.0));
}

CPU_INLINE void make_twice(struct columns c, size_t size, size_t rows_n)
{
    double factor = 0.5 * size;
    CPU_VECTORIZE
    for (size_t i = 0; i < rows_n; i++)
        put(c, i, join(comoments_at(c, i), comoments_at(c, i + size), 0.5, factor));
}

CPU_INLINE void copy(struct columns from, size_t rows_n, struct columns to)
{
    CPU_VECTORIZE
    for (size_t i = 0; i < rows_n; i++)
        put(to, i, comoments_at(from, i));
}

/* ---- results -------------------------------------------------------------------------------- */

#define NOTHING 1e-14 /* TA-Lib takes a smaller n^2 times the variance of x for none */

CPU_INLINE double finished(struct comoments m, double n)
{
    double result = m.xy / m.xx;
    return m.xx * n < NOTHING || result - result != 0.0 ? 0.0 : result;
}

/* Windows that begin with `have` values, behind which come those of `size`. */
struct joining {
    struct pair pair; /* where the first values are few, they are taken from here */
    struct columns all;
    size_t have;
    struct columns more;
    size_t size;
    size_t rows_n;
};

CPU_INLINE struct comoments joined(const struct joining *j, uint32_t few, size_t i)
{
    double share = (double)j->size / ((double)j->have + j->size), factor = j->have * share;
    struct comoments older = few ? of_few(j->pair, few, i) : comoments_at(j->all, i);
    return join(older, comoments_at(j->more, i + j->have), share, factor);
}

/* Into `out` where they are whole, else in place of their beginnings. */
CPU_INLINE void append_to(struct joining j, uint32_t few, double *out)
{
    if (out) {
        CPU_VECTORIZE
        for (size_t i = 0; i < j.rows_n; i++)
            out[i] = finished(joined(&j, few, i), (double)(j.have + j.size));
    } else {
        CPU_VECTORIZE
        for (size_t i = 0; i < j.rows_n; i++)
            put(j.all, i, joined(&j, few, i));
    }
}

CPU_INLINE void append(struct joining j, double *out)
{
    if (j.have == 1)
        append_to(j, 1, out);
    else if (j.have == 2)
        append_to(j, 2, out);
    else if (j.have == 3)
        append_to(j, 3, out);
    else
        append_to(j, 0, out);
}

CPU_INLINE void make_short(struct pair pair, uint32_t n, size_t rows_n, double *restrict out)
{
    for (size_t i = 0; i < rows_n; i++)
        out[i] = finished(of_few(pair, n, i), n);
}

CPU_INLINE void make_long(const struct rolling_chunk *c, struct pair pair, double *restrict out)
{
    struct joining j = {.pair = pair,
                        .all = columns_at(c, SO_FAR),
                        .have = c->n & 3,
                        .more = columns_at(c, DOUBLING),
                        .rows_n = c->rows_n};
    make_fours(pair, c->base_n - 3, j.more);
    for (j.size = 4;; j.size *= 2) {
        size_t part = c->n & j.size;
        bool is_last = part && j.have + part == c->n;
        if (part && j.have > 0)
            append(j, is_last ? out : NULL);
        else if (part)
            copy(j.more, c->rows_n, j.all);
        j.have += part;
        if (is_last)
            break;
        make_twice(j.more, j.size, c->base_n - (2 * j.size - 1));
    }
    if (j.size == c->n) {
        for (size_t i = 0; i < c->rows_n; i++)
            out[i] = finished(comoments_at(j.all, i), c->n);
    }
}

CPU_INLINE void make_windows(const struct rolling_chunk *c, struct pair pair, double *restrict out)
{
    if (c->n == 1)
        make_short(pair, 1, c->rows_n, out);
    else if (c->n == 2)
        make_short(pair, 2, c->rows_n, out);
    else if (c->n == 3)
        make_short(pair, 3, c->rows_n, out);
    else
        make_long(c, pair, out);
}

#define WINDOW_PARAMETERS (const struct rolling_chunk *c, struct pair pair, double *out)
#define WINDOW_ARGUMENTS  (c, pair, out)

CPU_INLINE void slopes_body WINDOW_PARAMETERS
{
    make_windows(c, pair, out);
}
CPU_VERSIONS(make_slopes, slopes_body, WINDOW_PARAMETERS, WINDOW_ARGUMENTS)

/* ---- values --------------------------------------------------------------------------------- */

/* Simple returns; 0 from a price of 0. One that is not finite is made 0 and flagged. */
CPU_INLINE void returns_body(const double *x, size_t rows_n, double *restrict out,
                             double *restrict flag)
{
    for (size_t i = 0; i < rows_n; i++) {
        double before = x[(int64_t)i - 1], change = (x[i] - before) / before;
        double given = before == 0.0 && x[i] - x[i] == 0.0 ? 0.0 : change;
        bool is_good = fabs(given) <= ROLLING_VALUE_MAX && before - before == 0.0;
        out[i] = is_good ? given : 0.0;
        flag[i] = is_good ? flag[i] : NAN;
    }
}
CPU_VERSIONS(make_returns, returns_body,
             (const double *x, size_t rows_n, double *out, double *flag), (x, rows_n, out, flag))

static void chunk_of_beta(const struct rolling_chunk *c, const void *ctx)
{
    double *x = c->array[VALUES_X], *y = c->array[VALUES_Y], *flag = c->array[FLAGS];
    double *out = c->span->out[0] + c->end;
    (void)ctx;
    for (size_t i = 0; i < c->base_n; i++)
        flag[i] = 0.0;
    make_returns(rolling_input(c, 0), c->base_n, x, flag);
    make_returns(rolling_input(c, 1), c->base_n, y, flag);
    make_slopes(c, (struct pair){x, y}, out);
    if (rolling_values(flag, c->base_n, 0.0, x) != flag)
        rolling_mark(flag, c->rows_n, c->n, 0.0, out);
}

int comoments_beta(const struct indicator_span *span)
{
    struct rolling_plan plan = {
        .n = (uint32_t)span->param[0], .back = 1, .arrays_n = ARRAYS_N, .make = chunk_of_beta};
    return rolling_each_chunk(span, &plan);
}
