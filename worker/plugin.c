/* SPDX-License-Identifier: MIT */
/* A library's tables, checked and turned into rows of ours. */
#include "worker/plugin.h"

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/spec.h"
#include "shm/expr.h"
#include "worker/admf_component.h"

#define INDICATORS_MAX  256
#define TEXT_BYTES_MAX  1024
#define SERIES_ARGS_MAX 3
#define ERRNO_MAX       4095

/* What the adapter hands on. */
struct foreign {
    const struct admf_indicator *own;
    unsigned inputs_n;
};

struct plugin {
    void *handle;
    char *path;
    const struct admf_library *library;
    struct indicator *rows;
    struct foreign *foreign;
    size_t rows_n;
};

/* ---- calling -------------------------------------------------------------------------------- */

/* Rows [at, at + n) of a span, which lie in one tile. */
static int call_tile(const struct foreign *f, const struct indicator_span *span, uint32_t at,
                     uint32_t n)
{
    const double *input[INDICATOR_INPUTS_MAX] = {NULL};
    double *out[INDICATOR_OUTPUTS_MAX] = {NULL};
    for (unsigned i = 0; i < f->inputs_n; i++)
        input[i] = span->input[i] + at;
    for (unsigned o = 0; o < f->own->outputs_n; o++)
        out[o] = span->out[o] ? span->out[o] + at : NULL;
    const struct admf_span own = {
        .size_bytes = sizeof own,
        .row = span->row + at,
        .rows_n = n,
        .inputs_n = f->inputs_n,
        .outputs_n = f->own->outputs_n,
        .params_n = f->own->params_n,
        .input = input,
        .time_ns = span->time_ns ? span->time_ns + at : NULL,
        .param = span->param,
        .state = f->own->state_bytes ? span->state : NULL,
        .out = out,
    };
    if (f->own->cls == ADMF_ROLLING && own.state && own.row % ADMF_TILE_ROWS == 0)
        memset(span->state, 0, f->own->state_bytes);
    int r = f->own->advance(&own);
    return r > 0 || r < -ERRNO_MAX ? -EIO : r;
}

/* Spans are cut where tiles begin: what a rolling indicator is promised does not depend on who
 * calls. */
static int call_foreign(const void *foreign, const struct indicator_span *span)
{
    int r = 0;
    for (uint32_t at = 0, n; r == 0 && at < span->rows_n; at += n) {
        uint32_t left = span->rows_n - at;
        n = ADMF_TILE_ROWS - (span->row + at) % ADMF_TILE_ROWS;
        n = n < left ? n : left;
        r = call_tile(foreign, span, at, n);
    }
    return r;
}

/* ---- checking ------------------------------------------------------------------------------- */

static int refuse(const struct plugin *p, struct err *err, const char *fmt, ...) ADMF_PRINTF(3, 4);

static int refuse(const struct plugin *p, struct err *err, const char *fmt, ...)
{
    char path[512], what[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return err_set(err, ERR_CONFIG, "plugin %s: %s", err_printable(p->path, path, sizeof path),
                   what);
}

/* UTF-8 without control characters, of a bearable length. */
static bool is_text(const char *text)
{
    char shown[4 * TEXT_BYTES_MAX];
    return text && strnlen(text, TEXT_BYTES_MAX) < TEXT_BYTES_MAX &&
           strcmp(err_printable(text, shown, sizeof shown), text) == 0;
}

static bool is_name(const char *text)
{
    if (!is_text(text) || strlen(text) >= SPEC_NAME_BYTES || !islower((unsigned char)text[0]))
        return false;
    for (const char *c = text; *c; c++)
        if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '_')
            return false;
    return true;
}

/* Names that expressions have taken for themselves. */
static bool is_reserved(const char *name)
{
    static const char *const words[] = {"and",           "or",           "not", "shift",
                                        "crosses_above", "crosses_below"};
    const char *const *columns;
    size_t n = expr_columns(&columns);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i], name) == 0)
            return true;
    for (size_t i = 0; i < n; i++)
        if (strcmp(columns[i], name) == 0)
            return true;
    return false;
}

