/* SPDX-License-Identifier: MIT */
/* Reading a command line by the tables of options and commands.
 *
 * Options stand anywhere; what is left are words, of which the first one or two name the command.
 * So an option's value is known to be one before the command is. */
#include "supervisor/cli/options.h"

#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct cli_args, field)

const struct cli_option cli_options[] = {
    {"actions", 0, "FILE", VALUE_TEXT, AT(actions), 0, "import",
     "splits and cash dividends to apply: a CSV with date,symbol,split,dividend"},
    {"combination", 0, "N", VALUE_COUNT, AT(combination), AT(combination_given), "export",
     "the combination whose trades or equity are exported"},
    {"combinations", 0, "N", VALUE_COUNT, AT(combinations), AT(combinations_given), "check",
     "how many combinations are checked at most; default 16"},
    {"compare-dtype", 0, NULL, VALUE_FLAG, AT(compare_dtype), 0, "plan",
     "compute conditions in f64 and in f32, and tell how many signal bits differ"},
    {"csv", 0, "FILE", VALUE_TEXT, AT(csv), 0, "indicator",
     "bars from a CSV file; - for standard input"},
    {"cuts", 0, "N", VALUE_COUNT, AT(cuts), AT(cuts_given), "check",
     "at how many bars the future is changed; default 8"},
    {"dividends", 0, "HOW", VALUE_TEXT, AT(dividends), 0, "import",
     "adjust (default): prices before a dividend are lowered; cash: it is paid to holders"},
    {"format", 0, "FORMAT", VALUE_TEXT, AT(format), 0, "catalog,data export,export,plan",
     "csv (default), json, jsonl or sqlite; of plan --series text or dot, for Graphviz; of catalog "
     "indicators text or md"},
    {"help", 'h', NULL, VALUE_HELP, 0, 0, "*", "print help, examples first"},
    {"json", 0, NULL, VALUE_FLAG, AT(json), 0,
     "import,data list,data info,plan,check,run,runs,show,catalog,store info,store verify,doctor",
     "print JSON for programs"},
    {"lenient", 0, NULL, VALUE_FLAG, AT(lenient), 0, "import,indicator",
     "skip bad rows and count them; without it the first one is an error"},
    {"output", 'o', "FILE", VALUE_TEXT, AT(output), 0, "data export,export",
     "write to a file; - (default) is standard output"},
    {"plugin", 0, "FILE", VALUE_LIST, AT(plugins), 0, "indicator,catalog",
     "a library of indicators (docs/PLUGINS.md); may be repeated"},
    {"protocol", 0, "P", VALUE_TEXT, AT(protocol), 0, "catalog",
     "list only components with this protocol, such as SignalGenerator"},
    {"quiet", 0, NULL, VALUE_FLAG, AT(quiet), 0, "check,run", "no progress and no talk on stderr"},
    {"resolved", 0, NULL, VALUE_FLAG, AT(resolved), 0, "plan",
     "print the configuration as YAML with every default written out"},
    {"resume", 0, "RUN", VALUE_TEXT, AT(resume), 0, "run",
     "go on with a run that was stopped: its id, a unique prefix, or last"},
    {"seed", 0, "N", VALUE_COUNT, AT(seed), AT(seed_given), "check",
     "of the choice of combinations and cuts; default run.seed"},
    {"series", 0, NULL, VALUE_FLAG, AT(series), 0, "plan",
     "list the series by levels: their users and bytes, and what sharing saves"},
    {"set", 0, "KEY=VALUE", VALUE_LIST, AT(sets), 0, "check,plan,run",
     "replace a configured value, as in execution.commission=0.002; may be repeated"},
    {"sort", 0, "METRIC", VALUE_TEXT, AT(sort), 0, "show",
     "rank by this metric instead of the objective"},
    {"store", 0, "DIR", VALUE_TEXT, AT(store), 0, "*",
     "the store's directory; default $ADMF_STORE, then $XDG_DATA_HOME/admf"},
    {"symbol", 0, "S", VALUE_TEXT, AT(symbol), 0, "import,indicator",
     "the symbol that bars are kept under"},
    {"top", 0, "N", VALUE_COUNT, AT(top), AT(top_given), "show",
     "how many combinations are listed; default 10, at most 100000"},
    {"tz", 0, "ZONE", VALUE_TEXT, AT(tz), 0, "import,indicator",
     "zone of times without an offset, such as America/New_York; default UTC"},
    {"version", 0, NULL, VALUE_VERSION, 0, 0, "*", "print the version"},
    {"what", 0, "WHAT", VALUE_TEXT, AT(what), 0, "export",
     "combinations, trades, equity or faults"},
    {"where", 0, "EXPR", VALUE_TEXT, AT(where), 0, "show",
     "list only combinations for which this condition on metrics and swept values holds"},
    {"workers", 0, "N", VALUE_COUNT, AT(workers), AT(workers_given), "run",
     "worker processes; default run.workers, else one for each processor"},
};
const unsigned cli_options_n = sizeof cli_options / sizeof *cli_options;

