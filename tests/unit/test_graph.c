/* SPDX-License-Identifier: MIT */
/* Promise: equal subexpressions are one node with one canonical key; arguments come first;
 * evaluation by tiles gives what a plain walk over rows gives, whatever NaNs, lags and row counts
 * there are. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/units.h"
#include "shm/mask.h"
#include "tests/unit/frame.h"

static const char *const names[] = {"fast", "slow", "x"};
static const double values[] = {10, 20, 1.5};
static const struct expr_env env = {3, names, values};

static uint32_t add(struct graph *graph, const char *text)
{
    struct expr *expr = NULL;
    struct err err = {0};
    uint32_t node = 0;
    cr_assert_eq(expr_parse(text, &expr, &err), 0, "%s: %s", text, err.text);
    cr_assert_eq(graph_add(graph, expr, &env, &node, &err), 0, "%s: %s", text, err.text);
    expr_destroy(expr);
    return node;
}

/* Random texts may shift what is of several clocks, which is refused. */
static bool may_add(struct graph *graph, const char *text, uint32_t *ret_node)
{
    struct expr *expr = NULL;
    struct err err = {0};
    cr_assert_eq(expr_parse(text, &expr, &err), 0, "%s: %s", text, err.text);
    int r = graph_add(graph, expr, &env, ret_node, &err);
    cr_assert(r == 0 || strstr(err.text, "shift its parts"), "%s: %s", text, err.text);
    expr_destroy(expr);
    return r == 0;
}

static struct graph *new_graph(void)
{
    struct graph *graph = NULL;
    cr_assert_eq(graph_create(&graph), 0);
    return graph;
}

static const struct {
    const char *text, *key;
} keys[] = {
    {"sma(close,10)", "sma(close,10)"},
    {" sma ( close , fast ) ", "sma(close,10)"},
    {"sma(close, fast*2)", "sma(close,20)"},
    {"sma((close), (fast + slow) / 3)", "sma(close,10)"},
    {"macd(close,12,26,9).macd", "macd(close,12,26,9).macd"},
    {"macd(close,12,26,9).hist", "macd(close,12,26,9).hist"},
    {"rsi(close,14)<30", "rsi(close,14) < 30"},
    {"bbands(close,20,2,2).upper", "sma(close,20) + 2 * stddev(close,20)"},
    {"bbands(close,20,2,2).middle", "sma(close,20)"},
    {"bbands(close,20,2,1.5).lower", "sma(close,20) - 1.5 * stddev(close,20)"},
    {"sma(bbands(close,20,2,2).upper,3)", "sma(sma(close,20) + 2 * stddev(close,20),3)"},
    {"hl2", "(high + low) / 2"},
    {"hlc3", "(high + low + close) / 3"},
    {"ohlc4", "(open + high + low + close) / 4"},
    {"atr(14)", "atr(14)"},
    {"typprice()", "typprice()"},
    {"((close - (open)))", "close - open"},
    {"close-(open-high)", "close - (open - high)"},
    {"close-open-high", "close - open - high"},
    {"close*(open+high)", "close * (open + high)"},
    {"close*open+high", "close * open + high"},
    {"close/(open*high)", "close / (open * high)"},
    {"-(close+1)*x", "-(close + 1) * 1.5"},
    {"-(-close)", "close"},
    {"close - -5", "close - -5"},
    {"0.1+0.2", "0.30000000000000004"},
    {"shift(close,0)", "close"},
    {"shift(shift(close,2),3)", "shift(close,5)"},
    {"shift(close-open,1)", "shift(close,1) - shift(open,1)"},
    {"shift(close>x,1)", "shift(close,1) > 1.5"},
    {"shift(sma(close,3),1)", "shift(sma(close,3),1)"},
    {"sma(shift(close,1),3)", "sma(shift(close,1),3)"},
    {"shift(bbands(close,9,2,2).lower,1)", "shift(sma(close,9),1) - 2 * shift(stddev(close,9),1)"},
    {"shift(hl2,1)", "(shift(high,1) + shift(low,1)) / 2"},
    {"crosses_above(sma(close,fast),sma(close,slow))",
     "crosses_above(sma(close,10),sma(close,20))"},
    {"crosses_below(close, x*2)", "crosses_below(close,3)"},
    {"close>1 and (open>1 and high>1)", "close > 1 and open > 1 and high > 1"},
    {"close>1 and (open>1 or high>1)", "close > 1 and (open > 1 or high > 1)"},
    {"(close>1 and open>1) or high>1", "close > 1 and open > 1 or high > 1"},
    {"not (close>1 or open>1)", "not (close > 1 or open > 1)"},
    {"not (close>1) and not open>1", "not close > 1 and not open > 1"},
    {"0/0 < close*(1/0)", "(0 / 0) < close * (0 / 0)"},
    {"nan < -1e308*10", "nan < (0 / 0)"},
    {"fast < slow", "10 < 20"},
    {"ai > 0", "ai > 0"},
    {"sma(ai,123456)", "sma(ai,123456)"},
    {"vwap( day )", "vwap(day)"},
    {"vwap(never)", "vwap(never)"},
    {"SPX:close", "SPX:close"},
    {"SPX: close", "SPX:close"},
    {"SPX:sma(close,20)", "SPX:sma(close,20)"},
    {"sma(SPX:close, slow)", "SPX:sma(close,20)"},
    {"SPX:ai", "SPX:ai"},
    {"BRK.B:close@60m", "BRK.B:close@1h"},
    {"^GSPC:close", "^GSPC:close"},
    {"005930.KS:close", "005930.KS:close"},
    {"\"BRK-B\":close", "\"BRK-B\":close"},
    {"`BTC/USD`: close", "\"BTC/USD\":close"},
    {"\"SPX\":close", "SPX:close"},
    {"close@1d", "close@1d"},
    {"rsi(close,14)@24h", "rsi(close,14)@1d"},
    {"sma(close@1d,slow)", "sma(close,20)@1d"},
    {"atr(14)@1h", "atr(14)@1h"},
    {"SPX:atr(14)@4h", "SPX:atr(14)@4h"},
    {"SPX:close@1M", "SPX:close@1M"},
    {"macd(close,12,26,9).hist@1w", "macd(close,12,26,9).hist@1w"},
    {"hl2@1d", "(high@1d + low@1d) / 2"},
    {"(high - low)@1d", "high@1d - low@1d"},
    {"SPX:(high - low)@1d", "SPX:high@1d - SPX:low@1d"},
    {"sma((high - low)@1d,3)", "sma(high - low,3)@1d"},
    {"sma(high@1d * 2 - low@1d,3)", "sma(high * 2 - low,3)@1d"},
    {"SPX:sma(close@1d,2)@1h", "SPX:sma(close,2)@1d"},
    {"SPX:sma(QQQ:close,2)", "QQQ:sma(close,2)"},
    {"SPX:correl(close,QQQ:close,slow)", "correl(SPX:close,QQQ:close,20)"},
    {"sma(correl(close,SPX:close,slow),3)", "sma(correl(close,SPX:close,20),3)"},
    {"shift(correl(close,SPX:close,slow),2)", "shift(correl(close,SPX:close,20),2)"},
    {"correl(sma(close@1d,2),close,slow)", "correl(sma(close,2)@1d,close,20)"},
    {"shift(close@1d,1)", "shift(close@1d,1)"},
    {"shift(sma(close,3),1)@1d", "shift(sma(close,3)@1d,1)"},
    {"sma(shift(close,1),3)@1d", "sma(shift(close,1),3)@1d"},
    {"bbands(close,20,2,2).upper@1d", "sma(close,20)@1d + 2 * stddev(close,20)@1d"},
    {"-close@1d", "-close@1d"},
    {"close > close@1d and SPX:close < 3", "close > close@1d and SPX:close < 3"},
    {"crosses_above(close,sma(close@1d,slow))", "crosses_above(close,sma(close,20)@1d)"},
    {"bbands(close,20,1e-7,1e21).lower", "sma(close,20) - 1e+21 * stddev(close,20)"},
};

