/* SPDX-License-Identifier: MIT */
/* The account: cash, positions and what they are worth. */
#include "worker/portfolio/account.h"

#include <math.h>

void account_init(struct account *a, double initial_capital, double leverage)
{
    a->cash = initial_capital;
    a->leverage = leverage;
    a->equity = initial_capital;
    a->open_n = 0;
    a->borrow_cost = 0.0;
    a->interest_cost = 0.0;
    a->dividends = 0.0;
    a->debt_forgiven = 0.0;
    a->is_bankrupt = false;
    for (uint32_t s = 0; s < a->symbols_n; s++) {
        a->pos[s] = (struct position){.last_exit_bar = NO_EXIT_YET};
        a->mark_px[s] = 0.0;
    }
}

double account_available(const struct account *a)
{
    double used = 0.0;
    for (uint32_t s = 0; s < a->symbols_n; s++)
        used += fabs(a->pos[s].qty) * a->mark_px[s] / a->leverage;
    double available = account_equity(a) - used;
    return available > 0.0 ? available : 0.0;
}

struct trade account_open_trade(const struct account *a, uint16_t symbol_idx)
{
    const struct position *p = &a->pos[symbol_idx];
    return (struct trade){
        .symbol_idx = symbol_idx,
        .entry_rule = p->entry_rule,
        .entry_bar = p->entry_bar,
        .exit_bar = TRADE_OPEN,
        .qty = p->qty,
        .entry_px = p->entry_px,
        .exit_px = NAN,
        .pnl = NAN,
        .commission = p->commission,
        .mae = NAN,
        .mfe = NAN,
    };
}

static void position_open(struct account *a, const struct fill *f)
{
    struct position *p = &a->pos[f->symbol_idx];
    if (p->qty != 0.0) {
        double held = fabs(p->qty), added = fabs(f->qty);
        p->entry_px = (held * p->entry_px + added * f->px) / (held + added);
        p->qty += f->qty;
        p->commission += f->commission;
        return;
    }
    *p = (struct position){
        .qty = f->qty,
        .entry_px = f->px,
        .commission = f->commission,
        .entry_bar = f->bar,
        .entry_rule = f->rule,
        .last_exit_bar = p->last_exit_bar,
    };
    a->open_n++;
}

/* What is left keeps its average price and its share of the commission. */
static void position_reduce(struct account *a, const struct fill *f, double commission)
{
    struct position *p = &a->pos[f->symbol_idx];
    if (f->qty == -p->qty) {
        *p = (struct position){.last_exit_bar = f->bar};
        a->open_n--;
    } else {
        p->qty += f->qty;
        p->commission -= commission;
    }
}

bool account_apply(struct account *a, const struct fill *f, struct trade *ret_trade)
{
    if (f->qty == 0.0)
        return false;
    a->cash -= f->qty * f->px + f->commission;
    if (!f->is_close) {
        position_open(a, f);
        return false;
    }
    struct trade t = account_open_trade(a, f->symbol_idx);
    if (f->qty != -t.qty) {
        t.commission *= f->qty / -t.qty;
        t.qty = -f->qty;
    }
    double entry_commission = t.commission;
    t.exit_bar = f->bar;
    t.exit_rule = f->rule;
    t.exit_px = f->px;
    t.commission += f->commission;
    t.pnl = t.qty * (t.exit_px - t.entry_px) - t.commission;
    position_reduce(a, f, entry_commission);
    *ret_trade = t;
    return true;
}
