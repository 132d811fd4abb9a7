/* SPDX-License-Identifier: MIT */
/* The service worker of a lockstep run: hosts the shared risk and execution containers of a wave.
 *
 * ORDERS brings the signals of a step in lane order; the fills that come of them and of the next
 * step's bars go back in one message, in lane order, with the step at which the service must next
 * be asked: until then, and while no signals come, it need not be. */
#include <errno.h>

#include "worker/lockstep/shared.h"
#include "worker/serve.h"

static int service_receive(struct serve *w, struct shared *s, bool *ret_is_final)
{
    struct msg_head head;
    struct reader body;
    struct signals in;
    struct fills out;
    int r = serve_receive(w, &head, &body);
    if (r < 0)
        return r;
    if (head.type != MSG_ORDERS)
        return -EPROTO;
    r = signals_decode(&body, &in);
    if (r < 0)
        return r;
    r = shared_step(s, &in, &out);
    *ret_is_final = in.is_final;
    signals_fini(&in);
    if (r < 0)
        return r;
    fills_encode(channel_begin(w->channel, MSG_FILLS), &out);
    return channel_send(w->channel, SEND_TIMEOUT_MS);
}

int serve_shared(struct serve *w, const struct batch *lanes)
{
    struct shared s;
    struct err err = {0};
    int r = shared_open(&s, &w->session, lanes, &err);
    if (r < 0) {
        r = serve_refuse(w, &err);
    } else {
        ready_encode(channel_begin(w->channel, MSG_LANES_READY), &(struct ready){lanes->n, 0});
        r = channel_send(w->channel, SEND_TIMEOUT_MS);
    }
    bool is_final = false;
    while (r == 0 && !is_final)
        r = service_receive(w, &s, &is_final);
    shared_close(&s);
    session_tell_idle(&w->session);
    return r;
}
