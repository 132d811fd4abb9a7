/* SPDX-License-Identifier: MIT */
/* Maximum adverse and favourable excursion of a trade. */
#include "worker/monitor/excursion.h"

#include <math.h>

/* Whether a rule that can fill at the open or at the close did so at the close. */
static bool fills_at_close(const struct execution_cfg *cfg, uint8_t rule)
{
    switch (rule) {
    case FILL_RULE_MARKET_CLOSE:
    case FILL_RULE_BANKRUPT:
        return true;
    case FILL_RULE_END:
        return cfg->at_end == AT_END_CLOSE_AT_CLOSE;
    case FILL_RULE_REVERSE:
    case FILL_RULE_REENTER:
    case FILL_RULE_TIME:
    case FILL_RULE_RISK:
        return cfg->fill == FILL_THIS_CLOSE || cfg->market_on == MARKET_ON_CLOSE;
    default:
        return false;
    }
}

/* Of an entry. A limit is filled at the open where the open is better than it, and at no price but
 * its own within the bar. */
static bool fills_at_open(const struct execution_cfg *cfg, uint8_t rule, double px, double open_px)
{
    switch (rule) {
    case FILL_RULE_STOP:
        return false;
    case FILL_RULE_LIMIT:
        return px == open_px;
    default:
        return !fills_at_close(cfg, rule);
    }
}

static void widen_by_price(struct price_range *range, double px)
{
    range->high = px > range->high ? px : range->high;
    range->low = px < range->low ? px : range->low;
}

void excursion_measure(const struct market *m, const struct execution_cfg *cfg, uint32_t last_step,
                       struct trade *t)
{
    uint32_t s = t->symbol_idx;
    const struct bars *bars = &m->symbol[s]->bars;
    bool is_open = t->exit_bar == TRADE_OPEN;
    int32_t entry = market_row(m, s, t->entry_bar);
    int32_t exit = is_open ? market_last_row(m, s, last_step) : market_last_row(m, s, t->exit_bar);
    if (entry < 0 || exit < entry)
        return;
    bool from_open = fills_at_open(cfg, t->entry_rule, t->entry_px, bars->open[entry]);
    bool to_close = is_open || fills_at_close(cfg, t->exit_rule);
    struct price_range range = {t->entry_px, t->entry_px};
    uint32_t from = (uint32_t)entry + (from_open ? 0 : 1), to = (uint32_t)exit + (to_close ? 1 : 0);
    if (from < to)
        extremes_widen(&m->extremes[s], from, to, &range);
    if (!from_open && (entry != exit || to_close))
        widen_by_price(&range, bars->close[entry]);
    if (!to_close && (entry != exit || from_open))
        widen_by_price(&range, bars->open[exit]);
    if (!is_open)
        widen_by_price(&range, t->exit_px);
    double lowest = range.low / t->entry_px - 1, highest = range.high / t->entry_px - 1;
    t->mae = 0.0 + (t->qty > 0 ? lowest : -highest);
    t->mfe = 0.0 + (t->qty > 0 ? highest : -lowest); /* no -0 */
}
