/* SPDX-License-Identifier: MIT */
/* The indicators of the catalogue: for people, for programs, and as a page of the docs. */
#include <math.h>
#include <string.h>

#include "proto/units.h"
#include "supervisor/cli/catalog.h"
#include "supervisor/cli/plugins.h"

/* ---- one indicator -------------------------------------------------------------------------- */

/* Names of series arguments, in order. */
static const char *series_arg(unsigned i)
{
    static const char *const names[] = {"x", "y", "z"};
    return i < 3 ? names[i] : "x";
}

/* `macd(x,fast,slow,signal)`. */
static const char *signature(const struct indicator *ind, char *out, size_t out_bytes)
{
    size_t used = (size_t)snprintf(out, out_bytes, "%s(", ind->name);
    for (unsigned i = 0; i < ind->series_args_n + ind->params_n && used < out_bytes; i++)
        used += (size_t)snprintf(out + used, out_bytes - used, "%s%s", i ? "," : "",
                                 i < ind->series_args_n ? series_arg(i)
                                                        : ind->params[i - ind->series_args_n].name);
    if (used < out_bytes)
        snprintf(out + used, out_bytes - used, ")");
    return out;
}

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

static bool is_composite(const struct indicator *ind)
{
    return ind->made_of[0] != NULL;
}

/* "day, week or never". */
static void put_choices(const struct indicator_param *p, struct buf *out)
{
    for (size_t i = 0; p->choices[i]; i++)
        buf_printf(out, "%s%s", i == 0 ? "" : p->choices[i + 1] ? ", " : " or ", p->choices[i]);
}

/* "whole from 1 to 100000", "day, week or never". */
static void put_range(const struct indicator_param *p, struct buf *out)
{
    char low[F64_BYTES], high[F64_BYTES];
    if (p->choices) {
        put_choices(p, out);
        return;
    }
    buf_puts(out, p->is_whole ? "whole" : "number");
    if (isfinite(p->minimum))
        buf_printf(out, " from %s", f64_format_short(p->minimum, low));
    if (isfinite(p->maximum))
        buf_printf(out, " to %s", f64_format_short(p->maximum, high));
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static json_t *choices_json(const struct indicator_param *p)
{
    json_t *list = json_array();
    for (size_t i = 0; p->choices && p->choices[i]; i++)
        json_array_append_new(list, json_string(p->choices[i]));
    return list;
}

static json_t *params_json(const struct indicator *ind)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < ind->params_n; i++) {
        const struct indicator_param *p = &ind->params[i];
        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:b, s:o}", "name", p->name,
                                              "minimum", cli_json_number(p->minimum), "maximum",
                                              cli_json_number(p->maximum), "whole", p->is_whole,
                                              "choices", choices_json(p)));
    }
    return list;
}

/* The series that it is given, then those that it takes by itself. */
static json_t *inputs_json(const struct indicator *ind)
{
    json_t *list = json_array();
    const char *at = text_or_empty(ind->implied);
    for (unsigned i = 0; i < ind->series_args_n; i++)
        json_array_append_new(list, json_string(series_arg(i)));
    for (size_t n; (n = strcspn(at, " ")) > 0; at += n + (at[n] == ' '))
        json_array_append_new(list, json_stringn(at, n));
    return list;
}

/* By output; under "" where there is one. */
static json_t *made_of_json(const struct indicator *ind)
{
    json_t *map = json_object();
    for (unsigned i = 0; is_composite(ind) && i < ind->outputs_n; i++)
        json_object_set_new(map, ind->outputs_n > 1 ? ind->outputs[i] : "",
                            json_string(text_or_empty(ind->made_of[i])));
    return map;
}

static json_t *indicator_json(const struct indicator *ind)
{
    char text[256];
    json_t *outputs = json_array();
    for (unsigned i = 0; ind->outputs_n > 1 && i < ind->outputs_n; i++)
        json_array_append_new(outputs, json_string(ind->outputs[i]));
    json_t *json = json_pack(
        "{s:s, s:s, s:s, s:i, s:s, s:o, s:o, s:o, s:s, s:s, s:s, s:s}", "name", ind->name,
        "signature", signature(ind, text, sizeof text), "class", indicator_class_name(ind->cls),
        "series_arguments", (int)ind->series_args_n, "bar_inputs", text_or_empty(ind->implied),
        "inputs", inputs_json(ind), "parameters", params_json(ind), "outputs", outputs, "warm_up",
        text_or_empty(ind->warm_up_text), "formula", text_or_empty(ind->formula), "source",
        text_or_empty(ind->source), "edges", text_or_empty(ind->edges));
    if (!json)
        return NULL;
    json_object_set_new(json, "tolerance", json_string(text_or_empty(ind->tolerance)));
    json_object_set_new(json, "made_of", made_of_json(ind));
    json_object_set_new(json, "library", json_string(text_or_empty(ind->library)));
    return json;
}

/* ---- text ----------------------------------------------------------------------------------- */

static void print_line(const char *head, const char *text)
{
    if (text && *text)
        printf("    %s%s\n", head, text);
}

static void print_params(const struct indicator *ind)
{
    for (unsigned i = 0; i < ind->params_n; i++) {
        struct buf range = {0};
        put_range(&ind->params[i], &range);
        printf("    %s: %.*s\n", ind->params[i].name, (int)range.n_bytes,
               range.data ? (const char *)range.data : "");
        buf_fini(&range);
    }
}

static void print_made_of(const struct indicator *ind)
{
    for (unsigned i = 0; is_composite(ind) && i < ind->outputs_n; i++)
        printf("    made of%s%s: %s\n", ind->outputs_n > 1 ? " ." : "",
               ind->outputs_n > 1 ? ind->outputs[i] : "", text_or_empty(ind->made_of[i]));
}

