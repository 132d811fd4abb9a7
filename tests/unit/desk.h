/* SPDX-License-Identifier: MIT */
/* For tests: random bars of up to two symbols, a session over them, and what comes of a combination
 * in a full container. */
#pragma once

#include <math.h>

#include <criterion/criterion.h>

#include "worker/driver_reference.h"
#include "worker/monitor/tracker.h"
#include "worker/registry.h"
#include "worker/session.h"

#define BARS_MAX    1500
#define SYMBOLS_MAX 2
#define TRADES_MAX  4096
#define DAY_NS      INT64_C(86400000000000)
#define EVERY_N     9 /* strategies of the catalogue */

struct column_set {
    int64_t time_ns[BARS_MAX];
    double open[BARS_MAX], high[BARS_MAX], low[BARS_MAX], close[BARS_MAX], volume[BARS_MAX];
    double dividend[BARS_MAX]; /* a series where has_dividends */
    uint32_t rows_n, first_row;
    bool has_dividends;
};

uint64_t random_next(uint64_t *state);
double random_uniform(uint64_t *state);
/* Daily bars of a random walk; one day in `gap_every` is missing (0: none). */
void desk_walk(struct column_set *c, uint32_t rows_n, uint64_t seed, unsigned gap_every);

struct desk {
    const struct column_set *columns[SYMBOLS_MAX];
    uint32_t symbols_n;
    struct strategy_spec *specs; /* taken over by the session */
    uint32_t specs_n;
    const struct combo *combos;
    uint32_t combos_n;
    struct slot slot;
    struct session session;
    struct arena arena;
};

/* Makes the plane with every series that the combinations name, and the session over it. */
void desk_open(struct desk *d);
void desk_close(struct desk *d);

struct outcome {
    struct result result;
    uint32_t bars_n, trades_n;
    double equity[BARS_MAX], cash[BARS_MAX];
    struct trade trades[TRADES_MAX];
};

void outcome_keep(struct outcome *o, const struct tracker_record *rec);
bool trade_equals(const struct trade *a, const struct trade *b);
bool outcome_equals(const struct outcome *a, const struct outcome *b);
/* In a full container; the caller frees it. */
struct outcome *desk_run(struct desk *d, const struct combo *combo);

struct strategy_spec *desk_new_specs(uint32_t n);
void desk_set_strategy(struct strategy_spec *s, const char *type);
void desk_set_rule(char *rule, const char *text);
struct combo desk_new_combo(uint64_t number);
/* One symbol and one combination of a strategy; both are borrowed. To be opened. */
struct desk desk_of_one(const struct column_set *columns, const struct combo *combo,
                        const char *strategy);
/* Each strategy of the catalogue with its defaults, costs, a stop and a target on some. */
void desk_every_strategy(struct desk *d, struct combo *combos);
