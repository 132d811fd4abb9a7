/* SPDX-License-Identifier: MIT */
/* The strategy that is made of rules: conditions over series, evaluated for all bars when it is
 * initialized (one bit a bar), read bar by bar when it runs. Named strategies are this one with
 * rules of their own. */
#include "worker/strategy/rules.h"

#include <assert.h>
#include <errno.h>
#include <math.h>

#include "shm/plane_source.h"
#include "worker/builtin.h"
#include "worker/container.h"
#include "worker/risk/risk.h"
#include "worker/strategy/program.h"

static const unsigned kind_of_rule[RULE_CONDITION_N] = {SIGNAL_LONG_ENTRY, SIGNAL_LONG_EXIT,
                                                        SIGNAL_SHORT_ENTRY, SIGNAL_SHORT_EXIT};

/* Of one symbol. Row r is bit r % 64 of word r / 64. */
struct rule_values {
    uint64_t *of[RULE_CONDITION_N];    /* NULL where there is no rule */
    uint64_t *any;                     /* all of them or-ed, at the rows where they are heard */
    const double *price[RULE_PRICE_N]; /* [rows_n] of the entries; NULL where there is none */
};

struct rules_state {
    const struct combo *combo;
    const struct strategy_program *program;
    const struct market *market;
    const struct bus *bus;
    const struct account *account; /* NULL in a minimal container: every signal is said */
    struct risk_view view;         /* to keep quiet where risk would do nothing */
    struct rule_values *values;    /* [symbols_n] */
    uint32_t node[RULE_N];         /* of the rules, in the program's graph */
    uint32_t lane;
    uint32_t delay; /* rows between a signal and its hearing */
    uint32_t warm_up_step;
    uint32_t first_step;  /* at which it may act */
    bool entries_wait;    /* in the book, while the position is flat */
    bool says_everything; /* the account may change between its mark and this strategy, elsewhere */
};

static int rules_configure(void *self, const struct combo *combo, const struct strategy_spec *spec,
                           struct err *err)
{
    ((struct rules_state *)self)->combo = combo;
    return 0;
}

