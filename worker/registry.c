/* SPDX-License-Identifier: MIT */
/* Component types by name and by protocol. */
#include "worker/registry.h"

#include <errno.h>
#include <string.h>

#include "worker/builtin.h"

static const struct component_type *added[REGISTRY_MAX];
static unsigned added_n;

const char *protocol_name(enum protocol protocol)
{
    static const char *const names[] = {
#define X(symbol, name) name,
        PROTOCOLS(X)
#undef X
    };
    return protocol < PROTOCOL_N ? names[protocol] : "?";
}

const char *capability_name(enum capability capability)
{
    static const char *const names[] = {
#define X(symbol, name) name,
        CAPABILITIES(X)
#undef X
    };
    return capability < CAPABILITY_N ? names[capability] : "?";
}

int component_implements(const struct component_type *t, enum protocol protocol)
{
    const void *const vtable[PROTOCOL_N] = {
        [PROTOCOL_SIGNAL_GENERATOR] = t->signal_generator,
        [PROTOCOL_RISK_MANAGER] = t->risk_manager,
        [PROTOCOL_EXECUTOR] = t->executor,
        [PROTOCOL_PORTFOLIO] = t->portfolio,
        [PROTOCOL_MONITOR] = t->monitor,
        [PROTOCOL_EVENT_SUBSCRIBER] = t->event_subscriber,
        [PROTOCOL_RESETTABLE] = t->resettable,
        [PROTOCOL_OPTIMIZABLE] = t->optimizable,
        [PROTOCOL_CONFIGURABLE] = t->configurable,
    };
    return protocol < PROTOCOL_N && vtable[protocol];
}

int registry_add(const struct component_type *type)
{
    if (registry_find(type->name))
        return -EEXIST;
    if (added_n == REGISTRY_MAX)
        return -ENOSPC;
    added[added_n++] = type;
    return 0;
}

unsigned registry_n(void)
{
    return builtin_types_n + added_n;
}

const struct component_type *registry_at(unsigned i)
{
    return i < builtin_types_n ? builtin_types[i] : added[i - builtin_types_n];
}

const struct component_type *registry_find(const char *name)
{
    for (unsigned i = 0; i < registry_n(); i++)
        if (strcmp(registry_at(i)->name, name) == 0)
            return registry_at(i);
    return NULL;
}

unsigned registry_find_by_protocol(enum protocol protocol, const struct component_type **ret_types,
                                   unsigned most)
{
    unsigned n = 0;
    for (unsigned i = 0; i < registry_n(); i++)
        if (component_implements(registry_at(i), protocol) && n++ < most)
            ret_types[n - 1] = registry_at(i);
    return n;
}
