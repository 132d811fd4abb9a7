/* SPDX-License-Identifier: MIT */
/* The plan as the object of `admf plan --json`. Lists that grow with the grid are cut; their full
 * counts stand beside them. */
#include "supervisor/plan/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "proto/codec.h"

#define SCAN_MAX 1000000 /* combinations looked at for a list: `where` may keep very few */

static const char *const direction_names[] = {"both", "long", "short"};
static const char *const sizing_names[] = {"percent_of_equity", "percent_of_cash", "units"};
static const char *const opposite_names[] = {"reverse", "close", "ignore"};
static const char *const same_signal_names[] = {"ignore", "reenter"};
static const char *const fill_names[] = {"next_open"};
static const char *const same_bar_names[] = {"pessimistic", "optimistic", "nearest_open"};
static const char *const at_end_names[] = {"mark", "close_at_close", "close_at_open"};

#define NAME_OF(names, i) ((i) < sizeof(names) / sizeof *(names) ? (names)[i] : "?")

/* What is being written. */
struct out {
    const struct config *config;
    const struct sharing *sharing;
    uint32_t nested_max; /* entries of each list inside a container or a wire */
};

/* Whole numbers as integers; undefined and infinite ones as null. */
static json_t *number(double v)
{
    if (!isfinite(v))
        return json_null();
    if (v == floor(v) && fabs(v) < 9007199254740992.0)
        return json_integer((json_int_t)v);
    return json_real(v);
}

static json_t *count(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *hash_json(const uint64_t hash[2])
{
    char hex[33];
    snprintf(hex, sizeof hex, "%016llx%016llx", (unsigned long long)hash[0],
             (unsigned long long)hash[1]);
    return json_string(hex);
}

/* ---- configurations by their own keys ------------------------------------------------------- */

static json_t *risk_json(const struct risk_cfg *risk)
{
    return json_pack("{s:o, s:o, s:s, s:s}", "max_position_size", number(risk->max_position_size),
                     "commission", number(risk->commission_frac), "opposite_signal",
                     NAME_OF(opposite_names, risk->opposite_signal), "same_signal",
                     NAME_OF(same_signal_names, risk->same_signal));
}

static json_t *execution_json(const struct execution_cfg *e)
{
    return json_pack("{s:o, s:o, s:s, s:s, s:s}", "commission", number(e->commission_frac),
                     "slippage", number(e->slippage_frac), "fill", NAME_OF(fill_names, e->fill),
                     "same_bar", NAME_OF(same_bar_names, e->same_bar), "at_end",
                     NAME_OF(at_end_names, e->at_end));
}

static json_t *portfolio_json(const struct portfolio_cfg *p)
{
    return json_pack("{s:o, s:o, s:o, s:s, s:{s:o}}", "initial_capital", number(p->initial_capital),
                     "leverage", number(p->leverage), "lot", number(p->lot), "direction",
                     NAME_OF(direction_names, p->direction), "sizing",
                     NAME_OF(sizing_names, p->sizing), number(p->sizing_value));
}

static json_t *strategy_json(const struct strategy_spec *spec, const struct combo *combo)
{
    json_t *parameters = json_object(), *exits = json_object();
    for (uint32_t i = 0; i < combo->params_n && i < spec->params_n; i++)
        json_object_set_new(parameters, spec->param_names[i], number(combo->params[i]));
    if (!isnan(combo->exits.stop_loss))
        json_object_set_new(exits, "stop_loss", number(combo->exits.stop_loss));
    if (!isnan(combo->exits.take_profit))
        json_object_set_new(exits, "take_profit", number(combo->exits.take_profit));
    json_t *config = json_pack("{s:s, s:o}", "type", spec->type, "parameters", parameters);
    if (json_object_size(exits) > 0)
        json_object_set(config, "exits", exits);
    json_decref(exits);
    return config;
}

/* ---- containers ----------------------------------------------------------------------------- */

/* The first combinations that a container serves; freed by the caller. NULL without memory. */
static uint64_t *serves(const struct out *o, const struct shared_container *c, int *ret_n)
{
    uint64_t *list = calloc(o->nested_max + 1, sizeof *list);
    *ret_n = list ? sharing_serves(o->config, o->sharing, c, o->nested_max, list) : 0;
    if (list && *ret_n >= 0)
        return list;
    free(list);
    return NULL;
}

static json_t *shared_json(const struct out *o, const struct shared_container *c, bool is_risk)
{
    int n;
    uint64_t *list = serves(o, c, &n);
    json_t *numbers = json_array();
    for (int i = 0; list && i < n; i++)
        json_array_append_new(numbers, count(list[i]));
    free(list);
    return json_pack("{s:s, s:o, s:o, s:o, s:o}", "container_id", c->container_id, "hash",
                     hash_json(c->hash), "config",
                     is_risk ? risk_json(&c->risk) : execution_json(&c->execution),
                     "serves_combinations", numbers, "serves_count", count(c->serves_n));
}

static json_t *shared_list(const struct out *o, const struct shared_container *c, uint32_t n,
                           bool is_risk)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < n && i < PLAN_LIST_MAX; i++)
        json_array_append_new(list, shared_json(o, &c[i], is_risk));
    return list;
}

