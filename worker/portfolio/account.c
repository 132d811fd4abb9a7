/* SPDX-License-Identifier: MIT */
/* The account: cash, positions and what they are worth. */
#include "worker/portfolio/account.h"

#include <math.h>
#include <string.h>

void account_init(struct account *a, double initial_capital, double leverage)
{
    a->cash = initial_capital;
    a->leverage = leverage;
    a->equity = initial_capital;
    a->open_n = 0;
    a->exits_n = 0;
    a->is_bankrupt = false;
    memset(a->pos, 0, a->symbols_n * sizeof *a->pos);
    for (uint32_t s = 0; s < a->symbols_n; s++)
        a->mark_px[s] = 0.0;
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
    };
}

static void position_open(struct account *a, const struct fill *f)
{
    a->pos[f->symbol_idx] = (struct position){
        .qty = f->qty,
        .entry_px = f->px,
        .commission = f->commission,
        .stop_px = f->stop_px,
        .target_px = f->target_px,
        .entry_bar = f->bar,
        .entry_rule = f->rule,
    };
    a->open_n++;
    a->exits_n += position_has_exits(&a->pos[f->symbol_idx]);
}

bool account_apply(struct account *a, const struct fill *f, struct trade *ret_trade)
{
    a->cash -= f->qty * f->px + f->commission;
    if (!f->is_close) {
        position_open(a, f);
        return false;
    }
    struct trade t = account_open_trade(a, f->symbol_idx);
    t.exit_bar = f->bar;
    t.exit_rule = f->rule;
    t.exit_px = f->px;
    t.commission += f->commission;
    t.pnl = t.qty * (t.exit_px - t.entry_px) - t.commission;
    a->exits_n -= position_has_exits(&a->pos[f->symbol_idx]);
    a->pos[f->symbol_idx] = (struct position){0};
    a->open_n--;
    *ret_trade = t;
    return true;
}
