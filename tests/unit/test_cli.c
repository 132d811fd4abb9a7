/* SPDX-License-Identifier: MIT */
/* The promise: options stand anywhere, every mistake on a command line is named with a way out, and
 * the documentation knows every command and every option. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/cli/catalog.h"
#include "supervisor/cli/common.h"
#include "supervisor/cli/options.h"

#define ARGS_MAX 16

static struct cli_parsed parsed;
static struct err err;

static int parse(const char *const *words)
{
    int argc = 0;
    while (argc < ARGS_MAX && words[argc])
        argc++;
    err = (struct err){0};
    return cli_parse(argc, words, &parsed, &err);
}

static const struct {
    const char *what;
    const char *argv[ARGS_MAX];
    const char *command;
    const char *positional;
    const char *store, *output;
    uint64_t workers;
    unsigned sets_n;
} good[] = {
    {"options after arguments",
     {"admf", "run", "a.yaml", "--workers", "3", "--store", "/s"},
     "run",
     "a.yaml",
     "/s",
     NULL,
     3,
     0},
    {"options before arguments",
     {"admf", "run", "--workers", "3", "--store", "/s", "a.yaml"},
     "run",
     "a.yaml",
     "/s",
     NULL,
     3,
     0},
    {"a global option before the command",
     {"admf", "--store", "/s", "run", "a.yaml", "--workers=3"},
     "run",
     "a.yaml",
     "/s",
     NULL,
     3,
     0},
    {"values behind an equals sign",
     {"admf", "run", "a.yaml", "--store=/s", "--set=a=b", "--set", "c=d"},
     "run",
     "a.yaml",
     "/s",
     NULL,
     0,
     2},
    {"two dashes end options",
     {"admf", "indicator", "--", "-close"},
     "indicator",
     "-close",
     NULL,
     NULL,
     0,
     0},
    {"one dash is an argument", {"admf", "run", "-"}, "run", "-", NULL, NULL, 0, 0},
    {"one dash is a value",
     {"admf", "export", "last", "--output", "-"},
     "export",
     "last",
     NULL,
     "-",
     0,
     0},
    {"-o with a space", {"admf", "export", "last", "-o", "f"}, "export", "last", NULL, "f", 0, 0},
    {"-o without a space", {"admf", "export", "last", "-of"}, "export", "last", NULL, "f", 0, 0},
    {"a command of two words",
     {"admf", "data", "info", "SPX"},
     "data info",
     "SPX",
     NULL,
     NULL,
     0,
     0},
    {"an option between the two words",
     {"admf", "data", "--store", "/s", "info", "SPX"},
     "data info",
     "SPX",
     "/s",
     NULL,
     0,
     0},
    {"the last value of an option holds",
     {"admf", "run", "a", "--store", "/x", "--store", "/s"},
     "run",
     "a",
     "/s",
     NULL,
     0,
     0},
    {"a value that looks like an option",
     {"admf", "run", "a", "--store", "--s"},
     "run",
     "a",
     "--s",
     NULL,
     0,
     0},
};

static void expect_text(const char *what, const char *got, const char *wanted)
{
    if (!wanted)
        cr_expect_null(got, "%s", what);
    else
        cr_expect(got && strcmp(got, wanted) == 0, "%s: %s", what, got ? got : "(none)");
}

Test(cli, options_stand_anywhere)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        const char *what = good[i].what;
        cr_assert_eq(parse(good[i].argv), 0, "%s: %s", what, err.text);
        cr_assert_not_null(parsed.command, "%s", what);
        expect_text(what, parsed.command->name, good[i].command);
        cr_expect_eq(parsed.args.positional_n, 1, "%s", what);
        expect_text(what, parsed.args.positional[0], good[i].positional);
        expect_text(what, parsed.args.store, good[i].store);
        expect_text(what, parsed.args.output, good[i].output);
        cr_expect_eq(parsed.args.workers, good[i].workers, "%s", what);
        cr_expect_eq(parsed.args.workers_given, good[i].workers != 0, "%s", what);
        cr_expect_eq(parsed.args.sets_n, good[i].sets_n, "%s", what);
    }
}

static const struct {
    const char *what;
    const char *argv[ARGS_MAX];
    const char *says[3];
} bad[] = {
    {"an unknown command", {"admf", "rnu"}, {"unknown command \"rnu\"", "\"run\"", "catalog"}},
    {"a command that does not exist yet", {"admf", "top"}, {"unknown command \"top\"", "doctor"}},
    {"a noun without its verb", {"admf", "data"}, {"data needs one of", "list", "export"}},
    {"a noun with a wrong verb", {"admf", "store", "salvage"}, {"\"store salvage\"", "verify"}},
    {"an unknown option", {"admf", "run", "a", "--wokers", "3"}, {"--wokers", "--workers?"}},
    {"an unknown letter", {"admf", "run", "a", "-x"}, {"unknown option -x"}},
    {"an option of another command", {"admf", "digest", "last", "--top", "3"}, {"digest", "--top"}},
    {"a missing value", {"admf", "run", "a", "--workers"}, {"--workers needs a value"}},
    {"an empty value", {"admf", "run", "a", "--workers="}, {"--workers needs a value"}},
    {"a value of a flag", {"admf", "runs", "--json=yes"}, {"--json takes no value"}},
    {"a number that is none", {"admf", "run", "a", "--workers", "3x"}, {"whole number", "3x"}},
    {"a negative number", {"admf", "run", "a", "--workers", "-1"}, {"whole number"}},
    {"a number past 64 bits",
     {"admf", "run", "a", "--workers", "18446744073709551616"},
     {"whole number"}},
    {"a missing argument", {"admf", "run"}, {"run needs CONFIG"}},
    {"an argument too many", {"admf", "run", "a", "b"}, {"\"b\"", "too many"}},
    {"escape codes in a name", {"admf", "\033[31mred"}, {"\\x1b"}},
    {"a set without a value", {"admf", "run", "a", "--set", "foo"}, {"KEY=VALUE", "\"foo\""}},
    {"a set without a key", {"admf", "plan", "a", "--set==1"}, {"KEY=VALUE"}},
};

Test(cli, every_mistake_is_named_with_a_way_out)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_lt(parse(bad[i].argv), 0, "%s", bad[i].what);
        cr_expect_eq(err.kind, ERR_USAGE, "%s", bad[i].what);
        for (size_t k = 0; k < 3 && bad[i].says[k]; k++)
            cr_expect_not_null(strstr(err.text, bad[i].says[k]), "%s: %s", bad[i].what, err.text);
    }
}

Test(cli, help_is_asked_for_in_three_ways)
{
    const char *const ways[][ARGS_MAX] = {
        {"admf", "help", "run"}, {"admf", "run", "--help"}, {"admf", "-h", "run"}};
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(parse(ways[i]), 0, "%s", err.text);
        cr_expect(parsed.wants_help);
        cr_assert_not_null(parsed.command);
        cr_expect_str_eq(parsed.command->name, "run");
    }
}

Test(cli, a_noun_is_helped_with_its_verbs)
{
    const char *const ways[][ARGS_MAX] = {{"admf", "data", "--help"}, {"admf", "help", "data"}};
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(parse(ways[i]), 0, "%s", err.text);
        cr_expect(parsed.wants_help);
        cr_expect_null(parsed.command);
        cr_expect_str_eq(parsed.noun, "data");
    }
    cr_expect_lt(parse((const char *[ARGS_MAX]){"admf", "help", "dat"}), 0);
    char *text = NULL;
    size_t text_bytes = 0;
    FILE *out = open_memstream(&text, &text_bytes);
    cr_assert_not_null(out);
    cli_print_noun_help(out, "data");
    fclose(out);
    cr_expect_not_null(strstr(text, "\n  data list "), "%s", text);
    cr_expect_not_null(strstr(text, "\n  data export SYMBOL "), "%s", text);
    cr_expect_null(strstr(text, "store info"), "%s", text);
    free(text);
}

/* ---- times for people ----------------------------------------------------------------------- */

