/* SPDX-License-Identifier: MIT */
/* The inside of a parsed expression, for expr*.c and graph*.c alone.
 *
 * Nodes stand in an array, arguments before what uses them, the root last. Argument lists are runs
 * of one pool of node numbers. Everything lies in one heap block behind struct expr. */
#pragma once

#include <float.h>
#include <math.h>

#include "shm/expr.h"
#include "shm/indicator/indicator.h"
#include "shm/timeframe.h"

#define EXPR_QUALIFIERS_MAX 64          /* distinct symbols, and timeframes, of one expression */
#define EXPR_LAG_MAX        1000000000u /* rows that shifts may look back in all */

enum expr_kind {
    EXPR_NUMBER,
    EXPR_BAR,  /* a bar column, index in expr_bar_names */
    EXPR_NAME, /* a free name, index in expr.names */
    EXPR_NEG,
    EXPR_ADD,
    EXPR_SUB,
    EXPR_MUL,
    EXPR_DIV,
    EXPR_LT,
    EXPR_LE,
    EXPR_GT,
    EXPR_GE,
    EXPR_EQ,
    EXPR_NE,
    EXPR_AND,
    EXPR_OR,
    EXPR_NOT,
    EXPR_SHIFT, /* x, n */
    EXPR_CROSS_ABOVE,
    EXPR_CROSS_BELOW,
    EXPR_CALL, /* an indicator: its series, then its parameters */
};

struct expr_node {
    uint8_t kind;   /* enum expr_kind */
    uint8_t output; /* of a call */
    uint8_t args_n;
    bool is_condition;
    uint16_t column; /* 1-based, of the text */
    uint16_t args;   /* first in the pool */
    uint8_t symbol;  /* of the bars it sees: index + 1 in expr.symbols; 0: that of what is around */
    uint8_t timeframe; /* likewise, in expr.timeframes */
    union {
        double number;
        uint32_t name_idx;
        uint32_t bar_idx;
        const struct indicator *indicator;
    };
};

struct expr {
    uint32_t nodes_n;
    uint32_t names_n;
    uint32_t symbols_n;
    uint32_t timeframes_n;
    const struct expr_node *nodes;
    const uint16_t *args;
    const char *const *names;
    const char *const *symbols;
    const struct timeframe *timeframes;
};

/* Bar columns; from EXPR_BARS_STORED on they are made of the others. */
enum expr_bar {
    EXPR_BAR_OPEN,
    EXPR_BAR_HIGH,
    EXPR_BAR_LOW,
    EXPR_BAR_CLOSE,
    EXPR_BAR_VOLUME,
    EXPR_BARS_STORED,
    EXPR_BAR_HL2 = EXPR_BARS_STORED,
    EXPR_BAR_HLC3,
    EXPR_BAR_OHLC4,
    EXPR_BARS_N
};
extern const char *const expr_bar_names[EXPR_BARS_N];

/* "sma(x, n)": how a function is called. Returns out. */
const char *expr_signature(const struct indicator *indicator, char *out, size_t out_bytes);

/* The n of shift(x, n). */
extern const struct indicator_param expr_shift_param;

/* An argument of a call, as its errors name it. */
struct expr_argument {
    const struct indicator *indicator; /* NULL: shift */
    uint32_t idx;                      /* from 0 */
    uint32_t column;
    double value;
};

/* Whether a value may stand for a parameter. */
bool expr_param_takes(const struct indicator_param *param, double value);
/* "n of sma(x, n)". Returns out. */
const char *expr_param_name(const struct indicator_param *param, const struct indicator *indicator,
                            char *out, size_t out_bytes);
/* The error of a value that a parameter does not take, or of a constant where a series must be. */
int expr_refuse_param(const struct indicator_param *param, const struct expr_argument *argument,
                      struct err *err);
int expr_refuse_constant(const struct expr_argument *argument, struct err *err);

static inline const struct expr_node *expr_arg(const struct expr *expr,
                                               const struct expr_node *node, uint32_t i)
{
    return &expr->nodes[expr->args[node->args + i]];
}

/* What arithmetic gives is a finite number or undefined, which is NaN: so x / 0 is, and so is what
 * overflows. */
static inline double expr_defined(double value)
{
    return __builtin_fabs(value) <= DBL_MAX ? value : NAN;
}

/* What one arithmetic operation or comparison gives; comparisons with NaN are false. */
static inline double expr_arithmetic(enum expr_kind kind, double a, double b)
{
    switch (kind) {
    case EXPR_ADD:
        return expr_defined(a + b);
    case EXPR_SUB:
        return expr_defined(a - b);
    case EXPR_MUL:
        return expr_defined(a * b);
    default:
        return expr_defined(a / b);
    }
}

static inline bool expr_compare(enum expr_kind kind, double a, double b)
{
    switch (kind) {
    case EXPR_LT:
        return a < b;
    case EXPR_LE:
        return a <= b;
    case EXPR_GT:
        return a > b;
    case EXPR_GE:
        return a >= b;
    case EXPR_EQ:
        return a == b;
    default:
        return a < b || a > b;
    }
}