static void print_indicator(const struct indicator *ind)
{
    char text[256];
    printf("%s", signature(ind, text, sizeof text));
    for (unsigned i = 0; ind->outputs_n > 1 && i < ind->outputs_n; i++)
        printf("%s.%s", i ? " " : "  ", ind->outputs[i]);
    printf("\n    %s\n    %s; first value at row %s", text_or_empty(ind->formula),
           indicator_class_name(ind->cls), text_or_empty(ind->warm_up_text));
    if (ind->implied && *ind->implied)
        printf("; reads %s", ind->implied);
    printf("; %s\n", text_or_empty(ind->source));
    print_params(ind);
    print_made_of(ind);
    print_line("edges: ", ind->edges);
    print_line("batch and stream differ by: ", ind->tolerance);
    print_line("of ", ind->library);
}

/* ---- docs/INDICATORS.md --------------------------------------------------------------------- */

/* A cell of a table: its signs are escaped. */
static void put_cell(struct buf *out, const char *text)
{
    for (; text && *text; text++) {
        if (*text == '|' || *text == '*' || *text == '_' || *text == '<' || *text == '\\')
            buf_puts(out, "\\");
        buf_append(out, text, 1);
    }
    buf_puts(out, " |");
}

static void put_call_cell(struct buf *out, const struct indicator *ind)
{
    char text[256];
    buf_printf(out, "| `%s`", signature(ind, text, sizeof text));
    for (unsigned i = 0; ind->outputs_n > 1 && i < ind->outputs_n; i++)
        buf_printf(out, " `.%s`", ind->outputs[i]);
    buf_puts(out, " |");
}

static void put_params_cell(struct buf *out, const struct indicator *ind)
{
    for (unsigned i = 0; i < ind->params_n; i++) {
        buf_printf(out, "%s`%s` ", i ? "; " : " ", ind->params[i].name);
        put_range(&ind->params[i], out);
    }
    buf_puts(out, " |");
}

static void put_formula_cell(struct buf *out, const struct indicator *ind)
{
    buf_puts(out, " ");
    put_cell(out, ind->formula);
    if (!is_composite(ind))
        return;
    out->n_bytes -= out->failed ? 0 : 2; /* the end of the cell */
    buf_puts(out, "; made of");
    for (unsigned i = 0; i < ind->outputs_n; i++)
        buf_printf(out, "%s `%s`", i ? "," : "", text_or_empty(ind->made_of[i]));
    buf_puts(out, " |");
}

static void put_row(struct buf *out, const struct indicator *ind)
{
    put_call_cell(out, ind);
    buf_printf(out, " %s |", indicator_class_name(ind->cls));
    buf_printf(out, ind->implied && *ind->implied ? " `%s` |" : " %s |",
               text_or_empty(ind->implied));
    put_params_cell(out, ind);
    buf_puts(out, " ");
    put_cell(out, ind->warm_up_text);
    put_formula_cell(out, ind);
    buf_puts(out, " ");
    put_cell(out, ind->edges);
    buf_puts(out, " ");
    if (ind->tolerance)
        buf_printf(out, "batch and stream differ by %s; ", ind->tolerance);
    put_cell(out, ind->source);
    buf_puts(out, "\n");
}

void catalog_indicators_doc(struct buf *out)
{
    buf_puts(
        out,
        "# Indicators\n\n"
        "Made from the table that the program works by: `admf catalog indicators --format "
        "md`. The same as text or JSON: `admf catalog indicators [--json]`.\n\n"
        "Series come first, then parameters; an indicator with several outputs is written "
        "with one of them, as in `macd(close,12,26,9).hist`. `first row` is the first defined "
        "one where the inputs are defined from row 0. Batch and stream give the same bytes where "
        "nothing else is said. "
        "How values that are not finite spread is the class's: a stateless row is undefined "
        "where a value that it looks at is, a rolling one where its window holds one, a "
        "recursive one seeds itself anew behind it, a cumulative one adds nothing there.\n\n"
        "| call | class | reads | parameters | first row | formula | edges | source |\n"
        "|---|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < indicator_count(); i++)
        if (!indicator_at(i)->library)
            put_row(out, indicator_at(i));
}

static int print_doc(struct err *err)
{
    struct buf out = {0};
    catalog_indicators_doc(&out);
    bool failed = out.failed;
    if (!failed)
        fwrite(out.data, 1, out.n_bytes, stdout);
    buf_fini(&out);
    return failed ? err_set(err, ERR_SYSTEM, "out of memory for a page") : cli_finish_stdout(err);
}

/* ---- the list ------------------------------------------------------------------------------- */

int catalog_indicators(const struct cli_args *args, struct err *err)
{
    char shown[64];
    int r = cli_plugins_take(args, err);
    if (r < 0)
        return r;
    json_t *list = args->json ? json_array() : NULL;
    if (!args->json && args->format && strcmp(args->format, "md") == 0)
        return print_doc(err);
    if (!args->json && args->format && strcmp(args->format, "text") != 0)
        return err_set(err, ERR_USAGE, "--format is \"%s\"; catalog indicators knows text and md",
                       err_printable(args->format, shown, sizeof shown));
    for (size_t i = 0; i < indicator_count(); i++) {
        if (list)
            json_array_append_new(list, indicator_json(indicator_at(i)));
        else
            print_indicator(indicator_at(i));
    }
    return list ? cli_print_json(list, err) : cli_finish_stdout(err);
}
