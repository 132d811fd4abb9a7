/* SPDX-License-Identifier: MIT */
/* admf catalog: what can be used. Each list is a table that the program itself works by. */
#include <math.h>
#include <string.h>

#include "proto/metric.h"
#include "proto/units.h"
#include "supervisor/cli/catalog.h"

/* ---- components ----------------------------------------------------------------------------- */

static const char *const rule_names[DESCRIBE_RULES_N] = {"long_entry",  "long_exit",  "short_entry",
                                                         "short_exit",  "long_limit", "long_stop",
                                                         "short_limit", "short_stop"};

static json_t *param_json(const struct describe_param *p)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:b, s:s}", "name", p->name, "alias", p->alias,
                     "default", cli_json_number(p->default_value), "minimum",
                     cli_json_number(p->minimum), "maximum", cli_json_number(p->maximum), "whole",
                     p->is_whole, "what", p->what);
}

static json_t *component_json(const struct describe_component *c)
{
    json_t *protocols = json_array(), *capabilities = json_array(), *params = json_array();
    json_t *rules = json_object();
    for (uint32_t i = 0; i < c->protocols_n; i++)
        json_array_append_new(protocols, json_string(c->protocols[i]));
    for (uint32_t i = 0; i < c->capabilities_n; i++)
        json_array_append_new(capabilities, json_string(c->capabilities[i]));
    for (uint32_t i = 0; i < c->params_n; i++)
        json_array_append_new(params, param_json(&c->params[i]));
    for (int r = 0; r < DESCRIBE_RULES_N; r++)
        if (c->rules[r][0])
            json_object_set_new(rules, rule_names[r], json_string(c->rules[r]));
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:s, s:o}", "name", c->name, "kind", c->kind,
                     "what", c->what, "protocols", protocols, "capabilities", capabilities,
                     "parameters", params, "accepts", c->accepts, "rules", rules);
}

static void print_words(const char *head, const char (*words)[SPEC_NAME_BYTES], uint32_t n)
{
    printf("    %s:", head);
    for (uint32_t i = 0; i < n; i++)
        printf("%s %s", i ? "," : "", words[i]);
    putchar('\n');
}

static void print_param(const struct describe_param *p)
{
    char value[F64_BYTES], low[F64_BYTES], high[F64_BYTES];
    printf("    %s = %s", p->name, f64_format_short(p->default_value, value));
    if (isfinite(p->minimum) && isfinite(p->maximum))
        printf(" (%s%s to %s)", p->is_whole ? "whole, " : "", f64_format_short(p->minimum, low),
               f64_format_short(p->maximum, high));
    if (p->alias[0])
        printf(", also %s", p->alias);
    printf("%s%s\n", p->what[0] ? ": " : "", p->what);
}

static void print_component(const struct describe_component *c, bool as_strategy)
{
    printf("%s%s%s\n    %s\n", c->name, as_strategy ? "" : "  ", as_strategy ? "" : c->kind,
           c->what);
    for (uint32_t i = 0; i < c->params_n; i++)
        print_param(&c->params[i]);
    if (c->accepts[0])
        printf("    needs %s\n", c->accepts);
    for (int r = 0; r < DESCRIBE_RULES_N; r++)
        if (c->rules[r][0])
            printf("    %s: %s\n", rule_names[r], c->rules[r]);
    if (as_strategy)
        return;
    print_words("protocols", c->protocols, c->protocols_n);
    print_words("capabilities", c->capabilities, c->capabilities_n);
}

static bool has_protocol(const struct describe_component *c, const char *protocol)
{
    for (uint32_t i = 0; i < c->protocols_n; i++)
        if (strcmp(c->protocols[i], protocol) == 0)
            return true;
    return false;
}

/* A protocol that nobody implements is a mistake; the error names those there are. */
static int check_protocol(const struct describe *d, const char *protocol, struct err *err)
{
    const char *names[256];
    char shown[128];
    size_t n = 0;
    for (uint32_t i = 0; protocol && i < d->components_n; i++) {
        const struct describe_component *c = &d->components[i];
        if (has_protocol(c, protocol))
            return 0;
        for (uint32_t k = 0; k < c->protocols_n && n < 256; k++)
            names[n++] = c->protocols[k];
    }
    if (!protocol)
        return 0;
    const char *near = err_suggest(protocol, names, n);
    return err_set(err, ERR_USAGE, "no component has the protocol \"%s\"%s%s%s",
                   err_printable(protocol, shown, sizeof shown), near ? "; did you mean " : "",
                   near ? near : "", near ? "?" : "; admf catalog components shows protocols");
}

