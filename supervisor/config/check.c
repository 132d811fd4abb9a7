/* SPDX-License-Identifier: MIT */
/* Keys that contradict each other or need one another, over all values that a strategy sweeps. Each
 * error stands at the key that was written and says how to mend it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "proto/units.h"
#include "supervisor/config/strategy.h"

/* ---- what was written, and which values there are ------------------------------------------- */

/* The key of a node as far as a dotted path leads from a map; NULL where its first part is not
 * there. */
static const struct node *follow(const struct node *map, const char *path)
{
    const struct node *found = NULL;
    char key[SPEC_NAME_BYTES];
    while (map && map->kind == NODE_MAP && *path) {
        size_t n = strcspn(path, ".");
        snprintf(key, sizeof(key), "%.*s", (int)n, path);
        map = node_get(map, key);
        found = map ? map->key : found;
        path += path[n] == '.' ? n + 1 : n;
    }
    return found;
}

const struct node *reading_written(const struct reading *r, const char *path)
{
    char section[SPEC_NAME_BYTES];
    const struct schema_row *row = schema_at(path);
    size_t n = strcspn(path, ".");
    snprintf(section, sizeof(section), "%.*s_config", (int)n, path);
    const struct node *own = node_get(r->node, section);
    const struct node *at = own ? follow(own, path + n + 1) : NULL;
    section[n] = '\0';
    const struct node *of_file = node_get(r->l->tree.root, section);
    if (!at && of_file)
        at = follow(of_file, path + n + 1);
    if (!at && row && row->sweep && r->l->grids)
        at = follow(r->l->grids, row->sweep);
    return at;
}

/* The first of the paths that was written; else the strategy. */
static const struct node *blame(const struct reading *r, const char *a, const char *b)
{
    const struct node *at = reading_written(r, a);
    if (!at)
        at = reading_written(r, b);
    return at ? at : r->node;
}

static void widen(struct span *s, const struct schema_row *row, double value)
{
    double shown = field_shown(row, value);
    s->may_be_none |= isnan(shown);
    s->lowest = shown < s->lowest ? shown : s->lowest;
    s->highest = shown > s->highest ? shown : s->highest;
}

static const struct dim *dim_of(const struct config_strategy *s, const struct schema_row *row)
{
    for (uint32_t i = 0; i < s->dims_n; i++)
        if (field_is_same(s->dims[i].row, row))
            return &s->dims[i];
    return NULL;
}

struct span reading_span(const struct reading *r, const char *path)
{
    const struct schema_row *row = schema_at(path);
    const struct dim *d = dim_of(r->s, row);
    struct span s = {.lowest = INFINITY, .highest = -INFINITY};
    if (!d) {
        widen(&s, row, field_get(&r->s->base, row));
    } else if (d->is_range) {
        widen(&s, row, dim_value(d, 0));
        widen(&s, row, dim_value(d, d->n - 1));
    } else {
        for (uint64_t i = 0; i < d->n; i++)
            widen(&s, row, d->values[i]);
    }
    return s;
}

/* ---- contradictions ------------------------------------------------------------------------- */

static int check_market_on(const struct reading *r)
{
    const struct execution_cfg *e = &r->s->base.execution;
    if (e->market_on != MARKET_ON_CLOSE || e->fill != FILL_THIS_CLOSE)
        return 0;
    return node_error(blame(r, "execution.market_on", "execution.fill"), r->l->err,
                      "execution.market_on: close is for fill: next_open; under fill: this_close "
                      "market orders fill at the signal's own close: take one of the two out");
}

static int check_exits_base(const struct reading *r)
{
    const struct exits_cfg *e = &r->s->base.exits;
    if (e->base != EXIT_BASE_ENTRY_CLOSE || e->live_from != LIVE_FROM_FILL_BAR)
        return 0;
    return node_error(blame(r, "exits.base", "exits.live_from"), r->l->err,
                      "exits.base: entry_close is not known before the entry's bar has ended; "
                      "write live_from: next_bar beside it");
}

static int check_ticks(const struct reading *r)
{
    if (!(reading_span(r, "execution.slippage.ticks").highest > 0) ||
        !reading_span(r, "execution.slippage.tick").may_be_none)
        return 0;
    return node_error(blame(r, "execution.slippage.ticks", "execution.slippage.tick"), r->l->err,
                      "execution.slippage.ticks needs the size of a tick; write it as "
                      "slippage: {ticks: 1, tick: 0.01}");
}

