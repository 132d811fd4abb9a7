/* SPDX-License-Identifier: MIT */
#include "supervisor/check/compare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "proto/trade.h"
#include "proto/units.h"

/* Bit by bit, but for the many patterns of NaN. */
static bool is_same(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

/* Index of the first of n values that differ; n: none does. */
static size_t first_apart(const double *a, const double *b, size_t n)
{
    size_t i = 0;
    if (memcmp(a, b, n * sizeof *a) == 0)
        return n;
    while (i < n && is_same(a[i], b[i]))
        i++;
    return i;
}

/* ---- every bar ------------------------------------------------------------------------------ */

static uint32_t symbol_of(const struct run_detail *d, uint32_t s)
{
    return d->combo.symbol_idx == COMBO_ALL_SYMBOLS ? s : d->combo.symbol_idx;
}

static void note(struct check_difference *out, const char *what, uint32_t symbol_idx, double whole,
                 double cut)
{
    snprintf(out->what, sizeof out->what, "%s", what);
    out->symbol_idx = symbol_idx;
    out->whole = whole;
    out->cut = cut;
}

/* The first that differs at a step: positions cause cash, and cash equity. */
static bool note_step(const struct comparison *c, uint32_t t, struct check_difference *out)
{
    const struct run_detail *a = c->whole, *b = c->cut;
    out->bar = t;
    out->time_ns = a->time_ns[t];
    for (uint32_t s = 0; s < a->symbols_n; s++) {
        size_t at = (size_t)t * a->symbols_n + s;
        if (!is_same(a->position[at], b->position[at])) {
            note(out, "position", symbol_of(a, s), a->position[at], b->position[at]);
            return true;
        }
    }
    bool is_cash = !is_same(a->cash[t], b->cash[t]);
    if (!is_cash && is_same(a->equity[t], b->equity[t]))
        return false;
    note(out, is_cash ? "cash" : "equity", CHECK_NONE, is_cash ? a->cash[t] : a->equity[t],
         is_cash ? b->cash[t] : b->equity[t]);
    return true;
}

static bool compare_steps(const struct comparison *c, struct check_difference *out)
{
    const struct run_detail *a = c->whole, *b = c->cut;
    uint32_t n = time_lower_bound(a->time_ns, a->steps_n, c->cut_ns);
    if (a->symbols_n != b->symbols_n || b->steps_n < n) {
        note(out, "bars", CHECK_NONE, n, b->steps_n);
        return false;
    }
    *c->values_n += (uint64_t)n * (2 + a->symbols_n);
    size_t first = first_apart(a->cash, b->cash, n), equity = first_apart(a->equity, b->equity, n);
    size_t positions_n = (size_t)n * a->symbols_n;
    size_t position = first_apart(a->position, b->position, positions_n) / a->symbols_n;
    first = equity < first ? equity : first;
    first = position < first ? position : first;
    return first == n || !note_step(c, (uint32_t)first, out);
}

/* ---- trades --------------------------------------------------------------------------------- */

static int64_t exit_ns(const struct run_detail *d, const struct trade *t)
{
    return t->exit_bar == TRADE_OPEN ? INT64_MAX : d->row_time_ns[t->symbol_idx][t->exit_bar];
}

static int64_t entry_ns(const struct run_detail *d, const struct trade *t)
{
    return d->row_time_ns[t->symbol_idx][t->entry_bar];
}

static void note_trade(const struct run_detail *d, const struct trade *t, const char *what,
                       double whole, double cut, struct check_difference *out)
{
    bool is_open = t->exit_bar == TRADE_OPEN;
    note(out, what, t->symbol_idx, whole, cut);
    out->bar = is_open ? t->entry_bar : t->exit_bar;
    out->time_ns = is_open ? entry_ns(d, t) : exit_ns(d, t);
}

/* Whether it was closed before the cut for certain. An account that learns of fills at a close with
 * the next bar must have learnt of it; and of several symbols, one that has no bar when its
 * position is closed (an account that ends) says so of its last bar, which may lie before the cut.
 */
static bool is_closed(const struct comparison *c, const struct run_detail *d, const struct trade *t)
{
    if (exit_ns(d, t) >= c->cut_ns)
        return false;
    if (c->whole->combo.execution.close_booked == CLOSE_BOOKED_THIS_BAR && d->symbols_n == 1)
        return true;
    uint32_t s = t->symbol_idx;
    return t->exit_bar + 1 < time_lower_bound(d->row_time_ns[s], d->rows_n[s], c->cut_ns);
}

/* The next trade from i on that was closed before the cut; trades_n: none. */
static uint32_t next_closed(const struct comparison *c, const struct run_detail *d, uint32_t i)
{
    while (i < d->trades_n && !is_closed(c, d, &d->trades[i]))
        i++;
    return i;
}

/* The first field of two trades that differs. */
static bool compare_trade(const struct comparison *c, const struct trade *a, const struct trade *b,
                          struct check_difference *out)
{
    const struct {
        const char *what;
        double a, b;
    } fields[] = {
        {"trade: symbol", a->symbol_idx, b->symbol_idx},
        {"trade: entry_bar", a->entry_bar, b->entry_bar},
        {"trade: exit_bar", a->exit_bar, b->exit_bar},
        {"trade: size", a->qty, b->qty},
        {"trade: entry_price", a->entry_px, b->entry_px},
        {"trade: exit_price", a->exit_px, b->exit_px},
        {"trade: commission", a->commission, b->commission},
        {"trade: pnl", a->pnl, b->pnl},
        {"trade: mae", a->mae, b->mae},
        {"trade: mfe", a->mfe, b->mfe},
        {"trade: entry_rule", a->entry_rule, b->entry_rule},
        {"trade: exit_rule", a->exit_rule, b->exit_rule},
    };
    *c->values_n += sizeof fields / sizeof *fields;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (is_same(fields[i].a, fields[i].b))
            continue;
        note_trade(c->whole, a, fields[i].what, fields[i].a, fields[i].b, out);
        return false;
    }
    return true;
}

