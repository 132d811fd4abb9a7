/* SPDX-License-Identifier: MIT */
/* Codecs of what a worker is told and of what it answers. Decoders check every value that code
 * behind them relies on: enum ranges, counts, and that numbers are finite where nothing else makes
 * sense. */
#include "proto/spec.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/trade.h"

#define LIBRARY_LEAST_BYTES  4  /* an empty text */
#define STRATEGY_LEAST_BYTES 45 /* all texts empty, no parameter */

/* -0 and 0 are one configuration. */
static void wr_number(struct buf *b, double v)
{
    wr_f64(b, v == 0 ? 0.0 : v);
}

static int verdict(const struct reader *r)
{
    return r->bad ? -EBADMSG : 0;
}

/* ---- configurations ------------------------------------------------------------------------- */

static void commission_encode(struct buf *b, const struct commission_cfg *cfg)
{
    wr_number(b, cfg->percent_frac);
    wr_number(b, cfg->fixed);
    wr_number(b, cfg->per_share);
    wr_number(b, cfg->minimum);
    wr_number(b, cfg->maximum);
}

static void commission_decode(struct reader *r, struct commission_cfg *cfg)
{
    cfg->percent_frac = rd_not_negative(r);
    cfg->fixed = rd_not_negative(r);
    cfg->per_share = rd_not_negative(r);
    cfg->minimum = rd_not_negative(r);
    cfg->maximum = rd_not_negative(r);
}

static void slippage_encode(struct buf *b, const struct slippage_cfg *cfg)
{
    wr_number(b, cfg->percent_frac);
    wr_number(b, cfg->ticks);
    wr_number(b, cfg->tick);
    wr_number(b, cfg->volume_share);
    wr_number(b, cfg->impact);
}

static void slippage_decode(struct reader *r, struct slippage_cfg *cfg)
{
    cfg->percent_frac = rd_not_negative(r);
    cfg->ticks = rd_not_negative(r);
    cfg->tick = rd_not_negative(r);
    cfg->volume_share = rd_not_negative(r);
    cfg->impact = rd_not_negative(r);
}

void execution_cfg_encode(struct buf *b, const struct execution_cfg *cfg)
{
    wr_u8(b, cfg->fill);
    wr_u8(b, cfg->close_booked);
    wr_u8(b, cfg->market_on);
    wr_u8(b, cfg->time_in_force);
    wr_u8(b, cfg->same_bar);
    wr_u8(b, cfg->at_end);
    wr_u8(b, cfg->orders_per_bar);
    wr_u8(b, cfg->slips_in_bar);
    wr_u8(b, cfg->stops_exact);
    wr_u8(b, cfg->spread_paid);
    wr_u8(b, cfg->volume_rest);
    wr_u8(b, cfg->reversal_fee);
    wr_u32(b, cfg->delay);
    commission_encode(b, &cfg->commission);
    slippage_encode(b, &cfg->slippage);
    wr_number(b, cfg->spread_frac);
    wr_number(b, cfg->borrow_fee_frac);
    wr_number(b, cfg->margin_interest_frac);
}

static void execution_cfg_decode(struct reader *r, struct execution_cfg *cfg)
{
    cfg->fill = rd_enum(r, FILL_THIS_CLOSE + 1);
    cfg->close_booked = rd_enum(r, CLOSE_BOOKED_NEXT_BAR + 1);
    cfg->market_on = rd_enum(r, MARKET_ON_CLOSE + 1);
    cfg->time_in_force = rd_enum(r, TIF_IOC + 1);
    cfg->same_bar = rd_enum(r, SAME_BAR_STOP_FIRST + 1);
    cfg->at_end = rd_enum(r, AT_END_CLOSE_AT_OPEN + 1);
    cfg->orders_per_bar = rd_enum(r, ORDERS_PER_BAR_ONE + 1);
    cfg->slips_in_bar = rd_enum(r, 2);
    cfg->stops_exact = rd_enum(r, 2);
    cfg->spread_paid = rd_enum(r, SPREAD_ON_ENTRY + 1);
    cfg->volume_rest = rd_enum(r, VOLUME_REST_CANCEL + 1);
    cfg->reversal_fee = rd_enum(r, REVERSAL_FEE_ONCE + 1);
    cfg->delay = rd_u32(r);
    commission_decode(r, &cfg->commission);
    slippage_decode(r, &cfg->slippage);
    cfg->spread_frac = rd_not_negative(r);
    cfg->borrow_fee_frac = rd_not_negative(r);
    cfg->margin_interest_frac = rd_not_negative(r);
}

