/* SPDX-License-Identifier: MIT */
/* Room in the plane. A series is worth what it would cost to compute it for all who still need it,
 * for each byte that it takes. Values are kept in classes, each the square root of two times the
 * one before, so that taking the least one costs nothing; within a class who came first goes first,
 * and nobody goes for a newcomer of the same class. */
#include <math.h>
#include <time.h>

#include "proto/units.h"
#include "supervisor/hub/hub_parts.h"

#define VALUE_OF_ONE 24                 /* the class of one nanosecond a byte */
#define STALL_NS     INT64_C(200000000) /* that memory on its way is waited for */

double room_cost_ns(const struct hub *hub, uint32_t i)
{
    const struct hub_series *series = hub_series_of(hub, i);
    double measured = hub->kind[series->kind].value_ns;
    return (measured > 0 ? measured : series->value_ns) * series->rows_n;
}

static uint8_t value_of(const struct hub *hub, uint32_t i)
{
    const struct item *item = &hub->item[i];
    double each = room_cost_ns(hub, i) / (double)(hub_series_of(hub, i)->bytes + 1);
    double all = each * (double)(item->users_n + item->needed_n);
    if (!(all > 0))
        return 0;
    double class = VALUE_OF_ONE + floor(2 * log2(all));
    return class < 0 ? 0 : class >= HUB_VALUES ? HUB_VALUES - 1 : (uint8_t) class;
}

/* ---- what arguments are held for ------------------------------------------------------------ */

/* A series that is needed and not there may be made of its arguments still. */
static void update_holds(struct hub *hub, uint32_t i)
{
    struct item *item = &hub->item[i];
    const struct hub_series *series = hub_series_of(hub, i);
    bool holds = item_is_needed(item) && item->state != ITEM_THERE;
    if (holds == item->holds_args)
        return;
    item->holds_args = holds;
    for (uint32_t a = series->args_off; a < series[1].args_off; a++) {
        uint32_t arg = hub->source.args[a];
        if (holds)
            hub->item[arg].needed_n++;
        else
            hub->item[arg].needed_n--;
        room_review(hub, arg);
    }
}

/* ---- shelves -------------------------------------------------------------------------------- */

/* Moves it there; HUB_SHELVES: it cannot be evicted. */
static void shelve(struct hub *hub, uint32_t i, unsigned shelf)
{
    struct item *item = &hub->item[i];
    if (item->shelf == shelf)
        return;
    if (item->shelf < HUB_SHELVES)
        list_remove(hub, &hub->shelf[item->shelf], i);
    item->shelf = (uint8_t)shelf;
    if (shelf < HUB_SHELVES)
        list_append(hub, &hub->shelf[shelf], i);
}

/* ---- going ---------------------------------------------------------------------------------- */

static void unlink_item(struct hub *hub, uint32_t i)
{
    struct item *item = &hub->item[i];
    shelve(hub, i, HUB_SHELVES);
    hub->source.unlink(hub->source.ctx, i);
    item->state = ITEM_UNLINKED;
    item->unlinked_at = hub->begun_n;
    list_append(hub, &hub->unlinked, i);
    hub->unlinked_bytes += hub_series_of(hub, i)->bytes;
    update_holds(hub, i);
}

void room_reclaim(struct hub *hub)
{
    while (hub->unlinked.first != HUB_NONE) {
        uint32_t i = hub->unlinked.first;
        if (hub->oldest && hub->oldest->begun <= hub->item[i].unlinked_at)
            return;
        list_remove(hub, &hub->unlinked, i);
        hub->unlinked_bytes -= hub_series_of(hub, i)->bytes;
        hub->item[i].state = ITEM_ABSENT;
        hub->source.release(hub->source.ctx, i);
    }
}

void room_relink(struct hub *hub, uint32_t i)
{
    struct item *item = &hub->item[i];
    list_remove(hub, &hub->unlinked, i);
    hub->unlinked_bytes -= hub_series_of(hub, i)->bytes;
    hub->source.publish(hub->source.ctx, i, item->first_defined);
    item->state = ITEM_THERE;
    room_review(hub, i);
}

void room_review(struct hub *hub, uint32_t i)
{
    struct item *item = &hub->item[i];
    bool is_free = item->state == ITEM_THERE && item->jobs_n == 0;
    if (is_free && item->pins_n == 0 && !item_is_needed(item)) {
        unlink_item(hub, i);
        hub->stats.released_n++;
        return;
    }
    unsigned pinned = item->pins_n > 0 ? HUB_VALUES : 0;
    shelve(hub, i, is_free ? pinned + value_of(hub, i) : HUB_SHELVES);
    update_holds(hub, i);
}

void room_pinned(struct hub *hub, uint32_t i)
{
    const struct item *item = &hub->item[i];
    if (item->shelf < HUB_SHELVES && item->pins_n > 0)
        shelve(hub, i, HUB_VALUES + item->shelf % HUB_VALUES);
    else
        room_review(hub, i);
}

/* ---- staying -------------------------------------------------------------------------------- */

/* Takes from a shelf until so much is on its way out. Who is reading goes on: an unlinked series
 * stays as long as that. */
static void evict_from(struct hub *hub, unsigned shelf, uint64_t bytes)
{
    while (hub->unlinked_bytes < bytes && hub->shelf[shelf].first != HUB_NONE) {
        unlink_item(hub, hub->shelf[shelf].first);
        hub->stats.evicted_n++;
    }
}

/* What is worth less than a newcomer; of what a batch needs, half as much. */
static void evict_for(struct hub *hub, uint32_t newcomer)
{
    uint64_t bytes = hub_series_of(hub, newcomer)->bytes;
    unsigned value = value_of(hub, newcomer);
    for (unsigned v = 0; v < value; v++)
        evict_from(hub, v, bytes);
    for (unsigned v = 0; v + 1 < value; v++)
        evict_from(hub, HUB_VALUES + v, bytes);
}

enum room room_place(struct hub *hub, uint32_t i, void **ret_out)
{
    void *out = hub->source.place(hub->source.ctx, i);
    if (!out) {
        evict_for(hub, i);
        room_reclaim(hub);
        out = hub->source.place(hub->source.ctx, i);
    }
    if (out) {
        hub->stalled_since_ns = 0;
        *ret_out = out;
        return ROOM_TAKEN;
    }
    if (hub->unlinked_bytes < hub_series_of(hub, i)->bytes)
        return ROOM_NONE;
    int64_t now = mono_now_ns();
    if (hub->stalled_since_ns == 0)
        hub->stalled_since_ns = now;
    return now - hub->stalled_since_ns < STALL_NS ? ROOM_LATER : ROOM_NONE;
}
