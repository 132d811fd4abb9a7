/* SPDX-License-Identifier: MIT */
/* The strategy that is made of rules: conditions over series, evaluated for all bars when it is
 * initialized (one bit a bar), read bar by bar when it runs. Named strategies are this one with
 * rules of their own. */
#include "worker/strategy/rules.h"

#include <assert.h>
#include <errno.h>

#include "worker/builtin.h"
#include "worker/container.h"
#include "worker/risk/risk.h"
#include "worker/strategy/program.h"

static const unsigned kind_of_rule[RULE_N] = {SIGNAL_LONG_ENTRY, SIGNAL_LONG_EXIT,
                                              SIGNAL_SHORT_ENTRY, SIGNAL_SHORT_EXIT};

/* Bits of one symbol: row r is bit r % 64 of word r / 64. */
struct rule_bits {
    uint64_t *of[RULE_N]; /* NULL where there is no rule */
    uint64_t *any;        /* all of them or-ed */
};

struct rules_state {
    const struct combo *combo;
    const struct strategy_program *program;
    const struct market *market;
    const struct bus *bus;
    const struct account *account; /* NULL in a minimal container: every signal is said */
    struct risk_view view;
    struct rule_bits *bits; /* [symbols_n] */
    uint32_t node[RULE_N];  /* of the rules, in the program's graph */
    uint32_t lane;
    uint32_t warm_up_step;
    uint32_t first_step; /* at which it may act */
};

static int rules_configure(void *self, const struct combo *combo, const struct strategy_spec *spec,
                           struct err *err)
{
    ((struct rules_state *)self)->combo = combo;
    return 0;
}

struct lookup {
    const struct plane *plane;
    uint32_t symbol_idx;
};

static const double *lookup_series(void *ctx, const char *key, uint32_t *ret_first_defined)
{
    const struct lookup *l = ctx;
    return plane_series(l->plane, l->symbol_idx, key, ret_first_defined);
}

/* First step at which `row` of symbol s is reached. */
static uint32_t step_of_row(const struct market *m, uint32_t s, uint32_t row)
{
    if (m->symbols_n == 1)
        return row;
    for (uint32_t t = m->first_step; t < m->steps_n; t++) {
        int32_t r = market_row(m, s, t);
        if (r >= 0 && (uint32_t)r >= row)
            return t;
    }
    return m->steps_n;
}

/* Binds the rules to this combination: r->node, equal for rules that mean the same. */
static int bind_rules(struct rules_state *r, struct err *err)
{
    const struct strategy_program *p = r->program;
    const struct expr_env env = {r->combo->params_n, p->param_name, r->combo->params};
    int e = 0;
    graph_clear(p->graph);
    for (int i = 0; e == 0 && i < RULE_N; i++)
        if (p->rule[i])
            e = graph_add(p->graph, p->rule[i], &env, &r->node[i], err);
    return e;
}

static int evaluate_rule(struct rules_state *r, uint32_t s, enum rule rule, struct err *err)
{
    struct lookup lookup = {r->market->plane, r->market->symbol_idx[s]};
    uint32_t rows_n = r->market->symbol[s]->bars.rows_n, first_defined = 0;
    int e = graph_eval_bits(r->program->graph, r->node[rule], lookup_series, &lookup, rows_n,
                            r->bits[s].of[rule], &first_defined, err);
    if (e < 0)
        return e;
    uint32_t step = step_of_row(r->market, s, first_defined);
    r->warm_up_step = step > r->warm_up_step ? step : r->warm_up_step;
    return 0;
}

/* The bits of an earlier rule that means the same; NULL if there is none. */
static uint64_t *bits_of_twin(const struct rules_state *r, uint32_t s, enum rule rule)
{
    for (int i = 0; i < (int)rule; i++)
        if (r->program->rule[i] && r->node[i] == r->node[rule])
            return r->bits[s].of[i];
    return NULL;
}

