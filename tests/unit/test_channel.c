/* SPDX-License-Identifier: MIT */
/* The promise: a channel carries frames whole, in order and numbered, to the one peer that was
 * expected; strangers are turned away and counted; a peer's departure ends every wait, after what
 * it had sent was delivered. */
#include <criterion/criterion.h>
#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proto/body.h"
#include "proto/channel.h"
#include "proto/units.h"

#define WORKER   7
#define SHORT_MS 20
#define LONG_MS  10000

/* nng 1.5.2 loses what a pipe held when its close sticks (see channel_close). */
const char *__lsan_default_suppressions(void);
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void)
{
    return "leak:libnng";
}

static char dir[64];
static char path[128];

static void make_dir(void)
{
    (void)snprintf(dir, sizeof dir, "/tmp/admf-test-XXXXXX");
    cr_assert(mkdtemp(dir) != NULL, "no directory for the socket");
    (void)snprintf(path, sizeof path, "%s/c", dir);
}

static void remove_dir(void)
{
    (void)unlink(path);
    (void)rmdir(dir);
}

TestSuite(channel, .init = make_dir, .fini = remove_dir, .timeout = 60);

struct pair {
    struct channel *s; /* supervisor's end */
    struct channel *w; /* worker's end */
};

static struct pair connect_pair(void)
{
    struct pair p = {0};
    struct err err = {0};
    cr_assert(channel_listen(path, &p.s, &err) == 0, "%s", err.text);
    channel_expect_peer(p.s, getpid());
    cr_assert(channel_dial(path, LONG_MS, &p.w, &err) == 0, "%s", err.text);
    channel_set_worker(p.s, WORKER);
    channel_set_worker(p.w, WORKER);
    return p;
}

static void close_pair(struct pair *p)
{
    channel_close(p->w);
    channel_close(p->s);
}

static int send_ready(struct channel *c, uint32_t n)
{
    ready_encode(channel_begin(c, MSG_READY), &(struct ready){n, n + 1});
    return channel_send(c, LONG_MS);
}

static int recv_any(struct channel *c, int timeout_ms, struct msg_head *head, struct reader *body)
{
    enum msg_verdict verdict = MSG_E_OK;
    return channel_recv(c, timeout_ms, head, body, &verdict);
}

Test(channel, carries_frames_in_order_and_numbers_them)
{
    struct pair p = connect_pair();
    struct msg_head head;
    struct reader body;

    for (uint32_t i = 0; i < 1000; i++) {
        cr_assert(send_ready(p.w, i) == 0);
        cr_assert(recv_any(p.s, LONG_MS, &head, &body) == 0);
        struct ready ready;
        cr_assert(head.type == MSG_READY && head.worker == WORKER && head.sequence == i + 1);
        cr_assert(ready_decode(&body, &ready) == 0 && ready.series_n == i);
        (void)channel_begin(p.s, MSG_FINISH);
        cr_assert(channel_send(p.s, LONG_MS) == 0);
        cr_assert(recv_any(p.w, LONG_MS, &head, &body) == 0);
        cr_assert(head.type == MSG_FINISH && head.sequence == i + 1);
    }
    cr_assert(channel_refused_n(p.s) == 0);
    close_pair(&p);
}

Test(channel, receiving_without_a_frame_ends_at_the_timeout)
{
    struct pair p = connect_pair();
    struct msg_head head;
    struct reader body;

    cr_assert(recv_any(p.s, 0, &head, &body) == -EAGAIN);
    int64_t start_ns = mono_now_ns();
    cr_assert(recv_any(p.s, SHORT_MS, &head, &body) == -EAGAIN);
    cr_assert(mono_now_ns() - start_ns >= SHORT_MS * INT64_C(1000000));
    close_pair(&p);
}

Test(channel, descriptor_is_readable_exactly_while_frames_wait)
{
    struct pair p = connect_pair();
    struct pollfd fd = {.fd = channel_recv_fd(p.s), .events = POLLIN};
    struct msg_head head;
    struct reader body;

    for (int round = 0; round < 200; round++) {
        cr_assert(poll(&fd, 1, 0) == 0, "round %d", round);
        for (uint32_t i = 0; i < 3; i++)
            cr_assert(send_ready(p.w, i) == 0);
        for (uint32_t i = 0; i < 3; i++) {
            cr_assert(poll(&fd, 1, LONG_MS) == 1, "round %d, frame %u", round, i);
            cr_assert(recv_any(p.s, 0, &head, &body) == 0);
        }
    }
    close_pair(&p);
}

Test(channel, what_came_before_the_departure_is_delivered_then_the_end_is_told)
{
    for (int round = 0; round < 10; round++) {
        struct pair p = connect_pair();
        struct msg_head head;
        struct reader body;

        for (uint32_t i = 0; i < 150; i++)
            cr_assert(send_ready(p.w, i) == 0);
        channel_close(p.w);
        for (uint32_t i = 0; i < 150; i++) {
            int rc = recv_any(p.s, LONG_MS, &head, &body);
            cr_assert(rc == 0 && head.sequence == i + 1, "round %d, frame %u: %d", round, i, rc);
        }
        cr_assert(recv_any(p.s, LONG_MS, &head, &body) == -EPIPE);
        cr_assert(recv_any(p.s, 0, &head, &body) == -EPIPE);
        (void)channel_begin(p.s, MSG_FINISH);
        cr_assert(channel_send(p.s, -1) == -EPIPE);
        channel_close(p.s);
        cr_assert(access(path, F_OK) != 0, "the address is left behind");
    }
}