void risk_cfg_encode(struct buf *b, const struct risk_cfg *cfg)
{
    wr_u8(b, cfg->opposite_signal);
    wr_u8(b, cfg->same_signal);
    wr_u8(b, cfg->conflicting_signals);
    wr_u32(b, cfg->cooldown_bars);
    wr_number(b, cfg->commission_frac);
    wr_number(b, cfg->max_position_size);
    wr_number(b, cfg->max_exposure);
    wr_number(b, cfg->max_leverage);
    wr_number(b, cfg->max_drawdown);
    wr_number(b, cfg->max_daily_loss);
}

static void risk_cfg_decode(struct reader *r, struct risk_cfg *cfg)
{
    cfg->opposite_signal = rd_enum(r, OPPOSITE_IGNORE + 1);
    cfg->same_signal = rd_enum(r, SAME_SIGNAL_REENTER + 1);
    cfg->conflicting_signals = rd_enum(r, CONFLICT_IGNORE + 1);
    cfg->cooldown_bars = rd_u32(r);
    cfg->commission_frac = rd_finite_or_nan(r);
    if (cfg->commission_frac < 0)
        r->bad = true;
    cfg->max_position_size = rd_not_negative(r);
    cfg->max_exposure = rd_not_negative(r);
    cfg->max_leverage = rd_not_negative(r);
    cfg->max_drawdown = rd_not_negative(r);
    cfg->max_daily_loss = rd_not_negative(r);
}

static void exits_cfg_encode(struct buf *b, const struct exits_cfg *cfg)
{
    wr_u8(b, cfg->base);
    wr_u8(b, cfg->live_from);
    wr_u32(b, cfg->max_bars);
    wr_number(b, cfg->stop_loss);
    wr_number(b, cfg->take_profit);
    wr_number(b, cfg->trailing_stop);
    wr_number(b, cfg->trailing_amount);
}

static void exits_cfg_decode(struct reader *r, struct exits_cfg *cfg)
{
    cfg->base = rd_enum(r, EXIT_BASE_ENTRY_CLOSE + 1);
    cfg->live_from = rd_enum(r, LIVE_FROM_NEXT_BAR + 1);
    cfg->max_bars = rd_u32(r);
    cfg->stop_loss = rd_not_negative(r);
    cfg->take_profit = rd_not_negative(r);
    cfg->trailing_stop = rd_not_negative(r);
    cfg->trailing_amount = rd_not_negative(r);
}

static void portfolio_cfg_encode(struct buf *b, const struct portfolio_cfg *cfg)
{
    wr_u8(b, cfg->direction);
    wr_u8(b, cfg->sizing);
    wr_u8(b, cfg->unaffordable);
    wr_u8(b, cfg->commission_reserve);
    wr_u8(b, cfg->short_margin);
    wr_u8(b, cfg->cash_check);
    wr_u8(b, cfg->bankruptcy);
    wr_u32(b, cfg->sizing_lookback);
    wr_number(b, cfg->sizing_value);
    wr_number(b, cfg->initial_capital);
    wr_number(b, cfg->leverage);
    wr_number(b, cfg->lot);
    wr_number(b, cfg->min_notional);
    wr_number(b, cfg->maintenance_margin);
}

static void portfolio_cfg_decode(struct reader *r, struct portfolio_cfg *cfg)
{
    cfg->direction = rd_enum(r, DIRECTION_SHORT + 1);
    cfg->sizing = rd_enum(r, SIZING_TARGET_PERCENT + 1);
    cfg->unaffordable = rd_enum(r, UNAFFORDABLE_REDUCE + 1);
    cfg->commission_reserve = rd_enum(r, RESERVE_EACH_UNIT + 1);
    cfg->short_margin = rd_enum(r, SHORT_MARGIN_NONE + 1);
    cfg->cash_check = rd_enum(r, CASH_CHECK_SIGNAL_CLOSE_TOO + 1);
    cfg->bankruptcy = rd_enum(r, BANKRUPTCY_RUN_ON + 1);
    cfg->sizing_lookback = rd_u32(r);
    cfg->sizing_value = rd_not_negative(r);
    cfg->initial_capital = rd_not_negative(r);
    cfg->leverage = rd_not_negative(r);
    cfg->lot = rd_not_negative(r);
    cfg->min_notional = rd_not_negative(r);
    cfg->maintenance_margin = rd_not_negative(r);
}

