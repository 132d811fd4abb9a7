/* SPDX-License-Identifier: MIT */
/* What a worker is told (strategies, combinations) and what it answers (results), as plain structs
 * with their codecs beside them. The supervisor resolves every default and every swept value before
 * anything is sent: a worker never sees YAML, grids or conventions. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/codec.h"
#include "proto/metric.h"
#include "proto/status.h"

#define SPEC_NAME_BYTES     64   /* a name with its NUL: strategy, parameter, symbol, container */
#define SPEC_RULE_BYTES     4096 /* an expression with its NUL */
#define SPEC_PARAMS_MAX     32   /* parameters of one strategy */
#define SPEC_STRATEGIES_MAX 64
#define SPEC_SYMBOLS_MAX    256
#define SPEC_BATCH_MAX      512 /* combinations of one batch: bounds what a message takes */

/* All enums of this file are sent and stored: never renumbered. */
enum fill_timing { FILL_NEXT_OPEN = 0 };
enum same_bar { SAME_BAR_PESSIMISTIC = 0, SAME_BAR_OPTIMISTIC = 1, SAME_BAR_NEAREST_OPEN = 2 };
enum at_end { AT_END_MARK = 0, AT_END_CLOSE_AT_CLOSE = 1, AT_END_CLOSE_AT_OPEN = 2 };
enum opposite_signal { OPPOSITE_REVERSE = 0, OPPOSITE_CLOSE = 1, OPPOSITE_IGNORE = 2 };
/* An entry signal while already on that side: nothing, or close and enter anew. */
enum same_signal { SAME_SIGNAL_IGNORE = 0, SAME_SIGNAL_REENTER = 1 };
enum direction { DIRECTION_BOTH = 0, DIRECTION_LONG = 1, DIRECTION_SHORT = 2 };
enum sizing_kind { SIZING_PERCENT_OF_EQUITY = 0, SIZING_PERCENT_OF_CASH = 1, SIZING_UNITS = 2 };
enum exit_base { EXIT_BASE_FILL_PRICE = 0, EXIT_BASE_SIGNAL_CLOSE = 1 };
enum live_from { LIVE_FROM_FILL_BAR = 0, LIVE_FROM_NEXT_BAR = 1 };
/* The first step at which a strategy may act. FIRST_BAR: every bar of the range. AFTER_WARM_UP: one
 * bar after all of its series are defined, as backtesting.py does. */
enum first_signal { FIRST_SIGNAL_FIRST_BAR = 0, FIRST_SIGNAL_AFTER_WARM_UP = 1 };

/* One execution container's configuration: equal bytes are one shared container. */
struct execution_cfg {
    uint8_t fill;           /* enum fill_timing */
    uint8_t same_bar;       /* enum same_bar */
    uint8_t at_end;         /* enum at_end */
    double commission_frac; /* of value, each fill */
    double slippage_frac;   /* of price, against you */
};

/* One risk container's configuration: equal bytes are one shared container. */
struct risk_cfg {
    uint8_t opposite_signal;  /* enum opposite_signal */
    uint8_t same_signal;      /* enum same_signal */
    double max_position_size; /* units; +inf: no limit */
    double commission_frac;   /* set aside in sizing; NaN: what execution charges */
};

struct exits_cfg {
    uint8_t base;       /* enum exit_base */
    uint8_t live_from;  /* enum live_from */
    double stop_loss;   /* fraction; NaN: none */
    double take_profit; /* fraction; NaN: none */
};

struct portfolio_cfg {
    uint8_t direction; /* enum direction */
    uint8_t sizing;    /* enum sizing_kind */
    double sizing_value;
    double initial_capital;
    double leverage;
    double lot; /* 1 whole units, 0 fractional, else a step */
};

/* What a strategy is, for every combination of it. */
struct strategy_spec {
    char type[SPEC_NAME_BYTES]; /* a component of the catalogue, or "rules" */
    char name[SPEC_NAME_BYTES];
    uint8_t first_signal; /* enum first_signal */
    uint32_t params_n;
    char param_names[SPEC_PARAMS_MAX]
                    [SPEC_NAME_BYTES]; /* canonical names, catalogue's order first */
    char long_entry[SPEC_RULE_BYTES];  /* of "rules" alone; "" where there is none */
    char long_exit[SPEC_RULE_BYTES];
    char short_entry[SPEC_RULE_BYTES];
    char short_exit[SPEC_RULE_BYTES];
};

/* What holds for the whole run. */
struct run_spec {
    uint8_t profile;         /* enum metric_profile */
    double periods_per_year; /* NaN: backtesting.py's guess from the bars */
    double risk_free;        /* a year */
    uint64_t seed;
    char container_prefix[16]; /* "opt", "test", "live" */
    char container_suffix[32]; /* "20260101_120000" */
    uint32_t strategies_n;
    struct strategy_spec *strategies; /* owned, calloc'ed; run_spec_fini frees it */
};

/* One combination, every value resolved. */
struct combo {
    uint64_t combination;   /* its number in the grid */
    uint64_t container_seq; /* the number in its container's id, unique in the store */
    uint32_t strategy_idx;
    uint32_t symbol_idx; /* COMBO_ALL_SYMBOLS, or the one symbol it trades */
    struct execution_cfg execution;
    struct risk_cfg risk;
    struct exits_cfg exits;
    struct portfolio_cfg portfolio;
    uint32_t params_n;
    double params[SPEC_PARAMS_MAX]; /* in the order of strategy_spec.param_names */
};
#define COMBO_ALL_SYMBOLS UINT32_MAX

/* What came of it. */
struct result {
    uint64_t combination;
    uint8_t status;           /* enum status */
    double metrics[METRIC_N]; /* NaN: undefined */
    char message[256];        /* why, where status is not ok; else "" */
};

/* The decoders below read their part and leave what follows to the caller, who tests rd_done(). */
void run_spec_encode(struct buf *b, const struct run_spec *spec);
/* 0, -EBADMSG, or -ENOMEM; *ret_spec is to be freed by run_spec_fini only after 0. */
int run_spec_decode(struct reader *r, struct run_spec *ret_spec) ADMF_MUST_CHECK;
void run_spec_fini(struct run_spec *spec);

void combo_encode(struct buf *b, const struct combo *combo);
int combo_decode(struct reader *r, struct combo *ret_combo) ADMF_MUST_CHECK; /* 0 or -EBADMSG */

/* Encoded alone, so that equal configurations are equal bytes (for the sharing hash). */
void execution_cfg_encode(struct buf *b, const struct execution_cfg *cfg);
void risk_cfg_encode(struct buf *b, const struct risk_cfg *cfg);

void result_encode(struct buf *b, const struct result *result);
int result_decode(struct reader *r, struct result *ret_result) ADMF_MUST_CHECK; /* 0 or -EBADMSG */

#define SPEC_SYMBOL_RULE                                                                           \
    "1 to 63 of A-Z a-z 0-9 . _ ^ = / - of which the first is a letter, a digit or ^"
bool spec_symbol_is_good(const char *name);
