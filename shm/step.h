/* SPDX-License-Identifier: MIT */
/* The step barrier: the supervisor publishes a step, workers do it and arrive, the last arrival
 * wakes the supervisor. Two futex words; no lock, so a worker that dies anywhere leaves nothing
 * held, and a deadline ends every wait. Sequence numbers wrap; they are compared for equality
 * alone.
 *
 *   supervisor: step_publish(bar, required) … step_wait_done(deadline)
 *   worker:     step_wait(last) → bar … step_arrive()
 *
 * A worker that died or is given up is counted out with step_excuse(), which is an arrival made for
 * it. The supervisor alone decides who has arrived: slot.arrived_step names each worker's last
 * arrival. */
#pragma once

#include <stdint.h>

#include "shm/layout.h"

/* Supervisor. Publishes the next step for clock step `bar`; returns its sequence number (never 0).
 */
uint32_t step_publish(struct slots_header *h, uint32_t bar, uint32_t required);
/* 0 when all have arrived; -ETIMEDOUT at deadline_ns (CLOCK_MONOTONIC); -EINTR on a signal. */
int step_wait_done(struct slots_header *h, uint32_t sequence, int64_t deadline_ns);
/* Arrives for a worker that will not. */
void step_excuse(struct slots_header *h, uint32_t sequence);

/* Worker. Waits for a step other than `last`; 0 and *ret_sequence, *ret_bar; -ETIMEDOUT; -EINTR. */
int step_wait(struct slots_header *h, uint32_t last, int64_t deadline_ns, uint32_t *ret_sequence,
              uint32_t *ret_bar);
void step_arrive(struct slots_header *h, struct slot *slot, uint32_t sequence);
