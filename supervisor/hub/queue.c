/* SPDX-License-Identifier: MIT */
/* What is asked for, in the order of asking; arguments before what is made from them. Each queued
 * series stands in two lists: the queue, and that of its group. */
#include "supervisor/hub/hub_parts.h"

/* ---- lists ---------------------------------------------------------------------------------- */

void list_append(struct hub *hub, struct item_list *list, uint32_t i)
{
    struct item *item = &hub->item[i];
    item->prev = list->last;
    item->next = HUB_NONE;
    if (list->last != HUB_NONE)
        hub->item[list->last].next = i;
    else
        list->first = i;
    list->last = i;
}

static void list_prepend(struct hub *hub, struct item_list *list, uint32_t i)
{
    struct item *item = &hub->item[i];
    item->next = list->first;
    item->prev = HUB_NONE;
    if (list->first != HUB_NONE)
        hub->item[list->first].prev = i;
    else
        list->last = i;
    list->first = i;
}

void list_remove(struct hub *hub, struct item_list *list, uint32_t i)
{
    struct item *item = &hub->item[i];
    if (item->prev != HUB_NONE)
        hub->item[item->prev].next = item->next;
    else
        list->first = item->next;
    if (item->next != HUB_NONE)
        hub->item[item->next].prev = item->prev;
    else
        list->last = item->prev;
}

static void group_insert(struct hub *hub, uint32_t i, bool at_head)
{
    struct item_list *group = &hub->group[hub_series_of(hub, i)->group];
    struct item *item = &hub->item[i];
    uint32_t other = at_head ? group->first : group->last;
    item->group_next = at_head ? other : HUB_NONE;
    item->group_prev = at_head ? HUB_NONE : other;
    if (other == HUB_NONE)
        group->first = group->last = i;
    else if (at_head)
        group->first = hub->item[other].group_prev = i;
    else
        group->last = hub->item[other].group_next = i;
}

static void group_remove(struct hub *hub, uint32_t i)
{
    struct item_list *group = &hub->group[hub_series_of(hub, i)->group];
    const struct item *item = &hub->item[i];
    if (item->group_prev != HUB_NONE)
        hub->item[item->group_prev].group_next = item->group_next;
    else
        group->first = item->group_next;
    if (item->group_next != HUB_NONE)
        hub->item[item->group_next].group_prev = item->group_prev;
    else
        group->last = item->group_prev;
}

/* ---- asking --------------------------------------------------------------------------------- */

static void enqueue(struct hub *hub, uint32_t i, bool at_head)
{
    hub->item[i].state = ITEM_QUEUED;
    if (at_head)
        list_prepend(hub, &hub->queue, i);
    else
        list_append(hub, &hub->queue, i);
    group_insert(hub, i, at_head);
    hub->queued_n++;
}

void queue_take(struct hub *hub, uint32_t i)
{
    list_remove(hub, &hub->queue, i);
    group_remove(hub, i);
    hub->queued_n--;
}

void queue_return(struct hub *hub, uint32_t i)
{
    enqueue(hub, i, true);
}

void queue_ask(struct hub *hub, uint32_t i)
{
    struct item *item = &hub->item[i];
    const struct hub_series *series = hub_series_of(hub, i);
    if (item->state == ITEM_UNLINKED) {
        room_relink(hub, i);
        return;
    }
    if (item->state != ITEM_ABSENT)
        return;
    item->waits_n = 0;
    for (uint32_t a = series->args_off; a < series[1].args_off; a++) {
        uint32_t arg = hub->source.args[a];
        queue_ask(hub, arg); /* as deep as series are made of series */
        item->waits_n += item_is_coming(&hub->item[arg]);
    }
    if (item->waits_n > 0)
        item->state = ITEM_WAITING;
    else
        enqueue(hub, i, false);
}

void queue_settle(struct hub *hub, uint32_t i, enum item_state state)
{
    hub->item[i].state = (uint8_t)state;
    for (uint32_t d = hub->dependents_off[i]; d < hub->dependents_off[i + 1]; d++) {
        struct item *dependent = &hub->item[hub->dependents[d]];
        if (dependent->state == ITEM_WAITING && --dependent->waits_n == 0)
            enqueue(hub, hub->dependents[d], true); /* it was asked for before what waits */
    }
}
