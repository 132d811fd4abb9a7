/* SPDX-License-Identifier: MIT */
/* The table of commands. */
#include "supervisor/cli/cli.h"

const struct cli_command cli_commands[] = {
    {"import", "FILE", 1, 1, "bring bars from a CSV file into the store",
     "admf import spx.csv --symbol SPX\n"
     "admf import minutes.csv.gz --symbol BTC --lenient\n"
     "zcat old.csv.gz | admf import - --symbol OLD --tz America/New_York\n"
     "admf import raw.csv --symbol AAPL --actions actions.csv --dividends cash",
     "FILE is plain, .gz or .zst, or - for standard input. Its header names the columns: timestamp "
     "(or\n"
     "time, date, datetime), open, high, low, close and volume, in any order. Every other numeric "
     "column\n"
     "becomes a series under its header's name. A symbol that is imported again moves to the new "
     "bars;\n"
     "older runs still find theirs. --actions applies splits, and dividends by adjusting or as "
     "cash: see\n"
     "docs/DATA.md.",
     cmd_import},
    {"data list", "", 0, 0, "list the symbols of the store",
     "admf data list\nadmf data list --json", NULL, cmd_data_list},
    {"data info", "SYMBOL", 1, 1, "show one symbol: range, rows, columns, hash",
     "admf data info SPX", NULL, cmd_data_info},
    {"data export", "SYMBOL", 1, 1, "write a symbol's bars",
     "admf data export SPX\nadmf data export SPX -o spx.csv",
     "The CSV that it writes gives the same bars when it is imported again.", cmd_data_export},
    {"plan", "CONFIG", 1, 1, "show what a run would be, without running it",
     "admf plan sweep.yaml\n"
     "admf plan sweep.yaml --json\n"
     "admf plan sweep.yaml --series\n"
     "admf plan sweep.yaml --series --format dot | dot -Tsvg > series.svg\n"
     "admf plan sweep.yaml --compare-dtype\n"
     "admf plan sweep.yaml --resolved > resolved.yaml",
     "Counts combinations, the series that they share, containers and who shares them, the wiring "
     "between\n"
     "them, memory and time. Lists of --json hold their first 1,000 entries; counts stand beside "
     "them. With\n"
     "more than 100 shared containers the lists inside each are shorter, so that the plan stays "
     "small. The time is an\n"
     "estimate: of bars, combinations and, in lockstep, of the steps of each wave. --series lists "
     "every series\n"
     "by levels: base are columns, derived is made of columns, complex of what is derived; with "
     "their\n"
     "users, which are combinations, and what sharing saves against a copy for each of them. "
     "--compare-dtype\n"
     "computes the rules' conditions with series as f64 and as f32, and counts signal bits that "
     "differ; of a\n"
     "sample where conditions are many.",
     cmd_plan},
    {"check", "CONFIG", 1, 1, "look-ahead test: does the future change the past?",
     "admf check sweep.yaml\n"
     "admf check sweep.yaml --combinations 100 --cuts 30 --seed 7\n"
     "admf check plugin.yaml --json",
     "Computes combinations over the whole range, and again at each cut: without the bars from "
     "there on, and\n"
     "with other prices there. All before the cut must be the same bits: series, positions, cash, "
     "equity,\n"
     "trades; with other prices also what fills at the open of the cut. Prints the first bar that "
     "differs, and\n"
     "a verdict as its last line. Takes all combinations where they are few, else a sample by "
     "--seed; cuts\n"
     "are spread, near fills, and anywhere. Positions stay open at the end. Nothing is stored. "
     "Imported columns\n"
     "are taken as they are. Exit code 1: something differs, or a combination failed.",
     cmd_check},
    {"run", "CONFIG", 1, 1, "run every combination and print the leaderboard",
     "admf run sweep.yaml\n"
     "admf run sweep.yaml --workers 8 --set execution.commission=0.002\n"
     "admf run sweep.yaml --resume last",
     "Results are stored as they come. The last line of the output is `run ID`. Ctrl-C stops "
     "cleanly and\n"
     "prints the command that resumes; so does a run that a full disk stops. Exit code 1: some "
     "combinations\n"
     "failed, all others are stored. Combinations that the strategy refuses are invalid, which is "
     "no failure:\n"
     "how many and why is said on standard error.",
     cmd_run},
    {"runs", "", 0, 0, "list the runs of the store", "admf runs\nadmf runs --json", NULL, cmd_runs},
    {"show", "RUN", 1, 1, "show a run and its best combinations",
     "admf show last\n"
     "admf show last --top 50 --sort sharpe\n"
     "admf show 20260102 --where 'trades >= 30 and max_drawdown_pct > -20'",
     "RUN is an id, a unique prefix of one, or last. Without --sort the run's objective ranks. The "
     "best\n"
     "comes first; combinations with an undefined value come last, and equal ones by number. "
     "--where is\n"
     "an expression over metrics (admf catalog metrics) and swept values. A run whose supervisor "
     "was killed\n"
     "is interrupted; its results are counted. Each symbol stands with the hash of the bars that "
     "it "
     "had.",
     cmd_show},
    {"digest", "RUN", 1, 1, "print the hash of all results of a run", "admf digest last",
     "Equal digests are equal results, bit by bit. It does not depend on the number of workers, on "
     "crashes\n"
     "and retries, on resuming, or on the compiler.",
     cmd_digest},
    {"export", "RUN", 1, 1, "write results, trades, equity or faults of a run",
     "admf export last --what combinations -o results.csv\n"
     "admf export last --what trades --combination 17\n"
     "admf export last --what combinations --format sqlite -o results.db",
     "Trades and equity of --combination N are recomputed and checked against the stored result.",
     cmd_export},
    {"indicator", "EXPR...", 1, CLI_ARGS_MAX, "compute expressions over bars, as CSV",
     "admf indicator 'sma(close,10)' 'rsi(close,14) < 30' --symbol SPX\n"
     "admf indicator 'bbands(close,20,2,2).upper' --csv spx.csv\n"
     "admf indicator 'close@1d' 'NDX:sma(close,20)' 'vwap(week)' --symbol SPX\n"
     "admf indicator 'efficiency(close,10)' --plugin mine.so --symbol SPX",
     "Prints timestamp, then one column for each expression. An undefined value is an empty field; "
     "a\n"
     "condition is 1 or 0. An expression that begins with - stands behind --. Bars come from "
     "--symbol or\n"
     "from --csv, not both; other symbols that expressions name come from the store, beside "
     "--symbol. Rows are\n"
     "those of the one symbol; of others, and of larger timeframes, each shows the last finished "
     "bar.",
     cmd_indicator},
    {"catalog", "indicators|strategies|components|metrics|errors", 1, 1,
     "list what can be used, with every parameter",
     "admf catalog strategies\n"
     "admf catalog components --protocol SignalGenerator\n"
     "admf catalog metrics --json\n"
     "admf catalog indicators --format md\n"
     "admf catalog indicators --plugin mine.so",
     NULL, cmd_catalog},
    {"store info", "", 0, 0, "show what the store holds", "admf store info", NULL, cmd_store_info},
    {"store verify", "", 0, 0, "read every value of the store and check it",
     "admf store verify --store /data/admf",
     "Each damaged value is named. Exit code 65: damage was found.", cmd_store_verify},
    {"doctor", "", 0, 0, "check this machine for what a run needs", "admf doctor",
     "One line a check: ok, warn or fail, and how to mend it. Exit code 71: a check failed.",
     cmd_doctor},
};
const unsigned cli_commands_n = sizeof cli_commands / sizeof *cli_commands;
