/* SPDX-License-Identifier: MIT */
/* Promise: a rule that is wrong is refused at the column where it is wrong, and says why; a rule
 * that is right means what the contract says, whatever spaces and parentheses it has. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "proto/spec.h"
#include "shm/expr.h"

static const struct {
    const char *text;
    unsigned column;
    const char *says; /* part of the message */
} bad[] = {
    {"", 1, "empty"},
    {"   ", 1, "empty"},
    {"close >", 8, "the end"},
    {"> close", 1, "found '>'"},
    {"close open", 7, "an operator"},
    {"(close", 7, "')'"},
    {"close)", 6, "found ')'"},
    {"()", 2, "found ')'"},
    {"1.", 2, "digits"},
    {"1..2", 2, "digits"},
    {"10close", 3, "runs into"},
    {"1e999", 1, "out of range"},
    {"close > 1 > 2", 11, "do not chain"},
    {"close = 1", 7, "'=='"},
    {"close & open", 7, "'and'"},
    {"close > 1 || open > 1", 11, "'or'"},
    {"!close", 1, "'not'"},
    {"close ** 2", 7, "x * x"},
    {"close % 2", 7, "found '%'"},
    {"close # comment", 7, "found '#'"},
    {"close > \"a\"", 9, "found '\"'"},
    {"close > 1 AND open > 1", 11, "did you mean 'and'"},
    {"close and open", 1, "found a number, expected a condition"},
    {"close > 1 and open", 15, "expected a condition"},
    {"not close", 5, "expected a condition"},
    {"not 1", 5, "expected a condition"},
    {"-(close > 1)", 3, "found a condition, expected a number"},
    {"(close > 1) + 1", 2, "expected a number"},
    {"1 + (close > 1)", 6, "expected a number"},
    {"(close > 1) > 2", 2, "expected a number"},
    {"sma(close > 1, 10)", 5, "argument 1 of 'sma'"},
    {"crosses_above(close > 1, open)", 15, "expected a number"},
    {"sma(close, open)", 12, "the same for all bars"},
    {"sma(close, sma(close, 3))", 12, "the same for all bars"},
    {"sma(close, 3 + rsi(close, 2))", 16, "the same for all bars"},
    {"shift(close, volume)", 14, "the same for all bars"},
    {"sma(close)", 1, "sma(x, n) takes 2 arguments, found 1"},
    {"sma()", 1, "found 0"},
    {"close > sma(close, 3, 4)", 9, "found more"},
    {"trange(1)", 1, "trange() takes 0 arguments"},
    {"atr()", 1, "atr(n) takes 1 argument,"},
    {"macd(close, 12, 26)", 1, "macd(x, fast, slow, signal) takes 4"},
    {"crosses_above(close)", 1, "crosses_above(a, b)"},
    {"sma(close, 3", 13, "',' or ')'"},
    {"sma(close 3)", 11, "an operator"},
    {"sma(close,)", 11, "behind ','"},
    {"sma(,3)", 5, "found ','"},
    {"smma(close, 3)", 1, "did you mean 'sma'"},
    {"crosses_abov(close, 3)", 1, "did you mean 'crosses_above'"},
    {"emaa(close, 3)", 1, "did you mean 'ema'"},
    {"no_such_trend(close)", 1, "unknown function"},
    {"abs(close)", 1, "unknown function"},
    {"1 + close(3)", 5, "shift(close, n)"},
    {"sma(close, 3).upper", 14, "one output"},
    {"shift(close, 3).x", 16, "one output"},
    {"macd(close, 12, 26, 9).histo", 24, "did you mean 'hist'"},
    {"macd(close, 12, 26, 9).", 24, "name of an output"},
    {"bbands(close, 20, 2, 2).top", 25, ".upper .middle .lower"},
    {"1 < bbands(close, 20, 2, 2)", 5, "say which behind it, .upper .middle .lower"},
    {"macd(close, 12, 26, 9) > 0", 1, ".macd .signal .hist"},
    {"sma(close, 0)", 12, "n of sma(x, n) is 0, expected a whole number from 1"},
    {"sma(close, -3)", 12, "is -3, expected a whole number from 1"},
    {"sma(close, 2.5)", 12, "is 2.5, expected a whole number"},
    {"sma(close, 5 / 2 * 3)", 18, "is 7.5, expected a whole number"},
    {"sma(close, 1/0)", 13, "is undefined"},
    {"rsi(close, 1)", 12, "from 2"},
    {"close > bbands(close, 20, 1e300, 2).upper", 27, "up of bbands"},
    {"sma(sma(close, 0), 3)", 16, "is 0"},
    {"sma(5, 10)", 5, "argument 1 of sma(x, n) is the constant 5"},
    {"sma(1 / 0, 10)", 7, "is the constant 0 / 0"},
    {"shift(close, -1) > close", 14, "n of shift(x, n) is -1, expected a whole number from 0"},
    {"shift(close, 1.5)", 14, "is 1.5"},
    {"shift(5, -1)", 10, "is -1"},
    {"close.x", 6, "found '.'"},
    {"SPX:5 > 3", 5, "a column or a function behind"},
    {"SPX: > 3", 6, "found '>'"},
    {"SPX:QQQ:close > 1", 5, "found 'QQQ:'"},
    {"SPX:and > 1", 5, "found 'and'"},
    {"\"BRK B\":close > 1", 1, "is not the name of a symbol"},
    {"\"\":close > 1", 1, "is not the name of a symbol"},
    {"_x:close > 1", 1, "is not the name of a symbol"},
    {"\"SPX\" > 1", 1, "found '\"'"},
    {"`SPX:close > 1", 1, "found '`'"},
    {"close@ > 1", 7, "is no timeframe"},
    {"close@1x > 1", 7, "'1x' is no timeframe"},
    {"close@0d > 1", 7, "is no timeframe"},
    {"close@01d > 1", 7, "is no timeframe"},
    {"close@123456m > 1", 7, "is no timeframe"},
    {"close@1D > 1", 7, "did you mean '1d'"},
    {"1 < rsi(close,14)@daily", 19, "did you mean '1d'"},
    {"close@1d@1h > 1", 9, "second timeframe"},
    {"5@1d > close", 2, "a number has no timeframe"},
    {"close @ 1d > 1", 8, "is no timeframe"},
    {"@1d", 1, "found '@'"},
    {"shift(close, 1@1d)", 15, "a number has no timeframe"},
    {"sma(close, close@1d)", 12, "the same for all bars"},
    {"and", 1, "found 'and'"},
    {"close > or", 9, "found 'or'"},
    {"close > 1 not open", 11, "found 'not'"},
    {"clos\xc3\xa9 > 1", 5, "found '\xc3\xa9'"},
    {"close\x01", 6, "found '"},
};

