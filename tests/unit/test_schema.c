/* SPDX-License-Identifier: MIT */
/* The promise: every key of the schema does what its row says, is refused where it must be, is
 * written out and read back, counts for the run's identity, and is documented. */
#include <errno.h>
#include <math.h>

#include "proto/trade.h"
#include "proto/units.h"
#include "supervisor/config/loader.h"
#include "tests/unit/config_fixture.h"

#ifndef ADMF_SOURCE
#define ADMF_SOURCE "."
#endif

/* ---- the resolved configuration ------------------------------------------------------------- */

static const char *const round_trips[] = {
    FIXTURE_BASE,
    FIXTURE_BASE "conventions: backtesting.py\n",
    "data: {csv: {A-B: \"a: b\\n\\\"c\\\\\\u2028\\u00e9.csv\", 'null': n.csv}, from: 3, to: "
    "9}\n"
    "strategies:\n"
    "  - {type: rules, name: \"true\", parameters: {b: {from: 0.1, to: 0.55, step: 0.1}, c: 2,\n"
    "     a: [3, 1, 1e-300]}, where: \"a < 5 and take_profit > 0 or stop_loss > 0\",\n"
    "     long_entry: \"close > open * a  and close > b + c + z\", short_exit: close < 1e300}\n"
    "  - {type: sma_cross, parameters: {slow: [50, 100], fast_period: 5}}\n"
    "  - {type: sma_cross, execution_config: {slippage: 0.25, first_signal: after_warm_up,\n"
    "     opposite_signal: close}, risk_config: {max_position_size: 7}}\n"
    "exits: {take_profit: [0.1, none], stop_loss: {from: 0.1, to: 0.3, step: 0.1}}\n"
    "optimization: {objective: trades, parameter_grids: {z: [1, 2], units: [5, 4], fast: [6, 7]}}\n"
    "limits: {memory: 300kB, time_per_combination: 1.0000001s, retries: 0}\n"
    "run: {seed: 18446744073709551615, barrier_timeout: 2m, mode: lockstep, workers: 4}\n"
    "metrics: {periods_per_year: 365, risk_free: 0.1}\n",
    FIXTURE_BASE "conventions: vectorbt\n",
    FIXTURE_BASE "conventions: backtrader\nexecution: {same_bar: optimistic, stops_exact: true}\n",
    "data: {symbols: [A]}\n"
    "strategies:\n"
    "  - {type: rules, long_entry: close > 1, long_limit: \"close * (1 - d)\", long_stop: high, \n"
    "     short_entry: close < 1, short_limit: low, short_stop: \"open - 1\", parameters: {d: [0, "
    "1]},\n"
    "     execution_config: {commission: {fixed: 2, maximum: 9}, slippage: 0.01, delay: 3}}\n"
    "execution: {commission: {percent: 0.001, fixed: 1, per_share: 0.01, minimum: 2, maximum: "
    "50},\n"
    "  slippage: {ticks: 2, tick: 0.25, volume_share: 0.1, impact: 0.5}, time_in_force: ioc}\n"
    "exits: {max_bars: [none, 5, 9], trailing_amount: {from: 1, to: 2, step: 0.5}, stop_loss: "
    "0.2,\n"
    "  trailing_stop: [0.1, none]}\n"
    "portfolio: {sizing: {target_volatility: 0.15, lookback: 30}, min_notional: 100}\n"
    "risk: {max_exposure: 0.5, max_drawdown: 0.4, cooldown_bars: 3}\n"
    "optimization: {parameter_grids: {delay: [0, 2], commission_maximum: [none, 40],\n"
    "  sizing_lookback: [10, 20], max_daily_loss: [0.02, none]}}\n",
};

static void check_same_combos(const struct config *a, const struct config *b)
{
    cr_assert(a->combinations_n == b->combinations_n && grid_count(a) == grid_count(b));
    for (uint64_t n = 0; n < a->combinations_n; n++) {
        struct combo x, y;
        struct buf bytes_x = {0}, bytes_y = {0};
        cr_assert(grid_combo(a, n, &x) == grid_combo(b, n, &y));
        combo_encode(&bytes_x, &x);
        combo_encode(&bytes_y, &y);
        cr_assert(bytes_x.n_bytes == bytes_y.n_bytes);
        cr_assert(!memcmp(bytes_x.data, bytes_y.data, bytes_x.n_bytes), "combination %llu",
                  (unsigned long long)n);
        buf_fini(&bytes_x);
        buf_fini(&bytes_y);
    }
}

