/* SPDX-License-Identifier: MIT */
/* The shared side of a lockstep wave: opening, steps, fills in lane order. */
#include "worker/lockstep/shared.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker/builtin.h"

/* ---- fills ---------------------------------------------------------------------------------- */

struct lane_emit {
    struct shared *s;
    uint32_t lane;
};

static bool resize(struct fill **array, uint32_t capacity)
{
    struct fill *resized = realloc(*array, capacity * sizeof *resized);
    if (resized)
        *array = resized;
    return resized;
}

static bool fills_grow(struct shared *s)
{
    uint32_t capacity = s->fills_capacity ? 2 * s->fills_capacity : 256;
    if (!resize(&s->fills, capacity) || !resize(&s->ordered, capacity))
        return false;
    s->fills_capacity = capacity;
    return true;
}

static void emit_fill(void *ctx, const struct fill *fill)
{
    const struct lane_emit *e = ctx;
    struct shared *s = e->s;
    struct shared_lane *lane = &s->lanes.lane[e->lane];
    struct trade unused;
    if (lane->account.is_bankrupt)
        return;
    (void)account_apply(&lane->account, fill, &unused);
    lane->is_unsettled |= fill->qty != 0.0;
    if (s->fills_n == s->fills_capacity && !fills_grow(s)) {
        s->is_short_of_memory = true;
        return;
    }
    s->fills[s->fills_n++] = *fill;
    lane->fills_n++;
    bool is_at_that_close = !(fill->flags & FILL_BOOKED_NEXT_BAR) && fill->rule != FILL_RULE_END;
    if (fill->bar == lane->closed_step && is_at_that_close)
        shared_lane_mark(lane, fill->bar);
}

/* Containers fill one after another; the message is in lane order and keeps each portfolio's own.
 * Each lane's place follows from the counts, so that this is linear. */
static void order_fills(struct shared *s)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < s->lanes.n; i++) {
        uint32_t n = s->lanes.lane[i].fills_n;
        s->lanes.lane[i].fills_n = at; /* where the lane's next one goes */
        at += n;
    }
    for (uint32_t i = 0; i < s->fills_n; i++)
        s->ordered[s->lanes.lane[s->fills[i].target_portfolio].fills_n++] = s->fills[i];
    for (uint32_t i = 0; i < s->lanes.n; i++)
        s->lanes.lane[i].fills_n = 0;
}

/* ---- opening: lanes ------------------------------------------------------------------------- */

static int lane_memory(struct shared *s, struct shared_lane *l)
{
    uint32_t n = l->market->symbols_n;
    l->account.symbols_n = n;
    l->account.pos = arena_take_zeroed(&s->arena, n * sizeof *l->account.pos);
    l->account.mark_px = arena_take_zeroed(&s->arena, n * sizeof *l->account.mark_px);
    if (!l->account.pos || !l->account.mark_px)
        return -ENOMEM;
    account_init(&l->account, l->combo->portfolio.initial_capital, l->combo->portfolio.leverage);
    carry_init(&l->carry, &l->combo->execution, l->market);
    risk_reset(&l->view, &l->risk);
    return order_book_init(&l->book, &s->arena, n);
}

static int lane_open(struct shared *s, const struct batch *batch, uint32_t i, struct err *err)
{
    struct shared_lane *l = &s->lanes.lane[i];
    struct market *market;
    const struct combo *c = &batch->combos[i];
    int r = session_market(s->session, c, &market, err);
    struct lane_emit *e = arena_take_zeroed(&s->arena, sizeof *e);
    if (r < 0 || !e)
        return r < 0 ? r : -ENOMEM;
    *e = (struct lane_emit){s, i};
    *l = (struct shared_lane){
        .combo = c,
        .market = market,
        .view = {c, market, &l->account},
        .execution = {c, market, &l->account, &l->book, emit_fill, e, i},
        .closed_step = UINT32_MAX,
        .next_step = UINT32_MAX,
        .watch_step = UINT32_MAX,
        .is_watched = risk_watches(&c->risk),
    };
    return lane_memory(s, l);
}

/* ---- opening: groups and containers --------------------------------------------------------- */

