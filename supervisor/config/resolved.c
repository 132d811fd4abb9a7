/* SPDX-License-Identifier: MIT */
/* The configuration as it was understood: every default written out, in the order of the schema
 * table, numbers in their shortest form. Fed back it gives the same run; its hash is the run's
 * identity. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "proto/units.h"
#include "supervisor/config/loader.h"
#include "supervisor/config/strategy.h"

/* ---- scalars -------------------------------------------------------------------------------- */

/* Words that YAML or this schema reads as something else than a text. */
static bool is_word(const char *text)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off",
                                        "none", "auto", "nan",   "inf", "y",  "n"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (!strcasecmp(text, words[i]))
            return true;
    return false;
}

static bool is_bare(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    return *text && strchr(letters, *text) && !is_word(text) &&
           !text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.0123456789")];
}

/* One character of a double-quoted scalar; what YAML would not take raw is escaped. Returns its
 * bytes. */
static size_t put_char(struct buf *out, const unsigned char *p)
{
    if (p[0] == '"' || p[0] == '\\') {
        buf_printf(out, "\\%c", p[0]);
        return 1;
    }
    if (p[0] < 0x20 || p[0] == 0x7F) {
        buf_printf(out, "\\x%02X", p[0]);
        return 1;
    }
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    unsigned code = n == 2   ? (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu)
                    : n == 3 ? (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu)
                             : 0x20;
    bool is_raw = code >= 0x20 && (code < 0x7F || code > 0xA0) && code != 0x2028 &&
                  code != 0x2029 && code != 0xFEFF && code < 0xFFFE;
    if (is_raw)
        buf_append(out, p, n);
    else
        buf_printf(out, "\\u%04X", code);
    return n;
}

void resolved_put_text(struct buf *out, const char *text)
{
    if (is_bare(text)) {
        buf_puts(out, text);
        return;
    }
    buf_puts(out, "\"");
    for (const unsigned char *p = (const unsigned char *)text; *p;)
        p += put_char(out, p);
    buf_puts(out, "\"");
}

/* The value that a rule has a word for is written as it. */
static void put_number(struct buf *out, double value, const struct number_rule *rule)
{
    char text[F64_BYTES];
    bool is_word = rule && rule->word &&
                   (value == rule->word_value || (isnan(value) && isnan(rule->word_value)));
    buf_puts(out, is_word ? rule->word : f64_format_short(value, text));
}

static void put_dim(struct buf *out, const struct dim *d)
{
    if (d->is_range) {
        buf_puts(out, "{from: ");
        put_number(out, d->from, NULL);
        buf_puts(out, ", to: ");
        put_number(out, d->to, NULL);
        buf_puts(out, ", step: ");
        put_number(out, d->step, NULL);
        buf_puts(out, "}");
        return;
    }
    for (uint64_t i = 0; i < d->n; i++) {
        buf_puts(out, i ? ", " : "[");
        put_number(out, d->values[i], d->row ? &d->row->rule : NULL);
    }
    buf_puts(out, "]");
}

/* The largest unit that divides it. */
static void put_duration(struct buf *out, int64_t ns)
{
    static const struct {
        int64_t ns;
        const char *unit;
    } units[] = {{NS_PER_S, "s"}, {1000000, "ms"}, {1000, "us"}, {1, "ns"}};
    size_t i = 0;
    while (ns % units[i].ns)
        i++;
    buf_printf(out, "%" PRId64 "%s", ns / units[i].ns, units[i].unit);
}

static void put_bytes(struct buf *out, uint64_t bytes)
{
    if (bytes % (1 << 20) == 0)
        buf_printf(out, "%" PRIu64 "MiB", bytes >> 20);
    else
        buf_printf(out, "%" PRIu64, bytes);
}

/* ---- values of rows ------------------------------------------------------------------------- */

static const void *field_of(const struct writing *w, const struct schema_row *row)
{
    const char *base = row->place == PLACE_CONFIG ? (const char *)w->config : (const char *)w->top;
    return base + row->offset;
}

