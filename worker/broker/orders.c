/* SPDX-License-Identifier: MIT */
/* Waiting orders: market, limit, stop and stop-limit, for as long as they wait. */
#include "proto/units.h"
#include "worker/broker/matching.h"

static bool is_market(const struct order *o)
{
    return o->is_close || (o->terms.limit_px == 0.0 && o->terms.stop_px == 0.0);
}

/* A stop that the price has yet to reach. */
static bool awaits_stop(const struct order *o)
{
    return o->terms.stop_px != 0.0 && !o->is_triggered;
}

/* ---- time in force -------------------------------------------------------------------------- */

static int32_t last_row(const struct execution *x, const struct order *o, int32_t first)
{
    uint8_t tif = o->terms.time_in_force;
    if (o->is_close || (tif != TIF_DAY && tif != TIF_IOC))
        return INT32_MAX;
    const struct bars *b = &x->market->symbol[o->symbol_idx]->bars;
    if (first >= (int32_t)b->rows_n || tif == TIF_IOC)
        return first;
    int64_t day = time_day(b->time_ns[first]);
    int32_t last = first, after = (int32_t)b->rows_n; /* the day's last row is in [last, after) */
    while (after - last > 1) {
        int32_t middle = last + (after - last) / 2;
        if (time_day(b->time_ns[middle]) == day)
            last = middle;
        else
            after = middle;
    }
    return last;
}

void order_starts(const struct execution *x, struct order *o, int32_t row)
{
    o->first_row = row;
    o->last_row = last_row(x, o, row);
}

/* ---- quiet bars ----------------------------------------------------------------------------- */

bool order_is_quiet(const struct order *o, const struct bars *b, int32_t row)
{
    if (is_market(o) || o->terms.time_in_force == TIF_IOC || row > o->last_row)
        return false;
    if (awaits_stop(o))
        return o->side > 0 ? b->high[row] < o->terms.stop_px : b->low[row] > o->terms.stop_px;
    if (o->terms.limit_px == 0.0)
        return false;
    return o->side > 0 ? b->low[row] > o->terms.limit_px : b->high[row] < o->terms.limit_px;
}

/* ---- going through the orders --------------------------------------------------------------- */

/* An entry waits behind the order that closes what stands: what it is to replace is still held. */
static bool is_behind(const struct meeting *m, const struct order *o)
{
    if (o->is_close || meeting_position(m)->qty == 0.0)
        return false;
    const struct order_book *book = m->x->book;
    for (uint32_t i = 0; i < book->n; i++)
        if (book->order[i].symbol_idx == m->s && book->order[i].is_close)
            return true;
    return false;
}

/* What the order was to close is gone: it is not for what is opened next. */
static bool has_nothing_left(const struct meeting *m, const struct order *o)
{
    return o->is_close && meeting_position(m)->qty == 0.0;
}

/* Goes through the orders of the symbol as they were placed; `meet` says which are done. One that
 * is behind another meets nothing of the bar, nor does its time in force begin. */
static void each_order(const struct meeting *m,
                       bool (*meet)(const struct meeting *m, struct order *o))
{
    struct order_book *book = m->x->book;
    for (uint32_t i = 0; i < book->n;) {
        if (book->order[i].symbol_idx != m->s) {
            i++;
            continue;
        }
        struct order o = book->order[i];
        if (is_behind(m, &o)) {
            order_starts(m->x, &book->order[i++], m->row + 1);
        } else if (has_nothing_left(m, &o) || m->row > o.last_row || meet(m, &o)) {
            order_book_drop(book, i);
        } else {
            book->order[i++] = o;
        }
    }
}

/* The other order of a change of sides that pays one commission; NULL where each pays its own. */
static struct order *reversal_entry(const struct meeting *m, const struct order *close)
{
    const struct execution_cfg *cfg = &m->x->combo->execution;
    struct order_book *book = m->x->book;
    if (cfg->reversal_fee != REVERSAL_FEE_ONCE || cfg->slippage.volume_share > 0.0 ||
        !close->is_reversing)
        return NULL;
    for (uint32_t i = 0; i < book->n; i++) {
        struct order *o = &book->order[i];
        if (o->symbol_idx == m->s && !o->is_close && o->is_reversing && is_market(o))
            return o;
    }
    return NULL;
}

/* Fills a market order; true when it is done. */
static bool fill_market(const struct meeting *m, struct order *o, struct execution_point at)
{
    if (!o->is_close)
        return fill_entry(m, o, &at);
    struct order *entry = reversal_entry(m, o);
    if (entry) {
        fill_reversal(m, o, entry, &at);
        order_book_drop(m->x->book, (uint32_t)(entry - m->x->book->order));
        return true;
    }
    if (o->rule != FILL_RULE_NONE)
        at.rule = (enum fill_rule)o->rule;
    return fill_close(m, &at) || m->x->combo->execution.volume_rest == VOLUME_REST_CANCEL;
}