/* ---- combinations --------------------------------------------------------------------------- */

void combo_encode(struct buf *b, const struct combo *combo)
{
    wr_u64(b, combo->combination);
    wr_u64(b, combo->container_seq);
    wr_u32(b, combo->strategy_idx);
    wr_u32(b, combo->symbol_idx);
    wr_u32(b, combo->noise_path);
    execution_cfg_encode(b, &combo->execution);
    risk_cfg_encode(b, &combo->risk);
    exits_cfg_encode(b, &combo->exits);
    portfolio_cfg_encode(b, &combo->portfolio);
    wr_u32(b, combo->params_n);
    for (uint32_t i = 0; i < combo->params_n; i++)
        wr_f64(b, combo->params[i]);
}

int combo_decode(struct reader *r, struct combo *ret_combo)
{
    struct combo c = {0};

    c.combination = rd_u64(r);
    c.container_seq = rd_u64(r);
    c.strategy_idx = rd_u32(r);
    c.symbol_idx = rd_u32(r);
    c.noise_path = rd_u32(r);
    execution_cfg_decode(r, &c.execution);
    risk_cfg_decode(r, &c.risk);
    exits_cfg_decode(r, &c.exits);
    portfolio_cfg_decode(r, &c.portfolio);
    c.params_n = rd_count(r, SPEC_PARAMS_MAX, sizeof(double));
    for (uint32_t i = 0; i < c.params_n; i++)
        c.params[i] = rd_finite(r);
    if (c.strategy_idx >= SPEC_STRATEGIES_MAX ||
        (c.symbol_idx >= SPEC_SYMBOLS_MAX && c.symbol_idx != COMBO_ALL_SYMBOLS))
        r->bad = true;
    if (!r->bad)
        *ret_combo = c;
    return verdict(r);
}

/* ---- results -------------------------------------------------------------------------------- */

/* Undefined metrics at the end are left out: rows of few profiles stand there. */
void result_encode(struct buf *b, const struct result *result)
{
    uint32_t metrics_n = METRIC_N;

    while (metrics_n > 0 && isnan(result->metrics[metrics_n - 1]))
        metrics_n--;
    wr_u64(b, result->combination);
    wr_u8(b, result->status);
    wr_u32(b, metrics_n);
    for (uint32_t i = 0; i < metrics_n; i++)
        wr_f64(b, result->metrics[i]);
    wr_str(b, result->message);
}

/* Metrics are only ever added at the end: one that a stored result lacks is undefined. */
int result_decode(struct reader *r, struct result *ret_result)
{
    struct result result = {0};

    result.combination = rd_u64(r);
    result.status = rd_enum(r, STATUS_N);
    uint32_t metrics_n = rd_count(r, METRIC_N, sizeof(double));
    for (uint32_t i = 0; i < METRIC_N; i++)
        result.metrics[i] = i < metrics_n ? rd_f64(r) : NAN;
    rd_str(r, result.message, sizeof result.message);
    if (!r->bad)
        *ret_result = result;
    return verdict(r);
}

/* ---- the run -------------------------------------------------------------------------------- */

static void strategy_encode(struct buf *b, const struct strategy_spec *s)
{
    wr_str(b, s->type);
    wr_str(b, s->name);
    wr_u8(b, s->first_signal);
    wr_u32(b, s->params_n);
    for (uint32_t i = 0; i < s->params_n; i++)
        wr_str(b, s->param_names[i]);
    wr_str(b, s->long_entry);
    wr_str(b, s->long_exit);
    wr_str(b, s->short_entry);
    wr_str(b, s->short_exit);
    wr_str(b, s->long_limit);
    wr_str(b, s->long_stop);
    wr_str(b, s->short_limit);
    wr_str(b, s->short_stop);
}

