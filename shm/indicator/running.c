/* SPDX-License-Identifier: MIT */
#include "shm/indicator/running_chain.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "shm/indicator/cpu.h"
#include "shm/indicator/row.h"

#define CHAINS 4u

/* ---- one row at a time ---------------------------------------------------------------------- */

/* Of the values from x on. */
static uint32_t count_large(const double *x, uint32_t rows_n, int32_t peak)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < rows_n; i++)
        n += running_exponent(x[i]) >= peak - LARGE_BITS;
    return n;
}

/* x is at the row, and those that have been seen stand before it. */
static void enter(struct running *s, const double *x)
{
    int32_t exponent = running_exponent(*x);
    s->total += *x;
    if (exponent > s->peak) {
        s->peak = exponent;
        s->large = count_large(x - s->seen, s->seen, s->peak);
    }
    s->large += exponent >= s->peak - LARGE_BITS;
}

/* Adds a whole window up, oldest first. */
static void add_up(struct running *s, const double *window, uint32_t n)
{
    s->total = 0.0;
    s->peak = 0;
    for (uint32_t i = 0; i < n; i++) {
        s->total += window[i];
        s->peak = running_exponent(window[i]) > s->peak ? running_exponent(window[i]) : s->peak;
    }
    s->large = count_large(window, n, s->peak);
}

/* The total of the window that ends at x; NaN where there is none. */
static double running_row(struct running *s, const double *x, uint32_t n)
{
    if (!(fabs(*x) <= RUNNING_VALUE_MAX)) {
        *s = (struct running){0};
        return NAN;
    }
    enter(s, x);
    if (s->seen < n - 1) {
        s->seen++;
        return NAN;
    }
    const double *oldest = x - (n - 1);
    if (s->large == 0)
        add_up(s, oldest, n);
    double total = s->total;
    s->total -= *oldest;
    s->large -= running_exponent(*oldest) >= s->peak - LARGE_BITS;
    return total;
}

/* ---- what a block holds --------------------------------------------------------------------- */

CPU_INLINE void range_add(struct range *r, double x)
{
    double value = fabs(x);
    r->least = value < r->least ? value : r->least;
    r->greatest = value > r->greatest ? value : r->greatest;
    r->is_good = r->is_good && value <= RUNNING_VALUE_MAX;
}

CPU_INLINE void range_plain(const double *x, uint32_t rows_n, struct range *ret_range)
{
    struct range r = {INFINITY, 0.0, true};
    for (size_t i = 0; i < rows_n; i++)
        range_add(&r, x[i]);
    *ret_range = r;
}

CPU_INLINE void range_wide(const double *x, uint32_t rows_n, struct range *ret_range)
{
    struct range r = {INFINITY, 0.0, true};
    cpu_four least = {INFINITY, INFINITY, INFINITY, INFINITY}, greatest = {0}, none = {0};
    size_t i = 0;
    for (; i + 4 <= rows_n; i += 4) {
        cpu_four value = CPU_ABS(CPU_FOUR_AT(x + i));
        least = CPU_PICK(value < least, value, least);
        greatest = CPU_PICK(value > greatest, value, greatest);
        none += value * 0.0; /* not 0 once there is what is not finite */
    }
    for (uint32_t k = 0; k < 4 && i > 0; k++) {
        range_add(&r, least[k]);
        range_add(&r, greatest[k]);
        r.is_good = r.is_good && none[k] == 0.0;
    }
    for (; i < rows_n; i++)
        range_add(&r, x[i]);
    *ret_range = r;
}
CPU_TWINS(range_of, range_plain, range_wide,
          (const double *x, uint32_t rows_n, struct range *ret_range), (x, rows_n, ret_range))

void running_range(const double *x, uint32_t rows_n, struct range *ret_range)
{
    range_of(x, rows_n, ret_range);
}

enum block_kind {
    BLOCK_ROW_BY_ROW, /* something in it is not finite, or a total has to be added up again */
    BLOCK_MIXED,      /* each window holds a large value */
    BLOCK_EVEN,       /* all values are large */
};

/* Whether each window of n among the values holds a large one. */
static bool windows_are_large(const double *x, uint32_t values_n, uint32_t n, int32_t peak)
{
    uint32_t since = 0;
    for (uint32_t i = 0; i < values_n && since < n; i++)
        since = running_exponent(x[i]) >= peak - LARGE_BITS ? 0 : since + 1;
    return since < n;
}

