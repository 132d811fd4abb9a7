/* SPDX-License-Identifier: MIT */
/* The promise: what one process encodes the other decodes to the same values; what is cut, longer
 * or out of range is refused and touches nothing; equal configurations, and no others, are equal
 * bytes. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/body.h"
#include "proto/msg.h"
#include "tests/unit/combo_fixture.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* ---- bodies --------------------------------------------------------------------------------- */

static struct result make_result(uint32_t n)
{
    struct result r = {.combination = n, .status = STATUS_CRASHED, .message = "signal 11"};
    for (int i = 0; i < METRIC_N; i++)
        r.metrics[i] = i % 5 ? i * 0.1 + n : NAN;
    return r;
}

static struct strategy_spec strategies[2] = {
    {.type = "sma_cross", .name = "Trend", .params_n = 2, .param_names = {"fast", "slow"}},
    {.type = "rules",
     .name = "mine",
     .first_signal = FIRST_SIGNAL_AFTER_WARM_UP,
     .long_entry = "close > sma(close, 10)",
     .long_exit = "close < open",
     .short_entry = "close < sma(close, 10)",
     .short_exit = "close > open",
     .long_limit = "low",
     .long_stop = "high",
     .short_limit = "high + 1",
     .short_stop = "low - 1"},
};
static struct library_spec libraries[1] = {{"/opt/mine.so"}};
static const struct setup setup_in = {
    ROLE_SERVICE,
    {PROFILE_BACKTESTING_PY,
     NAN,
     0.02,
     42,
     {0.01, 9},
     "opt",
     "20260101_120000",
     2,
     strategies,
     1,
     libraries},
};

static struct trade trades[2] = {
    {.symbol_idx = 1,
     .entry_rule = FILL_RULE_MARKET_OPEN,
     .exit_rule = FILL_RULE_STOP,
     .entry_bar = 3,
     .exit_bar = 9,
     .qty = -10,
     .entry_px = 100,
     .exit_px = 90,
     .pnl = 99.5,
     .commission = 0.5,
     .mae = -0.02,
     .mfe = 0.11},
    {.entry_rule = FILL_RULE_REVERSE,
     .entry_bar = 10,
     .exit_bar = TRADE_OPEN,
     .qty = 5,
     .entry_px = 90,
     .exit_px = NAN,
     .pnl = NAN,
     .commission = 0.25,
     .mae = NAN,
     .mfe = NAN},
};
static struct signal signals[2] = {
    {.bar = 7, .kinds = SIGNAL_LONG_ENTRY, .ref_px = 101.5},
    {.target_portfolio = 1,
     .bar = 7,
     .symbol_idx = 2,
     .kinds = SIGNAL_SHORT_ENTRY | SIGNAL_LONG_EXIT,
     .ref_px = 55,
     .long_terms = {TIF_IOC, 54, 56, 3, 50, 60},
     .short_terms = {TIF_DAY, 57, 53, 4, 61, 49}},
};
static struct fill fills[3] = {
    {.target_portfolio = 4,
     .bar = 8,
     .symbol_idx = 1,
     .rule = FILL_RULE_TARGET,
     .is_close = 1,
     .flags = FILL_RESIZED | FILL_BOOKED_NEXT_BAR,
     .qty = -3,
     .px = 102.5,
     .commission = 0.1,
     .slippage = 0.05},
    {.target_portfolio = 5, .bar = 8, .rule = FILL_RULE_RISK, .flags = FILL_VETOED},
    {.target_portfolio = 5, .bar = 9, .rule = FILL_RULE_LIMIT, .flags = FILL_DROPPED},
};

#define BODIES(X)                                                                                  \
    X(hello, HELLO)                                                                                \
    X(setup, SETUP)                                                                                \
    X(ready, READY)                                                                                \
    X(refuse, REFUSE)                                                                              \
    X(batch, BATCH)                                                                                \
    X(results, RESULTS)                                                                            \
    X(detail_trades, DETAIL_TRADES)                                                                \
    X(detail_equity, DETAIL_EQUITY)                                                                \
    X(signals, SIGNALS)                                                                            \
    X(fills, FILLS)