Test(cli, the_first_second_of_1970_is_a_time)
{
    char text[40];
    cr_expect_str_eq(cli_time_text(0, text), "1970-01-01 00:00:00");
    cr_expect_str_eq(cli_time_text(999999999, text), "1970-01-01 00:00:00");
    cr_expect_str_eq(cli_time_text(-1, text), "1969-12-31 23:59:59");
    cr_expect_str_eq(cli_time_text(-1000000000, text), "1969-12-31 23:59:59");
}

Test(cli, many_arguments_are_refused_not_overrun)
{
    const char *argv[CLI_ARGS_MAX + 8];
    for (size_t i = 0; i < sizeof argv / sizeof *argv; i++)
        argv[i] = "x";
    cr_assert_lt(cli_parse(CLI_ARGS_MAX + 8, argv, &parsed, &err), 0);
    cr_expect_eq(err.kind, ERR_USAGE);
}

Test(cli, many_sets_are_refused_not_overrun)
{
    const char *argv[CLI_SETS_MAX + 4] = {"admf", "run", "a"};
    for (size_t i = 3; i < sizeof argv / sizeof *argv; i++)
        argv[i] = "--set=a=b";
    cr_assert_lt(cli_parse(CLI_SETS_MAX + 4, argv, &parsed, &err), 0);
    cr_expect_eq(err.kind, ERR_USAGE);
}

