/* SPDX-License-Identifier: MIT */
/* Running totals of many periods over one input: four periods in a vector, several vectors in
 * turns, so that their additions do not wait for each other. A block is made so where all values in
 * it and before it are of one scale (BLOCK_EVEN); elsewhere one period is made after another. */
#include "shm/indicator/running_chain.h"

#include "shm/indicator/cpu.h"

#if CPU_HAS_LEVELS
#include <immintrin.h>

#define PERIODS 4u /* lanes of a vector */
#define VECTORS 4u /* at most; their totals do not wait for each other */
#define GROUP   (PERIODS * VECTORS)

typedef double vector __attribute__((vector_size(PERIODS * sizeof(double))));
typedef double vector_at __attribute__((vector_size(PERIODS * sizeof(double)), aligned(8)));

#define BLEND(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)

/* Chains of the same rows with other periods. */
struct group {
    struct chain c[GROUP];
    struct running_job job[GROUP];
    uint32_t periods_n; /* a multiple of PERIODS */
    uint32_t longest;
};

/* Rows to columns, in place, of a 4 by 4 square whose left half is in v[0] and v[1], and whose
 * right one is in v[2] and v[3]: row 0 beside row 2, and 1 beside 3. */
#define TRANSPOSE_HALVES(v)                                                                        \
    do {                                                                                           \
        vector left02_ = (v)[0], left13_ = (v)[1], right02_ = (v)[2], right13_ = (v)[3];           \
        (v)[0] = BLEND(left02_, left13_, 0, 4, 2, 6);                                              \
        (v)[1] = BLEND(left02_, left13_, 1, 5, 3, 7);                                              \
        (v)[2] = BLEND(right02_, right13_, 0, 4, 2, 6);                                            \
        (v)[3] = BLEND(right02_, right13_, 1, 5, 3, 7);                                            \
    } while (0)

/* Rows to columns, in place. */
#define TRANSPOSE(v)                                                                               \
    do {                                                                                           \
        vector low01_ = BLEND((v)[0], (v)[1], 0, 4, 2, 6);                                         \
        vector high01_ = BLEND((v)[0], (v)[1], 1, 5, 3, 7);                                        \
        vector low23_ = BLEND((v)[2], (v)[3], 0, 4, 2, 6);                                         \
        vector high23_ = BLEND((v)[2], (v)[3], 1, 5, 3, 7);                                        \
        (v)[0] = BLEND(low01_, low23_, 0, 1, 4, 5);                                                \
        (v)[1] = BLEND(high01_, high23_, 0, 1, 4, 5);                                              \
        (v)[2] = BLEND(low01_, low23_, 2, 3, 6, 7);                                                \
        (v)[3] = BLEND(high01_, high23_, 2, 3, 6, 7);                                              \
    } while (0)

#define TWO_PAIRS(first, second)                                                                   \
    _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(first)), _mm_loadu_pd(second), 1)

/* Four periods. */
struct lanes {
    vector total, n, reciprocal;
    const double *oldest[PERIODS];
    double *out[PERIODS];
};

/* Rows [i, i + 4): adds x, keeps the totals (divided, if it is a mean), subtracts what leaves. */
CPU_FOR_AVX2 CPU_INLINE void add_and_subtract_lanes(struct lanes *l, const double *x, size_t i,
                                                    bool is_mean)
{
    const double *a = l->oldest[0] + i, *b = l->oldest[1] + i;
    const double *c = l->oldest[2] + i, *d = l->oldest[3] + i;
    vector leaves[PERIODS] = {TWO_PAIRS(a, c), TWO_PAIRS(b, d), TWO_PAIRS(a + 2, c + 2),
                              TWO_PAIRS(b + 2, d + 2)};
    vector out[PERIODS], total = l->total, n = l->n, reciprocal = l->reciprocal;
    TRANSPOSE_HALVES(leaves);
    for (uint32_t r = 0; r < PERIODS; r++) {
        total += x[i + r];
        out[r] = total;
        total -= leaves[r];
    }
    l->total = total;
    for (uint32_t r = 0; is_mean && r < PERIODS; r++) {
        vector q = out[r] * reciprocal; /* as QUOTIENT_EXACT */
        out[r] = _mm256_fmadd_pd(_mm256_fnmadd_pd(n, q, out[r]), reciprocal, q);
    }
    TRANSPOSE(out);
    for (uint32_t k = 0; k < PERIODS; k++)
        *(vector_at *)(l->out[k] + i) = out[k];
}

CPU_FOR_AVX2 CPU_INLINE void add_and_subtract_all(struct lanes *lanes, uint32_t lanes_n,
                                                  const double *x, uint32_t rows_n, bool is_mean)
{
    for (size_t i = 0; i < rows_n; i += PERIODS) {
        for (uint32_t v = 0; v < lanes_n; v++)
            add_and_subtract_lanes(&lanes[v], x, i, is_mean);
    }
}

