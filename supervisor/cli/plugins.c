/* SPDX-License-Identifier: MIT */
/* A command's plugins: this process knows their indicators by name; rows come from a process that
 * has bars read-only and whose end, however it comes, is an error here. */
#include "supervisor/cli/plugins.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "proto/units.h"
#include "supervisor/config/describe.h"
#include "supervisor/config/libraries.h"
#include "supervisor/hub/foreign.h"

#define PATIENCE_NS (8 * NS_PER_S) /* of one expression */

static int real_path(const char *given, char ret_path[PATH_MAX], struct err *err)
{
    char shown[512];
    if (!realpath(given, ret_path))
        return err_set_errno(err, ERR_NO_INPUT, errno, "--plugin %s",
                             err_printable(given, shown, sizeof shown));
    return 0;
}

int cli_plugins_take(const struct cli_args *args, struct err *err)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < args->plugins_n; i++) {
        struct library_ref ref;
        char path[PATH_MAX];
        r = real_path(args->plugins[i], path, err);
        if (r < 0)
            return r;
        if (strlen(path) >= sizeof ref.path)
            return err_set(err, ERR_USAGE, "--plugin: the path is longer than %zu bytes",
                           sizeof ref.path - 1);
        memcpy(ref.path, path, strlen(path) + 1);
        r = library_take(&ref, describe_worker_path(), err);
    }
    return r;
}

bool cli_plugins_are_used(const struct graph *graph)
{
    for (uint32_t i = 0; i < graph_nodes_n(graph); i++) {
        struct graph_info info;
        graph_info(graph, i, &info);
        if (info.indicator && info.indicator->library)
            return true;
    }
    return false;
}

/* ---- the plane ------------------------------------------------------------------------------ */

static uint32_t symbol_of(const struct bars *bars, uint32_t symbols_n, const char *name)
{
    uint32_t s = 0;
    while (name && s < symbols_n && strcmp(bars[s].symbol, name) != 0)
        s++;
    return s < symbols_n ? s : 0;
}

/* Each larger timeframe of each symbol once. */
static uint32_t list_clocks(const struct bars *bars, uint32_t symbols_n, const struct graph *graph,
                            struct plane_clock_plan *clocks)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < graph_clocks_n(graph); i++) {
        const struct graph_clock *c = graph_clock(graph, i);
        const struct plane_clock_plan clock = {symbol_of(bars, symbols_n, c->symbol), c->timeframe};
        uint32_t k = 0;
        while (k < n && (clocks[k].symbol_idx != clock.symbol_idx ||
                         !timeframe_equal(clocks[k].timeframe, clock.timeframe)))
            k++;
        if (k == n && c->timeframe.unit != TIMEFRAME_OWN)
            clocks[n++] = clock;
    }
    return n;
}

int cli_plugins_plane(const struct bars *bars, uint32_t symbols_n, const struct graph *graph,
                      struct plane_writer **ret_plane, struct err *err)
{
    uint32_t *first_row = calloc((size_t)symbols_n + 1, sizeof *first_row);
    struct plane_clock_plan *clocks = calloc((size_t)graph_clocks_n(graph) + 1, sizeof *clocks);
    int r = first_row && clocks ? 0 : err_set(err, ERR_SYSTEM, "out of memory for clocks");
    if (r == 0) {
        const struct plane_plan plan = {.symbols_n = symbols_n,
                                        .traded_n = 1,
                                        .bars = bars,
                                        .first_row = first_row,
                                        .clocks_n = list_clocks(bars, symbols_n, graph, clocks),
                                        .clocks = clocks};
        r = plane_create(&plan, ret_plane, err);
    }
    free(first_row);
    free(clocks);
    return r;
}

/* ---- computing ------------------------------------------------------------------------------ */

int cli_plugins_eval(const struct cli_args *args, const struct cli_plugins_call *call, void *out,
                     struct err *err)
{
    const char *libraries[SPEC_LIBRARIES_MAX];
    char paths[SPEC_LIBRARIES_MAX][PATH_MAX];
    uint32_t n = 0, first_defined;
    for (; n < args->plugins_n && n < SPEC_LIBRARIES_MAX; n++) {
        int r = real_path(args->plugins[n], paths[n], err);
        if (r < 0)
            return r;
        libraries[n] = paths[n];
    }
    enum series_dtype dtype = call->is_condition ? SERIES_BITS : SERIES_F64;
    const struct foreign_job job = {.worker_path = describe_worker_path(),
                                    .libraries_n = n,
                                    .libraries = libraries,
                                    .plane = plane_writer_fds(call->plane),
                                    .dtype = dtype,
                                    .series_n = 1,
                                    .key = &call->expr,
                                    .values_bytes = series_bytes(dtype, call->rows_n),
                                    .is_on_own_rows = true,
                                    .patience_ns = PATIENCE_NS};
    return foreign_build(&job, &out, &first_defined, err);
}
