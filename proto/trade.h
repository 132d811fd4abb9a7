/* SPDX-License-Identifier: MIT */
/* Signals, orders, fills and trades: what strategy, risk, broker and portfolio say to each other.
 * They are plain values; in lockstep runs they cross processes by proto/msg. Bars (`_bar`) are
 * steps of the plane's clock unless said otherwise. */
#pragma once

#include <stdint.h>

enum signal_kind {
    SIGNAL_LONG_ENTRY = 1 << 0,
    SIGNAL_LONG_EXIT = 1 << 1,
    SIGNAL_SHORT_ENTRY = 1 << 2,
    SIGNAL_SHORT_EXIT = 1 << 3,
};

/* Which rule made a fill: the words of the columns entry_rule and exit_rule. Sent between
 * processes.
 */
#define FILL_RULES(X)                                                                              \
    X(0, NONE, "")                                                                                 \
    X(1, MARKET_OPEN, "market_open")                                                               \
    X(2, STOP, "stop")                                                                             \
    X(3, STOP_GAP, "stop_gap")                                                                     \
    X(4, TARGET, "target")                                                                         \
    X(5, LIMIT, "limit")                                                                           \
    X(6, REVERSE, "reverse")                                                                       \
    X(7, END, "end")                                                                               \
    X(8, BANKRUPT, "bankrupt")                                                                     \
    X(9, REENTER, "reenter")                                                                       \
    X(10, MARKET_CLOSE, "market_close")                                                            \
    X(11, TRAIL, "trail")                                                                          \
    X(12, TIME, "time")                                                                            \
    X(13, MARGIN_CALL, "margin_call")                                                              \
    X(14, RISK, "risk")

enum fill_rule {
#define X(value, symbol, name) FILL_RULE_##symbol = value,
    FILL_RULES(X)
#undef X
        FILL_RULE_N
};

const char *fill_rule_name(enum fill_rule rule);

/* How long an order waits that does not fill at once. Sent between processes. */
enum time_in_force {
    TIF_CFG = 0, /* what execution.time_in_force says */
    TIF_GTC = 1, /* until it fills, is replaced, or its side's exit signal comes */
    TIF_DAY = 2, /* until the last bar of the UTC day of the first bar that it meets */
    TIF_IOC = 3, /* the open of the first bar that it meets, or never */
};

/* How an entry is to be made. All zero: a market order, sized and protected as configured. Both
 * limit_px and stop_px: a stop that, once touched, becomes a limit. Prices are absolute. */
struct order_terms {
    uint8_t time_in_force; /* enum time_in_force */
    double limit_px;       /* 0: none */
    double stop_px;        /* 0: none */
    double qty;            /* units; 0: by portfolio.sizing */
    double stop_loss_px;   /* 0: as exits says */
    double take_profit_px; /* 0: as exits says */
};

/* What one strategy wants at the close of one bar of one symbol. */
struct signal {
    uint32_t
        target_portfolio; /* lane of the container that it belongs to; 0 in a container alone */
    uint32_t bar;         /* step at whose close it is heard */
    uint16_t symbol_idx;
    uint16_t kinds;                /* of enum signal_kind, or-ed */
    double ref_px;                 /* close of the bar that made it */
    struct order_terms long_terms; /* of the entries among its kinds */
    struct order_terms short_terms;
};

/* Bits of fill.flags. */
enum fill_flag {
    FILL_VETOED = 1 << 0,          /* qty is 0: a notice that risk let no entry through */
    FILL_RESIZED = 1 << 1,         /* risk cut the size */
    FILL_BOOKED_NEXT_BAR = 1 << 2, /* the account learns of it after its bar was marked */
    FILL_DROPPED = 1 << 3, /* qty is 0: a notice that an entry met its price and filled nothing */
};
#define FILL_NOTICES (FILL_VETOED | FILL_DROPPED)

/* One execution. A change of sides is two fills: one that closes, one that opens. */
struct fill {
    uint32_t target_portfolio;
    uint32_t bar;
    uint16_t symbol_idx;
    uint8_t rule;     /* enum fill_rule */
    uint8_t is_close; /* 1: takes away from a position, at most all; 0: opens one or adds to it */
    uint8_t flags;    /* of enum fill_flag, or-ed */
    double qty;       /* signed units: positive buys */
    double px;        /* after slippage and spread */
    double commission;
    double slippage; /* money lost to slippage and spread, >= 0 */
};

/* What one closing fill made of a position or a part of it, or (exit_bar == TRADE_OPEN) a position
 * that is open at the end. */
#define TRADE_OPEN UINT32_MAX
struct trade {
    uint16_t symbol_idx;
    uint8_t entry_rule;
    uint8_t exit_rule;
    uint32_t entry_bar; /* rows of the symbol's bars within the run's range */
    uint32_t exit_bar;
    double qty;        /* signed units: positive is long */
    double entry_px;   /* average of the entry fills */
    double exit_px;    /* NaN while open */
    double pnl;        /* net of commissions; NaN while open */
    double commission; /* of the exit and of its share of the entry */
    double mae;        /* maximum adverse excursion, a fraction of entry_px <= 0: see
                          worker/monitor/excursion.h; NaN where the tracker has not measured it */
    double mfe;        /* maximum favourable excursion, likewise >= 0 */
};
