/* SPDX-License-Identifier: MIT */
/* A container and its life. */
#include "worker/container.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct container *container_create(struct arena *arena, const char *id, struct slot *slot)
{
    struct container *c = arena_take_zeroed(arena, sizeof *c);
    if (!c)
        return NULL;
    (void)snprintf(c->id, sizeof c->id, "%s", id); /* ids are made to fit */
    c->arena = arena;
    c->slot = slot;
    return c;
}

static void tell_phase(const struct container *c, enum slot_phase phase)
{
    if (c->slot) /* read by the supervisor after this process has died: no ordering is needed */
        atomic_store_explicit(&c->slot->phase, (uint32_t)phase, memory_order_relaxed);
}

int container_register_service(struct container *c, const char *name, const void *service)
{
    if (c->services_n == CONTAINER_SERVICES_MAX)
        return -ENOSPC;
    c->service[c->services_n].name = name;
    c->service[c->services_n++].service = service;
    return 0;
}

int container_add(struct container *c, const char *name, const struct component_type *type,
                  const char *const *dependencies, struct err *err)
{
    if (container_component(c, name))
        return err_set(err, ERR_BUG, "container %s: two components are called %s", c->id, name);
    if (c->components_n == CONTAINER_COMPONENTS_MAX)
        return err_set(err, ERR_BUG, "container %s: more than %d components", c->id,
                       CONTAINER_COMPONENTS_MAX);
    struct component *k = &c->component[c->components_n];
    *k = (struct component){.name = name, .type = type};
    for (unsigned i = 0; dependencies && dependencies[i]; i++) {
        if (i == COMPONENT_DEPENDENCIES_MAX)
            return err_set(err, ERR_BUG, "component %s: more than %d dependencies", name,
                           COMPONENT_DEPENDENCIES_MAX);
        k->dependencies[i] = dependencies[i];
    }
    k->self = arena_take_zeroed(c->arena, type->state_bytes);
    if (!k->self)
        return -ENOMEM;
    c->components_n++;
    return 0;
}

const struct component *container_component(const struct container *c, const char *name)
{
    for (uint32_t i = 0; i < c->components_n; i++)
        if (strcmp(c->component[i].name, name) == 0)
            return &c->component[i];
    return NULL;
}

const struct component *container_find(const struct container *c, enum protocol protocol)
{
    for (uint32_t i = 0; i < c->components_n; i++)
        if (component_implements(c->component[i].type, protocol))
            return &c->component[i];
    return NULL;
}

const void *container_resolve(const struct container *c, const char *name)
{
    const struct component *k = container_component(c, name);
    if (k)
        return k->self;
    if (strcmp(name, "event_bus") == 0)
        return &c->bus;
    for (uint32_t i = 0; i < c->services_n; i++)
        if (strcmp(c->service[i].name, name) == 0)
            return c->service[i].service;
    return NULL;
}

/* ---- dependency order ----------------------------------------------------------------------- */

enum visit { VISIT_NEW, VISIT_OPEN, VISIT_DONE };

struct ordering {
    struct container *c;
    enum visit visit[CONTAINER_COMPONENTS_MAX];
    uint32_t n;
};

/* Depth first; the depth is at most CONTAINER_COMPONENTS_MAX. */
static int order_visit(struct ordering *o, uint32_t i, struct err *err)
{
    struct container *c = o->c;
    const struct component *k = &c->component[i];
    if (o->visit[i] == VISIT_DONE)
        return 0;
    if (o->visit[i] == VISIT_OPEN)
        return err_set(err, ERR_BUG, "container %s: the dependencies of %s lead back to it", c->id,
                       k->name);
    o->visit[i] = VISIT_OPEN;
    for (unsigned d = 0; d < COMPONENT_DEPENDENCIES_MAX && k->dependencies[d]; d++) {
        const struct component *need = container_component(c, k->dependencies[d]);
        if (!need)
            return err_set(err, ERR_BUG, "container %s: %s depends on %s, which is not in it",
                           c->id, k->name, k->dependencies[d]);
        int r = order_visit(o, (uint32_t)(need - c->component), err);
        if (r < 0)
            return r;
    }
    o->visit[i] = VISIT_DONE;
    c->order[o->n++] = i;
    return 0;
}

