/* SPDX-License-Identifier: MIT */
/* The promise: what one process encodes the other decodes to the same values; what is cut, longer,
 * out of range or from a stranger is refused and touches nothing; texts of people (numbers, times,
 * sizes, names) are read exactly and printed safely, in every locale. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/body.h"
#include "proto/log.h"
#include "proto/msg.h"
#include "proto/units.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static uint64_t next_random(void)
{
    static uint64_t state = UINT64_C(88172645463325252);
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

/* ---- bodies --------------------------------------------------------------------------------- */

static struct combo make_combo(uint32_t n)
{
    struct combo c = {
        .combination = n,
        .container_seq = n + 1000,
        .strategy_idx = n % SPEC_STRATEGIES_MAX,
        .symbol_idx = n % 2 ? COMBO_ALL_SYMBOLS : 3,
        .execution = {FILL_NEXT_OPEN, SAME_BAR_OPTIMISTIC, AT_END_CLOSE_AT_OPEN, 0.001, 0.0005},
        .risk = {OPPOSITE_CLOSE, SAME_SIGNAL_REENTER, INFINITY, NAN},
        .exits = {EXIT_BASE_SIGNAL_CLOSE, LIVE_FROM_NEXT_BAR, 0.02, NAN},
        .portfolio = {DIRECTION_SHORT, SIZING_UNITS, 10, 100000, 1, 0},
        .params_n = 3,
        .params = {1, -2.5, 1e300},
    };
    return c;
}

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
     .short_exit = "close < open"},
};
static const struct setup setup_in = {
    ROLE_SERVICE,
    {PROFILE_BACKTESTING_PY, NAN, 0.02, 42, "opt", "20260101_120000", 2, strategies},
};

static struct trade trades[2] = {
    {1, FILL_RULE_MARKET_OPEN, FILL_RULE_STOP, 3, 9, -10, 100, 90, 99.5, 0.5},
    {0, FILL_RULE_REVERSE, FILL_RULE_NONE, 10, TRADE_OPEN, 5, 90, NAN, NAN, 0.25},
};
static struct signal signals[2] = {{0, 7, 0, SIGNAL_LONG_ENTRY, 101.5},
                                   {1, 7, 2, SIGNAL_SHORT_ENTRY | SIGNAL_LONG_EXIT, 55}};
static struct fill fills[1] = {{4, 8, 1, FILL_RULE_TARGET, 1, -3, 102.5, 0.1, 0.05, 0, 0}};

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
    fills_encode(b, &(struct fills){8, 0, UINT32_MAX, 1, fills});
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

Test(proto, combination_keeps_every_value)
{
    struct combo in = make_combo(1), out;
    struct buf b = {0};
    combo_encode(&b, &in);
    struct reader r = rd_of(b.data, b.n_bytes);
    cr_assert(combo_decode(&r, &out) == 0 && rd_done(&r));
    cr_assert(out.combination == 1 && out.container_seq == 1001 && out.strategy_idx == 1);
    cr_assert(out.symbol_idx == COMBO_ALL_SYMBOLS && out.params_n == 3);
    cr_assert(memcmp(out.params, in.params, sizeof in.params) == 0);
    cr_assert(out.execution.commission_frac == 0.001 && out.execution.slippage_frac == 0.0005);
    cr_assert(out.execution.at_end == AT_END_CLOSE_AT_OPEN);
    cr_assert(isinf(out.risk.max_position_size) && isnan(out.risk.commission_frac));
    cr_assert(out.exits.stop_loss == 0.02 && isnan(out.exits.take_profit));
    cr_assert(out.portfolio.direction == DIRECTION_SHORT && out.portfolio.sizing_value == 10);
    buf_fini(&b);
}

Test(proto, combination_out_of_range_is_refused)
{
    static const struct {
        const char *what;
        size_t offset;
        uint8_t value;
    } rows[] = {
        {"strategy", offsetof(struct combo, strategy_idx), SPEC_STRATEGIES_MAX},
        {"fill timing", offsetof(struct combo, execution.fill), 1},
        {"same bar", offsetof(struct combo, execution.same_bar), 3},
        {"at end", offsetof(struct combo, execution.at_end), 3},
        {"opposite signal", offsetof(struct combo, risk.opposite_signal), 3},
        {"same signal", offsetof(struct combo, risk.same_signal), 3},
        {"exit base", offsetof(struct combo, exits.base), 2},
        {"live from", offsetof(struct combo, exits.live_from), 2},
        {"direction", offsetof(struct combo, portfolio.direction), 3},
        {"sizing", offsetof(struct combo, portfolio.sizing), 3},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct combo in = make_combo(1), out;
        struct buf b = {0};
        ((uint8_t *)&in)[rows[i].offset] = rows[i].value;
        combo_encode(&b, &in);
        struct reader r = rd_of(b.data, b.n_bytes);
        cr_assert(combo_decode(&r, &out) == -EBADMSG, "%s", rows[i].what);
        buf_fini(&b);
    }
}