/* XXH3-128 of what `spec` (NULL: none) and `part` encode to; as null without memory. `part` is a
 * combo that holds the container's own configuration and zeros. */
static json_t *encoded_hash(const struct strategy_spec *spec, const struct combo *part)
{
    struct buf b = {0};
    if (spec) {
        const char *const texts[] = {spec->type, spec->long_entry, spec->long_exit,
                                     spec->short_entry, spec->short_exit};
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            wr_str(&b, texts[i]);
        wr_u8(&b, spec->first_signal);
    }
    combo_encode(&b, part);
    XXH128_hash_t h = XXH3_128bits(b.data, b.n_bytes);
    bool failed = b.failed;
    buf_fini(&b);
    return failed ? json_null() : hash_json((uint64_t[2]){h.high64, h.low64});
}

static json_t *portfolio_hash(const struct combo *combo)
{
    return encoded_hash(NULL, &(struct combo){.portfolio = combo->portfolio});
}

static json_t *strategy_hash(const struct strategy_spec *spec, const struct combo *combo)
{
    struct combo part = {
        .symbol_idx = combo->symbol_idx, .exits = combo->exits, .params_n = combo->params_n};
    memcpy(part.params, combo->params, sizeof part.params);
    return encoded_hash(spec, &part);
}

/* Takes over hash and config. */
static json_t *own_json(const char *kind, uint64_t n, json_t *hash, json_t *config)
{
    char id[SPEC_NAME_BYTES];
    snprintf(id, sizeof id, "%s_combo_%llu", kind, (unsigned long long)n);
    return json_pack("{s:s, s:o, s:o, s:o, s:[o]}", "container_id", id, "hash", hash,
                     "combination_index", count(n), "config", config, "serves_combinations",
                     count(n));
}

/* The containers that each combination has for itself. */
static void own_lists(const struct out *o, json_t *portfolios, json_t *strategies)
{
    struct combo combo;
    for (uint64_t n = 0; n < o->config->combinations_n && n < SCAN_MAX &&
                         json_array_size(portfolios) < PLAN_LIST_MAX;
         n++) {
        if (!grid_combo(o->config, n, &combo))
            continue;
        const struct strategy_spec *spec = &grid_strategy(o->config, n)->spec;
        json_array_append_new(portfolios, own_json("portfolio", n, portfolio_hash(&combo),
                                                   portfolio_json(&combo.portfolio)));
        json_array_append_new(strategies, own_json("strategy", n, strategy_hash(spec, &combo),
                                                   strategy_json(spec, &combo)));
    }
}

static json_t *containers_json(const struct out *o)
{
    const struct sharing *s = o->sharing;
    double saving = 1.0 - (double)s->total / (double)s->naive_total;
    json_t *portfolios = json_array(), *strategies = json_array();
    own_lists(o, portfolios, strategies);
    return json_pack(
        "{s:o, s:o, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "total", count(s->total),
        "naive_total", count(s->naive_total), "saving_frac", saving, "risk",
        shared_list(o, s->risk, s->risk_n, true), "risk_count", count(s->risk_n), "execution",
        shared_list(o, s->execution, s->execution_n, false), "execution_count",
        count(s->execution_n), "portfolio", portfolios, "portfolio_count", count(s->combinations_n),
        "strategy", strategies, "strategy_count", count(s->combinations_n));
}

/* ---- wiring --------------------------------------------------------------------------------- */

/* One wire; takes over the arrays. */
struct wire {
    char name[2 * SPEC_NAME_BYTES];
    const char *type;
    json_t *sources, *targets, *event_types;
    uint64_t sources_n, targets_n;
    const char *routing_key; /* NULL: none */
};

static json_t *wire_json(const struct wire *w)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:s?}", "name", w->name, "type", w->type,
                     "sources", w->sources, "sources_count", count(w->sources_n), "targets",
                     w->targets, "targets_count", count(w->targets_n), "event_types",
                     w->event_types, "routing_key", w->routing_key);
}

static json_t *one(const char *container_id)
{
    return json_pack("[s]", container_id);
}

static json_t *combos_of(const struct out *o, const struct shared_container *c, const char *kind)
{
    int n;
    char id[SPEC_NAME_BYTES];
    uint64_t *list = serves(o, c, &n);
    json_t *ids = json_array();
    for (int i = 0; list && i < n; i++) {
        snprintf(id, sizeof id, "%s_combo_%llu", kind, (unsigned long long)list[i]);
        json_array_append_new(ids, json_string(id));
    }
    free(list);
    return ids;
}