/* What the rules see of symbol s. */
static struct plane_source source_of(const struct rules_state *r, uint32_t s)
{
    return (struct plane_source){.plane = r->market->plane,
                                 .symbol_idx = r->market->symbol_idx[s],
                                 .hides_series = r->market->is_altered};
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

static void note_warm_up(struct rules_state *r, uint32_t s, uint32_t first_defined)
{
    uint32_t step = step_of_row(r->market, s, first_defined);
    r->warm_up_step = step > r->warm_up_step ? step : r->warm_up_step;
}

static int evaluate_condition(struct rules_state *r, uint32_t s, enum rule rule, struct err *err)
{
    const struct plane_source seen = source_of(r, s);
    const struct graph_source source = plane_source_of(&seen);
    uint32_t first_defined = 0;
    int e = graph_eval_bits(r->program->graph, r->node[rule], &source, r->values[s].of[rule],
                            &first_defined, err);
    if (e == 0)
        note_warm_up(r, s, first_defined);
    return e;
}

/* The bits of an earlier rule that means the same; NULL if there is none. */
static uint64_t *bits_of_twin(const struct rules_state *r, uint32_t s, enum rule rule)
{
    for (int i = 0; i < (int)rule; i++)
        if (r->program->rule[i] && r->node[i] == r->node[rule])
            return r->values[s].of[i];
    return NULL;
}

static int evaluate_conditions(struct rules_state *r, uint32_t s, struct arena *arena,
                               struct err *err)
{
    uint32_t words_n = (r->market->symbol[s]->bars.rows_n + 63) / 64;
    struct rule_values *v = &r->values[s];
    v->any = arena_take_zeroed(arena, words_n * sizeof *v->any);
    if (!v->any)
        return -ENOMEM;
    for (int i = 0; i < RULE_CONDITION_N; i++) {
        if (!r->program->rule[i])
            continue;
        v->of[i] = bits_of_twin(r, s, (enum rule)i);
        if (v->of[i])
            continue;
        v->of[i] = arena_take(arena, words_n * sizeof *v->any);
        if (!v->of[i])
            return -ENOMEM;
        int e = evaluate_condition(r, s, (enum rule)i, err);
        if (e < 0)
            return e;
        for (uint32_t w = 0; w < words_n; w++)
            v->any[w] |= v->of[i][w];
    }
    return 0;
}

/* A series of the symbol's own rows as it stands in the plane; NULL where that is not doubles. */
static const double *stored_price(const struct graph *graph, uint32_t node,
                                  const struct graph_source *source, uint32_t *ret_first_defined)
{
    struct graph_info info;
    struct series_view view;
    graph_info(graph, node, &info);
    if (!info.is_series || info.clock != 0 ||
        !source->series(source->ctx, graph_clock(graph, 0), info.local_key, &view) ||
        view.dtype != SERIES_F64)
        return NULL;
    *ret_first_defined = view.first_defined;
    return view.values;
}

/* A series is read where it stands; anything else is evaluated for all rows. */
static int evaluate_price(struct rules_state *r, uint32_t s, enum rule rule, struct arena *arena,
                          struct err *err)
{
    const struct plane_source seen = source_of(r, s);
    const struct graph_source source = plane_source_of(&seen);
    const struct graph *graph = r->program->graph;
    const double **price = &r->values[s].price[rule - RULE_CONDITION_N];
    uint32_t rows_n = r->market->symbol[s]->bars.rows_n, first_defined = 0;
    *price = stored_price(graph, r->node[rule], &source, &first_defined);
    if (!*price) {
        double *values = arena_take(arena, (rows_n + 1) * sizeof *values);
        if (!values)
            return -ENOMEM;
        int e = graph_eval(graph, r->node[rule], &source, values, &first_defined, err);
        if (e < 0)
            return e;
        *price = values;
    }
    note_warm_up(r, s, first_defined);
    return 0;
}

static int evaluate_symbol(struct rules_state *r, uint32_t s, struct arena *arena, struct err *err)
{
    int e = evaluate_conditions(r, s, arena, err);
    for (int i = RULE_CONDITION_N; e == 0 && i < RULE_N; i++)
        if (r->program->rule[i])
            e = evaluate_price(r, s, (enum rule)i, arena, err);
    return e;
}

static bool bit_of(const uint64_t *bits, uint32_t row)
{
    return bits && (bits[row / 64] >> (row % 64) & 1);
}

/* With a delay, what any rule says is heard `delay` rows later; what was said before the strategy
 * may act, never. */
static void delay_any(const struct rules_state *r, uint32_t s)
{
    uint32_t rows_n = r->market->symbol[s]->bars.rows_n;
    uint64_t *any = r->values[s].any;
    int64_t first = rows_n; /* row at which it may act first */
    for (uint32_t t = r->first_step; t < r->market->steps_n && first == rows_n; t++) {
        int32_t row = market_row(r->market, s, t);
        first = row >= 0 ? row : first;
    }
    for (uint32_t row = rows_n; row-- > 0;) {
        bool is_heard = (int64_t)row - r->delay >= first && bit_of(any, row - r->delay);
        uint64_t bit = UINT64_C(1) << row % 64;
        any[row / 64] = (any[row / 64] & ~bit) | (is_heard ? bit : 0);
    }
}

static void rules_bind_container(struct rules_state *r, struct container *c)
{
    const struct component *portfolio = container_find(c, PROTOCOL_PORTFOLIO);
    const struct execution_cfg *x = &r->combo->execution;
    r->program = container_resolve(c, "strategy_program");
    r->market = container_resolve(c, "market_data");
    r->bus = container_resolve(c, "event_bus");
    if (portfolio)
        r->account = portfolio->type->portfolio->account(portfolio->self);
    r->lane = c->lane;
    r->delay = x->delay;
    r->view = (struct risk_view){r->combo, r->market, r->account};
    r->entries_wait = r->program->has_prices || x->slippage.volume_share > 0.0;
    r->says_everything =
        !r->account || (container_resolve(c, "uplink_queue") && x->fill == FILL_THIS_CLOSE &&
                        risk_watches(&r->combo->risk));
}

static int rules_initialize(void *self, struct container *c, struct err *err)
{
    struct rules_state *r = self;
    rules_bind_container(r, c);
    int e = strategy_program_accepts(r->program, r->combo, err);
    if (e < 0)
        return e;
    r->values = arena_take_zeroed(c->arena, r->market->symbols_n * sizeof *r->values);
    if (!r->values)
        return -ENOMEM;
    e = bind_rules(r, err);
    r->warm_up_step = r->market->first_step;
    for (uint32_t s = 0; e == 0 && s < r->market->symbols_n; s++)
        e = evaluate_symbol(r, s, c->arena, err);
    bool waits = r->program->spec->first_signal == FIRST_SIGNAL_AFTER_WARM_UP;
    r->first_step = waits ? r->warm_up_step + 1 : r->market->first_step;
    for (uint32_t s = 0; e == 0 && r->delay && s < r->market->symbols_n; s++)
        delay_any(r, s);
    return e;
}

/* ---- bars ----------------------------------------------------------------------------------- */

static bool is_of_use(const struct rules_state *r, uint32_t s, unsigned kinds)
{
    if (r->says_everything)
        return kinds;
    return (kinds & risk_relevant(&r->view, &r->account->pos[s], r->entries_wait)) &&
           !r->account->is_bankrupt;
}

/* False where the price is undefined at that row, or none that an order can have. */
static bool take_price(const double *price, uint32_t row, double *ret_px)
{
    if (!price)
        return true;
    *ret_px = price[row];
    return isfinite(*ret_px) && *ret_px > 0.0;
}

/* An entry whose price is not there is not made. */
static void take_prices(const struct rules_state *r, uint32_t s, uint32_t row, struct signal *g)
{
    const double *const *price = r->values[s].price;
    struct order_terms l = {0}, h = {0};
    if (take_price(price[RULE_LONG_LIMIT - RULE_CONDITION_N], row, &l.limit_px) &&
        take_price(price[RULE_LONG_STOP - RULE_CONDITION_N], row, &l.stop_px))
        g->long_terms = l;
    else
        g->kinds &= (uint16_t)~SIGNAL_LONG_ENTRY;
    if (take_price(price[RULE_SHORT_LIMIT - RULE_CONDITION_N], row, &h.limit_px) &&
        take_price(price[RULE_SHORT_STOP - RULE_CONDITION_N], row, &h.stop_px))
        g->short_terms = h;
    else
        g->kinds &= (uint16_t)~SIGNAL_SHORT_ENTRY;
}

static void say(const struct rules_state *r, uint32_t step, uint32_t s, uint32_t row,
                unsigned kinds)
{
    struct signal signal = {
        .target_portfolio = r->lane,
        .bar = step,
        .symbol_idx = (uint16_t)s,
        .kinds = (uint16_t)kinds,
        .ref_px = r->market->symbol[s]->bars.close[row],
    };
    if (r->program->has_prices) {
        take_prices(r, s, row, &signal);
        if (!is_of_use(r, s, signal.kinds))
            return;
    }
    bus_publish(r->bus, EVENT_SIGNAL, &signal);
}

/* Rare, and kept out of line so that the quiet bar stays a few instructions. */
static __attribute__((noinline)) void decide(const struct rules_state *r, uint32_t step, uint32_t s,
                                             uint32_t row)
{
    unsigned kinds = 0;
    row -= r->delay;
    for (int i = 0; i < RULE_CONDITION_N; i++)
        if (bit_of(r->values[s].of[i], row))
            kinds |= kind_of_rule[i];
    if (is_of_use(r, s, kinds))
        say(r, step, s, row, kinds);
}

static void rules_on_bar(void *self, const void *event)
{
    const struct rules_state *r = self;
    uint32_t step = ((const struct bar_event *)event)->step;
    if (step < r->first_step)
        return;
    for (uint32_t s = 0; s < r->market->symbols_n; s++) {
        int32_t row = market_row(r->market, s, step);
        if (row >= 0 && bit_of(r->values[s].any, (uint32_t)row))
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
            "conditions over series and parameters of your own naming; long_limit, long_stop, "
            "short_limit, short_stop, the prices at which their entries wait.",
    RULES_STRATEGY_FIELDS,
    .optimizable = &(const struct optimizable){NULL},
};