Test(expr, bad_text_is_refused_at_its_column)
{
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct expr *expr = NULL;
        struct err err = {0};
        char prefix[32];
        snprintf(prefix, sizeof(prefix), "column %u: ", bad[i].column);
        cr_expect_neq(expr_parse(bad[i].text, &expr, &err), 0, "%s", bad[i].text);
        cr_expect_null(expr, "%s", bad[i].text);
        cr_expect_eq(err.kind, ERR_CONFIG);
        cr_expect_eq(strncmp(err.text, prefix, strlen(prefix)), 0, "%s: wanted %s found %s",
                     bad[i].text, prefix, err.text);
        cr_expect_not_null(strstr(err.text, bad[i].says), "%s: wanted %s in: %s", bad[i].text,
                           bad[i].says, err.text);
        expr_destroy(expr);
    }
}

static const struct {
    const char *text;
    double value;
} scalars[] = {
    {"1", 1},
    {".5", 0.5},
    {"1e-3", 1e-3},
    {"1E+3", 1e3},
    {"2.5e2", 250},
    {"1 + 2 * 3", 7},
    {"(1 + 2) * 3", 9},
    {"8 / 4 / 2", 1},
    {"8 - 4 - 2", 2},
    {"-2 * -3", 6},
    {"--2", 2},
    {"- 2 - 1", -3},
    {"fast < slow", 1},
    {"fast*2 >= slow", 1},
    {"fast == 10 and slow != 10", 1},
    {"not fast > slow", 1},
    {"not fast < slow or slow == 20", 1},
    {"1 < 0 and 1 < 0 or 1 > 0", 1},
    {"1 > 0 or 1 > 0 and 1 < 0", 1},
    {"not not 1 > 0", 1},
    {"gap == gap", 0},
    {"1 / 0 > 1", 0},
    {"not fast / 0 > 1", 1},
    {"fast * 1e308 > 1", 0},
    {"0 - 1 / (fast - 10) < 1", 0},
    {"gap != gap", 0},
    {"gap != 1", 0},
    {"not gap > 1", 1},
    {"gap < 1 or fast > 1", 1},
    {"volume > 3", 1},
    {"  fast\t+\n1 ", 11},
};