Test(proto, combination_with_numbers_that_are_none_is_refused)
{
    static const size_t offsets[] = {
        offsetof(struct combo, execution.commission_frac),
        offsetof(struct combo, execution.slippage_frac),
        offsetof(struct combo, risk.max_position_size),
        offsetof(struct combo, portfolio.sizing_value),
        offsetof(struct combo, portfolio.initial_capital),
        offsetof(struct combo, portfolio.leverage),
        offsetof(struct combo, portfolio.lot),
        offsetof(struct combo, params),
    };
    for (size_t i = 0; i < COUNT_OF(offsets); i++) {
        struct combo in = make_combo(1), out;
        struct buf b = {0};
        memcpy((char *)&in + offsets[i], &(double){NAN}, sizeof(double));
        combo_encode(&b, &in);
        struct reader r = rd_of(b.data, b.n_bytes);
        cr_assert(combo_decode(&r, &out) == -EBADMSG, "row %zu", i);
        buf_fini(&b);
    }
}

Test(proto, equal_configurations_are_equal_bytes)
{
    struct risk_cfg a = {0, 0, INFINITY, NAN}, b = {0, 0, INFINITY, -NAN};
    struct execution_cfg c = {0, 0, 0, 0.0, 0.0}, d = {0, 0, 0, -0.0, 0.0};
    struct buf x = {0}, y = {0};

    risk_cfg_encode(&x, &a);
    execution_cfg_encode(&x, &c);
    risk_cfg_encode(&y, &b);
    execution_cfg_encode(&y, &d);
    cr_assert(x.n_bytes == y.n_bytes && memcmp(x.data, y.data, x.n_bytes) == 0);
    buf_fini(&x);
    buf_fini(&y);
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

/* ---- codec and buffer ----------------------------------------------------------------------- */

Test(codec, numbers_are_little_endian)
{
    static const uint8_t want[] = {1, 0x34, 0x12, 0x78, 0x56, 0x34, 0x12, 0, 0,   0,  0,
                                   0, 0,    0xf0, 0x3f, 2,    0,    0,    0, 'h', 'i'};
    struct buf b = {0};
    wr_u8(&b, 1);
    wr_u16(&b, 0x1234);
    wr_u32(&b, 0x12345678);
    wr_f64(&b, 1.0);
    wr_str(&b, "hi");
    cr_assert(b.n_bytes == sizeof want && memcmp(b.data, want, sizeof want) == 0);
    buf_fini(&b);
}

Test(codec, reading_past_the_end_gives_zero_and_stays_bad)
{
    struct reader r = rd_of("\x01\x02", 2);
    cr_assert(rd_u32(&r) == 0 && r.bad);
    cr_assert(rd_u8(&r) == 0, "nothing is read after a failure");
    cr_assert(!rd_done(&r));
}

Test(codec, strings_that_are_too_long_or_hold_nul_are_bad)
{
    char out[4] = "xyz";
    struct reader r = rd_of("\x04\0\0\0abcd", 8);
    rd_str(&r, out, sizeof out);
    cr_assert(r.bad && out[0] == '\0');
    r = rd_of("\x03\0\0\0abc", 7);
    rd_str(&r, out, sizeof out);
    cr_assert(rd_done(&r) && strcmp(out, "abc") == 0);
    r = rd_of("\x03\0\0\0a\0c", 7);
    rd_str(&r, out, sizeof out);
    cr_assert(r.bad);
}

Test(codec, counts_that_the_rest_cannot_hold_are_bad)
{
    struct reader r = rd_of("\x03\0\0\0abcdefgh", 12);
    cr_assert(rd_count(&r, 10, 4) == 0 && r.bad);
    r = rd_of("\x02\0\0\0abcdefgh", 12);
    cr_assert(rd_count(&r, 10, 4) == 2 && !r.bad);
    r = rd_of("\x02\0\0\0abcdefgh", 12);
    cr_assert(rd_count(&r, 1, 4) == 0 && r.bad);
}

Test(buf, grows_and_keeps_its_text_terminated)
{
    struct buf b = {0};
    for (int i = 0; i < 1000; i++)
        buf_printf(&b, "%d,", i);
    buf_puts(&b, "end");
    cr_assert(!b.failed && strlen(b.data) == b.n_bytes && strncmp(b.data, "0,1,2,3", 7) == 0);
    cr_assert(strcmp(b.data + b.n_bytes - 8, ",999,end") == 0);
    buf_clear(&b);
    cr_assert(b.n_bytes == 0 && b.data[0] == '\0');
    buf_fini(&b);
    cr_assert(b.data == NULL);
    buf_fini(&b);
}

Test(buf, failed_allocation_keeps_what_was_there)
{
    struct buf b = {0};
    buf_puts(&b, "kept");
    buf_append(&b, "x", SIZE_MAX / 2 + 10);
    cr_assert(b.failed && strcmp(b.data, "kept") == 0);
    buf_puts(&b, " not added");
    cr_assert(strcmp(b.data, "kept") == 0, "a gap in a message is worse than its end");
    buf_fini(&b);
}

/* ---- the gate ------------------------------------------------------------------------------- */

struct gate_case {
    const char *what;
    size_t offset;
    uint8_t value;
    enum msg_verdict verdict;
};

Test(gate, refuses_every_kind_of_wrong_frame)
{
    static const struct gate_case rows[] = {
        {"magic", 0, 'X', MSG_E_MAGIC},
        {"version", 4, MSG_VERSION + 1, MSG_E_VERSION},
        {"type of none", 6, 0, MSG_E_TYPE},
        {"type beyond the table", 6, 200, MSG_E_TYPE},
        {"type of the other side", 6, MSG_FINISH, MSG_E_SENDER},
        {"worker", 8, 6, MSG_E_WORKER},
        {"length", 12, 9, MSG_E_LENGTH},
        {"sequence", 16, 4, MSG_E_SEQUENCE},
    };
    const struct msg_expect expect = {MSG_FROM_WORKER, 5, 3};
    struct msg_head head = {.worker = 77};
    struct reader body = {.pos = 77};
    struct buf b = {0};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        msg_begin(&b, MSG_READY, 5, 3);
        ready_encode(&b, &(struct ready){1, 2});
        msg_end(&b);
        b.data[rows[i].offset] = (char)rows[i].value;
        cr_assert(msg_gate(b.data, b.n_bytes, &expect, &head, &body) == rows[i].verdict, "%s",
                  rows[i].what);
    }
    msg_begin(&b, MSG_READY, 5, 3);
    ready_encode(&b, &(struct ready){1, 2});
    msg_end(&b);
    for (size_t n = 0; n < b.n_bytes; n++)
        cr_assert(msg_gate(b.data, n, &expect, &head, &body) ==
                  (n < MSG_HEADER_BYTES ? MSG_E_SHORT : MSG_E_LENGTH));
    cr_assert(head.worker == 77 && body.pos == 77, "outputs are touched");
    cr_assert(msg_gate(b.data, b.n_bytes, &expect, &head, &body) == MSG_E_OK);
    cr_assert(head.type == MSG_READY && head.body_bytes == 8 && head.sequence == 3);
    cr_assert(body.n_bytes == 8 && body.pos == 0);
    buf_fini(&b);
}

