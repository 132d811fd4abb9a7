/* SPDX-License-Identifier: MIT */
/* An indicator fed as bars come: one at a time, or any number of rows at once, in constant memory.
 *
 * A stream holds the parameters, the state and the last `lookback` rows of each input. Its bytes
 * are those of one call over the whole history, however the rows are cut (indicator.h says why);
 * the state of a rolling indicator is made anew here at each tile's first row.
 *
 * Memory: at most 2 * (lookback + rows of one call) rows of each input, grown as rows come, so a
 * period longer than the data costs no more than the data. A bar costs O(1) amortised besides the
 * kernel. One thread at a time uses a stream. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"
#include "shm/indicator/indicator.h"

struct indicator_stream;

/* Series that a call takes: the user's, then the implied ones. */
unsigned indicator_inputs_n(const struct indicator *indicator);

/* At row 0. The row of the table must stay where it is and have a kernel; `param`
 * [params_n] is copied, and lies within the row's ranges. 0; -EINVAL where there is no kernel;
 * -ENOMEM. */
int indicator_stream_create(const struct indicator *indicator, const double *param,
                            struct indicator_stream **ret_stream) ADMF_MUST_CHECK;
void indicator_stream_destroy(struct indicator_stream *stream); /* accepts NULL */

/* Number of the next row. */
uint32_t indicator_stream_row(const struct indicator_stream *stream);

/* Back to row 0; keeps its memory. */
void indicator_stream_reset(struct indicator_stream *stream);

/* One bar: input[inputs_n], the time of its row (not looked at where the indicator has no
 * uses_time), into ret_output[outputs_n]. 0, or -ENOMEM: nothing is changed then. */
int indicator_stream_push(struct indicator_stream *stream, const double *input, int64_t time_ns,
                          double *ret_output) ADMF_MUST_CHECK;

/* The next rows_n rows: input[inputs_n] and time_ns (NULL where there is no uses_time) are arrays
 * of rows_n, of which nothing before is read; so are out[outputs_n], NULL where not wanted. 0, or
 * -ENOMEM: some of the rows may have been made then, so reset or restore. */
int indicator_stream_run(struct indicator_stream *stream, const double *const *input,
                         const int64_t *time_ns, uint32_t rows_n,
                         double *const *out) ADMF_MUST_CHECK;

/* Goes to `row`. input[inputs_n] and time_ns point at that row of whole columns: the lookback is
 * taken from the min(row, lookback) rows before. `state` [state_bytes] is what the stream had there
 * (indicator_stream_state()); NULL will do for a stateless indicator, and for a rolling one at a
 * tile's first row. 0; -EINVAL where NULL will not do; -ENOMEM: nothing is changed then. */
int indicator_stream_seek(struct indicator_stream *stream, uint32_t row, const double *const *input,
                          const int64_t *time_ns, const void *state) ADMF_MUST_CHECK;

/* State before the next row, [indicator->state_bytes]; borrowed until the stream is next used. */
const void *indicator_stream_state(const struct indicator_stream *stream);

/* A checkpoint: all that the stream remembers, in bytes that hold no pointers. It is restored into
 * a stream of the same indicator and parameters. 0; -EINVAL where it is not one of such a stream
 * (only sizes can tell); -ENOMEM: nothing is changed then. */
size_t indicator_stream_checkpoint_bytes(const struct indicator_stream *stream);
void indicator_stream_save(const struct indicator_stream *stream, void *ret_bytes);
int indicator_stream_restore(struct indicator_stream *stream, const void *bytes,
                             size_t bytes_n) ADMF_MUST_CHECK;