bool cli_option_is_for(const struct cli_option *option, const struct cli_command *command)
{
    size_t name_n = strlen(command->name);
    if (strcmp(option->commands, "*") == 0)
        return true;
    for (const char *p = option->commands; *p;) {
        size_t n = strcspn(p, ",");
        if (n == name_n && memcmp(p, command->name, n) == 0)
            return true;
        p += n + (p[n] == ',');
    }
    return false;
}

const struct cli_command *cli_command_find(const char *name)
{
    for (unsigned i = 0; i < cli_commands_n; i++)
        if (strcmp(cli_commands[i].name, name) == 0)
            return &cli_commands[i];
    return NULL;
}

/* ---- commands ------------------------------------------------------------------------------- */

/* The command that words[0], or words[0] and words[1], name; *ret_words is how many. */
static const struct cli_command *command_of(const char *const *words, unsigned words_n,
                                            unsigned *ret_words)
{
    char two[64];
    *ret_words = 0;
    if (words_n > 1) {
        int n = snprintf(two, sizeof two, "%s %s", words[0], words[1]);
        *ret_words = 2;
        if (n > 0 && (size_t)n < sizeof two && cli_command_find(two))
            return cli_command_find(two);
    }
    *ret_words = 1;
    return words_n > 0 ? cli_command_find(words[0]) : NULL;
}

/* The verbs of a noun such as "data": "list, info, export". False where there is no such noun. */
static bool verbs_of(const char *noun, char *out, size_t out_bytes)
{
    size_t noun_n = strlen(noun), used = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < cli_commands_n && used < out_bytes; i++) {
        const char *name = cli_commands[i].name;
        if (strncmp(name, noun, noun_n) == 0 && name[noun_n] == ' ')
            used += (size_t)snprintf(out + used, out_bytes - used, "%s%s", used ? ", " : "",
                                     name + noun_n + 1);
    }
    return used > 0;
}

static int unknown_command(const char *const *words, unsigned words_n, struct err *err)
{
    const char *names[64];
    char shown[128], list[512] = "";
    size_t n = 0, used = 0;
    if (verbs_of(words[0], list, sizeof list)) {
        if (words_n < 2)
            return err_set(err, ERR_USAGE, "%s needs one of: %s", words[0], list);
        return err_set(err, ERR_USAGE, "unknown command \"%s %s\"; %s knows: %s", words[0],
                       err_printable(words[1], shown, sizeof shown), words[0], list);
    }
    for (unsigned i = 0; i < cli_commands_n && n < 64; i++) {
        names[n++] = cli_commands[i].name;
        if (used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "",
                                     cli_commands[i].name);
    }
    const char *near = err_suggest(words[0], names, n);
    return err_set(err, ERR_USAGE, "unknown command \"%s\"%s%s%s; the commands are: %s",
                   err_printable(words[0], shown, sizeof shown), near ? "; did you mean \"" : "",
                   near ? near : "", near ? "\"?" : "", list);
}

