/* SPDX-License-Identifier: MIT */
/* Brackets: stop, target, trail and time limit of open positions. One cancels the others. */
#include <math.h>

#include "worker/broker/matching.h"

/* ---- levels --------------------------------------------------------------------------------- */

/* The nearer of the stop and a trail becomes the stop. */
static void move_stop(struct bracket *b, double trail_px)
{
    if (trail_px > 0.0 && (b->stop_px == 0.0 || b->side * (trail_px - b->stop_px) > 0.0)) {
        b->stop_px = trail_px;
        b->stop_rule = FILL_RULE_TRAIL;
    }
}

static void set_quiet(struct bracket *b)
{
    double against = b->stop_px != 0.0 ? b->stop_px : b->side * -INFINITY;
    double towards = b->target_px != 0.0 ? b->target_px : b->side * INFINITY;
    b->quiet_low = b->side > 0 ? against : towards;
    b->quiet_high = b->side > 0 ? towards : against;
    if (b->is_triggered) /* no bar is quiet */
        b->quiet_high = -INFINITY;
}

static void set_best(struct bracket *b, double px)
{
    b->best_px = px;
    if (b->trail_frac > 0.0)
        move_stop(b, px * (1.0 - b->side * b->trail_frac));
    if (b->trail_amount > 0.0)
        move_stop(b, px - b->side * b->trail_amount);
    set_quiet(b);
}

static double base_px(const struct meeting *m, const struct order *o, double px)
{
    switch ((enum exit_base)m->x->combo->exits.base) {
    case EXIT_BASE_FILL_PRICE:
        return px;
    case EXIT_BASE_SIGNAL_CLOSE:
        return o->ref_px;
    case EXIT_BASE_ENTRY_CLOSE:
        return m->close;
    }
    return px;
}

void bracket_open(const struct meeting *m, const struct order *o, const struct execution_point *at,
                  double px)
{
    const struct combo *combo = m->x->combo;
    const struct exits_cfg *cfg = &combo->exits;
    double base = base_px(m, o, px);
    bool starts_later = at->is_at_close || combo->exits.base == EXIT_BASE_ENTRY_CLOSE;
    bool is_live_later = at->is_at_close || cfg->live_from == LIVE_FROM_NEXT_BAR ||
                         combo->execution.orders_per_bar == ORDERS_PER_BAR_ONE;
    struct bracket b = {
        .side = o->side,
        .stop_rule = FILL_RULE_STOP,
        .stop_px = o->terms.stop_loss_px,
        .target_px = o->terms.take_profit_px,
        .trail_frac = cfg->trailing_stop,
        .trail_amount = cfg->trailing_amount,
        .entry_row = m->row,
        .live_row = m->row + is_live_later,
        .follow_row = m->row + (starts_later || at->skips_best),
        .is_trailing = cfg->trailing_stop > 0.0 || cfg->trailing_amount > 0.0,
        .due_row = cfg->max_bars && cfg->max_bars < (uint32_t)(INT32_MAX - m->row)
                       ? m->row + (int32_t)cfg->max_bars
                       : INT32_MAX,
    };
    if (b.stop_px == 0.0 && cfg->stop_loss > 0.0)
        b.stop_px = base * (1.0 - o->side * cfg->stop_loss);
    if (b.target_px == 0.0 && cfg->take_profit > 0.0)
        b.target_px = base * (1.0 + o->side * cfg->take_profit);
    set_best(&b, base);
    if (b.stop_px != 0.0 || b.target_px != 0.0 || b.is_trailing || b.due_row != INT32_MAX)
        order_book_set_bracket(m->x->book, m->s, &b);
}

void bracket_follow(struct bracket *b, const struct bars *bars, int32_t row)
{
    const double *best = b->side > 0 ? bars->high : bars->low;
    for (; b->follow_row < row; b->follow_row++)
        if (b->side * (best[b->follow_row] - b->best_px) > 0.0)
            set_best(b, best[b->follow_row]);
}

