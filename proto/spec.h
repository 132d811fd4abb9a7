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
#define SPEC_PATH_BYTES     4096 /* a file with its NUL */
#define SPEC_LIBRARIES_MAX  32   /* plugins of one run */
#define SPEC_PARAMS_MAX     32   /* parameters of one strategy */
#define SPEC_STRATEGIES_MAX 64
#define SPEC_SYMBOLS_MAX    256
#define SPEC_BATCH_MAX      512 /* combinations of one batch: bounds what a message takes */

/* All enums of this file are sent and stored: never renumbered. */
enum fill_timing { FILL_NEXT_OPEN = 0, FILL_THIS_CLOSE = 1 };
/* When an account learns of a fill at this close: with that bar, or (as backtesting.py does) when
 * the next bar comes, before anything else of it. */
enum close_booked { CLOSE_BOOKED_THIS_BAR = 0, CLOSE_BOOKED_NEXT_BAR = 1 };
/* Where a market order fills in the bar that it meets, under FILL_NEXT_OPEN. */
enum market_on { MARKET_ON_OPEN = 0, MARKET_ON_CLOSE = 1 };
/* Stop and target in one bar. STOP_FIRST (as backtesting.py, vectorbt and backtrader): the stop,
 * even where the open has passed the target. */
enum same_bar {
    SAME_BAR_PESSIMISTIC = 0,
    SAME_BAR_OPTIMISTIC = 1,
    SAME_BAR_NEAREST_OPEN = 2,
    SAME_BAR_STOP_FIRST = 3,
};
enum at_end { AT_END_MARK = 0, AT_END_CLOSE_AT_CLOSE = 1, AT_END_CLOSE_AT_OPEN = 2 };
/* ONE (as vectorbt): one order a bar and symbol, so that a stop or target that the bar touches goes
 * before the orders that wait for it, and drops them. */
enum orders_per_bar { ORDERS_PER_BAR_ANY = 0, ORDERS_PER_BAR_ONE = 1 };
enum spread_paid { SPREAD_HALF_EACH = 0, SPREAD_ON_ENTRY = 1 };
/* What an order does whose bar has too little volume for it: the rest waits, or is cancelled. */
enum volume_rest { VOLUME_REST_WAIT = 0, VOLUME_REST_CANCEL = 1 };
/* A reversal pays the fixed part of its commission for each of its two fills, or once (as
 * vectorbt), shared by size. */
enum reversal_fee { REVERSAL_FEE_EACH_FILL = 0, REVERSAL_FEE_ONCE = 1 };
enum opposite_signal { OPPOSITE_REVERSE = 0, OPPOSITE_CLOSE = 1, OPPOSITE_IGNORE = 2 };
/* An entry signal while already on that side: nothing, or close and enter anew. */
enum same_signal { SAME_SIGNAL_IGNORE = 0, SAME_SIGNAL_REENTER = 1 };
/* Signals of one bar that contradict each other (both entries; an entry and the exit of its side):
 * an entry goes first, or (as vectorbt) none is heard. */
enum conflicting_signals { CONFLICT_ENTER = 0, CONFLICT_IGNORE = 1 };
enum direction { DIRECTION_BOTH = 0, DIRECTION_LONG = 1, DIRECTION_SHORT = 2 };
enum sizing_kind {
    SIZING_PERCENT_OF_EQUITY = 0,
    SIZING_PERCENT_OF_CASH = 1, /* of buying power */
    SIZING_UNITS = 2,
    SIZING_CASH = 3,              /* money */
    SIZING_RISK_FRAC = 4,         /* of equity, lost if the stop fills at its price */
    SIZING_TARGET_VOLATILITY = 5, /* a year, as a fraction, of equity */
    SIZING_TARGET_PERCENT = 6,    /* of equity; an entry while on that side adjusts to it */
};
/* An entry that buying power does not cover: dropped, or cut to what it covers. Percentages and
 * cash are always cut. */
enum unaffordable { UNAFFORDABLE_DROP = 0, UNAFFORDABLE_REDUCE = 1 };
/* What sizing sets aside for commission: what the order will pay; or (as backtesting.py) the
 * commission of an order of one unit, fixed part included, for each unit. */
enum commission_reserve { RESERVE_WHOLE_ORDER = 0, RESERVE_EACH_UNIT = 1 };
/* Whether shorts of a fixed size are bound by buying power, as longs are. */
enum short_margin { SHORT_MARGIN_EQUITY = 0, SHORT_MARGIN_NONE = 1 };
/* SIGNAL_CLOSE_TOO (as backtrader): an order is also dropped when the cash of the signal's close
 * would not pay for it at that close. */
enum cash_check { CASH_CHECK_AT_FILL = 0, CASH_CHECK_SIGNAL_CLOSE_TOO = 1 };
/* An account without equity ends, or (as vectorbt and backtrader) runs on with debts. */
enum bankruptcy { BANKRUPTCY_END = 0, BANKRUPTCY_RUN_ON = 1 };
enum exit_base { EXIT_BASE_FILL_PRICE = 0, EXIT_BASE_SIGNAL_CLOSE = 1, EXIT_BASE_ENTRY_CLOSE = 2 };
enum live_from { LIVE_FROM_FILL_BAR = 0, LIVE_FROM_NEXT_BAR = 1 };
/* The first step at which a strategy may act. FIRST_BAR: every bar of the range. AFTER_WARM_UP: one
 * bar after all of its series are defined, as backtesting.py does. */
enum first_signal { FIRST_SIGNAL_FIRST_BAR = 0, FIRST_SIGNAL_AFTER_WARM_UP = 1 };