Test(graph, keys_are_canonical_and_read_back_as_themselves)
{
    struct graph *graph = new_graph();
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        uint32_t node = add(graph, keys[i].text);
        cr_expect_str_eq(graph_key(graph, node), keys[i].key, "%s gave %s", keys[i].text,
                         graph_key(graph, node));
        cr_expect_eq(add(graph, keys[i].key), node, "%s", keys[i].key);
    }
    for (uint32_t a = 0; a < graph_nodes_n(graph); a++) {
        for (uint32_t b = 0; b < a; b++)
            cr_expect_str_neq(graph_key(graph, a), graph_key(graph, b));
    }
    graph_destroy(graph);
}

Test(graph, whole_numbers_are_written_as_f64_format_short_writes_them)
{
    static const double numbers[] = {0, 1, 9, 10, 99, 100, 4096, 99999, 100000, 1e6, 1e15, 1e16};
    char short_text[F64_BYTES], text[64];
    struct graph *graph = new_graph();
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        snprintf(text, sizeof(text), "%.17g", numbers[i]);
        cr_expect_str_eq(graph_key(graph, add(graph, text)),
                         f64_format_short(numbers[i], short_text));
    }
    graph_destroy(graph);
}

Test(graph, bands_and_a_rules_average_are_one_node)
{
    struct graph *graph = new_graph();
    uint32_t sma = add(graph, "sma(close, slow)");
    uint32_t middle = add(graph, "bbands(close, 20, 2, 2).middle");
    uint32_t nodes_n = graph_nodes_n(graph);
    cr_expect_eq(sma, middle);
    (void)add(graph, "bbands(close, 20, 2, 2).upper");
    uint32_t added_n = graph_nodes_n(graph) - nodes_n;
    cr_expect_eq(added_n, 4, "stddev, 2, product and sum, found %u", added_n);
    nodes_n = graph_nodes_n(graph);
    (void)add(graph, "bbands(close, 20, 2, 2).lower");
    cr_expect_eq(graph_nodes_n(graph) - nodes_n, 1, "the difference alone");
    graph_destroy(graph);
}