/* ---- closing -------------------------------------------------------------------------------- */

static void close_bracket(const struct meeting *m, const struct execution_point *at)
{
    const struct execution *x = m->x;
    struct bracket *b = meeting_bracket(m);
    bool is_done = fill_close(m, at);
    /* a stop that was touched is a market order: its rest does not wait to be touched again */
    if (!is_done && at->is_stop && x->combo->execution.volume_rest == VOLUME_REST_WAIT) {
        b->is_triggered = true;
        set_quiet(b);
    }
    x->book->use[m->s].is_closed = x->combo->execution.orders_per_bar == ORDERS_PER_BAR_ONE;
}

static void close_at_stop_as(const struct meeting *m, double px, enum fill_rule rule)
{
    close_bracket(m, &(struct execution_point){.px = px, .rule = rule, .is_stop = true});
}

static void close_at_stop(const struct meeting *m, double px)
{
    close_at_stop_as(m, px, (enum fill_rule)meeting_bracket(m)->stop_rule);
}

/* The open is not at the price of a stop that it has passed; the rest of one that was touched
 * before may be on either side of it. */
static void close_at_stop_at_open(const struct meeting *m, const struct bracket *b)
{
    bool is_gap = b->stop_rule == FILL_RULE_STOP && b->side * (m->open - b->stop_px) < 0.0;
    close_at_stop_as(m, m->open, is_gap ? FILL_RULE_STOP_GAP : (enum fill_rule)b->stop_rule);
}

static void close_at_target(const struct meeting *m, double px)
{
    close_bracket(m, &(struct execution_point){.px = px,
                                               .rule = FILL_RULE_TARGET,
                                               .is_limit = true,
                                               .limit_px = meeting_bracket(m)->target_px});
}

static void close_in_time(const struct meeting *m, double px, uint8_t flags)
{
    close_bracket(m, &(struct execution_point){.px = px, .rule = FILL_RULE_TIME, .flags = flags});
}

/* ---- touching ------------------------------------------------------------------------------- */

/* Whether px is at or beyond the stop, or the target. */
static bool stop_is_passed(const struct bracket *b, double px)
{
    return b->is_triggered || (b->stop_px != 0.0 && b->side * (px - b->stop_px) <= 0.0);
}

static bool target_is_passed(const struct bracket *b, double px)
{
    return b->target_px != 0.0 && b->side * (px - b->target_px) >= 0.0;
}

/* The price of the bar that is the worst, or the best, for the position. */
static double worst_px(const struct meeting *m, const struct bracket *b)
{
    return b->side > 0 ? m->low : m->high;
}

static double best_px(const struct meeting *m, const struct bracket *b)
{
    return b->side > 0 ? m->high : m->low;
}

/* Which of stop and target comes first when the bar's range holds both. */
static bool stop_comes_first(const struct meeting *m, const struct bracket *b)
{
    switch ((enum same_bar)m->x->combo->execution.same_bar) {
    case SAME_BAR_PESSIMISTIC:
    case SAME_BAR_STOP_FIRST:
        return true;
    case SAME_BAR_OPTIMISTIC:
        return false;
    case SAME_BAR_NEAREST_OPEN:
        return fabs(m->open - b->stop_px) <= fabs(m->open - b->target_px);
    }
    return true;
}

/* Closes at the open what it has passed; whether it did. */
static bool meet_gap(const struct meeting *m, const struct bracket *b)
{
    bool is_stop_first = m->x->combo->execution.same_bar == SAME_BAR_STOP_FIRST;
    if (stop_is_passed(b, m->open))
        close_at_stop_at_open(m, b);
    else if (target_is_passed(b, m->open) && !(is_stop_first && stop_is_passed(b, worst_px(m, b))))
        close_at_target(m, m->open);
    else
        return false;
    return true;
}

