/* SPDX-License-Identifier: MIT */
/* Indicators that set one running total of a window against another: money flow index, ultimate
 * oscillator.
 *
 * A bar has two terms. Those of the bars that enter and leave are made for a chunk of rows by
 * vector loops; then the totals run, two side by side. They keep what additions round off, so what
 * left the window leaves nothing behind. A bar whose terms are not finite starts the window anew.
 */
#include <stdbool.h>
#include <string.h>

#include "shm/indicator/cpu.h"
#include "shm/indicator/row.h"
#include "shm/indicator/total.h"

#define WINDOWS_MAX 3
#define CHUNK       256u
#define NEAR        64u   /* rows before a chunk whose terms are made with its own */
#define TERM_MAX    1e290 /* beyond it counts as infinite, so that no total overflows */

/* Totals of the last `period[k]` bars, and good bars in a row. */
struct flows {
    struct total_pair total[WINDOWS_MAX];
    double seen;
};

/* Of each row of a chunk and of those near before it: two terms; or their totals. */
struct terms {
    double first[NEAR + CHUNK], second[NEAR + CHUNK];
};

/* Somewhere in terms. */
struct place {
    const double *first, *second;
};

/* What differs between the indicators. */
struct flows_kind {
    /* Terms of rows [at, at + n) of the span, which may lie before it; false if any is not good.
     * Each looks at the bar before its own too. */
    bool (*terms)(const struct indicator_span *s, int64_t at, uint32_t n, struct terms *ret_terms);
    int windows_n;
    uint32_t period[WINDOWS_MAX]; /* shortest first */
};

static inline struct place place_in(const struct terms *t, uint32_t at)
{
    return (struct place){t->first + at, t->second + at};
}

static inline pair_of_doubles pair_at(struct place t, uint32_t i)
{
    return (pair_of_doubles){t.first[i], t.second[i]};
}

/* One row, by itself. */
static void step(const struct indicator_span *s, const struct flows_kind *kind, struct flows *f,
                 int64_t at)
{
    struct terms now, old;
    if (!kind->terms(s, at, 1, &now)) {
        *f = (struct flows){0};
        return;
    }
    for (int k = 0; k < kind->windows_n; k++) {
        total_pair_add(&f->total[k], pair_at(place_in(&now, 0), 0));
        if (f->seen >= kind->period[k]) {
            (void)kind->terms(s, at - kind->period[k], 1, &old);
            total_pair_add(&f->total[k], -pair_at(place_in(&old, 0), 0));
        }
    }
    f->seen++;
}

/* n rows with full windows and good terms: those that enter, and those that leave each window. All
 * windows run side by side. */
CPU_INLINE void run_windows(struct total_pair *total, int windows_n, struct place now,
                            const struct place *old, uint32_t n, struct terms *ret_totals)
{
    struct total_pair t[WINDOWS_MAX];
    memcpy(t, total, sizeof(t));
    for (uint32_t i = 0; i < n; i++) {
        for (int k = 0; k < windows_n; k++) {
            total_pair_add(&t[k], pair_at(now, i));
            total_pair_add(&t[k], -pair_at(old[k], i));
            pair_of_doubles both = total_pair_of(&t[k]);
            ret_totals[k].first[i] = both[0];
            ret_totals[k].second[i] = both[1];
        }
    }
    memcpy(total, t, sizeof(t));
}

/* At a tile's first row: the windows less that row, from the rows before alone. */
static void seed(const struct indicator_span *s, const struct flows_kind *kind, struct flows *f,
                 int64_t at)
{
    int64_t row = s->row + at, longest = kind->period[kind->windows_n - 1];
    memset(f, 0, sizeof(*f));
    for (int64_t r = row > longest ? row - longest + 1 : 1; r < row; r++)
        step(s, kind, f, r - s->row);
}

/* The same of rows [at, at + n) of the span. False, and nothing has changed, where a term is not
 * good. */
static bool run_full(const struct indicator_span *s, const struct flows_kind *kind, struct flows *f,
                     uint32_t at, uint32_t n, struct terms *ret_totals)
{
    struct terms all, far[WINDOWS_MAX];
    struct place old[WINDOWS_MAX];
    uint32_t longest = kind->period[kind->windows_n - 1], near_n = longest < NEAR ? longest : 0;
    if (!kind->terms(s, (int64_t)at - near_n, near_n + n, &all))
        return false;
    for (int k = 0; k < kind->windows_n; k++) {
        uint32_t period = kind->period[k];
        old[k] = period <= near_n ? place_in(&all, near_n - period) : place_in(&far[k], 0);
        if (period > near_n)
            (void)kind->terms(s, (int64_t)at - period, n, &far[k]);
    }
    if (kind->windows_n == 1)
        run_windows(f->total, 1, place_in(&all, near_n), old, n, ret_totals);
    else
        run_windows(f->total, WINDOWS_MAX, place_in(&all, near_n), old, n, ret_totals);
    f->seen += n;
    return true;
}