/* How rows_n rows from x on can be made, behind the n - 1 before. `s` is full. */
static enum block_kind look_at(const struct running *s, const double *x, uint32_t rows_n,
                               uint32_t n, int32_t *ret_peak)
{
    struct range range;
    if (s->seen < n - 1 || rows_n < n / 4)
        return BLOCK_ROW_BY_ROW;
    range_of(x - (n - 1), rows_n + (n - 1), &range);
    if (!range.is_good)
        return BLOCK_ROW_BY_ROW;
    int32_t peak = running_exponent(range.greatest);
    *ret_peak = peak = peak > s->peak ? peak : s->peak;
    if (running_exponent(range.least) >= peak - LARGE_BITS)
        return BLOCK_EVEN;
    if (rows_n >= n && windows_are_large(x - (n - 1), rows_n + (n - 1), n, peak))
        return BLOCK_MIXED;
    return BLOCK_ROW_BY_ROW;
}

/* ---- division ------------------------------------------------------------------------------- */

#if CPU_HAS_LEVELS
/* The quotient a / n, correctly rounded as the machine's division, for a whole n up to 2^31, where
 * it is 0 or not subnormal. q = a * (1 / n) is wrong by less than 2 units u in its last place;
 * a - q * n is then a whole number of u below 2^33, so that the first fma is exact; and q + rest *
 * (1 / n) misses a / n by less than 2^-51 u before it is rounded, while a / n, a fraction of u over
 * 2 * n, is no nearer than 2^-32 u to the middle of two numbers (it is in no middle, because a
 * would have a bit more than it has). */
#define QUOTIENT_EXACT(a, n, reciprocal)                                                           \
    __extension__({                                                                                \
        double quotient_ = (a) * (reciprocal);                                                     \
        __builtin_fma(__builtin_fma(-(n), quotient_, (a)), (reciprocal), quotient_);               \
    })

CPU_FOR_AVX2 static void divide_by_fma(double *out, uint32_t rows_n, double n)
{
    double reciprocal = 1.0 / n;
    for (uint32_t i = 0; i < rows_n; i++)
        out[i] = QUOTIENT_EXACT(out[i], n, reciprocal);
}
#endif

static bool may_use_fma(enum block_kind kind, int32_t peak)
{
    return CPU_HAS_LEVELS && cpu_level() >= CPU_AVX2 && kind == BLOCK_EVEN && peak >= PEAK_LEAST;
}

static void divide_block(double *out, uint32_t rows_n, double n, bool is_by_fma)
{
#if CPU_HAS_LEVELS
    if (is_by_fma) {
        divide_by_fma(out, rows_n, n);
        return;
    }
#endif
    (void)is_by_fma;
    for (uint32_t i = 0; i < rows_n; i++)
        out[i] /= n;
}

/* ---- totals that do not wait for each other ------------------------------------------------- */

static void block_row_by_row(struct chain *c, const struct running_job *job, uint32_t rows_n)
{
    for (uint32_t i = 0; i < rows_n; i++) {
        double total = running_row(&c->s, c->x + i, job->n);
        c->out[i] = job->is_mean ? total / job->n : total;
    }
    chain_pass(c, rows_n);
}

/* State behind a block whose totals are made. */
static void settle_block(struct chain *c, const struct running_job *job, uint32_t rows_n,
                         enum block_kind kind, int32_t peak)
{
    if (job->is_mean)
        divide_block(c->out, rows_n, job->n, may_use_fma(kind, peak));
    chain_pass(c, rows_n);
    c->s.peak = peak;
    c->s.large = job->n - 1;
    if (kind == BLOCK_MIXED)
        c->s.large = count_large(c->x - (job->n - 1), job->n - 1, peak);
}

/* Chains lie a tile apart. */
CPU_INLINE void add_and_subtract(struct chain *c, uint32_t chains_n, uint32_t n, uint32_t rows_n)
{
    const double *x = c->x, *oldest = c->x - (n - 1);
    double *out = c->out, total[CHAINS];
    for (uint32_t k = 0; k < chains_n; k++)
        total[k] = c[k].s.total;
    for (size_t i = 0; i < rows_n; i++) {
        for (uint32_t k = 0; k < chains_n; k++) {
            total[k] += x[i + (size_t)k * TILE];
            out[i + (size_t)k * TILE] = total[k];
            total[k] -= oldest[i + (size_t)k * TILE];
        }
    }
    for (uint32_t k = 0; k < chains_n; k++)
        c[k].s.total = total[k];
}

