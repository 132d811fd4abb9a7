/* SPDX-License-Identifier: MIT */
/* Keys that were written and change nothing: no error, as a resolved configuration names every key,
 * but what was meant by them does not happen. A key is noted where its value is not the default of
 * the conventions, and no strategy heeds it. */
#include <string.h>

#include "proto/trade.h"
#include "supervisor/config/strategy.h"

/* ---- who heeds what ------------------------------------------------------------------------- */

static bool has_volume_share(const struct reading *r)
{
    return reading_span(r, "execution.slippage.volume_share").highest > 0;
}

static bool has_spread(const struct reading *r)
{
    return reading_span(r, "execution.spread").highest > 0;
}

static bool fills_at_this_close(const struct reading *r)
{
    return r->s->base.execution.fill == FILL_THIS_CLOSE;
}

/* Prices of entries, in rules or in code that says nothing of them; and rests that wait. */
static bool has_waiting_orders(const struct reading *r)
{
    bool has_rules = false;
    for (unsigned i = 0; i < RULES_N; i++) {
        bool is_rule = *rule_of(&r->s->spec, i) != '\0';
        has_rules |= is_rule;
        if (is_rule && i >= RULE_CONDITIONS_N)
            return true;
    }
    return !has_rules || has_volume_share(r);
}

/* Choices of one of a strategy's combinations. */
static const struct {
    const char *path;
    bool (*is_heeded)(const struct reading *r);
    const char *why;
} keys[] = {
    {"execution.volume_rest", has_volume_share, "without execution.slippage.volume_share"},
    {"execution.time_in_force", has_waiting_orders,
     "where no entry has a price (long_limit, long_stop, short_limit, short_stop)"},
    {"execution.close_booked", fills_at_this_close, "without fill: this_close"},
    {"execution.spread_paid", has_spread, "without execution.spread"},
};
#define KEYS_N (sizeof(keys) / sizeof(keys[0]))
static_assert(KEYS_N <= IDLE_KEYS_MAX, "each key has its place in the loader");

static bool is_default(const struct reading *r, const struct schema_row *row)
{
    int conventions = choice_value(choices_conventions, r->l->config->conventions);
    const char *dflt = convention_value(row, (enum conventions)conventions);
    uint8_t value;
    memcpy(&value, (const char *)&r->s->base + row->offset, sizeof(value));
    return value == choice_value(row->choices, dflt);
}

void notes_see(const struct reading *r)
{
    for (size_t i = 0; i < KEYS_N; i++) {
        struct idle_key *key = &r->l->idle[i];
        const struct schema_row *row = schema_at(keys[i].path);
        if (!key->at && !is_default(r, row))
            key->at = reading_written(r, row->path);
        key->is_heeded |= keys[i].is_heeded(r);
    }
}

/* ---- telling -------------------------------------------------------------------------------- */

static void note(struct loader *l, const struct node *at, const char *path, const char *why)
{
    char place[sizeof(struct config_place)];
    node_place(at, place, sizeof(place));
    buf_printf(&l->config->notes, "%s: note: %s has no effect %s\n", place, path, why);
}

int notes_make(struct loader *l, const struct node *root)
{
    const struct config *c = l->config;
    const struct node *warm_up = node_get(node_get(root, "data"), "warm_up");
    if (warm_up && c->warm_up > 0 && c->from.kind == BOUND_NONE)
        note(l, warm_up->key, "data.warm_up", "without data.from: no bar stands before the range");
    for (size_t i = 0; i < KEYS_N; i++)
        if (l->idle[i].at && !l->idle[i].is_heeded)
            note(l, l->idle[i].at, keys[i].path, keys[i].why);
    return c->notes.failed ? err_set(l->err, ERR_SYSTEM, "no memory for the configuration") : 0;
}