/* ---- tables for people ---------------------------------------------------------------------- */

Test(cli, tables_line_up_and_are_safe_for_a_terminal)
{
    static const char *const heads[] = {"name", "n"};
    char *text = NULL;
    size_t text_bytes = 0;
    FILE *out = open_memstream(&text, &text_bytes);
    struct cli_table *t = cli_table_create(2, heads);
    cr_assert(out && t);
    cli_table_add(t, 0, "a\033[31m", false);
    cli_table_add(t, 1, "1000", true);
    cli_table_add(t, 0, "\303\244\303\266", false);
    cli_table_add(t, 1, "7", true);
    cli_table_print(t, out);
    cli_table_destroy(t);
    fclose(out);
    cr_expect_str_eq(text, "name          n\n"
                           "a\\x1b[31m  1000\n"
                           "\303\244\303\266            7\n");
    free(text);
}

Test(cli, a_table_without_rows_is_its_head)
{
    static const char *const heads[] = {"name", "n"};
    char *text = NULL;
    size_t text_bytes = 0;
    FILE *out = open_memstream(&text, &text_bytes);
    struct cli_table *t = cli_table_create(2, heads);
    cr_assert(out && t);
    cli_table_print(t, out);
    cli_table_destroy(t);
    fclose(out);
    cr_expect_str_eq(text, "name  n\n");
    free(text);
}

/* ---- the tables and their documentation ----------------------------------------------------- */

Test(cli, every_option_names_commands_that_exist)
{
    char name[64];
    for (unsigned i = 0; i < cli_options_n; i++) {
        const char *p = cli_options[i].commands;
        if (strcmp(p, "*") == 0)
            continue;
        while (*p) {
            int n = (int)strcspn(p, ",");
            snprintf(name, sizeof name, "%.*s", n, p);
            cr_expect_not_null(cli_command_find(name), "--%s: %s", cli_options[i].name, name);
            p += n + (p[n] == ',');
        }
    }
}

static const char *read_doc(const char *path)
{
    static char text[1 << 18];
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s", path);
    size_t n = fread(text, 1, sizeof text - 1, file);
    text[n] = '\0';
    fclose(file);
    return text;
}

Test(cli, every_command_and_every_option_is_documented)
{
    const char *doc = read_doc(ADMF_SOURCE "/docs/CLI.md");
    char wanted[128];
    for (unsigned i = 0; i < cli_commands_n; i++) {
        snprintf(wanted, sizeof wanted, "## admf %s\n", cli_commands[i].name);
        cr_expect_not_null(strstr(doc, wanted), "%s", wanted);
        cr_expect_not_null(strstr(doc, cli_commands[i].what), "%s", cli_commands[i].what);
    }
    for (unsigned i = 0; i < cli_options_n; i++) {
        snprintf(wanted, sizeof wanted, "--%s", cli_options[i].name);
        cr_expect_not_null(strstr(doc, wanted), "%s", wanted);
        cr_expect_not_null(strstr(doc, cli_options[i].what), "--%s: %s", cli_options[i].name,
                           cli_options[i].what);
    }
}

Test(cli, the_page_of_indicators_is_that_of_the_table)
{
    struct buf page = {0};
    const char *doc = read_doc(ADMF_SOURCE "/docs/INDICATORS.md");
    catalog_indicators_doc(&page);
    buf_append(&page, "", 1);
    cr_assert_not(page.failed);
    cr_expect_str_eq(doc, (const char *)page.data,
                     "write it anew: admf catalog indicators --format md > docs/INDICATORS.md");
    buf_fini(&page);
}
