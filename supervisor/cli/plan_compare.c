/* SPDX-License-Identifier: MIT */
/* admf plan --compare-dtype: how many signal bits float32 series would change. */
#include <stdlib.h>

#include "supervisor/cli/plan.h"
#include "supervisor/plan/compare_dtype.h"

static double per_million(const struct dtype_comparison *c)
{
    return c->bits_n ? 1e6 * (double)c->differing_n / (double)c->bits_n : 0.0;
}

static void print_text(const struct plan_job *job, const struct dtype_comparison *c)
{
    char shown[2048];
    printf("compared      %llu condition%s of %llu combination%s%s, as f64 and as f32\n",
           (unsigned long long)c->conditions_n, cli_s(c->conditions_n),
           (unsigned long long)c->combinations_n, cli_s(c->combinations_n),
           c->is_sample ? ", a sample" : "");
    printf("differing     %llu of %llu signal bits (%.3f per million)\n",
           (unsigned long long)c->differing_n, (unsigned long long)c->bits_n, per_million(c));
    if (!c->worst_key)
        return;
    printf("worst         %llu of %llu: ", (unsigned long long)c->worst_n,
           (unsigned long long)c->worst_bits_n);
    if (job->config->symbols_n > 1)
        printf("%s, ", job->config->symbols[c->worst_symbol_idx].name);
    puts(err_printable(c->worst_key, shown, sizeof shown));
}

static json_t *comparison_json(const struct plan_job *job, const struct dtype_comparison *c)
{
    json_t *worst = json_null();
    if (c->worst_key)
        worst = json_pack("{s:s, s:s, s:I, s:I}", "key", c->worst_key, "symbol",
                          job->config->symbols[c->worst_symbol_idx].name, "differing",
                          (json_int_t)c->worst_n, "bits", (json_int_t)c->worst_bits_n);
    return json_pack("{s:I, s:b, s:I, s:I, s:I, s:f, s:o}", "combinations",
                     (json_int_t)c->combinations_n, "is_sample", (int)c->is_sample, "conditions",
                     (json_int_t)c->conditions_n, "bits", (json_int_t)c->bits_n, "differing",
                     (json_int_t)c->differing_n, "per_million", per_million(c), "worst", worst);
}

int plan_compare_dtype(const struct plan_job *job, json_t *plan, struct err *err)
{
    struct dtype_comparison c;
    int rc = dtype_compare(job->config, job->describe, &job->range, &c, err);
    if (rc < 0)
        return rc;
    if (plan)
        json_object_set_new(plan, "compare_dtype", comparison_json(job, &c));
    else
        print_text(job, &c);
    dtype_comparison_fini(&c);
    return 0;
}
