/* SPDX-License-Identifier: MIT */
/* Properties of two runs: in other units, with less of a future, once more, among others. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/metric.h"
#include "tests/property/property.h"

static bool same(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

/* b is a with prices times `up` and units divided by it; 1 for the same. */
struct pair {
    const struct record *a, *b;
    double up;
};

/* ---- comparing ------------------------------------------------------------------------------ */

static bool same_fill(const struct pair *p, const struct fill *a, const struct fill *b)
{
    return a->bar == b->bar && a->symbol_idx == b->symbol_idx && a->rule == b->rule &&
           a->is_close == b->is_close && a->flags == b->flags && same(a->qty, b->qty * p->up) &&
           same(a->px * p->up, b->px) && same(a->commission, b->commission) &&
           same(a->slippage, b->slippage);
}

static bool same_trade(const struct pair *p, const struct trade *a, const struct trade *b)
{
    return a->symbol_idx == b->symbol_idx && a->entry_rule == b->entry_rule &&
           a->exit_rule == b->exit_rule && a->entry_bar == b->entry_bar &&
           a->exit_bar == b->exit_bar && same(a->qty, b->qty * p->up) &&
           same(a->entry_px * p->up, b->entry_px) && same(a->exit_px * p->up, b->exit_px) &&
           same(a->pnl, b->pnl) && same(a->commission, b->commission);
}

static bool same_order(const struct pair *p, const struct order *a, const struct order *b)
{
    return a->bar == b->bar && a->symbol_idx == b->symbol_idx && a->is_close == b->is_close &&
           a->side == b->side && a->rule == b->rule &&
           same(a->terms.limit_px * p->up, b->terms.limit_px) &&
           same(a->terms.stop_px * p->up, b->terms.stop_px);
}

static bool same_event(const struct pair *p, const struct event *a, const struct event *b)
{
    if (a->step != b->step || a->kind != b->kind)
        return false;
    switch ((enum event_kind)a->kind) {
    case EVENT_IS_SIGNAL:
        return a->signal.bar == b->signal.bar && a->signal.kinds == b->signal.kinds &&
               a->signal.symbol_idx == b->signal.symbol_idx;
    case EVENT_IS_ORDER:
        return same_order(p, &a->order, &b->order);
    case EVENT_IS_FILL:
        return same_fill(p, &a->fill, &b->fill);
    case EVENT_IS_TRADE:
        return same_trade(p, &a->trade, &b->trade);
    }
    return false;
}

static const struct event *event_before(const struct record *r, uint32_t i, uint32_t steps_end)
{
    bool is_there = i < r->events_n && r->events[i].step < steps_end &&
                    !(steps_end < r->steps_n && r->events[i].is_end);
    return is_there ? &r->events[i] : NULL;
}

/* Events and accounts of the steps before `end`. */
static bool same_until(const struct pair *p, uint32_t end, struct why *why)
{
    for (uint32_t i = 0;; i++) {
        const struct event *a = event_before(p->a, i, end), *b = event_before(p->b, i, end);
        if (!a && !b)
            break;
        if (!a || !b || !same_event(p, a, b))
            return fails(why, "event %u, step %u and %u: %s", i, a ? a->step : end,
                         b ? b->step : end, a && b ? "differs" : "only in one of them");
    }
    for (uint32_t step = p->a->first_step; step < end; step++) {
        uint32_t bar = step - p->a->first_step;
        if (!same(p->a->equity[bar], p->b->equity[bar]) || !same(p->a->cash[bar], p->b->cash[bar]))
            return fails(why, "step %u: equity %.17g and %.17g, cash %.17g and %.17g", step,
                         p->a->equity[bar], p->b->equity[bar], p->a->cash[bar], p->b->cash[bar]);
        for (uint32_t s = 0; s < p->a->symbols_n; s++) {
            double a = p->a->position[bar * p->a->symbols_n + s];
            double b = p->b->position[bar * p->a->symbols_n + s] * p->up;
            if (!same(a, b))
                return fails(why, "step %u, symbol %u: holds %.17g and %.17g", step, s, a, b);
        }
    }
    return true;
}

static bool same_result(const struct pair *p, struct why *why)
{
    const struct record *a = p->a, *b = p->b;
    if (a->result.status != b->result.status || a->trades_n != b->trades_n)
        return fails(why, "status %u and %u, trades %u and %u", a->result.status, b->result.status,
                     a->trades_n, b->trades_n);
    for (uint32_t i = 0; i < a->trades_n; i++)
        if (!same_trade(p, &a->trades[i], &b->trades[i]))
            return fails(why, "trade %u differs", i);
    for (int m = 0; m < METRIC_N; m++)
        if (!same(a->result.metrics[m], b->result.metrics[m]))
            return fails(why, "metric %s: %.17g and %.17g", metric_row((enum metric)m)->name,
                         a->result.metrics[m], b->result.metrics[m]);
    return true;
}

