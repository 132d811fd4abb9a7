/* SPDX-License-Identifier: MIT */
/* Batches and what they need: pins, users, and what has come of sharing. */
#include "supervisor/hub/hub.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "proto/units.h"
#include "supervisor/hub/hub_parts.h"

#define PATIENCE_NS   INT64_C(5000000000)
#define DROP_PAUSE_NS INT64_C(1000000000)
#define WAIT_TICK_MS  50

enum { MARK_PIN, MARK_COMBINATION };

/* ---- life ----------------------------------------------------------------------------------- */

static bool allocate(struct hub *hub)
{
    const struct hub_source *source = &hub->source;
    size_t n = source->series_n;
    uint32_t args_n = source->series[n].args_off;
    hub->item = calloc(n + 1, sizeof *hub->item);
    hub->dependents_off = calloc(n + 2, sizeof *hub->dependents_off);
    hub->dependents = calloc((size_t)args_n + 1, sizeof *hub->dependents);
    hub->kind = calloc((size_t)source->kinds_n + 1, sizeof *hub->kind);
    hub->group = calloc((size_t)source->groups_n + 1, sizeof *hub->group);
    hub->builder = calloc((size_t)hub->builders_n + 1, sizeof *hub->builder);
    hub->list[0] = calloc(n + 1, sizeof **hub->list);
    hub->list[1] = calloc(n + 1, sizeof **hub->list);
    return hub->item && hub->dependents_off && hub->dependents && hub->kind && hub->group &&
           hub->builder && hub->list[0] && hub->list[1];
}

/* Arguments turned round. */
static void list_dependents(struct hub *hub)
{
    const struct hub_source *source = &hub->source;
    uint32_t *off = hub->dependents_off;
    for (uint32_t a = 0; a < source->series[source->series_n].args_off; a++)
        off[source->args[a] + 2]++;
    for (uint32_t i = 0; i < source->series_n; i++)
        off[i + 2] += off[i + 1];
    for (uint32_t i = 0; i < source->series_n; i++)
        for (uint32_t a = source->series[i].args_off; a < source->series[i + 1].args_off; a++)
            hub->dependents[off[source->args[a] + 1]++] = i;
}

/* What is made from others comes behind them, so that those below know of it in time. */
static void count_needs(struct hub *hub)
{
    const struct hub_source *source = &hub->source;
    for (uint32_t i = source->series_n; i-- > 0;) {
        struct item *item = &hub->item[i];
        item->shelf = HUB_SHELVES;
        item->users_n = source->series[i].users_n;
        item->is_kept = source->series[i].is_estimate;
        item->holds_args = item_is_needed(item);
        for (uint32_t a = source->series[i].args_off;
             item->holds_args && a < source->series[i + 1].args_off; a++) {
            assert(source->args[a] < i);
            hub->item[source->args[a]].needed_n++;
        }
    }
}

static void empty_list(struct item_list *list)
{
    *list = (struct item_list){HUB_NONE, HUB_NONE};
}

int hub_open(const struct hub_options *options, struct hub **ret_hub, struct err *err)
{
    struct hub *hub = calloc(1, sizeof *hub);
    if (!hub)
        return err_set(err, ERR_SYSTEM, "out of memory for the hub");
    hub->source = options->source;
    hub->builders_n = options->builders_n;
    hub->patience_ns = options->patience_ns > 0 ? options->patience_ns : PATIENCE_NS;
    hub->stats.series_n = options->source.series_n;
    hub->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (hub->epoll_fd < 0 || !allocate(hub)) {
        hub_close(hub);
        return err_set(err, ERR_SYSTEM, "out of memory for %u series", options->source.series_n);
    }
    for (uint32_t g = 0; g < hub->source.groups_n; g++)
        empty_list(&hub->group[g]);
    for (unsigned v = 0; v < HUB_SHELVES; v++)
        empty_list(&hub->shelf[v]);
    empty_list(&hub->queue);
    empty_list(&hub->unlinked);
    list_dependents(hub);
    count_needs(hub);
    *ret_hub = hub;
    return 0;
}

void hub_limit(struct hub *hub, uint32_t builders_n)
{
    assert(hub->stats.builders_started_n == 0);
    if (builders_n < hub->builders_n)
        hub->builders_n = builders_n;
}

void hub_close(struct hub *hub)
{
    if (!hub)
        return;
    if (hub->builder)
        jobs_end(hub);
    if (hub->epoll_fd >= 0)
        close(hub->epoll_fd);
    free(hub->item);
    free(hub->dependents_off);
    free(hub->dependents);
    free(hub->kind);
    free(hub->group);
    free(hub->builder);
    free(hub->list[0]);
    free(hub->list[1]);
    free(hub->use);
    free(hub->share);
    free(hub);
}

