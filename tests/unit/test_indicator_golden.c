/* SPDX-License-Identifier: MIT */
/* Promise: indicators give what TA-Lib gives, and Tulip where the definition is Tulip's, over real
 * prices: every case of the manifest beside the vectors that names an indicator of the table. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "shm/indicator/indicator.h"
#include "tests/unit/frame.h"

/* ---- files ---------------------------------------------------------------------------------- */

/* A CSV of numbers with a header line; column c of row t is cell[t * columns_n + c]. */
struct table {
    uint32_t rows_n, columns_n;
    char *text;
    char *header[32];
    double *cell;
};

static bool table_read(struct table *t, const char *path)
{
    FILE *file = fopen(path, "r");
    size_t n = 0, capacity = 4u << 20;
    *t = (struct table){0};
    if (!file)
        return false;
    t->text = malloc(capacity + 1);
    cr_assert_not_null(t->text);
    n = fread(t->text, 1, capacity, file);
    t->text[n] = '\0';
    fclose(file);
    char *line_end, *line = strtok_r(t->text, "\n", &line_end), *at;
    for (char *name = strtok_r(line, ",", &at); name; name = strtok_r(NULL, ",", &at))
        t->header[t->columns_n++] = name;
    t->cell = malloc(20000 * t->columns_n * sizeof(double));
    cr_assert_not_null(t->cell);
    while ((line = strtok_r(NULL, "\n", &line_end)) && t->rows_n < 20000) {
        double *row = t->cell + t->rows_n++ * t->columns_n;
        uint32_t c = 0;
        for (char *cell = strtok_r(line, ",", &at); cell; cell = strtok_r(NULL, ",", &at))
            row[c++] = strtod(cell, NULL);
    }
    return true;
}

static void table_fini(struct table *t)
{
    free(t->text);
    free(t->cell);
}

static void table_column(const struct table *t, uint32_t c, double *out)
{
    for (uint32_t i = 0; i < t->rows_n; i++)
        out[i] = t->cell[i * t->columns_n + c];
}

static bool frame_load(struct frame *f, const char *folder, const char *dataset)
{
    char path[1024];
    struct table t;
    snprintf(path, sizeof(path), "%s/%s/input.csv", folder, dataset);
    if (!table_read(&t, path))
        return false;
    double *column = malloc((t.rows_n + 1) * sizeof(*column));
    *f = (struct frame){.rows_n = t.rows_n};
    for (uint32_t c = 2; c < t.columns_n; c++) {
        table_column(&t, c, column);
        frame_add(f, t.header[c], column);
    }
    free(column);
    table_fini(&t);
    return true;
}

/* ---- cases ---------------------------------------------------------------------------------- */

/* A function of a library and what it is here; parameters by their place in the library's call. */
struct function {
    const char *lib, *name;
    const char *indicator;
    const char *output; /* that alone is compared; NULL: all */
    int param[INDICATOR_PARAMS_MAX];
};

static const struct function functions[] = {
    {"talib", "STOCH", "stoch", NULL, {0, 1, 3}},
    {"tulip", "vwma", "vwma", NULL, {0}},
    {"tulip", "hma", "hma", NULL, {0}},
    {"tulip", "zlema", "zlema", NULL, {0}},
    {"tulip", "vidya", "vidya", NULL, {0, 1, 2}},
    {"tulip", "wilders", "wilders", NULL, {0}},
    {"tulip", "volatility", "volatility", NULL, {0}},
    {"tulip", "max", "donchian", "upper", {0}},
    {"tulip", "min", "donchian", "lower", {0}},
};

/* Names in lower case and parameters in their order, but for the functions above. False where there
 * is no such indicator: Tulip's others are defined otherwise. */
static bool find_function(const char *lib, const char *name, struct function *ret_function)
{
    static char lower[64];
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        *ret_function = functions[i];
        if (strcmp(functions[i].lib, lib) == 0 && strcmp(functions[i].name, name) == 0)
            return indicator_find(functions[i].indicator) != NULL;
    }
    for (size_t i = 0; i < sizeof(lower) - 1 && (i == 0 || name[i - 1]); i++)
        lower[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i]);
    *ret_function = (struct function){lib, name, lower, NULL, {0, 1, 2, 3}};
    return strcmp(lib, "talib") == 0 && indicator_find(lower) != NULL;
}

static double case_param(json_t *c, int place)
{
    return json_number_value(json_array_get(json_object_get(c, "params"), (size_t)place));
}

static void case_text(json_t *c, const struct function *function, const char *output, char *out,
                      size_t out_bytes)
{
    const struct indicator *row = indicator_find(function->indicator);
    json_t *inputs = json_object_get(c, "inputs");
    size_t n = (size_t)snprintf(out, out_bytes, "%s(", row->name);
    for (unsigned i = 0; i < row->series_args_n; i++)
        n += (size_t)snprintf(out + n, out_bytes - n, "%s%s", i ? "," : "",
                              json_string_value(json_array_get(inputs, i)));
    for (unsigned i = 0; i < row->params_n; i++)
        n += (size_t)snprintf(out + n, out_bytes - n, "%s%.17g", i || row->series_args_n ? "," : "",
                              case_param(c, function->param[i]));
    n += (size_t)snprintf(out + n, out_bytes - n, ")");
    if (row->outputs_n > 1)
        n += (size_t)snprintf(out + n, out_bytes - n, ".%s", output);
    if (strcmp(row->name, "stddev") == 0) /* TA-Lib multiplies by its second parameter */
        snprintf(out + n, out_bytes - n, "*%.17g", case_param(c, 1));
}