/* Totals of rows [at, at + n) of the span, which are in one tile; NaN where a window is not full.
 */
static void run_rows(const struct indicator_span *s, const struct flows_kind *kind, struct flows *f,
                     uint32_t at, uint32_t n, struct terms *ret_totals)
{
    uint32_t longest = kind->period[kind->windows_n - 1];
    if (f->seen >= longest && n > 1 && run_full(s, kind, f, at, n, ret_totals))
        return;
    for (uint32_t i = 0; i < n; i++) {
        if (s->row + at + i > 0)
            step(s, kind, f, at + i);
        for (int k = 0; k < kind->windows_n; k++) {
            pair_of_doubles both = total_pair_of(&f->total[k]);
            ret_totals[k].first[i] = f->seen >= longest ? both[0] : NAN;
            ret_totals[k].second[i] = f->seen >= longest ? both[1] : NAN;
        }
    }
}

/* Rows of the span from `at` on that are done at once. */
static uint32_t chunk_rows(const struct indicator_span *s, uint32_t at)
{
    uint32_t in_tile = INDICATOR_TILE_ROWS - (s->row + at) % INDICATOR_TILE_ROWS;
    uint32_t n = s->rows_n - at < CHUNK ? s->rows_n - at : CHUNK;
    return n < in_tile ? n : in_tile;
}

/* All rows of the span; `finish` makes outputs of totals. */
static int advance(const struct indicator_span *s, const struct flows_kind *kind,
                   void (*finish)(const struct terms *sums, uint32_t n, double *out))
{
    struct flows *f = s->state;
    struct terms sums[WINDOWS_MAX];
    for (uint32_t at = 0, n; at < s->rows_n; at += n) {
        n = chunk_rows(s, at);
        if ((s->row + at) % INDICATOR_TILE_ROWS == 0)
            seed(s, kind, f, at);
        run_rows(s, kind, f, at, n, sums);
        finish(sums, n, s->out[0] + at);
    }
    return 0;
}

/* ---- money flow index ----------------------------------------------------------------------- */

#define NO_MONEY 1.0 /* TA-Lib takes less than this for none */

/* Money of the bars whose typical price rose, and fell. Bad rows are counted in *ret_bad_n. */
CPU_INLINE void money_body(const struct indicator_span *s, int64_t at, uint32_t n,
                           struct terms *restrict ret_terms, uint64_t *ret_bad_n)
{
    const double *high = s->input[0] + at, *low = s->input[1] + at, *close = s->input[2] + at;
    const double *volume = s->input[3] + at;
    uint64_t bad_n = 0;
    for (uint32_t i = 0; i < n; i++) {
        const double *h = high + i - 1, *l = low + i - 1, *c = close + i - 1;
        double before = (h[0] + l[0] + c[0]) / 3.0, now = (h[1] + l[1] + c[1]) / 3.0;
        double money = now * volume[i], turn = now - before;
        ret_terms->first[i] = turn > 0.0 ? money : 0.0;
        ret_terms->second[i] = turn < 0.0 ? money : 0.0;
        bad_n += fabs(money) + fabs(turn) <= TERM_MAX ? 0 : 1;
    }
    *ret_bad_n = bad_n;
}
CPU_VERSIONS(money_rows, money_body,
             (const struct indicator_span *s, int64_t at, uint32_t n, struct terms *ret_terms,
              uint64_t *ret_bad_n),
             (s, at, n, ret_terms, ret_bad_n))

static bool money_terms(const struct indicator_span *s, int64_t at, uint32_t n,
                        struct terms *ret_terms)
{
    uint64_t bad_n;
    money_rows(s, at, n, ret_terms, &bad_n);
    return bad_n == 0;
}

CPU_INLINE void index_body(const struct terms *sums, uint32_t n, double *restrict out)
{
    for (uint32_t i = 0; i < n; i++) {
        double up = sums->first[i], all = up + sums->second[i];
        double index = 100.0 * (up / all);
        out[i] = all < NO_MONEY ? 0.0 : index;
    }
}
CPU_VERSIONS(finish_mfi, index_body, (const struct terms *sums, uint32_t n, double *out),
             (sums, n, out))

static int advance_mfi(const struct indicator_span *s)
{
    struct flows_kind kind = {money_terms, 1, {lookback_n(s->param)}};
    return advance(s, &kind, finish_mfi);
}

static uint32_t lookback_mfi(const double *param)
{
    return lookback_n(param) + 1;
}