static int evaluate_symbol(struct rules_state *r, uint32_t s, struct container *c, struct err *err)
{
    uint32_t words_n = (r->market->symbol[s]->bars.rows_n + 63) / 64;
    struct rule_bits *b = &r->bits[s];
    b->any = arena_take_zeroed(c->arena, words_n * sizeof *b->any);
    if (!b->any)
        return -ENOMEM;
    for (int i = 0; i < RULE_N; i++) {
        if (!r->program->rule[i])
            continue;
        b->of[i] = bits_of_twin(r, s, (enum rule)i);
        if (b->of[i])
            continue;
        b->of[i] = arena_take(c->arena, words_n * sizeof *b->any);
        if (!b->of[i])
            return -ENOMEM;
        int e = evaluate_rule(r, s, (enum rule)i, err);
        if (e < 0)
            return e;
        for (uint32_t w = 0; w < words_n; w++)
            b->any[w] |= b->of[i][w];
    }
    return 0;
}

static int rules_initialize(void *self, struct container *c, struct err *err)
{
    struct rules_state *r = self;
    const struct component *portfolio = container_find(c, PROTOCOL_PORTFOLIO);
    r->program = container_resolve(c, "strategy_program");
    r->market = container_resolve(c, "market_data");
    r->bus = container_resolve(c, "event_bus");
    if (portfolio)
        r->account = portfolio->type->portfolio->account(portfolio->self);
    r->lane = c->lane;
    r->view = risk_view_of(r->combo); /* to keep quiet where risk would do nothing */
    int e = strategy_program_accepts(r->program, r->combo, err);
    if (e < 0)
        return e;
    r->bits = arena_take_zeroed(c->arena, r->market->symbols_n * sizeof *r->bits);
    if (!r->bits)
        return -ENOMEM;
    e = bind_rules(r, err);
    r->warm_up_step = r->market->first_step;
    for (uint32_t s = 0; e == 0 && s < r->market->symbols_n; s++)
        e = evaluate_symbol(r, s, c, err);
    bool waits = r->program->spec->first_signal == FIRST_SIGNAL_AFTER_WARM_UP;
    r->first_step = waits ? r->warm_up_step + 1 : r->market->first_step;
    return e;
}

static bool bit_of(const uint64_t *bits, uint32_t row)
{
    return bits && (bits[row / 64] >> (row % 64) & 1);
}

static bool is_of_use(const struct rules_state *r, uint32_t s, unsigned kinds)
{
    return (kinds & risk_relevant(&r->view, &r->account->pos[s])) && !r->account->is_bankrupt;
}

/* Rare, and kept out of line so that the quiet bar stays a few instructions. */
static __attribute__((noinline)) void decide(const struct rules_state *r, uint32_t step, uint32_t s,
                                             uint32_t row)
{
    unsigned kinds = 0;
    for (int i = 0; i < RULE_N; i++)
        if (bit_of(r->bits[s].of[i], row))
            kinds |= kind_of_rule[i];
    if (r->account && !is_of_use(r, s, kinds))
        return;
    const struct signal signal = {
        .target_portfolio = r->lane,
        .bar = step,
        .symbol_idx = (uint16_t)s,
        .kinds = (uint16_t)kinds,
        .ref_px = r->market->symbol[s]->bars.close[row],
    };
    bus_publish(r->bus, EVENT_SIGNAL, &signal);
}

static void rules_on_bar(void *self, const void *event)
{
    const struct rules_state *r = self;
    uint32_t step = ((const struct bar_event *)event)->step;
    if (step < r->first_step)
        return;
    for (uint32_t s = 0; s < r->market->symbols_n; s++) {
        int32_t row = market_row(r->market, s, step);
        if (row >= 0 && bit_of(r->bits[s].any, (uint32_t)row))
            decide(r, step, s, (uint32_t)row);
    }
}

static uint32_t rules_warm_up_step(const void *self)
{
    return ((const struct rules_state *)self)->warm_up_step;
}

static_assert(sizeof(struct rules_state) <= RULES_STATE_BYTES, "state of rules");

const struct lifecycle rules_lifecycle = {.initialize = rules_initialize};
const struct configurable rules_configurable = {rules_configure};
const struct signal_generator rules_generator = {rules_on_bar, rules_warm_up_step};

const struct component_type type_rules = {
    .name = "rules",
    .kind = "strategy",
    .what = "Rules written in the configuration: long_entry, long_exit, short_entry, short_exit, "
            "conditions over series and parameters of your own naming.",
    RULES_STRATEGY_FIELDS,
    .optimizable = &(const struct optimizable){NULL},
};