Test(graph, arguments_come_first)
{
    struct graph *graph = new_graph();
    uint32_t close = add(graph, "close");
    uint32_t sma = add(graph, "sma(close,10)");
    uint32_t twice = add(graph, "sma(sma(close,10),10)");
    uint32_t cross = add(graph, "crosses_above(close, sma(sma(close,10),10))");
    cr_expect(close < sma && sma < twice && twice < cross);
    graph_destroy(graph);
}

Test(graph, columns_outputs_and_arguments_of_indicators_are_series)
{
    struct graph *graph = new_graph();
    uint32_t product = add(graph, "close * 2");
    cr_expect_not(graph_is_series(graph, product));
    cr_expect(graph_is_series(graph, add(graph, "ema(close * 2, 3)")));
    cr_expect(graph_is_series(graph, product));
    cr_expect_not(graph_is_column(graph, product));
    cr_expect(graph_is_column(graph, add(graph, "volume")));
    cr_expect(graph_is_column(graph, add(graph, "ai")));
    cr_expect(graph_is_series(graph, add(graph, "ai")));
    cr_expect_not(graph_is_series(graph, add(graph, "fast")));
    cr_expect_not(graph_is_series(graph, add(graph, "shift(close,1)")));
    cr_expect(graph_is_series(graph, add(graph, "macd(close,12,26,9).hist")));
    cr_expect_not(graph_is_series(graph, add(graph, "close > open")));
    graph_destroy(graph);
}

static const struct {
    const char *text, *says;
} refused[] = {
    {"sma(close, fast - 10)", "column 17: n of sma(x, n) is 0"},
    {"sma(close, -fast)", "is -10, expected a whole number from 1"},
    {"sma(close, x)", "is 1.5, expected a whole number"},
    {"sma(close, x/0)", "is undefined"},
    {"rsi(close, fast / 10)", "from 2"},
    {"macd(close, fast - 9, 26, 9).hist", "fast of macd(x, fast, slow, signal) is 1"},
    {"sma(close, fest)",
     "column 12: n of sma(x, n): 'fest' is not a parameter: did you mean 'fast'"},
    {"sma(close, fast + zzz)", "column 19"},
    {"bbands(close, 20, fast * 1e300, 2).upper", "up of bbands"},
    {"shift(close, -fast)", "n of shift(x, n) is -10"},
    {"shift(close, x)", "is 1.5"},
    {"shift(close, qqq)", "'qqq' is not a parameter"},
    {"shift(5, -x)", "is -1.5"},
    {"shift(shift(close, 1e9), 1e9)", "look back 2000000000 rows"},
    {"sma(fast, 10)", "is the constant 10, expected a series"},
    {"close > 1 and sma(open * 2, 5) > sma(close * 2, 0 * fast)", "column 51"},
    {"vwap(fast)", "reset of vwap(reset) is 10, expected"},
    {"vwap(dya)", "did you mean 'day'"},
    {"shift(close - close@1d, 1)", "column 1: shift of what is made of bars of different"},
    {"shift(SPX:close > close, 2)", "shift its parts"},
};

Test(graph, what_fails_names_place_and_range_and_leaves_no_trace)
{
    struct graph *graph = new_graph();
    (void)add(graph, "sma(close, 3) > 1");
    uint32_t nodes_n = graph_nodes_n(graph);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct expr *expr = NULL;
        struct err err = {0};
        uint32_t node = 777;
        cr_assert_eq(expr_parse(refused[i].text, &expr, &err), 0, "%s", err.text);
        cr_expect_lt(graph_add(graph, expr, &env, &node, &err), 0, "%s", refused[i].text);
        cr_expect_not_null(strstr(err.text, refused[i].says), "%s: wanted %s", err.text,
                           refused[i].says);
        cr_expect_eq(node, 777);
        cr_expect_eq(graph_nodes_n(graph), nodes_n);
        expr_destroy(expr);
    }
    (void)add(graph, "sma(close, 3) > 1");
    cr_expect_eq(graph_nodes_n(graph), nodes_n, "what was there is still found");
    graph_destroy(graph);
}

Test(graph, a_rule_that_doubles_at_each_level_is_refused)
{
    struct graph *graph = new_graph();
    struct expr *expr = NULL;
    struct err err = {0};
    uint32_t node = 0;
    char text[4096] = "close";
    for (int i = 0; i < 40; i++) {
        char deeper[4096];
        snprintf(deeper, sizeof(deeper), "bbands(%.4000s,2,2,2).upper", text);
        memcpy(text, deeper, sizeof(text));
    }
    cr_assert_eq(expr_parse(text, &expr, &err), 0, "%s", err.text);
    cr_expect_lt(graph_add(graph, expr, NULL, &node, &err), 0);
    cr_expect_not_null(strstr(err.text, "split it"), "%s", err.text);
    cr_expect_eq(graph_nodes_n(graph), 0);
    expr_destroy(expr);
    graph_destroy(graph);
}

