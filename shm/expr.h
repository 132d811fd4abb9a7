/* SPDX-License-Identifier: MIT */
/* The expression language of rules: parsed once, bound to parameter values many times.
 *
 *   expr   := or
 *   or     := and ("or" and)*            and := not ("and" not)*        not := "not" not | cmp
 *   cmp    := sum (("<"|"<="|">"|">="|"=="|"!=") sum)?
 *   sum    := term (("+"|"-") term)*     term := unary (("*"|"/") unary)*
 *   unary  := "-" unary | [symbol ":"] atom ["@" timeframe]
 *   atom   := number | name | name "(" args ")" ["." output] | "(" expr ")"
 *
 * A symbol is written as it was imported, `SPX:close`, `BRK.B:close`; one that has other signs than
 * letters digits _ . ^ stands in quotes, `"BRK-B":close` (or backquotes). A timeframe is as in
 * timeframe.h. Either says whose bars all that is inside looks at, save what says so itself:
 * `SPX:sma(close,20)`, `atr(14)@1h`, `SPX:(high - low)@1d`. A parameter of an indicator that has
 * words for values takes these: `vwap(day)`.
 *
 * A name is a bar column (open high low close volume hl2 hlc3 ohlc4), an imported column, or a
 * parameter; which of the two latter is known when it is bound. Depth and length are limited
 * (EXPR_DEPTH_MAX, SPEC_RULE_BYTES), so hostile text costs nothing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

#define EXPR_DEPTH_MAX 64
#define EXPR_NAMES_MAX 64 /* distinct free names of one expression */

struct expr; /* one heap block: immutable, freed by expr_destroy */

/* err names the column (1-based), what was found, what was expected, and a suggestion for names of
 * functions. Unknown functions, wrong argument counts, missing and unknown outputs, and constants
 * that a function does not take are refused here; parameters out of its range when they are bound.
 */
int expr_parse(const char *text, struct expr **ret_expr, struct err *err) ADMF_MUST_CHECK;
void expr_destroy(struct expr *expr); /* accepts NULL */

/* Free names (neither a bar column nor a function), in order of first use: parameters, imported
 * columns. */
size_t expr_names(const struct expr *expr, const char *const **ret_names);
/* Symbols that stand before a colon, each once. */
size_t expr_symbols(const struct expr *expr, const char *const **ret_symbols);
/* A free name, and the symbol whose column it is where it is no parameter. */
struct expr_use {
    const char *symbol; /* NULL: the one that is traded */
    const char *name;
};
/* Free names by symbol, each pair once; at most `most` are written. Returns how many there are. */
size_t expr_uses(const struct expr *expr, struct expr_use *ret_uses, size_t most);
/* Names that are bar columns, whatever the data. */
size_t expr_columns(const char *const **ret_names);
/* Whether it yields a condition (comparison, and/or/not, crossing) rather than a number. */
bool expr_is_condition(const struct expr *expr);

/* Values of names. */
struct expr_env {
    size_t n;
    const char *const *names;
    const double *values;
};
/* Whether it has that name; a NULL env has none. */
bool expr_env_find(const struct expr_env *env, const char *name, double *ret_value);

/* Without series: numbers and parameters alone (`where`, `show --where`). Conditions give 1 or 0; a
 * comparison with NaN is 0, arithmetic with NaN is NaN, and so is any that gives no finite number,
 * such as x / 0. Fails on a name that env lacks, with a
 * suggestion, and on any function of series. */
int expr_eval_scalar(const struct expr *expr, const struct expr_env *env, double *ret_value,
                     struct err *err) ADMF_MUST_CHECK;