/* Every body as a value that can be decoded into and encoded from. */
union body {
    struct hello hello;
    struct setup setup;
    struct ready ready;
    struct err refuse;
    struct batch batch;
    struct results results;
    struct detail_trades detail_trades;
    struct detail_equity detail_equity;
    struct signals signals;
    struct fills fills;
};

static void hello_fini(struct hello *hello)
{
    (void)hello;
}

static void ready_fini(struct ready *ready)
{
    (void)ready;
}

static void refuse_fini(struct err *err)
{
    (void)err;
}

static void encode_hello(struct buf *b)
{
    hello_encode(b, &(struct hello){MSG_VERSION, 4711, 3, "0.1.0"});
}

static void encode_setup(struct buf *b)
{
    setup_encode(b, &setup_in);
}

static void encode_ready(struct buf *b)
{
    ready_encode(b, &(struct ready){12, 3456});
}

static void encode_refuse(struct buf *b)
{
    refuse_encode(b, &(struct err){ERR_CONFIG, "the plane lacks rsi(close,14)"});
}

static void encode_batch(struct buf *b)
{
    struct combo combos[3] = {make_combo(0), make_combo(1), make_combo(2)};
    uint32_t risk_idx[3] = {0, 1, 1}, execution_idx[3] = {2, 2, 0};
    batch_encode(b, &(struct batch){99, 6, 3, combos, risk_idx, execution_idx});
}

static void encode_results(struct buf *b)
{
    struct result results[2] = {make_result(5), make_result(6)};
    results_encode(b, &(struct results){99, 1, 123456789, 2, results});
}

static void encode_detail_trades(struct buf *b)
{
    detail_trades_encode(b, &(struct detail_trades){17, 1, 2, trades});
}

static void encode_detail_equity(struct buf *b)
{
    double equity[2] = {100000, 100010.5}, cash[2] = {100000, 5}, position[4] = {0, 0, 10, -10};
    detail_equity_encode(b, &(struct detail_equity){17, 4096, 2, 2, equity, cash, position});
}

static void encode_signals(struct buf *b)
{
    signals_encode(b, &(struct signals){7, 0, 2, signals});
}

static void encode_fills(struct buf *b)
{
    fills_encode(b, &(struct fills){8, 0, UINT32_MAX, 2, fills});
}

struct body_case {
    const char *name;
    enum msg_type type;
    size_t bytes;
    void (*encode_sample)(struct buf *b);
    void (*encode)(struct buf *b, const union body *body);
    int (*decode)(struct reader *r, union body *ret_body);
    void (*fini)(union body *body);
};

#define X(name, type)                                                                              \
    static void encode_any_##name(struct buf *b, const union body *body)                           \
    {                                                                                              \
        name##_encode(b, &body->name);                                                             \
    }                                                                                              \
    static int decode_any_##name(struct reader *r, union body *ret_body)                           \
    {                                                                                              \
        return name##_decode(r, &ret_body->name);                                                  \
    }                                                                                              \
    static void fini_any_##name(union body *body)                                                  \
    {                                                                                              \
        name##_fini(&body->name);                                                                  \
    }
BODIES(X)
#undef X

