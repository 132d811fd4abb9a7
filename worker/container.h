/* SPDX-License-Identifier: MIT */
/* A container: a scope that owns components, an event bus and their memory, and shares only what it
 * reads.
 *
 *   create → register services → add components → initialize (in dependency order) → start → run →
 * stop → teardown (in reverse) → destroy
 *
 * Names resolve in the container's components first, then in what every container has
 * ("event_bus"), then in the registered services. */
#pragma once

#include "proto/err.h"
#include "shm/slot.h"
#include "worker/arena.h"
#include "worker/bus.h"
#include "worker/component.h"

#define CONTAINER_ID_BYTES         72 /* prefix, number and suffix at their longest */
#define CONTAINER_COMPONENTS_MAX   16
#define CONTAINER_SERVICES_MAX     8
#define COMPONENT_DEPENDENCIES_MAX 4

struct component {
    const char *name;
    const struct component_type *type;
    void *self;
    const char *dependencies[COMPONENT_DEPENDENCIES_MAX]; /* names; NULL ends them */
};

struct market;

struct container {
    char id[CONTAINER_ID_BYTES];
    uint32_t lane;               /* target_portfolio of its signals */
    const struct market *market; /* what it trades; NULL: nothing */
    struct arena *arena;
    struct bus bus;
    struct slot *slot; /* where its phase is told; NULL: nowhere */
    uint32_t components_n, services_n, initialized_n;
    struct component component[CONTAINER_COMPONENTS_MAX];
    uint32_t order[CONTAINER_COMPONENTS_MAX]; /* dependencies first */
    struct {
        const char *name;
        const void *service;
    } service[CONTAINER_SERVICES_MAX];
};

/* What every component is made for. */
struct container_subject {
    const struct combo *combo;
    const struct strategy_spec *spec;
};

/* Memory comes from the arena, which the caller resets after destroy. NULL without memory. */
struct container *container_create(struct arena *arena, const char *id, struct slot *slot);
int container_register_service(struct container *c, const char *name,
                               const void *service) ADMF_MUST_CHECK;
/* Adds a component of `type`; dependencies name other components, present at initialize. */
int container_add(struct container *c, const char *name, const struct component_type *type,
                  const char *const *dependencies, struct err *err) ADMF_MUST_CHECK;
/* Orders the dependency graph (a cycle or a missing name is refused by name), then configures,
 * initializes and subscribes all. On failure container_teardown() is still due. -ENOMEM stays
 * -ENOMEM. */
int container_initialize(struct container *c, const struct container_subject *subject,
                         struct err *err) ADMF_MUST_CHECK;
void container_start(struct container *c);
void container_stop(struct container *c);
/* Of those whose initialize was called (be it in vain), in reverse. */
void container_teardown(struct container *c);

/* A component by name, or the first that implements a protocol; NULL where there is none. */
const struct component *container_component(const struct container *c, const char *name);
const struct component *container_find(const struct container *c, enum protocol protocol);
/* Component state, "event_bus", or a shared service, by name; NULL where there is none. */
const void *container_resolve(const struct container *c, const char *name);