Test(gate, length_of_every_row_is_enforced)
{
    static const struct {
        enum msg_type type;
        enum msg_sender sender;
        uint32_t least, most;
    } rows[] = {
#define S                                        MSG_FROM_SUPERVISOR
#define W                                        MSG_FROM_WORKER
#define X(id, symbol, sender, least, most, what) {id, sender, least, most},
#include "proto/msg.def"
#undef X
#undef W
#undef S
    };
    char *block = calloc(1, 8 << 20);
    cr_assert(block != NULL);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct msg_expect expect = {rows[i].sender, 1, 1};
        struct msg_head head;
        struct reader body;
        struct buf b = {0};
        cr_assert(strcmp(msg_name(rows[i].type), "?") != 0);
        for (int beyond = -1; beyond <= 1; beyond++) {
            uint32_t n = beyond <= 0 ? rows[i].least + (uint32_t)beyond : rows[i].most + 1;
            if (n > 8 << 20)
                continue;
            msg_begin(&b, rows[i].type, 1, 1);
            buf_append(&b, block, n);
            msg_end(&b);
            cr_assert(msg_gate(b.data, b.n_bytes, &expect, &head, &body) ==
                          (beyond == 0 ? MSG_E_OK : MSG_E_LENGTH),
                      "%s with %u bytes", msg_name(rows[i].type), n);
        }
        buf_fini(&b);
    }
    free(block);
}

