/* SPDX-License-Identifier: MIT */
#include "shm/indicator/rolling.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "shm/indicator/cpu.h"
#include "shm/indicator/row.h"

#define CHUNK_VALUES  3072u /* in all arrays, at least: they lie in the first cache */
#define CHUNK_WINDOWS 4u    /* at least as many rows as windows are long, times this … */
#define CHUNK_LONG    8192u /* … up to here; and as many as a window is long */
#define STACK_VALUES  8192u
#define ALIGNED       8u /* values in 64 bytes */

uint32_t rolling_lookback(const double *param)
{
    return (uint32_t)param[0] - 1;
}

/* ---- chunks --------------------------------------------------------------------------------- */

static uint32_t chunk_rows(const struct rolling_plan *plan, uint32_t rows_n)
{
    uint64_t rows = (uint64_t)plan->n * CHUNK_WINDOWS, least = CHUNK_VALUES / plan->arrays_n;
    rows = rows < CHUNK_LONG ? rows : CHUNK_LONG;
    rows = rows > least ? rows : least;
    rows = rows > plan->n ? rows : plan->n;
    return rows < rows_n ? (uint32_t)rows : rows_n;
}

static void run_chunks(const struct indicator_span *span, const struct rolling_plan *plan,
                       struct rolling_chunk *c, uint32_t rows_n)
{
    while (c->end < span->rows_n) {
        uint32_t left_n = span->rows_n - c->end;
        c->rows_n = rows_n < left_n ? rows_n : left_n;
        c->base_n = c->rows_n + (c->n - 1);
        plan->make(c, plan->ctx);
        c->end += c->rows_n;
    }
}

int rolling_each_chunk(const struct indicator_span *span, const struct rolling_plan *plan)
{
    double stack[STACK_VALUES] __attribute__((aligned(64)));
    double *values = stack, *heap = NULL;
    struct rolling_chunk c = {.span = span, .n = plan->n};
    for (unsigned o = 0; o < INDICATOR_OUTPUTS_MAX; o++)
        c.end = fill_before(span, plan->n - 1 + plan->back, span->out[o]);
    if (c.end == span->rows_n)
        return 0;
    uint32_t rows_n = chunk_rows(plan, span->rows_n - c.end);
    size_t stride = ((size_t)rows_n + c.n - 1 + ALIGNED - 1) / ALIGNED * ALIGNED + ALIGNED;
    if (stride * plan->arrays_n > STACK_VALUES) {
        heap = aligned_alloc(64, stride * plan->arrays_n * sizeof(*heap));
        if (!heap)
            return -ENOMEM;
        values = heap;
    }
    for (unsigned a = 0; a < plan->arrays_n; a++)
        c.array[a] = values + a * stride;
    run_chunks(span, plan, &c, rows_n);
    free(heap);
    return 0;
}

/* ---- what is not finite --------------------------------------------------------------------- */

CPU_INLINE void check_plain(const double *x, uint32_t rows_n, double limit, bool *ret_is_good)
{
    int64_t bad = 0;
    for (size_t i = 0; i < rows_n; i++)
        bad |= fabs(x[i]) <= limit ? 0 : 1;
    *ret_is_good = !bad;
}

CPU_INLINE void check_wide(const double *x, uint32_t rows_n, double limit, bool *ret_is_good)
{
    cpu_four_bits good = {-1, -1, -1, -1};
    cpu_four most = {limit, limit, limit, limit};
    bool is_good = true;
    size_t i = 0;
    for (; i + 4 <= rows_n; i += 4)
        good &= CPU_ABS(CPU_FOUR_AT(x + i)) <= most;
    for (; i < rows_n; i++)
        is_good = is_good && fabs(x[i]) <= limit;
    *ret_is_good = is_good && good[0] && good[1] && good[2] && good[3];
}
CPU_TWINS(check, check_plain, check_wide,
          (const double *x, uint32_t rows_n, double limit, bool *ret_is_good),
          (x, rows_n, limit, ret_is_good))

const double *rolling_values(const double *x, uint32_t rows_n, double limit, double *scratch)
{
    bool is_good;
    check(x, rows_n, limit, &is_good);
    if (is_good)
        return x;
    for (size_t i = 0; i < rows_n; i++)
        scratch[i] = fabs(x[i]) <= limit ? x[i] : 0.0;
    return scratch;
}