static const char *const env_names[] = {"fast", "slow", "gap", "volume"};

Test(expr, scalars_follow_precedence_and_the_rule_of_nan)
{
    const double values[] = {10, 20, NAN, 4};
    struct expr_env env = {4, env_names, values};
    for (size_t i = 0; i < sizeof(scalars) / sizeof(scalars[0]); i++) {
        struct expr *expr = NULL;
        struct err err = {0};
        double value = -1;
        cr_assert_eq(expr_parse(scalars[i].text, &expr, &err), 0, "%s: %s", scalars[i].text,
                     err.text);
        cr_expect_eq(expr_eval_scalar(expr, &env, &value, &err), 0, "%s: %s", scalars[i].text,
                     err.text);
        cr_expect_eq(value, scalars[i].value, "%s is %g", scalars[i].text, value);
        expr_destroy(expr);
    }
}

Test(expr, arithmetic_with_nan_is_nan)
{
    const double values[] = {10, 20, NAN, 4};
    struct expr_env env = {4, env_names, values};
    struct expr *expr = NULL;
    struct err err = {0};
    double value = 0;
    cr_assert_eq(expr_parse("fast + gap * 0", &expr, &err), 0);
    cr_assert_eq(expr_eval_scalar(expr, &env, &value, &err), 0);
    cr_expect(isnan(value));
    expr_destroy(expr);
}

static const struct {
    const char *text;
    const char *says;
} not_scalar[] = {
    {"fest > 1", "did you mean 'fast'"},
    {"1 < zzzzzz", "column 5"},
    {"close > 1", "'close'"},
    {"sma(fast, 3) > 1", "sma needs bars"},
    {"crosses_above(fast, slow)", "a crossing needs bars"},
    {"shift(fast, 1) > 2", "shift needs bars"},
    {"fast@1d > 2", "needs bars"},
    {"SPX:fast > 2", "needs bars"},
};

Test(expr, scalars_refuse_series_and_unknown_names)
{
    const double values[] = {10, 20, NAN, 4};
    struct expr_env env = {4, env_names, values};
    for (size_t i = 0; i < sizeof(not_scalar) / sizeof(not_scalar[0]); i++) {
        struct expr *expr = NULL;
        struct err err = {0};
        double value = 123;
        cr_assert_eq(expr_parse(not_scalar[i].text, &expr, &err), 0, "%s", err.text);
        cr_expect_lt(expr_eval_scalar(expr, &env, &value, &err), 0, "%s", not_scalar[i].text);
        cr_expect_not_null(strstr(err.text, not_scalar[i].says), "%s", err.text);
        cr_expect_eq(value, 123, "a failed call leaves its output alone");
        expr_destroy(expr);
    }
}