/* The body of a message that says as little as its encoder can. */
static void encode_least(struct buf *b, enum msg_type type)
{
    struct combo combo = {0};
    struct batch batch = {.n = type == MSG_DETAIL, .combos = &combo};
    switch (type) {
    case MSG_HELLO:
        hello_encode(b, &(struct hello){0});
        break;
    case MSG_SETUP:
        setup_encode(b, &(struct setup){0});
        break;
    case MSG_READY:
    case MSG_LANES_READY:
        ready_encode(b, &(struct ready){0});
        break;
    case MSG_REFUSE:
        refuse_encode(b, &(struct err){0});
        break;
    case MSG_BATCH:
    case MSG_DETAIL:
    case MSG_LANES:
        batch_encode(b, &batch);
        break;
    case MSG_RESULTS:
        results_encode(b, &(struct results){0});
        break;
    case MSG_DETAIL_TRADES:
        detail_trades_encode(b, &(struct detail_trades){0});
        break;
    case MSG_DETAIL_EQUITY:
        detail_equity_encode(b, &(struct detail_equity){0});
        break;
    case MSG_SIGNALS:
    case MSG_ORDERS:
        signals_encode(b, &(struct signals){0});
        break;
    case MSG_FILLS:
    case MSG_ROUTED_FILLS:
        fills_encode(b, &(struct fills){0});
        break;
    case MSG_FINISH:
        break;
    }
}

Test(gate, least_length_of_every_row_is_that_of_the_shortest_body)
{
    static const struct {
        enum msg_type type;
        uint32_t least;
    } rows[] = {
#define X(id, symbol, sender, least, most, what) {id, least},
#include "proto/msg.def"
#undef X
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf b = {0};
        encode_least(&b, rows[i].type);
        cr_assert(b.n_bytes == rows[i].least, "%s: %zu", msg_name(rows[i].type), b.n_bytes);
        buf_fini(&b);
    }
}

Test(gate, every_verdict_has_a_name)
{
    for (int v = 0; v < MSG_VERDICT_N; v++)
        cr_assert(msg_verdict_name((enum msg_verdict)v) != NULL);
    cr_assert(strcmp(msg_verdict_name(MSG_VERDICT_N), "?") == 0);
    cr_assert(strcmp(msg_name((enum msg_type)0), "?") == 0);
}

/* ---- numbers -------------------------------------------------------------------------------- */

static void check_number(const char *text)
{
    double want = strtod(text, NULL), got = -1;
    int rc = f64_parse(text, strlen(text), &got);
    if (isinf(want))
        cr_assert(rc == -ERANGE && got == -1, "%s: %d", text, rc);
    else
        cr_assert(rc == 0 && memcmp(&got, &want, sizeof got) == 0, "%s: %.17g, not %.17g", text,
                  got, want);
}

Test(numbers, are_read_as_strtod_reads_them)
{
    static const char *const rows[] = {
        "0",
        "-0",
        "+1",
        "1.",
        ".5",
        "-.5e1",
        "4136.25",
        "1e22",
        "1e23",
        "9007199254740993",
        "9007199254740992",
        "9007199254740991.5",
        "18446744073709551615",
        "18446744073709551616",
        "12345678901234567890123",
        "0.1",
        "0.30000000000000004",
        "1e308",
        "1.8e308",
        "2e308",
        "5e-324",
        "2e-324",
        "1e-400",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "1e99999999999",
        "0e99999999999",
        "1e-99999999999",
        "000000000000000000000000001.5",
        "0.000000000000000000000000000000000000000000000000000000000000001234567890123456789",
        "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649"
        "0179775872070963302864166928879109465555478519404026306574886715058206819089020007083836"
        "7627385484581771153176447573027006985557136695962284291481986083493647529271907416844436"
        "55107043427115596995080930428801779041744977",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check_number(rows[i]);

    char text[64];
    for (int i = 0; i < 300000; i++) {
        uint64_t bits = next_random();
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        (void)snprintf(text, sizeof text, "%.*g", (int)(next_random() % 20) + 1, value);
        check_number(text);
        (void)snprintf(text, sizeof text, "%" PRIu64 ".%" PRIu64 "e%d",
                       next_random() >> next_random() % 64, next_random() >> next_random() % 64,
                       (int)(next_random() % 50) - 25);
        check_number(text);
    }
}

Test(numbers, many_digits_next_to_a_midpoint_round_rightly)
{
    static char text[3000];
    for (int i = 0; i < 300; i++) {
        double value = ldexp((double)(next_random() >> 11 | UINT64_C(1) << 52), -i);
        /* Exactly between two doubles: the deciding digit comes last, or not at all. */
        int n = snprintf(text, 1200, "%.1100f", value);
        text[n - 1] = '5';
        text[n] = '\0';
        check_number(text);
        memset(text + n, '0', 900);
        text[n + 900] = i % 2 ? '1' : '0';
        text[n + 901] = '\0';
        check_number(text);
    }
}

Test(numbers, that_are_none_are_refused)
{
    static const char *const rows[] = {
        "",    "-",   ".",   "e5",  "1e",    "1e+", "1..2",  "1.2.3", " 1",  "1 ",    "0x10",
        "nan", "inf", "1,5", "--1", "1e5.0", "1f",  "1_000", "\xa0",  "NaN", "1e5e5", "+-1"};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        double value = 42;
        cr_assert(f64_parse(rows[i], strlen(rows[i]), &value) == -EINVAL, "'%s'", rows[i]);
        cr_assert(value == 42, "'%s' touched the output", rows[i]);
    }
    double value;
    cr_assert(f64_parse("123456", 3, &value) == 0 && value == 123, "reads beyond its bytes");
}

