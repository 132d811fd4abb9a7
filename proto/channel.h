/* SPDX-License-Identifier: MIT */
/* One nng pair between the supervisor and one start of one worker.
 *
 * The supervisor listens on an address of its own for each start, in a directory of mode 0700, and
 * never uses it again: nng 1.5.2's ipc listener goes deaf once a peer hangs up in the handshake.
 * The first pipe that comes must carry the uid of this process and the pid that was forked; any
 * other is closed and counted. Frames beyond MSG_FRAME_MAX are dropped by nng (NNG_OPT_RECVMAXSZ).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/err.h"
#include "proto/msg.h"

struct channel;

/* Listens on ipc://PATH; PATH must not exist. Every pipe is refused until channel_expect_peer() has
 * told the pid that the peer must have. */
int channel_listen(const char *path, struct channel **ret_channel, struct err *err) ADMF_MUST_CHECK;
void channel_expect_peer(struct channel *c, pid_t pid);
/* Connects to ipc://PATH, waiting at most timeout_ms for the listener. */
int channel_dial(const char *path, int timeout_ms, struct channel **ret_channel,
                 struct err *err) ADMF_MUST_CHECK;

/* Readable while a frame waits; for poll(2). Owned by the channel. */
int channel_recv_fd(const struct channel *c);

/* Numbers, frames and sends what was built after channel_begin(). 0, -EAGAIN (send buffer full and
 * timeout_ms passed; the frame may be sent again), -EPIPE (the peer is gone), -EMSGSIZE (beyond
 * MSG_FRAME_MAX), -ENOMEM. */
struct buf *channel_begin(struct channel *c, enum msg_type type);
int channel_send(struct channel *c, int timeout_ms) ADMF_MUST_CHECK;

/* Takes the next frame through the gate. The body stays valid until the next receive.
 * 0; -EAGAIN: none within timeout_ms (0: do not wait, -1: for ever); -EPIPE: the peer is gone;
 * -EPROTO: a frame was refused, *ret_verdict says why. */
int channel_recv(struct channel *c, int timeout_ms, struct msg_head *ret_head,
                 struct reader *ret_body, enum msg_verdict *ret_verdict) ADMF_MUST_CHECK;

/* The number of this worker start that every frame must carry. */
void channel_set_worker(struct channel *c, uint32_t worker);
/* Pipes refused so far. */
uint64_t channel_refused_n(const struct channel *c);

/* Closes the socket and, at the listening end, unlinks the path. The dialing end first lets the
 * kernel have the last frame, for a second at most. Accepts NULL. */
void channel_close(struct channel *c);
