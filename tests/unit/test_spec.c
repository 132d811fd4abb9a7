/* SPDX-License-Identifier: MIT */
/* The promise: every field of a combination crosses processes as it is, within its range or not at
 * all; every field of a shared container's configuration, and no other, tells it from another. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "tests/unit/combo_fixture.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* Fields of a combination, by type, so that no list of them can lack one for long: the sizes of its
 * parts are checked against it. */
#define BYTE_FIELDS(X)                                                                             \
    X(execution.fill, FILL_THIS_CLOSE)                                                             \
    X(execution.close_booked, CLOSE_BOOKED_NEXT_BAR)                                               \
    X(execution.market_on, MARKET_ON_CLOSE)                                                        \
    X(execution.time_in_force, TIF_IOC)                                                            \
    X(execution.same_bar, SAME_BAR_STOP_FIRST)                                                     \
    X(execution.at_end, AT_END_CLOSE_AT_OPEN)                                                      \
    X(execution.orders_per_bar, ORDERS_PER_BAR_ONE)                                                \
    X(execution.slips_in_bar, 1)                                                                   \
    X(execution.stops_exact, 1)                                                                    \
    X(execution.spread_paid, SPREAD_ON_ENTRY)                                                      \
    X(execution.volume_rest, VOLUME_REST_CANCEL)                                                   \
    X(execution.reversal_fee, REVERSAL_FEE_ONCE)                                                   \
    X(risk.opposite_signal, OPPOSITE_IGNORE)                                                       \
    X(risk.same_signal, SAME_SIGNAL_REENTER)                                                       \
    X(risk.conflicting_signals, CONFLICT_IGNORE)                                                   \
    X(exits.base, EXIT_BASE_ENTRY_CLOSE)                                                           \
    X(exits.live_from, LIVE_FROM_NEXT_BAR)                                                         \
    X(portfolio.direction, DIRECTION_SHORT)                                                        \
    X(portfolio.sizing, SIZING_TARGET_PERCENT)                                                     \
    X(portfolio.unaffordable, UNAFFORDABLE_REDUCE)                                                 \
    X(portfolio.commission_reserve, RESERVE_EACH_UNIT)                                             \
    X(portfolio.short_margin, SHORT_MARGIN_NONE)                                                   \
    X(portfolio.cash_check, CASH_CHECK_SIGNAL_CLOSE_TOO)                                           \
    X(portfolio.bankruptcy, BANKRUPTCY_RUN_ON)
#define COUNT_FIELDS(X)                                                                            \
    X(execution.delay)                                                                             \
    X(risk.cooldown_bars)                                                                          \
    X(exits.max_bars)                                                                              \
    X(portfolio.sizing_lookback)
#define NUMBER_FIELDS(X)                                                                           \
    X(execution.commission.percent_frac)                                                           \
    X(execution.commission.fixed)                                                                  \
    X(execution.commission.per_share)                                                              \
    X(execution.commission.minimum)                                                                \
    X(execution.commission.maximum)                                                                \
    X(execution.slippage.percent_frac)                                                             \
    X(execution.slippage.ticks)                                                                    \
    X(execution.slippage.tick)                                                                     \
    X(execution.slippage.volume_share)                                                             \
    X(execution.slippage.impact)                                                                   \
    X(execution.spread_frac)                                                                       \
    X(execution.borrow_fee_frac)                                                                   \
    X(execution.margin_interest_frac)                                                              \
    X(risk.commission_frac)                                                                        \
    X(risk.max_position_size)                                                                      \
    X(risk.max_exposure)                                                                           \
    X(risk.max_leverage)                                                                           \
    X(risk.max_drawdown)                                                                           \
    X(risk.max_daily_loss)                                                                         \
    X(exits.stop_loss)                                                                             \
    X(exits.take_profit)                                                                           \
    X(exits.trailing_stop)                                                                         \
    X(exits.trailing_amount)                                                                       \
    X(portfolio.sizing_value)                                                                      \
    X(portfolio.initial_capital)                                                                   \
    X(portfolio.leverage)                                                                          \
    X(portfolio.lot)                                                                               \
    X(portfolio.min_notional)                                                                      \
    X(portfolio.maintenance_margin)

struct field {
    const char *name;
    size_t offset;
    unsigned most; /* of a byte: its greatest value */
};
static const struct field byte_fields[] = {
#define X(field, most) {#field, offsetof(struct combo, field), most},
    BYTE_FIELDS(X)
#undef X
};
static const struct field count_fields[] = {
#define X(field) {#field, offsetof(struct combo, field), 0},
    COUNT_FIELDS(X)
#undef X
};
static const struct field number_fields[] = {
#define X(field) {#field, offsetof(struct combo, field), 0},
    NUMBER_FIELDS(X)
#undef X
};

static int combo_twice(const struct combo *in, struct combo *ret_out)
{
    struct buf b = {0};
    combo_encode(&b, in);
    struct reader r = rd_of(b.data, b.n_bytes);
    int rc = combo_decode(&r, ret_out);
    cr_assert(rc < 0 || rd_done(&r));
    buf_fini(&b);
    return rc;
}

