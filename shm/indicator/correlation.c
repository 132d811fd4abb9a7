/* SPDX-License-Identifier: MIT */
/* Pearson's correlation by running totals, in TA-Lib's order of additions from each tile's first
 * row on: of prices that hardly move, what is left of a variance hangs on how its totals were
 * rounded.
 *
 * Blocks of rows are added up first and finished side by side after that. Where a total of squares
 * has fallen far below what it has been, rounding errors would be left of that: the window is added
 * up anew. Where a variance is so small beside its total of squares that it may be nothing but
 * rounding errors, the window is gone through once more, around its means. */
#include "shm/indicator/correlation.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "shm/indicator/cpu.h"
#include "shm/indicator/row.h"
#include "shm/indicator/running_chain.h"

#define VALUE_MAX   1e70 /* what is greater counts as not finite: products of squares are made */
#define SQUARES_MAX 1e139
#define KEPT        0x1p-8  /* of the greatest total of squares: less is added up anew */
#define ROUNDED     0x1p-42 /* of the total of squares: a variance below is made otherwise */
#define NOTHING     1e-14   /* TA-Lib takes a smaller product of two variances for none */

/* Of a window's values, their squares and their products. */
struct sums {
    double x, y, xx, yy, xy;
};

/* Between two rows. */
struct correlation {
    struct sums sums;      /* of the last n - 1 */
    double peak_x, peak_y; /* greatest xx and yy of windows since they were last added up */
    uint64_t seen;         /* good rows in a row, up to n - 1 */
};
static_assert(sizeof(struct correlation) == CORRELATION_STATE_BYTES, "as the table says");

struct columns {
    double x[BLOCK_ROWS], y[BLOCK_ROWS], xx[BLOCK_ROWS], yy[BLOCK_ROWS], xy[BLOCK_ROWS];
};

/* ---- totals --------------------------------------------------------------------------------- */

CPU_INLINE void enter(struct sums *s, double x, double y)
{
    s->x += x;
    s->xx += x * x;
    s->xy += x * y;
    s->y += y;
    s->yy += y * y;
}

CPU_INLINE void leave(struct sums *s, double x, double y)
{
    s->x -= x;
    s->xx -= x * x;
    s->xy -= x * y;
    s->y -= y;
    s->yy -= y * y;
}

CPU_INLINE void put(struct columns *c, size_t i, const struct sums *s)
{
    c->x[i] = s->x;
    c->y[i] = s->y;
    c->xx[i] = s->xx;
    c->yy[i] = s->yy;
    c->xy[i] = s->xy;
}

static void raise_peaks(struct correlation *s)
{
    s->peak_x = s->sums.xx > s->peak_x ? s->sums.xx : s->peak_x;
    s->peak_y = s->sums.yy > s->peak_y ? s->sums.yy : s->peak_y;
}

/* Adds a whole window up, oldest first. */
static void add_up(struct correlation *s, const double *x, const double *y, uint32_t n)
{
    s->sums = (struct sums){0};
    s->peak_x = s->peak_y = 0.0;
    for (uint32_t i = 0; i < n; i++)
        enter(&s->sums, x[i], y[i]);
}

/* The next row. Its sums, NaN where there is no window, into row i of the columns. */
static void add_row(struct correlation *s, const double *x, const double *y, uint32_t n,
                    struct columns *c, size_t i)
{
    static const struct sums nothing = {NAN, NAN, NAN, NAN, NAN};
    if (!(fabs(*x) <= VALUE_MAX && fabs(*y) <= VALUE_MAX)) {
        *s = (struct correlation){0};
        put(c, i, &nothing);
        return;
    }
    enter(&s->sums, *x, *y);
    if (s->seen < n - 1) {
        s->seen++;
        raise_peaks(s);
        put(c, i, &nothing);
        return;
    }
    const double *oldest_x = x - (n - 1), *oldest_y = y - (n - 1);
    if (!(s->sums.xx >= KEPT * s->peak_x && s->sums.yy >= KEPT * s->peak_y))
        add_up(s, oldest_x, oldest_y, n);
    raise_peaks(s);
    put(c, i, &s->sums);
    leave(&s->sums, *oldest_x, *oldest_y);
}

/* The same of many rows, where no total has to be added up anew. False, and nothing has changed but
 * the columns, where one may have to. */
static bool add_rows(struct correlation *s, const double *x, const double *y, uint32_t n,
                     uint32_t rows_n, struct columns *c)
{
    const double *oldest_x = x - (n - 1), *oldest_y = y - (n - 1);
    struct sums sums = s->sums;
    struct range xx, yy;
    if (s->seen < n - 1)
        return false;
    for (size_t i = 0; i < rows_n; i++) {
        enter(&sums, x[i], y[i]);
        put(c, i, &sums);
        leave(&sums, oldest_x[i], oldest_y[i]);
    }
    running_range(c->xx, rows_n, &xx);
    running_range(c->yy, rows_n, &yy);
    double peak_x = xx.greatest > s->peak_x ? xx.greatest : s->peak_x;
    double peak_y = yy.greatest > s->peak_y ? yy.greatest : s->peak_y;
    if (!xx.is_good || !yy.is_good || xx.greatest > SQUARES_MAX || yy.greatest > SQUARES_MAX ||
        xx.least < KEPT * peak_x || yy.least < KEPT * peak_y)
        return false;
    *s = (struct correlation){sums, peak_x, peak_y, s->seen};
    return true;
}