static unsigned words_n(const char *text)
{
    unsigned n = 0;
    for (const char *at = text ? text : ""; *at;) {
        at += strspn(at, " ");
        n += *at != '\0';
        at += strcspn(at, " ");
    }
    return n;
}

static int take_params(const struct plugin *p, const struct admf_indicator *own,
                       struct indicator *row, struct err *err)
{
    if (own->params_n > 0 && !own->params)
        return refuse(p, err, "%s: its %u parameters have no table", own->name, own->params_n);
    if (own->params_n > INDICATOR_PARAMS_MAX)
        return refuse(p, err, "%s: %u parameters, at most %d are taken", own->name, own->params_n,
                      INDICATOR_PARAMS_MAX);
    row->params_n = own->params_n;
    for (unsigned i = 0; i < own->params_n; i++) {
        const struct admf_param *param = &own->params[i];
        if (!is_name(param->name) || !(param->minimum <= param->maximum) ||
            !isfinite(param->minimum) || !isfinite(param->maximum))
            return refuse(p, err, "%s: parameter %u needs a name and a finite range", own->name, i);
        row->params[i] = (struct indicator_param){.name = param->name,
                                                  .minimum = param->minimum,
                                                  .maximum = param->maximum,
                                                  .is_whole = param->is_whole != 0};
        for (unsigned k = 0; k < i; k++)
            if (strcmp(row->params[k].name, param->name) == 0)
                return refuse(p, err, "%s: two parameters are called %s", own->name, param->name);
    }
    return 0;
}

static int take_outputs(const struct plugin *p, const struct admf_indicator *own,
                        struct indicator *row, struct err *err)
{
    if (own->outputs_n < 1 || own->outputs_n > INDICATOR_OUTPUTS_MAX)
        return refuse(p, err, "%s: %u outputs, 1 to %d are taken", own->name, own->outputs_n,
                      INDICATOR_OUTPUTS_MAX);
    if (own->outputs_n > 1 && !own->outputs)
        return refuse(p, err, "%s: its %u outputs need names", own->name, own->outputs_n);
    row->outputs_n = own->outputs_n;
    for (unsigned i = 0; i < own->outputs_n; i++) {
        row->outputs[i] = own->outputs ? own->outputs[i] : own->name;
        if (!is_name(row->outputs[i]))
            return refuse(p, err, "%s: output %u needs a name of a-z, 0-9 and _", own->name, i);
        for (unsigned k = 0; k < i; k++)
            if (strcmp(row->outputs[k], row->outputs[i]) == 0)
                return refuse(p, err, "%s: two outputs are called %s", own->name, row->outputs[i]);
    }
    return 0;
}

static bool is_param(const struct indicator *row, const char *name)
{
    for (unsigned i = 0; i < row->params_n; i++)
        if (strcmp(row->params[i].name, name) == 0)
            return true;
    return false;
}

/* A number made of parameters and numbers. */
static int check_warm_up(const struct plugin *p, const struct indicator *row, struct err *err)
{
    struct err why = {0};
    struct expr *expr;
    const char *const *names;
    int r = 0;
    if (expr_parse(row->warm_up_text, &expr, &why) < 0)
        return refuse(p, err, "%s: warm_up \"%.60s\": %s", row->name, row->warm_up_text, why.text);
    size_t n = expr_names(expr, &names);
    if (expr_is_condition(expr))
        r = refuse(p, err, "%s: warm_up \"%.60s\" is a condition, expected a number of rows",
                   row->name, row->warm_up_text);
    for (size_t i = 0; r == 0 && i < n; i++)
        if (!is_param(row, names[i]))
            r = refuse(p, err, "%s: warm_up \"%.60s\": %.60s is no parameter of it", row->name,
                       row->warm_up_text, names[i]);
    expr_destroy(expr);
    return r;
}