Test(schema, the_resolved_text_gives_the_same_run)
{
    for (size_t i = 0; i < sizeof(round_trips) / sizeof(round_trips[0]); i++) {
        uint64_t hash_a[2], hash_b[2];
        const char *set = i == 2 ? "limits.memory=300000000" : NULL;
        struct config *a = fixture_load(round_trips[i], set);
        char *text = fixture_resolved(a);
        struct config *b = fixture_load(text, NULL);
        char *again = fixture_resolved(b);
        cr_expect_str_eq(text, again);
        config_hash(a, hash_a);
        config_hash(b, hash_b);
        cr_expect(hash_a[0] == hash_b[0] && hash_a[1] == hash_b[1]);
        check_same_combos(a, b);
        free(again);
        free(text);
        config_destroy(a);
        config_destroy(b);
    }
}

Test(schema, the_hash_follows_results_and_nothing_else)
{
    static const struct {
        const char *set;
        bool is_same;
    } rows[] = {
        {"run.workers=7", true},
        {"run.mode=lockstep", true},
        {"run.barrier_timeout=1s", true},
        {"limits.memory=64MiB", true},
        {"limits.retries=5", true},
        {"limits.time_per_combination=9s", true},
        {"data.csv={SPX: x.csv}", true},
        {"portfolio.lot=1.0", true},
        {"run.seed=2", false},
        {"portfolio.lot=2", false},
        {"data.from=5", false},
        {"data.symbols=[NDX]", false},
        {"metrics.risk_free=0.5", false},
        {"strategies.0.parameters.fast=11", false},
        {"strategies.0.risk_config.max_position_size=3", false},
        {"conventions=vectorbt", false},
        {"execution.commission={percent: 0, maximum: none}", true},
        {"execution.slippage={tick: 0.5}", false},
        {"exits.max_bars=none", true},
    };
    uint64_t base[2], hash[2];
    struct config *c = fixture_load(FIXTURE_BASE, NULL);
    config_hash(c, base);
    config_destroy(c);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        c = fixture_load(FIXTURE_BASE, rows[i].set);
        config_hash(c, hash);
        bool is_same = hash[0] == base[0] && hash[1] == base[1];
        cr_expect(is_same == rows[i].is_same, "%s", rows[i].set);
        config_destroy(c);
    }
}

/* ---- every row of the schema ---------------------------------------------------------------- */

/* "strategies[].name" as a --set of the first strategy. */
static void row_set(const struct schema_row *row, const char *value, char out[static 256])
{
    const char *brackets = strstr(row->path, "[].");
    if (brackets)
        snprintf(out, 256, "strategies.0.%s=%s", brackets + 3, value);
    else
        snprintf(out, 256, "%s=%s", row->path, value);
}

static bool is_rule_row(const struct schema_row *row)
{
    static const char *const ends[] = {"_entry", "_exit", "_limit", "_stop"};
    bool is_rule = false;
    for (size_t i = 0; i < 4; i++)
        is_rule |= !strncmp(row->path, "strategies[].", 13) && strstr(row->path, ends[i]);
    return is_rule;
}

static void check_taken_row(const struct schema_row *row)
{
    char set[256];
    const char *companion = fixture_companion(row->path, row->example);
    row_set(row, row->example, set);
    const char *text = is_rule_row(row) ? "data: {symbols: [SPX]}\n"
                                          "strategies: [{type: rules, long_entry: close > 1, "
                                          "short_entry: close > 2}]\n"
                                        : FIXTURE_BASE;
    struct config *plain = fixture_load(text, NULL);
    struct config *changed =
        companion ? fixture_key(row->path, row->example) : fixture_load(text, set);
    char *before = fixture_resolved(plain), *after = fixture_resolved(changed);
    cr_expect(strcmp(before, after) != 0, "--set %s changes nothing", set);
    free(before);
    free(after);
    config_destroy(plain);
    config_destroy(changed);
}

static void check_refused(const char *set, const char *fragment)
{
    const char *const sets[] = {set, NULL};
    struct config *c = NULL;
    struct err err = {0};
    cr_expect(fixture_parse(FIXTURE_BASE, sets, &c, &err) == -EDOM, "--set %s was taken", set);
    cr_expect(strstr(err.text, fragment) != NULL, "--set %s: %s", set, err.text);
    config_destroy(c);
}

Test(schema, every_row_of_the_schema_does_something_or_is_refused_by_name)
{
    const struct schema_row *row;
    for (size_t i = 0; (row = schema_row_at(i)); i++) {
        char set[256];
        if (row->kind == SCHEMA_ABSENT) {
            row_set(row, "1", set);
            check_refused(set, "is not available in this version of admf (" ADMF_VERSION ")");
        } else if (row->example) {
            check_taken_row(row);
        }
        for (const struct choice *c = row->choices; c && c->name; c++) {
            row_set(row, c->name, set);
            if (c->value == CHOICE_ABSENT)
                check_refused(set, "is not available in this version of admf");
            else
                config_destroy(fixture_key(row->path, c->name));
        }
    }
}