static int list_components(const struct cli_args *args, const struct describe *d,
                           bool strategies_only, struct err *err)
{
    json_t *list = args->json ? json_array() : NULL;
    for (uint32_t i = 0; i < d->components_n; i++) {
        const struct describe_component *c = &d->components[i];
        if (strategies_only && strcmp(c->kind, "strategy") != 0)
            continue;
        if (args->protocol && !has_protocol(c, args->protocol))
            continue;
        if (list)
            json_array_append_new(list, component_json(c));
        else
            print_component(c, strategies_only);
    }
    return list ? cli_print_json(list, err) : cli_finish_stdout(err);
}

static int catalog_of_worker(const struct cli_args *args, bool strategies_only, struct err *err)
{
    struct describe *d = NULL;
    int rc = cli_describe(&d, err);
    if (rc < 0)
        return rc;
    rc = check_protocol(d, args->protocol, err);
    if (rc == 0)
        rc = list_components(args, d, strategies_only, err);
    describe_destroy(d);
    return rc;
}

static int catalog_strategies(const struct cli_args *args, struct err *err)
{
    return catalog_of_worker(args, true, err);
}

static int catalog_components(const struct cli_args *args, struct err *err)
{
    return catalog_of_worker(args, false, err);
}

/* ---- metrics -------------------------------------------------------------------------------- */

/* Where the definition comes from that a profile uses. */
static const char *definition_source(const struct metric_row *row, int profile)
{
    bool is_own = profile == PROFILE_NATIVE && row->source[0];
    return is_own ? row->source : metric_profile_source((enum metric_profile)profile);
}

/* The other names of a metric, and what one of them is of it. */
static json_t *aliases_json(enum metric metric)
{
    json_t *list = json_array();
    const struct metric_alias *alias;
    for (unsigned i = 0; (alias = metric_alias(i)); i++)
        if (alias->metric == metric)
            json_array_append_new(
                list, json_pack("{s:s, s:f}", "name", alias->name, "divisor", alias->divisor));
    return list;
}

static json_t *metric_json(enum metric metric)
{
    const struct metric_row *row = metric_row(metric);
    json_t *formula = json_object(), *label = json_object(), *source = json_object();
    for (int p = 0; p < PROFILE_N; p++) {
        const char *profile = metric_profile_name((enum metric_profile)p);
        if (!metric_is_of(metric, (enum metric_profile)p))
            continue;
        json_object_set_new(formula, profile, json_string(row->formula[p]));
        json_object_set_new(source, profile, json_string(definition_source(row, p)));
        if (row->label[p] && row->label[p][0])
            json_object_set_new(label, profile, json_string(row->label[p]));
    }
    return json_pack("{s:s, s:s, s:i, s:s, s:o, s:o, s:o, s:o}", "name", row->name, "unit",
                     row->unit, "sense", row->sense, "undefined", row->undefined, "formula",
                     formula, "label", label, "source", source, "aliases", aliases_json(metric));
}

/* One line for each formula: profiles that share it, and their own names of the metric, together.
 */
static void print_formulas(enum metric metric)
{
    const struct metric_row *row = metric_row(metric);
    bool is_told[PROFILE_N] = {false};
    for (int p = 0; p < PROFILE_N; p++) {
        if (is_told[p] || !row->formula[p])
            continue;
        for (int q = p; q < PROFILE_N; q++) {
            if (!row->formula[q] || strcmp(row->formula[p], row->formula[q]) != 0)
                continue;
            is_told[q] = true;
            printf("%s%s", q == p ? "    " : ", ", metric_profile_name((enum metric_profile)q));
            if (row->label[q] && row->label[q][0])
                printf(" (%s)", row->label[q]);
        }
        printf(": %s\n", row->formula[p]);
    }
}