/* ---- the open ------------------------------------------------------------------------------- */

static bool limit_allows(const struct order *o, double px)
{
    return o->terms.limit_px == 0.0 || o->side * (px - o->terms.limit_px) <= 0.0;
}

static bool meet_open(const struct meeting *m, struct order *o)
{
    if (is_market(o))
        return !market_is_at_close(&m->x->combo->execution) &&
               fill_market(m, o,
                           (struct execution_point){.px = m->open, .rule = FILL_RULE_MARKET_OPEN});
    bool is_over = o->terms.time_in_force == TIF_IOC;
    if (awaits_stop(o) && o->side * (m->open - o->terms.stop_px) < 0.0)
        return is_over;
    o->is_triggered = o->terms.stop_px != 0.0;
    if (!limit_allows(o, m->open))
        return is_over;
    bool is_limit = o->terms.limit_px != 0.0;
    bool is_gap = o->side * (m->open - o->terms.stop_px) > 0.0;
    const struct execution_point at = {.px = m->open,
                                       .rule = is_limit ? FILL_RULE_LIMIT
                                               : is_gap ? FILL_RULE_STOP_GAP
                                                        : FILL_RULE_STOP,
                                       .is_limit = is_limit,
                                       .limit_px = o->terms.limit_px,
                                       .is_stop = !is_limit};
    return fill_entry(m, o, &at) || is_over;
}

void orders_meet_open(const struct meeting *m)
{
    each_order(m, meet_open);
}

/* ---- the range ------------------------------------------------------------------------------ */

static bool range_reaches(const struct meeting *m, double px)
{
    return m->low <= px && px <= m->high;
}

/* Fills inside the range at px; what the rest of the bar does to the new position follows: `way` as
 * of brackets_meet_rest(). */
static bool fill_inside(const struct meeting *m, struct order *o, double px, int way)
{
    bool was_flat = meeting_position(m)->qty == 0.0, is_limit = o->terms.limit_px != 0.0;
    const struct execution_point at = {.px = px,
                                       .rule = is_limit ? FILL_RULE_LIMIT : FILL_RULE_STOP,
                                       .is_limit = is_limit,
                                       .limit_px = o->terms.limit_px,
                                       .is_stop = !is_limit,
                                       .skips_best = way != o->side};
    bool is_done = fill_entry(m, o, &at);
    if (was_flat && meeting_position(m)->qty != 0.0)
        brackets_meet_rest(m, px, way);
    return is_done;
}

static bool meet_range(const struct meeting *m, struct order *o)
{
    if (is_market(o) || m->row < o->first_row)
        return false;
    if (awaits_stop(o)) {
        if (!range_reaches(m, o->terms.stop_px))
            return false;
        o->is_triggered = 1;
        if (limit_allows(o, o->terms.stop_px))
            return fill_inside(m, o, o->terms.stop_px, o->side);
        /* the limit lies behind: the price came back to it for certain if the close is there; the
         * bar's high and low may both have come before */
        return limit_allows(o, m->close) && fill_inside(m, o, o->terms.limit_px, 0);
    }
    return o->terms.limit_px != 0.0 && range_reaches(m, o->terms.limit_px) &&
           fill_inside(m, o, o->terms.limit_px, -o->side);
}

void orders_meet_range(const struct meeting *m)
{
    each_order(m, meet_range);
}

/* ---- the close ------------------------------------------------------------------------------ */

static bool fill_at_close(const struct meeting *m, struct order *o, uint8_t flags)
{
    return is_market(o) && fill_market(m, o,
                                       (struct execution_point){.px = m->close,
                                                                .rule = FILL_RULE_MARKET_CLOSE,
                                                                .flags = flags,
                                                                .is_at_close = true});
}

static bool meet_close(const struct meeting *m, struct order *o)
{
    return fill_at_close(m, o, 0);
}

void orders_meet_close(const struct meeting *m)
{
    const struct execution_cfg *cfg = &m->x->combo->execution;
    if (market_is_at_close(cfg) && !close_is_booked_next(cfg))
        each_order(m, meet_close);
}

static bool meet_last_close(const struct meeting *m, struct order *o)
{
    return fill_at_close(m, o, FILL_BOOKED_NEXT_BAR);
}

void orders_meet_last_close(const struct meeting *m)
{
    const struct meeting last = meeting_before(m);
    if (last.row >= 0)
        each_order(&last, meet_last_close);
}