static bool same_run(const struct pair *p, struct why *why)
{
    if (p->a->walked_n != p->b->walked_n)
        return fails(why, "walked %u and %u steps", p->a->walked_n, p->b->walked_n);
    return same_until(p, p->a->steps_n, why) && same_result(p, why);
}

static struct subject *copy_of(const struct subject *s)
{
    struct subject *copy = malloc(sizeof *copy);
    if (!copy)
        abort();
    memcpy(copy, s, sizeof *copy);
    return copy;
}

static struct record *new_record(void)
{
    struct record *r = malloc(sizeof *r);
    if (!r)
        abort();
    return r;
}

static void drop(struct record *r, struct subject *s)
{
    record_fini(r);
    free(r);
    free(s);
}

/* ---- in other units ------------------------------------------------------------------------- */

static void rescale_tape(struct tape *t, double up)
{
    for (uint32_t i = 0; i < t->rows_n; i++) {
        t->open[i] *= up;
        t->high[i] *= up;
        t->low[i] *= up;
        t->close[i] *= up;
        t->dividend[i] *= up;
        t->volume[i] /= up;
    }
}

static void rescale(struct subject *s, double up)
{
    const double factors[] = {1.0 / up, 1.0, up}; /* by power + 1 */
    for (uint32_t i = 0; i < s->symbols_n; i++)
        rescale_tape(&s->tape[i], up);
    for (unsigned i = 0; i < fields_n; i++)
        if (fields[i].power)
            field_set(&s->combo, &fields[i],
                      field_get(&s->combo, &fields[i]) * factors[1 + fields[i].power]);
    if (s->combo.portfolio.sizing == SIZING_UNITS)
        s->combo.portfolio.sizing_value /= up;
    for (uint32_t i = 0; i < s->spec.params_n; i++)
        s->combo.params[i] *= factors[1 + s->param_power[i]];
}

static bool asks_for_rsi(const struct strategy_spec *spec)
{
    return strstr(spec->long_entry, "rsi(") || strstr(spec->long_exit, "rsi(") ||
           strstr(spec->short_entry, "rsi(") || strstr(spec->short_exit, "rsi(");
}

bool scale_changes_units_alone(const struct subject *s, const struct record *r, struct why *why)
{
    if (s->combo.portfolio.commission_reserve == RESERVE_EACH_UNIT)
        return true; /* sets aside an order's fixed commission for each unit, whatever its worth */
    if (asks_for_rsi(&s->spec))
        return true; /* as TA-Lib has it, moves below 1e-14 in units of price are none */
    struct subject *twin = copy_of(s);
    struct record *other = new_record();
    /* lots of whole units are counted exactly, and must stay whole: the same the other way round */
    double lot = s->combo.portfolio.lot, up = lot > 0.0 && lot == floor(lot) ? 0.5 : 2.0;
    rescale(twin, up);
    run_alone(twin, other);
    bool holds = same_run(&(struct pair){r, other, up}, why);
    drop(other, twin);
    return holds;
}

/* ---- without a future ----------------------------------------------------------------------- */

/* A copy that ends after `end_ns`; NULL where a symbol would be left without a bar. */
static struct subject *copy_until(const struct subject *s, int64_t end_ns)
{
    struct subject *copy = copy_of(s);
    bool is_whole = true;
    for (uint32_t i = 0; i < s->symbols_n; i++) {
        struct tape *t = &copy->tape[i];
        while (t->rows_n && t->time_ns[t->rows_n - 1] > end_ns)
            t->rows_n--;
        t->first_row = t->first_row < t->rows_n ? t->first_row : t->rows_n;
        is_whole &= t->rows_n > 0;
    }
    copy->combo.execution.at_end = AT_END_MARK;
    if (is_whole)
        return copy;
    free(copy);
    return NULL;
}

bool future_changes_no_past(const struct subject *s, const struct record *r, struct why *why)
{
    struct chance c = {s->seed ^ 0xc07};
    if (r->first_step + 1 >= r->steps_n)
        return true;
    uint32_t cut = r->first_step + 1 + chance_below(&c, r->steps_n - r->first_step - 1);
    struct subject *twin = copy_until(s, r->time_ns[cut - 1]);
    if (!twin)
        return true;
    struct record *other = new_record();
    run_alone(twin, other);
    bool holds = same_until(&(struct pair){r, other, 1.0}, cut, why);
    if (!holds) {
        size_t used = strlen(why->text);
        (void)snprintf(why->text + used, sizeof why->text - used, " (cut at step %u)", cut);
    }
    drop(other, twin);
    return holds;
}

/* ---- without the rest of a bar -------------------------------------------------------------- */