/* Those that promise TA-Lib's bits: prices lie on a grid of ticks, averages of them tie often, and
 * a crossing hangs on the last bit of a tie. */
static bool is_exact(const char *name)
{
    static const char *const names[] = {"sma", "sum", "ema", "rsi", "macd", "atr", "max", "min"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

/* What is nothing but rounding errors in the vectors: percentages that should be 0. */
#define NOTHING 1e-12
/* What the vectors' variances of few values are off by, as a share of the squared price: they are
 * E[x^2] - E[x]^2 of running totals, and ours are not. */
#define VARIANCE_NOISE 6e-15

static double allowed(const char *name, double wanted, double price)
{
    static const char *const noisy[] = {"stddev", "bbands", "var", "correl", "beta"};
    double error = 1e-9 * fabs(wanted);
    for (size_t i = 0; i < sizeof(noisy) / sizeof(noisy[0]); i++) {
        if (strcmp(noisy[i], name) == 0)
            error = 1e-7 * fabs(wanted);
    }
    if (strcmp(name, "stddev") == 0 && wanted > 0.0)
        error = fmax(error, VARIANCE_NOISE * price * price / (2.0 * wanted));
    if (strcmp(name, "var") == 0)
        error = fmax(error, VARIANCE_NOISE * price * price);
    return is_exact(name) ? 0.0 : fmax(error, NOTHING);
}

static bool agrees(double found, double wanted, double error)
{
    return isnan(wanted) ? isnan(found) : fabs(found - wanted) <= error;
}

static void compare_output(struct frame *f, json_t *c, const struct function *function,
                           const char *output, const double *wanted)
{
    static double found[20000];
    char text[160];
    uint32_t unused;
    const double *close = frame_lookup(f, "close", &unused);
    case_text(c, function, output, text, sizeof(text));
    (void)frame_eval(f, text, found);
    cr_expect_eq(frame_first_defined(found, f->rows_n),
                 json_integer_value(json_object_get(c, "first_valid_bar")), "%s: %u", text,
                 frame_first_defined(found, f->rows_n));
    for (uint32_t t = 0; t < f->rows_n; t++) {
        bool is_good =
            agrees(found[t], wanted[t], allowed(function->indicator, wanted[t], close[t]));
        cr_expect(is_good, "%s row %u: wanted %.17g found %.17g", text, t, wanted[t], found[t]);
        if (!is_good)
            return;
    }
}

static void compare_case(struct frame *f, json_t *c, const struct function *function,
                         const struct table *vectors)
{
    static double wanted[20000];
    const struct indicator *row = indicator_find(function->indicator);
    const char *file = json_string_value(json_object_get(c, "file"));
    cr_assert_eq(vectors->rows_n, f->rows_n, "%s", file);
    cr_assert_eq(vectors->columns_n, function->output ? 2 : row->outputs_n + 1, "%s", file);
    for (unsigned o = 0; o + 1 < vectors->columns_n; o++) {
        table_column(vectors, o + 1, wanted);
        compare_output(f, c, function, function->output ? function->output : row->outputs[o],
                       wanted);
    }
}

/* Compares all cases of one data set; returns how many. */
static unsigned compare_dataset(json_t *cases, const char *folder, const char *dataset)
{
    struct frame f;
    unsigned compared_n = 0;
    size_t i;
    json_t *c;
    cr_assert(frame_load(&f, folder, dataset), "%s", dataset);
    json_array_foreach(cases, i, c)
    {
        char path[1024];
        struct table vectors;
        struct function function;
        const char *file = json_string_value(json_object_get(c, "file"));
        if (strncmp(file, dataset, strlen(dataset)) != 0 ||
            !find_function(json_string_value(json_object_get(c, "lib")),
                           json_string_value(json_object_get(c, "function")), &function))
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, file);
        cr_assert(table_read(&vectors, path), "%s", path);
        compare_case(&f, c, &function, &vectors);
        table_fini(&vectors);
        compared_n++;
    }
    frame_fini(&f);
    return compared_n;
}

Test(indicator_golden, values_are_those_of_ta_lib_and_tulip)
{
    const char *shared = getenv("ADMF_SHARED"), *dataset;
    char folder[512], path[1024];
    json_error_t error;
    json_t *unused;
    snprintf(folder, sizeof(folder), "%s/golden/indicators", shared ? shared : "../shared");
    snprintf(path, sizeof(path), "%s/manifest.json", folder);
    json_t *manifest = json_load_file(path, 0, &error);
    if (!manifest)
        cr_skip("no golden indicators at %s (set ADMF_SHARED)", path);
    unsigned compared_n = 0;
    json_object_foreach(json_object_get(manifest, "datasets"), dataset, unused)
    {
        compared_n += compare_dataset(json_object_get(manifest, "cases"), folder, dataset);
    }
    fprintf(stderr, "golden indicators: %u cases compared\n", compared_n);
    cr_assert_gt(compared_n, 0);
    json_decref(manifest);
}