void rolling_mark(const double *x, uint32_t rows_n, uint32_t n, double limit, double *out)
{
    uint64_t good_n = 0; /* in a row */
    for (uint64_t i = 0; i < (uint64_t)rows_n + n - 1; i++) {
        good_n = fabs(x[i]) <= limit ? good_n + 1 : 0;
        if (i + 1 >= n && good_n < n)
            out[i + 1 - n] = NAN;
    }
}

/* ---- moments -------------------------------------------------------------------------------- */

/* What a window comes to: its mean, and the total of (x - mean) * (place - mean place) where a line
 * is wanted, else of (x - mean)^2. */
struct moments {
    double mean, second;
};

/* Of windows: mean[i] and second[i] for those that begin at value i. */
struct moment_arrays {
    double *mean, *second;
};

enum moment_kind { LINE, VARIANCE, DEVIATION };

/* Two windows of `size` values each. */
CPU_INLINE struct moments twice(enum moment_kind kind, struct moments older, struct moments newer,
                                double size)
{
    double step = newer.mean - older.mean;
    double more = kind == LINE ? step * (0.5 * size * size) : step * step * (0.5 * size);
    return (struct moments){(older.mean + newer.mean) * 0.5, (older.second + newer.second) + more};
}

/* How windows of two sizes go together. */
struct joint {
    double share, factor;
};

CPU_INLINE struct joint join_sizes(enum moment_kind kind, double have, double size)
{
    double share = size / (have + size);
    return (struct joint){share, kind == LINE ? 0.5 * have * size : have * share};
}

CPU_INLINE struct moments join(enum moment_kind kind, struct moments older, struct moments newer,
                               struct joint joint)
{
    double step = newer.mean - older.mean;
    double more = kind == LINE ? step * joint.factor : step * step * joint.factor;
    return (struct moments){older.mean + step * joint.share, (older.second + newer.second) + more};
}

CPU_INLINE struct moments moments_at(struct moment_arrays a, size_t i)
{
    return (struct moments){a.mean[i], a.second[i]};
}

CPU_INLINE struct moments of_two(enum moment_kind kind, const double *x)
{
    return twice(kind, (struct moments){x[0], 0.0}, (struct moments){x[1], 0.0}, 1.0);
}

/* 1, 2 or 3 values. */
CPU_INLINE struct moments of_few(enum moment_kind kind, const double *x, size_t n)
{
    struct moments first = {x[0], 0.0};
    if (n == 1)
        return first;
    if (n == 2)
        return of_two(kind, x);
    return join(kind, first, of_two(kind, x + 1), join_sizes(kind, 1.0, 2.0));
}

CPU_INLINE void make_fours(enum moment_kind kind, const double *restrict x, size_t rows_n,
                           struct moment_arrays to)
{
    double *restrict mean = to.mean, *restrict second = to.second;
    for (size_t i = 0; i < rows_n; i++) {
        struct moments m = twice(kind, of_two(kind, x + i), of_two(kind, x + i + 2), 2.0);
        mean[i] = m.mean;
        second[i] = m.second;
    }
}

/* Windows twice as long; `to` may be `from`. */
CPU_INLINE void make_twice(enum moment_kind kind, struct moment_arrays from, size_t size,
                           size_t rows_n, struct moment_arrays to)
{
    CPU_VECTORIZE
    for (size_t i = 0; i < rows_n; i++) {
        struct moments m = twice(kind, moments_at(from, i), moments_at(from, i + size), size);
        to.mean[i] = m.mean;
        to.second[i] = m.second;
    }
}

/* Windows four times as long, as made by doubling twice. */
CPU_INLINE void make_four_times(enum moment_kind kind, struct moment_arrays from, size_t size,
                                size_t rows_n, struct moment_arrays to)
{
    CPU_VECTORIZE
    for (size_t i = 0; i < rows_n; i++) {
        struct moments older = twice(kind, moments_at(from, i), moments_at(from, i + size), size);
        struct moments newer =
            twice(kind, moments_at(from, i + 2 * size), moments_at(from, i + 3 * size), size);
        struct moments m = twice(kind, older, newer, 2.0 * size);
        to.mean[i] = m.mean;
        to.second[i] = m.second;
    }
}