static int order_dependencies(struct container *c, struct err *err)
{
    struct ordering o = {.c = c};
    for (uint32_t i = 0; i < c->components_n; i++) {
        int r = order_visit(&o, i, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- life ----------------------------------------------------------------------------------- */

static int configure_all(struct container *c, const struct container_subject *subject,
                         struct err *err)
{
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < c->components_n; i++) {
        const struct component *k = &c->component[c->order[i]];
        if (k->type->configurable)
            r = k->type->configurable->configure(k->self, subject->combo, subject->spec, err);
    }
    return r;
}

static int initialize_all(struct container *c, struct err *err)
{
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < c->components_n; i++) {
        const struct component *k = &c->component[c->order[i]];
        c->initialized_n = i + 1; /* teardown is due even where initialize fails half-way */
        if (k->type->lifecycle && k->type->lifecycle->initialize)
            r = k->type->lifecycle->initialize(k->self, c, err);
    }
    return r;
}

static int subscribe_all(struct container *c, struct err *err)
{
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < c->components_n; i++) {
        const struct component *k = &c->component[c->order[i]];
        const struct component_type *t = k->type;
        if (t->event_subscriber)
            r = t->event_subscriber->subscribe(k->self, &c->bus);
        if (r == 0 && t->signal_generator)
            r = bus_subscribe(&c->bus, EVENT_BAR, RANK_DECIDE,
                              (struct bus_handler){t->signal_generator->on_bar, k->self, 0});
        if (r == 0 && t->risk_manager)
            r = bus_subscribe(&c->bus, EVENT_SIGNAL, RANK_DECIDE,
                              (struct bus_handler){t->risk_manager->on_signal, k->self, 0});
        if (r == -ENOSPC)
            r = err_set(err, ERR_BUG, "container %s: %s finds no room on the event bus", c->id,
                        k->name);
    }
    return r;
}

int container_initialize(struct container *c, const struct container_subject *subject,
                         struct err *err)
{
    tell_phase(c, PHASE_INITIALIZE);
    int r = order_dependencies(c, err);
    if (r == 0)
        r = configure_all(c, subject, err);
    if (r == 0)
        r = initialize_all(c, err);
    return r ? r : subscribe_all(c, err);
}

void container_start(struct container *c)
{
    tell_phase(c, PHASE_START);
    for (uint32_t i = 0; i < c->components_n; i++) {
        const struct component *k = &c->component[c->order[i]];
        if (k->type->resettable)
            k->type->resettable->reset(k->self);
    }
    for (uint32_t i = 0; i < c->components_n; i++) {
        const struct component *k = &c->component[c->order[i]];
        if (k->type->lifecycle && k->type->lifecycle->start)
            k->type->lifecycle->start(k->self);
    }
    tell_phase(c, PHASE_RUN);
}

void container_stop(struct container *c)
{
    tell_phase(c, PHASE_STOP);
    for (uint32_t i = 0; i < c->components_n; i++) {
        const struct component *k = &c->component[c->order[i]];
        if (k->type->lifecycle && k->type->lifecycle->stop)
            k->type->lifecycle->stop(k->self);
    }
}

void container_teardown(struct container *c)
{
    tell_phase(c, PHASE_TEARDOWN);
    while (c->initialized_n > 0) {
        const struct component *k = &c->component[c->order[--c->initialized_n]];
        if (k->type->lifecycle && k->type->lifecycle->teardown)
            k->type->lifecycle->teardown(k->self);
    }
    c->components_n = 0;
    c->bus = (struct bus){0};
    tell_phase(c, PHASE_NONE);
}