/* Trades that were closed before the cut: one by one, in the order of their exits. */
static bool compare_closed(const struct comparison *c, struct check_difference *out)
{
    const struct run_detail *a = c->whole, *b = c->cut;
    for (uint32_t i = 0, j = 0;; i++, j++) {
        i = next_closed(c, a, i);
        j = next_closed(c, b, j);
        if (i == a->trades_n && j == b->trades_n)
            return true;
        if (i < a->trades_n && j < b->trades_n) {
            if (!compare_trade(c, &a->trades[i], &b->trades[j], out))
                return false;
            continue;
        }
        bool is_whole = i < a->trades_n;
        note_trade(is_whole ? a : b, is_whole ? &a->trades[i] : &b->trades[j], "trade",
                   is_whole ? a->trades[i].qty : NAN, is_whole ? NAN : b->trades[j].qty, out);
        return false;
    }
}

/* ---- fills at the open of the cut ----------------------------------------------------------- */

static bool is_signal_fill(uint8_t rule)
{
    return rule == FILL_RULE_MARKET_OPEN || rule == FILL_RULE_REVERSE || rule == FILL_RULE_REENTER;
}

/* Whether what fills at an open was decided before that bar, whatever comes in it. */
static bool are_opens_decided(const struct execution_cfg *x)
{
    return x->fill == FILL_NEXT_OPEN && x->market_on == MARKET_ON_OPEN && !x->slips_in_bar &&
           x->orders_per_bar == ORDERS_PER_BAR_ANY && x->same_bar != SAME_BAR_STOP_FIRST;
}

static bool has_entry(const struct run_detail *d, const struct trade *like)
{
    for (uint32_t i = 0; i < d->trades_n; i++) {
        const struct trade *t = &d->trades[i];
        if (t->symbol_idx == like->symbol_idx && t->entry_bar == like->entry_bar &&
            (t->qty > 0) == (like->qty > 0) && is_signal_fill(t->entry_rule))
            return true;
    }
    return false;
}

static bool has_exit(const struct run_detail *d, const struct trade *like)
{
    for (uint32_t i = 0; i < d->trades_n; i++) {
        const struct trade *t = &d->trades[i];
        if (t->symbol_idx == like->symbol_idx && t->entry_bar == like->entry_bar &&
            t->exit_bar == like->exit_bar && is_signal_fill(t->exit_rule))
            return true;
    }
    return false;
}