/* Each implied series must be readable, and a number. */
static int check_implied(const struct plugin *p, const struct indicator *row, struct err *err)
{
    char text[TEXT_BYTES_MAX];
    struct err why = {0};
    struct expr *expr;
    (void)snprintf(text, sizeof text, "%s", row->implied ? row->implied : "");
    char *rest = text;
    for (char *word; (word = strtok_r(rest, " ", &rest));) {
        if (expr_parse(word, &expr, &why) < 0)
            return refuse(p, err, "%s: implied \"%.60s\": %s", row->name, word, why.text);
        bool is_condition = expr_is_condition(expr);
        expr_destroy(expr);
        if (is_condition)
            return refuse(p, err, "%s: implied \"%.60s\" is a condition, expected a series",
                          row->name, word);
    }
    return 0;
}

static int check_shape(const struct plugin *p, const struct admf_indicator *own, struct err *err)
{
    if (!is_text(own->warm_up) || !is_text(own->formula) ||
        (own->source && !is_text(own->source)) || (own->implied && !is_text(own->implied)))
        return refuse(p, err,
                      "%s: warm_up and formula must be there, and every text UTF-8 of one line "
                      "and of at most %d bytes",
                      own->name, TEXT_BYTES_MAX - 1);
    unsigned inputs_n = own->series_args_n + words_n(own->implied);
    if (own->series_args_n > SERIES_ARGS_MAX || inputs_n < 1 || inputs_n > INDICATOR_INPUTS_MAX)
        return refuse(
            p, err, "%s: %u series chosen and %u in all, at most %d and 1 to %d are taken",
            own->name, own->series_args_n, inputs_n, SERIES_ARGS_MAX, INDICATOR_INPUTS_MAX);
    if (own->cls > ADMF_RECURSIVE)
        return refuse(p, err, "%s: class %u is none", own->name, own->cls);
    if (own->state_bytes > ADMF_STATE_BYTES_MAX || (own->cls == ADMF_STATELESS && own->state_bytes))
        return refuse(p, err, "%s: %u bytes of state, at most %u are taken, and none if stateless",
                      own->name, own->state_bytes, ADMF_STATE_BYTES_MAX);
    if (!own->advance)
        return refuse(p, err, "%s: it has no advance()", own->name);
    return 0;
}

static int take_indicator(struct plugin *p, size_t i, struct err *err)
{
    const struct admf_indicator *own = &p->library->indicators[i];
    struct indicator *row = &p->rows[i];
    if (!is_name(own->name))
        return refuse(p, err, "indicator %zu needs a name of a-z, 0-9 and _, the first a letter",
                      i);
    if (is_reserved(own->name))
        return refuse(p, err, "%s is a word of expressions: rename the indicator", own->name);
    for (size_t k = 0; k < i; k++)
        if (strcmp(p->rows[k].name, own->name) == 0)
            return refuse(p, err, "two indicators are called %s", own->name);
    int r = check_shape(p, own, err);
    if (r < 0)
        return r;
    p->foreign[i] = (struct foreign){own, own->series_args_n + words_n(own->implied)};
    *row = (struct indicator){
        .name = own->name,
        .cls = (enum indicator_class)own->cls,
        .series_args_n = own->series_args_n,
        .implied = own->implied,
        .warm_up_text = own->warm_up,
        .formula = own->formula,
        .source = own->source ? own->source : p->library->name,
        .library = p->path,
        .lookback = own->lookback,
        .state_bytes = own->state_bytes,
        .uses_time = true,
        .advance_foreign = call_foreign,
        .foreign = &p->foreign[i],
    };
    r = take_params(p, own, row, err);
    if (r == 0)
        r = take_outputs(p, own, row, err);
    if (r == 0)
        r = check_warm_up(p, row, err);
    return r == 0 ? check_implied(p, row, err) : r;
}

static int check_library(const struct plugin *p, struct err *err)
{
    const struct admf_library *l = p->library;
    if (l->abi_version != ADMF_ABI_VERSION)
        return refuse(p, err, "it was built for ABI version %u, this is %u: build it again",
                      l->abi_version, ADMF_ABI_VERSION);
    if (l->size_bytes != sizeof *l || l->indicator_size_bytes != sizeof *l->indicators ||
        l->param_size_bytes != sizeof(struct admf_param))
        return refuse(p, err,
                      "its structs have other sizes than ABI version %u says: build it "
                      "again with the installed admf_component.h",
                      ADMF_ABI_VERSION);
    if (!is_text(l->name) || !is_text(l->version))
        return refuse(p, err,
                      "it has no name or no version of one line in UTF-8 of at most %d bytes",
                      TEXT_BYTES_MAX - 1);
    if (l->indicators_n > INDICATORS_MAX || (l->indicators_n > 0 && !l->indicators))
        return refuse(p, err, "it has %u indicators, at most %d are taken", l->indicators_n,
                      INDICATORS_MAX);
    return 0;
}

