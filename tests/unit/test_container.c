/* SPDX-License-Identifier: MIT */
/* Promise: a container lives in the order that worker/component.h states, resolves names in the
 * stated order, refuses what cannot be ordered by name, and shares nothing with the next one. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "worker/container.h"

/* ---- probes: component types that write down what is called --------------------------------- */

static char calls[2048];
static const char *failing; /* "a.initialize": that call fails */

static int say(const char *call)
{
    size_t n = strlen(calls);
    (void)snprintf(calls + n, sizeof calls - n, "%s%s", n ? " " : "", call);
    return failing && strcmp(failing, call) == 0 ? -EDOM : 0;
}

struct probe {
    uint64_t bars;
    char untouched[100];
};

#define PROBE(x)                                                                                   \
    static int x##_configure(void *self, const struct combo *combo,                                \
                             const struct strategy_spec *spec, struct err *err)                    \
    {                                                                                              \
        return say(#x ".configure") ? err_set(err, ERR_CONFIG, #x " refuses") : 0;                 \
    }                                                                                              \
    static int x##_initialize(void *self, struct container *c, struct err *err)                    \
    {                                                                                              \
        return say(#x ".initialize") ? err_set(err, ERR_CONFIG, #x " fails") : 0;                  \
    }                                                                                              \
    static void x##_on_bar(void *self, const void *event)                                          \
    {                                                                                              \
        ((struct probe *)self)->bars++;                                                            \
        (void)say(#x ".bar");                                                                      \
    }                                                                                              \
    static int x##_subscribe(void *self, struct bus *bus)                                          \
    {                                                                                              \
        if (say(#x ".subscribe"))                                                                  \
            return -ENOSPC;                                                                        \
        return bus_subscribe(bus, EVENT_BAR, RANK_RECORD,                                          \
                             (struct bus_handler){x##_on_bar, self, 0});                           \
    }                                                                                              \
    static void x##_reset(void *self)                                                              \
    {                                                                                              \
        (void)say(#x ".reset");                                                                    \
    }                                                                                              \
    static void x##_start(void *self)                                                              \
    {                                                                                              \
        (void)say(#x ".start");                                                                    \
    }                                                                                              \
    static void x##_stop(void *self)                                                               \
    {                                                                                              \
        (void)say(#x ".stop");                                                                     \
    }                                                                                              \
    static void x##_teardown(void *self)                                                           \
    {                                                                                              \
        (void)say(#x ".teardown");                                                                 \
    }                                                                                              \
    static const struct component_type type_##x = {                                                \
        .name = #x,                                                                                \
        .kind = "monitor",                                                                         \
        .what = "A probe.",                                                                        \
        .state_bytes = sizeof(struct probe),                                                       \
        .lifecycle = &(const struct lifecycle){x##_initialize, x##_start, x##_stop, x##_teardown}, \
        .configurable = &(const struct configurable){x##_configure},                               \
        .event_subscriber = &(const struct event_subscriber){x##_subscribe},                       \
        .resettable = &(const struct resettable){x##_reset},                                       \
    }

PROBE(a);
PROBE(b);
PROBE(c);

static const struct component_type type_bare = {
    .name = "bare", .kind = "monitor", .what = "Does nothing.", .state_bytes = 1};

static const struct container_subject nobody;

static void add(struct container *c, const struct component_type *type, const char *needs)
{
    struct err err = {0};
    const char *const dependencies[] = {needs, NULL};
    cr_assert_eq(container_add(c, type->name, type, dependencies, &err), 0, "%s", err.text);
}

/* a needs b, b needs c: the order is c b a. */
static struct container *chain(struct arena *arena)
{
    struct container *c = container_create(arena, "test_1", NULL);
    cr_assert_not_null(c);
    add(c, &type_a, "b");
    add(c, &type_b, "c");
    add(c, &type_c, NULL);
    calls[0] = 0;
    failing = NULL;
    return c;
}

/* ---- life ------------------------------------------------------------------------------------ */

Test(container, calls_each_kind_for_all_components_in_dependency_order_before_the_next_kind)
{
    struct arena arena = {0};
    struct err err = {0};
    struct container *c = chain(&arena);
    add(c, &type_bare, "a");
    cr_assert_eq(container_initialize(c, &nobody, &err), 0, "%s", err.text);
    cr_expect_str_eq(calls, "c.configure b.configure a.configure "
                            "c.initialize b.initialize a.initialize "
                            "c.subscribe b.subscribe a.subscribe");
    calls[0] = 0;
    container_start(c);
    cr_expect_str_eq(calls, "c.reset b.reset a.reset c.start b.start a.start");
    calls[0] = 0;
    bus_publish(&c->bus, EVENT_BAR, &(struct bar_event){0});
    cr_expect_str_eq(calls, "c.bar b.bar a.bar");
    calls[0] = 0;
    container_stop(c);
    cr_expect_str_eq(calls, "c.stop b.stop a.stop");
    calls[0] = 0;
    container_teardown(c);
    cr_expect_str_eq(calls, "a.teardown b.teardown c.teardown");
    calls[0] = 0;
    container_teardown(c);
    cr_expect_str_eq(calls, "", "teardown happens once");
    bus_publish(&c->bus, EVENT_BAR, &(struct bar_event){0});
    cr_expect_str_eq(calls, "", "nobody listens after teardown");
    arena_fini(&arena);
}

static const struct {
    const char *failing, *calls;
} failures[] = {
    {"b.configure", "c.configure b.configure"},
    {"b.initialize", "c.configure b.configure a.configure c.initialize b.initialize "
                     "b.teardown c.teardown"},
    {"b.subscribe", "c.configure b.configure a.configure c.initialize b.initialize a.initialize "
                    "c.subscribe b.subscribe a.teardown b.teardown c.teardown"},
};

Test(container, tears_down_only_what_was_initialized_when_something_fails)
{
    for (unsigned i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        struct arena arena = {0};
        struct err err = {0};
        struct container *c = chain(&arena);
        failing = failures[i].failing;
        cr_expect_lt(container_initialize(c, &nobody, &err), 0, "%s", failing);
        cr_expect(strchr(err.text, 'b'), "%s: %s", failing, err.text);
        container_teardown(c);
        cr_expect_str_eq(calls, failures[i].calls, "%s: %s", failing, calls);
        arena_fini(&arena);
    }
}

Test(container, refuses_a_cycle_and_names_the_component)
{
    struct arena arena = {0};
    struct err err = {0};
    struct container *c = container_create(&arena, "test_1", NULL);
    add(c, &type_a, "b");
    add(c, &type_b, "c");
    add(c, &type_c, "b");
    calls[0] = 0;
    cr_expect_lt(container_initialize(c, &nobody, &err), 0);
    cr_expect(strstr(err.text, " b ") && strstr(err.text, "test_1"), "%s", err.text);
    container_teardown(c);
    cr_expect_str_eq(calls, "");
    arena_fini(&arena);
}

Test(container, refuses_a_component_that_needs_itself)
{
    struct arena arena = {0};
    struct err err = {0};
    struct container *c = container_create(&arena, "test_1", NULL);
    add(c, &type_a, "a");
    cr_expect_lt(container_initialize(c, &nobody, &err), 0);
    arena_fini(&arena);
}

Test(container, refuses_a_missing_dependency_by_name)
{
    struct arena arena = {0};
    struct err err = {0};
    struct container *c = container_create(&arena, "test_1", NULL);
    add(c, &type_a, "clearing_house");
    cr_expect_lt(container_initialize(c, &nobody, &err), 0);
    cr_expect(strstr(err.text, "clearing_house") && strstr(err.text, "a depends"), "%s", err.text);
    arena_fini(&arena);
}

Test(container, refuses_two_components_of_one_name)
{
    struct arena arena = {0};
    struct err err = {0};
    struct container *c = container_create(&arena, "test_1", NULL);
    add(c, &type_a, NULL);
    cr_expect_lt(container_add(c, "a", &type_b, NULL, &err), 0);
    cr_expect(strstr(err.text, " a"), "%s", err.text);
    cr_expect_eq(c->components_n, 1);
    arena_fini(&arena);
}

Test(container, holds_no_more_than_its_places)
{
    struct arena arena = {0};
    struct err err = {0};
    struct container *c = container_create(&arena, "test_1", NULL);
    char name[CONTAINER_COMPONENTS_MAX + 1][8];
    for (int i = 0; i <= CONTAINER_COMPONENTS_MAX; i++) {
        (void)snprintf(name[i], sizeof name[i], "n%d", i);
        cr_expect_eq(container_add(c, name[i], &type_bare, NULL, &err) == 0,
                     i < CONTAINER_COMPONENTS_MAX);
    }
    for (int i = 0; i <= CONTAINER_SERVICES_MAX; i++)
        cr_expect_eq(container_register_service(c, name[i], name),
                     i < CONTAINER_SERVICES_MAX ? 0 : -ENOSPC);
    const char *const five[] = {"1", "2", "3", "4", "5", NULL};
    c->components_n = 0;
    cr_expect_lt(container_add(c, "five", &type_bare, five, &err), 0);
    arena_fini(&arena);
}

Test(container, resolves_components_then_the_event_bus_then_services)
{
    struct arena arena = {0};
    struct container *c = container_create(&arena, "test_1", NULL);
    int one = 1, two = 2, three = 3;
    cr_assert_eq(container_register_service(c, "a", &one), 0);
    cr_assert_eq(container_register_service(c, "event_bus", &two), 0);
    cr_assert_eq(container_register_service(c, "clock", &three), 0);
    cr_expect_eq(container_resolve(c, "a"), &one);
    add(c, &type_a, NULL);
    cr_expect_eq(container_resolve(c, "a"), container_component(c, "a")->self);
    cr_expect_eq(container_resolve(c, "event_bus"), &c->bus);
    cr_expect_eq(container_resolve(c, "clock"), &three);
    cr_expect_null(container_resolve(c, "nothing"));
    arena_fini(&arena);
}

Test(container, finds_a_component_by_protocol)
{
    struct arena arena = {0};
    struct container *c = container_create(&arena, "test_1", NULL);
    add(c, &type_bare, NULL);
    add(c, &type_b, NULL);
    cr_expect_str_eq(container_find(c, PROTOCOL_RESETTABLE)->name, "b");
    cr_expect_null(container_find(c, PROTOCOL_PORTFOLIO));
    arena_fini(&arena);
}

/* ---- isolation ------------------------------------------------------------------------------- */

Test(container, two_containers_never_see_each_others_state)
{
    struct arena arena[2] = {{0}};
    struct err err = {0};
    struct container *c[2] = {chain(&arena[0]), chain(&arena[1])};
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(container_initialize(c[i], &nobody, &err), 0);
        container_start(c[i]);
    }
    bus_publish(&c[0]->bus, EVENT_BAR, &(struct bar_event){0});
    cr_expect_eq(((const struct probe *)container_resolve(c[0], "a"))->bars, 1);
    cr_expect_eq(((const struct probe *)container_resolve(c[1], "a"))->bars, 0);
    for (int i = 0; i < 2; i++) {
        container_teardown(c[i]);
        arena_fini(&arena[i]);
    }
}

Test(container, a_fresh_one_has_zeroed_state_though_its_memory_was_used)
{
    struct arena arena = {0};
    for (int round = 0; round < 3; round++) {
        struct container *c = chain(&arena);
        struct probe *p = container_component(c, "a")->self;
        static const struct probe zero;
        cr_expect_eq(memcmp(p, &zero, sizeof zero), 0, "round %d", round);
        cr_expect_eq(c->services_n, 0);
        cr_expect_eq(c->bus.n[EVENT_BAR], 0);
        memset(p, 0xa5, sizeof *p);
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

Test(container, tells_its_phase_in_its_slot)
{
    struct arena arena = {0};
    struct err err = {0};
    struct slot slot = {0};
    struct container *c = container_create(&arena, "test_1", &slot);
    add(c, &type_bare, NULL);
    cr_assert_eq(container_initialize(c, &nobody, &err), 0);
    cr_expect_eq(slot.phase, PHASE_INITIALIZE);
    container_start(c);
    cr_expect_eq(slot.phase, PHASE_RUN);
    container_stop(c);
    cr_expect_eq(slot.phase, PHASE_STOP);
    container_teardown(c);
    cr_expect_eq(slot.phase, PHASE_NONE);
    arena_fini(&arena);
}

/* ---- arena ----------------------------------------------------------------------------------- */

Test(arena, keeps_one_block_after_the_first_round_of_a_kind)
{
    struct arena arena = {0};
    const void *block = NULL;
    size_t total = 0;
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 50; i++) {
            char *p = arena_take(&arena, 10000);
            cr_assert_not_null(p);
            cr_assert_eq((uintptr_t)p % 64, 0);
            memset(p, round, 10000);
        }
        if (round > 0) {
            cr_expect_eq(arena.block, block, "no malloc in round %d", round);
            cr_expect_eq(arena.total_bytes, total);
        }
        arena_reset(&arena);
        block = arena.block;
        total = arena.total_bytes;
    }
    arena_fini(&arena);
    cr_expect_null(arena.block);
    cr_expect_eq(arena.total_bytes, 0);
}

Test(arena, pieces_do_not_overlap_and_zeroed_ones_are_zero)
{
    struct arena arena = {0};
    static const size_t sizes[] = {0, 1, 63, 64, 65, 4096, 65536, 65537, 300000};
    char *piece[9];
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 9; i++) {
            piece[i] = arena_take_zeroed(&arena, sizes[i]);
            cr_assert_not_null(piece[i]);
            for (size_t k = 0; k < sizes[i]; k++)
                cr_assert_eq(piece[i][k], 0);
            memset(piece[i], (int)i + 1, sizes[i]);
        }
        for (unsigned i = 0; i < 9; i++)
            for (size_t k = 0; k < sizes[i]; k++)
                cr_assert_eq(piece[i][k], (char)(i + 1));
        arena_reset(&arena);
    }
    cr_expect_null(arena_take(&arena, SIZE_MAX));
    cr_expect_null(arena_take(&arena, SIZE_MAX / 2 + 1));
    arena_fini(&arena);
}

/* ---- bus ------------------------------------------------------------------------------------- */

static void on_event(void *self, const void *event)
{
    (void)say(self);
}

static int listen_to(struct bus *bus, const char *who, int rank)
{
    return bus_subscribe(bus, EVENT_FILL, rank,
                         (struct bus_handler){on_event, (void *)(uintptr_t)who, 0});
}

Test(bus, calls_handlers_by_rank_and_equal_ranks_as_they_came)
{
    struct bus bus = {0};
    calls[0] = 0;
    cr_assert_eq(listen_to(&bus, "decide", RANK_DECIDE), 0);
    cr_assert_eq(listen_to(&bus, "account", RANK_ACCOUNT), 0);
    cr_assert_eq(listen_to(&bus, "match", RANK_MATCH), 0);
    cr_assert_eq(listen_to(&bus, "account2", RANK_ACCOUNT), 0);
    cr_assert_eq(listen_to(&bus, "match2", RANK_MATCH), 0);
    cr_assert_eq(listen_to(&bus, "record", RANK_RECORD), 0);
    bus_publish(&bus, EVENT_FILL, NULL);
    cr_expect_str_eq(calls, "match match2 account account2 record decide");
    bus_publish(&bus, EVENT_BAR, NULL);
    cr_expect_str_eq(calls, "match match2 account account2 record decide");
}

Test(bus, refuses_the_ninth_handler_and_keeps_the_eight)
{
    struct bus bus = {0};
    for (int i = 0; i < BUS_HANDLERS_MAX; i++)
        cr_assert_eq(listen_to(&bus, "x", i), 0);
    struct bus before = bus;
    cr_expect_eq(listen_to(&bus, "y", 0), -ENOSPC);
    cr_expect_eq(memcmp(&bus, &before, sizeof bus), 0);
}