/* The first `have` values of windows: where they are `few`, of x itself. */
struct beginning {
    const double *x;
    struct moment_arrays all;
    size_t have;
};

CPU_INLINE struct moments beginning_at(enum moment_kind kind, const struct beginning *b,
                                       uint32_t few, size_t i)
{
    return few ? of_few(kind, b->x + i, few) : moments_at(b->all, i);
}

/* Behind each beginning the window of `size`, into `to`, which may be where the beginnings are. */
CPU_INLINE void append_to(enum moment_kind kind, struct beginning b, uint32_t few,
                          struct moment_arrays more, size_t size, size_t rows_n,
                          struct moment_arrays to)
{
    struct joint joint = join_sizes(kind, b.have, size);
    double *mean = to.mean, *second = to.second;
    CPU_VECTORIZE
    for (size_t i = 0; i < rows_n; i++) {
        struct moments m =
            join(kind, beginning_at(kind, &b, few, i), moments_at(more, i + b.have), joint);
        mean[i] = m.mean;
        second[i] = m.second;
    }
}

CPU_INLINE void append(enum moment_kind kind, struct beginning b, struct moment_arrays more,
                       size_t size, size_t rows_n, struct moment_arrays to)
{
    if (b.have == 1)
        append_to(kind, b, 1, more, size, rows_n, to);
    else if (b.have == 2)
        append_to(kind, b, 2, more, size, rows_n, to);
    else if (b.have == 3)
        append_to(kind, b, 3, more, size, rows_n, to);
    else
        append_to(kind, b, 0, more, size, rows_n, to);
}

/* What becomes of a whole window. */
struct finish {
    double mean_factor, second_factor, n;
};

CPU_INLINE double finished(enum moment_kind kind, struct moments m, const struct finish *finish)
{
    if (kind == LINE)
        return m.mean * finish->mean_factor + m.second * finish->second_factor;
    return kind == VARIANCE ? m.second / finish->n : sqrt(m.second / finish->n);
}

CPU_INLINE void finish_all(enum moment_kind kind, struct moment_arrays all, size_t rows_n,
                           struct finish finish, double *restrict out)
{
    for (size_t i = 0; i < rows_n; i++)
        out[i] = finished(kind, moments_at(all, i), &finish);
}

CPU_INLINE void finish_few(enum moment_kind kind, const double *restrict x, uint32_t n,
                           size_t rows_n, struct finish finish, double *restrict out)
{
    for (size_t i = 0; i < rows_n; i++)
        out[i] = finished(kind, of_few(kind, x + i, n), &finish);
}

/* The last append(), straight into the output. */
CPU_INLINE void finish_append_to(enum moment_kind kind, struct beginning b, uint32_t few,
                                 struct moment_arrays more, size_t size, size_t rows_n,
                                 struct finish finish, double *restrict out)
{
    struct joint joint = join_sizes(kind, b.have, size);
    for (size_t i = 0; i < rows_n; i++) {
        struct moments m =
            join(kind, beginning_at(kind, &b, few, i), moments_at(more, i + b.have), joint);
        out[i] = finished(kind, m, &finish);
    }
}

CPU_INLINE void finish_append(enum moment_kind kind, struct beginning b, struct moment_arrays more,
                              size_t size, size_t rows_n, struct finish finish,
                              double *restrict out)
{
    if (b.have == 1)
        finish_append_to(kind, b, 1, more, size, rows_n, finish, out);
    else if (b.have == 2)
        finish_append_to(kind, b, 2, more, size, rows_n, finish, out);
    else if (b.have == 3)
        finish_append_to(kind, b, 3, more, size, rows_n, finish, out);
    else
        finish_append_to(kind, b, 0, more, size, rows_n, finish, out);
}

/* Windows of fewer than four values. */
CPU_INLINE void make_short(enum moment_kind kind, const struct rolling_chunk *c, const double *x,
                           struct finish finish, double *restrict out)
{
    if (c->n == 1)
        finish_few(kind, x, 1, c->rows_n, finish, out);
    else if (c->n == 2)
        finish_few(kind, x, 2, c->rows_n, finish, out);
    else
        finish_few(kind, x, 3, c->rows_n, finish, out);
}

/* Arrays: windows that double, two of each since the first part of n is left where it is; windows
 * of the parts of n so far. */