Test(graph, a_cleared_graph_gives_the_same_again)
{
    struct graph *graph = new_graph();
    const char *first_key = NULL;
    for (int round = 0; round < 5; round++) {
        for (int i = 1; i < 300; i++) {
            char text[128];
            snprintf(text, sizeof(text), "crosses_above(sma(close,%d),ema(open,%d))", i, 1000 - i);
            uint32_t node = add(graph, text);
            cr_expect_str_eq(graph_key(graph, node), text);
        }
        cr_expect_eq(graph_nodes_n(graph), 2 + 3 * 299);
        cr_expect(!first_key || graph_key(graph, 0) == first_key, "in the same memory");
        first_key = graph_key(graph, 0);
        graph_clear(graph);
        cr_expect_eq(graph_nodes_n(graph), 0);
    }
    graph_destroy(graph);
}

/* ---- definitions ---------------------------------------------------------------------------- */

/* The text of a call with values of its parameters: the least ones, or `more` above these. */
static void call_text(const struct indicator *row, unsigned output, double more, char out[512])
{
    static const char *const series[] = {"close", "open", "high"};
    size_t at = (size_t)snprintf(out, 512, "%s(", row->name);
    const char *gap = "";
    for (unsigned i = 0; i < row->series_args_n; i++, gap = ",")
        at += (size_t)snprintf(out + at, 512 - at, "%s%s", gap, series[i]);
    for (unsigned i = 0; i < row->params_n; i++, gap = ",") {
        const struct indicator_param *param = &row->params[i];
        double value = fmin(param->minimum + more * (i + 1), param->maximum);
        if (param->choices)
            at += (size_t)snprintf(out + at, 512 - at, "%s%s", gap, param->choices[0]);
        else
            at += (size_t)snprintf(out + at, 512 - at, "%s%.17g", gap, value);
    }
    at += (size_t)snprintf(out + at, 512 - at, ")");
    if (row->outputs_n > 1)
        (void)snprintf(out + at, 512 - at, ".%s", row->outputs[output]);
}

Test(graph, every_indicator_binds_with_whatever_parameters_it_takes)
{
    static const double more[] = {0, 1, 7, 12345, 1e300};
    struct graph *graph = new_graph();
    for (size_t i = 0; i < indicator_count(); i++) {
        const struct indicator *row = indicator_at(i);
        for (unsigned o = 0; o < row->outputs_n; o++) {
            for (size_t k = 0; k < sizeof(more) / sizeof(more[0]); k++) {
                char text[512], shifted[600];
                call_text(row, o, more[k], text);
                uint32_t node = add(graph, text);
                cr_expect_eq(add(graph, graph_key(graph, node)), node, "%s", text);
                if (more[k] > 1e9)
                    continue; /* with the definition's own shifts it may look back too far */
                snprintf(shifted, sizeof(shifted), "shift(%s,3)@1d", text);
                node = add(graph, shifted);
                cr_expect_eq(add(graph, graph_key(graph, node)), node, "%s", shifted);
            }
        }
    }
    graph_destroy(graph);
}

static void derive_half(const double *param, double *ret_derived)
{
    ret_derived[0] = floor(param[0] / 2);
}

static const struct indicator made[] = {
    {.name = "made_gap",
     .series_args_n = 2,
     .params_n = 2,
     .params = {{"n", 2, 100, 1, NULL}, {"k", -10, 10, 0, NULL}},
     .outputs_n = 2,
     .outputs = {"one", "two"},
     .made_of = {"x - k * sma(y,half)", "made_mean(y,n)@1w"},
     .derived = {"half"},
     .derive = derive_half},
    {.name = "made_mean",
     .series_args_n = 1,
     .params_n = 1,
     .params = {{"n", 1, 100, 1, NULL}},
     .outputs_n = 1,
     .outputs = {"made_mean"},
     .made_of = {"sma(x,n) + typprice()"}},
    {.name = "made_of_itself", .outputs_n = 1, .outputs = {"a"}, .made_of = {"made_of_other()"}},
    {.name = "made_of_other", .outputs_n = 1, .outputs = {"a"}, .made_of = {"made_of_itself()"}},
    {.name = "made_of_nothing", .outputs_n = 1, .outputs = {"a"}},
    {.name = "made_of_noise", .outputs_n = 1, .outputs = {"a"}, .made_of = {"sma(close,"}},
    {.name = "made_of_names", .outputs_n = 1, .outputs = {"a"}, .made_of = {"sma(close,n)"}},
    {.name = "made_of_bits", .outputs_n = 1, .outputs = {"a"}, .made_of = {"close > 1"}},
};

static const struct {
    const char *text, *key; /* NULL: a bug of the table */
} made_keys[] = {
    {"made_gap(close,open,5,2).one", "close - 2 * sma(open,2)"},
    {"made_gap(close * 3,open,5,2).one", "close * 3 - 2 * sma(open,2)"},
    {"shift(made_gap(close * 3,hl2,5,2).one,4)",
     "shift(close,4) * 3 - 2 * shift(sma((high + low) / 2,2),4)"},
    {"shift(made_gap(shift(-close,1),open,5,2).one,4)",
     "-shift(close,5) - 2 * shift(sma(open,2),4)"},
    {"made_gap(close,open,5,2).two", "sma(open,5) + typprice()@1w"},
    {"SPX:made_mean(close,5)@1d", "SPX:sma(close,5)@1d + SPX:typprice()@1d"},
    {"made_mean(made_mean(close,2),3)", "sma(sma(close,2) + typprice(),3) + typprice()"},
    {"made_of_itself()", NULL},
    {"made_of_nothing()", NULL},
    {"made_of_noise()", NULL},
    {"made_of_names()", NULL},
    {"made_of_bits()", NULL},
};