static int64_t whole_of(const struct writing *w, const struct schema_row *row)
{
    uint8_t narrow;
    int32_t middle;
    int64_t wide;
    const void *field = field_of(w, row);
    if (row->width == sizeof(narrow)) {
        memcpy(&narrow, field, sizeof(narrow));
        return narrow;
    }
    if (row->width == sizeof(middle)) {
        memcpy(&middle, field, sizeof(middle));
        return middle;
    }
    memcpy(&wide, field, sizeof(wide));
    return wide;
}

static void put_choice(const struct writing *w, const struct schema_row *row)
{
    if (row->place == PLACE_NONE)
        buf_puts(w->out, row->dflt);
    else
        buf_puts(w->out, choice_name(row->choices, (int)whole_of(w, row)));
}

/* Numbers, sizes and durations, whose word stands for a value of its own. */
static void put_quantity(const struct writing *w, const struct schema_row *row)
{
    int64_t value = whole_of(w, row);
    if (row->rule.word && value == (int64_t)row->rule.word_value)
        buf_puts(w->out, row->rule.word);
    else if (row->kind == SCHEMA_BYTES)
        put_bytes(w->out, (uint64_t)value);
    else if (row->kind == SCHEMA_DURATION)
        put_duration(w->out, value);
    else
        buf_printf(w->out, "%" PRId64, value);
}

/* The dimension that stands at the key itself, or NULL. */
static const struct dim *dim_here(const struct config *c, const struct schema_row *row)
{
    for (uint32_t i = 0; row->is_swept_here && i < c->shared_n; i++)
        if (c->shared[i].origin == DIM_FROM_EXITS && c->shared[i].row == row)
            return &c->shared[i];
    return NULL;
}

static void put_value(const struct writing *w, const struct schema_row *row)
{
    const struct dim *d = dim_here(w->config, row);
    double value;
    if (d) {
        put_dim(w->out, d);
    } else if (row->kind == SCHEMA_NUMBER) {
        memcpy(&value, field_of(w, row), sizeof(value));
        put_number(w->out, value, &row->rule);
    } else if (row->kind == SCHEMA_BOOL) {
        buf_puts(w->out, whole_of(w, row) ? "true" : "false");
    } else if (row->kind == SCHEMA_CHOICE) {
        put_choice(w, row);
    } else {
        put_quantity(w, row);
    }
}

static void write_row(const struct writing *w, const struct schema_row *row, const char *indent)
{
    buf_printf(w->out, "%s%s:", indent, schema_key(row));
    if (row->write) {
        row->write(w, row);
        return;
    }
    buf_puts(w->out, " ");
    put_value(w, row);
    buf_puts(w->out, "\n");
}

/* ---- rows with writers of their own --------------------------------------------------------- */

void write_conventions(const struct writing *w, const struct schema_row *row)
{
    (void)row;
    buf_printf(w->out, " %s\n", w->config->conventions);
}

void write_symbols(const struct writing *w, const struct schema_row *row)
{
    (void)row;
    for (uint32_t i = 0; i < w->config->symbols_n; i++) {
        buf_puts(w->out, i ? ", " : " [");
        resolved_put_text(w->out, w->config->symbols[i].name);
    }
    buf_puts(w->out, "]\n");
}

void write_csv(const struct writing *w, const struct schema_row *row)
{
    bool is_empty = true;
    (void)row;
    for (uint32_t i = 0; i < w->config->symbols_n + w->config->references_n; i++) {
        const struct config_symbol *s = &w->config->symbols[i];
        if (!*s->csv)
            continue;
        buf_puts(w->out, is_empty ? "\n    " : "    ");
        resolved_put_text(w->out, s->name);
        buf_puts(w->out, ": ");
        resolved_put_text(w->out, s->csv + s->csv_given);
        buf_puts(w->out, "\n");
        is_empty = false;
    }
    if (is_empty)
        buf_puts(w->out, " {}\n");
}

void write_actions(const struct writing *w, const struct schema_row *row)
{
    const struct config *c = w->config;
    (void)row;
    buf_puts(w->out, " ");
    if (*c->actions)
        resolved_put_text(w->out, c->actions + c->actions_given);
    else
        buf_puts(w->out, "none");
    buf_puts(w->out, "\n");
}