/* ---- ultimate oscillator -------------------------------------------------------------------- */

#define NO_RANGE 1e-14 /* TA-Lib takes less than this for none */

/* Close above the true low, and true range. */
CPU_INLINE void pressure_body(const struct indicator_span *s, int64_t at, uint32_t n,
                              struct terms *restrict ret_terms, uint64_t *ret_bad_n)
{
    const double *high = s->input[0] + at, *low = s->input[1] + at, *close = s->input[2] + at;
    uint64_t bad_n = 0;
    for (uint32_t i = 0; i < n; i++) {
        const double *c = close + i - 1;
        double true_low = c[0] < low[i] ? c[0] : low[i];
        double true_high = c[0] > high[i] ? c[0] : high[i];
        ret_terms->first[i] = c[1] - true_low;
        ret_terms->second[i] = true_high - true_low;
        bad_n += fabs(high[i]) + fabs(low[i]) + fabs(c[0]) + fabs(c[1]) <= TERM_MAX ? 0 : 1;
    }
    *ret_bad_n = bad_n;
}
CPU_VERSIONS(pressure_rows, pressure_body,
             (const struct indicator_span *s, int64_t at, uint32_t n, struct terms *ret_terms,
              uint64_t *ret_bad_n),
             (s, at, n, ret_terms, ret_bad_n))

static bool pressure_terms(const struct indicator_span *s, int64_t at, uint32_t n,
                           struct terms *ret_terms)
{
    uint64_t bad_n;
    pressure_rows(s, at, n, ret_terms, &bad_n);
    return bad_n == 0;
}

CPU_INLINE void oscillator_body(const struct terms *sums, uint32_t n, double *restrict out)
{
    for (uint32_t i = 0; i < n; i++) {
        double share[WINDOWS_MAX];
        for (int k = 0; k < WINDOWS_MAX; k++) {
            double range = sums[k].second[i], whole = sums[k].first[i] / range;
            share[k] = range < NO_RANGE ? 0.0 : whole;
        }
        out[i] = 100.0 * ((4.0 * share[0] + 2.0 * share[1] + share[2]) / 7.0);
    }
}
CPU_VERSIONS(finish_ultosc, oscillator_body, (const struct terms *sums, uint32_t n, double *out),
             (sums, n, out))

static void sort_periods(const double *param, uint32_t *periods)
{
    for (int k = 0; k < WINDOWS_MAX; k++) {
        int at = k;
        for (; at > 0 && periods[at - 1] > param[k]; at--)
            periods[at] = periods[at - 1];
        periods[at] = (uint32_t)param[k];
    }
}

static int advance_ultosc(const struct indicator_span *s)
{
    struct flows_kind kind = {pressure_terms, WINDOWS_MAX, {0}};
    sort_periods(s->param, kind.period);
    return advance(s, &kind, finish_ultosc);
}

static uint32_t lookback_ultosc(const double *param)
{
    uint32_t periods[WINDOWS_MAX] = {0};
    sort_periods(param, periods);
    return periods[WINDOWS_MAX - 1] + 1;
}

/* ---- table ---------------------------------------------------------------------------------- */

/* clang-format off */
static const struct indicator rows[] = {
    {.name = "mfi", .cls = CLASS_ROLLING, .implied = "high low close volume",
     .params_n = 1, .params = {PERIOD("n", 2)}, .outputs_n = 1, .outputs = {"mfi"},
     .warm_up_text = "n",
     .formula = "money flow index: 100 * up / (up + down), the totals over the last n bars of "
                "typprice() * volume of those whose typprice() rose, and fell",
     .edges = "0 where up + down is below 1, so with no volume or no movement",
     .source = "Quong and Soudack 1989; " TALIB, .lookback = lookback_mfi,
     .state_bytes = sizeof(struct flows), .advance = advance_mfi},
    {.name = "ultosc", .cls = CLASS_ROLLING, .implied = "high low close",
     .params_n = 3, .params = {PERIOD("a", 1), PERIOD("b", 1), PERIOD("c", 1)},
     .outputs_n = 1, .outputs = {"ultosc"}, .warm_up_text = "c",
     .formula = "ultimate oscillator: 100 * (4 * A + 2 * B + C) / 7, where A, B, C are the totals of "
                "close - min(low, close before) by those of the true range over the last a, b, c "
                "bars; a is the shortest and c the longest in whatever order they are given",
     .edges = "a window without range counts as 0", .source = "Williams 1985; " TALIB,
     .lookback = lookback_ultosc, .state_bytes = sizeof(struct flows), .advance = advance_ultosc},
};
/* clang-format on */

const struct indicator_family family_flows = INDICATOR_FAMILY("flows", rows);