Test(graph, indicators_made_of_others_are_written_in_their_terms)
{
    struct graph *graph = new_graph();
    cr_assert_eq(indicator_register(made, sizeof(made) / sizeof(made[0])), 0);
    for (size_t i = 0; i < sizeof(made_keys) / sizeof(made_keys[0]); i++) {
        struct expr *expr = NULL;
        struct err err = {0};
        uint32_t node = 0, nodes_n = graph_nodes_n(graph);
        cr_assert_eq(expr_parse(made_keys[i].text, &expr, &err), 0, "%s", err.text);
        int r = graph_add(graph, expr, &env, &node, &err);
        expr_destroy(expr);
        if (made_keys[i].key) {
            cr_assert_eq(r, 0, "%s: %s", made_keys[i].text, err.text);
            cr_expect_str_eq(graph_key(graph, node), made_keys[i].key);
            continue;
        }
        cr_expect_lt(r, 0, "%s", made_keys[i].text);
        cr_expect_eq(err.kind, ERR_BUG, "%s", err.text);
        cr_expect_eq(graph_nodes_n(graph), nodes_n);
    }
    graph_destroy(graph);
}

/* ---- what a graph says of its nodes --------------------------------------------------------- */

static const struct {
    const char *text, *local_key, *symbol, *timeframe;
    enum graph_level level;
} places[] = {
    {"close", "close", NULL, "", LEVEL_BASE},
    {"ai", "ai", NULL, "", LEVEL_BASE},
    {"SPX:close", "close", "SPX", "", LEVEL_BASE},
    {"close * 2", "close * 2", NULL, "", LEVEL_DERIVED},
    {"sma(close * 2,3)", "sma(close * 2,3)", NULL, "", LEVEL_DERIVED},
    {"sma(sma(close,2),3)", "sma(sma(close,2),3)", NULL, "", LEVEL_COMPLEX},
    {"sma(sma(close,2) + 1,3)", "sma(sma(close,2) + 1,3)", NULL, "", LEVEL_COMPLEX},
    {"sma(close,2) + sma(close,3)", "sma(close,2) + sma(close,3)", NULL, "", LEVEL_DERIVED},
    {"SPX:sma(close@1d,20)", "sma(close,20)", "SPX", "1d", LEVEL_DERIVED},
    {"sma(close@1h - open@1h,2)", "sma(close - open,2)", NULL, "1h", LEVEL_DERIVED},
    {"close@1h - open@1h", "close - open", NULL, "1h", LEVEL_DERIVED},
    {"shift(SPX:close,2)", "shift(close,2)", "SPX", "", LEVEL_DERIVED},
    {"close@1h - open", "close@1h - open", NULL, "", LEVEL_DERIVED},
    {"close@1h > open@1h", "close@1h > open@1h", NULL, "", LEVEL_DERIVED},
    {"correl(close,SPX:close,9)", "correl(close,SPX:close,9)", NULL, "", LEVEL_DERIVED},
    {"rsi(correl(close,SPX:close,9),5) > 3", "rsi(correl(close,SPX:close,9),5) > 3", NULL, "",
     LEVEL_COMPLEX},
};

Test(graph, nodes_say_clock_local_key_and_level)
{
    struct graph *graph = new_graph();
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct graph_info info;
        char timeframe[TIMEFRAME_BYTES];
        uint32_t node = add(graph, places[i].text);
        graph_info(graph, node, &info);
        cr_assert_lt(info.clock, graph_clocks_n(graph));
        const struct graph_clock *clock = graph_clock(graph, info.clock);
        cr_expect_str_eq(info.key, graph_key(graph, node));
        cr_expect_str_eq(info.local_key, places[i].local_key, "%s: %s", places[i].text,
                         info.local_key);
        cr_expect_str_eq(clock->symbol ? clock->symbol : "",
                         places[i].symbol ? places[i].symbol : "");
        cr_expect_str_eq(timeframe_format(clock->timeframe, timeframe), places[i].timeframe);
        cr_expect_eq(info.level, places[i].level, "%s is %s", places[i].text,
                     graph_level_name(info.level));
    }
    graph_clear(graph);
    cr_expect_eq(graph_clocks_n(graph), 1);
    graph_destroy(graph);
}

