/* SPDX-License-Identifier: MIT */
/* The request is checked against the file before anything is computed, though it comes from our own
 * supervisor: a wrong offset here would be a crash that nobody understands. */
#include "worker/build.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/build.h"
#include "proto/log.h"
#include "proto/start.h"
#include "shm/expr.h"
#include "shm/graph.h"
#include "shm/plane.h"
#include "shm/plane_source.h"
#include "worker/plugin.h"

struct build {
    struct build_request *request; /* the scratch file */
    struct plane *plane;
    struct graph *graph;
    uint32_t node[BUILD_SERIES_MAX];
    void *out[BUILD_SERIES_MAX];
    struct err err;
};

/* ---- the request ---------------------------------------------------------------------------- */

static int refuse(struct build *b, const char *what)
{
    return err_set(&b->err, ERR_BUG, "request of a builder: %s", what);
}

static int open_request(struct build *b)
{
    struct stat st;
    if (fstat(START_FD_SCRATCH, &st) < 0 || (uint64_t)st.st_size < sizeof *b->request)
        return refuse(b, "the scratch file is too short");
    void *base =
        mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, START_FD_SCRATCH, 0);
    if (base == MAP_FAILED)
        return err_set_errno(&b->err, ERR_SYSTEM, errno, "scratch file of a builder");
    b->request = base;
    if (b->request->magic != BUILD_MAGIC || b->request->size_bytes != (uint64_t)st.st_size)
        return refuse(b, "magic or size are wrong");
    if (b->request->series_n < 1 || b->request->series_n > BUILD_SERIES_MAX ||
        b->request->dtype > SERIES_BITS)
        return refuse(b, "number or type of its series");
    if (getppid() != b->request->asker_pid)
        return refuse(b, "its asker is gone");
    return 0;
}

static int open_plane(struct build *b)
{
    struct plane_fds fds = {.core = START_FD_PLANE, .extents_n = PLANE_EXTENTS_MAX};
    for (int i = 0; i < PLANE_EXTENTS_MAX; i++)
        fds.extent[i] = START_FD_EXTENT_0 + i;
    int r = plane_open(&fds, &b->plane, &b->err);
    if (r == 0 && b->request->symbol_idx >= b->plane->traded_n)
        r = refuse(b, "the symbol");
    return r;
}

/* ---- computing ------------------------------------------------------------------------------ */

/* The rows of a node's clock, or the traded symbol's own. */
static int rows_of(struct build *b, const struct graph_source *source, uint32_t node,
                   uint32_t *ret_rows_n)
{
    struct graph_info info;
    struct clock_view view;
    graph_info(b->graph, node, &info);
    uint32_t clock = b->request->is_on_own_rows ? 0 : info.clock;
    if (!source->clock(source->ctx, graph_clock(b->graph, clock), &view))
        return refuse(b, "the plane has no such bars");
    *ret_rows_n = view.rows_n;
    return 0;
}

static int bind(struct build *b, const struct graph_source *source, uint32_t i)
{
    struct build_series *s = &b->request->series[i];
    struct expr *expr;
    uint32_t rows_n = 0;
    s->key[sizeof s->key - 1] = '\0';
    int r = expr_parse(s->key, &expr, &b->err);
    if (r < 0)
        return r;
    r = graph_add(b->graph, expr, NULL, &b->node[i], &b->err);
    expr_destroy(expr);
    if (r == 0)
        r = rows_of(b, source, b->node[i], &rows_n);
    if (r < 0)
        return r;
    uint64_t size = b->request->size_bytes;
    if (s->values_off % BUILD_ALIGN != 0 || s->values_off < sizeof *b->request ||
        s->values_off > size || s->values_bytes > size - s->values_off ||
        s->values_bytes != series_bytes((enum series_dtype)b->request->dtype, rows_n))
        return refuse(b, "a place that does not fit its series");
    b->out[i] = (uint8_t *)b->request + s->values_off;
    return 0;
}

static int evaluate(struct build *b, const struct graph_source *source, uint32_t *ret_first)
{
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < b->request->series_n; i++)
        r = b->request->dtype == SERIES_BITS
                ? graph_eval_bits(b->graph, b->node[i], source, b->out[i], &ret_first[i], &b->err)
                : graph_eval(b->graph, b->node[i], source, b->out[i], &ret_first[i], &b->err);
    return r;
}

static int compute(struct build *b)
{
    uint32_t n = b->request->series_n, first_defined[BUILD_SERIES_MAX] = {0};
    enum series_dtype dtype = (enum series_dtype)b->request->dtype;
    const struct plane_source plane = {.plane = b->plane, .symbol_idx = b->request->symbol_idx};
    const struct graph_source source = plane_source_of(&plane);
    int r = graph_create(&b->graph) < 0 ? -ENOMEM : 0;
    for (uint32_t i = 0; r == 0 && i < n; i++)
        r = bind(b, &source, i);
    if (r == 0 && b->request->is_on_own_rows)
        r = dtype == SERIES_F32 ? refuse(b, "the type of an expression")
                                : evaluate(b, &source, first_defined);
    else if (r == 0)
        r = graph_compute(b->graph, b->node, n, &source, dtype, b->out, first_defined, &b->err);
    for (uint32_t i = 0; r == 0 && i < n; i++)
        b->request->series[i].first_defined = first_defined[i];
    if (r == 0)
        b->request->done = BUILD_DONE;
    return r;
}

static int use_libraries(struct build *b, int libraries_n, char *const *library)
{
    struct library_spec *specs = calloc((size_t)libraries_n + 1, sizeof *specs);
    int r = specs ? 0 : -ENOMEM;
    for (int i = 0; r == 0 && i < libraries_n; i++)
        (void)snprintf(specs[i].path, sizeof specs[i].path, "%s", library[i]);
    if (r == 0)
        r = plugins_use(specs, (uint32_t)libraries_n, &b->err);
    free(specs);
    return r;
}

int build_main(int libraries_n, char *const *library)
{
    struct build b = {0};
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    log_init("builder");
    int r = open_request(&b);
    if (r == 0)
        r = use_libraries(&b, libraries_n, library);
    if (r == 0)
        r = open_plane(&b);
    if (r == 0)
        r = compute(&b);
    if (r < 0 && b.request)
        (void)snprintf(b.request->why, sizeof b.request->why, "%.250s",
                       b.err.kind != ERR_NONE ? b.err.text : strerror(-r));
    graph_destroy(b.graph);
    plane_close(b.plane);
    return r < 0 ? 1 : 0;
}