/* Entries and exits of `a` by a signal at the open of the cut are in `b` too. */
static bool compare_opens(const struct comparison *c, const struct run_detail *a,
                          const struct run_detail *b, struct check_difference *out)
{
    for (uint32_t i = 0; i < a->trades_n; i++) {
        const struct trade *t = &a->trades[i];
        bool is_entry = entry_ns(a, t) == c->cut_ns && is_signal_fill(t->entry_rule);
        bool is_exit = exit_ns(a, t) == c->cut_ns && entry_ns(a, t) < c->cut_ns &&
                       is_signal_fill(t->exit_rule);
        bool is_there = (!is_entry || has_entry(b, t)) && (!is_exit || has_exit(b, t));
        *c->values_n += (uint64_t)is_entry + is_exit;
        if (is_there)
            continue;
        bool is_whole = a == c->whole;
        note(out, is_entry ? "entry at the open of the cut" : "exit at the open of the cut",
             t->symbol_idx, is_whole ? t->qty : NAN, is_whole ? NAN : t->qty);
        out->bar = is_entry ? t->entry_bar : t->exit_bar;
        out->time_ns = c->cut_ns;
        return false;
    }
    return true;
}

bool compare_details(const struct comparison *c, struct check_difference *ret_difference)
{
    if (!compare_steps(c, ret_difference) || !compare_closed(c, ret_difference))
        return false;
    if (c->future != CHECK_ALTERED || !are_opens_decided(&c->whole->combo.execution))
        return true;
    return compare_opens(c, c->whole, c->cut, ret_difference) &&
           compare_opens(c, c->cut, c->whole, ret_difference);
}

/* ---- series --------------------------------------------------------------------------------- */

/* A series in both planes. */
struct pair {
    struct series_view whole, cut;
    uint32_t rows_n; /* that are settled before the cut */
};

static double value_at(const struct series_view *view, uint32_t row)
{
    switch (view->dtype) {
    case SERIES_F32:
        return (double)((const float *)view->values)[row];
    case SERIES_BITS:
        return (double)(((const uint64_t *)view->values)[row / 64] >> row % 64 & 1);
    default:
        return ((const double *)view->values)[row];
    }
}

/* The first row that differs; rows_n: none does. */
static uint32_t first_differing(const struct pair *p)
{
    uint32_t row = 0;
    if (p->whole.dtype == SERIES_F64)
        return (uint32_t)first_apart(p->whole.values, p->cut.values, p->rows_n);
    while (row < p->rows_n && is_same(value_at(&p->whole, row), value_at(&p->cut, row)))
        row++;
    return row;
}

/* Rows of a clock that are whole before a time: of a larger timeframe, those of earlier periods. */
static uint32_t settled_rows(const struct plane_clock_view *clock, int64_t cut_ns)
{
    uint32_t n = time_lower_bound(clock->bars.time_ns, clock->bars.rows_n, cut_ns);
    if (clock->timeframe.unit == TIMEFRAME_OWN)
        return n;
    int64_t period = timeframe_period(clock->timeframe, cut_ns);
    while (n > 0 && timeframe_period(clock->timeframe, clock->bars.time_ns[n - 1]) >= period)
        n--;
    return n;
}

static bool find_pair(const struct plane *whole, const struct plane *cut,
                      const struct plane_series *series, struct pair *ret_pair)
{
    const char *key = (const char *)whole->base + series->key_off;
    return plane_series(whole, series->clock_idx, key, &ret_pair->whole) &&
           plane_series(cut, series->clock_idx, key, &ret_pair->cut) &&
           ret_pair->whole.dtype == ret_pair->cut.dtype &&
           ret_pair->rows_n <= cut->clock[series->clock_idx].bars.rows_n;
}

/* Where both planes have it; they are of one plan. */
int compare_series(const struct plane *whole, const struct plane *cut, int64_t cut_ns,
                   uint64_t *values_n, compare_fn fn, void *ctx)
{
    const struct plane_series *series =
        (const struct plane_series *)(whole->base + whole->header->series_off);
    for (uint32_t i = 0; i < whole->header->series_n; i++) {
        const struct plane_clock_view *clock = &whole->clock[series[i].clock_idx];
        struct pair pair = {.rows_n = settled_rows(clock, cut_ns)};
        if (!find_pair(whole, cut, &series[i], &pair))
            continue;
        uint32_t row = first_differing(&pair);
        *values_n += pair.rows_n;
        if (row == pair.rows_n)
            continue;
        uint32_t first = series[i].clock_idx < whole->symbols_n
                             ? whole->symbol[series[i].clock_idx].first_row
                             : 0;
        struct check_difference d = {
            .symbol_idx = clock->symbol_idx,
            .bar = row >= first ? row - first : 0,
            .time_ns = clock->bars.time_ns[row],
            .whole = value_at(&pair.whole, row),
            .cut = value_at(&pair.cut, row),
        };
        snprintf(d.what, sizeof d.what, "series %s", (const char *)whole->base + series[i].key_off);
        int r = fn(ctx, &d);
        if (r != 0)
            return r;
    }
    return 0;
}