Test(numbers, are_written_so_that_they_read_back)
{
    static const struct {
        double value;
        const char *text, *brief;
    } rows[] = {
        {0, "0", "0"},
        {-0.0, "-0", "-0"},
        {0.1, "0.10000000000000001", "0.1"},
        {1e14, "100000000000000", "100000000000000"},
        {-123456789, "-123456789", "-123456789"},
        {1e22, "1e+22", "1e+22"},
        {2.0 / 3, "0.66666666666666663", "0.6666666666666666"},
        {DBL_MAX, "1.7976931348623157e+308", "1.7976931348623157e+308"},
        {5e-324, "4.9406564584124654e-324", "4.94065645841247e-324"},
        {INFINITY, "inf", "inf"},
        {NAN, "", ""},
    };
    char out[F64_BYTES];
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        cr_assert(strcmp(f64_format(rows[i].value, out), rows[i].text) == 0, "%s", out);
        cr_assert(strcmp(f64_format_short(rows[i].value, out), rows[i].brief) == 0, "%s", out);
    }
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = next_random();
        double value, again = 0;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        (void)f64_format_short(value, out);
        cr_assert(f64_parse(out, strlen(out), &again) == 0);
        cr_assert(memcmp(&value, &again, sizeof value) == 0, "%s", out);
    }
}

Test(numbers, do_not_depend_on_the_locale)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"};
    const char *set = NULL;
    for (size_t i = 0; i < COUNT_OF(names) && !set; i++)
        set = setlocale(LC_ALL, names[i]);
    if (!set)
        cr_skip("no locale with a decimal comma is installed");
    char out[F64_BYTES];
    double value;
    cr_assert(strcmp(f64_format(0.5, out), "0.5") == 0);
    cr_assert(strcmp(f64_format_short(1e-5, out), "1e-05") == 0);
    cr_assert(f64_parse("1.25e-300", 9, &value) == 0 && value == 1.25e-300);
}

/* ---- sizes, durations, times ---------------------------------------------------------------- */

