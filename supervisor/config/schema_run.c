/* SPDX-License-Identifier: MIT */
/* Rows of the schema: how results are measured, how a run is carried out, what a worker may use. */
#include <math.h>

#include "shm/series.h"
#include "supervisor/config/rows.h"

static const struct choice choices_profile[] = {{"native", PROFILE_NATIVE, false},
                                                {"backtesting.py", PROFILE_BACKTESTING_PY, false},
                                                {"vectorbt", PROFILE_VECTORBT, false},
                                                {"quantstats", PROFILE_QUANTSTATS, false},
                                                {0}};
static const struct choice choices_mode[] = {
    {"free", RUN_FREE, false}, {"lockstep", RUN_LOCKSTEP, false}, {0}};
static const struct choice choices_driver[] = {
    {"reference", 0, false}, {"fast", CHOICE_ABSENT, false}, {0}};
static const struct choice choices_dtype[] = {
    {"f64", SERIES_F64, false}, {"f32", SERIES_F32, false}, {0}};

static const struct schema_row rows[] = {
    {.path = "metrics", .kind = SCHEMA_MAP, .doc = "How results are measured."},
    {.path = "metrics.profile",
     .kind = SCHEMA_CHOICE,
     CONFIG(profile),
     .choices = choices_profile,
     .dflt = "native",
     .example = "backtesting.py",
     .doc = "Whose formulas; `admf catalog metrics` shows them all."},
    {.path = "metrics.periods_per_year",
     .kind = SCHEMA_NUMBER,
     CONFIG(periods_per_year),
     .rule = {.minimum = 0, .maximum = 1e8, .is_above = true, .word = "auto", .word_value = NAN},
     .dflt = "auto",
     .example = "365",
     .unit = "periods",
     .doc = "`auto`: 252 in native and quantstats, by the bars' spacing in the others."},
    {.path = "metrics.risk_free",
     .kind = SCHEMA_NUMBER,
     CONFIG(risk_free),
     .rule = {.minimum = -1, .maximum = 1},
     .dflt = "0",
     .example = "0.02",
     .unit = "fraction a year",
     .doc = "The risk-free rate."},

    {.path = "run", .kind = SCHEMA_MAP, .doc = "How the run is carried out."},
    {.path = "run.mode",
     .is_outside = true,
     .kind = SCHEMA_CHOICE,
     CONFIG(mode),
     .choices = choices_mode,
     .dflt = "free",
     .example = "lockstep",
     .doc = "`free`: batches of combinations, each for itself. `lockstep`: all containers step "
            "bar by bar, with shared risk and execution. Both give the same bytes."},
    {.path = "run.workers",
     .is_outside = true,
     .kind = SCHEMA_WHOLE,
     CONFIG(workers),
     .rule = {.minimum = 1, .maximum = 256, .word = "auto", .word_value = 0},
     .dflt = "auto",
     .example = "3",
     .unit = "processes",
     .doc = "`auto`: one for each processor."},
    {.path = "run.driver",
     .is_outside = true,
     .kind = SCHEMA_CHOICE,
     .choices = choices_driver,
     .dflt = "reference",
     .doc = "`reference`: every bar is walked."},
    {.path = "run.series_dtype",
     .kind = SCHEMA_CHOICE,
     CONFIG(series_dtype),
     .choices = choices_dtype,
     .dflt = "f64",
     .example = "f32",
     .doc = "Precision of series. `f32`: half the memory; every series is rounded to it, and what "
            "is made of it sees the rounded values. `admf plan --compare-dtype` shows what that "
            "changes. Part of a run's identity."},
    {.path = "run.plane_budget",
     .is_outside = true,
     .kind = SCHEMA_BYTES,
     CONFIG(plane_budget_bytes),
     .rule =
         {.minimum = 0, .maximum = 0x1p60, .word = "auto", .word_value = (double)PLANE_BUDGET_AUTO},
     .values = "size, or `auto`",
     .dflt = "auto",
     .example = "256MiB",
     .doc = "Shared memory for bars and series. What does not fit is computed again where it is "
            "used; results are the same at any budget. `auto`: half of the machine's memory."},
    {.path = "run.seed",
     .write = write_seed,
     .kind = SCHEMA_OWN,
     .read = read_seed,
     CONFIG(seed),
     .values = "whole number, 0 to 18446744073709551615",
     .dflt = "1",
     .example = "7",
     .doc = "Start of the random streams; part of a run's identity."},
    {.path = "run.barrier_timeout",
     .is_outside = true,
     .kind = SCHEMA_DURATION,
     CONFIG(barrier_timeout_ns),
     .rule = {.minimum = 1e6, .maximum = 86400e9},
     .values = "duration, 1ms to 1d",
     .dflt = "30s",
     .example = "5s",
     .doc = "How long a lockstep run waits for its slowest worker."},

    {.path = "limits", .kind = SCHEMA_MAP, .doc = "What one worker may use."},
    {.path = "limits.memory",
     .is_outside = true,
     .kind = SCHEMA_BYTES,
     CONFIG(memory_limit_bytes),
     .rule = {.minimum = 1 << 20, .maximum = 0x1p60, .word = "none", .word_value = 0},
     .values = "size from 1MiB on, or `none`",
     .dflt = "none",
     .example = "256MiB",
     .doc =
         "Private memory of a worker beyond the 128MiB that it takes to run at all. More than this "
         "ends the combination as `out_of_memory`."},
    {.path = "limits.time_per_combination",
     .is_outside = true,
     .kind = SCHEMA_DURATION,
     CONFIG(time_per_combination_ns),
     .rule = {.minimum = 1e6, .maximum = 30 * 86400e9, .word = "none", .word_value = 0},
     .values = "duration, 1ms to 30d, or `none`",
     .dflt = "none",
     .example = "10s",
     .doc = "Time that passes, not time on a processor. More than this ends the combination as "
            "`timeout`. In lockstep, where combinations walk together, `run.barrier_timeout` "
            "bounds each step instead."},
    {.path = "limits.retries",
     .is_outside = true,
     .kind = SCHEMA_WHOLE,
     CONFIG(retries),
     .rule = {.minimum = 0, .maximum = 100},
     .dflt = "1",
     .example = "2",
     .unit = "times",
     .doc = "How often a combination that took its worker down is tried again."},
    ABSENT("limits.sandbox", "What system calls a worker may use."),
};
const struct schema_part schema_run = {rows, ROWS_N(rows)};
