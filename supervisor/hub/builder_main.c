/* SPDX-License-Identifier: MIT */
/* What a builder does: takes a job, computes it into the places named, says that it is whole. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/hub/builders.h"

/* Tests have builders die: ADMF_TEST_BUILDER="SIGNAL:WHEN", where WHEN is a job's number, `odd`
 * (every second job), `all`, or a part of the key of a series of the job. */
static void obey_test(const struct builder_job *job, const struct hub_source *source)
{
    const char *order = getenv("ADMF_TEST_BUILDER");
    const char *when = order ? strchr(order, ':') : NULL;
    if (!when)
        return;
    when++;
    bool is_number = when[strspn(when, "0123456789")] == '\0';
    bool is_meant =
        is_number ? strtoull(when, NULL, 10) == job->id
                  : strcmp(when, "all") == 0 || (strcmp(when, "odd") == 0 && job->id % 2 == 1);
    for (uint32_t k = 0; !is_number && !is_meant && k < job->n; k++)
        is_meant = strstr(source->key(source->ctx, job->series[k]), when) != NULL;
    if (is_meant)
        (void)raise(atoi(order)); /* a signal that does not exist does nothing */
}

static int64_t cpu_now_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts); /* cannot fail for this clock */
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void compute(const struct builder_job *job, const struct hub_source *source,
                    struct builder_done *ret_done)
{
    struct err err = {0};
    int64_t began_ns = cpu_now_ns();
    struct builder_done *done = ret_done;
    *done = (struct builder_done){.id = job->id, .n = job->n};
    done->result =
        source->build(source->ctx, job->series, job->out, job->n, done->first_defined, &err);
    if (done->result > 0)
        done->result = -EPROTO;
    if (done->result < 0)
        snprintf(done->why, sizeof done->why, "%.199s", err.text);
    done->cpu_ns = cpu_now_ns() - began_ns;
}

void builder_serve(int fd, const struct hub_source *source)
{
    for (;;) {
        struct builder_job job;
        struct builder_done done;
        ssize_t n = recv(fd, &job, sizeof job, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n != (ssize_t)sizeof job)
            return;
        obey_test(&job, source);
        compute(&job, source, &done);
        if (send(fd, &done, sizeof done, MSG_NOSIGNAL) != (ssize_t)sizeof done)
            return;
    }
}