static void expect_field(const struct field *f, const struct combo *in, size_t bytes)
{
    struct combo out;
    cr_assert(combo_twice(in, &out) == 0, "%s", f->name);
    cr_assert(memcmp((const char *)&out + f->offset, (const char *)in + f->offset, bytes) == 0,
              "%s", f->name);
}

Test(spec, combination_keeps_every_value)
{
    struct combo in = make_combo(1), out;
    cr_assert(combo_twice(&in, &out) == 0);
    cr_assert(out.combination == 1 && out.container_seq == 1001 && out.strategy_idx == 1);
    cr_assert(out.symbol_idx == COMBO_ALL_SYMBOLS && out.params_n == 3);
    cr_assert(memcmp(out.params, in.params, sizeof in.params) == 0);
    cr_assert(isnan(out.risk.commission_frac), "what execution charges");
    in.risk.commission_frac = 0.125;
    for (size_t i = 0; i < COUNT_OF(byte_fields); i++)
        expect_field(&byte_fields[i], &in, 1);
    for (size_t i = 0; i < COUNT_OF(count_fields); i++)
        expect_field(&count_fields[i], &in, sizeof(uint32_t));
    for (size_t i = 0; i < COUNT_OF(number_fields); i++)
        expect_field(&number_fields[i], &in, sizeof(double));
}

Test(spec, combination_out_of_range_is_refused)
{
    for (size_t i = 0; i < COUNT_OF(byte_fields); i++) {
        struct combo in = make_combo(1), out;
        uint8_t *byte = (uint8_t *)&in + byte_fields[i].offset;
        *byte = (uint8_t)byte_fields[i].most;
        cr_assert(combo_twice(&in, &out) == 0, "%s at its greatest", byte_fields[i].name);
        *byte = (uint8_t)(byte_fields[i].most + 1);
        cr_assert(combo_twice(&in, &out) == -EBADMSG, "%s beyond it", byte_fields[i].name);
    }
    struct combo in = make_combo(1), out;
    in.strategy_idx = SPEC_STRATEGIES_MAX;
    cr_assert(combo_twice(&in, &out) == -EBADMSG);
    in = make_combo(1);
    in.symbol_idx = SPEC_SYMBOLS_MAX;
    cr_assert(combo_twice(&in, &out) == -EBADMSG);
}

Test(spec, combination_with_numbers_that_are_none_or_negative_is_refused)
{
    static const double bad[] = {NAN, INFINITY, -INFINITY, -1};
    for (size_t i = 0; i < COUNT_OF(number_fields); i++)
        for (size_t k = 0; k < COUNT_OF(bad); k++) {
            struct combo in = make_combo(1), out;
            size_t offset = number_fields[i].offset;
            if (isnan(bad[k]) && offset == offsetof(struct combo, risk.commission_frac))
                continue;
            memcpy((char *)&in + offset, &bad[k], sizeof(double));
            cr_assert(combo_twice(&in, &out) == -EBADMSG, "%s %g", number_fields[i].name, bad[k]);
        }
    struct combo in = make_combo(1), out;
    in.params[1] = NAN;
    cr_assert(combo_twice(&in, &out) == -EBADMSG);
}

/* What stands for a shared container is every field of its configuration, and no other. */
Test(spec, every_field_of_a_shared_configuration_is_in_its_bytes)
{
    for (size_t i = 0; i < COUNT_OF(byte_fields) + COUNT_OF(number_fields); i++) {
        bool is_byte = i < COUNT_OF(byte_fields);
        const struct field *f =
            is_byte ? &byte_fields[i] : &number_fields[i - COUNT_OF(byte_fields)];
        struct combo a = make_combo(1), b = make_combo(1);
        struct buf x = {0}, y = {0};
        if (is_byte)
            ((char *)&b)[f->offset] ^= 1;
        else
            memcpy((char *)&b + f->offset, &(double){0.0625}, sizeof(double));
        execution_cfg_encode(&x, &a.execution);
        risk_cfg_encode(&x, &a.risk);
        execution_cfg_encode(&y, &b.execution);
        risk_cfg_encode(&y, &b.risk);
        bool is_equal = x.n_bytes == y.n_bytes && memcmp(x.data, y.data, x.n_bytes) == 0;
        bool is_shared =
            strncmp(f->name, "execution.", 10) == 0 || strncmp(f->name, "risk.", 5) == 0;
        cr_assert(is_equal != is_shared, "%s", f->name);
        buf_fini(&x);
        buf_fini(&y);
    }
}

Test(spec, equal_configurations_are_equal_bytes)
{
    struct combo a = make_combo(1), b = make_combo(1);
    struct buf x = {0}, y = {0};
    b.risk.commission_frac = -NAN;
    a.execution.spread_frac = 0.0;
    b.execution.spread_frac = -0.0;
    risk_cfg_encode(&x, &a.risk);
    execution_cfg_encode(&x, &a.execution);
    risk_cfg_encode(&y, &b.risk);
    execution_cfg_encode(&y, &b.execution);
    cr_assert(x.n_bytes == y.n_bytes && memcmp(x.data, y.data, x.n_bytes) == 0);
    buf_fini(&x);
    buf_fini(&y);
}