Test(graph, one_pass_serves_equal_calls_with_other_parameters_or_outputs)
{
    struct graph *graph = new_graph();
    uint64_t macd = graph_group(graph, add(graph, "macd(close,12,26,9).macd"));
    uint64_t sma = graph_group(graph, add(graph, "sma(close,3)"));
    cr_expect_eq(graph_group(graph, add(graph, "macd(close,5,6,7).hist")), macd);
    cr_expect_eq(graph_group(graph, add(graph, "sma(close,50)")), sma);
    cr_expect_neq(sma, macd);
    cr_expect_neq(graph_group(graph, add(graph, "sma(open,3)")), sma);
    cr_expect_neq(graph_group(graph, add(graph, "sma(close@1d,3)")), sma);
    cr_expect_neq(graph_group(graph, add(graph, "ema(close,3)")), sma);
    cr_expect_neq(graph_group(graph, add(graph, "close > 1")),
                  graph_group(graph, add(graph, "close > 2")));
    graph_destroy(graph);
}

/* ---- evaluation ----------------------------------------------------------------------------- */

static uint32_t random_state = 1;

static double random_frac(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (double)(random_state >> 8) / (double)(1u << 24);
}

/* Small whole numbers with ties and a few NaNs, so that every branch of a comparison is met. */
static void fill_rough(double *out, uint32_t n, uint32_t leading_nan)
{
    for (uint32_t t = 0; t < n; t++) {
        out[t] = floor(random_frac() * 4.0);
        if (t < leading_nan || random_frac() < 0.03)
            out[t] = NAN;
    }
}

#define ROWS_MAX 3000u

struct rough {
    struct frame frame;
    double close[ROWS_MAX], open[ROWS_MAX], high[ROWS_MAX];
};

static void rough_init(struct rough *r, uint32_t rows_n)
{
    r->frame = (struct frame){.rows_n = rows_n};
    fill_rough(r->close, rows_n, 0);
    fill_rough(r->open, rows_n, 5);
    fill_rough(r->high, rows_n, 0);
    frame_add(&r->frame, "close", r->close);
    frame_add(&r->frame, "open", r->open);
    frame_add(&r->frame, "high", r->high);
}

static double lagged(const double *x, uint32_t t, uint32_t n)
{
    return t < n ? NAN : x[t - n];
}

static bool above(const double *a, const double *b, uint32_t t)
{
    return t > 0 && a[t - 1] < b[t - 1] && a[t] > b[t];
}

/* What each row of a rule is by the contract, written out by hand. */
#define RULES(X)                                                                                   \
    X("close > open", r->close[t] > r->open[t])                                                    \
    X("close < open", r->close[t] < r->open[t])                                                    \
    X("close >= open", r->close[t] >= r->open[t])                                                  \
    X("close <= open", r->close[t] <= r->open[t])                                                  \
    X("close == open", r->close[t] == r->open[t])                                                  \
    X("close != open", r->close[t]<r->open[t] || r->close[t]> r->open[t])                          \
    X("not close != open", !(r->close[t] < r->open[t] || r->close[t] > r->open[t]))                \
    X("close > 2", r->close[t] > 2)                                                                \
    X("2 > close", 2 > r->close[t])                                                                \
    X("2 != close", r->close[t]<2 || r->close[t]> 2)                                               \
    X("close / open > 1", r->open[t] > 0 && r->close[t] / r->open[t] > 1)                          \
    X("close / 0 > 1", false)                                                                      \
    X("0 - close / 0 < 1", false)                                                                  \
    X("2 / close == 1", r->close[t] == 2)                                                          \
    X("not 2 / (close - close) > 1", true)                                                         \
    X("close * 1e308 * 10 > 1", false)                                                             \
    X("1 / 0 > 1", false)                                                                          \
    X("1 < 2", true)                                                                               \
    X("2 < 1", false)                                                                              \
    X("not 2 < 1", true)                                                                           \
    X("crosses_above(close, open)", above(r->close, r->open, t))                                   \
    X("crosses_below(close, open)", above(r->open, r->close, t))                                   \
    X("crosses_above(close, 1)", t > 0 && r->close[t - 1] < 1 && r->close[t] > 1)                  \
    X("crosses_above(1, close)", t > 0 && 1 < r->close[t - 1] && 1 > r->close[t])                  \
    X("crosses_below(close, 1)", t > 0 && r->close[t - 1] > 1 && r->close[t] < 1)                  \
    X("crosses_above(close + 1 - open, 1)",                                                        \
      t > 0 && r->close[t - 1] + 1 - r->open[t - 1] < 1 && r->close[t] + 1 - r->open[t] > 1)       \
    X("shift(crosses_above(close, open), 1)", t > 1 && above(r->close, r->open, t - 1))            \
    X("shift(close, 1) < close", lagged(r->close, t, 1) < r->close[t])                             \
    X("shift(close, 1500) < close", lagged(r->close, t, 1500) < r->close[t])                       \
    X("shift(close, 99999) < close", false)                                                        \
    X("shift(not close > 1, 7)", !(lagged(r->close, t, 7) > 1))                                    \
    X("close > open and high > 1 or not open > 2",                                                 \
      (r->close[t] > r->open[t] && r->high[t] > 1) || !(r->open[t] > 2))                           \
    X("close > 0 and (open > 0 or (high > 0 and (close < 3 or open < high)))",                     \
      r->close[t] > 0 &&                                                                           \
          (r->open[t] > 0 || (r->high[t] > 0 && (r->close[t] < 3 || r->open[t] < r->high[t]))))    \
    X("(close + open) * (high - (close - (open + 1))) > -close / 2",                               \
      (r->close[t] + r->open[t]) * (r->high[t] - (r->close[t] - (r->open[t] + 1))) >               \
          -r->close[t] / 2)