static void print_sources(const struct metric_row *row)
{
    const char *between = row->source;
    printf("    source: %s", row->source);
    for (int p = 0; p < PROFILE_N; p++) {
        bool is_theirs = p == PROFILE_NATIVE ? !row->source[0] : row->label[p] && row->label[p][0];
        if (!row->formula[p] || !is_theirs)
            continue;
        printf("%s%s", *between ? "; " : "", metric_profile_source((enum metric_profile)p));
        between = ";";
    }
    putchar('\n');
}

static void print_metric(enum metric metric)
{
    const struct metric_row *row = metric_row(metric);
    const struct metric_alias *alias;
    const char *sense = row->sense > 0   ? ", more is better"
                        : row->sense < 0 ? ", less is better"
                                         : "";
    printf("%s  [%s%s]\n", row->name, row->unit, sense);
    print_formulas(metric);
    for (unsigned i = 0; (alias = metric_alias(i)); i++)
        if (alias->metric == metric)
            printf("    also: %s%s\n", alias->name, alias->divisor == 1 ? "" : ", a fraction");
    printf("    undefined when: %s\n", row->undefined);
    print_sources(row);
}

/* What the formulas are written in. */
static void print_legend(void)
{
    fputs("E   equity at the close of each of n bars; E0 the initial capital\n"
          "D   daily equity, the last E of each UTC day: D[0] to D[k]\n"
          "m   close of the first symbol; m's: its returns; w the last bar of warm-up\n"
          "r   returns; native and quantstats: of days, k of them, N = 252 a year; vectorbt: of "
          "bars,\n"
          "    the first from E0, N = 365 days / bar spacing (the median of the last 100)\n"
          "rf  risk-free rate, a year\n"
          "T   closed trades; W the share of them that gains; gains and losses are of pnl\n"
          "p5  5th percentile, linear between neighbours; likewise p1, p95, p99\n"
          "What would be infinite is undefined. periods_per_year replaces N.\n\n",
          stdout);
}

static int catalog_metrics(const struct cli_args *args, struct err *err)
{
    json_t *list = args->json ? json_array() : NULL;
    if (!list)
        print_legend();
    for (int m = 0; m < METRIC_N; m++) {
        if (list)
            json_array_append_new(list, metric_json((enum metric)m));
        else
            print_metric((enum metric)m);
    }
    return list ? cli_print_json(list, err) : cli_finish_stdout(err);
}

/* ---- errors --------------------------------------------------------------------------------- */

static int catalog_errors(const struct cli_args *args, struct err *err)
{
    json_t *list = args->json ? json_array() : NULL;
    for (int k = 0; k < ERR_KINDS_N; k++) {
        enum err_kind kind = (enum err_kind)k;
        if (list)
            json_array_append_new(list, json_pack("{s:i, s:s, s:s, s:s}", "exit_code",
                                                  err_exit_code(kind), "name", err_kind_name(kind),
                                                  "meaning", err_kind_meaning(kind), "remedy",
                                                  err_kind_remedy(kind)));
        else
            printf("%3d  %s: %s\n     %s\n", err_exit_code(kind), err_kind_name(kind),
                   err_kind_meaning(kind), err_kind_remedy(kind));
    }
    return list ? cli_print_json(list, err) : cli_finish_stdout(err);
}

int cmd_catalog(const struct cli_args *args, struct err *err)
{
    static const struct {
        const char *name;
        cli_run_fn run;
    } lists[] = {{"indicators", catalog_indicators},
                 {"strategies", catalog_strategies},
                 {"components", catalog_components},
                 {"metrics", catalog_metrics},
                 {"errors", catalog_errors}};
    const char *names[5];
    char shown[128];
    const char *wanted = args->positional[0];
    for (size_t i = 0; i < 5; i++) {
        names[i] = lists[i].name;
        if (strcmp(wanted, lists[i].name) != 0)
            continue;
        if (args->protocol && i != 1 && i != 2)
            return err_set(err, ERR_USAGE, "--protocol is for strategies and components");
        if (args->plugins_n > 0 && i != 0)
            return err_set(err, ERR_USAGE, "--plugin is for indicators");
        return lists[i].run(args, err);
    }
    const char *near = err_suggest(wanted, names, 5);
    return err_set(err, ERR_USAGE,
                   "there is no list \"%s\"%s%s%s; lists are indicators, strategies, components, "
                   "metrics, errors",
                   err_printable(wanted, shown, sizeof shown), near ? "; did you mean " : "",
                   near ? near : "", near ? "?" : "");
}
