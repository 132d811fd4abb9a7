/* SPDX-License-Identifier: MIT */
/* Codecs of what crosses processes in a lockstep step: signals and fills. */
#include <errno.h>
#include <stdlib.h>

#include "proto/body.h"
#include "proto/body_parts.h"

#define SIGNAL_BYTES 22 /* at least */

static bool terms_are_plain(const struct order_terms *t)
{
    return t->time_in_force == TIF_CFG && t->limit_px == 0 && t->stop_px == 0 && t->qty == 0 &&
           t->stop_loss_px == 0 && t->take_profit_px == 0;
}

/* Most entries are plain: a byte says so. */
static void terms_encode(struct buf *b, const struct order_terms *t)
{
    wr_u8(b, !terms_are_plain(t));
    if (terms_are_plain(t))
        return;
    wr_u8(b, t->time_in_force);
    wr_f64(b, t->limit_px);
    wr_f64(b, t->stop_px);
    wr_f64(b, t->qty);
    wr_f64(b, t->stop_loss_px);
    wr_f64(b, t->take_profit_px);
}

static struct order_terms terms_decode(struct reader *r)
{
    struct order_terms t = {0};

    if (!rd_flag(r))
        return t;
    t.time_in_force = rd_enum(r, TIF_IOC + 1);
    t.limit_px = rd_not_negative(r);
    t.stop_px = rd_not_negative(r);
    t.qty = rd_not_negative(r);
    t.stop_loss_px = rd_not_negative(r);
    t.take_profit_px = rd_not_negative(r);
    return t;
}

static void signal_encode(struct buf *b, const struct signal *s)
{
    wr_u32(b, s->target_portfolio);
    wr_u32(b, s->bar);
    wr_u16(b, s->symbol_idx);
    wr_u16(b, s->kinds);
    wr_f64(b, s->ref_px);
    terms_encode(b, &s->long_terms);
    terms_encode(b, &s->short_terms);
}

static struct signal signal_decode(struct reader *r)
{
    const uint16_t all =
        SIGNAL_LONG_ENTRY | SIGNAL_LONG_EXIT | SIGNAL_SHORT_ENTRY | SIGNAL_SHORT_EXIT;
    struct signal s = {0};

    s.target_portfolio = rd_u32(r);
    s.bar = rd_u32(r);
    s.symbol_idx = rd_u16(r);
    s.kinds = rd_u16(r);
    s.ref_px = rd_finite(r); /* of the data: a spread may be negative */
    s.long_terms = terms_decode(r);
    s.short_terms = terms_decode(r);
    if (s.symbol_idx >= SPEC_SYMBOLS_MAX || s.kinds > all)
        r->bad = true;
    return s;
}

void signals_encode(struct buf *b, const struct signals *s)
{
    wr_u32(b, s->step);
    wr_u8(b, s->is_final);
    wr_u32(b, s->n);
    for (uint32_t i = 0; i < s->n; i++)
        signal_encode(b, &s->signals[i]);
}

int signals_decode(struct reader *r, struct signals *ret_s)
{
    struct signals s = {0};

    s.step = rd_u32(r);
    s.is_final = rd_flag(r);
    s.n = rd_count(r, UINT32_MAX, SIGNAL_BYTES);
    if (r->bad)
        return -EBADMSG;
    s.signals = array_of(s.n, sizeof *s.signals);
    if (!s.signals)
        return -ENOMEM;
    for (uint32_t i = 0; i < s.n; i++)
        s.signals[i] = signal_decode(r);
    if (rd_done(r))
        *ret_s = s;
    else
        signals_fini(&s);
    return whole(r);
}

void signals_fini(struct signals *s)
{
    free(s->signals);
    *s = (struct signals){0};
}

static void fill_encode(struct buf *b, const struct fill *f)
{
    wr_u32(b, f->target_portfolio);
    wr_u32(b, f->bar);
    wr_u16(b, f->symbol_idx);
    wr_u8(b, f->rule);
    wr_u8(b, f->is_close);
    wr_u8(b, f->flags);
    wr_f64(b, f->qty);
    wr_f64(b, f->px);
    wr_f64(b, f->commission);
    wr_f64(b, f->slippage);
}

static struct fill fill_decode(struct reader *r)
{
    struct fill f = {0};

    f.target_portfolio = rd_u32(r);
    f.bar = rd_u32(r);
    f.symbol_idx = rd_u16(r);
    f.rule = rd_u8(r);
    f.is_close = rd_flag(r);
    f.flags = rd_enum(r, 2 * FILL_DROPPED); /* all flags, in any mix */
    f.qty = rd_finite(r);
    f.px = rd_not_negative(r);
    f.commission = rd_not_negative(r);
    f.slippage = rd_not_negative(r);
    if (f.symbol_idx >= SPEC_SYMBOLS_MAX || f.rule >= FILL_RULE_N)
        r->bad = true;
    return f;
}

void fills_encode(struct buf *b, const struct fills *f)
{
    wr_u32(b, f->step);
    wr_u8(b, f->is_final);
    wr_u32(b, f->next_step);
    wr_u32(b, f->n);
    for (uint32_t i = 0; i < f->n; i++)
        fill_encode(b, &f->fills[i]);
}

int fills_decode(struct reader *r, struct fills *ret_f)
{
    struct fills f = {0};

    f.step = rd_u32(r);
    f.is_final = rd_flag(r);
    f.next_step = rd_u32(r);
    f.n = rd_count(r, UINT32_MAX, FILL_BYTES);
    if (r->bad)
        return -EBADMSG;
    f.fills = array_of(f.n, sizeof *f.fills);
    if (!f.fills)
        return -ENOMEM;
    for (uint32_t i = 0; i < f.n; i++)
        f.fills[i] = fill_decode(r);
    if (rd_done(r))
        *ret_f = f;
    else
        fills_fini(&f);
    return whole(r);
}

void fills_fini(struct fills *f)
{
    free(f->fills);
    *f = (struct fills){0};
}