/* Of one fill: min(max(value * percent + units * per_share + fixed, minimum), maximum). */
struct commission_cfg {
    double percent_frac; /* of value */
    double fixed;        /* money */
    double per_share;    /* money a unit */
    double minimum;      /* money */
    double maximum;      /* money; 0: none */
};

/* Market and stop orders; limits and targets do not slip. */
struct slippage_cfg {
    double percent_frac; /* of price, against you */
    double ticks;        /* number of ticks against you, each of tick */
    double tick;         /* price units; > 0 where ticks are given */
    double volume_share; /* most of a bar's volume that is traded; 0: no limit */
    double impact;       /* price moves against you by impact * (units / bar's volume)^2 */
};

/* One execution container's configuration: equal bytes are one shared container. */
struct execution_cfg {
    uint8_t fill;           /* enum fill_timing */
    uint8_t close_booked;   /* enum close_booked */
    uint8_t market_on;      /* enum market_on */
    uint8_t time_in_force;  /* enum time_in_force, of limit and stop entries that say none */
    uint8_t same_bar;       /* enum same_bar */
    uint8_t at_end;         /* enum at_end */
    uint8_t orders_per_bar; /* enum orders_per_bar */
    uint8_t slips_in_bar;   /* 1: slippage goes no further than the bar's range */
    uint8_t stops_exact;    /* 1: stops fill at their price, without slippage */
    uint8_t spread_paid;    /* enum spread_paid */
    uint8_t volume_rest;    /* enum volume_rest */
    uint8_t reversal_fee;   /* enum reversal_fee */
    uint32_t delay;         /* bars of the symbol between a signal and its hearing */
    struct commission_cfg commission;
    struct slippage_cfg slippage;
    double spread_frac;          /* of price, between bid and ask */
    double borrow_fee_frac;      /* a year, of the value of shorts */
    double margin_interest_frac; /* a year, of borrowed cash */
};

/* One risk container's configuration: equal bytes are one shared container. Limits: 0 is none. */
struct risk_cfg {
    uint8_t opposite_signal;     /* enum opposite_signal */
    uint8_t same_signal;         /* enum same_signal */
    uint8_t conflicting_signals; /* enum conflicting_signals */
    uint32_t cooldown_bars;      /* bars of the symbol after a position ends, without entries */
    double commission_frac;      /* set aside in sizing; NaN: what execution charges */
    double max_position_size;    /* units */
    double max_exposure;         /* value of one symbol's position / equity */
    double max_leverage;         /* value of all positions / equity */
    double max_drawdown;         /* fraction below the highest equity: out, for good */
    double max_daily_loss;       /* fraction below the last day's equity: out, until the next day */
};

/* Distances: 0 is none. */
struct exits_cfg {
    uint8_t base;           /* enum exit_base */
    uint8_t live_from;      /* enum live_from */
    uint32_t max_bars;      /* bars of the symbol in a position; 0: no limit */
    double stop_loss;       /* fraction of the base */
    double take_profit;     /* fraction of the base */
    double trailing_stop;   /* fraction of the best price since the entry */
    double trailing_amount; /* the same as a distance in price units */
};

struct portfolio_cfg {
    uint8_t direction;          /* enum direction */
    uint8_t sizing;             /* enum sizing_kind */
    uint8_t unaffordable;       /* enum unaffordable */
    uint8_t commission_reserve; /* enum commission_reserve */
    uint8_t short_margin;       /* enum short_margin */
    uint8_t cash_check;         /* enum cash_check */
    uint8_t bankruptcy;         /* enum bankruptcy */
    uint32_t sizing_lookback;   /* days that target_volatility looks back */
    double sizing_value;
    double initial_capital;
    double leverage;
    double lot;                /* 1 whole units, 0 fractional, else a step */
    double min_notional;       /* entries of less value are dropped; 0: none */
    double maintenance_margin; /* of the value of positions; equity below it is a margin call */
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
    char long_limit[SPEC_RULE_BYTES]; /* prices of entries; "": at the market */
    char long_stop[SPEC_RULE_BYTES];
    char short_limit[SPEC_RULE_BYTES];
    char short_stop[SPEC_RULE_BYTES];
};

/* Histories altered at random: each bar's prices are multiplied by 1 + sigma z, z normal. */
struct noise_cfg {
    double sigma;  /* fraction of price, at most NOISE_SIGMA_MAX */
    uint32_t seed; /* of the stream of z */
};
#define NOISE_SIGMA_MAX 0.1 /* so that no price comes near 0 */

/* A plugin's file. */
struct library_spec {
    char path[SPEC_PATH_BYTES]; /* absolute */
};

/* What holds for the whole run. */
struct run_spec {
    uint8_t profile;         /* enum metric_profile */
    double periods_per_year; /* NaN: backtesting.py's guess from the bars */
    double risk_free;        /* a year */
    uint64_t seed;
    struct noise_cfg noise;
    char container_prefix[16]; /* "opt", "test", "live" */
    char container_suffix[32]; /* "20260101_120000" */
    uint32_t strategies_n;
    struct strategy_spec *strategies; /* owned, calloc'ed; run_spec_fini frees it */
    uint32_t libraries_n;
    struct library_spec *libraries; /* likewise */
};

/* One combination, every value resolved. */
struct combo {
    uint64_t combination;   /* its number in the grid */
    uint64_t container_seq; /* the number in its container's id, unique in the store */
    uint32_t strategy_idx;
    uint32_t symbol_idx; /* COMBO_ALL_SYMBOLS, or the one symbol it trades */
    uint32_t noise_path; /* which altered history it runs on, from 1; 0: the bars as they are */
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
