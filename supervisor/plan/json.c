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
#include "supervisor/config/strategy.h"

#define SCAN_MAX 1000000 /* combinations looked at for a list: `where` may keep very few */

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

/* A part of struct combo: the keys of the schema that lie in it are its configuration. */
struct part {
    size_t offset, n_bytes;
};
#define PART(member)                                                                               \
    (struct part)                                                                                  \
    {                                                                                              \
        offsetof(struct combo, member), sizeof(((struct combo *)0)->member)                        \
    }

static bool is_in(const struct schema_row *row, struct part part)
{
    return row->place == PLACE_TOP && row->offset >= part.offset &&
           row->offset < part.offset + part.n_bytes;
}

/* The value of a plain row: what is none or left to others is null. */
static json_t *value_json(const struct schema_row *row, const struct combo *combo)
{
    uint8_t choice;
    if (row->kind == SCHEMA_NUMBER || row->kind == SCHEMA_WHOLE)
        return number(field_shown(row, field_get(combo, row)));
    memcpy(&choice, (const char *)combo + row->offset, sizeof choice);
    return row->kind == SCHEMA_BOOL ? json_boolean(choice)
                                    : json_string(choice_name(row->choices, choice));
}

/* A cost: the number that it is where only `percent` is charged, else all of its parts. */
static json_t *cost_json(const struct schema_row *cost, const struct combo *combo)
{
    const struct schema_row *row;
    json_t *parts = json_object();
    bool is_plain = true;
    for (size_t i = 0; (row = schema_row_at(i)); i++) {
        if (!schema_is_under(row, cost->path))
            continue;
        json_object_set_new(parts, schema_key(row), value_json(row, combo));
        is_plain &= strcmp(schema_key(row), "percent") == 0 || field_get(combo, row) == 0.0;
    }
    json_t *plain = is_plain ? json_incref(json_object_get(parts, "percent")) : NULL;
    if (plain)
        json_decref(parts);
    return plain ? plain : parts;
}

static json_t *sizing_json(const struct portfolio_cfg *p)
{
    json_t *sizing = json_object();
    json_object_set_new(sizing, choice_name(choices_sizing, p->sizing), number(p->sizing_value));
    if (p->sizing == SIZING_TARGET_VOLATILITY)
        json_object_set_new(sizing, "lookback", count(p->sizing_lookback));
    return sizing;
}

/* The keys right under a section of the schema that lie in one part of a combination. */
static json_t *part_json(const struct combo *combo, struct part part)
{
    const struct schema_row *row;
    json_t *config = json_object();
    for (size_t i = 0; (row = schema_row_at(i)); i++) {
        const char *dot = strchr(row->path, '.');
        if (!is_in(row, part) || strchr(dot + 1, '.'))
            continue;
        bool is_sizing = row->offset == offsetof(struct combo, portfolio.sizing);
        json_t *value = row->kind != SCHEMA_OWN ? value_json(row, combo)
                        : is_sizing             ? sizing_json(&combo->portfolio)
                                                : cost_json(row, combo);
        json_object_set_new(config, schema_key(row), value);
    }
    return config;
}

static json_t *risk_json(const struct risk_cfg *risk)
{
    return part_json(&(struct combo){.risk = *risk}, PART(risk));
}

static json_t *execution_json(const struct execution_cfg *execution)
{
    return part_json(&(struct combo){.execution = *execution}, PART(execution));
}

static bool has_exits(const struct exits_cfg *e)
{
    return e->stop_loss > 0 || e->take_profit > 0 || e->trailing_stop > 0 ||
           e->trailing_amount > 0 || e->max_bars > 0;
}

static json_t *rules_json(const struct strategy_spec *spec)
{
    json_t *json = json_object();
    for (unsigned i = 0; i < RULES_N; i++)
        if (*rule_of(spec, i))
            json_object_set_new(json, rule_keys[i], json_string(rule_of(spec, i)));
    return json;
}

static json_t *strategy_json(const struct config *config, const struct strategy_spec *spec,
                             const struct combo *combo)
{
    json_t *parameters = json_object();
    for (uint32_t i = 0; i < combo->params_n && i < spec->params_n; i++)
        json_object_set_new(parameters, spec->param_names[i], number(combo->params[i]));
    json_t *json = json_pack("{s:s, s:o}", "type", spec->type, "parameters", parameters);
    if (combo->symbol_idx != COMBO_ALL_SYMBOLS)
        json_object_set_new(json, "symbol", json_string(config->symbols[combo->symbol_idx].name));
    if (strcmp(spec->type, "rules") == 0)
        json_object_set_new(json, "rules", rules_json(spec));
    if (has_exits(&combo->exits))
        json_object_set_new(json, "exits", part_json(combo, PART(exits)));
    return json;
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
        wr_str(&b, spec->type);
        for (unsigned i = 0; i < RULES_N; i++)
            wr_str(&b, rule_of(spec, i));
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
                                                   part_json(&combo, PART(portfolio))));
        json_array_append_new(strategies, own_json("strategy", n, strategy_hash(spec, &combo),
                                                   strategy_json(o->config, spec, &combo)));
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
    json_t *json = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:f}", "combinations", count(sharing->combinations_n),
        "bars", count(bars_n), "containers", containers, "wiring", wiring, "wiring_count",
        count(1 + sharing->risk_n + UINT64_C(2) * sharing->execution_n), "memory_bytes",
        count(memory_bytes), "seconds_estimate", seconds_estimate);
    if (json)
        series_plan_json(config, series, json);
    return json;
}