/* ---- options -------------------------------------------------------------------------------- */

/* A command line while it is read. */
struct reading {
    int argc;
    const char *const *argv;
    int at;
    bool only_words; /* after -- */
    struct cli_parsed *out;
    bool given[64]; /* by row of cli_options */
    struct err *err;
};

static const struct cli_option *option_find(const char *name, size_t name_n)
{
    for (unsigned i = 0; i < cli_options_n; i++)
        if (strlen(cli_options[i].name) == name_n && memcmp(cli_options[i].name, name, name_n) == 0)
            return &cli_options[i];
    return NULL;
}

/* Suggests an option of the command that the words so far name, or of any. */
static int unknown_option(struct reading *r, const char *arg)
{
    unsigned words;
    const char *names[64];
    char shown[128], bare[128];
    size_t n = 0;
    struct cli_args *args = &r->out->args;
    r->out->command = command_of(args->positional, args->positional_n, &words);
    if (!r->out->command && args->positional_n > 0 && strcmp(args->positional[0], "help") != 0)
        return unknown_command(args->positional, args->positional_n, r->err);
    for (unsigned i = 0; i < cli_options_n; i++)
        if (!r->out->command || cli_option_is_for(&cli_options[i], r->out->command))
            names[n++] = cli_options[i].name;
    snprintf(bare, sizeof bare, "%.*s", (int)strcspn(arg, "="), arg);
    const char *near = err_suggest(bare + strspn(bare, "-"), names, n);
    return err_set(r->err, ERR_USAGE, "unknown option %s%s%s%s",
                   err_printable(bare, shown, sizeof shown),
                   near ? "; did you mean --" : "; an argument that begins with - stands behind --",
                   near ? near : "", near ? "?" : "");
}

static int read_count(struct reading *r, const struct cli_option *option, const char *text,
                      uint64_t *ret)
{
    uint64_t v = 0;
    char shown[128];
    bool bad = !*text;
    for (const char *p = text; *p && !bad; p++)
        bad = *p < '0' || *p > '9' || __builtin_mul_overflow(v, UINT64_C(10), &v) ||
              __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v);
    if (bad)
        return err_set(r->err, ERR_USAGE, "--%s needs a whole number, not \"%s\"", option->name,
                       err_printable(text, shown, sizeof shown));
    *ret = v;
    return 0;
}

static int store_value(struct reading *r, const struct cli_option *option, const char *text)
{
    struct cli_args *args = &r->out->args;
    char *base = (char *)args;
    uint64_t count = 0;
    char shown[128];
    if (option->kind == VALUE_COUNT) {
        int rc = read_count(r, option, text, &count);
        if (rc < 0)
            return rc;
        memcpy(base + option->value_off, &count, sizeof count);
        memset(base + option->given_off, 1, sizeof(bool));
        return 0;
    }
    if (option->kind == VALUE_TEXT) {
        memcpy(base + option->value_off, &text, sizeof text);
        return 0;
    }
    if (option->value_off == AT(plugins)) {
        if (args->plugins_n == CLI_PLUGINS_MAX)
            return err_set(r->err, ERR_USAGE, "more than %d times --%s", CLI_PLUGINS_MAX,
                           option->name);
        args->plugins[args->plugins_n++] = text;
        return 0;
    }
    if (!strchr(text, '=') || text[0] == '=')
        return err_set(r->err, ERR_USAGE, "--%s needs %s, not \"%s\"", option->name, option->value,
                       err_printable(text, shown, sizeof shown));
    if (args->sets_n == CLI_SETS_MAX)
        return err_set(r->err, ERR_USAGE, "more than %d times --%s", CLI_SETS_MAX, option->name);
    args->sets[args->sets_n++] = text;
    return 0;
}

static int set_flag(struct reading *r, const struct cli_option *option)
{
    if (option->kind == VALUE_HELP)
        r->out->wants_help = true;
    else if (option->kind == VALUE_VERSION)
        r->out->wants_version = true;
    else
        memset((char *)&r->out->args + option->value_off, 1, sizeof(bool));
    return 0;
}