static int compare_groups(const void *a, const void *b)
{
    const struct shared_group *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

/* One group for each distinct number of a run-wide container; a wave has few of a run's. */
static int groups_make(struct shared *s, const uint32_t *numbers, struct shared_groups *ret_groups)
{
    uint32_t n = s->lanes.n;
    struct shared_group *group = arena_take_zeroed(&s->arena, (n + 1) * sizeof *group);
    if (!group)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        group[i].number = numbers[i];
    qsort(group, n, sizeof *group, compare_groups);
    uint32_t distinct = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i == 0 || group[i].number != group[distinct - 1].number)
            group[distinct++].number = group[i].number;
        group[distinct - 1].lanes_n++;
    }
    *ret_groups = (struct shared_groups){group, distinct};
    return 0;
}

static struct shared_group *group_of(const struct shared_groups *groups, uint32_t number)
{
    const struct shared_group wanted = {.number = number};
    return bsearch(&wanted, groups->group, groups->n, sizeof wanted, compare_groups);
}

/* Groups and the lanes of each: `numbers` says which container of the run serves lane i. */
static int groups_fill(struct shared *s, const uint32_t *numbers, struct shared_groups *ret_groups)
{
    struct shared_groups groups;
    int r = groups_make(s, numbers, &groups);
    for (uint32_t i = 0; r == 0 && i < groups.n; i++) {
        struct shared_group *g = &groups.group[i];
        g->lane = arena_take(&s->arena, g->lanes_n * sizeof *g->lane);
        g->lanes_n = 0; /* counted again as they are entered */
        r = g->lane ? 0 : -ENOMEM;
    }
    for (uint32_t i = 0; r == 0 && i < s->lanes.n; i++) {
        struct shared_group *g = group_of(&groups, numbers[i]);
        g->lane[g->lanes_n++] = i;
    }
    if (r == 0)
        *ret_groups = groups;
    return r;
}

/* An order of a risk container goes to the execution container of its portfolio: the pipeline of
 * the plan. */
static void forward_order(void *self, const void *event)
{
    const struct shared *s = self;
    const struct order *order = event;
    uint32_t idx = s->lanes.lane[order->target_portfolio].execution_idx;
    bus_publish(&s->lanes.execution.group[idx].container->bus, EVENT_ORDER, order);
}

static int container_open(struct shared *s, const struct component_type *type,
                          struct shared_group *g, struct err *err)
{
    char id[CONTAINER_ID_BYTES];
    (void)snprintf(id, sizeof id, "%s_%u", type->kind, g->number);
    struct container *c = container_create(&s->arena, id, s->session->slot);
    if (!c)
        return -ENOMEM;
    g->container = c;
    int r = container_register_service(c, "portfolios", &s->lanes_ref);
    if (r == 0)
        r = container_register_service(c, "group", g);
    if (r == 0)
        r = container_add(c, type->name, type, NULL, err);
    if (r == 0)
        r = container_initialize(c, &(const struct container_subject){0}, err);
    if (r == 0)
        container_start(c);
    return r;
}

static int containers_open(struct shared *s, const struct batch *batch, struct err *err)
{
    struct shared_groups *risk = &s->lanes.risk, *execution = &s->lanes.execution;
    int r = groups_fill(s, batch->execution_idx, execution);
    if (r == 0)
        r = groups_fill(s, batch->risk_idx, risk);
    for (uint32_t i = 0; r == 0 && i < execution->n; i++)
        r = container_open(s, &type_shared_broker, &execution->group[i], err);
    for (uint32_t i = 0; r == 0 && i < risk->n; i++) {
        r = container_open(s, &type_shared_risk_manager, &risk->group[i], err);
        if (r == 0)
            r = bus_subscribe(&risk->group[i].container->bus, EVENT_ORDER, RANK_MATCH,
                              (struct bus_handler){forward_order, s, 0});
    }
    for (uint32_t i = 0; r == 0 && i < s->lanes.n; i++) {
        struct shared_lane *l = &s->lanes.lane[i];
        l->risk_idx = (uint32_t)(group_of(risk, batch->risk_idx[i]) - risk->group);
        l->execution_idx =
            (uint32_t)(group_of(execution, batch->execution_idx[i]) - execution->group);
    }
    return r;
}