void brackets_meet_open(const struct meeting *m)
{
    struct bracket *b = meeting_bracket(m);
    if (!b->is_set || b->entry_row >= m->row)
        return;
    if (b->is_trailing)
        bracket_follow(b, &m->x->market->symbol[m->s]->bars, m->row);
    bool is_closed = m->row >= b->live_row && meet_gap(m, b);
    if (!is_closed && m->row >= b->due_row && !market_is_at_close(&m->x->combo->execution))
        close_in_time(m, m->open, 0);
}

/* The rest of the bar after the open, and the open itself for what was opened there. */
void brackets_meet_range(const struct meeting *m)
{
    const struct bracket *b = meeting_bracket(m);
    if (!b->is_set || m->row < b->live_row || b->entry_row > m->row)
        return;
    if (b->entry_row == m->row && meet_gap(m, b))
        return;
    bool stop = stop_is_passed(b, worst_px(m, b)), target = target_is_passed(b, best_px(m, b));
    if (stop && (!target || stop_comes_first(m, b)))
        close_at_stop(m, b->stop_px);
    else if (target)
        close_at_target(m, target_is_passed(b, m->open) ? m->open : b->target_px);
}

/* A touch that may have come before the entry counts where it is the worse outcome (pessimistic) or
 * the better one (optimistic), or where its price is further from the open than the entry's. */
static bool counts(const struct meeting *m, double entry_px, double px, bool is_stop)
{
    switch ((enum same_bar)m->x->combo->execution.same_bar) {
    case SAME_BAR_PESSIMISTIC:
    case SAME_BAR_STOP_FIRST:
        return is_stop;
    case SAME_BAR_OPTIMISTIC:
        return !is_stop;
    case SAME_BAR_NEAREST_OPEN:
        return fabs(m->open - px) > fabs(m->open - entry_px);
    }
    return is_stop;
}

/* A level on the price's way beyond the entry can only have been touched after it, and so can one
 * that the close has passed; any other may have been touched before. */
void brackets_meet_rest(const struct meeting *m, double entry_px, int way)
{
    const struct bracket *b = meeting_bracket(m);
    if (!b->is_set || m->row < b->live_row)
        return;
    if (stop_is_passed(b, entry_px)) {
        close_at_stop(m, entry_px);
        return;
    }
    if (target_is_passed(b, entry_px)) {
        close_at_target(m, entry_px);
        return;
    }
    bool stop_is_ahead = way == -b->side, target_is_ahead = way == b->side;
    bool stop =
        stop_is_passed(b, worst_px(m, b)) &&
        (stop_is_ahead || stop_is_passed(b, m->close) || counts(m, entry_px, b->stop_px, true));
    bool target =
        target_is_passed(b, best_px(m, b)) && (target_is_ahead || target_is_passed(b, m->close) ||
                                               counts(m, entry_px, b->target_px, false));
    if (stop && (!target || stop_comes_first(m, b)))
        close_at_stop(m, b->stop_px);
    else if (target)
        close_at_target(m, b->target_px);
}

void brackets_meet_close(const struct meeting *m)
{
    const struct execution_cfg *cfg = &m->x->combo->execution;
    const struct bracket *b = meeting_bracket(m);
    if (b->is_set && m->row >= b->due_row && market_is_at_close(cfg) && !close_is_booked_next(cfg))
        close_in_time(m, m->close, 0);
}

void brackets_meet_last_close(const struct meeting *m)
{
    const struct bracket *b = meeting_bracket(m);
    const struct meeting last = meeting_before(m);
    if (b->is_set && last.row >= b->due_row)
        close_in_time(&last, last.close, FILL_BOOKED_NEXT_BAR);
}

void brackets_meet_alone(const struct meeting *m)
{
    struct bracket *b = meeting_bracket(m);
    const struct bars *bars = &m->x->market->symbol[m->s]->bars;
    if (!b->is_set || m->row < b->live_row || bracket_is_quiet(b, bars, m->row))
        return;
    brackets_meet_open(m);
    brackets_meet_range(m);
    if (m->x->book->use[m->s].is_closed && m->x->book->use[m->s].row == m->row)
        order_book_drop_symbol(m->x->book, m->s);
}
