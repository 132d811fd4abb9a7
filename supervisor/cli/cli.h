/* SPDX-License-Identifier: MIT */
/* The command line: one table of commands, one table of options, one file a command.
 *
 * An option row says which commands take it and where its value goes, so that parsing, `--help`,
 * unknown option errors and their suggestions, and the docs come from the same rows. Data goes to
 * stdout, talk to stderr. A command returns its exit code, or fills *err (whose kind gives the
 * code). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/err.h"

#define CLI_ARGS_MAX    256
#define CLI_SETS_MAX    64
#define CLI_PLUGINS_MAX 32

/* Values of all options; what was not given is NULL, 0 or false. */
struct cli_args {
    const char *positional[CLI_ARGS_MAX];
    unsigned positional_n;
    const char *store;
    bool json, quiet, lenient, resolved, series, compare_dtype;
    const char *symbol, *tz;
    uint64_t workers;
    bool workers_given;
    const char *resume;
    const char *sets[CLI_SETS_MAX];
    unsigned sets_n;
    const char *plugins[CLI_PLUGINS_MAX];
    unsigned plugins_n;
    uint64_t top;
    bool top_given;
    const char *sort, *where;
    const char *what, *format, *output;
    uint64_t combination;
    bool combination_given;
    const char *csv, *protocol;
    const char *actions, *dividends;
    uint64_t combinations, cuts, seed;
    bool combinations_given, cuts_given, seed_given;
};

typedef int (*cli_run_fn)(const struct cli_args *args, struct err *err);

struct cli_command {
    const char *name;  /* "run", "data list" */
    const char *usage; /* what follows the name: "CONFIG" */
    unsigned min_args, max_args;
    const char *what;     /* one line */
    const char *examples; /* lines; the first thing of --help */
    const char *details;  /* paragraphs after the options; NULL: none */
    cli_run_fn run;
};

/* The commands, in the order of `admf --help`; defined in cli/commands.c. */
extern const struct cli_command cli_commands[];
extern const unsigned cli_commands_n;

/* Parses, dispatches, prints the error if there is one. The exit code of the program. */
int cli_main(int argc, char **argv);

/* One function a command, each in a file of its name. */
int cmd_import(const struct cli_args *args, struct err *err);
int cmd_data_list(const struct cli_args *args, struct err *err);
int cmd_data_info(const struct cli_args *args, struct err *err);
int cmd_data_export(const struct cli_args *args, struct err *err);
int cmd_plan(const struct cli_args *args, struct err *err);
int cmd_check(const struct cli_args *args, struct err *err);
int cmd_run(const struct cli_args *args, struct err *err);
int cmd_runs(const struct cli_args *args, struct err *err);
int cmd_show(const struct cli_args *args, struct err *err);
int cmd_digest(const struct cli_args *args, struct err *err);
int cmd_export(const struct cli_args *args, struct err *err);
int cmd_indicator(const struct cli_args *args, struct err *err);
int cmd_catalog(const struct cli_args *args, struct err *err);
int cmd_store_info(const struct cli_args *args, struct err *err);
int cmd_store_verify(const struct cli_args *args, struct err *err);
int cmd_doctor(const struct cli_args *args, struct err *err);

/* ---- what several commands do alike (cli/common.c, cli/table.c) ------------------ */

/* Whether stdout or stderr may get colour and progress: a terminal, and no $NO_COLOR. */
bool cli_may_colour(FILE *stream);
/* Writes to stdout failed or was cut: ERR_IO, or a quiet end on a closed pipe. Called once at the
 * end of each command that printed data. */
int cli_finish_stdout(struct err *err) ADMF_MUST_CHECK;

/* A table for people: columns aligned, numbers right, cut to the terminal's width. */
struct cli_table;
struct cli_table *cli_table_create(unsigned columns_n, const char *const *headers);
void cli_table_add(struct cli_table *t, unsigned column, const char *text, bool is_number);
void cli_table_print(struct cli_table *t, FILE *out);
void cli_table_destroy(struct cli_table *t);