/* ---- needs ---------------------------------------------------------------------------------- */

/* Marks of a new list; 0 is no list's. */
static void begin_marks(struct hub *hub, int which)
{
    if (++hub->mark[which] != 0)
        return;
    for (uint32_t i = 0; i < hub->source.series_n; i++)
        hub->item[i].mark[which] = 0;
    hub->mark[which] = 1;
}

/* True the first time that a list meets it. */
static bool mark(struct hub *hub, int which, uint32_t i)
{
    if (hub->item[i].mark[which] == hub->mark[which])
        return false;
    hub->item[i].mark[which] = hub->mark[which];
    return true;
}

/* Adds the arguments of what is on a list, to the last of them. Returns its new length. */
static uint32_t add_arguments(struct hub *hub, int which, uint32_t *list, uint32_t n)
{
    const struct hub_source *source = &hub->source;
    for (uint32_t k = 0; k < n; k++)
        for (uint32_t a = source->series[list[k]].args_off;
             a < source->series[list[k] + 1].args_off; a++)
            if (mark(hub, which, source->args[a]))
                list[n++] = source->args[a];
    return n;
}

static int no_memory(struct err *err)
{
    return err_set(err, ERR_SYSTEM, "out of memory for a batch");
}

/* Scratch room for so many combinations. */
static int reserve_uses(struct hub *hub, size_t combos_n, struct err *err)
{
    size_t n = combos_n * (hub->source.needs_most + 1);
    if (n > hub->use_most) {
        uint32_t *bigger = realloc(hub->use, 2 * n * sizeof *bigger);
        if (!bigger)
            return no_memory(err);
        hub->use = bigger;
        hub->use_most = 2 * n;
    }
    if (combos_n > hub->share_most) {
        struct hub_share *bigger = realloc(hub->share, 2 * combos_n * sizeof *bigger);
        if (!bigger)
            return no_memory(err);
        hub->share = bigger;
        hub->share_most = 2 * combos_n;
    }
    return 0;
}

/* What a batch reads, before it is a pin. */
struct need {
    uint32_t wanted_n; /* different ones, in list[0] */
    uint32_t uses_n;   /* in use[], those of all combinations */
    uint32_t combos_n; /* in share[] */
};

/* What one combination reads is wanted; all that it is made of is what it would take and compute by
 * itself. */
static uint32_t add_combination(struct hub *hub, const struct combo *combo, struct need *need)
{
    struct hub_share *share = &hub->share[need->combos_n++];
    uint32_t *use = hub->use + need->uses_n, *own = hub->list[1];
    uint32_t n = hub->source.needs(hub->source.ctx, combo, use);
    assert(n <= hub->source.needs_most);
    begin_marks(hub, MARK_COMBINATION);
    for (uint32_t k = 0; k < n; k++) {
        (void)mark(hub, MARK_COMBINATION, use[k]);
        if (mark(hub, MARK_PIN, use[k]))
            hub->list[0][need->wanted_n++] = use[k];
        own[k] = use[k];
    }
    need->uses_n += n;
    uint32_t all_n = add_arguments(hub, MARK_COMBINATION, own, n);
    *share = (struct hub_share){.series_n = all_n};
    for (uint32_t k = 0; k < all_n; k++) {
        share->values += hub_series_of(hub, own[k])->rows_n;
        share->bytes += hub_series_of(hub, own[k])->bytes;
    }
    return n;
}

/* A pin of what list[0] has, and of all arguments of that; room behind it for the uses. */
static struct hub_pin *pin_make(struct hub *hub, const struct need *need, struct err *err)
{
    uint32_t n = add_arguments(hub, MARK_PIN, hub->list[0], need->wanted_n);
    size_t words = (size_t)n + need->combos_n + 1 + need->uses_n;
    struct hub_pin *pin =
        malloc(sizeof *pin + need->combos_n * sizeof *pin->share + words * sizeof *pin->series);
    if (!pin) {
        (void)no_memory(err);
        return NULL;
    }
    uint32_t *series = (uint32_t *)(pin->share + need->combos_n);
    *pin = (struct hub_pin){
        .wanted_n = need->wanted_n,
        .series_n = n,
        .combos_n = need->combos_n,
        .series = series,
        .use_off = series + n,
        .use = series + n + need->combos_n + 1,
    };
    memcpy(series, hub->list[0], n * sizeof *series);
    if (need->combos_n > 0)
        memcpy(pin->share, hub->share, need->combos_n * sizeof *pin->share);
    if (need->uses_n > 0)
        memcpy(pin->use, hub->use, need->uses_n * sizeof *pin->use);
    return pin;
}

