/* SPDX-License-Identifier: MIT */
/* Promise: lanes whose risk and execution are shared, in however many containers and workers, give
 * the same bytes as full containers that run freely, whatever the configuration. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/desk.h"
#include "worker/lockstep/lane.h"
#include "worker/lockstep/shared.h"

#define GROUPS_MAX 3

/* ---- a wave in one process ------------------------------------------------------------------ */

/* The lanes of one worker are contiguous, as in a run. */
struct wave {
    struct desk *desk;
    struct lane lane[EVERY_N];
    struct uplink_queue queue, *queue_ref;
    struct signal signals[EVERY_N * SYMBOLS_MAX];
    struct shared shared;
    uint32_t risk_idx[EVERY_N], execution_idx[EVERY_N];
    uint32_t next_step;
    uint32_t asked_n; /* steps at which the shared side was asked */
    bool details;
};

static void wave_open(struct wave *v, struct desk *d, unsigned groups_n)
{
    struct err err = {0};
    *v = (struct wave){.desk = d, .details = true, .next_step = UINT32_MAX};
    v->queue = (struct uplink_queue){.signals = v->signals, .capacity = EVERY_N * SYMBOLS_MAX};
    v->queue_ref = &v->queue;
    for (uint32_t i = 0; i < d->combos_n; i++) {
        v->risk_idx[i] = i % groups_n;
        v->execution_idx[i] = (i / 2) % groups_n;
        lane_open(&v->lane[i], &d->session,
                  &(const struct lane_request){.combo = &d->combos[i],
                                               .uplink = &v->queue_ref,
                                               .number = i,
                                               .details = &v->details});
    }
    const struct batch batch = {.n = d->combos_n,
                                .combos = (struct combo *)(uintptr_t)d->combos,
                                .risk_idx = v->risk_idx,
                                .execution_idx = v->execution_idx};
    cr_assert_eq(shared_open(&v->shared, &d->session, &batch, &err), 0, "%s", err.text);
}

static void wave_close(struct wave *v)
{
    shared_close(&v->shared);
    for (uint32_t i = 0; i < v->desk->combos_n; i++)
        arena_fini(&v->lane[i].arena);
}

/* What crosses processes is encoded and decoded, as it is there. */
static void cross_signals(struct signals *s)
{
    struct buf b = {0};
    signals_encode(&b, s);
    struct reader r = rd_of(b.data, b.n_bytes);
    cr_assert_eq(signals_decode(&r, s), 0);
    buf_fini(&b);
}

static void cross_fills(struct fills *f)
{
    struct buf b = {0};
    fills_encode(&b, f);
    struct reader r = rd_of(b.data, b.n_bytes);
    cr_assert_eq(fills_decode(&r, f), 0);
    buf_fini(&b);
}

/* Asked as the supervisor asks: with signals, when a step is due, and at the end. */
static void wave_serve(struct wave *v, uint32_t plane_step, bool is_final)
{
    struct signals in = {
        .step = plane_step, .is_final = is_final, .n = v->queue.n, .signals = v->signals};
    struct fills out;
    if (v->queue.n == 0 && v->next_step != plane_step + 1 && !is_final)
        return;
    cross_signals(&in);
    cr_assert_eq(shared_step(&v->shared, &in, &out), 0);
    signals_fini(&in);
    v->queue.n = 0;
    v->asked_n++;
    v->next_step = out.next_step;
    cr_assert_gt(out.next_step, plane_step + 1);
    cross_fills(&out);
    for (uint32_t k = 0; k < out.n; k++) {
        const struct fill *f = &out.fills[k];
        struct lane *l = &v->lane[f->target_portfolio];
        cr_assert_eq(lane_apply(l, &out, f), 0,
                     "step %u, lane %u, held %g: bar %u, %s, close %d, flags %d, %g at %g",
                     plane_step, f->target_portfolio, l->account->pos[f->symbol_idx].qty, f->bar,
                     fill_rule_name((enum fill_rule)f->rule), f->is_close, f->flags, f->qty, f->px);
    }
    fills_fini(&out);
}

static void wave_walk(struct wave *v)
{
    const struct plane *p = v->desk->session.plane;
    for (uint32_t t = p->first_step; t < p->steps_n; t++) {
        for (uint32_t i = 0; i < v->desk->combos_n; i++)
            lane_step(&v->lane[i], &v->desk->slot, t);
        cr_assert(!v->queue.is_overfull);
        wave_serve(v, t, t + 1 == p->steps_n);
    }
}