void write_bound(const struct writing *w, const struct schema_row *row)
{
    struct config_bound bound;
    char text[TIME_ISO_BYTES];
    memcpy(&bound, field_of(w, row), sizeof(bound));
    if (bound.kind == BOUND_NONE)
        buf_puts(w->out, " none\n");
    else if (bound.kind == BOUND_BAR)
        buf_printf(w->out, " %" PRId64 "\n", bound.value);
    else
        buf_printf(w->out, " %s\n", time_format_iso(bound.value, text));
}

/* The keys below a map, all of them, on one line. */
void write_parts(const struct writing *w, const struct schema_row *row)
{
    const struct schema_row *part;
    const char *before = " {";
    for (size_t i = 0; (part = schema_row_at(i)); i++) {
        if (!schema_is_under(part, row->path))
            continue;
        buf_printf(w->out, "%s%s: ", before, schema_key(part));
        put_value(w, part);
        before = ", ";
    }
    buf_puts(w->out, "}\n");
}

void write_objective(const struct writing *w, const struct schema_row *row)
{
    (void)row;
    buf_printf(w->out, " %s\n", metric_row((enum metric)w->config->objective)->name);
}

void write_sizing(const struct writing *w, const struct schema_row *row)
{
    const struct portfolio_cfg *p = &w->top->combo.portfolio;
    (void)row;
    buf_printf(w->out, " {%s: ", choice_name(choices_sizing, p->sizing));
    put_number(w->out, p->sizing_value, NULL);
    if (p->sizing == SIZING_TARGET_VOLATILITY)
        buf_printf(w->out, ", lookback: %" PRIu32, p->sizing_lookback);
    buf_puts(w->out, "}\n");
}

void write_seed(const struct writing *w, const struct schema_row *row)
{
    (void)row;
    buf_printf(w->out, " %" PRIu64 "\n", w->config->seed);
}

void write_grids(const struct writing *w, const struct schema_row *row)
{
    bool is_empty = true;
    (void)row;
    for (uint32_t i = 0; i < w->config->shared_n; i++) {
        const struct dim *d = &w->config->shared[i];
        if (d->origin != DIM_FROM_GRIDS)
            continue;
        buf_puts(w->out, is_empty ? "\n    " : "    ");
        resolved_put_text(w->out, d->name);
        buf_puts(w->out, ": ");
        put_dim(w->out, d);
        buf_puts(w->out, "\n");
        is_empty = false;
    }
    if (is_empty)
        buf_puts(w->out, " {}\n");
}

/* ---- strategies ----------------------------------------------------------------------------- */

static const struct dim *own_dim(const struct config_strategy *s, uint32_t param_idx)
{
    for (uint32_t i = 0; i < s->dims_n; i++)
        if (s->dims[i].origin == DIM_FROM_PARAMETERS && s->dims[i].param_idx == param_idx)
            return &s->dims[i];
    return NULL;
}

static void put_param(struct buf *out, const struct config_strategy *s, uint32_t i)
{
    const struct dim *d = own_dim(s, i);
    buf_puts(out, "      ");
    resolved_put_text(out, d ? d->name : s->spec.param_names[i]);
    buf_puts(out, ": ");
    if (d)
        put_dim(out, d);
    else
        put_number(out, s->base.params[i], NULL);
    buf_puts(out, "\n");
}

/* Swept ones first in their order, which numbers the combinations; of rules all as written, since
 * that is also the order of their parameters. */
static void put_params(struct buf *out, const struct config_strategy *s)
{
    bool is_rules = !strcmp(s->spec.type, "rules");
    buf_printf(out, "    parameters:%s\n", s->spec.params_n ? "" : " {}");
    for (uint32_t d = 0; d < s->dims_n && !is_rules; d++)
        if (s->dims[d].origin == DIM_FROM_PARAMETERS)
            put_param(out, s, s->dims[d].param_idx);
    for (uint32_t i = 0; i < s->spec.params_n; i++)
        if (is_rules || !own_dim(s, i))
            put_param(out, s, i);
}

