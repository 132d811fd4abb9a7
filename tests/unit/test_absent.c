/* SPDX-License-Identifier: MIT */
/* Promise: whatever of a rule's series and conditions is stored or not, and in whatever clock, its
 * rows and its first defined row are the same. */
#include "tests/unit/shelf.h"

#define ROWS_MAX 40000u

struct result {
    uint32_t first_defined;
    double rows[ROWS_MAX];
    uint64_t bits[ROWS_MAX / 64 + 1];
};

static bool is_condition(const struct graph *graph, uint32_t node)
{
    struct graph_info info;
    graph_info(graph, node, &info);
    return info.is_condition;
}

static void evaluate(struct shelf *s, const struct graph *graph, uint32_t node, struct result *ret)
{
    const struct graph_source source = shelf_source(s);
    struct err err = {0};
    memset(ret, 0, sizeof(*ret));
    int r = is_condition(graph, node)
                ? graph_eval_bits(graph, node, &source, ret->bits, &ret->first_defined, &err)
                : graph_eval(graph, node, &source, ret->rows, &ret->first_defined, &err);
    cr_assert_eq(r, 0, "%s: %s", graph_key(graph, node), err.text);
}

/* Every undefined number is the same one. */
static void expect_same(const struct result *a, const struct result *b, uint32_t rows_n,
                        const char *text)
{
    cr_assert_eq(a->first_defined, b->first_defined, "%s: %u, then %u", text, a->first_defined,
                 b->first_defined);
    cr_assert_eq(memcmp(a->bits, b->bits, sizeof(a->bits)), 0, "%s", text);
    for (uint32_t t = 0; t < rows_n; t++)
        cr_assert((isnan(a->rows[t]) && isnan(b->rows[t])) ||
                      memcmp(&a->rows[t], &b->rows[t], sizeof(double)) == 0,
                  "%s row %u: %.17g, then %.17g", text, t, a->rows[t], b->rows[t]);
}

static void try_rule(struct shelf *s, const char *text, uint32_t rows_n)
{
    static struct result stored, absent, some;
    struct graph *graph = NULL;
    uint32_t node = 0;
    cr_assert_eq(graph_create(&graph), 0);
    if (bind_rule(graph, text, &node)) {
        evaluate(s, graph, node, &absent);
        shelf_fill(s, graph, 0.5);
        evaluate(s, graph, node, &some);
        expect_same(&absent, &some, rows_n, text);
        shelf_clear(s);
        shelf_fill(s, graph, 1.0);
        evaluate(s, graph, node, &stored);
        expect_same(&absent, &stored, rows_n, text);
        shelf_clear(s);
    }
    graph_destroy(graph);
}

/* Rules in which the same is used again in another way. */
static const char *const shared[] = {
    "sma(close,5) > sma(close,9) and sma(close,9) > sma(close,14)",
    "macd(close,3,9,4).hist > macd(close,5,9,4).hist and macd(close,3,9,4).macd > 0",
    "close * 2 > open and (close * 2 > high + 1 or sma(close * 2,3) > close * 2)",
    "shift(sma(close,3),2) > sma(close,3) and shift(sma(close,3),7) < shift(sma(close,3),2)",
    "rsi(rsi(close,3),4) - rsi(close,3) > rsi(close,4)",
    "correl(close,SPX:close,9) > 0.1 or shift(correl(close,SPX:close,9),3) < 0",
    "(close > open or close > SPX:close) and (close > open or not close > SPX:close)",
    "sma(SPX:close@1h - SPX:open@1h,3) > SPX:close@1h - SPX:open@1h",
};

static void try_rules(uint32_t rows_n, int rules_n, bool rounds)
{
    static struct shelf s;
    struct columns columns[SYMBOLS_N];
    struct bars bars[SYMBOLS_N];
    columns_init(&columns[0], "OWN", rows_n, 15);
    columns_init(&columns[1], "SPX", rows_n, 15);
    columns_init(&columns[2], "QQQ", rows_n / 4 + 1, 60);
    for (uint32_t i = 0; i < SYMBOLS_N; i++)
        bars[i] = columns[i].bars;
    s.rounds = rounds;
    cr_assert_eq(bars_source_create(bars, SYMBOLS_N, 0, &s.bars), 0);
    for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++)
        try_rule(&s, shared[i], rows_n);
    for (int i = 0; i < rules_n; i++) {
        struct text text = {.n = 0};
        i % 3 ? say_condition(&text, 3) : say_number(&text, 4);
        try_rule(&s, text.at, rows_n);
    }
    bars_source_destroy(s.bars);
    for (uint32_t i = 0; i < SYMBOLS_N; i++)
        columns_fini(&columns[i]);
}