/* ---- coefficients --------------------------------------------------------------------------- */

CPU_INLINE void finish_body(const struct columns *c, uint32_t rows_n, double n,
                            double *restrict out, bool *ret_is_good)
{
    int64_t bad = 0;
    for (size_t i = 0; i < rows_n; i++) {
        double xx = c->xx[i] - c->x[i] * c->x[i] / n, yy = c->yy[i] - c->y[i] * c->y[i] / n;
        double product = xx * yy, result = (c->xy[i] - c->x[i] * c->y[i] / n) / sqrt(product);
        bad |= (xx >= ROUNDED * c->xx[i] ? 0 : 1) | (yy >= ROUNDED * c->yy[i] ? 0 : 1);
        out[i] = product < NOTHING ? 0.0 : result;
    }
    *ret_is_good = !bad;
}
CPU_VERSIONS(finish, finish_body,
             (const struct columns *c, uint32_t rows_n, double n, double *out, bool *ret_is_good),
             (c, rows_n, n, out, ret_is_good))

static double mean_of(const double *x, uint32_t n)
{
    double distance = 0.0;
    for (uint32_t i = 0; i < n; i++)
        distance += x[i] - x[0];
    return x[0] + distance / n;
}

/* Of a window, around its means. */
static double centred(const double *x, const double *y, uint32_t n)
{
    double mean_x = mean_of(x, n), mean_y = mean_of(y, n), xx = 0.0, yy = 0.0, xy = 0.0;
    for (uint32_t i = 0; i < n; i++) {
        double a = x[i] - mean_x, b = y[i] - mean_y;
        xx += a * a;
        yy += b * b;
        xy += a * b;
    }
    return xx * yy < NOTHING ? 0.0 : xy / (sqrt(xx) * sqrt(yy));
}

/* How many equal values end at x, up to n. */
static uint32_t count_equal(const double *x, uint32_t n)
{
    uint32_t equal = 1;
    while (equal < n && x[-(int64_t)equal] == x[0])
        equal++;
    return equal;
}

static uint32_t next_equal(const double *x, uint32_t n, uint32_t before)
{
    if (x[0] != x[-1])
        return 1;
    return before < n ? before + 1 : n;
}

/* Once more those rows whose variances are in doubt. */
static void mend(const struct columns *c, const double *x, const double *y, uint32_t n,
                 uint32_t rows_n, double *out)
{
    uint32_t equal_x = 0, equal_y = 0; /* unknown as yet */
    for (uint32_t i = 0; i < rows_n; i++) {
        double xx = c->xx[i] - c->x[i] * c->x[i] / n, yy = c->yy[i] - c->y[i] * c->y[i] / n;
        if (isnan(c->xx[i])) {
            out[i] = NAN;
            equal_x = equal_y = 0;
            continue;
        }
        equal_x = equal_x ? next_equal(x + i, n, equal_x) : count_equal(x + i, n);
        equal_y = equal_y ? next_equal(y + i, n, equal_y) : count_equal(y + i, n);
        if (equal_x == n || equal_y == n)
            out[i] = 0.0;
        else if (!(xx >= ROUNDED * c->xx[i] && yy >= ROUNDED * c->yy[i]))
            out[i] = centred(x + i - (n - 1), y + i - (n - 1), n);
    }
}

/* ---- spans ---------------------------------------------------------------------------------- */

static void make_block(struct correlation *s, const double *x, const double *y, uint32_t n,
                       uint32_t rows_n, double *out)
{
    struct columns c;
    bool is_good;
    if (!add_rows(s, x, y, n, rows_n, &c)) {
        for (uint32_t i = 0; i < rows_n; i++)
            add_row(s, x + i, y + i, n, &c, i);
    }
    finish(&c, rows_n, n, out, &is_good);
    if (!is_good)
        mend(&c, x, y, n, rows_n, out);
}

/* At a tile's first row: adds the past_n rows before it up. */
static void start(struct correlation *s, const double *x, const double *y, uint32_t n,
                  uint32_t past_n)
{
    struct columns unused;
    *s = (struct correlation){0};
    for (uint32_t i = past_n; i > 0; i--)
        add_row(s, x - i, y - i, n, &unused, 0);
}

int correlation_advance(const struct indicator_span *span)
{
    uint32_t n = (uint32_t)span->param[0], block_n;
    struct correlation s;
    memcpy(&s, span->state, sizeof(s));
    for (uint32_t i = 0; i < span->rows_n; i += block_n) {
        const double *x = span->input[0] + i, *y = span->input[1] + i;
        uint32_t row = span->row + i, left_n = span->rows_n - i, missing = n - 1 - (uint32_t)s.seen;
        if (row % TILE == 0) {
            start(&s, x, y, n, row < n - 1 ? row : n - 1);
            missing = n - 1 - (uint32_t)s.seen;
        }
        block_n = BLOCK_ROWS < TILE - row % TILE ? BLOCK_ROWS : TILE - row % TILE;
        block_n = block_n < left_n ? block_n : left_n;
        block_n = missing > 0 && missing < block_n ? missing : block_n;
        make_block(&s, x, y, n, block_n, span->out[0] + i);
    }
    memcpy(span->state, &s, sizeof(s));
    return 0;
}