/* The rows of a section in which the strategy differs from the file. */
static void put_overrides(const struct writing *w, const struct config_strategy *s,
                          const char *section)
{
    const struct config_top own = {.combo = s->base, .first_signal = s->spec.first_signal};
    const struct writing mine = {
        .config = w->config, .top = &own, .is_identity = w->is_identity, .out = w->out};
    const struct schema_row *row;
    bool is_open = false;
    for (size_t i = 0; (row = schema_row_at(i)); i++) {
        if (!schema_is_under(row, section) || row->place != PLACE_TOP ||
            !memcmp(field_of(&mine, row), field_of(w, row), row->width))
            continue;
        if (!is_open)
            buf_printf(w->out, "    %s_config:\n", section);
        is_open = true;
        write_row(&mine, row, "      ");
    }
}

static void put_strategy(const struct writing *w, struct config_strategy *s)
{
    buf_puts(w->out, "  - type: ");
    resolved_put_text(w->out, s->spec.type);
    buf_puts(w->out, "\n    name: ");
    resolved_put_text(w->out, s->spec.name);
    buf_puts(w->out, "\n");
    put_params(w->out, s);
    buf_puts(w->out, "    where: ");
    resolved_put_text(w->out, s->where);
    buf_puts(w->out, "\n");
    put_overrides(w, s, "risk");
    put_overrides(w, s, "execution");
    for (unsigned i = 0; i < RULES_N && !strcmp(s->spec.type, "rules"); i++) {
        if (!*rule_of(&s->spec, i))
            continue;
        buf_printf(w->out, "    %s: ", rule_keys[i]);
        resolved_put_text(w->out, rule_of(&s->spec, i));
        buf_puts(w->out, "\n");
    }
}

void write_strategies(const struct writing *w, const struct schema_row *row)
{
    (void)row;
    buf_puts(w->out, "\n");
    for (uint32_t i = 0; i < w->config->strategies_n; i++)
        put_strategy(w, &w->config->strategies[i]);
}

/* ---- the whole ------------------------------------------------------------------------------ */

static bool is_written(const struct writing *w, const struct schema_row *row)
{
    return row->kind != SCHEMA_ABSENT && !(w->is_identity && row->is_outside);
}

/* Swept exits come first and in their own order, which numbers the combinations. */
static void write_swept_exits(const struct writing *w)
{
    for (uint32_t i = 0; i < w->config->shared_n; i++)
        if (w->config->shared[i].origin == DIM_FROM_EXITS)
            write_row(w, w->config->shared[i].row, "  ");
}

static void write_section(const struct writing *w, const struct schema_row *section)
{
    const struct schema_row *row;
    bool is_exits = !strcmp(section->path, "exits"), is_open = false;
    for (size_t i = 0; (row = schema_row_at(i)); i++) {
        if (!schema_is_under(row, section->path) || !is_written(w, row))
            continue;
        if (!is_open) {
            buf_printf(w->out, "%s:\n", section->path);
            is_open = true;
            if (is_exits)
                write_swept_exits(w);
        }
        if (!dim_here(w->config, row))
            write_row(w, row, "  ");
    }
}

static void write_all(const struct config *config, bool is_identity, struct buf *out)
{
    const struct writing w = {
        .config = config, .top = &config->top, .is_identity = is_identity, .out = out};
    const struct schema_row *row;
    for (size_t i = 0; (row = schema_row_at(i)); i++) {
        if (row->kind == SCHEMA_MAP && schema_is_under(row, ""))
            write_section(&w, row);
        else if (!strpbrk(row->path, ".[") && is_written(&w, row))
            write_row(&w, row, "");
    }
}

void config_resolved(const struct config *config, struct buf *out)
{
    write_all(config, false, out);
}

void config_hash(const struct config *config, uint64_t ret_hash[2])
{
    struct buf text = {0};
    write_all(config, true, &text);
    XXH128_hash_t hash = XXH3_128bits(text.data ? text.data : "", text.n_bytes);
    ret_hash[0] =
        text.failed ? 0 : hash.high64; /* no memory: no identity, rather than a wrong one */
    ret_hash[1] = text.failed ? 0 : hash.low64;
    buf_fini(&text);
}