static void expect_bits(struct rough *r, const char *text, const bool *expected)
{
    uint32_t rows_n = r->frame.rows_n, node = 0, words_n = (rows_n + 63) / 64;
    struct err err = {0};
    struct graph *graph = frame_bind(&r->frame, text, NULL, &node);
    uint64_t *bits = malloc((words_n + 1) * sizeof(*bits));
    double *flags = malloc((rows_n + 1) * sizeof(*flags));
    const struct lookup_source lookup = frame_lookup_of(&r->frame);
    const struct graph_source source = lookup_source_of(&lookup);
    memset(bits, 0xa5, (words_n + 1) * sizeof(*bits));
    cr_assert_eq(graph_eval_bits(graph, node, &source, bits, NULL, &err), 0, "%s", err.text);
    cr_assert_eq(graph_eval(graph, node, &source, flags, NULL, &err), 0);
    for (uint32_t t = 0; t < 64 * words_n; t++) {
        bool bit = bits[t / 64] >> t % 64 & 1;
        cr_assert_eq(bit, t < rows_n && expected[t], "%s at row %u of %u", text, t, rows_n);
        cr_assert(t >= rows_n || flags[t] == (bit ? 1.0 : 0.0));
    }
    cr_assert_eq(bits[words_n], UINT64_C(0xa5a5a5a5a5a5a5a5), "nothing is written past the end");
    free(flags);
    free(bits);
    graph_destroy(graph);
}

Test(graph, conditions_by_tiles_are_what_a_walk_over_rows_gives)
{
    static const uint32_t sizes[] = {0, 1, 2, 15, 16, 17, 63, 64, 65, 1023, 1024, 1025, 2048, 2999};
    static bool expected[ROWS_MAX];
    static struct rough rough;
    struct rough *r = &rough;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        rough_init(r, sizes[i]);
#define X(text_, value_)                                                                           \
    for (uint32_t t = 0; t < sizes[i]; t++)                                                        \
        expected[t] = value_;                                                                      \
    expect_bits(r, text_, expected);
        RULES(X)
#undef X
        frame_fini(&r->frame);
    }
}

Test(graph, numbers_by_tiles_are_what_a_walk_over_rows_gives)
{
    static struct rough rough;
    static double out[ROWS_MAX];
    struct rough *r = &rough;
    rough_init(r, 2500);
    uint32_t first =
        frame_eval(&r->frame, "shift(close, 1030) / (1 + open) - (2 - -high) * 3", out);
    cr_expect_eq(first, 1030);
    for (uint32_t t = 0; t < 2500; t++) {
        double wanted = lagged(r->close, t, 1030) / (1 + r->open[t]) - (2 - -r->high[t]) * 3;
        cr_assert(out[t] == wanted || (isnan(out[t]) && isnan(wanted)), "row %u", t);
    }
    cr_expect_eq(frame_eval(&r->frame, "5", out), 0);
    cr_expect_eq(out[2499], 5);
    cr_expect_geq(frame_eval(&r->frame, "open + shift(close, 2)", out), 5);
    cr_expect_eq(frame_eval(&r->frame, "shift(close, 99999)", out), 2500);
    frame_fini(&r->frame);
}

Test(graph, a_missing_column_is_named)
{
    struct frame f = {.rows_n = 4};
    struct err err = {0};
    double out[4] = {7, 7, 7, 7};
    struct graph *graph = new_graph();
    uint32_t node = add(graph, "forecast * 2");
    const struct lookup_source lookup = frame_lookup_of(&f);
    const struct graph_source source = lookup_source_of(&lookup);
    cr_expect_lt(graph_eval(graph, node, &source, out, NULL, &err), 0);
    cr_expect_eq(err.kind, ERR_CONFIG);
    cr_expect_not_null(strstr(err.text, "'forecast'"), "%s", err.text);
    cr_expect_eq(out[0], 7);
    graph_destroy(graph);
}

Test(graph, a_number_is_no_condition)
{
    struct frame f = {.rows_n = 4};
    struct err err = {0};
    uint64_t bits = 5;
    struct graph *graph = new_graph();
    uint32_t node = add(graph, "close * 2");
    const struct lookup_source lookup = frame_lookup_of(&f);
    const struct graph_source source = lookup_source_of(&lookup);
    cr_expect_lt(graph_eval_bits(graph, node, &source, &bits, NULL, &err), 0);
    cr_expect_not_null(strstr(err.text, "expected a condition"), "%s", err.text);
    cr_expect_eq(bits, 5);
    graph_destroy(graph);
}

