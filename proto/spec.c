/* SPDX-License-Identifier: MIT */
/* Codecs of what a worker is told and of what it answers. Decoders check every value that code
 * behind them relies on: enum ranges, counts, and that numbers are finite where nothing else makes
 * sense. */
#include "proto/spec.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STRATEGY_LEAST_BYTES 29 /* all texts empty, no parameter */

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

void execution_cfg_encode(struct buf *b, const struct execution_cfg *cfg)
{
    wr_u8(b, cfg->fill);
    wr_u8(b, cfg->same_bar);
    wr_u8(b, cfg->at_end);
    wr_number(b, cfg->commission_frac);
    wr_number(b, cfg->slippage_frac);
}

static void execution_cfg_decode(struct reader *r, struct execution_cfg *cfg)
{
    cfg->fill = rd_enum(r, FILL_NEXT_OPEN + 1);
    cfg->same_bar = rd_enum(r, SAME_BAR_NEAREST_OPEN + 1);
    cfg->at_end = rd_enum(r, AT_END_CLOSE_AT_OPEN + 1);
    cfg->commission_frac = rd_finite(r);
    cfg->slippage_frac = rd_finite(r);
}

void risk_cfg_encode(struct buf *b, const struct risk_cfg *cfg)
{
    wr_u8(b, cfg->opposite_signal);
    wr_u8(b, cfg->same_signal);
    wr_number(b, cfg->max_position_size);
    wr_number(b, cfg->commission_frac);
}

static void risk_cfg_decode(struct reader *r, struct risk_cfg *cfg)
{
    cfg->opposite_signal = rd_enum(r, OPPOSITE_IGNORE + 1);
    cfg->same_signal = rd_enum(r, SAME_SIGNAL_REENTER + 1);
    cfg->max_position_size = rd_f64(r);
    if (!(cfg->max_position_size >= 0))
        r->bad = true;
    cfg->commission_frac = rd_finite_or_nan(r);
}

static void exits_cfg_encode(struct buf *b, const struct exits_cfg *cfg)
{
    wr_u8(b, cfg->base);
    wr_u8(b, cfg->live_from);
    wr_number(b, cfg->stop_loss);
    wr_number(b, cfg->take_profit);
}

static void exits_cfg_decode(struct reader *r, struct exits_cfg *cfg)
{
    cfg->base = rd_enum(r, EXIT_BASE_SIGNAL_CLOSE + 1);
    cfg->live_from = rd_enum(r, LIVE_FROM_NEXT_BAR + 1);
    cfg->stop_loss = rd_finite_or_nan(r);
    cfg->take_profit = rd_finite_or_nan(r);
}

static void portfolio_cfg_encode(struct buf *b, const struct portfolio_cfg *cfg)
{
    wr_u8(b, cfg->direction);
    wr_u8(b, cfg->sizing);
    wr_number(b, cfg->sizing_value);
    wr_number(b, cfg->initial_capital);
    wr_number(b, cfg->leverage);
    wr_number(b, cfg->lot);
}

static void portfolio_cfg_decode(struct reader *r, struct portfolio_cfg *cfg)
{
    cfg->direction = rd_enum(r, DIRECTION_SHORT + 1);
    cfg->sizing = rd_enum(r, SIZING_UNITS + 1);
    cfg->sizing_value = rd_finite(r);
    cfg->initial_capital = rd_finite(r);
    cfg->leverage = rd_finite(r);
    cfg->lot = rd_finite(r);
    if (cfg->lot < 0)
        r->bad = true;
}

/* ---- combinations --------------------------------------------------------------------------- */

void combo_encode(struct buf *b, const struct combo *combo)
{
    wr_u64(b, combo->combination);
    wr_u64(b, combo->container_seq);
    wr_u32(b, combo->strategy_idx);
    wr_u32(b, combo->symbol_idx);
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

void result_encode(struct buf *b, const struct result *result)
{
    wr_u64(b, result->combination);
    wr_u8(b, result->status);
    wr_u32(b, METRIC_N);
    for (int i = 0; i < METRIC_N; i++)
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
}

void run_spec_encode(struct buf *b, const struct run_spec *spec)
{
    wr_u8(b, spec->profile);
    wr_f64(b, spec->periods_per_year);
    wr_f64(b, spec->risk_free);
    wr_u64(b, spec->seed);
    wr_str(b, spec->container_prefix);
    wr_str(b, spec->container_suffix);
    wr_u32(b, spec->strategies_n);
    for (uint32_t i = 0; i < spec->strategies_n; i++)
        strategy_encode(b, &spec->strategies[i]);
}

int run_spec_decode(struct reader *r, struct run_spec *ret_spec)
{
    struct run_spec spec = {0};

    spec.profile = rd_enum(r, PROFILE_N);
    spec.periods_per_year = rd_finite_or_nan(r);
    spec.risk_free = rd_finite(r);
    spec.seed = rd_u64(r);
    rd_str(r, spec.container_prefix, sizeof spec.container_prefix);
    rd_str(r, spec.container_suffix, sizeof spec.container_suffix);
    spec.strategies_n = rd_count(r, SPEC_STRATEGIES_MAX, STRATEGY_LEAST_BYTES);
    if (spec.periods_per_year <= 0)
        r->bad = true;
    if (r->bad)
        return -EBADMSG;

    spec.strategies = calloc(spec.strategies_n + 1, sizeof *spec.strategies);
    if (!spec.strategies)
        return -ENOMEM;
    for (uint32_t i = 0; i < spec.strategies_n; i++)
        strategy_decode(r, &spec.strategies[i]);
    if (r->bad)
        run_spec_fini(&spec);
    else
        *ret_spec = spec;
    return verdict(r);
}

void run_spec_fini(struct run_spec *spec)
{
    free(spec->strategies);
    *spec = (struct run_spec){0};
}

bool spec_symbol_is_good(const char *name)
{
    static const char inside[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                 "^._=/-";
    size_t n = strlen(name);
    return n >= 1 && n < SPEC_NAME_BYTES && strspn(name, inside) == n && !strchr("._=/-", name[0]);
}