/* `value` is what stands behind = or behind the letter; NULL: the next argument. */
static int take_option(struct reading *r, const struct cli_option *option, const char *value)
{
    r->given[option - cli_options] = true;
    if (!option->value) {
        if (value)
            return err_set(r->err, ERR_USAGE, "--%s takes no value", option->name);
        return set_flag(r, option);
    }
    if (!value && r->at < r->argc)
        value = r->argv[r->at++];
    if (!value || !*value)
        return err_set(r->err, ERR_USAGE, "--%s needs a value: --%s %s", option->name, option->name,
                       option->value);
    return store_value(r, option, value);
}

static int take_long(struct reading *r, const char *arg)
{
    const char *name = arg + 2;
    size_t name_n = strcspn(name, "=");
    const struct cli_option *option = option_find(name, name_n);
    if (!option)
        return unknown_option(r, arg);
    return take_option(r, option, name[name_n] == '=' ? name + name_n + 1 : NULL);
}

static int take_letter(struct reading *r, const char *arg)
{
    for (unsigned i = 0; i < cli_options_n; i++)
        if (cli_options[i].letter == arg[1] && arg[1])
            return take_option(r, &cli_options[i], arg[2] ? arg + 2 + (arg[2] == '=') : NULL);
    return unknown_option(r, arg);
}

static int take_word(struct reading *r, const char *arg)
{
    struct cli_args *args = &r->out->args;
    if (args->positional_n == CLI_ARGS_MAX)
        return err_set(r->err, ERR_USAGE, "more than %d arguments", CLI_ARGS_MAX);
    args->positional[args->positional_n++] = arg;
    return 0;
}

static int take_arg(struct reading *r)
{
    const char *arg = r->argv[r->at++];
    if (r->only_words || arg[0] != '-' || !arg[1])
        return take_word(r, arg);
    if (strcmp(arg, "--") == 0) {
        r->only_words = true;
        return 0;
    }
    return arg[1] == '-' ? take_long(r, arg) : take_letter(r, arg);
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void drop_words(struct cli_args *args, unsigned n)
{
    args->positional_n -= n;
    memmove(args->positional, args->positional + n, args->positional_n * sizeof *args->positional);
}

static int check_options(const struct reading *r)
{
    const struct cli_command *command = r->out->command;
    for (unsigned i = 0; i < cli_options_n; i++)
        if (r->given[i] && !cli_option_is_for(&cli_options[i], command))
            return err_set(r->err, ERR_USAGE, "admf %s does not take --%s", command->name,
                           cli_options[i].name);
    return 0;
}

static int check_args(const struct cli_parsed *p, struct err *err)
{
    const struct cli_command *c = p->command;
    char shown[128];
    if (p->args.positional_n < c->min_args)
        return err_set(err, ERR_USAGE, "admf %s needs %s", c->name, c->usage);
    if (p->args.positional_n > c->max_args)
        return err_set(err, ERR_USAGE, "admf %s: \"%s\" is one argument too many", c->name,
                       err_printable(p->args.positional[c->max_args], shown, sizeof shown));
    return 0;
}

/* `admf data --help` and `admf help data`. */
static bool asks_for_noun(struct cli_parsed *p)
{
    char verbs[256];
    if (!p->wants_help || p->args.positional_n != 1 ||
        !verbs_of(p->args.positional[0], verbs, sizeof verbs))
        return false;
    p->noun = p->args.positional[0];
    return true;
}

/* `admf help [COMMAND]`, with the words of the command behind it. */
static int read_help(struct cli_parsed *p, struct err *err)
{
    unsigned words;
    drop_words(&p->args, 1);
    p->wants_help = true;
    if (p->args.positional_n == 0)
        return 0;
    p->command = command_of(p->args.positional, p->args.positional_n, &words);
    if (p->command || asks_for_noun(p))
        return 0;
    return unknown_command(p->args.positional, p->args.positional_n, err);
}

static int read_command(struct reading *r)
{
    struct cli_parsed *p = r->out;
    unsigned words;
    if (p->args.positional_n == 0)
        return 0;
    if (strcmp(p->args.positional[0], "help") == 0)
        return read_help(p, r->err);
    p->command = command_of(p->args.positional, p->args.positional_n, &words);
    if (!p->command)
        return asks_for_noun(p) ? 0
                                : unknown_command(p->args.positional, p->args.positional_n, r->err);
    drop_words(&p->args, words);
    if (p->wants_help || p->wants_version)
        return 0;
    int rc = check_options(r);
    return rc < 0 ? rc : check_args(p, r->err);
}

int cli_parse(int argc, const char *const *argv, struct cli_parsed *ret, struct err *err)
{
    *ret = (struct cli_parsed){0};
    struct reading r = {.argc = argc, .argv = argv, .at = 1, .out = ret, .err = err};
    while (r.at < argc) {
        int rc = take_arg(&r);
        if (rc < 0)
            return rc;
    }
    return read_command(&r);
}

/* ---- help ----------------------------------------------------------------------------------- */

static void print_indented(FILE *out, const char *lines)
{
    while (*lines) {
        int n = (int)strcspn(lines, "\n");
        fprintf(out, n ? "  %.*s\n" : "\n", n, lines);
        lines += n + (lines[n] == '\n');
    }
}

static void print_option(FILE *out, const struct cli_option *option)
{
    char left[64], letter[8] = "";
    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, option->name, option->value ? " " : "",
             option->value ? option->value : "");
    fprintf(out, "  %-22s  %s\n", left, option->what);
}

