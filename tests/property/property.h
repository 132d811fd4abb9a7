/* SPDX-License-Identifier: MIT */
/* What the files of the property tests share: a random subject (bars, strategy, configuration), the
 * record of one run of it, and the properties that every record must have. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/spec.h"
#include "proto/trade.h"
#include "worker/broker/order_book.h"

#define SYMBOLS_MAX 3
#define ROWS_MAX    256
#define STEPS_MAX   (SYMBOLS_MAX * ROWS_MAX)
#define RULES_N     8 /* texts of a strategy_spec */

/* ---- chance (chance.c) ---------------------------------------------------------------------- */

struct chance {
    uint64_t state;
};

uint64_t chance_next(struct chance *c);
double chance_uniform(struct chance *c); /* [0, 1) */
bool chance_is(struct chance *c, double probability);
unsigned chance_below(struct chance *c, unsigned n); /* 0 … n - 1 */
double chance_between(struct chance *c, double low, double high);

/* ---- subjects ------------------------------------------------------------------------------- */

/* Bars of one symbol. */
struct tape {
    uint32_t rows_n, first_row;
    int64_t time_ns[ROWS_MAX];
    double open[ROWS_MAX], high[ROWS_MAX], low[ROWS_MAX], close[ROWS_MAX], volume[ROWS_MAX];
    double dividend[ROWS_MAX]; /* money a unit, at the start of the bar; NaN: none */
};

/* One thing to be run: everything that the engine is told. */
struct subject {
    uint64_t seed;
    double level; /* power of ten near its prices */
    uint32_t symbols_n;
    struct tape tape[SYMBOLS_MAX];
    struct strategy_spec spec;
    int8_t param_power[SPEC_PARAMS_MAX]; /* as field.power */
    struct combo combo;
    uint8_t profile; /* enum metric_profile */
    double periods_per_year, risk_free;
};

void subject_make(struct subject *s, uint64_t seed);
void subject_print(const struct subject *s, FILE *to);

void tapes_make(struct subject *s, struct chance *c);    /* tapes.c */
void strategy_make(struct subject *s, struct chance *c); /* strategies.c */
void noise_register(void);                               /* noise.c: the strategy "noise" */
/* Parameters of "noise", in order. */
enum noise_param { NOISE_SALT, NOISE_DENSITY, NOISE_VARIETY, NOISE_QTY, NOISE_PARAMS_N };

/* ---- fields of the configuration (fields.c) ------------------------------------------------- */

enum field_type { FIELD_U8, FIELD_U32, FIELD_F64 };

struct field {
    const char *name;
    size_t offset; /* in struct combo */
    uint8_t type;  /* enum field_type */
    int8_t
        power; /* of 2, when prices double and units halve: +1 a price, -1 units, 0 anything else */
    double neutral;
    unsigned values_n;
    double values[7]; /* what it is varied to */
};

extern const struct field fields[];
extern const unsigned fields_n;

double field_get(const struct combo *combo, const struct field *field);
void field_set(struct combo *combo, const struct field *field, double value);
bool field_is_neutral(const struct combo *combo, const struct field *field);
void fields_reset(struct combo *combo); /* every field neutral */
void fields_vary(struct subject *s, struct chance *c);
/* Whether the table has all that is sent of a configuration. */
bool fields_are_complete(void);

/* ---- a run and its record (desk.c) ---------------------------------------------------------- */

enum event_kind { EVENT_IS_SIGNAL, EVENT_IS_ORDER, EVENT_IS_FILL, EVENT_IS_TRADE };

/* What was said on the bus, in that order. */
struct event {
    uint32_t step; /* at which it was said */
    bool is_end;   /* said after the last bar */
    uint8_t kind;  /* enum event_kind */
    union {
        struct signal signal;
        struct order order;
        struct fill fill;
        struct trade trade;
    };
};

/* The account after everything that a step did. */
struct snapshot {
    double cash, equity, borrow_cost, interest_cost, dividends, debt_forgiven;
    double qty[SYMBOLS_MAX], mark_px[SYMBOLS_MAX];
    bool is_bankrupt;
};

struct record {
    const struct subject *subject;
    uint32_t symbols_n; /* of the market */
    uint32_t symbol_idx[SYMBOLS_MAX];
    uint32_t steps_n, first_step, walked_n; /* walked_n: steps until the end or bankruptcy */
    int64_t time_ns[STEPS_MAX];
    int32_t row[SYMBOLS_MAX][STEPS_MAX];
    struct snapshot snapshot[STEPS_MAX]; /* by step; the last one is after what at_end closed */
    struct event *events;
    uint32_t events_n, events_capacity;
    uint64_t said[SYMBOLS_MAX][4][(ROWS_MAX + 63) / 64]; /* bits of the rules; "rules" alone */
    /* As the tracker has it. */
    struct result result;
    uint32_t bars_n, trades_n;
    double equity[STEPS_MAX], cash[STEPS_MAX], position[STEPS_MAX * SYMBOLS_MAX];
    struct trade *trades;
};

const struct tape *record_tape(const struct record *r, uint32_t s); /* of symbol s of the market */
/* Row of symbol s at a step, or the last one before it; -1: none yet. */
int32_t record_last_row(const struct record *r, uint32_t s, uint32_t step);
void record_print_fills(const struct record *r, FILE *to);
void record_fini(struct record *r);

struct desk;

/* A worker that is to run these subjects, all on the bars of the first. */
struct desk *desk_open(const struct subject *const *subjects, uint32_t n);
void desk_run(struct desk *d, uint32_t i, struct record *ret_record);
void desk_close(struct desk *d);
/* Alone, in a fresh worker. */
void run_alone(const struct subject *s, struct record *ret_record);

/* ---- properties ----------------------------------------------------------------------------- */

/* Why a property does not hold. */
struct why {
    char text[600];
};
bool fails(struct why *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct property {
    const char *name;
    /* Of one record; NULL where the property takes runs of its own. */
    bool (*holds)(const struct record *r, struct why *why);
    bool (*holds_for)(const struct subject *s, const struct record *r, struct why *why);
};

/* ledger.c */
bool equity_is_cash_and_positions(const struct record *r, struct why *why);
bool pnl_is_the_change_in_equity(const struct record *r, struct why *why);
bool fees_are_paid(const struct record *r, struct why *why);
/* prices.c */
bool fills_are_in_their_bars(const struct record *r, struct why *why);
/* timing.c */
bool orders_act_later(const struct record *r, struct why *why);
/* bounds.c */
bool bounds_are_kept(const struct record *r, struct why *why);
/* twins.c */
bool scale_changes_units_alone(const struct subject *s, const struct record *r, struct why *why);
bool future_changes_no_past(const struct subject *s, const struct record *r, struct why *why);
bool bar_changes_no_fill_at_its_open(const struct subject *s, const struct record *r,
                                     struct why *why);
bool same_again_is_the_same(const struct subject *s, const struct record *r, struct why *why);
bool neighbours_change_nothing(const struct subject *s, const struct record *r, struct why *why);

bool property_holds(const struct property *p, const struct subject *s, struct why *why);
/* shrink.c: the smallest subject that was found for which the property does not hold either. */
void shrink(const struct property *p, struct subject *s, struct why *why);