/* Whether a byte of a combination is sent to workers: padding is not. */
static bool is_sent(size_t offset)
{
    struct combo zero, one;
    struct buf bytes_zero = {0}, bytes_one = {0};
    memset(&zero, 0, sizeof(zero));
    memset(&one, 0, sizeof(one));
    ((uint8_t *)&one)[offset] = 1;
    combo_encode(&bytes_zero, &zero);
    combo_encode(&bytes_one, &one);
    cr_assert(!bytes_zero.failed && bytes_zero.n_bytes == bytes_one.n_bytes);
    bool is_other = memcmp(bytes_zero.data, bytes_one.data, bytes_zero.n_bytes) != 0;
    buf_fini(&bytes_zero);
    buf_fini(&bytes_one);
    return is_other;
}

Test(schema, every_field_of_a_combinations_configuration_has_a_key)
{
    static const struct {
        size_t from, n_bytes;
    } parts[] = {
        {offsetof(struct combo, execution), sizeof(struct execution_cfg)},
        {offsetof(struct combo, risk), sizeof(struct risk_cfg)},
        {offsetof(struct combo, exits), sizeof(struct exits_cfg)},
        {offsetof(struct combo, portfolio), sizeof(struct portfolio_cfg)},
    };
    for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
        for (size_t at = parts[p].from; at < parts[p].from + parts[p].n_bytes; at++) {
            const struct schema_row *row;
            bool has_key = false;
            for (size_t i = 0; (row = schema_row_at(i)); i++)
                has_key |= row->place == PLACE_TOP && row->kind != SCHEMA_ABSENT &&
                           row->write != write_parts && row->offset <= at &&
                           at < row->offset + row->width;
            cr_expect(has_key || !is_sent(at), "byte %zu of struct combo has no key", at);
        }
    }
}

Test(schema, every_row_refuses_a_map_in_its_place)
{
    const struct schema_row *row;
    for (size_t i = 0; (row = schema_row_at(i)); i++) {
        char set[256];
        if (row->kind == SCHEMA_ABSENT)
            continue;
        row_set(row, "{no such key: 1}", set);
        check_refused(set, "--set ");
    }
}

/* What a file of the docs lacks of the schema's lines goes to standard error with it. */
static void check_line(const char *docs, struct buf *line)
{
    cr_expect(strstr(docs, line->data) != NULL,
              "docs/CONFIGURATION.md lacks this line of the schema:\n%s", line->data);
    buf_fini(line);
}

Test(schema, every_row_is_documented)
{
    FILE *f = fopen(ADMF_SOURCE "/docs/CONFIGURATION.md", "rbe");
    const struct schema_row *row;
    const struct convention *c;
    char *docs = calloc(1, 1 << 18);
    cr_assert(f && docs);
    cr_assert(fread(docs, 1, (1 << 18) - 1, f) > 0);
    fclose(f);
    for (size_t i = 0; (row = schema_row_at(i)); i++) {
        struct buf line = {0};
        schema_doc_row(row, &line);
        check_line(docs, &line);
    }
    for (size_t i = 0; (c = convention_at(i)); i++) {
        struct buf line = {0};
        convention_doc_row(c, &line);
        check_line(docs, &line);
    }
    free(docs);
}

Test(schema, every_name_of_parameter_grids_reaches_its_field)
{
    const struct schema_row *row;
    unsigned n = 0;
    for (size_t i = 0; (row = schema_row_at(i)); i++) {
        char path[256];
        double want = 0;
        struct combo combo;
        if (!row->sweep)
            continue;
        cr_assert(sweep_find(row->sweep) == row, "%s is the name of two rows", row->sweep);
        const char *beside = fixture_companion(row->path, row->example);
        const char *sets[] = {path, beside, NULL};
        snprintf(path, sizeof(path), "optimization.parameter_grids.%s=[%s]", row->sweep,
                 row->example);
        cr_assert(f64_parse(row->example, strlen(row->example), &want) == 0);
        struct config *c = NULL;
        struct err err = {0};
        cr_assert(fixture_parse(FIXTURE_BASE, sets, &c, &err) == 0, "%s: %s", path, err.text);
        cr_assert(grid_combo(c, 0, &combo));
        cr_expect(field_get(&combo, row) == want, "%s", path);
        config_destroy(c);
        n++;
    }
    cr_expect(n >= 38, "only %u", n);
}