static json_t *hub_wire(const struct out *o, const json_t *strategies)
{
    json_t *ids = json_array();
    for (size_t i = 0; i < json_array_size(strategies); i++)
        json_array_append(ids, json_object_get(json_array_get(strategies, i), "container_id"));
    struct wire w = {.name = "hub_to_strategies",
                     .type = "broadcast",
                     .sources = one("hub_container"),
                     .sources_n = 1,
                     .targets = ids,
                     .targets_n = o->sharing->combinations_n,
                     .event_types = json_pack("[s, s, s]", "BAR", "TICK", "FEATURE")};
    return wire_json(&w);
}

static json_t *signal_wire(const struct out *o, const struct shared_container *risk)
{
    struct wire w = {.type = "selective",
                     .sources = combos_of(o, risk, "strategy"),
                     .sources_n = risk->serves_n,
                     .targets = one(risk->container_id),
                     .targets_n = 1,
                     .event_types = one("SIGNAL"),
                     .routing_key = "target_portfolio"};
    snprintf(w.name, sizeof w.name, "strategies_to_%s", risk->container_id);
    return wire_json(&w);
}

static json_t *order_wire(const struct out *o, const struct shared_container *execution)
{
    struct wire w = {.type = "pipeline",
                     .sources = json_array(),
                     .targets = one(execution->container_id),
                     .targets_n = 1,
                     .event_types = one("ORDER")};
    for (uint32_t r = 0; r < o->sharing->risk_n; r++) {
        const struct shared_container *risk = &o->sharing->risk[r];
        if (!sharing_meets(o->config, o->sharing, risk, execution))
            continue;
        w.sources_n++;
        if (json_array_size(w.sources) < o->nested_max)
            json_array_append_new(w.sources, json_string(risk->container_id));
    }
    snprintf(w.name, sizeof w.name, "risk_to_%s", execution->container_id);
    return wire_json(&w);
}

static json_t *fill_wire(const struct out *o, const struct shared_container *execution)
{
    struct wire w = {.type = "selective",
                     .sources = one(execution->container_id),
                     .sources_n = 1,
                     .targets = combos_of(o, execution, "portfolio"),
                     .targets_n = execution->serves_n,
                     .event_types = one("FILL"),
                     .routing_key = "target_portfolio"};
    snprintf(w.name, sizeof w.name, "%s_to_portfolios", execution->container_id);
    return wire_json(&w);
}

static json_t *wiring_json(const struct out *o, const json_t *strategies)
{
    const struct sharing *s = o->sharing;
    json_t *list = json_array();
    json_array_append_new(list, hub_wire(o, strategies));
    for (uint32_t i = 0; i < s->risk_n && i < PLAN_LIST_MAX; i++)
        json_array_append_new(list, signal_wire(o, &s->risk[i]));
    for (uint32_t i = 0; i < s->execution_n && i < PLAN_LIST_MAX; i++)
        json_array_append_new(list, order_wire(o, &s->execution[i]));
    for (uint32_t i = 0; i < s->execution_n && i < PLAN_LIST_MAX; i++)
        json_array_append_new(list, fill_wire(o, &s->execution[i]));
    return list;
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* `SYM:key` where there are several symbols. */
static json_t *series_json(const struct config *config, const struct series_plan *series)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < series->n && i < PLAN_LIST_MAX; i++) {
        const char *symbol = config->symbols[series->symbol[i]].name;
        json_array_append_new(list, config->symbols_n > 1
                                        ? json_sprintf("%s:%s", symbol, series->key[i])
                                        : json_string(series->key[i]));
    }
    return list;
}

static uint32_t nested_max(const struct sharing *s)
{
    uint64_t lists = UINT64_C(2) * s->risk_n + UINT64_C(3) * s->execution_n + 1;
    uint64_t each = PLAN_NESTED_MAX / lists;
    if (each > PLAN_LIST_MAX)
        return PLAN_LIST_MAX;
    return each < 10 ? 10 : (uint32_t)each;
}

json_t *plan_json(const struct config *config, const struct sharing *sharing,
                  const struct series_plan *series, uint64_t bars_n, uint64_t memory_bytes,
                  double seconds_estimate)
{
    struct out o = {.config = config, .sharing = sharing, .nested_max = nested_max(sharing)};
    json_t *containers = containers_json(&o);
    json_t *wiring = wiring_json(&o, json_object_get(containers, "strategy"));
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:f}", "combinations",
                     count(sharing->combinations_n), "bars", count(bars_n), "series",
                     series_json(config, series), "series_count", count(series->n), "containers",
                     containers, "wiring", wiring, "wiring_count",
                     count(1 + sharing->risk_n + UINT64_C(2) * sharing->execution_n),
                     "memory_bytes", count(memory_bytes), "seconds_estimate", seconds_estimate);
}
