/* SPDX-License-Identifier: MIT */
/* What a run works on: the bars of its range in a plane, and the hub that fills it with series. */
#include <sched.h>
#include <stdlib.h>

#include "supervisor/hub/series_source.h"
#include "supervisor/plan/plan.h"
#include "supervisor/pool/run.h"

/* ---- how much ------------------------------------------------------------------------------- */

uint32_t processors_n(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n < 1 ? 1 : (uint32_t)n;
}

/* Bars come first. */
static uint64_t series_budget(const struct config *config, const struct plane_plan *plan)
{
    uint64_t budget = config_plane_budget(config), core = plane_core_bytes(plan);
    return budget > core ? budget - core : 0;
}

/* ---- the plane ------------------------------------------------------------------------------ */

static int make_plane(struct run_data *data, const struct config *config, struct err *err)
{
    const struct series_plan *series = data->series;
    struct plane_series_plan *planned = calloc((size_t)series->n + 1, sizeof *planned);
    if (!planned)
        return err_set(err, ERR_SYSTEM, "out of memory for %u series", series->n);
    for (uint32_t i = 0; i < series->n; i++)
        planned[i] = (struct plane_series_plan){series->series[i].clock_idx, series->series[i].key,
                                                series->series[i].dtype};
    struct plane_plan plan = {
        .symbols_n = data->range.all_n,
        .traded_n = data->range.symbols_n,
        .bars = data->range.cut,
        .first_row = data->range.warm_up_rows,
        .clocks_n = series->clocks_n,
        .clocks = series->clocks,
        .is_named = series->is_named,
        .series_n = series->n,
        .series = planned,
        .is_rounded = config->series_dtype == SERIES_F32,
        .data_hash = {data->range.data_hash[0], data->range.data_hash[1]},
    };
    plan.series_budget_bytes = series_budget(config, &plan);
    int r = plane_create(&plan, &data->plane, err);
    free(planned);
    if (r < 0)
        return r;
    const struct plane *view = plane_writer_view(data->plane);
    data->first_step = view->first_step;
    data->steps_n = view->steps_n - view->first_step;
    return 0;
}

static int make_hub(struct run_data *data, const struct config *config, struct err *err)
{
    const struct series_source_options from = {data->series, data->plane, config};
    int r = series_source_create(&from, &data->source, err);
    if (r < 0)
        return r;
    const struct hub_options options = {.source = series_source_of(data->source),
                                        .builders_n = processors_n()};
    return hub_open(&options, &data->hub, err);
}

int run_data_build(const struct config *config, const struct describe *describe,
                   struct range *range, struct run_data *ret_data, struct err *err)
{
    struct run_data data = {.range = *range};
    *range = (struct range){0};
    const struct series_plan_options options = {
        .config = config,
        .describe = describe,
        .bars = data.range.cut,
        .symbols_n = data.range.symbols_n,
        .most = SERIES_PLAN_MOST,
        .wants_conditions = true,
        .is_f32 = config->series_dtype == SERIES_F32,
    };
    int r = series_plan_create(&options, &data.series, err);
    if (r == 0)
        r = make_plane(&data, config, err);
    if (r == 0)
        r = make_hub(&data, config, err);
    if (r < 0)
        run_data_fini(&data);
    else
        *ret_data = data;
    return r;
}

int run_data_load(const struct config *config, const struct describe *describe, struct store *store,
                  const uint64_t (*hashes)[2], struct run_data *ret_data, struct err *err)
{
    struct range range = {0};
    int r = range_load(config, store, hashes, &range, err);
    return r == 0 ? run_data_build(config, describe, &range, ret_data, err) : r;
}

int run_data_make_all(struct run_data *data, struct err *err)
{
    int r = data->all ? 0 : hub_need_all(data->hub, &data->all, err);
    while (r == 0 && !hub_wait(data->hub, data->all, 1000))
        continue; /* each job has a deadline of its own */
    return r;
}

uint64_t run_data_plane_bytes(const struct run_data *data)
{
    const struct plane_writer_bytes bytes = plane_writer_bytes(data->plane);
    return bytes.core + bytes.held_peak;
}

void run_data_fini(struct run_data *data)
{
    if (data->all)
        hub_unpin(data->hub, data->all);
    hub_close(data->hub);
    series_source_destroy(data->source);
    plane_writer_destroy(data->plane);
    series_plan_destroy(data->series);
    range_fini(&data->range);
    *data = (struct run_data){0};
}