CPU_FOR_AVX2 static void add_and_subtract_group(struct group *g, uint32_t rows_n, bool is_mean)
{
    struct lanes lanes[VECTORS];
    for (uint32_t k = 0; k < g->periods_n; k++) {
        struct lanes *l = &lanes[k / PERIODS];
        const struct chain *c = &g->c[k];
        l->total[k % PERIODS] = c->s.total;
        l->n[k % PERIODS] = g->job[k].n;
        l->reciprocal[k % PERIODS] = 1.0 / g->job[k].n;
        l->oldest[k % PERIODS] = c->x - (g->job[k].n - 1);
        l->out[k % PERIODS] = c->out;
    }
    if (is_mean)
        add_and_subtract_all(lanes, g->periods_n / PERIODS, g->c[0].x, rows_n, true);
    else
        add_and_subtract_all(lanes, g->periods_n / PERIODS, g->c[0].x, rows_n, false);
    for (uint32_t k = 0; k < g->periods_n; k++)
        g->c[k].s.total = lanes[k / PERIODS].total[k % PERIODS];
}

/* Whether a block of all chains is even by the strictest of their peaks. */
static bool group_is_even(const struct group *g, uint32_t rows_n, struct range *ret_block)
{
    struct range range;
    int32_t peak = 0;
    for (uint32_t k = 0; k < g->periods_n; k++) {
        if (g->c[k].s.seen < g->job[k].n - 1)
            return false;
        peak = g->c[k].s.peak > peak ? g->c[k].s.peak : peak;
    }
    running_range(g->c[0].x - (g->longest - 1), rows_n + (g->longest - 1), &range);
    running_range(g->c[0].x, rows_n, ret_block);
    peak = running_exponent(range.greatest) > peak ? running_exponent(range.greatest) : peak;
    return range.is_good && running_exponent(range.least) >= peak - LARGE_BITS &&
           peak >= PEAK_LEAST;
}

static void group_block(struct group *g, uint32_t rows_n)
{
    struct range block;
    uint32_t quick_n = rows_n / PERIODS * PERIODS;
    if (quick_n < g->longest / 4 || quick_n == 0 || !group_is_even(g, quick_n, &block))
        quick_n = 0;
    else
        add_and_subtract_group(g, quick_n, g->job[0].is_mean);
    for (uint32_t k = 0; k < g->periods_n; k++) {
        struct chain *c = &g->c[k];
        if (quick_n > 0) {
            chain_pass(c, quick_n);
            c->s.peak = running_exponent(block.greatest) > c->s.peak
                            ? running_exponent(block.greatest)
                            : c->s.peak;
            c->s.large = g->job[k].n - 1;
        }
        chain_make_rows(c, 1, &g->job[k], rows_n - quick_n);
    }
}

/* Rows up to the end of the span or of the tile; returns how many. */
static uint32_t group_part(const struct indicator_span *spans, struct group *g, uint32_t row)
{
    uint32_t left_n = spans->rows_n - (row - spans->row), tile_n = TILE - row % TILE;
    uint32_t rows_n = left_n < tile_n ? left_n : tile_n;
    for (uint32_t k = 0; k < g->periods_n; k++) {
        g->c[k] = chain_at(&spans[k], row);
        if (row % TILE == 0)
            chain_start(&g->c[k], &g->job[k], running_past_rows(&g->job[k], row));
        else
            memcpy(&g->c[k].s, spans[k].state, sizeof(g->c[k].s));
    }
    uint32_t block = g->longest > BLOCK_ROWS ? g->longest : BLOCK_ROWS;
    for (uint32_t i = 0; i < rows_n; i += block)
        group_block(g, rows_n - i < block ? rows_n - i : block);
    for (uint32_t k = 0; k < g->periods_n; k++)
        memcpy(spans[k].state, &g->c[k].s, sizeof(g->c[k].s));
    return rows_n;
}

static void group_advance(const struct indicator_span *spans, uint32_t periods_n, bool is_mean)
{
    struct group g;
    g.periods_n = periods_n;
    g.longest = 1;
    for (uint32_t k = 0; k < periods_n; k++) {
        g.job[k] = (struct running_job){(uint32_t)spans[k].param[0], is_mean};
        g.longest = g.job[k].n > g.longest ? g.job[k].n : g.longest;
    }
    for (uint32_t i = 0; i < spans->rows_n;)
        i += group_part(spans, &g, spans->row + i);
}
#endif

int running_advance_family(const struct indicator_span *spans, uint32_t spans_n, bool is_mean)
{
    uint32_t k = 0;
#if CPU_HAS_LEVELS
    for (uint32_t n; cpu_level() >= CPU_AVX2 && spans_n - k >= PERIODS; k += n) {
        n = spans_n - k < GROUP ? (spans_n - k) / PERIODS * PERIODS : GROUP;
        group_advance(&spans[k], n, is_mean);
    }
#endif
    for (; k < spans_n; k++)
        (void)running_advance(&spans[k], is_mean);
    return 0;
}