Test(channel, worker_learns_that_the_supervisor_is_gone)
{
    struct pair p = connect_pair();
    struct msg_head head;
    struct reader body;

    channel_close(p.s);
    cr_assert(recv_any(p.w, LONG_MS, &head, &body) == -EPIPE);
    channel_close(p.w);
}

Test(channel, stranger_is_turned_away_and_counted)
{
    struct channel *s, *w;
    struct err err;
    struct msg_head head;
    struct reader body;

    cr_assert(channel_listen(path, &s, &err) == 0);
    channel_expect_peer(s, getppid()); /* whoever dials below is another process */
    /* A dial may succeed before the other end hangs up; then the first receive says so. */
    if (channel_dial(path, 200, &w, &err) == 0) {
        cr_assert(recv_any(w, LONG_MS, &head, &body) == -EPIPE);
        channel_close(w);
    }
    cr_assert(channel_refused_n(s) >= 1);
    cr_assert(recv_any(s, 0, &head, &body) == -EAGAIN, "the right peer may still come");
    channel_close(s);
}

Test(channel, nobody_is_let_in_before_somebody_is_expected)
{
    struct channel *s, *w;
    struct err err;
    struct msg_head head;
    struct reader body;

    cr_assert(channel_listen(path, &s, &err) == 0);
    if (channel_dial(path, 200, &w, &err) == 0) {
        cr_assert(recv_any(w, LONG_MS, &head, &body) == -EPIPE);
        channel_close(w);
    }
    cr_assert(channel_refused_n(s) >= 1);
    channel_close(s);
}

Test(channel, second_pipe_of_the_right_process_is_refused)
{
    struct pair p = connect_pair();
    struct channel *second;
    struct err err;
    struct msg_head head;
    struct reader body;

    /* The other end knows its peer once it has heard of it. */
    cr_assert(send_ready(p.w, 0) == 0 && recv_any(p.s, LONG_MS, &head, &body) == 0);
    if (channel_dial(path, 200, &second, &err) == 0) {
        /* nng may leave it waiting instead of hanging up: nothing reaches the supervisor then. */
        int rc = recv_any(second, 10 * SHORT_MS, &head, &body);
        cr_assert(rc == -EPIPE || rc == -EAGAIN, "%d", rc);
        channel_close(second);
    }
    cr_assert(send_ready(p.w, 1) == 0 && recv_any(p.s, LONG_MS, &head, &body) == 0,
              "the first one is not disturbed");
    close_pair(&p);
}

Test(channel, dialling_where_nobody_listens_fails_at_the_timeout)
{
    struct channel *c = NULL;
    struct err err = {0};
    cr_assert(channel_dial(path, SHORT_MS, &c, &err) < 0);
    cr_assert(c == NULL && err.kind == ERR_SYSTEM && strstr(err.text, path));
}

Test(channel, address_that_exists_is_not_taken_over)
{
    struct channel *first, *second = NULL;
    struct err err = {0};
    cr_assert(channel_listen(path, &first, &err) == 0);
    cr_assert(channel_listen(path, &second, &err) < 0 && second == NULL);
    cr_assert(access(path, F_OK) == 0);
    channel_close(first);
}

Test(channel, address_that_is_too_long_is_refused_with_a_remedy)
{
    char longer[300];
    struct channel *c = NULL;
    struct err err = {0};
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    cr_assert(channel_listen(longer, &c, &err) < 0 && c == NULL);
    cr_assert(strstr(err.text, "TMPDIR") != NULL);
}

Test(channel, frames_of_megabytes_arrive_whole)
{
    struct pair p = connect_pair();
    struct msg_head head;
    struct reader body;
    uint32_t n = 900000;
    double *values = calloc(n, sizeof *values);

    cr_assert(values != NULL);
    for (uint32_t i = 0; i < n; i++)
        values[i] = i * 0.5;
    struct detail_equity e = {
        .n = n / 2, .equity = values, .cash = values + n / 2, .position = values};
    detail_equity_encode(channel_begin(p.w, MSG_DETAIL_EQUITY), &e);
    cr_assert(channel_send(p.w, LONG_MS) == 0);
    cr_assert(recv_any(p.s, LONG_MS, &head, &body) == 0);
    struct detail_equity back;
    cr_assert(detail_equity_decode(&body, &back) == 0);
    cr_assert(memcmp(back.equity, values, n / 2 * sizeof *values) == 0);
    cr_assert(memcmp(back.cash, values + n / 2, n / 2 * sizeof *values) == 0);
    detail_equity_fini(&back);
    free(values);
    close_pair(&p);
}