static bool is_at_open(const struct event *e)
{
    if (e->kind != EVENT_IS_FILL || e->is_end || e->fill.qty == 0.0)
        return false;
    switch ((enum fill_rule)e->fill.rule) {
    case FILL_RULE_MARKET_OPEN:
    case FILL_RULE_REVERSE:
    case FILL_RULE_REENTER:
    case FILL_RULE_RISK:
    case FILL_RULE_TIME:
    case FILL_RULE_MARGIN_CALL:
        return true;
    default:
        return false;
    }
}

/* Number i of the fills at the open of a step; NULL beyond the last. */
static const struct fill *fill_at_open(const struct record *r, uint32_t step, uint32_t i)
{
    for (uint32_t k = 0; k < r->events_n; k++)
        if (r->events[k].step == step && is_at_open(&r->events[k]) && i-- == 0)
            return &r->events[k].fill;
    return NULL;
}

/* A step with such a fill, by chance; UINT32_MAX if there is none. */
static uint32_t step_with_open(const struct subject *s, const struct record *r)
{
    struct chance c = {s->seed ^ 0x09e4};
    uint32_t n = 0, found = UINT32_MAX;
    for (uint32_t k = 0; k < r->events_n; k++)
        if (is_at_open(&r->events[k]) && chance_below(&c, ++n) == 0)
            found = r->events[k].step;
    return found;
}

/* What follows other engines in looking at the whole bar first. */
static bool looks_at_the_bar(const struct combo *c)
{
    return c->execution.fill != FILL_NEXT_OPEN || c->execution.market_on != MARKET_ON_OPEN ||
           c->execution.same_bar == SAME_BAR_STOP_FIRST ||
           c->execution.orders_per_bar == ORDERS_PER_BAR_ONE || c->execution.slips_in_bar ||
           c->exits.base == EXIT_BASE_ENTRY_CLOSE;
}

static void flatten_bar(struct tape *t, int64_t time_ns)
{
    uint32_t last = t->rows_n - 1;
    if (t->time_ns[last] == time_ns)
        t->high[last] = t->low[last] = t->close[last] = t->open[last];
}

static bool same_open_fills(const struct pair *p, uint32_t step, struct why *why)
{
    for (uint32_t i = 0;; i++) {
        const struct fill *a = fill_at_open(p->a, step, i), *b = fill_at_open(p->b, step, i);
        if (!a && !b)
            return true;
        if (!a || !b || !same_fill(p, a, b))
            return fails(why, "step %u, fill %u at the open: %s", step, i,
                         a && b ? "differs when the bar is flat" : "only in one of them");
    }
}

bool bar_changes_no_fill_at_its_open(const struct subject *s, const struct record *r,
                                     struct why *why)
{
    uint32_t step = step_with_open(s, r);
    if (step == UINT32_MAX || looks_at_the_bar(&s->combo))
        return true;
    struct subject *twin = copy_until(s, r->time_ns[step]);
    if (!twin)
        return true;
    for (uint32_t i = 0; i < twin->symbols_n; i++)
        flatten_bar(&twin->tape[i], r->time_ns[step]);
    struct record *other = new_record();
    run_alone(twin, other);
    bool holds = same_open_fills(&(struct pair){r, other, 1.0}, step, why);
    drop(other, twin);
    return holds;
}

/* ---- once more, and among others ------------------------------------------------------------ */

bool same_again_is_the_same(const struct subject *s, const struct record *r, struct why *why)
{
    struct record *other = new_record();
    run_alone(s, other);
    bool holds = same_run(&(struct pair){r, other, 1.0}, why);
    drop(other, NULL);
    return holds;
}

/* Another strategy and configuration on the bars of s. */
static struct subject *neighbour_of(const struct subject *s, uint64_t seed)
{
    struct subject *n = copy_of(s);
    struct chance c = {seed};
    memset(&n->spec, 0, sizeof n->spec);
    memset(n->param_power, 0, sizeof n->param_power);
    fields_vary(n, &c);
    strategy_make(n, &c);
    return n;
}

bool neighbours_change_nothing(const struct subject *s, const struct record *r, struct why *why)
{
    struct subject *one = neighbour_of(s, s->seed ^ 0xa1), *two = neighbour_of(s, s->seed ^ 0xb2);
    const struct subject *const all[] = {one, s, two};
    static const uint32_t order[] = {1, 0, 2, 1, 0, 1};
    struct desk *d = desk_open(all, 3);
    bool holds = true;
    for (unsigned i = 0; holds && i < sizeof order / sizeof order[0]; i++) {
        struct record *other = new_record();
        desk_run(d, order[i], other);
        holds = order[i] != 1 || same_run(&(struct pair){r, other, 1.0}, why);
        drop(other, NULL);
    }
    desk_close(d);
    free(one);
    free(two);
    return holds;
}