Test(units, sizes_are_read)
{
    static const struct {
        const char *text;
        int rc;
        uint64_t bytes;
    } rows[] = {
        {"4096", 0, 4096},
        {"0", 0, 0},
        {"256MiB", 0, UINT64_C(256) << 20},
        {"256 MiB", 0, UINT64_C(256) << 20},
        {"1.5GiB", 0, UINT64_C(3) << 29},
        {"64kB", 0, 64000},
        {"2M", 0, 2 << 20},
        {"12B", 0, 12},
        {"18446744073709551615", 0, UINT64_MAX},
        {"18446744073709551616", -ERANGE, 0},
        {"99999999TiB", -ERANGE, 0},
        {"1e400", -EINVAL, 0},
        {"", -EINVAL, 0},
        {"MiB", -EINVAL, 0},
        {"-1", -EINVAL, 0},
        {"1 parsec", -EINVAL, 0},
        {"1MiBB", -EINVAL, 0},
        {" 1", -EINVAL, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t bytes = 77;
        int rc = bytes_parse(rows[i].text, &bytes);
        cr_assert(rc == rows[i].rc, "'%s': %d", rows[i].text, rc);
        cr_assert(bytes == (rc == 0 ? rows[i].bytes : 77), "'%s'", rows[i].text);
    }
}

Test(units, durations_are_read)
{
    static const struct {
        const char *text;
        int rc;
        int64_t ns;
    } rows[] = {
        {"30s", 0, 30 * NS_PER_S}, {"250ms", 0, 250000000},    {"10us", 0, 10000},
        {"5m", 0, 300 * NS_PER_S}, {"2h", 0, 7200 * NS_PER_S}, {"1d", 0, NS_PER_DAY},
        {"1.5s", 0, 1500000000},   {"7", 0, 7 * NS_PER_S},     {"0.1", 0, 100000000},
        {"300000d", -ERANGE, 0},   {"1w", -EINVAL, 0},         {"-5s", -EINVAL, 0},
        {"s", -EINVAL, 0},         {"", -EINVAL, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t ns = 77;
        int rc = duration_parse(rows[i].text, &ns);
        cr_assert(rc == rows[i].rc, "'%s': %d", rows[i].text, rc);
        cr_assert(ns == (rc == 0 ? rows[i].ns : 77), "'%s': %" PRId64, rows[i].text, ns);
    }
}

Test(units, sizes_and_durations_are_written_for_people)
{
    static const struct {
        int64_t ns;
        const char *text;
    } durations[] = {
        {0, "0 ns"},
        {999, "999 ns"},
        {350000000, "350 ms"},
        {2100000000, "2.1 s"},
        {999900000, "1.0 s"},
        {INT64_C(3720) * NS_PER_S, "1 h 02 m"},
        {90 * NS_PER_S, "1 m 30 s"},
        {INT64_C(97200) * NS_PER_S, "1 d 03 h"},
    };
    char out[24];
    for (size_t i = 0; i < COUNT_OF(durations); i++)
        cr_assert(strcmp(duration_format(durations[i].ns, out, sizeof out), durations[i].text) == 0,
                  "%s, not %s", out, durations[i].text);
    cr_assert(strcmp(bytes_format(812, out, sizeof out), "812 B") == 0);
    cr_assert(strcmp(bytes_format(UINT64_C(3) << 29, out, sizeof out), "1.5 GiB") == 0);
    cr_assert(strcmp(bytes_format(UINT64_MAX, out, sizeof out), "16.0 EiB") == 0);
    cr_assert(strcmp(bytes_format((1 << 20) - 1, out, sizeof out), "1.0 MiB") == 0);
}

Test(units, times_are_read)
{
    static const struct {
        const char *text;
        int64_t ns;
        bool has_offset;
    } rows[] = {
        {"1970-01-01", 0, false},
        {"2024-01-31", INT64_C(1706659200) * NS_PER_S, false},
        {"2024-01-31T12:00", INT64_C(1706702400) * NS_PER_S, false},
        {"2024-01-31 12:00:01", INT64_C(1706702401) * NS_PER_S, false},
        {"2024-01-31 12:00:00.123456789", INT64_C(1706702400) * NS_PER_S + 123456789, false},
        {"2024-01-31T12:00:00.5Z", INT64_C(1706702400) * NS_PER_S + 500000000, true},
        {"2024-01-31T12:00Z", INT64_C(1706702400) * NS_PER_S, true},
        {"2024-01-31T13:30:00+01:30", INT64_C(1706702400) * NS_PER_S, true},
        {"2024-01-31 07:00:00-05:00", INT64_C(1706702400) * NS_PER_S, true},
        {"2024-01-31 07:00:00-0500", INT64_C(1706702400) * NS_PER_S, true},
        {"2000-02-29", INT64_C(951782400) * NS_PER_S, false},
        {"1969-12-31T23:59:59.999999999", -1, false},
        {"1677-09-21T00:12:43.145224192", INT64_MIN, false},
        {"2262-04-11T23:47:16.854775807", INT64_MAX, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t ns = 77;
        bool has_offset = !rows[i].has_offset;
        cr_assert(time_parse_iso(rows[i].text, strlen(rows[i].text), &ns, &has_offset) == 0, "%s",
                  rows[i].text);
        cr_assert(ns == rows[i].ns && has_offset == rows[i].has_offset, "%s: %" PRId64,
                  rows[i].text, ns);
    }
}

Test(units, times_that_are_none_are_refused)
{
    static const char *const rows[] = {
        "",
        "2024",
        "2024-1-31",
        "2024-02-30",
        "2023-02-29",
        "1900-02-29",
        "2024-13-01",
        "2024-00-01",
        "2024-01-00",
        "0000-01-01",
        "2024-01-31T",
        "2024-01-31T1",
        "2024-01-31T24:00",
        "2024-01-31T12:60",
        "2024-01-31T12:00:60",
        "2024-01-31T12:00:00.",
        "2024-01-31T12:00:00.1234567890",
        "2024-01-31T12:00:00+1",
        "2024-01-31T12:00:00+24:00",
        "2024-01-31T12:00:00Zx",
        "2024-01-31x12:00:00",
        "2024/01/31",
        " 2024-01-31",
        "2263-01-01",
        "1677-01-01",
        "2262-04-11T23:47:16.854775808",
        "1677-09-21T00:12:43.145224191",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t ns = 77;
        bool has_offset = true;
        cr_assert(time_parse_iso(rows[i], strlen(rows[i]), &ns, &has_offset) == -EINVAL, "%s",
                  rows[i]);
        cr_assert(ns == 77 && has_offset, "%s touched the output", rows[i]);
    }
}

Test(units, times_are_written_so_that_they_read_back)
{
    static const struct {
        int64_t ns;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00Z"},
        {-1, "1969-12-31T23:59:59.999999999Z"},
        {INT64_C(1706702400123) * 1000000, "2024-01-31T12:00:00.123Z"},
        {INT64_MIN, "1677-09-21T00:12:43.145224192Z"},
        {INT64_MAX, "2262-04-11T23:47:16.854775807Z"},
    };
    char out[TIME_ISO_BYTES];
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        cr_assert(strcmp(time_format_iso(rows[i].ns, out), rows[i].text) == 0, "%s", out);
    for (int i = 0; i < 100000; i++) {
        int64_t ns = (int64_t)next_random(), again = 0;
        bool has_offset;
        time_format_iso(ns, out);
        cr_assert(time_parse_iso(out, strlen(out), &again, &has_offset) == 0 && again == ns, "%s",
                  out);
    }
}

Test(units, every_day_has_one_date)
{
    int64_t year = 0;
    unsigned month = 0, day = 0;
    cr_assert(days_from_civil(1970, 1, 1) == 0 && days_from_civil(2000, 3, 1) == 11017);
    for (int64_t days = -800000; days < 800000; days++) {
        int64_t last_year = year;
        unsigned last_month = month, last_day = day;
        civil_from_days(days, &year, &month, &day);
        cr_assert(days_from_civil(year, month, day) == days);
        bool is_next = day == last_day + 1 || (day == 1 && month == last_month + 1) ||
                       (day == 1 && month == 1 && year == last_year + 1);
        cr_assert(days == -800000 || is_next, "%" PRId64, days);
    }
    cr_assert(time_day(-1) == -1 && time_day(0) == 0 && time_day(NS_PER_DAY) == 1);
}

/* ---- errors, tables, log -------------------------------------------------------------------- */

Test(err, carries_kind_text_and_errno)
{
    struct err err;
    cr_assert(err_set(&err, ERR_DATA, "%s:%d: bad", "f.csv", 3) == -EBADMSG);
    cr_assert(err.kind == ERR_DATA && strcmp(err.text, "f.csv:3: bad") == 0);
    cr_assert(err_exit_code(err.kind) == 65);
    err_prefix(&err, "SPX");
    cr_assert(strcmp(err.text, "SPX: f.csv:3: bad") == 0 && err.kind == ERR_DATA);
    cr_assert(err_set_errno(&err, ERR_CREATE, ENOENT, "cannot create %s", "x") == -EACCES);
    cr_assert(strcmp(err.text, "cannot create x: No such file or directory") == 0);
    cr_assert(err_set(&err, ERR_DATA, "found '%s'\n", "\x1b[31m") == -EBADMSG);
    cr_assert(strcmp(err.text, "found '\\x1b[31m'") == 0);
}

Test(err, long_text_is_cut_between_characters)
{
    struct err err;
    char text[1200];
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "ä", 3);
    (void)err_set(&err, ERR_BUG, "x%s", text);
    size_t n = strlen(err.text);
    cr_assert(n > 1000 && n < sizeof err.text);
    cr_assert(!strstr(err.text, "\\x"), "a torn character is shown");
}

Test(err, every_kind_has_words_and_a_code)
{
    for (int kind = 0; kind < ERR_KINDS_N; kind++) {
        struct err err;
        int rc = err_set(&err, (enum err_kind)kind, "x");
        cr_assert((kind == ERR_NONE) == (rc == 0) && rc <= 0);
        cr_assert((kind == ERR_NONE) == (err_exit_code((enum err_kind)kind) == 0));
        cr_assert(err_kind_name((enum err_kind)kind)[0] &&
                  err_kind_meaning((enum err_kind)kind)[0]);
        cr_assert(err_kind_remedy((enum err_kind)kind)[0] != '\0');
    }
}

Test(err, suggests_the_name_that_was_meant)
{
    static const char *const names[] = {"slippage", "commission", "same_bar",
                                        "at_end",   "sma",        "ema"};
    static const struct {
        const char *found, *want;
    } rows[] = {
        {"slipage", "slippage"},
        {"comission", "commission"},
        {"SMA", "sma"},
        {"smaa", "sma"},
        {"sam_ebar", "same_bar"},
        {"at-end", "at_end"},
        {"leverage_limit", NULL},
        {"", NULL},
        {"x", NULL},
        {"same_bars", "same_bar"},
        {"eam", "ema"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *got = err_suggest(rows[i].found, names, COUNT_OF(names));
        cr_assert(rows[i].want ? got && strcmp(got, rows[i].want) == 0 : !got, "%s: %s",
                  rows[i].found, got ? got : "nothing");
    }
    cr_assert(err_suggest("sma", names, 0) == NULL);
    char longer[500];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    cr_assert(err_suggest(longer, names, COUNT_OF(names)) == NULL);
}

Test(err, foreign_text_is_made_printable)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"plain", "plain"},
        {"größe €", "größe €"},
        {"a\nb\tc", "a\\x0ab\\x09c"},
        {"\x1b[2J", "\\x1b[2J"},
        {"\x7f", "\\x7f"},
        {"\xff\xfe", "\\xff\\xfe"},
        {"\xc3", "\\xc3"},
        {"\xc0\xaf", "\\xc0\\xaf"},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
        {"\xc2\x9b", "\\xc2\\x9b"},
        {"a\xe2\x80\xae"
         "b",
         "a\\xe2\\x80\\xaeb"},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"},
    };
    char out[64];
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        cr_assert(strcmp(err_printable(rows[i].text, out, sizeof out), rows[i].want) == 0, "%s",
                  out);
    cr_assert(strcmp(err_printable("abc\x01", out, 6), "abc") == 0, "an escape is cut: %s", out);
    cr_assert(strcmp(err_printable("abcdef", out, 4), "abc") == 0);
}