Test(channel, frame_beyond_the_limit_is_not_sent)
{
    struct pair p = connect_pair();
    struct buf *b = channel_begin(p.w, MSG_RESULTS);
    char *block = calloc(1, 1 << 20);

    cr_assert(block != NULL);
    for (int i = 0; i < 9; i++)
        buf_append(b, block, 1 << 20);
    free(block);
    cr_assert(channel_send(p.w, LONG_MS) == -EMSGSIZE);
    struct msg_head head;
    struct reader body;
    cr_assert(send_ready(p.w, 1) == 0);
    cr_assert(recv_any(p.s, LONG_MS, &head, &body) == 0 && head.sequence == 1, "it was counted");
    close_pair(&p);
}

Test(channel, frame_that_the_gate_refuses_is_reported_with_its_reason)
{
    struct pair p = connect_pair();
    struct msg_head head = {.sequence = 99};
    struct reader body = {.pos = 99};
    enum msg_verdict verdict = MSG_E_OK;

    channel_set_worker(p.w, WORKER + 1);
    cr_assert(send_ready(p.w, 1) == 0);
    cr_assert(channel_recv(p.s, LONG_MS, &head, &body, &verdict) == -EPROTO);
    cr_assert(verdict == MSG_E_WORKER);
    cr_assert(head.sequence == 99 && body.pos == 99, "outputs are touched");
    channel_set_worker(p.w, WORKER);
    cr_assert(send_ready(p.w, 2) == 0);
    cr_assert(channel_recv(p.s, LONG_MS, &head, &body, &verdict) == -EPROTO);
    cr_assert(verdict == MSG_E_SEQUENCE, "the refused frame was counted as received");
    close_pair(&p);
}

Test(channel, sender_that_nobody_reads_is_told_to_wait)
{
    struct pair p = connect_pair();
    char block[1 << 16] = {0};
    int rc = 0;

    for (int i = 0; i < 10000 && rc == 0; i++) {
        buf_append(channel_begin(p.s, MSG_BATCH), block, sizeof block);
        rc = channel_send(p.s, 0);
    }
    cr_assert(rc == -EAGAIN);
    close_pair(&p);
}

/* ---- a peer that does not speak the protocol ------------------------------------------------ */

static nng_socket dial_raw(void)
{
    char url[160];
    nng_socket socket;
    (void)snprintf(url, sizeof url, "ipc://%s", path);
    cr_assert(nng_pair0_open(&socket) == 0);
    cr_assert(nng_dial(socket, url, NULL, 0) == 0);
    return socket;
}

static void send_raw(nng_socket socket, size_t n_bytes)
{
    nng_msg *msg;
    cr_assert(nng_msg_alloc(&msg, n_bytes) == 0);
    cr_assert(nng_sendmsg(socket, msg, 0) == 0);
}

Test(channel, garbage_is_refused_by_the_gate)
{
    struct channel *s;
    struct err err;
    struct msg_head head;
    struct reader body;
    enum msg_verdict verdict;

    cr_assert(channel_listen(path, &s, &err) == 0);
    channel_expect_peer(s, getpid());
    nng_socket raw = dial_raw();
    send_raw(raw, 5);
    cr_assert(channel_recv(s, LONG_MS, &head, &body, &verdict) == -EPROTO);
    cr_assert(verdict == MSG_E_SHORT);
    send_raw(raw, 0);
    cr_assert(channel_recv(s, LONG_MS, &head, &body, &verdict) == -EPROTO);
    send_raw(raw, 1000);
    cr_assert(channel_recv(s, LONG_MS, &head, &body, &verdict) == -EPROTO);
    cr_assert(verdict == MSG_E_MAGIC);
    channel_close(s);
}

/* nng itself would crash or hang there. */
Test(channel, no_room_for_threads_is_an_error_that_names_the_limits)
{
#ifdef __SANITIZE_ADDRESS__
    cr_skip("memory limits and sanitizers exclude each other");
#else
    struct channel *c = NULL;
    struct err err;
    const struct rlimit small = {.rlim_cur = 64 << 20, .rlim_max = RLIM_INFINITY};

    cr_assert(setrlimit(RLIMIT_DATA, &small) == 0);
    cr_expect(channel_listen(path, &c, &err) < 0 && c == NULL);
    cr_expect(err.kind == ERR_SYSTEM && strstr(err.text, "ulimit -d"), "%s", err.text);
    const struct rlimit large = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    cr_assert(setrlimit(RLIMIT_DATA, &large) == 0);
    cr_expect(channel_listen(path, &c, &err) == 0, "%s", err.text);
    channel_close(c);
#endif
}

Test(channel, peer_that_sends_beyond_the_limit_is_cut_off)
{
    struct channel *s;
    struct err err;
    struct msg_head head;
    struct reader body;

    cr_assert(channel_listen(path, &s, &err) == 0);
    channel_expect_peer(s, getpid());
    nng_socket raw = dial_raw();
    send_raw(raw, MSG_FRAME_MAX + 1);
    cr_assert(recv_any(s, LONG_MS, &head, &body) == -EPIPE);
    channel_close(s);
}