static void pin_take(struct hub *hub, struct hub_pin *pin)
{
    for (uint32_t k = 0; k < pin->series_n; k++) {
        struct item *item = &hub->item[pin->series[k]];
        if (item->pins_n++ == 0)
            room_pinned(hub, pin->series[k]);
    }
    for (uint32_t k = 0; k < pin->wanted_n; k++)
        queue_ask(hub, pin->series[k]);
    jobs_turn(hub);
}

int hub_need(struct hub *hub, const struct combo *combos, uint32_t n, struct hub_pin **ret_pin,
             struct err *err)
{
    struct need need = {0};
    *ret_pin = NULL;
    if (!hub)
        return 0;
    int r = reserve_uses(hub, n, err);
    if (r < 0)
        return r;
    uint32_t *use_n = hub->use + (size_t)n * hub->source.needs_most; /* [n] */
    begin_marks(hub, MARK_PIN);
    for (uint32_t c = 0; c < n; c++)
        use_n[c] = add_combination(hub, &combos[c], &need);
    struct hub_pin *pin = pin_make(hub, &need, err);
    if (!pin)
        return -ENOMEM;
    pin->use_off[0] = 0;
    for (uint32_t c = 0; c < n; c++)
        pin->use_off[c + 1] = pin->use_off[c] + use_n[c];
    pin_take(hub, pin);
    *ret_pin = pin;
    return 0;
}

int hub_need_all(struct hub *hub, struct hub_pin **ret_pin, struct err *err)
{
    struct need need = {.wanted_n = hub->source.series_n};
    begin_marks(hub, MARK_PIN);
    for (uint32_t i = 0; i < hub->source.series_n; i++) {
        (void)mark(hub, MARK_PIN, i);
        hub->list[0][i] = i;
    }
    struct hub_pin *pin = pin_make(hub, &need, err);
    if (!pin)
        return -ENOMEM;
    pin_take(hub, pin);
    *ret_pin = pin;
    return 0;
}

bool hub_is_ready(const struct hub *hub, struct hub_pin *pin)
{
    while (pin && pin->ready_n < pin->wanted_n &&
           !item_is_coming(&hub->item[pin->series[pin->ready_n]]))
        pin->ready_n++;
    return !pin || pin->ready_n == pin->wanted_n;
}

/* ---- batches -------------------------------------------------------------------------------- */

void count_begin(struct hub *hub)
{
    begin_marks(hub, MARK_COMBINATION);
}

uint64_t count_absent(struct hub *hub, uint32_t i)
{
    const struct hub_series *series = hub_series_of(hub, i);
    if (!mark(hub, MARK_COMBINATION, i) || hub->item[i].state == ITEM_THERE)
        return 0;
    hub->stats.recomputed_n++;
    hub->stats.calculations += series->rows_n;
    return series->private_bytes + count_absent_args(hub, i);
}

uint64_t count_absent_args(struct hub *hub, uint32_t i)
{
    const struct hub_series *series = hub_series_of(hub, i);
    uint64_t bytes = 0;
    for (uint32_t a = series->args_off; a < series[1].args_off; a++)
        bytes += count_absent(hub, hub->source.args[a]);
    return bytes;
}

static uint64_t private_bytes_of(struct hub *hub, const struct hub_pin *pin, uint32_t k)
{
    uint64_t bytes = 0;
    count_begin(hub);
    for (uint32_t u = pin->use_off[k]; u < pin->use_off[k + 1]; u++)
        bytes += count_absent(hub, pin->use[u]);
    return bytes;
}

static bool is_whole(const struct hub *hub, const struct hub_pin *pin)
{
    for (uint32_t k = 0; k < pin->wanted_n; k++)
        if (hub->item[pin->series[k]].state != ITEM_THERE)
            return false;
    return true;
}

void hub_begin(struct hub *hub, struct hub_pin *pin)
{
    struct hub_stats *stats = &hub->stats;
    pin->begun = ++hub->begun_n;
    pin->evicted_n = stats->evicted_n;
    pin->prev = hub->newest;
    if (hub->newest)
        hub->newest->next = pin;
    else
        hub->oldest = pin;
    hub->newest = pin;
    bool has_all = is_whole(hub, pin);
    for (uint32_t k = 0; !has_all && k < pin->combos_n; k++) {
        uint64_t bytes = private_bytes_of(hub, pin, k);
        pin->private_bytes = bytes > pin->private_bytes ? bytes : pin->private_bytes;
    }
    hub->private_bytes += pin->private_bytes;
    if (hub->private_bytes > stats->private_bytes_peak)
        stats->private_bytes_peak = hub->private_bytes;
}

static void end_batch(struct hub *hub, const struct hub_pin *pin)
{
    if (pin->prev)
        pin->prev->next = pin->next;
    else
        hub->oldest = pin->next;
    if (pin->next)
        pin->next->prev = pin->prev;
    else
        hub->newest = pin->prev;
    hub->private_bytes -= pin->private_bytes;
}