static const struct body_case body_cases[] = {
#define X(name, type)                                                                              \
    {#name,          MSG_##type,        sizeof(((union body *)0)->name),                           \
     encode_##name,  encode_any_##name, decode_any_##name,                                         \
     fini_any_##name},
    BODIES(X)
#undef X
};

Test(proto, every_body_survives_a_round_trip)
{
    for (size_t i = 0; i < COUNT_OF(body_cases); i++) {
        const struct body_case *c = &body_cases[i];
        struct buf first = {0}, second = {0};
        union body body;

        c->encode_sample(&first);
        struct reader r = rd_of(first.data, first.n_bytes);
        cr_assert(c->decode(&r, &body) == 0, "%s", c->name);
        c->encode(&second, &body);
        cr_assert(first.n_bytes == second.n_bytes &&
                      memcmp(first.data, second.data, first.n_bytes) == 0,
                  "%s comes back changed", c->name);
        c->fini(&body);
        buf_fini(&first);
        buf_fini(&second);
    }
}

/* A copy of exactly n bytes, so that AddressSanitizer sees any read beyond. */
static int decode_copy(const struct body_case *c, const char *data, size_t n, union body *ret_body)
{
    char *copy = malloc(n > 0 ? n : 1);
    cr_assert(copy != NULL);
    memcpy(copy, data, n);
    struct reader r = rd_of(copy, n);
    int rc = c->decode(&r, ret_body);
    free(copy);
    return rc;
}

Test(proto, every_cut_or_longer_body_is_refused_and_touches_nothing)
{
    for (size_t i = 0; i < COUNT_OF(body_cases); i++) {
        const struct body_case *c = &body_cases[i];
        struct buf b = {0};
        union body body, untouched;

        memset(&body, 0xa5, sizeof body);
        memset(&untouched, 0xa5, sizeof untouched);
        c->encode_sample(&b);
        for (size_t n = 0; n < b.n_bytes; n++) {
            int rc = decode_copy(c, b.data, n, &body);
            cr_assert(rc == -EBADMSG, "%s cut at %zu: %d", c->name, n, rc);
            cr_assert(memcmp(&body, &untouched, sizeof body) == 0, "%s cut at %zu", c->name, n);
        }
        wr_u8(&b, 0);
        cr_assert(decode_copy(c, b.data, b.n_bytes, &body) == -EBADMSG, "%s and a byte", c->name);
        cr_assert(memcmp(&body, &untouched, sizeof body) == 0, "%s and a byte", c->name);
        buf_fini(&b);
    }
}

Test(proto, flipped_bits_are_decoded_to_allowed_values_or_refused)
{
    for (size_t i = 0; i < COUNT_OF(body_cases); i++) {
        const struct body_case *c = &body_cases[i];
        struct buf b = {0};

        c->encode_sample(&b);
        for (size_t bit = 0; bit < b.n_bytes * 8; bit++) {
            union body body;
            b.data[bit / 8] ^= (char)(1 << bit % 8);
            int rc = decode_copy(c, b.data, b.n_bytes, &body);
            cr_assert(rc == 0 || rc == -EBADMSG, "%s bit %zu: %d", c->name, bit, rc);
            if (rc == 0)
                c->fini(&body);
            b.data[bit / 8] ^= (char)(1 << bit % 8);
        }
        buf_fini(&b);
    }
}

Test(proto, smallest_bodies_pass_the_gate)
{
    static const union body empty = {.refuse = {ERR_BUG, ""}};
    for (size_t i = 0; i < COUNT_OF(body_cases); i++) {
        const struct body_case *c = &body_cases[i];
        union body body;
        struct buf b = {0};
        struct msg_head head;
        struct reader r;

        memset(&body, 0, sizeof body);
        if (c->type == MSG_REFUSE)
            body = empty;
        msg_begin(&b, c->type, 1, 1);
        c->encode(&b, &body);
        msg_end(&b);
        struct msg_expect expect = {MSG_FROM_WORKER, 1, 1};
        enum msg_verdict verdict = msg_gate(b.data, b.n_bytes, &expect, &head, &r);
        if (verdict == MSG_E_SENDER) {
            expect.sender = MSG_FROM_SUPERVISOR;
            verdict = msg_gate(b.data, b.n_bytes, &expect, &head, &r);
        }
        cr_assert(verdict == MSG_E_OK, "%s: %s", c->name, msg_verdict_name(verdict));
        buf_fini(&b);
    }
}

static int signal_twice(const struct signal *in)
{
    struct signal copy = *in;
    struct signals out;
    struct buf b = {0};
    signals_encode(&b, &(struct signals){.step = 7, .n = 1, .signals = &copy});
    struct reader r = rd_of(b.data, b.n_bytes);
    int rc = signals_decode(&r, &out);
    if (rc == 0)
        signals_fini(&out);
    buf_fini(&b);
    return rc;
}

Test(proto, signals_with_terms_that_no_order_can_have_are_refused)
{
    static const double bad[] = {NAN, INFINITY, -1};
    static const size_t offsets[] = {
        offsetof(struct order_terms, limit_px), offsetof(struct order_terms, stop_px),
        offsetof(struct order_terms, qty), offsetof(struct order_terms, stop_loss_px),
        offsetof(struct order_terms, take_profit_px)};
    cr_assert(signal_twice(&signals[1]) == 0);
    for (size_t i = 0; i < COUNT_OF(offsets); i++)
        for (size_t k = 0; k < COUNT_OF(bad); k++) {
            struct signal is_long = signals[1], is_short = signals[1];
            memcpy((char *)&is_long.long_terms + offsets[i], &bad[k], sizeof(double));
            memcpy((char *)&is_short.short_terms + offsets[i], &bad[k], sizeof(double));
            cr_assert(signal_twice(&is_long) == -EBADMSG, "term %zu, %g", i, bad[k]);
            cr_assert(signal_twice(&is_short) == -EBADMSG, "term %zu, %g", i, bad[k]);
        }
    struct signal s = signals[1];
    s.long_terms.time_in_force = TIF_IOC + 1;
    cr_assert(signal_twice(&s) == -EBADMSG, "time in force");
    s = signals[1];
    s.kinds = SIGNAL_SHORT_EXIT * 2;
    cr_assert(signal_twice(&s) == -EBADMSG, "kinds");
}

static int fill_twice(const struct fill *in)
{
    struct fill copy = *in;
    struct fills out;
    struct buf b = {0};
    fills_encode(&b, &(struct fills){.step = 8, .n = 1, .fills = &copy});
    struct reader r = rd_of(b.data, b.n_bytes);
    int rc = fills_decode(&r, &out);
    if (rc == 0)
        fills_fini(&out);
    buf_fini(&b);
    return rc;
}

Test(proto, fills_that_cannot_be_are_refused)
{
    static const size_t offsets[] = {offsetof(struct fill, px), offsetof(struct fill, commission),
                                     offsetof(struct fill, slippage)};
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(fill_twice(&fills[i]), 0);
    for (size_t i = 0; i < COUNT_OF(offsets); i++) {
        struct fill f = fills[0];
        memcpy((char *)&f + offsets[i], &(double){-0.5}, sizeof(double));
        cr_assert(fill_twice(&f) == -EBADMSG, "number %zu", i);
    }
    struct fill f = fills[0];
    f.rule = FILL_RULE_N;
    cr_assert(fill_twice(&f) == -EBADMSG, "rule");
    f = fills[0];
    f.flags = FILL_DROPPED * 2;
    cr_assert(fill_twice(&f) == -EBADMSG, "flags");
    f = fills[0];
    f.qty = NAN;
    cr_assert(fill_twice(&f) == -EBADMSG, "units");
}

Test(proto, result_of_an_older_engine_lacks_its_newer_metrics_only)
{
    struct buf b = {0};
    struct result out;
    wr_u64(&b, 3);
    wr_u8(&b, STATUS_OK);
    wr_u32(&b, 2);
    wr_f64(&b, 1.5);
    wr_f64(&b, 2.5);
    wr_str(&b, "");
    struct reader r = rd_of(b.data, b.n_bytes);
    cr_assert(result_decode(&r, &out) == 0);
    cr_assert(out.metrics[0] == 1.5 && out.metrics[1] == 2.5 && isnan(out.metrics[2]));
    buf_fini(&b);
}