Test(graph, wide_and_long_rules_evaluate)
{
    static struct rough rough;
    static double out[ROWS_MAX];
    char text[4096] = "close";
    struct rough *r = &rough;
    rough_init(r, 1500);
    while (strlen(text) < 4000)
        strcat(text, "+1");
    (void)frame_eval(&r->frame, text, out);
    cr_expect(out[1] == r->close[1] + (double)(strlen(text) - 5) / 2 || isnan(r->close[1]));
    strcpy(text, "close");
    for (int i = 0; i < 50; i++) {
        char wider[4096];
        snprintf(wider, sizeof(wider), "(close*1)+(%.4000s)", text);
        memcpy(text, wider, sizeof(text));
    }
    (void)frame_eval(&r->frame, text, out);
    cr_expect(out[1] == r->close[1] * 51 || isnan(r->close[1]));
    frame_fini(&r->frame);
}

/* ---- random rules --------------------------------------------------------------------------- */

struct text {
    char at[4096];
    size_t n;
};

static void say(struct text *out, const char *part)
{
    size_t n = strlen(part);
    if (out->n + n < sizeof(out->at)) {
        memcpy(out->at + out->n, part, n + 1);
        out->n += n;
    }
}

static unsigned pick(unsigned n)
{
    return (unsigned)(random_frac() * n);
}

static void say_number(struct text *out, int depth);

static void say_call(struct text *out, int depth)
{
    static const char *const calls[] = {"sma(", "rsi(", "shift(", "bbands(", "macd(", "stddev("};
    static const char *const ends[] = {",fast)",        ",slow*2)",        ",3)",
                                       ",9,2,x).lower", ",3,fast,2).hist", ",2+1)"};
    unsigned i = pick(6);
    say(out, calls[i]);
    say(out, "close*");
    say_number(out, depth - 1);
    say(out, ends[i]);
}

static void say_number(struct text *out, int depth)
{
    static const char *const leaves[] = {"close", "open", "hl2",       "2",       "x",        ".5",
                                         "ai",    "-3",   "SPX:close", "hlc3@1d", "QQQ:ai@4h"};
    static const char *const signs[] = {"+", " - ", "*", "/ "};
    switch (depth <= 0 ? 0 : pick(5)) {
    case 0:
        say(out, leaves[pick(sizeof(leaves) / sizeof(leaves[0]))]);
        return;
    case 1:
        say_call(out, depth);
        return;
    case 2:
        say(out, pick(2) ? "-(" : "SPX:(");
        break;
    default:
        say(out, "(");
        break;
    }
    say_number(out, depth - 1);
    say(out, signs[pick(4)]);
    say_number(out, depth - 1);
    say(out, ")");
}

static void say_condition(struct text *out, int depth)
{
    static const char *const signs[] = {"<", "<=", ">", ">=", "==", "!="};
    static const char *const words[] = {" and ", " or ", " and not ", " or not "};
    bool is_leaf = depth <= 0 || pick(3) == 0;
    say(out, is_leaf ? "" : "(");
    is_leaf ? say_number(out, depth) : say_condition(out, depth - 1);
    say(out, is_leaf ? signs[pick(6)] : words[pick(4)]);
    is_leaf ? say_number(out, depth) : say_condition(out, depth - 1);
    say(out, is_leaf ? "" : ")");
}

Test(graph, keys_of_random_rules_read_back_as_themselves)
{
    struct graph *graph = new_graph();
    for (int i = 0; i < 3000; i++) {
        struct text text = {.n = 0};
        random_state = (uint32_t)i;
        say_condition(&text, 4);
        if (text.n > 3000)
            continue;
        uint32_t node = 0;
        if (!may_add(graph, text.at, &node))
            continue;
        if (strlen(graph_key(graph, node)) < 4000)
            cr_assert_eq(add(graph, graph_key(graph, node)), node, "%s\n%s", text.at,
                         graph_key(graph, node));
        if (i % 50 == 49)
            graph_clear(graph);
    }
    graph_destroy(graph);
}

Test(mask, fast_and_plain_comparisons_give_the_same_bits)
{
    static double a[ROWS_MAX], b[ROWS_MAX];
    static uint64_t fast[ROWS_MAX / 64 + 1], plain[ROWS_MAX / 64 + 1];
    static const double odd[] = {INFINITY, -INFINITY, 0.0, -0.0, 5e-324, -5e-324, 1e308};
    fill_rough(a, ROWS_MAX, 3);
    fill_rough(b, ROWS_MAX, 9);
    for (uint32_t i = 0; i < 200; i++)
        a[100 + i] = odd[i % 7], b[100 + i] = odd[i / 7 % 7];
    for (enum expr_kind kind = EXPR_LT; kind <= EXPR_NE; kind++) {
        for (uint32_t n = 0; n < ROWS_MAX; n += n < 200 ? 1 : 577) {
            struct mask_right right = {.column = n % 2 ? b + 1 : NULL, .value = b[n]};
            mask_compare(kind, a, right, n, fast);
            mask_compare_plain(kind, a, right, n, plain);
            cr_assert_eq(memcmp(fast, plain, (n + 63) / 64 * 8), 0, "kind %d rows %u", kind, n);
        }
    }
}