/* ---- life ----------------------------------------------------------------------------------- */

static int open_library(struct plugin *p, struct err *err)
{
    char why[256];
    p->handle = dlopen(p->path, RTLD_NOW | RTLD_LOCAL);
    if (!p->handle)
        return refuse(p, err, "it cannot be loaded: %s", err_printable(dlerror(), why, sizeof why));
    p->library = dlsym(p->handle, ADMF_LIBRARY_SYMBOL);
    if (!p->library)
        return refuse(p, err,
                      "it has no symbol %s; end it with ADMF_LIBRARY(name, version, "
                      "indicators)",
                      ADMF_LIBRARY_SYMBOL);
    return check_library(p, err);
}

static int take_all(struct plugin *p, struct err *err)
{
    int r = 0;
    p->rows_n = p->library->indicators_n;
    p->rows = calloc(p->rows_n + 1, sizeof *p->rows);
    p->foreign = calloc(p->rows_n + 1, sizeof *p->foreign);
    if (!p->rows || !p->foreign)
        return err_set(err, ERR_SYSTEM, "out of memory for a plugin");
    for (size_t i = 0; r == 0 && i < p->rows_n; i++)
        r = take_indicator(p, i, err);
    return r;
}

int plugin_load(const char *path, struct plugin **ret_plugin, struct err *err)
{
    struct plugin *p = calloc(1, sizeof *p);
    /* A name without a slash would be looked for where the system's libraries are. */
    if (!p || asprintf(&p->path, "%s%s", strchr(path, '/') ? "" : "./", path) < 0) {
        free(p);
        return err_set(err, ERR_SYSTEM, "out of memory for a plugin");
    }
    int r = open_library(p, err);
    if (r == 0)
        r = take_all(p, err);
    if (r < 0) {
        plugin_unload(p);
        return r;
    }
    *ret_plugin = p;
    return 0;
}

void plugin_unload(struct plugin *plugin)
{
    if (!plugin)
        return;
    if (plugin->handle)
        (void)dlclose(plugin->handle);
    free(plugin->rows);
    free(plugin->foreign);
    free(plugin->path);
    free(plugin);
}

const char *plugin_name(const struct plugin *plugin)
{
    return plugin->library->name;
}

const char *plugin_version(const struct plugin *plugin)
{
    return plugin->library->version;
}

const struct indicator *plugin_indicators(const struct plugin *plugin, size_t *ret_n)
{
    *ret_n = plugin->rows_n;
    return plugin->rows;
}

/* ---- in use --------------------------------------------------------------------------------- */

static struct plugin *used[SPEC_LIBRARIES_MAX];
static uint32_t used_n;

static bool is_used(const char *path)
{
    for (uint32_t i = 0; i < used_n; i++)
        if (strcmp(used[i]->path, path) == 0)
            return true;
    return false;
}

static int use(const char *path, struct err *err)
{
    struct plugin *p;
    if (is_used(path))
        return 0;
    if (used_n == SPEC_LIBRARIES_MAX)
        return err_set(err, ERR_CONFIG, "more than %d plugins", SPEC_LIBRARIES_MAX);
    int r = plugin_load(path, &p, err);
    if (r < 0)
        return r;
    r = indicator_register(p->rows, p->rows_n);
    if (r == -EEXIST)
        r = refuse(p, err, "an indicator of its names exists already");
    else if (r < 0)
        r = err_set(err, ERR_SYSTEM, "out of memory for a plugin");
    if (r < 0)
        plugin_unload(p);
    else
        used[used_n++] = p;
    return r;
}

int plugins_use(const struct library_spec *libraries, uint32_t n, struct err *err)
{
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < n; i++)
        r = use(libraries[i].path, err);
    return r;
}