Test(absent, small_histories_come_out_the_same)
{
    static const uint32_t sizes[] = {1, 2, 63, 64, 65, 1023, 1024, 1025, 3000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        try_rules(sizes[i], 40, false);
}

Test(absent, histories_of_several_tiles_come_out_the_same)
{
    chance_state = 2;
    try_rules(INDICATOR_TILE_ROWS + 1500, 30, false);
}

Test(absent, what_is_rounded_to_floats_is_rounded_wherever_it_is_made)
{
    chance_state = 3;
    try_rules(2000, 200, true);
}

Test(absent, no_bars_give_no_rows)
{
    chance_state = 4;
    try_rules(0, 20, false);
}

#define GROUP_N    60u
#define GROUP_ROWS (INDICATOR_TILE_ROWS + 700u)

/* One pass for several parameters and outputs gives what each alone gives. */
static void expect_group(const struct graph_source *source, const struct graph *graph,
                         const uint32_t *node, uint32_t n)
{
    static double alone[GROUP_ROWS], together[GROUP_N][GROUP_ROWS];
    static float floats[GROUP_N][GROUP_ROWS];
    void *outs[GROUP_N], *float_outs[GROUP_N], *out = alone;
    uint32_t first[GROUP_N], first_alone;
    struct err err = {0};
    for (uint32_t i = 0; i < n; i++) {
        cr_assert_eq(graph_group(graph, node[i]), graph_group(graph, node[0]));
        outs[i] = together[i];
        float_outs[i] = floats[i];
    }
    cr_assert_eq(graph_compute(graph, node, n, source, SERIES_F64, outs, first, &err), 0, "%s",
                 err.text);
    cr_assert_eq(graph_compute(graph, node, n, source, SERIES_F32, float_outs, NULL, &err), 0);
    for (uint32_t i = 0; i < n; i++) {
        int r = graph_compute(graph, &node[i], 1, source, SERIES_F64, &out, &first_alone, &err);
        cr_assert_eq(r, 0, "%s", err.text);
        cr_expect_eq(first[i], first_alone);
        for (uint32_t t = 0; t < GROUP_ROWS; t++)
            cr_assert(isnan(alone[t])
                          ? isnan(together[i][t]) && isnan(floats[i][t])
                          : together[i][t] == alone[t] && floats[i][t] == (float)alone[t],
                      "%s row %u", graph_key(graph, node[i]), t);
    }
}

Test(absent, a_group_is_computed_as_its_members_are)
{
    static const char *const outputs[] = {"macd(close,3,9,4).hist", "macd(close,3,9,4).macd",
                                          "macd(close,5,20,3).signal", "macd(close,12,26,9).hist"};
    static const char *const families[] = {"sma(close,", "ema(close,", "stddev(close,", "atr(",
                                           "rsi(close,"};
    struct columns columns;
    struct bars_source *bars = NULL;
    struct graph *graph = NULL;
    uint32_t node[GROUP_N];
    columns_init(&columns, "OWN", GROUP_ROWS, 15);
    cr_assert_eq(bars_source_create(&columns.bars, 1, 0, &bars), 0);
    cr_assert_eq(graph_create(&graph), 0);
    struct graph_source source = bars_source_of(bars);
    for (int i = 0; i < 4; i++)
        cr_assert(bind_rule(graph, outputs[i], &node[i]));
    expect_group(&source, graph, node, 4);
    for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++) {
        for (uint32_t i = 0; i < GROUP_N; i++) {
            char text[64];
            snprintf(text, sizeof(text), "%s%u)", families[f], 2 + i * i);
            cr_assert(bind_rule(graph, text, &node[i]));
        }
        expect_group(&source, graph, node, GROUP_N);
    }
    graph_destroy(graph);
    bars_source_destroy(bars);
    columns_fini(&columns);
}

Test(absent, what_the_data_lack_is_named)
{
    static const struct {
        const char *text, *says;
    } lacking[] = {
        {"forecast > 1", "'forecast' is neither a parameter nor a column"},
        {"sma(SPX:forecast,3) > 1", "'SPX:forecast' is neither"},
        {"DAX:close > 1", "no bars of DAX"},
        {"close > DAX:sma(close,3)@1d", "no bars of DAX in the timeframe @1d"},
    };
    struct columns columns[2];
    struct bars_source *bars = NULL;
    columns_init(&columns[0], "OWN", 100, 15);
    columns_init(&columns[1], "SPX", 100, 15);
    const struct bars all[] = {columns[0].bars, columns[1].bars};
    cr_assert_eq(bars_source_create(all, 2, 0, &bars), 0);
    struct graph_source source = bars_source_of(bars);
    for (size_t i = 0; i < sizeof(lacking) / sizeof(lacking[0]); i++) {
        struct graph *graph = NULL;
        struct err err = {0};
        uint64_t bits[2] = {7, 7};
        uint32_t node;
        cr_assert_eq(graph_create(&graph), 0);
        cr_assert(bind_rule(graph, lacking[i].text, &node));
        cr_expect_lt(graph_eval_bits(graph, node, &source, bits, NULL, &err), 0);
        cr_expect_eq(err.kind, ERR_CONFIG);
        cr_expect_not_null(strstr(err.text, lacking[i].says), "%s", err.text);
        cr_expect_eq(bits[0], 7);
        graph_destroy(graph);
    }
    bars_source_destroy(bars);
    columns_fini(&columns[0]);
    columns_fini(&columns[1]);
}