CPU_INLINE void make_long(enum moment_kind kind, const struct rolling_chunk *c, const double *x,
                          struct finish finish, double *restrict out)
{
    struct moment_arrays now = {c->array[0], c->array[1]}, other = {c->array[2], c->array[3]};
    struct beginning begun = {x, {c->array[4], c->array[5]}, c->n & 3};
    size_t n = c->n, size = 4;
    make_fours(kind, x, c->base_n - 3, now);
    while (begun.have + size != n || !(n & size)) {
        struct moment_arrays from = now;
        if (n & size && begun.have == 0) {
            begun.all = now;
            now = other;
        } else if (n & size) {
            append(kind, begun, now, size, c->rows_n, begun.all);
        }
        begun.have += n & size;
        bool is_skipped = !(n & 2 * size); /* and so there is a greater one */
        if (is_skipped)
            make_four_times(kind, from, size, c->base_n - (4 * size - 1), now);
        else
            make_twice(kind, from, size, c->base_n - (2 * size - 1), now);
        size *= is_skipped ? 4 : 2;
    }
    if (begun.have == 0)
        finish_all(kind, now, c->rows_n, finish, out);
    else
        finish_append(kind, begun, now, size, c->rows_n, finish, out);
}

CPU_INLINE void make_moments(enum moment_kind kind, const struct rolling_chunk *c, const double *x,
                             struct finish finish, double *restrict out)
{
    if (c->n < 4)
        make_short(kind, c, x, finish, out);
    else
        make_long(kind, c, x, finish, out);
}

#define MOMENT_PARAMETERS                                                                          \
    (const struct rolling_chunk *c, const double *x, struct finish finish, double *out)
#define MOMENT_ARGUMENTS (c, x, finish, out)

CPU_INLINE void lines_body MOMENT_PARAMETERS
{
    make_moments(LINE, c, x, finish, out);
}
CPU_VERSIONS(make_lines, lines_body, MOMENT_PARAMETERS, MOMENT_ARGUMENTS)

CPU_INLINE void variances_body MOMENT_PARAMETERS
{
    make_moments(VARIANCE, c, x, finish, out);
}
CPU_VERSIONS(make_variances, variances_body, MOMENT_PARAMETERS, MOMENT_ARGUMENTS)

CPU_INLINE void deviations_body MOMENT_PARAMETERS
{
    make_moments(DEVIATION, c, x, finish, out);
}
CPU_VERSIONS(make_deviations, deviations_body, MOMENT_PARAMETERS, MOMENT_ARGUMENTS)

#define MOMENT_ARRAYS 7 /* those of make_moments(), and one for values */

struct moment_job {
    enum moment_kind kind;
    struct finish finish;
};

static void make_chunk(const struct rolling_chunk *c, const void *ctx)
{
    const struct moment_job *job = ctx;
    const double *given = rolling_input(c, 0);
    const double *x =
        rolling_values(given, c->base_n, ROLLING_VALUE_MAX, c->array[MOMENT_ARRAYS - 1]);
    double *out = c->span->out[0] + c->end;
    if (job->kind == LINE)
        make_lines(c, x, job->finish, out);
    else if (job->kind == VARIANCE)
        make_variances(c, x, job->finish, out);
    else
        make_deviations(c, x, job->finish, out);
    if (x != given)
        rolling_mark(given, c->rows_n, c->n, ROLLING_VALUE_MAX, out);
}

static int each_moment(const struct indicator_span *span, const struct moment_job *job)
{
    struct rolling_plan plan = {
        .n = (uint32_t)span->param[0], .arrays_n = MOMENT_ARRAYS, .make = make_chunk, .ctx = job};
    return rolling_each_chunk(span, &plan);
}

int rolling_lines(const struct indicator_span *span, double mean_factor, double moment_factor)
{
    struct moment_job job = {LINE, {mean_factor, moment_factor, span->param[0]}};
    return each_moment(span, &job);
}

int rolling_variances(const struct indicator_span *span)
{
    struct moment_job job = {VARIANCE, {.n = span->param[0]}};
    return each_moment(span, &job);
}

int rolling_deviations(const struct indicator_span *span)
{
    struct moment_job job = {DEVIATION, {.n = span->param[0]}};
    return each_moment(span, &job);
}