Test(tables, names_are_there_and_unique)
{
    for (int i = 0; i < METRIC_N; i++) {
        const struct metric_row *row = metric_row((enum metric)i);
        cr_assert(metric_find(row->name) == i, "%s stands twice", row->name);
        cr_assert(row->profiles != 0 && row->formula[PROFILE_NATIVE] && row->undefined[0]);
    }
    cr_assert(metric_find("no_such") == -1 && metric_row(METRIC_N) == NULL);
    cr_assert(strcmp(metric_profile_name(PROFILE_BACKTESTING_PY), "backtesting.py") == 0);
    cr_assert(strcmp(status_name(STATUS_OUT_OF_MEMORY), "out_of_memory") == 0);
    cr_assert(strcmp(status_name(STATUS_N), "?") == 0);
    cr_assert(status_is_failure(STATUS_CRASHED) && !status_is_failure(STATUS_INVALID));
    cr_assert(strcmp(fill_rule_name(FILL_RULE_STOP_GAP), "stop_gap") == 0);
    cr_assert(strcmp(fill_rule_name(FILL_RULE_N), "?") == 0);
}

Test(log, event_is_one_line_of_safe_pairs)
{
    char line[1024] = "";
    int fds[2];
    cr_assert(pipe2(fds, O_NONBLOCK) == 0);
    int stderr_copy = dup(STDERR_FILENO);
    cr_assert(dup2(fds[1], STDERR_FILENO) >= 0);
    cr_assert(setenv("ADMF_LOG", "info", 1) == 0);
    log_init("worker 3");
    log_event(LOG_DEBUG, "unseen", "x=%d", 1);
    log_event(LOG_INFO, "started", "path=%s n=%d", log_quote("a \"b\"\n\x1b"), 7);
    log_event(LOG_ERROR, "bare", "%s", "");
    cr_assert(dup2(stderr_copy, STDERR_FILENO) >= 0);
    ssize_t n = read(fds[0], line, sizeof line - 1);
    cr_assert(n > 0);
    line[n] = '\0';
    cr_assert(strcmp(line, "who=\"worker 3\" level=info event=started "
                           "path=\"a \\\"b\\\"\\\\x0a\\\\x1b\" n=7\n"
                           "who=\"worker 3\" level=error event=bare\n") == 0,
              "%s", line);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        (void)close(fds[i]);
    (void)close(stderr_copy);
}

Test(log, values_are_quoted_where_they_need_it)
{
    char longer[1000];
    memset(longer, '"', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    cr_assert(strcmp(log_quote("plain"), "plain") == 0);
    cr_assert(strcmp(log_quote(""), "\"\"") == 0);
    cr_assert(strcmp(log_quote("a=b"), "\"a=b\"") == 0);
    cr_assert(strlen(log_quote(longer)) < 256);
}

Test(spec, knows_what_a_symbol_may_be_called)
{
    static const char *const good[] = {"SPX", "^GSPC", "GC=F", "EUR/USD", "BRK.B", "a_b-c", "7"};
    static const char *const bad[] = {"", ".x", "=cmd", "-x", "a b", "a\n", "../x", "caf\xc3\xa9"};
    char longest[SPEC_NAME_BYTES + 1];
    memset(longest, 'x', sizeof longest);
    longest[SPEC_NAME_BYTES] = '\0';
    cr_expect_not(spec_symbol_is_good(longest));
    cr_expect(spec_symbol_is_good(longest + 1));
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_expect(spec_symbol_is_good(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_not(spec_symbol_is_good(bad[i]), "%s", bad[i]);
}