Test(expr, free_names_are_listed_once_in_order_of_use)
{
    struct expr *expr = NULL;
    struct err err = {0};
    const char *const *names = NULL;
    cr_assert_eq(expr_parse("sma(close, slow) > sma(ai, fast) and slow > 2", &expr, &err), 0);
    cr_assert_eq(expr_names(expr, &names), 3);
    cr_expect_str_eq(names[0], "slow");
    cr_expect_str_eq(names[1], "ai");
    cr_expect_str_eq(names[2], "fast");
    cr_expect(expr_is_condition(expr));
    expr_destroy(expr);
}

static char *repeat(const char *unit, unsigned n, const char *tail)
{
    char *text = calloc(n * strlen(unit) + strlen(tail) + 1, 1);
    for (unsigned i = 0; i < n; i++)
        strcat(text, unit);
    return strcat(text, tail);
}

static int parses(const char *text, struct err *err)
{
    struct expr *expr = NULL;
    int r = expr_parse(text, &expr, err);
    expr_destroy(expr);
    return r;
}

Test(expr, depth_length_and_names_are_bounded)
{
    static const char *const nests[] = {"(", "-", "sma(", "shift(", "-("};
    struct err err = {0};
    for (size_t i = 0; i < sizeof(nests) / sizeof(nests[0]); i++) {
        char *text = repeat(nests[i], 500, "close");
        cr_expect_lt(parses(text, &err), 0);
        cr_expect_not_null(strstr(err.text, "deeper than 64"), "%s", err.text);
        free(text);
    }
    char *nots = repeat("not ", 500, "close > 1");
    cr_expect_lt(parses(nots, &err), 0);
    cr_expect_not_null(strstr(err.text, "deeper than 64"), "%s", err.text);
    free(nots);
    char *longest = repeat("1+", (SPEC_RULE_BYTES - 2) / 2, "1");
    cr_expect_eq(parses(longest, &err), 0, "%s", err.text);
    free(longest);
    char *too_long = repeat("1+", SPEC_RULE_BYTES / 2, "1");
    cr_expect_lt(parses(too_long, &err), 0);
    cr_expect_not_null(strstr(err.text, "longer than"), "%s", err.text);
    free(too_long);
}

Test(expr, more_names_than_fit_are_refused)
{
    char text[1024] = "1";
    struct err err = {0};
    for (int i = 0; i <= EXPR_NAMES_MAX; i++) {
        cr_expect_eq(parses(text, &err), 0, "%s", err.text);
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "+n%d", i);
    }
    cr_expect_lt(parses(text, &err), 0);
    cr_expect_not_null(strstr(err.text, "more than 64 names"), "%s", err.text);
}

/* Every cut and every single changed byte of good rules is parsed or refused, never worse. */
Test(expr, damaged_text_is_parsed_or_refused)
{
    static const char good[] =
        "crosses_above(SPX:sma(close, fast)@1d, ema(hlc3@15m, 2*slow)) and not "
        "bbands(close,20,2,2).lower "
        ">= -shift(close, 3) + 1.5e-3 / (open - .5) or macd(close,12,26,9).hist != 0";
    static const char odd[] = "()+-*/<>=!.,:@ e09az_^`\x01\xff\n\"";
    struct err err = {0};
    char text[sizeof(good)];
    for (size_t cut = 0; cut < sizeof(good); cut++) {
        memcpy(text, good, sizeof(good));
        text[cut] = '\0';
        (void)parses(text, &err);
        for (size_t i = 0; i + 1 < sizeof(odd) && cut + 1 < sizeof(good); i++) {
            memcpy(text, good, sizeof(good));
            text[cut] = odd[i];
            (void)parses(text, &err);
        }
    }
    cr_assert_eq(parses(good, &err), 0, "%s", err.text);
}
