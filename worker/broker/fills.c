/* SPDX-License-Identifier: MIT */
/* How a fill is priced, cut to the bar's volume and told to the account. */
#include <math.h>

#include "worker/broker/cost.h"
#include "worker/broker/matching.h"
#include "worker/broker/sizing.h"

#define DUST_FRAC 1e-9 /* of a position: what rounding to lots leaves goes with the last part */

/* ---- volume --------------------------------------------------------------------------------- */

/* Units that the account may still trade of the bar; infinite without a limit or a known volume. */
static double volume_room(const struct meeting *m)
{
    double share = m->x->combo->execution.slippage.volume_share;
    if (!(share > 0.0) || !(m->volume >= 0.0))
        return INFINITY;
    const struct bar_use *use = &m->x->book->use[m->s];
    double room = share * m->volume - (use->row == m->row ? use->qty : 0.0);
    return room > 0.0 ? room : 0.0;
}

/* The part of qty that there is room for, in whole lots. */
static double cut_to_volume(const struct meeting *m, const struct execution_point *at, double qty)
{
    double room = at->has_no_limit ? INFINITY : volume_room(m);
    return qty <= room ? qty : sizing_round_down(room, m->x->combo->portfolio.lot);
}

static void use_volume(const struct meeting *m, double qty)
{
    struct bar_use *use = &m->x->book->use[m->s];
    if (use->row != m->row)
        *use = (struct bar_use){.row = m->row};
    use->qty += fabs(qty);
}

/* ---- price and telling ---------------------------------------------------------------------- */

static struct quote quote_of(const struct meeting *m, const struct execution_point *at, double side,
                             double qty, bool is_entry)
{
    return (struct quote){.px = at->px,
                          .side = side,
                          .qty = qty,
                          .volume = m->volume,
                          .high = m->high,
                          .low = m->low,
                          .is_entry = is_entry,
                          .is_limit = at->is_limit,
                          .limit_px = at->limit_px,
                          .is_stop = at->is_stop};
}

/* After costs; 0 where there is no price to fill at. */
static double price(const struct meeting *m, const struct execution_point *at, double side,
                    double qty, bool is_entry)
{
    const struct quote q = quote_of(m, at, side, qty, is_entry);
    return cost_price(&m->x->combo->execution, &q);
}

/* What is traded, at which price, for how much. */
struct deal {
    double qty; /* signed units */
    double px;  /* after slippage and spread */
    double commission;
    uint8_t flags;
    bool is_close;
};

static void tell(const struct meeting *m, const struct execution_point *at, const struct deal *d)
{
    const struct fill f = {
        .target_portfolio = m->x->target_portfolio,
        .bar = m->step,
        .symbol_idx = m->s,
        .rule = (uint8_t)at->rule,
        .is_close = d->is_close,
        .flags = at->flags | d->flags,
        .qty = d->qty,
        .px = d->px,
        .commission = d->commission,
        .slippage = fabs(d->px - at->px) * fabs(d->qty),
    };
    use_volume(m, d->qty);
    m->x->emit(m->x->ctx, &f);
}

static double commission(const struct meeting *m, double qty, double px)
{
    return cost_commission(&m->x->combo->execution.commission, qty, px);
}

/* ---- closes --------------------------------------------------------------------------------- */

static void tell_close(const struct meeting *m, const struct execution_point *at,
                       const struct deal *d)
{
    tell(m, at, d);
    if (meeting_position(m)->qty == 0.0)
        order_book_unset_bracket(m->x->book, m->s);
}

/* Closes up to qty > 0 units; true when nothing is left of the position. */
static bool close_part(const struct meeting *m, const struct execution_point *at, double qty)
{
    double side = meeting_position(m)->qty > 0.0 ? -1.0 : 1.0;
    double held = fabs(meeting_position(m)->qty), units = cut_to_volume(m, at, qty);
    if (!(units > 0.0))
        return false;
    if (units >= held * (1.0 - DUST_FRAC))
        units = held;
    double px = price(m, at, side, units, false);
    if (!(px > 0.0))
        return false;
    tell_close(m, at,
               &(struct deal){.qty = side * units,
                              .px = px,
                              .commission = commission(m, units, px),
                              .is_close = true});
    return meeting_position(m)->qty == 0.0;
}

bool fill_close(const struct meeting *m, const struct execution_point *at)
{
    return close_part(m, at, fabs(meeting_position(m)->qty));
}

/* ---- entries -------------------------------------------------------------------------------- */

static void tell_vetoed(const struct meeting *m)
{
    const struct fill f = {.target_portfolio = m->x->target_portfolio,
                           .bar = m->step,
                           .symbol_idx = m->s,
                           .rule = FILL_RULE_RISK,
                           .flags = FILL_VETOED};
    m->x->emit(m->x->ctx, &f);
}

/* An entry came to nothing, and not by risk. One that adds to a position may have none to add. */
static void tell_dropped(const struct meeting *m, const struct execution_point *at)
{
    if (meeting_position(m)->qty != 0.0)
        return;
    const struct fill f = {.target_portfolio = m->x->target_portfolio,
                           .bar = m->step,
                           .symbol_idx = m->s,
                           .rule = (uint8_t)at->rule,
                           .flags = FILL_DROPPED};
    m->x->emit(m->x->ctx, &f);
}