static void strategy_decode(struct reader *r, struct strategy_spec *s)
{
    rd_str(r, s->type, sizeof s->type);
    rd_str(r, s->name, sizeof s->name);
    s->first_signal = rd_enum(r, FIRST_SIGNAL_AFTER_WARM_UP + 1);
    s->params_n = rd_count(r, SPEC_PARAMS_MAX, sizeof(uint32_t));
    for (uint32_t i = 0; i < s->params_n; i++)
        rd_str(r, s->param_names[i], sizeof s->param_names[i]);
    rd_str(r, s->long_entry, sizeof s->long_entry);
    rd_str(r, s->long_exit, sizeof s->long_exit);
    rd_str(r, s->short_entry, sizeof s->short_entry);
    rd_str(r, s->short_exit, sizeof s->short_exit);
    rd_str(r, s->long_limit, sizeof s->long_limit);
    rd_str(r, s->long_stop, sizeof s->long_stop);
    rd_str(r, s->short_limit, sizeof s->short_limit);
    rd_str(r, s->short_stop, sizeof s->short_stop);
}

void run_spec_encode(struct buf *b, const struct run_spec *spec)
{
    wr_u8(b, spec->profile);
    wr_f64(b, spec->periods_per_year);
    wr_f64(b, spec->risk_free);
    wr_u64(b, spec->seed);
    wr_f64(b, spec->noise.sigma);
    wr_u32(b, spec->noise.seed);
    wr_str(b, spec->container_prefix);
    wr_str(b, spec->container_suffix);
    wr_u32(b, spec->strategies_n);
    for (uint32_t i = 0; i < spec->strategies_n; i++)
        strategy_encode(b, &spec->strategies[i]);
    wr_u32(b, spec->libraries_n);
    for (uint32_t i = 0; i < spec->libraries_n; i++)
        wr_str(b, spec->libraries[i].path);
}

int run_spec_decode(struct reader *r, struct run_spec *ret_spec)
{
    struct run_spec spec = {0};

    spec.profile = rd_enum(r, PROFILE_N);
    spec.periods_per_year = rd_finite_or_nan(r);
    spec.risk_free = rd_finite(r);
    spec.seed = rd_u64(r);
    spec.noise.sigma = rd_finite(r);
    spec.noise.seed = rd_u32(r);
    rd_str(r, spec.container_prefix, sizeof spec.container_prefix);
    rd_str(r, spec.container_suffix, sizeof spec.container_suffix);
    spec.strategies_n = rd_count(r, SPEC_STRATEGIES_MAX, STRATEGY_LEAST_BYTES);
    if (spec.periods_per_year <= 0 ||
        !(spec.noise.sigma >= 0 && spec.noise.sigma <= NOISE_SIGMA_MAX))
        r->bad = true;
    if (r->bad)
        return -EBADMSG;

    spec.strategies = calloc(spec.strategies_n + 1, sizeof *spec.strategies);
    if (!spec.strategies)
        return -ENOMEM;
    for (uint32_t i = 0; i < spec.strategies_n; i++)
        strategy_decode(r, &spec.strategies[i]);
    spec.libraries_n = rd_count(r, SPEC_LIBRARIES_MAX, LIBRARY_LEAST_BYTES);
    spec.libraries = calloc(spec.libraries_n + 1, sizeof *spec.libraries);
    if (!spec.libraries) {
        run_spec_fini(&spec);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < spec.libraries_n; i++)
        rd_str(r, spec.libraries[i].path, sizeof spec.libraries[i].path);
    if (r->bad)
        run_spec_fini(&spec);
    else
        *ret_spec = spec;
    return verdict(r);
}

void run_spec_fini(struct run_spec *spec)
{
    free(spec->strategies);
    free(spec->libraries);
    *spec = (struct run_spec){0};
}

bool spec_symbol_is_good(const char *name)
{
    static const char inside[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                 "^._=/-";
    size_t n = strlen(name);
    return n >= 1 && n < SPEC_NAME_BYTES && strspn(name, inside) == n && !strchr("._=/-", name[0]);
}