void hub_unpin(struct hub *hub, struct hub_pin *pin)
{
    if (!pin)
        return;
    if (pin->begun)
        end_batch(hub, pin);
    for (uint32_t k = 0; k < pin->series_n; k++) {
        struct item *item = &hub->item[pin->series[k]];
        if (--item->pins_n == 0)
            room_pinned(hub, pin->series[k]);
    }
    room_reclaim(hub);
    free(pin);
}

static void settle(struct hub *hub, const uint32_t *use, uint32_t n)
{
    for (uint32_t k = 0; k < n; k++) {
        struct item *item = &hub->item[use[k]];
        if (item->users_n == 0)
            continue;
        item->users_n--;
        if ((item->users_n & (item->users_n - 1)) == 0) /* as values come in classes */
            room_review(hub, use[k]);
    }
}

/* What went while the batch was at work may not have been found any more by combination k. */
static void count_gone(struct hub *hub, const struct hub_pin *pin, uint32_t k)
{
    count_begin(hub);
    for (uint32_t u = pin->use_off[k]; u < pin->use_off[k + 1]; u++)
        if (hub->item[pin->use[u]].unlinked_at >= pin->begun)
            (void)count_absent(hub, pin->use[u]);
}

void hub_settled(struct hub *hub, const struct hub_pin *pin, uint32_t k)
{
    struct hub_stats *stats = &hub->stats;
    assert(k < pin->combos_n);
    uint32_t n = pin->use_off[k + 1] - pin->use_off[k];
    stats->users_n += pin->share[k].series_n;
    stats->naive_calculations += pin->share[k].values;
    stats->naive_bytes += pin->share[k].bytes;
    if (pin->begun && stats->evicted_n > pin->evicted_n)
        count_gone(hub, pin, k);
    settle(hub, pin->use + pin->use_off[k], n);
}

void hub_settled_combo(struct hub *hub, const struct combo *combo)
{
    uint32_t n = hub->source.needs(hub->source.ctx, combo, hub->list[1]);
    settle(hub, hub->list[1], n);
}

/* ---- turns ---------------------------------------------------------------------------------- */

int hub_poll_fd(const struct hub *hub)
{
    return hub->epoll_fd;
}

static void drop_idle(struct hub *hub)
{
    uint64_t to_come = 0;
    for (uint32_t i = 0; i < hub->source.series_n; i++)
        if (item_is_needed(&hub->item[i]) && hub->item[i].state != ITEM_THERE)
            to_come += hub_series_of(hub, i)->bytes;
    hub->source.drop_idle(hub->source.ctx, to_come);
}

void hub_turn(struct hub *hub)
{
    jobs_turn(hub);
    uint64_t gone_n = hub->stats.released_n + hub->stats.evicted_n;
    int64_t now = mono_now_ns();
    if (!hub->source.drop_idle || gone_n == hub->gone_n || now - hub->dropped_ns < DROP_PAUSE_NS)
        return;
    hub->gone_n = gone_n;
    hub->dropped_ns = now;
    drop_idle(hub);
}

bool hub_wait(struct hub *hub, struct hub_pin *pin, int timeout_ms)
{
    int64_t until_ns = mono_now_ns() + (int64_t)timeout_ms * 1000000;
    for (hub_turn(hub); !hub_is_ready(hub, pin); hub_turn(hub)) {
        int64_t left_ms = (until_ns - mono_now_ns()) / 1000000;
        if (left_ms <= 0)
            return false;
        struct pollfd wait = {.fd = hub->epoll_fd, .events = POLLIN};
        (void)poll(&wait, 1, left_ms < WAIT_TICK_MS ? (int)left_ms : WAIT_TICK_MS);
    }
    return true;
}

void hub_stats(struct hub *hub, struct hub_stats *ret_stats)
{
    struct hub_stats s = hub->stats;
    s.bytes_now = hub->source.bytes_now(hub->source.ctx);
    s.build_s = (double)hub->cpu_ns / 1e9;
    if (s.naive_calculations > s.calculations)
        s.calculations_saved = s.naive_calculations - s.calculations;
    if (s.naive_calculations > 0)
        s.efficiency = (double)s.calculations_saved / (double)s.naive_calculations;
    if (s.calculations > 0)
        s.computing_speedup = (double)s.naive_calculations / (double)s.calculations;
    s.held_peak = hub->source.held_peak ? hub->source.held_peak(hub->source.ctx) : s.bytes_peak;
    uint64_t held = s.held_peak + s.private_bytes_peak;
    if (s.naive_bytes > held)
        s.memory_saved_frac = 1.0 - (double)held / (double)s.naive_bytes;
    *ret_stats = s;
}
