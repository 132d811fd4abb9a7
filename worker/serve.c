/* SPDX-License-Identifier: MIT */
/* A worker's life: gate, HELLO, SETUP, READY, then work until FINISH. */
#include "worker/serve.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "proto/log.h"
#include "proto/start.h"
#include "worker/build.h"

#define DIAL_TIMEOUT_MS 10000

int serve_refuse(struct serve *w, const struct err *err)
{
    refuse_encode(channel_begin(w->channel, MSG_REFUSE), err);
    if (channel_send(w->channel, SEND_TIMEOUT_MS) < 0)
        log_event(LOG_ERROR, "refuse_unsent", "worker=%d", (int)getpid());
    log_event(LOG_ERROR, "refuse", "reason=%s", log_quote(err->text));
    return -EPROTO;
}

int serve_receive(struct serve *w, struct msg_head *ret_head, struct reader *ret_body)
{
    enum msg_verdict verdict;
    int r = channel_recv(w->channel, -1, ret_head, ret_body, &verdict);
    if (r == -EPROTO)
        log_event(LOG_ERROR, "frame_refused", "why=%s", msg_verdict_name(verdict));
    return r;
}

/* ---- work ----------------------------------------------------------------------------------- */

static int handle_batch(struct serve *w, struct reader *body,
                        int (*serve)(struct serve *, const struct batch *))
{
    struct batch batch;
    int r = batch_decode(body, &batch);
    if (r < 0)
        return r;
    plane_sync(w->session.plane);
    r = serve(w, &batch);
    batch_fini(&batch);
    return r;
}

static int serve_one_detail(struct serve *w, const struct batch *batch)
{
    return batch->n == 1 ? serve_detail(w, &batch->combos[0]) : -EPROTO;
}

static int work(struct serve *w, enum worker_role role)
{
    for (;;) {
        struct msg_head head;
        struct reader body;
        int r = serve_receive(w, &head, &body);
        if (r < 0)
            return r;
        switch (head.type) {
        case MSG_BATCH:
            r = role == ROLE_FREE ? handle_batch(w, &body, serve_batch) : -EPROTO;
            break;
        case MSG_DETAIL:
            r = role == ROLE_FREE ? handle_batch(w, &body, serve_one_detail) : -EPROTO;
            break;
        case MSG_LANES:
            r = role == ROLE_FREE
                    ? -EPROTO
                    : handle_batch(w, &body, role == ROLE_LANES ? serve_lanes : serve_shared);
            break;
        case MSG_FINISH:
            return 0;
        default:
            r = -EPROTO;
        }
        if (r < 0)
            return r;
    }
}

/* ---- start ---------------------------------------------------------------------------------- */

/* The supervisor opens the gate once it knows this process; if it dies before, so does the worker.
 */
static int pass_gate(void)
{
    char go;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* set before exec too; harmless where it is */
    ssize_t n;
    do
        n = read(START_FD_GATE, &go, 1);
    while (n < 0 && errno == EINTR);
    (void)close(START_FD_GATE);
    return n == 1 ? 0 : -EPIPE;
}

static int say_hello(struct serve *w, uint32_t slot_idx)
{
    struct hello hello = {
        .protocol = MSG_VERSION,
        .pid = (uint32_t)getpid(),
        .slot_idx = slot_idx,
        .engine = ENGINE_VERSION,
    };
    hello_encode(channel_begin(w->channel, MSG_HELLO), &hello);
    return channel_send(w->channel, SEND_TIMEOUT_MS);
}

static int receive_setup(struct serve *w, struct setup *ret_setup)
{
    struct msg_head head;
    struct reader body;
    int r = serve_receive(w, &head, &body);
    if (r == 0 && head.type != MSG_SETUP)
        r = -EPROTO;
    return r < 0 ? r : setup_decode(&body, ret_setup);
}

/* As many extents as there can be: the core's header tells how many there are. */
static struct plane_fds inherited_plane(void)
{
    struct plane_fds fds = {.core = START_FD_PLANE, .extents_n = PLANE_EXTENTS_MAX};
    for (int i = 0; i < PLANE_EXTENTS_MAX; i++)
        fds.extent[i] = START_FD_EXTENT_0 + i;
    return fds;
}

static int get_ready(struct serve *w, enum worker_role *ret_role)
{
    struct setup setup;
    struct err err = {0};
    int r = receive_setup(w, &setup);
    if (r < 0)
        return r;
    *ret_role = (enum worker_role)setup.role;
    struct plane_fds fds = inherited_plane();
    r = session_init(&w->session, &setup.run, &fds, w->slot, &err);
    setup_fini(&setup);
    if (r < 0)
        return serve_refuse(w, &err);
    (void)close(fds.core);
    for (uint32_t i = 0; i < w->session.plane->header->extents_n; i++)
        (void)close(fds.extent[i]);
    session_tell_idle(&w->session);
    const struct plane *p = w->session.plane;
    ready_encode(channel_begin(w->channel, MSG_READY),
                 &(struct ready){p->header->series_n, p->steps_n});
    return channel_send(w->channel, SEND_TIMEOUT_MS);
}

static int live(struct serve *w, const char *path, uint32_t worker, uint32_t slot_idx)
{
    struct err err = {0};
    int r = slots_open(START_FD_SLOTS, &w->slots, &err);
    if (r == 0 && slot_idx >= w->slots.slots_n)
        r = err_set(&err, ERR_BUG, "slot %u of %u", slot_idx, w->slots.slots_n);
    if (r == 0) {
        w->slot = &w->slots.slot[slot_idx];
        atomic_store_explicit(&w->slot->state, SLOT_STARTING, memory_order_relaxed);
        deathbed_prepare(w->slot);
        r = channel_dial(path, DIAL_TIMEOUT_MS, &w->channel, &err);
    }
    if (r < 0) {
        log_event(LOG_ERROR, "start", "reason=%s", log_quote(err.text));
        return r;
    }
    channel_set_worker(w->channel, worker);
    enum worker_role role = ROLE_FREE;
    r = say_hello(w, slot_idx);
    if (r == 0)
        r = get_ready(w, &role);
    return r < 0 ? r : work(w, role);
}

static int serve_main(const char *path, const char *worker, const char *slot)
{
    char who[32];
    struct serve w = {0};
    (void)snprintf(who, sizeof who, "worker %.16s", worker);
    log_init(who);
    if (pass_gate() < 0)
        return 0;
    int r = live(&w, path, (uint32_t)strtoul(worker, NULL, 10), (uint32_t)strtoul(slot, NULL, 10));
    if (w.slot)
        atomic_store_explicit(&w.slot->state, SLOT_LEFT, memory_order_relaxed);
    if (r < 0)
        log_event(LOG_WARNING, "leave", "reason=%s", log_quote(strerror(-r)));
    channel_close(w.channel);
    session_fini(&w.session);
    slots_close(&w.slots);
    return r < 0 ? 1 : 0;
}

int worker_main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "--describe") == 0)
        return describe_print(argc - 2, argv + 2);
    if (argc >= 3 && strcmp(argv[1], "--build") == 0)
        return build_main(argc - 2, argv + 2);
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return puts("admf-worker " ENGINE_VERSION) < 0;
    if (argc == 5 && strcmp(argv[1], "--serve") == 0)
        return serve_main(argv[2], argv[3], argv[4]);
    (void)fputs(
        "admf-worker is started by admf; on its own it only answers --describe and --version\n",
        stderr);
    return 2;
}