static int check_commission(const struct reading *r)
{
    char least[F64_BYTES], most[F64_BYTES];
    struct span minimum = reading_span(r, "execution.commission.minimum");
    struct span maximum = reading_span(r, "execution.commission.maximum");
    if (minimum.highest <= maximum.lowest)
        return 0;
    return node_error(
        blame(r, "execution.commission.minimum", "execution.commission.maximum"), r->l->err,
        "execution.commission: the minimum %s is more than the maximum %s; exchange "
        "them, or take one out",
        f64_format_short(minimum.highest, least), f64_format_short(maximum.lowest, most));
}

/* Buying with all of the leverage leaves equity of 1/leverage of the position. Without leverage
 * there is no debt that could be called. */
static int check_maintenance(const struct reading *r)
{
    char most[F64_BYTES], leverage[F64_BYTES], below[F64_BYTES], mended[F64_BYTES];
    double margin = reading_span(r, "portfolio.maintenance_margin").highest;
    double times = reading_span(r, "portfolio.leverage").highest;
    if (!(times > 1) || margin * times < 1)
        return 0;
    return node_error(blame(r, "portfolio.maintenance_margin", "portfolio.leverage"), r->l->err,
                      "portfolio.maintenance_margin: %s with leverage %s calls every position that "
                      "is bought with all of the leverage at once; write less than 1/leverage = "
                      "%s, as in {leverage: %s, maintenance_margin: %s}",
                      f64_format_short(margin, most), f64_format_short(times, leverage),
                      f64_format_short(1 / times, below), leverage,
                      f64_format_short(0.5 / times, mended));
}

/* Sizing by the distance of a stop, where some combination has none. */
static int check_risk_frac(const struct reading *r)
{
    static const char *const stops[] = {"exits.stop_loss", "exits.trailing_stop",
                                        "exits.trailing_amount"};
    if (r->s->base.portfolio.sizing != SIZING_RISK_FRAC)
        return 0;
    for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++)
        if (!reading_span(r, stops[i]).may_be_none)
            return 0;
    return node_error(blame(r, "portfolio.sizing.risk_frac", "portfolio.sizing"), r->l->err,
                      "portfolio.sizing.risk_frac divides by the distance of the stop, and not "
                      "every combination has one; set exits.stop_loss, exits.trailing_stop or "
                      "exits.trailing_amount to something else than none");
}

static int check_lookback(const struct reading *r)
{
    const struct schema_row *row = schema_at("portfolio.sizing.lookback");
    if (r->s->base.portfolio.sizing == SIZING_TARGET_VOLATILITY || !dim_of(r->s, row))
        return 0;
    return node_error(blame(r, row->path, "optimization"), r->l->err,
                      "%s is swept, but portfolio.sizing is not target_volatility; take one out",
                      row->sweep);
}

static const struct metric_alias *column_like(const struct reading *r, const char *name)
{
    const struct metric_alias *alias = metric_alias_find(name);
    return alias && alias->profile == r->l->config->profile ? alias : NULL;
}

/* Exports have one column of a name. */
static int check_columns(const struct reading *r)
{
    for (uint32_t d = 0; d < r->s->dims_n; d++) {
        const char *name = r->s->dims[d].name;
        if (!column_like(r, name))
            continue;
        const struct node *at = r->l->grids ? follow(r->l->grids, name) : NULL;
        return node_error(at ? at : r->node, r->l->err,
                          "%s is swept, and is a metric of metrics.profile %s too; choose another "
                          "profile",
                          name, metric_profile_name((enum metric_profile)r->l->config->profile));
    }
    return 0;
}

/* Where more is asked of bars than prices. */
static void find_volume(const struct reading *r)
{
    static const char *const paths[] = {"execution.slippage.volume_share",
                                        "execution.slippage.impact"};
    struct config_volume *volume = &r->s->volume;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]) && !volume->path; i++) {
        if (!(reading_span(r, paths[i]).highest > 0))
            continue;
        volume->path = paths[i];
        node_place(blame(r, paths[i], paths[i]), volume->at.text, sizeof(volume->at.text));
    }
}

int strategy_check(const struct reading *r)
{
    static int (*const checks[])(const struct reading *r) = {
        check_market_on, check_exits_base, check_ticks,   check_commission,
        check_risk_frac, check_lookback,   check_columns, check_maintenance,
    };
    int rc = 0;
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]) && rc == 0; i++)
        rc = checks[i](r);
    if (rc == 0)
        find_volume(r);
    return rc;
}