static void make_blocks(struct chain *c, uint32_t chains_n, const struct running_job *job,
                        uint32_t rows_n)
{
    enum block_kind kind[CHAINS];
    int32_t peak[CHAINS];
    uint32_t quick_n = 0;
    for (uint32_t k = 0; k < chains_n; k++) {
        kind[k] = look_at(&c[k].s, c[k].x, rows_n, job->n, &peak[k]);
        quick_n += kind[k] != BLOCK_ROW_BY_ROW;
    }
    if (quick_n == CHAINS) {
        add_and_subtract(c, CHAINS, job->n, rows_n);
    } else {
        for (uint32_t k = 0; k < chains_n; k++) {
            if (kind[k] == BLOCK_ROW_BY_ROW)
                block_row_by_row(&c[k], job, rows_n);
            else
                add_and_subtract(&c[k], 1, job->n, rows_n);
        }
    }
    for (uint32_t k = 0; k < chains_n; k++) {
        if (kind[k] != BLOCK_ROW_BY_ROW)
            settle_block(&c[k], job, rows_n, kind[k], peak[k]);
    }
}

/* Adds the rows before a tile's first one up; `past_n` of them can be read. */
void chain_start(struct chain *c, const struct running_job *job, uint32_t past_n)
{
    struct range range;
    const double *first = c->x - past_n;
    c->s = (struct running){0};
    range_of(first, past_n, &range);
    if (past_n > 0 && range.is_good &&
        running_exponent(range.least) >= running_exponent(range.greatest) - LARGE_BITS) {
        for (uint32_t i = 0; i < past_n; i++)
            c->s.total += first[i];
        c->s.seen = c->s.large = past_n;
        c->s.peak = running_exponent(range.greatest);
        return;
    }
    for (uint32_t i = 0; i < past_n; i++)
        (void)running_row(&c->s, first + i, job->n);
}

static uint32_t block_rows(const struct running_job *job)
{
    return job->n > BLOCK_ROWS / 2 ? 2 * job->n : BLOCK_ROWS;
}

void chain_make_rows(struct chain *c, uint32_t chains_n, const struct running_job *job,
                     uint32_t rows_n)
{
    for (uint32_t i = 0; i < rows_n;) {
        uint32_t block = block_rows(job), left_n = rows_n - i;
        uint32_t missing = job->n - 1 - c->s.seen; /* rows before the first window */
        block = chains_n == 1 && missing > 0 && missing < block ? missing : block;
        block = block < left_n ? block : left_n;
        make_blocks(c, chains_n, job, block);
        i += block;
    }
}

/* ---- spans ---------------------------------------------------------------------------------- */

/* Rows up to the end of the span or of the tile; returns how many. */
static uint32_t make_part(const struct indicator_span *span, const struct running_job *job,
                          uint32_t row)
{
    uint32_t left_n = span->rows_n - (row - span->row), tile_n = TILE - row % TILE;
    uint32_t rows_n = left_n < tile_n ? left_n : tile_n;
    struct chain c = chain_at(span, row);
    if (row % TILE == 0)
        chain_start(&c, job, running_past_rows(job, row));
    else
        memcpy(&c.s, span->state, sizeof(c.s));
    chain_make_rows(&c, 1, job, rows_n);
    memcpy(span->state, &c.s, sizeof(c.s));
    return rows_n;
}

static void make_tiles(const struct indicator_span *span, const struct running_job *job,
                       uint32_t row)
{
    struct chain c[CHAINS];
    for (uint32_t k = 0; k < CHAINS; k++) {
        c[k] = chain_at(span, row + k * TILE);
        chain_start(&c[k], job, running_past_rows(job, row + k * TILE));
    }
    chain_make_rows(c, CHAINS, job, TILE);
    memcpy(span->state, &c[CHAINS - 1].s, sizeof(c->s));
}

int running_advance(const struct indicator_span *span, bool is_mean)
{
    struct running_job job = {(uint32_t)span->param[0], is_mean};
    for (uint32_t i = 0; i < span->rows_n;) {
        uint32_t row = span->row + i;
        bool is_tiles = row % TILE == 0 && row > 0 && (span->rows_n - i) / TILE >= CHAINS;
        if (is_tiles)
            make_tiles(span, &job, row);
        i += is_tiles ? CHAINS * TILE : make_part(span, &job, row);
    }
    return 0;
}
