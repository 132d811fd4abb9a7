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

/* Which rule made a fill: the words of the columns entry_rule and exit_rule. Sent and stored. */
#define FILL_RULES(X)                                                                              \
    X(0, NONE, "")                                                                                 \
    X(1, MARKET_OPEN, "market_open")                                                               \
    X(2, STOP, "stop")                                                                             \
    X(3, STOP_GAP, "stop_gap")                                                                     \
    X(4, TARGET, "target")                                                                         \
    X(5, TARGET_GAP, "target_gap")                                                                 \
    X(6, REVERSE, "reverse")                                                                       \
    X(7, END, "end")                                                                               \
    X(8, BANKRUPT, "bankrupt")                                                                     \
    X(9, REENTER, "reenter")

enum fill_rule {
#define X(value, symbol, name) FILL_RULE_##symbol = value,
    FILL_RULES(X)
#undef X
        FILL_RULE_N
};

const char *fill_rule_name(enum fill_rule rule);

/* What one strategy wants at the close of one bar of one symbol. */
struct signal {
    uint32_t
        target_portfolio; /* lane of the container that it belongs to; 0 in a container alone */
    uint32_t bar;         /* step at whose close it was made */
    uint16_t symbol_idx;
    uint16_t kinds; /* of enum signal_kind, or-ed */
    double ref_px;  /* close of that bar */
};

/* One execution. A change of sides is two fills: one that closes, one that opens. */
struct fill {
    uint32_t target_portfolio;
    uint32_t bar;
    uint16_t symbol_idx;
    uint8_t rule;     /* enum fill_rule */
    uint8_t is_close; /* 1: closes the whole position; 0: opens one */
    double qty;       /* signed units: positive buys */
    double px;        /* after slippage */
    double commission;
    double slippage;  /* money lost to slippage, >= 0 */
    double stop_px;   /* of the position that it opens; 0: none */
    double target_px; /* likewise */
};

/* One round trip, or (exit_bar == TRADE_OPEN) a position that is open at the end. */
#define TRADE_OPEN UINT32_MAX
struct trade {
    uint16_t symbol_idx;
    uint8_t entry_rule;
    uint8_t exit_rule;
    uint32_t entry_bar; /* rows of the symbol's bars within the run's range */
    uint32_t exit_bar;
    double qty; /* signed units: positive is long */
    double entry_px;
    double exit_px;    /* NaN while open */
    double pnl;        /* net of commissions; NaN while open */
    double commission; /* of entry and exit */
};