static struct outcome *wave_outcome(struct wave *v, uint32_t i)
{
    struct outcome *o = calloc(1, sizeof *o);
    cr_assert_not_null(o);
    struct lane *l = &v->lane[i];
    const void *tracker =
        l->container ? container_resolve(l->container, "performance_tracker") : NULL;
    (void)lane_close(l, &v->desk->slot);
    o->result = l->result;
    if (tracker) {
        const struct tracker_record rec = tracker_record(tracker);
        outcome_keep(o, &rec);
    }
    return o;
}

/* ---- random configurations ------------------------------------------------------------------ */

static bool chance(uint64_t *state, unsigned one_in)
{
    return random_next(state) % one_in == 0;
}

static uint8_t pick(uint64_t *state, unsigned values_n)
{
    return (uint8_t)(random_next(state) % values_n);
}

static double some(uint64_t *state, unsigned one_in, double value)
{
    return chance(state, one_in) ? value * (0.5 + random_uniform(state)) : 0.0;
}

static void random_execution(struct execution_cfg *x, uint64_t *state)
{
    *x = (struct execution_cfg){
        .fill = pick(state, 2),
        .close_booked = pick(state, 2),
        .market_on = chance(state, 4),
        .time_in_force = pick(state, 4),
        .same_bar = pick(state, 4),
        .at_end = pick(state, 3),
        .orders_per_bar = chance(state, 4),
        .slips_in_bar = chance(state, 4),
        .stops_exact = chance(state, 4),
        .spread_paid = pick(state, 2),
        .volume_rest = pick(state, 2),
        .reversal_fee = chance(state, 4),
        .delay = chance(state, 4) ? 1 + pick(state, 3) : 0,
        .commission = {some(state, 2, 0.001), some(state, 4, 2), some(state, 4, 0.01),
                       some(state, 4, 1), 0},
        .slippage = {some(state, 2, 0.0005), some(state, 4, 1), 0.01, some(state, 3, 0.2),
                     some(state, 4, 0.1)},
        .spread_frac = some(state, 3, 0.0005),
        .borrow_fee_frac = some(state, 3, 0.1),
        .margin_interest_frac = some(state, 3, 0.1),
    };
}

static void random_risk(struct risk_cfg *r, uint64_t *state)
{
    *r = (struct risk_cfg){
        .opposite_signal = pick(state, 3),
        .same_signal = pick(state, 2),
        .conflicting_signals = pick(state, 2),
        .cooldown_bars = chance(state, 3) ? 1 + pick(state, 6) : 0,
        .commission_frac = chance(state, 3) ? 0.002 : NAN,
        .max_position_size = some(state, 4, 300),
        .max_exposure = some(state, 4, 0.6),
        .max_leverage = some(state, 4, 0.8),
        .max_drawdown = some(state, 3, 0.15),
        .max_daily_loss = some(state, 3, 0.02),
    };
}

static void random_portfolio(struct portfolio_cfg *p, uint64_t *state)
{
    static const double lots[] = {1, 0, 0.1};
    static const double values[] = {0.7, 0.7, 300, 40000, 0.02, 0.3, 0.6};
    double leverage = chance(state, 4) ? 30 : 1; /* some go bankrupt */
    uint8_t sizing = pick(state, 7);
    *p = (struct portfolio_cfg){
        .direction = chance(state, 2) ? DIRECTION_BOTH : pick(state, 3),
        .sizing = sizing,
        .unaffordable = pick(state, 2),
        .commission_reserve = chance(state, 4),
        .short_margin = pick(state, 2),
        .cash_check = chance(state, 4),
        .bankruptcy = chance(state, 4),
        .sizing_lookback = 5 + pick(state, 20),
        .sizing_value = values[sizing] * (sizing < 2 || sizing > 4 ? leverage : 1.0),
        .initial_capital = 100000,
        .leverage = leverage,
        .lot = lots[pick(state, 3)],
        .min_notional = some(state, 5, 2000),
        .maintenance_margin = some(state, 4, 0.02),
    };
}

static void random_combo(struct combo *c, uint64_t *state)
{
    c->symbol_idx = chance(state, 2) ? COMBO_ALL_SYMBOLS : 0;
    random_execution(&c->execution, state);
    random_risk(&c->risk, state);
    random_portfolio(&c->portfolio, state);
    c->exits = (struct exits_cfg){
        .base = pick(state, 3),
        .live_from = pick(state, 2),
        .max_bars = chance(state, 3) ? 2 + pick(state, 12) : 0,
        .stop_loss = some(state, 2, 0.02),
        .take_profit = some(state, 2, 0.03),
        .trailing_stop = some(state, 4, 0.03),
        .trailing_amount = some(state, 6, 3),
    };
}