void cli_print_help(FILE *out)
{
    fputs("  admf import spx.csv --symbol SPX\n"
          "  admf run sweep.yaml\n"
          "  admf show last --top 20\n\n"
          "admf sweeps parameters of trading strategies over bars, in worker processes that share "
          "the\n"
          "data and fail alone.\n\n"
          "usage: admf COMMAND [ARGUMENTS] [OPTIONS]\n\ncommands:\n",
          out);
    for (unsigned i = 0; i < cli_commands_n; i++)
        fprintf(out, "  %-13s %s\n", cli_commands[i].name, cli_commands[i].what);
    fputs("\nadmf help COMMAND explains one of them. Every command takes:\n", out);
    for (unsigned i = 0; i < cli_options_n; i++)
        if (strcmp(cli_options[i].commands, "*") == 0)
            print_option(out, &cli_options[i]);
    fputs("\nOptions may stand anywhere; -- ends them; - is standard input or output.\n"
          "Exit codes: admf catalog errors.\n",
          out);
}

void cli_print_noun_help(FILE *out, const char *noun)
{
    size_t noun_n = strlen(noun);
    fprintf(out, "usage: admf %s VERB [ARGUMENTS] [OPTIONS]\n\nverbs:\n", noun);
    for (unsigned i = 0; i < cli_commands_n; i++) {
        const struct cli_command *c = &cli_commands[i];
        char left[64];
        if (strncmp(c->name, noun, noun_n) != 0 || c->name[noun_n] != ' ')
            continue;
        snprintf(left, sizeof left, "%s%s%s", c->name, *c->usage ? " " : "", c->usage);
        fprintf(out, "  %-20s %s\n", left, c->what);
    }
    fprintf(out, "\nadmf help %s VERB explains one of them.\n", noun);
}

void cli_print_command_help(FILE *out, const struct cli_command *command)
{
    print_indented(out, command->examples);
    fprintf(out, "\nusage: admf %s%s%s [OPTIONS]\n\n%s\n\noptions:\n", command->name,
            *command->usage ? " " : "", command->usage, command->what);
    for (unsigned i = 0; i < cli_options_n; i++)
        if (cli_option_is_for(&cli_options[i], command))
            print_option(out, &cli_options[i]);
    if (command->details)
        fprintf(out, "\n%s\n", command->details);
}
