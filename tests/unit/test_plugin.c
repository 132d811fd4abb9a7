/* SPDX-License-Identifier: MIT */
/* Promise: a library is taken whole or refused with its name and what is wrong with it; its
 * indicators compute as the table's own do. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "shm/indicator/stream.h"
#include "worker/plugin.h"

static const char *path_of(const char *name)
{
    static char path[512];
    (void)snprintf(path, sizeof path, ADMF_PLUGINS "/%s.so", name);
    return path;
}

Test(plugin, what_is_wrong_is_named)
{
    static const struct {
        const char *name, *says;
    } rows[] = {
        {"faulty_abi", "built for ABI version 99, this is 1"},
        {"faulty_sizes", "structs have other sizes"},
        {"faulty_name", "indicator 0 needs a name"},
        {"faulty_twice", "two indicators are called faulty"},
        {"faulty_no_advance", "faulty: it has no advance()"},
        {"faulty_state", "faulty: 1048576 bytes of state"},
        {"faulty_param", "faulty: parameter 0 needs a name and a finite range"},
        {"faulty_warm_up", "faulty: warm_up \"n -\""},
        {"faulty_inputs", "faulty: 9 series chosen"},
        {"faulty_reserved", "crosses_above is a word of expressions"},
        {"faulty_nan", "faulty: parameter 0 needs a name and a finite range"},
        {"faulty_null", "faulty: its 1 parameters have no table"},
        {"faulty_many", "it has 4000000000 indicators"},
        {"faulty_encoding", "every text UTF-8"},
        {"missing", "it cannot be loaded"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct plugin *plugin = NULL;
        struct err err = {0};
        cr_assert_lt(plugin_load(path_of(rows[i].name), &plugin, &err), 0, "%s", rows[i].name);
        cr_expect(strstr(err.text, rows[i].says), "%s: %s", rows[i].name, err.text);
        cr_expect(strstr(err.text, rows[i].name), "the file's name: %s", err.text);
        cr_expect_eq(err.kind, ERR_CONFIG);
        cr_expect_null(plugin);
    }
}

static const struct indicator *row_of(const struct plugin *plugin, const char *name)
{
    size_t n;
    const struct indicator *rows = plugin_indicators(plugin, &n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    cr_assert_fail("no indicator %s", name);
    return NULL;
}

Test(plugin, the_example_computes)
{
    struct plugin *plugin;
    struct err err = {0};
    struct indicator_stream *stream;
    static const double x[] = {1, 2, 3, 2, 4, 4, 4, 4};
    static const double efficiency[] = {NAN, NAN, NAN, 1.0 / 3, 0.5, 1.0 / 3, 1.0, 0.0};
    const double param[] = {3};
    cr_assert_eq(plugin_load(path_of("mine"), &plugin, &err), 0, "%s", err.text);
    cr_expect_str_eq(plugin_name(plugin), "mine");
    cr_expect_str_eq(plugin_version(plugin), "1.0");
    const struct indicator *row = row_of(plugin, "efficiency");
    cr_expect_eq(row->cls, CLASS_ROLLING);
    cr_assert_eq(indicator_stream_create(row, param, &stream), 0);
    for (size_t t = 0; t < sizeof x / sizeof x[0]; t++) {
        double out = -1.0;
        cr_assert_eq(indicator_stream_push(stream, &x[t], (int64_t)t, &out), 0);
        if (isnan(efficiency[t]))
            cr_expect(isnan(out), "row %zu: %g", t, out);
        else
            cr_expect_float_eq(out, efficiency[t], 1e-15, "row %zu: %g", t, out);
    }
    indicator_stream_destroy(stream);
    plugin_unload(plugin);
}
