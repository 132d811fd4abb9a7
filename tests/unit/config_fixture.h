/* SPDX-License-Identifier: MIT */
/* For tests of the configuration and the grid: a worker's description made by hand, and loading
 * from text. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "supervisor/config/config.h"

#define FIXTURE_SETS_MAX 4

/* Two keys that every configuration needs, with a line of their own each. */
#define FIXTURE_BASE                                                                               \
    "data: {symbols: [SPX]}\n"                                                                     \
    "strategies: [{type: sma_cross}]\n"

static inline void fixture_param(struct describe_component *c, const struct describe_param *param)
{
    c->params[c->params_n++] = *param;
}

static inline const struct describe *fixture_describe(void)
{
    static struct describe_component components[4];
    static const struct describe describe = {.components_n = 4, .components = components};
    static const char *const names[] = {"sma_cross", "momentum", "mean_reversion", "tracker"};
    if (*components[0].name)
        return &describe;
    for (size_t i = 0; i < 4; i++) {
        snprintf(components[i].name, sizeof(components[i].name), "%s", names[i]);
        snprintf(components[i].kind, sizeof(components[i].kind), i < 3 ? "strategy" : "monitor");
        snprintf(components[i].rules[0], sizeof(components[i].rules[0]), "close > open");
    }
    const struct describe_param params[] = {
        {"fast_period", "fast", 10, 2, 5000, 1, ""}, {"slow_period", "slow", 20, 2, 5000, 1, ""},
        {"lookback_period", "", 10, 1, 5000, 1, ""}, {"signal_threshold", "", 0.01, 0, 10, 0, ""},
        {"rsi_period", "", 14, 2, 5000, 1, ""},      {"oversold", "", 30, 0, 100, 0, ""},
        {"overbought", "", 70, 0, 100, 0, ""},
    };
    static const unsigned owner[] = {0, 0, 1, 1, 2, 2, 2};
    for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++)
        fixture_param(&components[owner[i]], &params[i]);
    return &describe;
}

/* NULL-terminated sets; NULL for none. */
static inline int fixture_parse(const char *text, const char *const *sets,
                                struct config **ret_config, struct err *err)
{
    size_t sets_n = 0;
    while (sets && sets[sets_n])
        sets_n++;
    return config_parse(text, strlen(text), "test.yaml", sets, sets_n, fixture_describe(),
                        ret_config, err);
}

/* A configuration that must load. */
static inline struct config *fixture_load(const char *text, const char *set)
{
    const char *const sets[] = {set, NULL};
    struct config *config = NULL;
    struct err err = {0};
    int rc = fixture_parse(text, sets, &config, &err);
    cr_assert(rc == 0, "%s\n%s", err.text, text);
    return config;
}

/* The resolved text; to be freed. */
static inline char *fixture_resolved(const struct config *config)
{
    struct buf out = {0};
    config_resolved(config, &out);
    cr_assert(!out.failed);
    return out.data;
}

/* What must stand beside a key, or NULL. */
static inline const char *fixture_companion(const char *path, const char *value)
{
    static const char *const pairs[][3] = {
        {"data.actions", NULL, "data={csv: {SPX: spx.csv}}"},
        {"data.dividends", "cash", "data={csv: {SPX: spx.csv}, actions: actions.csv}"},
        {"exits.base", "entry_close", "exits.live_from=next_bar"},
        {"execution.slippage.ticks", NULL, "execution.slippage.tick=0.25"},
        {"portfolio.sizing.risk_frac", NULL, "exits.stop_loss=0.25"},
        {"portfolio.sizing.lookback", NULL, "portfolio.sizing.target_volatility=0.25"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (!strcmp(pairs[i][0], path) && (!pairs[i][1] || !strcmp(pairs[i][1], value)))
            return pairs[i][2];
    return NULL;
}

/* The base with one key, and what must stand beside it. */
static inline struct config *fixture_key(const char *path, const char *value)
{
    char set[256];
    const char *companion = fixture_companion(path, value);
    const char *sets[] = {companion ? companion : set, companion ? set : NULL, NULL};
    struct config *c = NULL;
    struct err err = {0};
    snprintf(set, sizeof(set), "%s=%s", path, value);
    cr_assert(fixture_parse(FIXTURE_BASE, sets, &c, &err) == 0, "%s: %s", set, err.text);
    return c;
}