static void random_bars(struct column_set *c, uint32_t rows_n, uint64_t *state)
{
    static const unsigned gaps[] = {0, 5, 7, 12};
    desk_walk(c, rows_n, random_next(state), gaps[pick(state, 4)]);
    unsigned bars_a_day = 1 + 2 * pick(state, 3);
    c->has_dividends = chance(state, 3);
    for (uint32_t i = 0; i < rows_n; i++) {
        c->time_ns[i] /= bars_a_day;
        c->volume[i] = 50 + 2000 * random_uniform(state);
        c->dividend[i] = chance(state, 40) ? 0.5 : chance(state, 2) ? 0.0 : NAN;
    }
    c->first_row = chance(state, 4) ? 25 : 0;
}

/* Entries at a price, on either side of the market. */
static void random_prices(struct strategy_spec *s, uint64_t *state)
{
    if (chance(state, 2))
        desk_set_rule(s->long_limit, chance(state, 2) ? "close * 0.995" : "min(low, 3)");
    if (chance(state, 3))
        desk_set_rule(s->long_stop, chance(state, 2) ? "high * 1.001" : "shift(max(high, 4), 30)");
    if (chance(state, 3))
        desk_set_rule(s->short_limit, "close * 1.004");
    if (chance(state, 3))
        desk_set_rule(s->short_stop, "low - (high - low) * 0.1");
    s->first_signal = pick(state, 2);
}

/* ---- the matrix ----------------------------------------------------------------------------- */

struct tally {
    unsigned trades_n, bankrupt_n, asked_n, steps_n;
    unsigned rule_n[FILL_RULE_N];
    double vetoes_n, resizes_n, dropped_n, forgiven;
};

static void count_outcome(struct tally *t, const struct outcome *o)
{
    t->trades_n += o->trades_n;
    t->bankrupt_n += o->bars_n && o->equity[o->bars_n - 1] == 0;
    for (uint32_t i = 0; i < o->trades_n; i++) {
        t->rule_n[o->trades[i].entry_rule]++;
        t->rule_n[o->trades[i].exit_rule]++;
    }
    t->vetoes_n += o->result.metrics[METRIC_RISK_VETOES];
    t->resizes_n += o->result.metrics[METRIC_RISK_RESIZES];
    t->dropped_n += o->result.metrics[METRIC_ENTRIES_DROPPED];
    t->forgiven += o->result.metrics[METRIC_DEBT_FORGIVEN];
}

static void compare_round(uint64_t seed, struct tally *t)
{
    static struct column_set columns[2];
    static struct wave wave;
    struct combo combos[EVERY_N];
    uint64_t state = seed;
    struct desk d = {.columns = {&columns[0], &columns[1]}, .symbols_n = 1 + pick(&state, 2)};
    random_bars(&columns[0], 300, &state);
    random_bars(&columns[1], 250, &state);
    desk_every_strategy(&d, combos);
    for (uint32_t i = 0; i < EVERY_N; i++) {
        random_combo(&combos[i], &state);
        if (strcmp(d.specs[i].type, "rules") == 0)
            random_prices(&d.specs[i], &state);
    }
    if (chance(&state, 2)) { /* few lanes: the shared side is not asked at every step anyway */
        d.combos = &combos[pick(&state, EVERY_N)];
        d.combos_n = 1;
    }
    desk_open(&d);
    wave_open(&wave, &d, 1 + pick(&state, GROUPS_MAX));
    wave_walk(&wave);
    t->asked_n += wave.asked_n;
    t->steps_n += d.session.plane->steps_n;
    for (uint32_t i = 0; i < d.combos_n; i++) {
        struct outcome *lane = wave_outcome(&wave, i), *full = desk_run(&d, &d.combos[i]);
        cr_expect(outcome_equals(lane, full), "seed %u lane %u, %s", (unsigned)seed, i,
                  d.session.run.strategies[d.combos[i].strategy_idx].type);
        count_outcome(t, full);
        free(lane);
        free(full);
    }
    wave_close(&wave);
    desk_close(&d);
}

Test(lockstep, shared_risk_and_execution_give_the_bytes_of_full_containers)
{
    static const uint8_t rare[] = {
        FILL_RULE_STOP,        FILL_RULE_STOP_GAP,    FILL_RULE_TARGET,   FILL_RULE_LIMIT,
        FILL_RULE_REVERSE,     FILL_RULE_END,         FILL_RULE_BANKRUPT, FILL_RULE_REENTER,
        FILL_RULE_TRAIL,       FILL_RULE_TIME,        FILL_RULE_RISK,     FILL_RULE_MARGIN_CALL,
        FILL_RULE_MARKET_OPEN, FILL_RULE_MARKET_CLOSE};
    const char *rounds = getenv("LOCKSTEP_ROUNDS"); /* more than the usual, when wanted */
    struct tally t = {0};
    for (unsigned round = 0; round < (rounds ? (unsigned)atoi(rounds) : 300); round++)
        compare_round(round, &t);
    for (unsigned i = 0; i < sizeof rare; i++)
        cr_expect_gt(t.rule_n[rare[i]], 0, "%s is not tried",
                     fill_rule_name((enum fill_rule)rare[i]));
    cr_expect_gt(t.trades_n, 2000);
    cr_expect_gt(t.bankrupt_n, 3);
    cr_expect_gt(t.vetoes_n, 0);
    cr_expect_gt(t.resizes_n, 0);
    cr_expect_gt(t.dropped_n, 0);
    cr_expect_gt(t.forgiven, 0);
}