static struct sizing sizing_of(const struct meeting *m, const struct order *o,
                               const struct execution_point *at)
{
    return (struct sizing){
        .x = m->x, .order = o, .quote = quote_of(m, at, o->side, 0.0, true), .row = m->row};
}

/* Units of the order now, on its side; below 0 where a target is below what is held; 0: nothing. */
static double entry_qty(const struct meeting *m, struct order *o, const struct sizing *sizing,
                        bool *ret_is_vetoed)
{
    *ret_is_vetoed = false;
    if (o->left > 0.0)
        return o->left;
    struct sized sized = size_entry(sizing);
    if (sized.is_vetoed)
        tell_vetoed(m);
    *ret_is_vetoed = sized.is_vetoed;
    o->flags = sized.is_resized ? FILL_RESIZED : 0;
    return sized.qty;
}

/* The part of qty > 0 units that can be paid for, where that is another question than when the
 * order was sized. */
static double payable(const struct order *o, const struct sizing *sizing, double qty)
{
    bool is_new = o->left == 0.0 && sizing->x->combo->execution.slippage.impact == 0.0;
    return is_new || !(qty > 0.0) ? qty : size_affordable(sizing, qty);
}

static void tell_entry(const struct meeting *m, const struct order *o,
                       const struct execution_point *at, const struct deal *d)
{
    bool was_flat = meeting_position(m)->qty == 0.0;
    tell(m, at, d);
    if (was_flat && meeting_position(m)->qty != 0.0)
        bracket_open(m, o, at, d->px);
}

/* Whether the order can do anything to what is held. */
static bool entry_fits(const struct meeting *m, const struct order *o)
{
    double held = meeting_position(m)->qty;
    if (held == 0.0)
        return o->left == 0.0; /* the rest of a position that is gone is gone */
    return (held > 0.0) == (o->side > 0) &&
           (o->left > 0.0 || m->x->combo->portfolio.sizing == SIZING_TARGET_PERCENT);
}

static bool rest_is_cancelled(const struct meeting *m, const struct order *o)
{
    return o->terms.time_in_force == TIF_IOC ||
           m->x->combo->execution.volume_rest == VOLUME_REST_CANCEL;
}

/* Takes qty units away from what is held; true when the order is done. What the bar has no room for
 * waits, to be sized anew. */
static bool reduce(const struct meeting *m, const struct order *o, const struct execution_point *at,
                   double qty)
{
    bool has_room = cut_to_volume(m, at, qty) == qty;
    struct execution_point point = *at; /* a limit or stop is a price of the order's side */
    point.is_limit = point.is_stop = false;
    (void)close_part(m, &point, qty);
    return has_room || rest_is_cancelled(m, o);
}

/* Fills what the bar has room for of wanted > 0 units; true when the order is done. */
static bool fill_units(const struct meeting *m, struct order *o, const struct execution_point *at,
                       const struct sizing *sizing, double wanted)
{
    double room = cut_to_volume(m, at, wanted);
    double qty = payable(o, sizing, room);
    double px = price(m, at, o->side, qty, true);
    bool is_filled = qty > 0.0 && px > 0.0;
    if (is_filled) {
        tell_entry(m, o, at,
                   &(struct deal){.qty = o->side * qty,
                                  .px = px,
                                  .commission = commission(m, qty, px),
                                  .flags = o->flags});
        o->left = wanted - qty;
        o->flags = 0; /* told once */
    }
    /* what cannot be paid for is dropped */
    bool is_done = qty < room || qty >= wanted || rest_is_cancelled(m, o);
    if (is_done && !is_filled)
        tell_dropped(m, at);
    return is_done;
}

bool fill_entry(const struct meeting *m, struct order *o, const struct execution_point *at)
{
    if (!entry_fits(m, o))
        return true;
    bool is_vetoed;
    const struct sizing sizing = sizing_of(m, o, at);
    double wanted = entry_qty(m, o, &sizing, &is_vetoed);
    if (wanted < 0.0)
        return reduce(m, o, at, fmin(-wanted, fabs(meeting_position(m)->qty)));
    if (wanted > 0.0)
        return fill_units(m, o, at, &sizing, wanted);
    if (!is_vetoed)
        tell_dropped(m, at);
    return true;
}

/* ---- reversals ------------------------------------------------------------------------------ */

void fill_reversal(const struct meeting *m, const struct order *close, struct order *entry,
                   const struct execution_point *at)
{
    double side = entry->side, closed = fabs(meeting_position(m)->qty);
    struct execution_point closing = *at;
    closing.rule = (enum fill_rule)close->rule;
    struct deal out = {
        .qty = side * closed, .px = price(m, at, side, closed, false), .is_close = true};
    if (!(out.px > 0.0))
        return;
    const struct sizing s = sizing_of(m, entry, at);
    struct sized sized = size_reversal(&s, out.px);
    double opened = sized.qty, total = closed + opened;
    entry->flags = sized.is_resized ? FILL_RESIZED : 0;
    double px = price(m, at, side, opened, true);
    double paid = commission(m, total, opened > 0.0 ? px : out.px);
    out.commission = paid * (closed / total);
    tell_close(m, &closing, &out);
    if (sized.is_vetoed)
        tell_vetoed(m);
    else if (!(opened > 0.0))
        tell_dropped(m, at);
    if (opened > 0.0)
        tell_entry(m, entry, at,
                   &(struct deal){.qty = side * opened,
                                  .px = px,
                                  .commission = paid * (opened / total),
                                  .flags = entry->flags});
}