int shared_open(struct shared *s, struct session *session, const struct batch *batch,
                struct err *err)
{
    *s = (struct shared){.session = session};
    s->lanes_ref = &s->lanes;
    s->lanes.n = batch->n;
    s->lanes.lane = calloc(batch->n + 1, sizeof *s->lanes.lane);
    int r = s->lanes.lane ? 0 : -ENOMEM;
    for (uint32_t i = 0; r == 0 && i < batch->n; i++)
        r = lane_open(s, batch, i, err);
    if (r == 0)
        r = containers_open(s, batch, err);
    if (r == -ENOMEM)
        r = err_set(err, ERR_SYSTEM, "not enough memory for %u portfolios", batch->n);
    return r;
}

static void groups_close(const struct shared_groups *groups)
{
    for (uint32_t i = 0; i < groups->n; i++)
        if (groups->group[i].container)
            container_teardown(groups->group[i].container);
}

void shared_close(struct shared *s)
{
    groups_close(&s->lanes.risk);
    groups_close(&s->lanes.execution);
    free(s->fills);
    free(s->ordered);
    free(s->lanes.lane);
    arena_fini(&s->arena);
}

/* ---- a step --------------------------------------------------------------------------------- */

/* A signal is input: its portfolio, symbol, bar and price must be what this side knows. */
static bool signal_fits(const struct shared *s, const struct signal *g, uint32_t plane_step)
{
    if (g->target_portfolio >= s->lanes.n)
        return false;
    const struct shared_lane *l = &s->lanes.lane[g->target_portfolio];
    const struct market *m = l->market;
    if (g->symbol_idx >= m->symbols_n || g->bar < m->first_step ||
        market_step(m, plane_step) != (int64_t)g->bar)
        return false;
    int64_t row = (int64_t)market_row(m, g->symbol_idx, g->bar) - l->combo->execution.delay;
    return row >= 0 && g->ref_px == m->symbol[g->symbol_idx]->bars.close[row];
}

static int take_signals(struct shared *s, const struct signals *in)
{
    for (uint32_t i = 0; i < in->n; i++) {
        const struct signal *g = &in->signals[i];
        if (!signal_fits(s, g, in->step))
            return -EPROTO;
        uint32_t idx = s->lanes.lane[g->target_portfolio].risk_idx;
        bus_publish(&s->lanes.risk.group[idx].container->bus, EVENT_SIGNAL, g);
    }
    return 0;
}

static void publish_bar(const struct shared_groups *groups, uint32_t plane_step)
{
    const struct bar_event bar = {plane_step};
    for (uint32_t i = 0; i < groups->n; i++)
        bus_publish(&groups->group[i].container->bus, EVENT_BAR, &bar);
}

/* The plane step at which the wave must be asked again, whatever signals come. */
static uint32_t next_step_of(const struct shared *s)
{
    uint32_t next = UINT32_MAX;
    for (uint32_t i = 0; i < s->lanes.n; i++) {
        const struct shared_lane *l = &s->lanes.lane[i];
        uint32_t watch = l->watch_step == UINT32_MAX ? UINT32_MAX : l->watch_step + 1;
        next = l->next_step < next ? l->next_step : next;
        next = watch < next ? watch : next;
    }
    return next;
}

int shared_step(struct shared *s, const struct signals *in, struct fills *ret_fills)
{
    uint32_t steps_n = s->session->plane->steps_n;
    if (in->step >= steps_n || (!in->is_final && in->step + 1 == steps_n))
        return -EPROTO;
    uint32_t step = in->is_final ? in->step : in->step + 1;
    s->fills_n = 0;
    publish_bar(&s->lanes.risk, in->step);
    int r = take_signals(s, in);
    if (r < 0)
        return r;
    s->lanes.is_final = in->is_final;
    publish_bar(&s->lanes.execution, step);
    if (s->is_short_of_memory)
        return -ENOMEM;
    order_fills(s);
    *ret_fills = (struct fills){
        .step = step,
        .is_final = in->is_final,
        .next_step = next_step_of(s),
        .n = s->fills_n,
        .fills = s->ordered,
    };
    return 0;
}