/* ---- what is none of this wave -------------------------------------------------------------- */

/* One lane over one symbol of 40 bars, and a step at which nothing has happened yet. */
static void stand_open(struct wave *v, struct desk *d, struct combo *combos)
{
    static struct column_set c;
    desk_walk(&c, 40, 3, 0);
    *d = (struct desk){.columns = {&c}, .symbols_n = 1};
    desk_every_strategy(d, combos);
    d->combos_n = 1;
    combos[0].execution.delay = 2;
    desk_open(d);
    wave_open(v, d, 1);
    lane_step(&v->lane[0], &d->slot, 5);
}

Test(lockstep, signals_that_are_not_of_this_wave_are_refused)
{
    static struct wave v;
    struct desk d;
    struct combo combos[EVERY_N];
    struct fills out;
    stand_open(&v, &d, combos);
    const double *close = v.lane[0].market->symbol[0]->bars.close;
    const struct signal good = {.bar = 5, .kinds = SIGNAL_LONG_ENTRY, .ref_px = close[3]};
    struct signal bad[] = {good, good, good, good, good};
    bad[0].target_portfolio = 1;
    bad[1].symbol_idx = 1;
    bad[2].bar = 4;
    bad[3].ref_px = close[5]; /* said two bars before it is heard */
    bad[4].ref_px = NAN;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_eq(
            shared_step(&v.shared, &(struct signals){.step = 5, .n = 1, .signals = &bad[i]}, &out),
            -EPROTO, "signal %u", i);
    cr_expect_eq(shared_step(&v.shared, &(struct signals){.step = 39}, &out), -EPROTO,
                 "no bar follows the last");
    cr_expect_eq(shared_step(&v.shared, &(struct signals){.step = 40, .is_final = 1}, &out),
                 -EPROTO);
    struct signal said = good;
    cr_expect_eq(
        shared_step(&v.shared, &(struct signals){.step = 5, .n = 1, .signals = &said}, &out), 0);
    cr_expect_eq(out.n, 1, "it fills at bar 6");
    wave_close(&v);
    desk_close(&d);
}

Test(lockstep, fills_that_make_no_sense_for_their_account_are_refused)
{
    static struct wave v;
    struct desk d;
    struct combo combos[EVERY_N];
    stand_open(&v, &d, combos);
    const struct fill good = {.bar = 6, .rule = FILL_RULE_MARKET_OPEN, .qty = 3, .px = 100};
    struct fill bad[] = {good, good, good, good, good, good, good, good};
    bad[0].symbol_idx = 1;
    bad[1].bar = 4;
    bad[2].bar = 7;
    bad[3].is_close = 1; /* nothing is held */
    bad[4].qty = 0;
    bad[5].px = NAN;
    bad[6].commission = -1;
    bad[7].flags = FILL_VETOED;
    const struct fills of_step = {.step = 6};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_eq(lane_apply(&v.lane[0], &of_step, &bad[i]), -EPROTO, "fill %u", i);
    cr_expect_eq(v.lane[0].account->cash, 100000, "nothing is applied");
    cr_expect_eq(lane_apply(&v.lane[0], &of_step, &good), 0);
    struct fill more = good;
    more.is_close = 1;
    more.qty = -4;
    cr_expect_eq(lane_apply(&v.lane[0], &of_step, &more), -EPROTO, "more than is held");
    more.qty = -3;
    cr_expect_eq(lane_apply(&v.lane[0], &of_step, &more), 0);
    const struct fill notice = {.bar = 5, .rule = FILL_RULE_RISK, .flags = FILL_VETOED};
    cr_expect_eq(lane_apply(&v.lane[0], &of_step, &notice), 0);
    struct fill least = good;
    least.qty = 1e-200; /* times another of its kind: 0 */
    cr_expect_eq(lane_apply(&v.lane[0], &of_step, &least), 0);
    least.is_close = 1;
    cr_expect_eq(lane_apply(&v.lane[0], &of_step, &least), -EPROTO, "a purchase closes no long");
    least.qty = -1e-200;
    cr_expect_eq(lane_apply(&v.lane[0], &of_step, &least), 0);
    wave_close(&v);
    desk_close(&d);
}
